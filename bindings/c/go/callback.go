package objseal

// #include <stdint.h>
// #include <stddef.h>
import "C"

import (
	"io"
	"runtime/cgo"
	"unsafe"
)

// objsealGoReadAt is what the library reads with. A panic of the inner reader stays here as its error: it must not unwind
// through the library.
//
//export objsealGoReadAt
func objsealGoReadAt(user C.uintptr_t, buffer *C.uint8_t, length C.size_t, offset C.uint64_t) (answer C.int32_t) {
	from := cgo.Handle(user).Value().(*source)
	out := unsafe.Slice((*byte)(unsafe.Pointer(buffer)), int(length))
	n, err := readAt(from.inner, out, int64(offset))
	if n == len(out) {
		return 0
	}
	if n < 0 || n > len(out) {
		err = errInvalidRead
	} else if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	from.mu.Lock()
	from.err = err
	from.mu.Unlock()
	return 1
}

func readAt(inner io.ReaderAt, out []byte, offset int64) (n int, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			n, err = 0, &panicked{cause}
		}
	}()
	return inner.ReadAt(out, offset)
}
