package objseal

// #include "objseal.h"
import "C"

import "runtime"

// Info is what is known of an object.
type Info struct {
	// Length of the plaintext, in bytes.
	Length int64
	// Layers is 1 or 2.
	Layers int
	// Generation is how often the head was written, the first time counted.
	Generation uint64
	// ObjectID is its random identity.
	ObjectID [32]byte
	// Context is what it is bound to: if it was only inspected what is stored of that, otherwise all.
	Context map[string]string
	// BoundKeys are the keys of what is bound and not stored.
	BoundKeys []string
	// Keys are its wrapped keys.
	Keys []WrappedKey
	// Engines sealed or opened it: for each layer one, the innermost first. None if it was only inspected.
	Engines []string
	// Digests of the plaintext, as far as they are stored with it and it was opened to where they are.
	Digests map[Digest][]byte
	// SlotsSame is whether both copies of its head are the same. Where they are not, rewrapping mends it.
	SlotsSame bool
	library   *libraryInfo
}

// libraryInfo is what the library knows.
type libraryInfo struct{ handle *C.objseal_info }

// Field is the private field of this tag, from 0xC000 on; nil if there is none.
func (i Info) Field(tag uint16) []byte {
	if i.library == nil {
		return nil
	}
	defer runtime.KeepAlive(i.library)
	var needed C.size_t
	if C.objseal_info_field(i.library.handle, C.uint16_t(tag), nil, 0, &needed) == C.OBJSEAL_STATUS_OUT_OF_RANGE {
		return nil
	}
	out := make([]byte, needed)
	C.objseal_info_field(i.library.handle, C.uint16_t(tag), start(out), needed, &needed)
	return out
}

// WrappedKey is a data key under a root key.
type WrappedKey struct {
	// Layer that it is for, from 1.
	Layer int
	// Service is what holds the root key: "keyring" or "single-key".
	Service string
	// ID and Version of the root key.
	ID      string
	Version uint32
	// Kind of its wrapping key.
	Kind KeyKind
}

// KeyKind is what a wrapping key is.
type KeyKind uint8

// The kinds of wrapping keys.
const (
	// KeyLocal is held by the service itself, as those of keyrings and single keys.
	KeyLocal KeyKind = C.OBJSEAL_KEY_LOCAL
	// KeyObject was made by a key service for this object.
	KeyObject KeyKind = C.OBJSEAL_KEY_OBJECT
	// KeyShared was made by a key service for many objects.
	KeyShared KeyKind = C.OBJSEAL_KEY_SHARED
	// KeyCustomer is derived from a key that a customer gives with every request.
	KeyCustomer KeyKind = C.OBJSEAL_KEY_CUSTOMER
)

// infoOf copies what the library knows, and takes its handle.
func infoOf(handle *C.objseal_info) Info {
	library := &libraryInfo{handle}
	runtime.SetFinalizer(library, func(library *libraryInfo) { C.objseal_info_free(library.handle) })
	info := Info{
		library:    library,
		Length:     int64(C.objseal_info_plaintext_len(handle)),
		Layers:     int(C.objseal_info_layers(handle)),
		Generation: uint64(C.objseal_info_generation(handle)),
		SlotsSame:  bool(C.objseal_info_slots_same(handle)),
		Context:    map[string]string{},
		Digests:    map[Digest][]byte{},
	}
	C.objseal_info_object_id(handle, start(info.ObjectID[:]))
	var key, value *C.char
	for i := C.size_t(0); C.objseal_info_context(handle, i, &key, &value) == C.OBJSEAL_STATUS_OK; i++ {
		info.Context[C.GoString(key)] = C.GoString(value)
	}
	for i := C.size_t(0); C.objseal_info_bound_key(handle, i) != nil; i++ {
		info.BoundKeys = append(info.BoundKeys, C.GoString(C.objseal_info_bound_key(handle, i)))
	}
	var layer C.uint8_t
	var version C.uint32_t
	for i := C.size_t(0); C.objseal_info_key(handle, i, &layer, &key, &value, &version) == C.OBJSEAL_STATUS_OK; i++ {
		kind := KeyKind(C.objseal_info_key_kind(handle, i))
		info.Keys = append(info.Keys, WrappedKey{int(layer), C.GoString(key), C.GoString(value), uint32(version), kind})
	}
	for i := 1; i <= info.Layers; i++ {
		if engine := C.objseal_info_engine(handle, C.uint8_t(i)); engine != nil {
			info.Engines = append(info.Engines, C.GoString(engine))
		}
	}
	for digest := SHA256; digest <= XXHASH128; digest <<= 1 {
		var out [C.OBJSEAL_MAX_DIGEST_LEN]byte
		if n := C.objseal_info_digest(handle, C.uint32_t(digest), start(out[:]), C.size_t(len(out))); n > 0 {
			info.Digests[digest] = append([]byte(nil), out[:n]...)
		}
	}
	return info
}
