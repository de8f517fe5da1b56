package objseal

// #include "objseal.h"
import "C"

import (
	"io"
	"runtime"
	"unsafe"
)

// Reader opens what it reads, from front to back. One goroutine at a time uses it.
type Reader struct {
	inner  io.Reader
	opener *C.objseal_opener
	// What was read, what was opened, and which part of that has not been given out.
	sealed, out, ready []byte
	info               Info
	err                error
}

// NewReader opens the object that inner has to give. It reads 256 KiB of it at a time, or all there is.
//
// Read gives out authentic bytes only, and the plaintext is whole only when it has given io.EOF.
func NewReader(inner io.Reader, options OpenOptions) (*Reader, error) {
	r := &Reader{inner: inner, sealed: make([]byte, batch), out: make([]byte, batch+65536)}
	err := options.with(func(handle *C.objseal_open_options) error {
		return failed(C.objseal_opener_new(handle, &r.opener), unsafe.Pointer(handle))
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(r, func(r *Reader) { r.Close() })
	return r, nil
}

// fill reads until there is no more room, or until there is nothing more to read.
func (r *Reader) fill() (n int, err error) {
	for empty := 0; n < len(r.sealed) && err == nil; {
		var some int
		some, err = r.inner.Read(r.sealed[n:])
		if some < 0 || some > len(r.sealed)-n {
			return n, errInvalidRead
		}
		n += some
		if empty++; some > 0 {
			empty = 0
		} else if empty == 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

// step reads and opens once. What it opened is ready even if it says that nothing comes after it.
func (r *Reader) step() error {
	n, err := r.fill()
	var written C.size_t
	if n > 0 {
		status := C.objseal_opener_update(r.opener, start(r.sealed), C.size_t(n), start(r.out), C.size_t(len(r.out)), &written)
		if err := failed(status, unsafe.Pointer(r.opener)); err != nil {
			return err
		}
	}
	r.ready = r.out[:written]
	if err != io.EOF {
		return err
	}
	rest := r.out[written:]
	status := C.objseal_opener_finish(r.opener, start(rest), C.size_t(len(rest)), &written)
	if status == C.OBJSEAL_STATUS_OUTPUT_TOO_SMALL {
		rest = make([]byte, written)
		status = C.objseal_opener_finish(r.opener, start(rest), C.size_t(len(rest)), &written)
	}
	if err := failed(status, unsafe.Pointer(r.opener)); err != nil {
		return err
	}
	r.ready = append(r.ready[:len(r.ready):len(r.ready)], rest[:written]...)
	var info *C.objseal_info
	if err := failed(C.objseal_opener_info(r.opener, &info), unsafe.Pointer(r.opener)); err != nil {
		return err
	}
	r.info = infoOf(info)
	return io.EOF
}

// Read gives out plaintext.
func (r *Reader) Read(out []byte) (int, error) {
	if len(out) == 0 {
		return 0, nil
	}
	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		// This stays if the inner reader panics: what it had read is lost.
		r.err = ErrAborted
		r.err = r.step()
	}
	n := copy(out, r.ready)
	wipe(r.ready[:n])
	r.ready = r.ready[n:]
	return n, nil
}

// Info is what is known of the object, once Read has given io.EOF.
func (r *Reader) Info() Info { return r.info }

// Close frees what the library holds and wipes what was not read. It does not close the inner reader.
func (r *Reader) Close() error {
	C.objseal_opener_free(r.opener)
	r.opener = nil
	wipe(r.ready)
	r.ready = nil
	r.err = ErrClosed
	runtime.SetFinalizer(r, nil)
	return nil
}
