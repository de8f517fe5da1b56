package objseal

/*
#include "objseal.h"

extern int32_t objsealGoReadAt(uintptr_t user, uint8_t *buffer, size_t len, uint64_t offset);

static int32_t read_at(void *user, uint8_t *buffer, size_t len, uint64_t offset) {
	return objsealGoReadAt((uintptr_t)user, buffer, len, offset);
}

static objseal_status reader_new(const objseal_open_options *options, uintptr_t user, uint64_t len, objseal_reader **reader) {
	return objseal_reader_new(options, read_at, (void *)user, len, reader);
}

static objseal_status inspect(uintptr_t user, uint64_t len, objseal_info **info) {
	return objseal_inspect(read_at, (void *)user, len, info);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/cgo"
	"sync"
	"unsafe"
)

// source is what is read by the library.
type source struct {
	inner io.ReaderAt
	mu    sync.Mutex
	// What inner said last.
	err error
}

// explained puts the error of the inner reader in place of the library's, which knows only that there was one.
func (s *source) explained(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, ErrIO) && s.err != nil {
		return fmt.Errorf("objseal: %w", s.err)
	}
	return err
}

// ReaderAt reads ranges of the plaintext of a stored object. It fetches the chunks that hold them, and verifies those. Many
// goroutines can use it, if they can use what it reads from.
type ReaderAt struct {
	mu      sync.RWMutex
	handle  *C.objseal_reader
	source  *source
	user    cgo.Handle
	size    int64
	threads int
	info    Info
}

// NewReaderAt opens a stored object of size bytes. Its head, its attributes and its end are verified here, so its length is
// authentic.
func NewReaderAt(inner io.ReaderAt, size int64, options OpenOptions) (*ReaderAt, error) {
	if size < 0 {
		return nil, argument("a negative size")
	}
	from := &source{inner: inner}
	r := &ReaderAt{source: from, user: cgo.NewHandle(from), threads: options.Threads}
	err := options.with(func(handle *C.objseal_open_options) error {
		status := C.reader_new(handle, C.uintptr_t(r.user), C.uint64_t(size), &r.handle)
		return from.explained(failed(status, unsafe.Pointer(handle)))
	})
	if err == nil {
		var info *C.objseal_info
		if err = failed(C.objseal_reader_info(r.handle, &info), unsafe.Pointer(r.handle)); err == nil {
			r.info = infoOf(info)
			r.size = r.info.Length
		}
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	runtime.SetFinalizer(r, func(r *ReaderAt) { r.Close() })
	return r, nil
}

// Size is the length of the plaintext, in bytes. It is authentic.
func (r *ReaderAt) Size() int64 { return r.size }

// Info is what is known of the object. It is authentic.
func (r *ReaderAt) Info() Info { return r.info }

// ReadAt fills out with the plaintext from offset on. As io.ReaderAt says, it gives io.EOF with what there is if that is less.
func (r *ReaderAt) ReadAt(out []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, argument("a negative offset")
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.handle == nil {
		return 0, ErrClosed
	}
	var end error
	if left := r.size - offset; left < int64(len(out)) {
		end = io.EOF
		if left <= 0 {
			return 0, end
		}
		out = out[:left]
	}
	status := C.objseal_reader_read(r.handle, C.uint64_t(offset), start(out), C.size_t(len(out)), threadCount(r.threads))
	if err := r.source.explained(failed(status, unsafe.Pointer(r.handle))); err != nil {
		return 0, err
	}
	return len(out), end
}

// Close frees what the library holds. It does not close the inner reader.
func (r *ReaderAt) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	C.objseal_reader_free(r.handle)
	r.handle = nil
	if r.user != 0 {
		r.user.Delete()
		r.user = 0
	}
	runtime.SetFinalizer(r, nil)
	return nil
}

// Inspect is what a stored object of size bytes says about itself. It takes no key, so nothing of it is verified: anybody could
// have written it.
func Inspect(inner io.ReaderAt, size int64) (Info, error) {
	if size < 0 {
		return Info{}, argument("a negative size")
	}
	from := &source{inner: inner}
	user := cgo.NewHandle(from)
	defer user.Delete()
	var info *C.objseal_info
	if err := from.explained(failed(C.inspect(C.uintptr_t(user), C.uint64_t(size), &info), nil)); err != nil {
		return Info{}, err
	}
	return infoOf(info), nil
}
