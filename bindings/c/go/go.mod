module objseal

go 1.19
