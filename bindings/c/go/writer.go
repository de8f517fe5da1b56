package objseal

// #include "objseal.h"
import "C"

import (
	"io"
	"runtime"
	"unsafe"
)

// batch is how many bytes go into the library at a time, at least: a call costs as much as some hundred bytes.
const batch = 256 * 1024

// Writer seals what is written to it. One goroutine at a time uses it.
type Writer struct {
	inner  io.Writer
	sealer *C.objseal_sealer
	// What waits to be sealed, and what was sealed.
	plaintext, out []byte
	info           Info
	err            error
}

// NewWriter begins an object that is written to inner. Close makes it whole, so it is called when all went well, and not
// deferred: what is deferred runs after a source has failed as well. Abort is what to defer.
func NewWriter(inner io.Writer, options SealOptions) (*Writer, error) {
	w := &Writer{inner: inner, plaintext: make([]byte, 0, batch)}
	err := options.with(func(handle *C.objseal_seal_options) error {
		return failed(C.objseal_sealer_new(handle, &w.sealer), unsafe.Pointer(handle))
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(w, func(w *Writer) { w.free() })
	return w, nil
}

// free gives back what the library holds, and wipes what was not sealed.
func (w *Writer) free() {
	C.objseal_sealer_free(w.sealer)
	w.sealer = nil
	wipe(w.plaintext[:cap(w.plaintext)])
	runtime.SetFinalizer(w, nil)
}

// seal seals bytes and writes what comes out.
func (w *Writer) seal(plaintext []byte) error {
	for len(plaintext) > 0 {
		piece := plaintext
		if len(piece) > 4*batch {
			piece = piece[:4*batch]
		}
		plaintext = plaintext[len(piece):]
		if enough := len(piece) + len(piece)/100 + 49152; len(w.out) < enough {
			w.out = make([]byte, enough)
		}
		var written C.size_t
		status := C.objseal_sealer_update(w.sealer, start(piece), C.size_t(len(piece)), start(w.out), C.size_t(len(w.out)), &written)
		if err := w.write(status, int(written)); err != nil {
			return err
		}
	}
	return nil
}

// write passes on what the library wrote.
func (w *Writer) write(status C.objseal_status, written int) error {
	w.err = failed(status, unsafe.Pointer(w.sealer))
	if w.err != nil || written == 0 {
		return w.err
	}
	// This stays if the inner writer panics.
	w.err = ErrAborted
	n, err := w.inner.Write(w.out[:written])
	switch {
	case n < 0 || n > written:
		err = errInvalidWrite
	case err == nil && n < written:
		err = io.ErrShortWrite
	}
	w.err = err
	return err
}

// Write seals all of plaintext. After an error the Writer is of no use, and every call gives that error.
func (w *Writer) Write(plaintext []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if len(w.plaintext)+len(plaintext) < batch {
		w.plaintext = append(w.plaintext, plaintext...)
		return len(plaintext), nil
	}
	first := 0
	if len(w.plaintext) > 0 {
		// What waits is made whole, so that it goes in one call.
		first = batch - len(w.plaintext)
		w.plaintext = append(w.plaintext, plaintext[:first]...)
		if err := w.seal(w.plaintext); err != nil {
			return 0, err
		}
		w.plaintext = w.plaintext[:0]
	}
	if rest := plaintext[first:]; len(rest) >= batch {
		if err := w.seal(rest); err != nil {
			return first, err
		}
	} else {
		w.plaintext = append(w.plaintext, rest...)
	}
	return len(plaintext), nil
}

// Abort ends it without an end, so that what was written never opens. It wipes what was not sealed. After Close it does nothing.
func (w *Writer) Abort() {
	if w.err == nil {
		w.err = ErrAborted
	}
	w.free()
}

// Close seals and writes the end. It does not close the inner writer. After an error of Write it gives that error, and writes
// nothing.
func (w *Writer) Close() error {
	if w.sealer == nil {
		return w.err
	}
	defer w.free()
	if w.err != nil {
		return w.err
	}
	if err := w.seal(w.plaintext); err != nil {
		return err
	}
	if len(w.out) < 57344 {
		w.out = make([]byte, 57344)
	}
	var written C.size_t
	status := C.objseal_sealer_finish(w.sealer, start(w.out), C.size_t(len(w.out)), &written)
	if err := w.write(status, int(written)); err != nil {
		return err
	}
	var info *C.objseal_info
	if err := failed(C.objseal_sealer_info(w.sealer, &info), unsafe.Pointer(w.sealer)); err != nil {
		return err
	}
	w.info = infoOf(info)
	w.err = ErrClosed
	return nil
}

// Info is what is known of the object, after Close.
func (w *Writer) Info() Info { return w.info }
