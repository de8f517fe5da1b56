// Package objseal encrypts stored objects: AES-256-GCM in chunks of 16 KiB, each verified before it is given out, with key
// commitment, under keys that can be rotated. It is the C library libobjseal, linked in.
//
// An object is sealed under a Key, or a key of a Keyring, and bound to a context of public pairs, such as its name. It opens
// only with the same context.
//
//	you have                            use
//	the whole object in memory          Seal, Open
//	something to write to               NewWriter
//	something to read from              NewReader
//	a stored object, and a range of it  NewReaderAt
//
// Errors can be told apart with errors.Is: ErrAuthentication and so on. Nothing here is a validated module.
//
// To build it, run make in the folder above first.
package objseal

// #cgo CFLAGS: -I${SRCDIR}/..
// #cgo LDFLAGS: ${SRCDIR}/../../../target/c/libobjseal.a -lpthread -ldl -lm
// #include "objseal.h"
import "C"

// Version is the version of the library, such as "0.1.0".
func Version() string { return C.GoString(C.objseal_version()) }

// Engines are the names of the implementations of AES-256-GCM that this machine can run. BestEngine is used unless another
// is asked for.
func Engines() []string {
	var names []string
	for i := C.size_t(0); ; i++ {
		name := C.objseal_engine(i)
		if name == nil {
			return names
		}
		names = append(names, C.GoString(name))
	}
}

// BestEngine is the fastest engine of this machine.
func BestEngine() string { return C.GoString(C.objseal_best_engine()) }

// nothing is a call that does nothing, to measure what a call costs.
func nothing() int { return int(C.objseal_key_len()) }
