/*
 * objseal: encryption of stored objects.
 *
 * Bodies are AES-256-GCM in chunks of 16 KiB, each verified before it is given out, with a key commitment that is checked before
 * anything is opened (C2SP chunked-encryption, instance Cobblestone-256). Nothing here is a validated module.
 *
 *   you have                                       use
 *   an object that is to be one file               objseal_seal, objseal_open; _seal_stream, _open_stream
 *   the same in pieces, and buffers of your own    objseal_sealer_new, objseal_opener_new
 *   a stored file, and a range of it to serve      objseal_reader_new; before it is fetched, objseal_body_sealed_range
 *   a store with a place for heads of its own      objseal_envelope_...
 *   an upload in parts                             objseal_upload_..., objseal_completed_..., objseal_part_...
 *   keys of your own for every object              objseal_cobblestone_...
 *
 * Under which keys is in objseal_seal_options; with which keys, and what is demanded of the object, in objseal_open_options.
 *
 * The contract, for every function:
 *
 * - NULL. A pointer may be NULL where it goes with a length of 0, where it says so, and to every `_free`. Anywhere else it gives
 *   OBJSEAL_STATUS_NULL_POINTER.
 * - Lengths are in bytes. Memory that is given for reading must stay as it is during the call, memory for writing must be used by
 *   nobody else, and the two must not overlap: OBJSEAL_STATUS_ARGUMENT. Texts are UTF-8 and end with a zero.
 * - Ownership. Handles are stored by what makes them, NULL if that fails, and go to their `_free`, once. They keep nothing that
 *   belongs to the caller but a callback and its `user`, and need no other handle to go on. The library frees nothing of the
 *   caller's and the caller nothing of the library's but handles.
 * - Failures. What is not authentic leaves no byte in the output: what the call would have written is zero, or untouched. After
 *   OBJSEAL_STATUS_OUTPUT_TOO_SMALL, and where an argument makes no sense, nothing was written or consumed; after the first
 *   `*out_len` is a length that is enough. A sealer or an opener that has failed for another reason says the same at every later
 *   call. objseal_last_error has a handle's last failure in words, and objseal_last_errno its error number.
 * - Threads. A handle that is `const` in a function can be in many such calls at the same time; one that is not, in one call
 *   alone. No thread outlives a call.
 * - Fork. A child goes on with all handles that no other thread was in a call with, but for sealers that are not finished: what
 *   would have a child seal gives OBJSEAL_STATUS_ARGUMENT, as two texts would be under the same nonces. It may free them. The same
 *   holds for a callback of objseal_seal_stream that forks and returns in the child.
 * - Nothing aborts on what it is given, and nothing is thrown. A fault of the library gives OBJSEAL_STATUS_INTERNAL. Without
 *   memory the process ends.
 */


#ifndef OBJSEAL_H
#define OBJSEAL_H

/* Made by cbindgen from bindings/c/src; `make header` makes it anew. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Length of a key, in bytes.
#define OBJSEAL_KEY_LEN 32

// Length of what goes before the chunks of a message, in bytes: salt and commitment.
#define OBJSEAL_HEADER_LEN 56

// Length of a salt, in bytes.
#define OBJSEAL_SALT_LEN 24

// Bytes of plaintext in every chunk but the last, which is shorter.
#define OBJSEAL_CHUNK_LEN 16384

// Length of a tag, in bytes: so much longer is each chunk when sealed.
#define OBJSEAL_TAG_LEN 16

// Where the body begins in a sealed file: behind two slots with its head.
#define OBJSEAL_BODY_OFFSET 8192

// Length of an object id, in bytes.
#define OBJSEAL_OBJECT_ID_LEN 32

// Most layers of an object.
#define OBJSEAL_MAX_LAYERS 2

// Most parts of an object, and the highest part number.
#define OBJSEAL_MAX_PARTS 10000

// Length of the longest plaintext of a part, in bytes.
#define OBJSEAL_MAX_PART_LEN 5368709120

// Length of the longest head of an object, in bytes.
#define OBJSEAL_MAX_HEAD_LEN 16384

// Up to which length, in bytes, a head with its part table fits into the metadata of common stores.
#define OBJSEAL_INLINE_ENVELOPE_LEN 1400

// Most threads that a call works on.
#define OBJSEAL_MAX_THREADS 1000

// A digest: SHA-256, 32 bytes.
#define OBJSEAL_SHA256 1

// A digest: CRC-64/NVME, 8 bytes.
#define OBJSEAL_CRC64NVME 2

// A digest: CRC-32C, 4 bytes.
#define OBJSEAL_CRC32C 4

// A digest: CRC-32, 4 bytes.
#define OBJSEAL_CRC32 8

// A digest: SHA-1, 20 bytes.
#define OBJSEAL_SHA1 16

// A digest: MD5, 16 bytes.
#define OBJSEAL_MD5 32

// A digest: SHA-512, 64 bytes.
#define OBJSEAL_SHA512 64

// A digest: XXH64 with seed 0, 8 bytes.
#define OBJSEAL_XXHASH64 128

// A digest: XXH3 of 64 bits with seed 0, 8 bytes.
#define OBJSEAL_XXHASH3 256

// A digest: XXH3 of 128 bits with seed 0, 16 bytes.
#define OBJSEAL_XXHASH128 512

// Length of the longest digest, in bytes.
#define OBJSEAL_MAX_DIGEST_LEN 64

// The checksum of an object in parts that counts (S3: ChecksumType) is that of the whole plaintext.
#define OBJSEAL_FULL_OBJECT 1

// It is that of the checksums of its parts.
#define OBJSEAL_COMPOSITE 2

// What a wrapping key is: held by its service itself, as those of keyrings and single keys.
#define OBJSEAL_KEY_LOCAL 1

// Made by a key service for this object.
#define OBJSEAL_KEY_OBJECT 2

// Made by a key service for many objects, such as a bucket key.
#define OBJSEAL_KEY_SHARED 3

// Derived from a key that a customer gives with every request.
#define OBJSEAL_KEY_CUSTOMER 4

// What a function returns. Numbers never change their meaning; there may be new ones.
typedef enum {
  // It worked.
  OBJSEAL_STATUS_OK = 0,
  // A pointer that must not be NULL is.
  OBJSEAL_STATUS_NULL_POINTER = 1,
  // An argument makes no sense, an empty passphrase too, or another process made the sealer.
  OBJSEAL_STATUS_ARGUMENT = 2,
  // Wrong key, wrong context, or what was sealed was changed. One answer to all of them: an attacker learns nothing.
  // Where the head says that the key is another one of the same name, the words say so too. Nothing proves that, so
  // it is for people, and no program can tell.
  OBJSEAL_STATUS_AUTHENTICATION = 3,
  // The output is too small. Nothing was written or consumed, and a length that is enough was stored.
  OBJSEAL_STATUS_OUTPUT_TOO_SMALL = 4,
  // Longer than it can be, or than this machine can address.
  OBJSEAL_STATUS_TOO_LONG = 5,
  // The range is not within the plaintext.
  OBJSEAL_STATUS_OUT_OF_RANGE = 6,
  // It was finished.
  OBJSEAL_STATUS_FINISHED = 7,
  // The operating system has no random bytes to give.
  OBJSEAL_STATUS_RANDOM = 8,
  // An engine is not to be had here, or did not do its work.
  OBJSEAL_STATUS_ENGINE = 9,
  // A callback failed, or a file could not be read or written.
  OBJSEAL_STATUS_IO = 10,
  // A fault of this library. What it was working on is lost, as after a failure.
  OBJSEAL_STATUS_INTERNAL = 11,
  // This is not a sealed object, or one that this version does not know.
  OBJSEAL_STATUS_FORMAT = 12,
  // No key at hand opens the object, the keyring has no key of this name, or the upload was not unlocked. Of an object
  // the words say which key it was sealed under, in which version, and whether `objseal_keyring_reload` may find it.
  OBJSEAL_STATUS_KEY_NOT_FOUND = 13,
  // The object is not what was demanded of it.
  OBJSEAL_STATUS_POLICY = 14,
  // A key service failed.
  OBJSEAL_STATUS_KEY_SERVICE = 15,
  // The keyring could not be read or changed.
  OBJSEAL_STATUS_KEYRING = 16,
  // The parts do not make an object.
  OBJSEAL_STATUS_PARTS = 17,
  // A key service cannot answer for the moment; try again.
  OBJSEAL_STATUS_KEY_SERVICE_TRANSIENT = 18,
} objseal_status;

// A completed upload: what is to be stored of it. It holds no keys; the head opens under those of the object.
typedef struct objseal_completed objseal_completed;

// The envelope of an object, opened or made here. It holds the data keys, and wipes them when it is freed. Many threads can
// use it.
typedef struct objseal_envelope objseal_envelope;

// What is known of an object, or of a part. Many threads can use it, and its texts live as long as it does.
typedef struct objseal_info objseal_info;

// A key: 32 random bytes, which are wiped when it is freed. Many threads can use it.
typedef struct objseal_key objseal_key;

// Root keys in a file, by name, each with its versions; the command `objseal key` works on the same files. Options for
// sealing take the latest version, and under older ones objects still open.
typedef struct objseal_keyring objseal_keyring;

// What is opened: with which root keys, and what is demanded of it. Once they are set up, many threads can use them.
typedef struct objseal_open_options objseal_open_options;

// Opens something piece by piece: an object that is one file, the body of an envelope, or a bare message. The plaintext is
// all the output of `objseal_opener_update` and `objseal_opener_finish`, in order. One thread at a time uses it.
typedef struct objseal_opener objseal_opener;

// The part table of an object. Of one that is stored apart only the chunks are read that are needed. Many threads can use it,
// if they can call the callback.
typedef struct objseal_part_table objseal_part_table;

// Reads something at any offset: an object that is one file, the body of an envelope, an object in parts, or a bare message.
// Many threads can use it, if they can call the callback.
typedef struct objseal_reader objseal_reader;

// How objects are sealed: under which root keys, in how many layers, bound to which encryption context. Once they are set
// up, many threads can use them.
typedef struct objseal_seal_options objseal_seal_options;

// Seals something piece by piece: an object that is one file, the body of an envelope, a part, or a bare message. What is
// sealed is all the output of `objseal_sealer_update` and `objseal_sealer_finish`, in order. One thread at a time uses it, and
// only in the process that made it: in a forked child both give `OBJSEAL_STATUS_ARGUMENT`.
typedef struct objseal_sealer objseal_sealer;

// An object that is sealed in parts, in any order, by many threads and processes at the same time. It opens nothing.
//
// What seals parts needs the keys of the object as well as the server's; receipts and completion take the server's
// only.
typedef struct objseal_upload objseal_upload;

// Reads at most `len` bytes into `buffer`: how many it read, 0 at the end, less than 0 if it failed. What came before a 0 passes
// for all there is, so a source that breaks off must not give one. One thread at a time calls it, not always the same. No
// exception may leave it.
typedef int64_t (*objseal_read_fn)(void *user, uint8_t *buffer, size_t len);

// Writes all of the `len` bytes of `bytes`. 0 means that all of them were taken. Anything else is a failure, the number of bytes
// that `write` returns too, and ends the work: it is not called again. One thread at a time calls it, not always the same. No
// exception may leave it.
typedef int32_t (*objseal_write_fn)(void *user, const uint8_t *bytes, size_t len);

// Fills `buffer` with the `len` bytes that are stored from `offset` on. 0 means that it worked. Several threads may call it at
// the same time. No exception may leave it.
typedef int32_t (*objseal_read_at_fn)(void *user, uint8_t *buffer, size_t len, uint64_t offset);

// Replaces the stored bytes from `offset` on by the `len` bytes of `bytes`, and returns once they will outlive a crash. 0 means
// that it worked. No exception may leave it.
typedef int32_t (*objseal_write_at_fn)(void *user, const uint8_t *bytes, size_t len, uint64_t offset);

// A pair of texts.
typedef struct {
  // What the value is of.
  const char *key;
  // The value.
  const char *value;
} objseal_pair;

// A part as the client names it.
typedef struct {
  // Its number, from 1 to 10,000.
  uint32_t number;
  // Its ETag.
  const char *etag;
} objseal_named_part;

// Some bytes.
typedef struct {
  // The first of them.
  const uint8_t *start;
  // How many they are.
  size_t len;
} objseal_bytes;

// A part of an object.
typedef struct {
  // Its number, from 1.
  uint32_t number;
  // Where it lies in the plaintext of the object.
  uint64_t start;
  // Length of its plaintext, in bytes.
  uint64_t len;
  // Length of its stored body, in bytes.
  uint64_t stored_len;
  // The first bytes of its stored body, which tell one attempt at a part from another.
  uint8_t salt[OBJSEAL_SALT_LEN];
  // Which digest of it the table has, such as `OBJSEAL_CRC32C`; 0 for none.
  uint32_t digest_kind;
  // Length of that digest, in bytes.
  uint32_t digest_len;
  // The digest, and zeros behind it.
  uint8_t digest[OBJSEAL_MAX_DIGEST_LEN];
} objseal_part;

// What to fetch of a part.
typedef struct {
  // The part.
  objseal_part part;
  // The first byte of its plaintext that is in the range.
  uint64_t start;
  // The byte behind the last one.
  uint64_t end;
  // The first byte of its stored body that holds them.
  uint64_t stored_start;
  // The byte behind the last one.
  uint64_t stored_end;
} objseal_part_range;

// Fills `buffer` with the `len` bytes from `offset` on of the stored body of a part. 0 means that it worked. Several threads
// may call it at the same time. No exception may leave it.
typedef int32_t (*objseal_read_part_fn)(void *user,
                                        const objseal_part *part,
                                        uint8_t *buffer,
                                        size_t len,
                                        uint64_t offset);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Seals a bare message under `key`, bound to `context`, on `threads` threads (0: as many as there are CPUs). It takes
// `objseal_body_sealed_len` bytes of `out`, for one layer; `*out_len` is how many that are, also if the output is too small.
objseal_status objseal_cobblestone_seal(const objseal_key *key,
                                        const uint8_t *context,
                                        size_t context_len,
                                        const uint8_t *plaintext,
                                        size_t plaintext_len,
                                        uint8_t *out,
                                        size_t out_capacity,
                                        size_t *out_len,
                                        uint32_t threads);

// Opens a bare message, on `threads` threads (0: as many as there are CPUs): all of it, or nothing. It takes
// `objseal_body_plaintext_len` bytes of `out`, for one layer; `*out_len` is how many that are, also if the output is too small.
// If the message is not authentic, all of `out` that it would have taken is zero; all of `out` if no message is so long.
objseal_status objseal_cobblestone_open(const objseal_key *key,
                                        const uint8_t *context,
                                        size_t context_len,
                                        const uint8_t *message,
                                        size_t message_len,
                                        uint8_t *out,
                                        size_t out_capacity,
                                        size_t *out_len,
                                        uint32_t threads);

// Stores the length of the body that `plaintext_len` bytes of plaintext give in `layers` layers. A bare message is a body of
// one layer; the body of a part has as many layers as its object. `OBJSEAL_STATUS_TOO_LONG` if there is no such body.
objseal_status objseal_body_sealed_len(uint8_t layers,
                                       uint64_t plaintext_len,
                                       uint64_t *sealed_len);

// Stores the length of the plaintext in a body of `sealed_len` bytes. `OBJSEAL_STATUS_ARGUMENT` if no body is so long.
objseal_status objseal_body_plaintext_len(uint8_t layers, uint64_t sealed_len, uint64_t *plaintext_len);

// Stores the length of the longest plaintext whose body fits into `stored_limit` bytes. `OBJSEAL_STATUS_ARGUMENT` if none
// fits.
objseal_status objseal_body_largest_plaintext_len(uint8_t layers,
                                                  uint64_t stored_limit,
                                                  uint64_t *plaintext_len);

// Stores where in a body of `sealed_len` bytes the chunks are that hold bytes `start` to `end` of its plaintext, `end` not
// included: what a server fetches to serve them, besides the first 56 bytes in one layer, or the first 16,456 in two, and the
// last chunk. In a file the body begins at `OBJSEAL_BODY_OFFSET`. `OBJSEAL_STATUS_OUT_OF_RANGE` if they are not within it.
objseal_status objseal_body_sealed_range(uint8_t layers,
                                         uint64_t start,
                                         uint64_t end,
                                         uint64_t sealed_len,
                                         uint64_t *stored_start,
                                         uint64_t *stored_end);

// Seals the body of an object, on `threads` threads (0: as many as there are CPUs). It takes `objseal_body_sealed_len` bytes
// of `out`; `*out_len` is how many that are, also if the output is too small. The envelope has the head, which is stored
// wherever the store has a place for it.
objseal_status objseal_envelope_seal(const objseal_seal_options *options,
                                     const uint8_t *plaintext,
                                     size_t plaintext_len,
                                     uint8_t *out,
                                     size_t out_capacity,
                                     size_t *out_len,
                                     uint32_t threads,
                                     objseal_envelope **envelope);

// Opens a stored head. What the options do not accept is refused before any key is used.
objseal_status objseal_envelope_open(const objseal_open_options *options,
                                     const uint8_t *head,
                                     size_t head_len,
                                     objseal_envelope **envelope);

// Copies the head, as it is to be stored, to `out`: at most 16,384 bytes.
objseal_status objseal_envelope_head(const objseal_envelope *envelope,
                                     uint8_t *out,
                                     size_t out_capacity,
                                     size_t *out_len);

// What is known of the object. It is authentic.
objseal_status objseal_envelope_info(const objseal_envelope *envelope, objseal_info **info);

// What a stored head says. It takes no key, so nothing of it is verified: anybody could have written it.
objseal_status objseal_envelope_inspect(const uint8_t *head, size_t head_len, objseal_info **info);

// The same object under the keys and the context of `options`, which have keys for as many layers: only the head is
// new, body and part table stay as they are. Which names and pairs it had says `objseal_envelope_info`, never
// `objseal_envelope_inspect`. Private fields stay, unless `options` set them anew. Whoever kept the old head and its
// root keys still opens the object.
objseal_status objseal_envelope_rewrap(const objseal_envelope *envelope,
                                       const objseal_seal_options *options,
                                       objseal_envelope **rewrapped);

// Frees an envelope and wipes its data keys.
void objseal_envelope_free(objseal_envelope *envelope);

// Length of the plaintext, in bytes; `UINT64_MAX` if it is not known.
uint64_t objseal_info_plaintext_len(const objseal_info *info);

// How many layers there are; 0 for a part.
uint8_t objseal_info_layers(const objseal_info *info);

// How often the head was written, the first time counted.
uint64_t objseal_info_generation(const objseal_info *info);

// Whether the object is in parts.
bool objseal_info_in_parts(const objseal_info *info);

// The number of a part; 0 for an object.
uint32_t objseal_info_part_number(const objseal_info *info);

// Whether the two slots of a sealed file hold the same head. Where they do not, one is damaged, or a rewrap was
// interrupted, and rewrapping mends it. True for what is no file.
bool objseal_info_slots_same(const objseal_info *info);

// Copies the 32 bytes of the object id to `out`. `OBJSEAL_STATUS_OUT_OF_RANGE` for a part.
objseal_status objseal_info_object_id(const objseal_info *info, uint8_t *out);

// The pair of the encryption context at `index`, from 0, in the order of the keys: of an object that was only
// inspected those that are stored, of any other all. `OBJSEAL_STATUS_OUT_OF_RANGE` if there are not so many. A zero
// within a text is shown as U+FFFD.
objseal_status objseal_info_context(const objseal_info *info, size_t index, const char **key, const char **value);

// The key at `index`, from 0, of those pairs of the encryption context that are bound and not stored, in their order;
// NULL if there are not so many.
const char *objseal_info_bound_key(const objseal_info *info, size_t index);

// Copies the private field `tag` of the head to `out`. `OBJSEAL_STATUS_OUT_OF_RANGE` if there is none.
objseal_status objseal_info_field(const objseal_info *info,
                                  uint16_t tag,
                                  uint8_t *out,
                                  size_t out_capacity,
                                  size_t *out_len);

// The wrapped key at `index`, from 0: its layer, from 1, the key service, and the id and the version of the root key.
// `OBJSEAL_STATUS_OUT_OF_RANGE` if there are not so many.
objseal_status objseal_info_key(const objseal_info *info,
                                size_t index,
                                uint8_t *layer,
                                const char **service,
                                const char **key_id,
                                uint32_t *version);

// The kind of the wrapped key at `index`, from 0: `OBJSEAL_KEY_LOCAL` and so on; 0 if there are not so many.
uint8_t objseal_info_key_kind(const objseal_info *info, size_t index);

// The engine that sealed or opened a layer, from 1; NULL if that is not known.
const char *objseal_info_engine(const objseal_info *info, uint8_t layer);

// The ETag; NULL if there is none.
const char *objseal_info_etag(const objseal_info *info);

// Copies a digest of the plaintext to `out`, as bytes in the order that S3 has them, and returns its length, at most
// 64; 0 if there is none. Nothing is copied if `capacity` is less.
size_t objseal_info_digest(const objseal_info *info, uint32_t digest, uint8_t *out, size_t capacity);

// The same of S3's composite checksum of an object in parts: the digest of the parts' digests.
size_t objseal_info_composite_digest(const objseal_info *info, uint32_t digest, uint8_t *out, size_t capacity);

// Which of the checksums of an object in parts counts: `OBJSEAL_FULL_OBJECT` or `OBJSEAL_COMPOSITE`; 0 if that is not
// said.
uint8_t objseal_info_checksum_type(const objseal_info *info);

// Frees what is known of an object.
void objseal_info_free(objseal_info *info);

// A key of these bytes. `OBJSEAL_STATUS_ARGUMENT` if `len` is not 32.
objseal_status objseal_key_new(const uint8_t *bytes, size_t len, objseal_key **key);

// A new key, from the random source of the operating system.
objseal_status objseal_key_generate(objseal_key **key);

// Copies the 32 bytes of a key to `out`, to be kept somewhere safe.
objseal_status objseal_key_expose(const objseal_key *key, uint8_t *out);

// Wipes and frees a key.
void objseal_key_free(objseal_key *key);

// A place for a keyring, so that there is one for what goes wrong with its file. `objseal_keyring_open` or
// `objseal_keyring_create` comes next.
objseal_status objseal_keyring_new(objseal_keyring **keyring);

// Reads the file at `path`. `passphrase` is NULL for a keyring that has none; an empty one is refused,
// `OBJSEAL_STATUS_ARGUMENT`. What goes wrong with the file names its path, and `objseal_last_errno` has its error number.
objseal_status objseal_keyring_open(objseal_keyring *keyring,
                                    const char *path,
                                    const char *passphrase);

// Makes the file at `path`, which must not be there yet, with a key called `name`. Its folder must be there. It has
// permissions 600, and is under `passphrase` unless that is NULL; an empty one would protect nothing and is refused,
// `OBJSEAL_STATUS_ARGUMENT`.
objseal_status objseal_keyring_create(objseal_keyring *keyring,
                                      const char *path,
                                      const char *passphrase,
                                      const char *name);

// Makes version 1 of the key `name`, in the file.
objseal_status objseal_keyring_add(objseal_keyring *keyring, const char *name);

// Makes the next version of the key `name`, in the file, and stores its number unless `version` is NULL. Options for sealing
// that have this key already go on with the version that they have.
objseal_status objseal_keyring_rotate(objseal_keyring *keyring,
                                      const char *name,
                                      uint32_t *version);

// Reads the file again: another process may have changed it. Options for opening go by it from then on, those
// for sealing go on with the versions that they have.
objseal_status objseal_keyring_reload(objseal_keyring *keyring);

// Stores name and latest version of the key at `index`, from 0, in the order of their names. `OBJSEAL_STATUS_OUT_OF_RANGE`
// if there are not so many. The name lives until the keyring is changed or freed.
objseal_status objseal_keyring_key(const objseal_keyring *keyring,
                                   size_t index,
                                   const char **name,
                                   uint32_t *version);

// Whether a keyring is at `path`, or the lock of one. A program that writes its output to a path asks first, as whoever
// loses a keyring loses all that was sealed under it.
bool objseal_keyring_is_at(const char *path);

// Frees a keyring. What was made of it goes on; the file stays.
void objseal_keyring_free(objseal_keyring *keyring);

// `OBJSEAL_KEY_LEN`, for those who cannot read macros.
size_t objseal_key_len(void);

// `OBJSEAL_HEADER_LEN`, for those who cannot read macros.
size_t objseal_header_len(void);

// `OBJSEAL_SALT_LEN`, for those who cannot read macros.
size_t objseal_salt_len(void);

// `OBJSEAL_CHUNK_LEN`, for those who cannot read macros.
size_t objseal_chunk_len(void);

// `OBJSEAL_TAG_LEN`, for those who cannot read macros.
size_t objseal_tag_len(void);

// `OBJSEAL_BODY_OFFSET`, for those who cannot read macros.
uint64_t objseal_body_offset(void);

// `OBJSEAL_OBJECT_ID_LEN`, for those who cannot read macros.
size_t objseal_object_id_len(void);

// `OBJSEAL_MAX_LAYERS`, for those who cannot read macros.
uint8_t objseal_max_layers(void);

// `OBJSEAL_MAX_PARTS`, for those who cannot read macros.
uint32_t objseal_max_parts(void);

// `OBJSEAL_MAX_PART_LEN`, for those who cannot read macros.
uint64_t objseal_max_part_len(void);

// `OBJSEAL_MAX_HEAD_LEN`, for those who cannot read macros.
size_t objseal_max_head_len(void);

// `OBJSEAL_INLINE_ENVELOPE_LEN`, for those who cannot read macros.
size_t objseal_inline_envelope_len(void);

// `OBJSEAL_MAX_THREADS`, for those who cannot read macros.
uint32_t objseal_max_threads(void);

// `OBJSEAL_MAX_DIGEST_LEN`, for those who cannot read macros.
size_t objseal_max_digest_len(void);

// The version of the library, such as "0.1.0". It lives as long as the program.
const char *objseal_version(void);

// What was built in, words with spaces between them. It lives as long as the program.
const char *objseal_features(void);

// The name of the fastest engine of this machine, which is what seals and opens unless another was asked for. It lives as
// long as the program.
const char *objseal_best_engine(void);

// The name of the engine at `index`, from 0, of those that this machine can run; NULL if there are not so many. It lives as
// long as the program.
const char *objseal_engine(size_t index);

// Copies what went wrong last with a handle to `out`, in English, ended by a zero and cut to `capacity` bytes; returns its
// whole length without the zero. It is empty if nothing went wrong yet. Any handle of this library will do.
size_t objseal_last_error(const void *handle,
                          char *out,
                          size_t capacity);

// The error number, as of `errno`, of what went wrong last with a handle, such as `ENOENT` for a keyring that is not there; 0
// where it was not the operating system. What went wrong in a callback is the callback's to keep.
int32_t objseal_last_errno(const void *handle);

// Stores the length of the file that `plaintext_len` bytes of plaintext give.
objseal_status objseal_sealed_len(const objseal_seal_options *options, uint64_t plaintext_len, uint64_t *sealed_len);

// Seals an object into one file, on `threads` threads (0: as many as there are CPUs). It takes `objseal_sealed_len` bytes of
// `out`; `*out_len` is how many that are, also if the output is too small.
objseal_status objseal_seal(const objseal_seal_options *options,
                            const uint8_t *plaintext,
                            size_t plaintext_len,
                            uint8_t *out,
                            size_t out_capacity,
                            size_t *out_len,
                            uint32_t threads);

// Opens an object that is one file, on `threads` threads (0: as many as there are CPUs): all of it, or nothing. `*out_len` is
// how many bytes of `out` it takes, also if the output is too small; `sealed_len` bytes are always enough. Once its head and
// its end are found to be authentic, those bytes are all zero if the rest is not; before, `out` is not touched.
objseal_status objseal_open(const objseal_open_options *options,
                            const uint8_t *sealed,
                            size_t sealed_len,
                            uint8_t *out,
                            size_t out_capacity,
                            size_t *out_len,
                            uint32_t threads);

// Seals all that `read` has to give, and gives the file to `write`, on `threads` threads (0: as many as there are CPUs).
// `info` may be NULL. It takes at most 32 MiB of memory, whatever the length.
objseal_status objseal_seal_stream(const objseal_seal_options *options,
                                   objseal_read_fn read,
                                   void *read_user,
                                   objseal_write_fn write,
                                   void *write_user,
                                   uint32_t threads,
                                   objseal_info **info);

// Opens the file that `read` has to give, and gives the plaintext to `write`, on `threads` threads (0: as many as there are
// CPUs). What `write` gets is authentic, but only if this works is it whole. `info` may be NULL.
objseal_status objseal_open_stream(const objseal_open_options *options,
                                   objseal_read_fn read,
                                   void *read_user,
                                   objseal_write_fn write,
                                   void *write_user,
                                   uint32_t threads,
                                   objseal_info **info);

// What a stored file of `stored_len` bytes says about itself. It takes no key, so nothing of it is verified: anybody could have
// written it.
objseal_status objseal_inspect(objseal_read_at_fn read_at,
                               void *user,
                               uint64_t stored_len,
                               objseal_info **info);

// Puts a stored file of `stored_len` bytes under the keys and the context of `seal_options`, which have keys for as
// many layers. Only its first 8,192 bytes are written, half of them at a time, so whenever it is interrupted the file
// opens under the old keys or the new ones. The caller sees to it that nobody else writes meanwhile: what is found to
// have another head when it is to be written stays as it is, `OBJSEAL_STATUS_IO`. Private fields stay, unless
// `seal_options` set them anew. Whoever kept the old head and its root keys still opens the object.
//
// Names of keys and pairs of the context that are to stay come from an object that was opened, so from
// `objseal_reader_info`, and never from `objseal_inspect`, whose answer anybody could have written. With
// `objseal_open_options_set_object_id` and the id from there, no other object gets them.
objseal_status objseal_rewrap(const objseal_open_options *open_options,
                              const objseal_seal_options *seal_options,
                              objseal_read_at_fn read_at,
                              objseal_write_at_fn write_at,
                              void *user,
                              uint64_t stored_len);

// Begins to open an object that is one file.
objseal_status objseal_opener_new(const objseal_open_options *options, objseal_opener **opener);

// Begins to open the body of an envelope. It takes nothing of the envelope but what it needs.
objseal_status objseal_envelope_opener_new(const objseal_envelope *envelope, objseal_opener **opener);

// Begins to open a bare message. It keeps a copy of the key.
objseal_status objseal_cobblestone_opener_new(const objseal_key *key,
                                              const uint8_t *context,
                                              size_t context_len,
                                              objseal_opener **opener);

// Takes in `data` and writes the plaintext of all chunks that are whole to the start of `out`; `*out_len` is how many
// bytes that are, or have to be there if the output is too small: never more than `data_len` and 65,536. What is
// written is authentic. If something is not, all that this call would have written is zero, and nothing more comes
// out: every later call says the same.
objseal_status objseal_opener_update(objseal_opener *opener,
                                     const uint8_t *data,
                                     size_t data_len,
                                     uint8_t *out,
                                     size_t out_capacity,
                                     size_t *out_len);

// Writes the rest of the plaintext, at most 65,536 bytes. Only when it has worked is the plaintext whole. The handle is still
// to be freed.
objseal_status objseal_opener_finish(objseal_opener *opener,
                                     uint8_t *out,
                                     size_t out_capacity,
                                     size_t *out_len);

// What is known of an object that is one file, as soon as its head has been opened; its attributes are known at the end.
objseal_status objseal_opener_info(objseal_opener *opener,
                                   objseal_info **info);

// Frees an opener, finished or not.
void objseal_opener_free(objseal_opener *opener);

// Options for sealing, without a key yet: bound to no context, on the best engines, without digests.
objseal_status objseal_seal_options_new(objseal_seal_options **options);

// Any of the keys of a layer opens it. Layer 1 is the innermost, and must have a key before anything is sealed; what has keys
// for layer 2 is sealed in two layers (DSSE), by two implementations of AES-256-GCM. It keeps a copy of the key.
objseal_status objseal_seal_options_add_key(objseal_seal_options *options,
                                            uint8_t layer,
                                            const objseal_key *key);

// The same with the key `name` of a keyring, in the version that is the latest one at this call. Options go on with that
// version when the key is rotated: make new ones to seal under the next. `OBJSEAL_STATUS_KEY_NOT_FOUND` if there is no such
// key.
objseal_status objseal_seal_options_add_keyring_key(objseal_seal_options *options,
                                                    uint8_t layer,
                                                    const objseal_keyring *keyring,
                                                    const char *name);

// Binds objects to a pair of the encryption context, which is stored with them, in clear.
objseal_status objseal_seal_options_add_context(objseal_seal_options *options, const char *key, const char *value);

// Binds objects to a pair of which only the key is stored with them, because whoever opens them knows the value: the
// bucket and the name of the object, say.
objseal_status objseal_seal_options_bind_context(objseal_seal_options *options, const char *key, const char *value);

// Stores these bytes, at most 2,304, in the heads of objects as their private field `tag`, from 0xC000 on: in clear,
// and authentic. `objseal_info_field` gives them back.
objseal_status objseal_seal_options_set_field(objseal_seal_options *options,
                                              uint16_t tag,
                                              const uint8_t *value,
                                              size_t len);

// Seals a layer on the engine of this name.
objseal_status objseal_seal_options_set_engine(objseal_seal_options *options, uint8_t layer, const char *name);

// Opens every chunk again, on another engine, before it is given out, and unwraps every wrapped key.
objseal_status objseal_seal_options_set_check(objseal_seal_options *options);

// Which digests of the plaintext are stored with it, encrypted: `OBJSEAL_SHA256` and so on, joined with `|`.
objseal_status objseal_seal_options_set_digests(objseal_seal_options *options, uint32_t digests);

// The server's own key, under which the states of uploads are stored (`objseal_upload_new`). It opens no object.
objseal_status objseal_seal_options_set_upload_key(objseal_seal_options *options, const objseal_key *key);

// The same with the key `name` of a keyring, as for `objseal_seal_options_add_keyring_key`.
objseal_status objseal_seal_options_set_upload_keyring_key(objseal_seal_options *options,
                                                           const objseal_keyring *keyring,
                                                           const char *name);

// Frees options for sealing. What was made with them goes on.
void objseal_seal_options_free(objseal_seal_options *options);

// Options for opening, without a key yet. Unless told otherwise they open objects that are bound to no context, whatever
// else they are.
objseal_status objseal_open_options_new(objseal_open_options **options);

// Opens what was sealed under this key. Of several keys each is tried. It keeps a copy of the key.
objseal_status objseal_open_options_add_key(objseal_open_options *options, const objseal_key *key);

// Opens what was sealed under keys of this keyring. Of several keyrings each is asked, in turn.
objseal_status objseal_open_options_add_keyring(objseal_open_options *options, const objseal_keyring *keyring);

// The context that objects have to be bound to is what has been added, no more and no less, whether it is stored with
// them or only bound.
objseal_status objseal_open_options_add_context(objseal_open_options *options, const char *key, const char *value);

// Takes whatever pairs are stored with an object; those that are only bound have to be what was added, no more and no
// less. For who knows where an object is, and not what else it was bound to.
objseal_status objseal_open_options_any_stored_context(objseal_open_options *options);

// Takes any context, as long as all of it is stored. Whoever calls this should look at the context of what was opened:
// the store can answer with another object of the same key.
objseal_status objseal_open_options_any_context(objseal_open_options *options);

// Refuses objects that have fewer layers.
objseal_status objseal_open_options_set_minimum_layers(objseal_open_options *options, uint8_t layers);

// Refuses any suite but those that were added: "Cobblestone-256" is known.
objseal_status objseal_open_options_accept_suite(objseal_open_options *options, const char *name);

// Refuses wrapped keys of any service but those that were added: "keyring" and "single-key" are known here. Layer 0 stands
// for every layer and for the states of uploads; 1 or 2 narrows that down for one layer.
objseal_status objseal_open_options_accept_service(objseal_open_options *options,
                                                   uint8_t layer,
                                                   const char *name);

// Refuses keys of a keyring but those that were added, by name; layers are as for `objseal_open_options_accept_service`. (The
// name of a single key is "key".)
objseal_status objseal_open_options_accept_key(objseal_open_options *options,
                                               uint8_t layer,
                                               const char *name);

// Refuses any object but that of these 32 bytes.
objseal_status objseal_open_options_set_object_id(objseal_open_options *options, const uint8_t *object_id);

// Refuses heads that were written fewer times, counting the first writing: a store cannot answer with an older one.
objseal_status objseal_open_options_set_minimum_generation(objseal_open_options *options, uint64_t generation);

// Opens a layer on the engine of this name. Any engine opens what any other sealed.
objseal_status objseal_open_options_set_engine(objseal_open_options *options, uint8_t layer, const char *name);

// Frees options for opening. What was made with them goes on.
void objseal_open_options_free(objseal_open_options *options);

// Begins an object in parts, of which parts can be sealed at once. Its state is kept under the upload key of
// `options`, and bound to `place`: whatever names the upload, such as bucket, key and upload id. Nothing of that is
// stored, and who resumes the upload gives the same.
objseal_status objseal_upload_new(const objseal_seal_options *options,
                                  const objseal_pair *place,
                                  size_t place_count,
                                  objseal_upload **upload);

// Goes on with an upload, in whatever process. `options` have the server's key; of what they demand, only which keys
// are accepted for every layer counts here. `place` is what the upload was begun with. Parts are sealed after
// `objseal_upload_unlock`.
objseal_status objseal_upload_resume(const objseal_open_options *options,
                                     const objseal_pair *place,
                                     size_t place_count,
                                     const uint8_t *state,
                                     size_t state_len,
                                     objseal_upload **upload);

// Lets parts of a resumed upload be sealed. `options` have the object's own keys, and what they demand is demanded of
// the object that it will be. Whoever has this handle can seal parts then, so a server makes one for each request.
objseal_status objseal_upload_unlock(objseal_upload *upload, const objseal_open_options *options);

// Copies the state, as it is to be stored, to `out`. It is sealed. Delete it when the upload has ended.
objseal_status objseal_upload_state(const objseal_upload *upload, uint8_t *out, size_t out_capacity, size_t *out_len);

// What a stored receipt says, which must be one of this upload: number, length, digests and ETag of a part.
objseal_status objseal_upload_receipt_info(const objseal_upload *upload,
                                           const uint8_t *receipt,
                                           size_t receipt_len,
                                           objseal_info **info);

// Makes the head of the object that `parts`, in rising order of their numbers, are. `receipts` are those that were
// stored; of several for the same part and ETag the last one counts, so give them in the order of storing.
//
// `etag` is the object's; NULL is what S3 would make of those of the parts. `checksum_type` says which of its
// checksums counts: `OBJSEAL_FULL_OBJECT`, `OBJSEAL_COMPOSITE`, or 0 for nothing. `part_digest` is the digest that the
// part table has of each part, such as `OBJSEAL_CRC32C`, or 0; all parts must have it. The part table is in the head
// if that is at most `inline_len` bytes long with it (`OBJSEAL_INLINE_ENVELOPE_LEN`). `chosen` has room for
// `part_count` indices, and gets for each part the one of its receipt: bodies of other receipts can be deleted.
objseal_status objseal_upload_complete(const objseal_upload *upload,
                                       const objseal_named_part *parts,
                                       size_t part_count,
                                       const objseal_bytes *receipts,
                                       size_t receipt_count,
                                       const char *etag,
                                       uint8_t checksum_type,
                                       uint32_t part_digest,
                                       size_t inline_len,
                                       size_t *chosen,
                                       objseal_completed **completed);

// Copies the head of the object to `out`: at most 16,384 bytes.
objseal_status objseal_completed_head(const objseal_completed *completed,
                                      uint8_t *out,
                                      size_t out_capacity,
                                      size_t *out_len);

// Copies the part table, which is to be stored beside the head, to `out`. 0 bytes if the table is in the head.
objseal_status objseal_completed_table(const objseal_completed *completed,
                                       uint8_t *out,
                                       size_t out_capacity,
                                       size_t *out_len);

// What is known of the object: its length, ETag, digests and object id, say, to answer the client with.
objseal_status objseal_completed_info(const objseal_completed *completed, objseal_info **info);

// Frees a completed upload.
void objseal_completed_free(objseal_completed *completed);

// Frees an upload. Its state, where it is stored, stays.
void objseal_upload_free(objseal_upload *upload);

// The part table of an object. `read_at` reads a table that is stored apart, `stored_len` bytes long; NULL for one in the head.
objseal_status objseal_part_table_new(const objseal_envelope *envelope,
                                      objseal_read_at_fn read_at,
                                      void *user,
                                      uint64_t stored_len,
                                      objseal_part_table **part_table);

// Stores how many parts there are, and the length of the plaintext of all of them, in bytes.
objseal_status objseal_part_table_size(const objseal_part_table *part_table, uint32_t *count, uint64_t *plaintext_len);

// Stores the part at `index`, from 0. `OBJSEAL_STATUS_OUT_OF_RANGE` if there are not so many.
objseal_status objseal_part_table_part(const objseal_part_table *part_table, uint32_t index, objseal_part *part);

// Stores, for each part that bytes `start` to `end` of the plaintext touch, `end` not included, what to fetch of it. `*count` is
// how many they are, also if `capacity` is less. `OBJSEAL_STATUS_OUT_OF_RANGE` if they are not within the plaintext.
objseal_status objseal_part_table_locate(const objseal_part_table *part_table,
                                         uint64_t start,
                                         uint64_t end,
                                         objseal_part_range *out,
                                         size_t capacity,
                                         size_t *count);

// Frees a part table.
void objseal_part_table_free(objseal_part_table *part_table);

// Opens an object in parts for reading at any offset. `read_at` reads a part table that is stored apart, as for
// `objseal_part_table_new`; `read_part` reads the stored bodies. A call of `objseal_reader_read` reads part after part, on one
// thread.
objseal_status objseal_parts_reader_new(const objseal_envelope *envelope,
                                        objseal_read_at_fn read_at,
                                        void *user,
                                        uint64_t stored_len,
                                        objseal_read_part_fn read_part,
                                        void *part_user,
                                        objseal_reader **reader);

// Opens an object that is one file of `stored_len` bytes, which `read_at` reads and is given `user`. Its head, its attributes
// and its end are verified here, so its length is authentic.
objseal_status objseal_reader_new(const objseal_open_options *options,
                                  objseal_read_at_fn read_at,
                                  void *user,
                                  uint64_t stored_len,
                                  objseal_reader **reader);

// Opens the stored body of an envelope, `stored_len` bytes long, in the same way.
objseal_status objseal_envelope_reader_new(const objseal_envelope *envelope,
                                           objseal_read_at_fn read_at,
                                           void *user,
                                           uint64_t stored_len,
                                           objseal_reader **reader);

// Opens a bare message of `stored_len` bytes in the same way.
objseal_status objseal_cobblestone_reader_new(const objseal_key *key,
                                              const uint8_t *context,
                                              size_t context_len,
                                              objseal_read_at_fn read_at,
                                              void *user,
                                              uint64_t stored_len,
                                              objseal_reader **reader);

// Stores the length of the plaintext, in bytes. It is authentic.
objseal_status objseal_reader_len(const objseal_reader *reader, uint64_t *plaintext_len);

// Fills `out` with the `len` bytes of the plaintext from `start` on, on `threads` threads (0: as many as there are CPUs). It
// reads the chunks that hold them, and verifies those. If it fails, all of `out` is zero.
objseal_status objseal_reader_read(const objseal_reader *reader,
                                   uint64_t start,
                                   uint8_t *out,
                                   size_t len,
                                   uint32_t threads);

// What is known of the object. A bare message has nothing: `OBJSEAL_STATUS_ARGUMENT`.
objseal_status objseal_reader_info(const objseal_reader *reader, objseal_info **info);

// Frees a reader.
void objseal_reader_free(objseal_reader *reader);

// Begins an object that is one file, which `objseal_open`, the command and the other bindings open.
objseal_status objseal_sealer_new(const objseal_seal_options *options, objseal_sealer **sealer);

// Begins the body of an object whose head is stored apart: `objseal_sealer_envelope` gives it at the end.
objseal_status objseal_envelope_sealer_new(const objseal_seal_options *options, objseal_sealer **sealer);

// Begins an attempt at part `number` of an upload, from 1 to 10,000: `objseal_sealer_receipt` gives its receipt at the
// end. Every attempt has salts of its own, so a part can be sealed again and again, by many threads and processes at
// the same time. `digests` are those of the part: `OBJSEAL_MD5` and so on. `OBJSEAL_STATUS_KEY_NOT_FOUND` for an
// upload that was resumed and not unlocked.
objseal_status objseal_part_sealer_new(const objseal_upload *upload,
                                       uint32_t number,
                                       uint32_t digests,
                                       objseal_sealer **sealer);

// Begins a bare message under `key`, bound to `context`: what the C2SP describes, and nothing around it.
objseal_status objseal_cobblestone_sealer_new(const objseal_key *key,
                                              const uint8_t *context,
                                              size_t context_len,
                                              objseal_sealer **sealer);

// Takes in `data` and writes all that is ready to the start of `out`; `*out_len` is how many bytes that are, or have to be
// there if the output is too small. 1.01 times `data_len` and 49,152 bytes are always enough.
objseal_status objseal_sealer_update(objseal_sealer *sealer,
                                     const uint8_t *data,
                                     size_t data_len,
                                     uint8_t *out,
                                     size_t out_capacity,
                                     size_t *out_len);

// Writes the rest, at most 57,344 bytes. Without it what was sealed does not open. The handle is still to be freed.
objseal_status objseal_sealer_finish(objseal_sealer *sealer, uint8_t *out, size_t out_capacity, size_t *out_len);

// What is known of an object that is one file, when it is finished.
objseal_status objseal_sealer_info(objseal_sealer *sealer, objseal_info **info);

// The envelope of a body, when it is finished.
objseal_status objseal_sealer_envelope(objseal_sealer *sealer, objseal_envelope **envelope);

// The receipt of a part, when it is finished: to be stored with it, at most 16,384 bytes. The client names the part by its
// number and `etag` later; NULL lets one be made up, which `objseal_upload_receipt_info` shows. The first call decides.
objseal_status objseal_sealer_receipt(objseal_sealer *sealer,
                                      const char *etag,
                                      uint8_t *out,
                                      size_t out_capacity,
                                      size_t *out_len);

// Frees a sealer, finished or not.
void objseal_sealer_free(objseal_sealer *sealer);

// What a status means, in English; a number that is none has a text too. It lives as long as the program.
const char *objseal_status_text(int32_t status);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* OBJSEAL_H */
