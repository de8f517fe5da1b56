package objseal

// #include <stdlib.h>
// #include "objseal.h"
import "C"

import (
	"bytes"
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
	path   string
}

func keyring(op, path string, passphrase []byte, t *texts, act func(*C.objseal_keyring, *C.char, *C.char) C.objseal_status) (*Keyring, error) {
	cPath, cPassphrase := t.text(path), (*C.char)(nil)
	if passphrase != nil {
		t.bad = t.bad || bytes.IndexByte(passphrase, 0) >= 0
		// As C.CString would, and wiped afterwards.
		copied := C.malloc(C.size_t(len(passphrase) + 1))
		cPassphrase = (*C.char)(copied)
		secret := unsafe.Slice((*byte)(copied), len(passphrase)+1)
		secret[copy(secret, passphrase)] = 0
		defer func() {
			wipe(secret)
			C.free(copied)
		}()
	}
	if t.bad {
		return nil, argument(zeroInText)
	}
	var handle *C.objseal_keyring
	if err := failed(C.objseal_keyring_new(&handle), nil); err != nil {
		return nil, err
	}
	if err := failedAt(op, path, act(handle, cPath, cPassphrase), unsafe.Pointer(handle)); err != nil {
		C.objseal_keyring_free(handle)
		return nil, err
	}
	keyring := &Keyring{handle: handle, path: path}
	runtime.SetFinalizer(keyring, func(keyring *Keyring) { keyring.Close() })
	return keyring, nil
}

// OpenKeyring reads the file at path. The passphrase is nil for a keyring that has none; one that is only empty is refused.
func OpenKeyring(path string, passphrase []byte) (*Keyring, error) {
	var t texts
	defer t.free()
	return keyring("open", path, passphrase, &t, func(handle *C.objseal_keyring, path, passphrase *C.char) C.objseal_status {
		return C.objseal_keyring_open(handle, path, passphrase)
	})
}

// CreateKeyring makes the file at path, which must not be there yet, with a key of this name. Its folder must be there. It has
// permissions 600, and is under the passphrase unless that is nil; one that is only empty would protect nothing and is refused.
func CreateKeyring(path string, passphrase []byte, name string) (*Keyring, error) {
	var t texts
	defer t.free()
	cName := t.text(name)
	return keyring("create", path, passphrase, &t, func(handle *C.objseal_keyring, path, passphrase *C.char) C.objseal_status {
		return C.objseal_keyring_create(handle, path, passphrase, cName)
	})
}

// KeyringAt says whether a keyring is at path, or the lock of one. A program that writes its output to a path asks first, as
// whoever loses a keyring loses all that was sealed under it.
func KeyringAt(path string) bool {
	var t texts
	defer t.free()
	cPath := t.text(path)
	return !t.bad && bool(C.objseal_keyring_is_at(cPath))
}

// change does something that needs the keyring alone. With a name, act gets that.
func (k *Keyring) change(op, name string, act func(*C.objseal_keyring, *C.char) C.objseal_status) error {
	var t texts
	defer t.free()
	cName := t.text(name)
	if t.bad {
		return argument(zeroInText)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return ErrClosed
	}
	return failedAt(op, k.path, act(k.handle, cName), unsafe.Pointer(k.handle))
}

// Add makes version 1 of a key.
func (k *Keyring) Add(name string) error {
	return k.change("change", name, func(handle *C.objseal_keyring, name *C.char) C.objseal_status {
		return C.objseal_keyring_add(handle, name)
	})
}

// Rotate makes the next version of a key and returns its number.
func (k *Keyring) Rotate(name string) (uint32, error) {
	var version C.uint32_t
	err := k.change("change", name, func(handle *C.objseal_keyring, name *C.char) C.objseal_status {
		return C.objseal_keyring_rotate(handle, name, &version)
	})
	return uint32(version), err
}

// Reload reads the file again: another process may have changed it.
func (k *Keyring) Reload() error {
	return k.change("open", "", func(handle *C.objseal_keyring, _ *C.char) C.objseal_status {
		return C.objseal_keyring_reload(handle)
	})
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
