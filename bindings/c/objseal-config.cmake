# find_package(objseal) gives objseal::objseal and objseal::objseal_static.
get_filename_component(_objseal_libdir "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
find_path(_objseal_include objseal.h HINTS "${_objseal_libdir}/../include" "${_objseal_libdir}/../../include"
  NO_DEFAULT_PATH REQUIRED)
include(CMakeFindDependencyMacro)
find_dependency(Threads)
if(NOT TARGET objseal::objseal)
  add_library(objseal::objseal SHARED IMPORTED)
  set_target_properties(objseal::objseal PROPERTIES
    IMPORTED_LOCATION "${_objseal_libdir}/libobjseal.so"
    INTERFACE_INCLUDE_DIRECTORIES "${_objseal_include}")
  add_library(objseal::objseal_static STATIC IMPORTED)
  set_target_properties(objseal::objseal_static PROPERTIES
    IMPORTED_LOCATION "${_objseal_libdir}/libobjseal.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_objseal_include}"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m")
endif()
