package objseal

// #include <stdlib.h>
// #include "objseal.h"
import "C"

import (
	"runtime"
	"sort"
	"sync"
	"unsafe"
)

// KeyLen is the length of a key, in bytes.
const KeyLen = C.OBJSEAL_KEY_LEN

// Key is a root key: 32 random bytes, wiped by Close. Many goroutines can use it. It does not print itself.
type Key struct {
	mu     sync.RWMutex
	handle *C.objseal_key
}

func newKey(handle *C.objseal_key) *Key {
	key := &Key{handle: handle}
	runtime.SetFinalizer(key, func(key *Key) { key.Close() })
	return key
}

// NewKey is a key of these 32 bytes, which are copied.
func NewKey(bytes []byte) (*Key, error) {
	var handle *C.objseal_key
	if err := failed(C.objseal_key_new(start(bytes), C.size_t(len(bytes)), &handle), nil); err != nil {
		return nil, err
	}
	return newKey(handle), nil
}

// GenerateKey is a new key from the random source of the operating system.
func GenerateKey() (*Key, error) {
	var handle *C.objseal_key
	if err := failed(C.objseal_key_generate(&handle), nil); err != nil {
		return nil, err
	}
	return newKey(handle), nil
}

// Bytes are the 32 bytes, to be kept somewhere safe; nil after Close.
func (k *Key) Bytes() []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.handle == nil {
		return nil
	}
	bytes := make([]byte, KeyLen)
	C.objseal_key_expose(k.handle, start(bytes))
	return bytes
}

// Close wipes the key. What was made with it goes on.
func (k *Key) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	C.objseal_key_free(k.handle)
	k.handle = nil
	runtime.SetFinalizer(k, nil)
	return nil
}

// String hides the key.
func (*Key) String() string { return "objseal.Key(hidden)" }

// GoString hides the key.
func (*Key) GoString() string { return "objseal.Key(hidden)" }

// Keyring is root keys in a file, by name, each with its versions. The command "objseal key" works on the same files. Objects
// are sealed under the latest version of a key, and older ones still open. Many goroutines can use it.
type Keyring struct {
	mu     sync.RWMutex
	handle *C.objseal_keyring
}

func keyring(path, passphrase string, act func(*C.objseal_keyring, *C.char, *C.char) C.objseal_status) (*Keyring, error) {
	var handle *C.objseal_keyring
	if err := failed(C.objseal_keyring_new(&handle), nil); err != nil {
		return nil, err
	}
	cPath, cPassphrase := C.CString(path), (*C.char)(nil)
	defer C.free(unsafe.Pointer(cPath))
	if passphrase != "" {
		cPassphrase = C.CString(passphrase)
		defer func() {
			wipe(unsafe.Slice((*byte)(unsafe.Pointer(cPassphrase)), len(passphrase)))
			C.free(unsafe.Pointer(cPassphrase))
		}()
	}
	if err := failed(act(handle, cPath, cPassphrase), unsafe.Pointer(handle)); err != nil {
		C.objseal_keyring_free(handle)
		return nil, err
	}
	keyring := &Keyring{handle: handle}
	runtime.SetFinalizer(keyring, func(keyring *Keyring) { keyring.Close() })
	return keyring, nil
}

// OpenKeyring reads the file at path. The passphrase is empty for a keyring that has none.
func OpenKeyring(path, passphrase string) (*Keyring, error) {
	return keyring(path, passphrase, func(handle *C.objseal_keyring, path, passphrase *C.char) C.objseal_status {
		return C.objseal_keyring_open(handle, path, passphrase)
	})
}

// CreateKeyring makes the file at path, which must not be there yet, with a key of this name. It has permissions 600, and is
// under the passphrase unless that is empty.
func CreateKeyring(path, passphrase, name string) (*Keyring, error) {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return keyring(path, passphrase, func(handle *C.objseal_keyring, path, passphrase *C.char) C.objseal_status {
		return C.objseal_keyring_create(handle, path, passphrase, cName)
	})
}

// change does something that needs the keyring alone.
func (k *Keyring) change(act func(*C.objseal_keyring) C.objseal_status) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return ErrClosed
	}
	return failed(act(k.handle), unsafe.Pointer(k.handle))
}

// Add makes version 1 of a key.
func (k *Keyring) Add(name string) error {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	return k.change(func(handle *C.objseal_keyring) C.objseal_status { return C.objseal_keyring_add(handle, cName) })
}

// Rotate makes the next version of a key and returns its number.
func (k *Keyring) Rotate(name string) (uint32, error) {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	var version C.uint32_t
	err := k.change(func(handle *C.objseal_keyring) C.objseal_status {
		return C.objseal_keyring_rotate(handle, cName, &version)
	})
	return uint32(version), err
}

// Reload reads the file again: another process may have changed it.
func (k *Keyring) Reload() error {
	return k.change(func(handle *C.objseal_keyring) C.objseal_status { return C.objseal_keyring_reload(handle) })
}

// Keys are the latest versions of all keys, by name.
func (k *Keyring) Keys() map[string]uint32 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	keys := map[string]uint32{}
	var name *C.char
	var version C.uint32_t
	for i := C.size_t(0); k.handle != nil && C.objseal_keyring_key(k.handle, i, &name, &version) == C.OBJSEAL_STATUS_OK; i++ {
		keys[C.GoString(name)] = uint32(version)
	}
	return keys
}

// Close frees the keyring. What was made with it goes on; the file stays.
func (k *Keyring) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	C.objseal_keyring_free(k.handle)
	k.handle = nil
	runtime.SetFinalizer(k, nil)
	return nil
}

// wipe overwrites bytes.
func wipe(bytes []byte) {
	for i := range bytes {
		bytes[i] = 0
	}
	runtime.KeepAlive(bytes)
}

// sorted are the keys of a map in their order.
func sorted(pairs map[string]string) []string {
	keys := make([]string, 0, len(pairs))
	for key := range pairs {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
