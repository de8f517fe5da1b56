package objseal

// #include "objseal.h"
import "C"

import "unsafe"

// Seal seals an object in memory.
func Seal(options SealOptions, plaintext []byte) ([]byte, error) {
	var sealed []byte
	err := options.with(func(handle *C.objseal_seal_options) error {
		var needed C.uint64_t
		status := C.objseal_sealed_len(handle, C.uint64_t(len(plaintext)), &needed)
		if err := failed(status, unsafe.Pointer(handle)); err != nil {
			return err
		}
		out := make([]byte, needed)
		var written C.size_t
		status = C.objseal_seal(handle, start(plaintext), C.size_t(len(plaintext)), start(out), C.size_t(len(out)), &written,
			threadCount(options.Threads))
		if err := failed(status, unsafe.Pointer(handle)); err != nil {
			return err
		}
		sealed = out[:written]
		return nil
	})
	return sealed, err
}

// Open opens an object in memory: all of it, or nothing.
func Open(options OpenOptions, sealed []byte) ([]byte, error) {
	var plaintext []byte
	err := options.with(func(handle *C.objseal_open_options) error {
		out := make([]byte, len(sealed))
		var written C.size_t
		status := C.objseal_open(handle, start(sealed), C.size_t(len(sealed)), start(out), C.size_t(len(out)), &written,
			threadCount(options.Threads))
		if err := failed(status, unsafe.Pointer(handle)); err != nil {
			return err
		}
		plaintext = out[:written]
		return nil
	})
	return plaintext, err
}

// BodyOffset is where the body begins in a sealed object.
const BodyOffset = C.OBJSEAL_BODY_OFFSET

// BodySealedLen is the length of the body that so many bytes of plaintext give.
func BodySealedLen(layers int, plaintext int64) (int64, error) {
	var len C.uint64_t
	err := failed(C.objseal_body_sealed_len(small(layers), C.uint64_t(plaintext), &len), nil)
	return int64(len), err
}

// BodyPlaintextLen is the length of the plaintext in a body of so many bytes.
func BodyPlaintextLen(layers int, sealed int64) (int64, error) {
	var len C.uint64_t
	err := failed(C.objseal_body_plaintext_len(small(layers), C.uint64_t(sealed), &len), nil)
	return int64(len), err
}

// BodySealedRange is where in a body of so many bytes the chunks are that hold the plaintext from start to end, end not
// included: what a server fetches to serve them, besides the beginning and the last chunk.
func BodySealedRange(layers int, start, end, sealed int64) (int64, int64, error) {
	var first, behind C.uint64_t
	status := C.objseal_body_sealed_range(small(layers), C.uint64_t(start), C.uint64_t(end), C.uint64_t(sealed), &first, &behind)
	return int64(first), int64(behind), failed(status, nil)
}

// small is a number of layers for C; one that makes no sense is refused there.
func small(layers int) C.uint8_t {
	if layers < 0 || layers > 255 {
		return 0
	}
	return C.uint8_t(layers)
}
