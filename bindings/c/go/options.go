package objseal

// #include <stdlib.h>
// #include "objseal.h"
import "C"

import (
	"strings"
	"unsafe"
)

// Digest is a digest of the plaintext, or several joined with |.
type Digest uint32

// The digests that can be stored with an object, encrypted.
const (
	SHA256    Digest = C.OBJSEAL_SHA256
	CRC64NVME Digest = C.OBJSEAL_CRC64NVME
	CRC32C    Digest = C.OBJSEAL_CRC32C
	CRC32     Digest = C.OBJSEAL_CRC32
	SHA1      Digest = C.OBJSEAL_SHA1
	MD5       Digest = C.OBJSEAL_MD5
	SHA512    Digest = C.OBJSEAL_SHA512
	XXHASH64  Digest = C.OBJSEAL_XXHASH64
	XXHASH3   Digest = C.OBJSEAL_XXHASH3
	XXHASH128 Digest = C.OBJSEAL_XXHASH128
)

// SealOptions say how objects are sealed. There is either a Key or a Keyring with a KeyName.
type SealOptions struct {
	// Key is the root key.
	Key *Key
	// Keyring has the root key KeyName.
	Keyring *Keyring
	KeyName string
	// Layers is 1, the same as 0, or 2: sealed twice, under two data keys, by two implementations of AES-256-GCM.
	Layers int
	// OuterKeyName is the key of the keyring for the second layer; KeyName if it is empty.
	OuterKeyName string
	// Context is what objects are bound to. It is stored with them, in clear.
	Context map[string]string
	// BoundContext is what they are bound to as well, and of which only the keys are stored: whoever opens them knows the
	// values, such as the object's name.
	BoundContext map[string]string
	// Fields are private fields of the head, with tags from 0xC000 on: in clear, and authentic. Info.Field gives them back.
	Fields map[uint16][]byte
	// Engine seals the inner layer, or the only one, and OuterEngine the other; the best ones if they are empty.
	Engine, OuterEngine string
	// Check opens every chunk again, on another engine, before it is given out, and unwraps every wrapped key.
	Check bool
	// Digests are stored with the object, encrypted.
	Digests Digest
	// Threads to work on, where everything is in memory; 0 is as many as there are CPUs.
	Threads int
}

// OpenOptions say what is opened, with which keys, and what is demanded of it.
type OpenOptions struct {
	// Key is the root key.
	Key *Key
	// Keyring has the root keys.
	Keyring *Keyring
	// Context has to be exactly that of the object, stored or bound, unless one of the next two is true.
	Context map[string]string
	// AnyStoredContext takes whatever is stored; Context then has to be exactly what is only bound.
	AnyStoredContext bool
	// AnyContext takes whatever is stored, as long as nothing is only bound.
	AnyContext bool
	// MinimumLayers is how many layers an object has at least.
	MinimumLayers int
	// MinimumGeneration is how often its head was written at least.
	MinimumGeneration uint64
	// KeyNames are the keys of the keyring that are accepted; all if there are none.
	KeyNames []string
	// ObjectID is which object it has to be, if it is not nil.
	ObjectID *[32]byte
	// Engine opens the inner layer, or the only one, and OuterEngine the other; the best ones if they are empty.
	Engine, OuterEngine string
	// Threads to work on, where everything is in memory; 0 is as many as there are CPUs.
	Threads int
}

// zeroInText is why a text cannot be given to C, which would end it there.
const zeroInText = "a text has a zero in it"

// texts are strings for C, freed together.
type texts struct {
	all []*C.char
	bad bool
}

func (t *texts) text(text string) *C.char {
	t.bad = t.bad || strings.IndexByte(text, 0) >= 0
	c := C.CString(text)
	t.all = append(t.all, c)
	return c
}

func (t *texts) free() {
	for _, c := range t.all {
		C.free(unsafe.Pointer(c))
	}
}

// steps does one thing after the other until one fails.
func steps(handle unsafe.Pointer, texts *texts, all []func() C.objseal_status) error {
	for _, step := range all {
		status := step()
		if texts.bad {
			return argument(zeroInText)
		}
		if err := failed(status, handle); err != nil {
			return err
		}
	}
	return nil
}

// with does something with the options as the library has them.
func (o *SealOptions) with(act func(*C.objseal_seal_options) error) error {
	if (o.Key == nil) == (o.Keyring == nil) {
		return argument("there has to be a Key, or a Keyring and a KeyName")
	}
	if o.Layers < 0 || o.Layers > 2 {
		return argument("an object has 1 or 2 layers")
	}
	var handle *C.objseal_seal_options
	if err := failed(C.objseal_seal_options_new(&handle), nil); err != nil {
		return err
	}
	defer C.objseal_seal_options_free(handle)
	var t texts
	defer t.free()
	todo := []func() C.objseal_status{}
	names := []string{o.KeyName, o.OuterKeyName}
	if names[1] == "" {
		names[1] = o.KeyName
	}
	if o.Key != nil {
		o.Key.mu.RLock()
		defer o.Key.mu.RUnlock()
		if o.Key.handle == nil {
			return ErrClosed
		}
	} else {
		o.Keyring.mu.RLock()
		defer o.Keyring.mu.RUnlock()
		if o.Keyring.handle == nil {
			return ErrClosed
		}
	}
	for layer := 1; layer == 1 || layer <= o.Layers; layer++ {
		layer := layer
		todo = append(todo, func() C.objseal_status {
			if o.Key != nil {
				return C.objseal_seal_options_add_key(handle, C.uint8_t(layer), o.Key.handle)
			}
			return C.objseal_seal_options_add_keyring_key(handle, C.uint8_t(layer), o.Keyring.handle, t.text(names[layer-1]))
		})
	}
	for _, key := range sorted(o.Context) {
		key := key
		todo = append(todo, func() C.objseal_status {
			return C.objseal_seal_options_add_context(handle, t.text(key), t.text(o.Context[key]))
		})
	}
	for _, key := range sorted(o.BoundContext) {
		key := key
		todo = append(todo, func() C.objseal_status {
			return C.objseal_seal_options_bind_context(handle, t.text(key), t.text(o.BoundContext[key]))
		})
	}
	for tag, field := range o.Fields {
		tag, field := tag, field
		todo = append(todo, func() C.objseal_status {
			return C.objseal_seal_options_set_field(handle, C.uint16_t(tag), start(field), C.size_t(len(field)))
		})
	}
	for i, engine := range []string{o.Engine, o.OuterEngine} {
		i, engine := i, engine
		if engine != "" {
			todo = append(todo, func() C.objseal_status {
				return C.objseal_seal_options_set_engine(handle, C.uint8_t(i+1), t.text(engine))
			})
		}
	}
	if o.Check {
		todo = append(todo, func() C.objseal_status { return C.objseal_seal_options_set_check(handle) })
	}
	todo = append(todo, func() C.objseal_status { return C.objseal_seal_options_set_digests(handle, C.uint32_t(o.Digests)) })
	if err := steps(unsafe.Pointer(handle), &t, todo); err != nil {
		return err
	}
	return act(handle)
}

// with does something with the options as the library has them.
func (o *OpenOptions) with(act func(*C.objseal_open_options) error) error {
	if o.MinimumLayers < 0 || o.MinimumLayers > 2 {
		return argument("an object has 1 or 2 layers")
	}
	var handle *C.objseal_open_options
	if err := failed(C.objseal_open_options_new(&handle), nil); err != nil {
		return err
	}
	defer C.objseal_open_options_free(handle)
	var t texts
	defer t.free()
	todo := []func() C.objseal_status{}
	if o.Key != nil {
		o.Key.mu.RLock()
		defer o.Key.mu.RUnlock()
		if o.Key.handle == nil {
			return ErrClosed
		}
		todo = append(todo, func() C.objseal_status { return C.objseal_open_options_add_key(handle, o.Key.handle) })
	}
	if o.Keyring != nil {
		o.Keyring.mu.RLock()
		defer o.Keyring.mu.RUnlock()
		if o.Keyring.handle == nil {
			return ErrClosed
		}
		todo = append(todo, func() C.objseal_status { return C.objseal_open_options_add_keyring(handle, o.Keyring.handle) })
	}
	for _, key := range sorted(o.Context) {
		key := key
		todo = append(todo, func() C.objseal_status {
			return C.objseal_open_options_add_context(handle, t.text(key), t.text(o.Context[key]))
		})
	}
	if o.AnyStoredContext {
		todo = append(todo, func() C.objseal_status { return C.objseal_open_options_any_stored_context(handle) })
	}
	if o.AnyContext {
		todo = append(todo, func() C.objseal_status { return C.objseal_open_options_any_context(handle) })
	}
	for _, name := range o.KeyNames {
		name := name
		todo = append(todo, func() C.objseal_status { return C.objseal_open_options_accept_key(handle, 0, t.text(name)) })
	}
	if o.ObjectID != nil {
		todo = append(todo, func() C.objseal_status { return C.objseal_open_options_set_object_id(handle, start(o.ObjectID[:])) })
	}
	for i, engine := range []string{o.Engine, o.OuterEngine} {
		i, engine := i, engine
		if engine != "" {
			todo = append(todo, func() C.objseal_status {
				return C.objseal_open_options_set_engine(handle, C.uint8_t(i+1), t.text(engine))
			})
		}
	}
	todo = append(todo,
		func() C.objseal_status {
			return C.objseal_open_options_set_minimum_layers(handle, C.uint8_t(o.MinimumLayers))
		},
		func() C.objseal_status {
			return C.objseal_open_options_set_minimum_generation(handle, C.uint64_t(o.MinimumGeneration))
		})
	if err := steps(unsafe.Pointer(handle), &t, todo); err != nil {
		return err
	}
	return act(handle)
}

// threadCount is a number of threads for C; one that makes no sense is refused there.
func threadCount(count int) C.uint32_t {
	if count < 0 || count > 1<<31 {
		return ^C.uint32_t(0)
	}
	return C.uint32_t(count)
}
