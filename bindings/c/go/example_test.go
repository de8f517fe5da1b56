package objseal_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"objseal"
)

func Example() {
	key, err := objseal.GenerateKey()
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	context := map[string]string{"name": "cat.jpg"}

	var stored bytes.Buffer
	w, err := objseal.NewWriter(&stored, objseal.SealOptions{Key: key, Context: context})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, "the plaintext"); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	open := objseal.OpenOptions{Key: key, Context: context}
	r, err := objseal.NewReaderAt(bytes.NewReader(stored.Bytes()), int64(stored.Len()), open)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	part := make([]byte, 5)
	if _, err := r.ReadAt(part, 4); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", part)
	// Output: plain
}
