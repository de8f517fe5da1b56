package objseal

// #include "objseal.h"
import "C"

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
	// Context is what it is bound to.
	Context map[string]string
	// Keys are its wrapped keys.
	Keys []WrappedKey
	// Engines sealed or opened it: for each layer one, the innermost first. None if it was only inspected.
	Engines []string
	// Digests of the plaintext, as far as they are stored with it and it was opened to where they are.
	Digests map[Digest][]byte
	// SlotsSame is whether both copies of its head are the same. Where they are not, rewrapping mends it.
	SlotsSame bool
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
}

// infoOf copies what the library knows, and frees its handle.
func infoOf(handle *C.objseal_info) Info {
	defer C.objseal_info_free(handle)
	info := Info{
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
	var layer C.uint8_t
	var version C.uint32_t
	for i := C.size_t(0); C.objseal_info_key(handle, i, &layer, &key, &value, &version) == C.OBJSEAL_STATUS_OK; i++ {
		info.Keys = append(info.Keys, WrappedKey{int(layer), C.GoString(key), C.GoString(value), uint32(version)})
	}
	for i := 1; i <= info.Layers; i++ {
		if engine := C.objseal_info_engine(handle, C.uint8_t(i)); engine != nil {
			info.Engines = append(info.Engines, C.GoString(engine))
		}
	}
	for _, digest := range []Digest{SHA256, CRC64NVME, CRC32C, CRC32, SHA1, MD5} {
		var out [32]byte
		if n := C.objseal_info_digest(handle, C.uint32_t(digest), start(out[:]), C.size_t(len(out))); n > 0 {
			info.Digests[digest] = append([]byte(nil), out[:n]...)
		}
	}
	return info
}
