package objseal

// #include "objseal.h"
import "C"

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"unsafe"
)

// Error is what the library answers when something does not work. Its kinds are the variables below.
type Error struct {
	status C.objseal_status
	text   string
	// What the operating system said, if it did.
	cause error
}

func (e *Error) Error() string {
	if e.text != "" {
		return "objseal: " + e.text
	}
	return "objseal: " + C.GoString(C.objseal_status_text(C.int32_t(e.status)))
}

// Unwrap is the error of the operating system behind it, such as an *fs.PathError with fs.ErrNotExist in it for a keyring that
// is not there; nil if there is none.
func (e *Error) Unwrap() error { return e.cause }

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
	// that the key is another one of the same name, the words say so. Nothing proves that, so no program can tell.
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
	// ErrKeyNotFound: no key at hand opens the object, or the keyring has no key of this name. Of an object the words say which key
	// it was sealed under, in which version, and whether Keyring.Reload may find it.
	ErrKeyNotFound error = &Error{status: C.OBJSEAL_STATUS_KEY_NOT_FOUND}
	// ErrPolicy: the object is not what was demanded of it, such as another context.
	ErrPolicy error = &Error{status: C.OBJSEAL_STATUS_POLICY}
	// ErrKeyring: the keyring is not in order, its passphrase is another one, or it cannot be changed so.
	ErrKeyring error = &Error{status: C.OBJSEAL_STATUS_KEYRING}
	// ErrClosed: it was closed.
	ErrClosed = errors.New("objseal: closed")
	// ErrAborted: a Writer was aborted, or the inner reader or writer panicked.
	ErrAborted = errors.New("objseal: aborted")
)

// What an inner reader or writer must not say.
var (
	errInvalidRead  = errors.New("objseal: the inner reader says that it read less than nothing, or more than there was room for")
	errInvalidWrite = errors.New("objseal: the inner writer says that it wrote less than nothing, or more than it was given")
)

// failed is the error for a status; handle is where the library keeps the words, or nil.
func failed(status C.objseal_status, handle unsafe.Pointer) error {
	if status == C.OBJSEAL_STATUS_OK {
		return nil
	}
	// A path in it can be long.
	text := make([]C.char, C.objseal_last_error(handle, nil, 0)+1)
	C.objseal_last_error(handle, &text[0], C.size_t(len(text)))
	failure := &Error{status: status, text: strings.ReplaceAll(C.GoString(&text[0]), "objseal_keyring_reload", "Keyring.Reload")}
	if errno := C.objseal_last_errno(handle); errno != 0 {
		failure.cause = syscall.Errno(errno)
	}
	return failure
}

// failedAt is the same for what was done with a file.
func failedAt(act, path string, status C.objseal_status, handle unsafe.Pointer) error {
	err := failed(status, handle)
	if failure, is := err.(*Error); is && failure.cause != nil {
		failure.cause = &fs.PathError{Op: act, Path: path, Err: failure.cause}
	}
	return err
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
