package objseal

// #include "objseal.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Error is what the library answers when something does not work. Its kinds are the variables below.
type Error struct {
	status C.objseal_status
	text   string
}

func (e *Error) Error() string {
	if e.text != "" {
		return "objseal: " + e.text
	}
	return "objseal: " + C.GoString(C.objseal_status_text(C.int32_t(e.status)))
}

// Is says whether both are of the same kind.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.status == e.status
}

// The kinds of errors, for errors.Is.
var (
	// ErrArgument: an argument makes no sense.
	ErrArgument error = &Error{status: C.OBJSEAL_STATUS_ARGUMENT}
	// ErrAuthentication: wrong key, wrong context, or what was sealed was changed. One answer to all of them; where the head says
	// that the key is another one of the same name, the words say so.
	ErrAuthentication error = &Error{status: C.OBJSEAL_STATUS_AUTHENTICATION}
	// ErrTooLong: longer than it can be.
	ErrTooLong error = &Error{status: C.OBJSEAL_STATUS_TOO_LONG}
	// ErrOutOfRange: the range is not within the plaintext.
	ErrOutOfRange error = &Error{status: C.OBJSEAL_STATUS_OUT_OF_RANGE}
	// ErrRandom: the operating system has no random bytes to give.
	ErrRandom error = &Error{status: C.OBJSEAL_STATUS_RANDOM}
	// ErrEngine: an engine is not to be had here, or did not do its work.
	ErrEngine error = &Error{status: C.OBJSEAL_STATUS_ENGINE}
	// ErrIO: a file could not be read or written.
	ErrIO error = &Error{status: C.OBJSEAL_STATUS_IO}
	// ErrInternal: a fault of the library.
	ErrInternal error = &Error{status: C.OBJSEAL_STATUS_INTERNAL}
	// ErrFormat: this is not a sealed object, or one that this version does not know.
	ErrFormat error = &Error{status: C.OBJSEAL_STATUS_FORMAT}
	// ErrKeyNotFound: no key at hand opens the object, or the keyring has no key of this name.
	ErrKeyNotFound error = &Error{status: C.OBJSEAL_STATUS_KEY_NOT_FOUND}
	// ErrPolicy: the object is not what was demanded of it, such as another context.
	ErrPolicy error = &Error{status: C.OBJSEAL_STATUS_POLICY}
	// ErrKeyring: the keyring could not be read or changed.
	ErrKeyring error = &Error{status: C.OBJSEAL_STATUS_KEYRING}
	// ErrClosed: it was closed.
	ErrClosed = errors.New("objseal: closed")
)

// failed is the error for a status; handle is where the library keeps the words, or nil.
func failed(status C.objseal_status, handle unsafe.Pointer) error {
	if status == C.OBJSEAL_STATUS_OK {
		return nil
	}
	var text [400]C.char
	C.objseal_last_error(handle, &text[0], C.size_t(len(text)))
	return &Error{status: status, text: C.GoString(&text[0])}
}

// argument is an ErrArgument that is found here.
func argument(text string) error { return &Error{status: C.OBJSEAL_STATUS_ARGUMENT, text: text} }

// start is a pointer to the first byte, or nil.
func start(bytes []byte) *C.uint8_t {
	if len(bytes) == 0 {
		return nil
	}
	return (*C.uint8_t)(unsafe.Pointer(&bytes[0]))
}

// panicked is what an inner reader panicked with.
type panicked struct{ cause any }

func (p *panicked) Error() string { return fmt.Sprintf("the inner reader panicked: %v", p.cause) }
