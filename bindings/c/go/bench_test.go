package objseal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"io"
	"testing"
)

// What a call costs that does nothing.
func BenchmarkCgoCall(b *testing.B) {
	for i := 0; i < b.N; i++ {
		nothing()
	}
}

const mib = 1 << 20

func benchKey(b *testing.B) *Key {
	key, err := GenerateKey()
	if err != nil {
		b.Fatal(err)
	}
	return key
}

func BenchmarkSeal1MiB(b *testing.B) {
	key, plain := benchKey(b), noise(mib)
	b.SetBytes(mib)
	for i := 0; i < b.N; i++ {
		if _, err := Seal(SealOptions{Key: key, Threads: 1}, plain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen1MiB(b *testing.B) {
	key := benchKey(b)
	sealed, err := Seal(SealOptions{Key: key}, noise(mib))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(mib)
	for i := 0; i < b.N; i++ {
		if _, err := Open(OpenOptions{Key: key, Threads: 1}, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

// Go's own AES-256-GCM, in chunks as long as ours.
func BenchmarkGoSeal1MiB(b *testing.B) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	plain, nonce := noise(mib), make([]byte, 12)
	b.SetBytes(mib)
	for i := 0; i < b.N; i++ {
		out := make([]byte, 0, mib+mib/1024)
		for at := 0; at < mib; at += 16384 {
			out = gcm.Seal(out, nonce, plain[at:at+16384], nil)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	w, err := NewWriter(io.Discard, SealOptions{Key: benchKey(b)})
	if err != nil {
		b.Fatal(err)
	}
	plain := noise(mib)
	b.SetBytes(mib)
	for i := 0; i < b.N; i++ {
		if _, err := w.Write(plain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReaderAt(b *testing.B) {
	key := benchKey(b)
	sealed, err := Seal(SealOptions{Key: key}, noise(8*mib))
	if err != nil {
		b.Fatal(err)
	}
	r, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), OpenOptions{Key: key, Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	out := make([]byte, mib)
	b.SetBytes(mib)
	for i := 0; i < b.N; i++ {
		if _, err := r.ReadAt(out, int64(i%7)*mib); err != nil {
			b.Fatal(err)
		}
	}
}
