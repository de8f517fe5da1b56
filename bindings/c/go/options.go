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
	// Context is what objects are bound to. It is public.
	Context map[string]string
	// Engine seals the inner layer, or the only one, and OuterEngine the other; the best ones if they are empty.
	Engine, OuterEngine string
	// Check opens every chunk again, on another engine, before it is given out.
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
	// Context has to be exactly that of the object, unless AnyContext.
	Context    map[string]string
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
			return argument("a text has a zero in it")
		}
		if err := failed(status, handle); err != nil {
			return err
		}
	}
	return nil
}

// withSealing does something with the options as the library has them.
func (o *SealOptions) withSealing(act func(*C.objseal_sealing) error) error {
	if (o.Key == nil) == (o.Keyring == nil) {
		return argument("there has to be a Key, or a Keyring and a KeyName")
	}
	if o.Layers < 0 || o.Layers > 2 {
		return argument("an object has 1 or 2 layers")
	}
	var sealing *C.objseal_sealing
	if err := failed(C.objseal_sealing_new(&sealing), nil); err != nil {
		return err
	}
	defer C.objseal_sealing_free(sealing)
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
				return C.objseal_sealing_add_key(sealing, C.uint8_t(layer), o.Key.handle)
			}
			return C.objseal_sealing_add_keyring_key(sealing, C.uint8_t(layer), o.Keyring.handle, t.text(names[layer-1]))
		})
	}
	for _, key := range sorted(o.Context) {
		key := key
		todo = append(todo, func() C.objseal_status {
			return C.objseal_sealing_add_context(sealing, t.text(key), t.text(o.Context[key]))
		})
	}
	for i, engine := range []string{o.Engine, o.OuterEngine} {
		i, engine := i, engine
		if engine != "" {
			todo = append(todo, func() C.objseal_status {
				return C.objseal_sealing_set_engine(sealing, C.uint8_t(i+1), t.text(engine))
			})
		}
	}
	todo = append(todo,
		func() C.objseal_status { return C.objseal_sealing_set_check(sealing, C.bool(o.Check)) },
		func() C.objseal_status { return C.objseal_sealing_set_digests(sealing, C.uint32_t(o.Digests)) })
	if err := steps(unsafe.Pointer(sealing), &t, todo); err != nil {
		return err
	}
	return act(sealing)
}

// withOpening does something with the options as the library has them.
func (o *OpenOptions) withOpening(act func(*C.objseal_opening) error) error {
	if o.MinimumLayers < 0 || o.MinimumLayers > 2 {
		return argument("an object has 1 or 2 layers")
	}
	var opening *C.objseal_opening
	if err := failed(C.objseal_opening_new(&opening), nil); err != nil {
		return err
	}
	defer C.objseal_opening_free(opening)
	var t texts
	defer t.free()
	todo := []func() C.objseal_status{}
	if o.Key != nil {
		o.Key.mu.RLock()
		defer o.Key.mu.RUnlock()
		if o.Key.handle == nil {
			return ErrClosed
		}
		todo = append(todo, func() C.objseal_status { return C.objseal_opening_add_key(opening, o.Key.handle) })
	}
	if o.Keyring != nil {
		o.Keyring.mu.RLock()
		defer o.Keyring.mu.RUnlock()
		if o.Keyring.handle == nil {
			return ErrClosed
		}
		todo = append(todo, func() C.objseal_status { return C.objseal_opening_add_keyring(opening, o.Keyring.handle) })
	}
	for _, key := range sorted(o.Context) {
		key := key
		todo = append(todo, func() C.objseal_status {
			return C.objseal_opening_add_context(opening, t.text(key), t.text(o.Context[key]))
		})
	}
	if o.AnyContext {
		todo = append(todo, func() C.objseal_status { return C.objseal_opening_any_context(opening) })
	}
	for _, name := range o.KeyNames {
		name := name
		todo = append(todo, func() C.objseal_status { return C.objseal_opening_accept_key(opening, t.text(name)) })
	}
	if o.ObjectID != nil {
		todo = append(todo, func() C.objseal_status { return C.objseal_opening_set_object_id(opening, start(o.ObjectID[:])) })
	}
	for i, engine := range []string{o.Engine, o.OuterEngine} {
		i, engine := i, engine
		if engine != "" {
			todo = append(todo, func() C.objseal_status {
				return C.objseal_opening_set_engine(opening, C.uint8_t(i+1), t.text(engine))
			})
		}
	}
	todo = append(todo,
		func() C.objseal_status {
			return C.objseal_opening_set_minimum_layers(opening, C.uint8_t(o.MinimumLayers))
		},
		func() C.objseal_status {
			return C.objseal_opening_set_minimum_generation(opening, C.uint64_t(o.MinimumGeneration))
		})
	if err := steps(unsafe.Pointer(opening), &t, todo); err != nil {
		return err
	}
	return act(opening)
}

// threadCount is a number of threads for C; one that makes no sense is refused there.
func threadCount(count int) C.uint32_t {
	if count < 0 || count > 1<<31 {
		return ^C.uint32_t(0)
	}
	return C.uint32_t(count)
}
