/* Objects that are one file, head and body apart, keyrings, policy: everything that goes well, and each refusal for its reason. */

#include "check.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t SIZES[] = {0, 1, 100, 16383, 16384, 16385, 65536, 262144, 300000, 1000003};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static int says_another_key(const void *handle) {
    char text[300] = "";
    objseal_last_error(handle, text, sizeof text);
    return strstr(text, "another key") != NULL;
}

static objseal_seal_options *seal_options_under(const objseal_key *key, int layers) {
    objseal_seal_options *seal_options = NULL;
    OK(objseal_seal_options_new(&seal_options));
    for (uint8_t layer = 1; layer <= layers; layer++)
        STATUS(OK, objseal_seal_options_add_key(seal_options, layer, key), seal_options);
    STATUS(OK, objseal_seal_options_add_context(seal_options, "name", "cat.jpg"), seal_options);
    return seal_options;
}

static objseal_open_options *open_options_with(const objseal_key *key) {
    objseal_open_options *open_options = NULL;
    OK(objseal_open_options_new(&open_options));
    STATUS(OK, objseal_open_options_add_key(open_options, key), open_options);
    STATUS(OK, objseal_open_options_add_context(open_options, "name", "cat.jpg"), open_options);
    return open_options;
}

static uint8_t *sealed(const objseal_seal_options *seal_options, const uint8_t *plain, size_t len, size_t *out_len) {
    uint64_t needed = 0;
    STATUS(OK, objseal_sealed_len(seal_options, len, &needed), seal_options);
    uint8_t *out = ROOM((size_t)needed);
    if (needed > 0)
        STATUS(OUTPUT_TOO_SMALL, objseal_seal(seal_options, plain, len, out, (size_t)needed - 1, out_len, 1), seal_options);
    CHECK(*out_len == needed);
    STATUS(OK, objseal_seal(seal_options, plain, len, out, (size_t)needed, out_len, len % 2 ? 1 : 2), seal_options);
    CHECK(*out_len == needed);
    return out;
}

/* How an object ends that is opened at once, in pieces, and at any offset; all must agree. */
static objseal_status opened(const objseal_open_options *open_options, const uint8_t *stored, size_t len, const uint8_t *plain,
                             size_t plain_len) {
    uint8_t *out = ROOM(len + 1);
    size_t written = 0;
    memset(out, 0xEE, len + 1);
    objseal_status status = objseal_open(open_options, stored, len, out, len, &written, 2);
    if (status == OBJSEAL_STATUS_OK) CHECK(written == plain_len && memcmp(out, plain, plain_len) == 0);
    else CHECK(all(out, len + 1, 0xEE) || (all(out, written, 0) && all(out + written, len + 1 - written, 0xEE)));

    size_t steps[] = {1009, 65536, len + 1};
    for (size_t i = 0; i < COUNT(steps); i++) {
        objseal_opener *opener = NULL;
        size_t total = 0;
        STATUS(OK, objseal_opener_new(open_options, &opener), open_options);
        objseal_status pushed = push_opened(opener, stored, len, steps[i], out, &total);
        if (pushed != status) fprintf(stderr, "pushed: %d, at once: %d\n", (int)pushed, (int)status);
        CHECK(pushed == status);
        CHECK(total <= plain_len && memcmp(out, plain, total) == 0);
        CHECK(status != OBJSEAL_STATUS_OK || total == plain_len);
        objseal_opener_free(opener);
    }

    memory from = {stored, len, 0};
    objseal_reader *reader = NULL;
    objseal_status read = objseal_reader_new(open_options, read_memory, &from, len, &reader);
    if (read == OBJSEAL_STATUS_OK) {
        uint64_t length = 0;
        OK(objseal_reader_len(reader, &length));
        CHECK(length == plain_len);
        memset(out, 0xEE, plain_len);
        read = objseal_reader_read(reader, 0, out, plain_len, 2);
        if (read == OBJSEAL_STATUS_OK) CHECK(memcmp(out, plain, plain_len) == 0);
        else CHECK(all(out, plain_len, 0));
    }
    CHECK(read == status);
    objseal_reader_free(reader);
    free(out);
    return status;
}

/* A stream of callbacks that stops with an error at some point. */
typedef struct {
    const uint8_t *from;
    size_t len, at, fail_at;
    uint8_t *to;
    size_t capacity, written;
} pipe_ends;

static int64_t pull(void *user, uint8_t *buffer, size_t len) {
    pipe_ends *ends = (pipe_ends *)user;
    size_t left = ends->len - ends->at, piece = left < len ? left : len;
    if (ends->fail_at != 0 && ends->at >= ends->fail_at) return -1;
    if (piece > 100000) piece = 100000;
    memcpy(buffer, ends->from + ends->at, piece);
    ends->at += piece;
    return (int64_t)piece;
}

static int32_t push(void *user, const uint8_t *bytes, size_t len) {
    pipe_ends *ends = (pipe_ends *)user;
    if (len > ends->capacity - ends->written) return 28;
    memcpy(ends->to + ends->written, bytes, len);
    ends->written += len;
    return 0;
}

static void streams(const objseal_seal_options *seal_options, const objseal_open_options *open_options, const uint8_t *plain,
                    size_t len) {
    uint8_t *stored = ROOM(len + 100000), *out = ROOM(len);
    pipe_ends in = {plain, len, 0, 0, stored, len + 100000, 0}, back = {stored, 0, 0, 0, out, len, 0};
    objseal_info *info = NULL;
    STATUS(OK, objseal_seal_stream(seal_options, pull, &in, push, &in, 2, &info), seal_options);
    CHECK(objseal_info_plaintext_len(info) == len && objseal_info_etag(info) == NULL);
    objseal_info_free(info);
    back.len = in.written;
    STATUS(OK, objseal_open_stream(open_options, pull, &back, push, &back, 2, NULL), open_options);
    CHECK(back.written == len && memcmp(out, plain, len) == 0);
    CHECK(opened(open_options, stored, in.written, plain, len) == OBJSEAL_STATUS_OK);

    back.at = 0;
    back.written = 0;
    back.capacity = len - 1;
    char text[200];
    STATUS(IO, objseal_open_stream(open_options, pull, &back, push, &back, 1, NULL), open_options);
    CHECK(objseal_last_error(open_options, text, sizeof text) > 0 && strstr(text, "28") != NULL);
    in.at = 0;
    in.written = 0;
    in.fail_at = len / 2;
    STATUS(IO, objseal_seal_stream(seal_options, pull, &in, push, &in, 1, NULL), seal_options);
    free(stored);
    free(out);
}

static void every_size(void) {
    objseal_key *key = key_of(1), *other = key_of(2);
    for (int layers = 1; layers <= 2; layers++) {
        objseal_seal_options *seal_options = seal_options_under(key, layers);
        objseal_open_options *open_options = open_options_with(key), *wrong = open_options_with(other);
        for (size_t i = 0; i < COUNT(SIZES); i++) {
            size_t len = SIZES[i], stored_len = 0, pushed_len = 0;
            uint8_t *plain = pattern(len), *stored = sealed(seal_options, plain, len, &stored_len);
            CHECK(opened(open_options, stored, stored_len, plain, len) == OBJSEAL_STATUS_OK);
            CHECK(opened(wrong, stored, stored_len, plain, len) == OBJSEAL_STATUS_AUTHENTICATION);
            CHECK(says(wrong, "another key of that name: version 1 of \"key\" of \"single-key\""));
            size_t steps[] = {1000, 65537, len + 1};
            for (size_t step = 0; step < COUNT(steps); step++) {
                objseal_sealer *sealer = NULL;
                objseal_info *info = NULL;
                STATUS(OK, objseal_sealer_new(seal_options, &sealer), seal_options);
                STATUS(ARGUMENT, objseal_sealer_info(sealer, &info), sealer);
                uint8_t *pushed = push_sealed(sealer, plain, len, steps[step], &pushed_len);
                STATUS(OK, objseal_sealer_info(sealer, &info), sealer);
                CHECK(objseal_info_plaintext_len(info) == len && objseal_info_layers(info) == layers);
                CHECK(pushed_len == stored_len);
                CHECK(opened(open_options, pushed, pushed_len, plain, len) == OBJSEAL_STATUS_OK);
                objseal_info_free(info);
                objseal_sealer_free(sealer);
                free(pushed);
            }
            if (len == 1000003) streams(seal_options, open_options, plain, len);

            /* What is changed, cut or longer. */
            size_t places[] = {OBJSEAL_BODY_OFFSET, OBJSEAL_BODY_OFFSET + 60, (OBJSEAL_BODY_OFFSET + stored_len) / 2, stored_len - 30};
            for (size_t at = 0; at < COUNT(places); at++) {
                stored[places[at]] ^= 1;
                CHECK(opened(open_options, stored, stored_len, plain, len) == OBJSEAL_STATUS_AUTHENTICATION);
                CHECK(!says_another_key(open_options));
                stored[places[at]] ^= 1;
            }
            CHECK(opened(open_options, stored, stored_len - 1, plain, len) == OBJSEAL_STATUS_AUTHENTICATION);
            CHECK(opened(open_options, stored, 100, plain, len) == OBJSEAL_STATUS_FORMAT);
            /* One slot is enough; without both it is not a sealed file. */
            stored[50] ^= 1;
            CHECK(opened(open_options, stored, stored_len, plain, len) == OBJSEAL_STATUS_OK);
            stored[4096 + 50] ^= 1;
            CHECK(opened(open_options, stored, stored_len, plain, len) == OBJSEAL_STATUS_FORMAT);
            free(plain);
            free(stored);
        }
        /* Of two keys the right one opens, whichever was added first. */
        objseal_seal_options *under_other = seal_options_under(other, layers);
        STATUS(OK, objseal_open_options_add_key(open_options, other), open_options);
        STATUS(OK, objseal_open_options_add_key(wrong, key), wrong);
        for (int i = 0; i < 2; i++) {
            size_t stored_len = 0;
            uint8_t *plain = pattern(100), *stored = sealed(i == 0 ? seal_options : under_other, plain, 100, &stored_len);
            CHECK(opened(open_options, stored, stored_len, plain, 100) == OBJSEAL_STATUS_OK);
            CHECK(opened(wrong, stored, stored_len, plain, 100) == OBJSEAL_STATUS_OK);
            free(plain);
            free(stored);
        }
        objseal_seal_options_free(seal_options);
        objseal_seal_options_free(under_other);
        objseal_open_options_free(open_options);
        objseal_open_options_free(wrong);
    }
    objseal_key_free(key);
    objseal_key_free(other);
}

static int32_t write_memory(void *user, const uint8_t *bytes, size_t len, uint64_t offset) {
    memory *to = (memory *)user;
    if (to->fail || offset > to->len || len > to->len - offset) return 5;
    memcpy((uint8_t *)(uintptr_t)to->bytes + offset, bytes, len);
    return 0;
}

static void demanded(objseal_open_options *open_options, const uint8_t *stored, size_t len, const uint8_t *plain,
                     objseal_status status) {
    CHECK(opened(open_options, stored, len, plain, 100) == status);
    objseal_open_options_free(open_options);
}

/* The version of the inner root key that these options seal under. */
static uint32_t version_under(const objseal_seal_options *seal_options, const uint8_t *plain) {
    size_t len = 0;
    uint8_t *stored = sealed(seal_options, plain, 100, &len), layer = 0;
    memory from = {stored, len, 0};
    objseal_info *info = NULL;
    const char *service = NULL, *name = NULL;
    uint32_t version = 0;
    OK(objseal_inspect(read_memory, &from, len, &info));
    STATUS(OK, objseal_info_key(info, 0, &layer, &service, &name, &version), info);
    CHECK(layer == 1);
    objseal_info_free(info);
    free(stored);
    return version;
}

static void policy_info_and_rewrap(const char *folder) {
    char path[500], text[300];
    uint8_t *plain = pattern(100), id[OBJSEAL_OBJECT_ID_LEN], digest[32];
    size_t len = 0;
    uint32_t version = 0;
    const char *name = NULL;
    snprintf(path, sizeof path, "%s/keyring", folder);
    objseal_keyring *keyring = NULL, *again = NULL;
    OK(objseal_keyring_new(&keyring));
    OK(objseal_keyring_new(&again));
    STATUS(IO, objseal_keyring_open(keyring, path, NULL), keyring);
    CHECK(objseal_last_error(keyring, text, sizeof text) == strlen(text) && strlen(text) > 10);
    STATUS(ARGUMENT, objseal_keyring_add(keyring, "x"), keyring);
    STATUS(KEYRING, objseal_keyring_create(keyring, path, NULL, "no spaces"), keyring);
    STATUS(OK, objseal_keyring_create(keyring, path, NULL, "photos"), keyring);
    STATUS(IO, objseal_keyring_create(again, path, NULL, "photos"), again);
    STATUS(KEYRING, objseal_keyring_open(again, path, "correct horse"), again);
    CHECK(says(again, "not protected"));
    STATUS(OK, objseal_keyring_open(again, path, NULL), again);
    STATUS(OK, objseal_keyring_add(keyring, "outer"), keyring);
    STATUS(KEYRING, objseal_keyring_add(keyring, "outer"), keyring);
    STATUS(OUT_OF_RANGE, objseal_keyring_key(again, 1, &name, &version), again);
    STATUS(OK, objseal_keyring_reload(again), again);
    STATUS(OK, objseal_keyring_key(again, 0, &name, &version), again);
    CHECK(strcmp(name, "outer") == 0 && version == 1);
    STATUS(KEY_NOT_FOUND, objseal_keyring_rotate(keyring, "none", &version), keyring);

    objseal_seal_options *seal_options = NULL;
    OK(objseal_seal_options_new(&seal_options));
    STATUS(ARGUMENT, objseal_seal_options_add_keyring_key(seal_options, 0, keyring, "outer"), seal_options);
    STATUS(ARGUMENT, objseal_seal_options_add_keyring_key(seal_options, 3, keyring, "outer"), seal_options);
    STATUS(KEY_NOT_FOUND, objseal_seal_options_add_keyring_key(seal_options, 1, keyring, "none"), seal_options);
    STATUS(KEY_NOT_FOUND, objseal_seal_options_set_upload_keyring_key(seal_options, keyring, "none"), seal_options);
    uint64_t sealed_len = 0;
    size_t written = 0;
    uint8_t *stored = ROOM(20000);
    STATUS(ARGUMENT, objseal_seal(seal_options, plain, 100, stored, 20000, &written, 1), seal_options);
    STATUS(OK, objseal_seal_options_add_keyring_key(seal_options, 2, keyring, "outer"), seal_options);
    STATUS(ARGUMENT, objseal_seal(seal_options, plain, 100, stored, 20000, &written, 1), seal_options);
    free(stored);
    STATUS(OK, objseal_seal_options_add_keyring_key(seal_options, 1, keyring, "photos"), seal_options);
    STATUS(OK, objseal_seal_options_add_context(seal_options, "name", "cat.jpg"), seal_options);
    STATUS(ARGUMENT, objseal_seal_options_add_context(seal_options, "name", "dog.jpg"), seal_options);
    STATUS(OK, objseal_seal_options_set_digests(seal_options, OBJSEAL_CRC32C | OBJSEAL_MD5), seal_options);
    STATUS(ARGUMENT, objseal_seal_options_set_digests(seal_options, 1024), seal_options);
    STATUS(ENGINE, objseal_seal_options_set_engine(seal_options, 1, "none"), seal_options);
    STATUS(ARGUMENT, objseal_seal_options_set_engine(seal_options, 0, "soft"), seal_options);
    STATUS(OK, objseal_seal_options_set_engine(seal_options, 1, "soft"), seal_options);
    STATUS(OK, objseal_seal_options_set_check(seal_options), seal_options);
    stored = sealed(seal_options, plain, 100, &len);
    CHECK(objseal_sealed_len(seal_options, 100, &sealed_len) == OBJSEAL_STATUS_OK && sealed_len == len);
    STATUS(TOO_LONG, objseal_sealed_len(seal_options, UINT64_MAX, &sealed_len), seal_options);

    /* Without a key, and with one. */
    memory from = {stored, len, 0};
    objseal_info *info = NULL;
    const char *key = NULL, *value = NULL, *service = NULL;
    uint8_t layer = 0;
    OK(objseal_inspect(read_memory, &from, len, &info));
    CHECK(objseal_info_layers(info) == 2 && objseal_info_generation(info) == 1 && objseal_info_plaintext_len(info) == 100);
    CHECK(objseal_info_slots_same(info) && !objseal_info_in_parts(info) && objseal_info_engine(info, 1) == NULL);
    CHECK(objseal_info_digest(info, OBJSEAL_MD5, digest, sizeof digest) == 0);
    STATUS(OK, objseal_info_context(info, 0, &key, &value), info);
    CHECK(strcmp(key, "name") == 0 && strcmp(value, "cat.jpg") == 0);
    STATUS(OUT_OF_RANGE, objseal_info_context(info, 1, &key, &value), info);
    STATUS(OK, objseal_info_key(info, 1, &layer, &service, &name, &version), info);
    CHECK(layer == 2 && strcmp(service, "keyring") == 0 && strcmp(name, "outer") == 0 && version == 1);
    STATUS(OUT_OF_RANGE, objseal_info_key(info, 2, &layer, &service, &name, &version), info);
    STATUS(OK, objseal_info_object_id(info, id), info);
    objseal_info_free(info);
    STATUS(FORMAT, objseal_inspect(read_memory, &from, 100, &info), NULL);
    from.fail = 1;
    STATUS(IO, objseal_inspect(read_memory, &from, len, &info), NULL);
    CHECK(info == NULL);
    from.fail = 0;

#define OPEN_OPTIONS(more)                                                                              \
    do {                                                                                           \
        OK(objseal_open_options_new(&open_options));                                                         \
        STATUS(OK, objseal_open_options_add_keyring(open_options, keyring), open_options);                        \
        STATUS(OK, objseal_open_options_add_context(open_options, "name", "cat.jpg"), open_options);              \
        STATUS(OK, more, open_options);                                                                 \
    } while (0)
    objseal_open_options *open_options = NULL;
    OPEN_OPTIONS(objseal_open_options_set_minimum_layers(open_options, 2));
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
    OPEN_OPTIONS(objseal_open_options_set_minimum_layers(open_options, 3));
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_POLICY);
    OPEN_OPTIONS(objseal_open_options_set_minimum_generation(open_options, 1));
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
    OPEN_OPTIONS(objseal_open_options_set_minimum_generation(open_options, 2));
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_POLICY);
    OPEN_OPTIONS(objseal_open_options_set_object_id(open_options, id));
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
    id[0] ^= 1;
    OPEN_OPTIONS(objseal_open_options_set_object_id(open_options, id));
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_POLICY);
    OPEN_OPTIONS(objseal_open_options_accept_suite(open_options, "Cobblestone-256"));
    STATUS(ARGUMENT, objseal_open_options_accept_suite(open_options, "none"), open_options);
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
    /* Which keys, for every layer (0) and for one. */
    for (uint8_t of = 0; of <= 2; of++) {
        OPEN_OPTIONS(objseal_open_options_accept_service(open_options, of, "keyring"));
        demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
        OPEN_OPTIONS(objseal_open_options_accept_service(open_options, of, "single-key"));
        demanded(open_options, stored, len, plain, OBJSEAL_STATUS_KEY_NOT_FOUND);
        OPEN_OPTIONS(objseal_open_options_accept_key(open_options, of, "photos"));
        demanded(open_options, stored, len, plain, of == 1 ? OBJSEAL_STATUS_OK : OBJSEAL_STATUS_KEY_NOT_FOUND);
        OPEN_OPTIONS(objseal_open_options_accept_key(open_options, of, "outer"));
        demanded(open_options, stored, len, plain, of == 2 ? OBJSEAL_STATUS_OK : OBJSEAL_STATUS_KEY_NOT_FOUND);
        OPEN_OPTIONS(objseal_open_options_accept_key(open_options, of, "photos"));
        STATUS(OK, objseal_open_options_accept_key(open_options, of, "outer"), open_options);
        demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
    }
    OPEN_OPTIONS(objseal_open_options_accept_key(open_options, 1, "photos"));
    STATUS(OK, objseal_open_options_accept_key(open_options, 2, "outer"), open_options);
    STATUS(ARGUMENT, objseal_open_options_accept_key(open_options, 3, "none"), open_options);
    STATUS(ARGUMENT, objseal_open_options_accept_service(open_options, 3, "none"), open_options);
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
    /* What is demanded of every layer holds beside what is demanded of one. */
    OPEN_OPTIONS(objseal_open_options_accept_key(open_options, 0, "photos"));
    STATUS(OK, objseal_open_options_accept_key(open_options, 2, "outer"), open_options);
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_KEY_NOT_FOUND);
    OPEN_OPTIONS(objseal_open_options_add_context(open_options, "more", ""));
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_POLICY);
    OPEN_OPTIONS(objseal_open_options_any_context(open_options));
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
    OPEN_OPTIONS(objseal_open_options_set_engine(open_options, 2, "rustcrypto"));
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
    OK(objseal_open_options_new(&open_options));
    STATUS(OK, objseal_open_options_add_keyring(open_options, keyring), open_options);
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_POLICY);

    objseal_reader *reader = NULL;
    OPEN_OPTIONS(objseal_open_options_any_context(open_options));
    STATUS(OK, objseal_reader_new(open_options, read_memory, &from, len, &reader), open_options);
    STATUS(OK, objseal_reader_info(reader, &info), reader);
    CHECK(objseal_info_digest(info, OBJSEAL_MD5, digest, 15) == 16);
    CHECK(objseal_info_digest(info, OBJSEAL_CRC32C, digest, sizeof digest) == 4);
    CHECK(objseal_info_digest(info, OBJSEAL_SHA1, digest, sizeof digest) == 0);
    CHECK(objseal_info_digest(info, OBJSEAL_MD5 | OBJSEAL_SHA1, digest, sizeof digest) == 0);
    CHECK(objseal_info_composite_digest(info, OBJSEAL_MD5, digest, sizeof digest) == 0);
    CHECK(strcmp(objseal_info_engine(info, 2), "aws-lc") == 0 && objseal_info_engine(info, 3) == NULL);
    objseal_info_free(info);
    STATUS(OUT_OF_RANGE, objseal_reader_read(reader, 90, digest, 20, 1), reader);
    STATUS(ARGUMENT, objseal_reader_read(reader, 50, digest, 1, 1001), reader);
    from.fail = 1;
    memset(digest, 0xEE, sizeof digest);
    STATUS(IO, objseal_reader_read(reader, 50, digest, 5, 1), reader);
    CHECK(all(digest, 5, 0));
    from.fail = 0;
    objseal_reader_free(reader);

    /* A rotated key: options that have it stay with their version, and the object is put under the new one. */
    STATUS(OK, objseal_keyring_rotate(keyring, "photos", &version), keyring);
    CHECK(version == 2);
    objseal_seal_options *new_options = NULL;
    OK(objseal_seal_options_new(&new_options));
    STATUS(OK, objseal_seal_options_add_keyring_key(new_options, 1, keyring, "photos"), new_options);
    STATUS(OK, objseal_seal_options_add_keyring_key(new_options, 2, keyring, "outer"), new_options);
    CHECK(version_under(seal_options, plain) == 1 && version_under(new_options, plain) == 2);
    objseal_upload *upload = NULL;
    uint8_t *before = ROOM(len), state[4096];
    STATUS(OK, objseal_seal_options_set_upload_keyring_key(new_options, keyring, "photos"), new_options);
    STATUS(OK, objseal_upload_new(new_options, NULL, 0, &upload), new_options);
    STATUS(OK, objseal_upload_state(upload, state, sizeof state, &written), upload);
    objseal_upload_free(upload);
    STATUS(OK, objseal_upload_resume(open_options, NULL, 0, state, written, &upload), open_options);
    objseal_upload_free(upload);
    memcpy(before, stored, len);
    STATUS(OK, objseal_rewrap(open_options, new_options, read_memory, write_memory, &from, len), open_options);
    CHECK(memcmp(before + OBJSEAL_BODY_OFFSET, stored + OBJSEAL_BODY_OFFSET, len - OBJSEAL_BODY_OFFSET) == 0);
    OK(objseal_inspect(read_memory, &from, len, &info));
    STATUS(OK, objseal_info_key(info, 0, &layer, &service, &name, &version), info);
    CHECK(version == 2 && objseal_info_generation(info) == 2);
    objseal_info_free(info);
    CHECK(opened(open_options, stored, len, plain, 100) == OBJSEAL_STATUS_OK);
    STATUS(OK, objseal_open_options_set_minimum_generation(open_options, 2), open_options);
    CHECK(opened(open_options, before, len, plain, 100) == OBJSEAL_STATUS_POLICY);
    objseal_open_options_free(open_options);

    /* The other handle of the same file does not have the new version until it reads it. */
    OK(objseal_open_options_new(&open_options));
    STATUS(OK, objseal_open_options_any_context(open_options), open_options);
    STATUS(OK, objseal_open_options_add_keyring(open_options, again), open_options);
    CHECK(opened(open_options, stored, len, plain, 100) == OBJSEAL_STATUS_KEY_NOT_FOUND);
    STATUS(OK, objseal_keyring_reload(again), again);
    objseal_keyring_free(again);
    CHECK(opened(open_options, stored, len, plain, 100) == OBJSEAL_STATUS_OK);
    objseal_open_options_free(open_options);

    /* Of two keyrings that have a key of the same name, the right one opens. */
    snprintf(path, sizeof path, "%s/other", folder);
    OK(objseal_keyring_new(&again));
    STATUS(OK, objseal_keyring_create(again, path, NULL, "photos"), again);
    OK(objseal_open_options_new(&open_options));
    STATUS(OK, objseal_open_options_any_context(open_options), open_options);
    STATUS(OK, objseal_open_options_add_keyring(open_options, again), open_options);
    CHECK(opened(open_options, before, len, plain, 100) == OBJSEAL_STATUS_AUTHENTICATION);
    CHECK(says(open_options, "another key of that name: version 1 of \"photos\" of \"keyring\""));
    STATUS(OK, objseal_open_options_add_keyring(open_options, keyring), open_options);
    CHECK(opened(open_options, before, len, plain, 100) == OBJSEAL_STATUS_OK);
    objseal_seal_options_free(new_options);
    OK(objseal_seal_options_new(&new_options));
    STATUS(OK, objseal_seal_options_add_keyring_key(new_options, 1, again, "photos"), new_options);
    free(stored);
    stored = sealed(new_options, plain, 100, &len);
    CHECK(opened(open_options, stored, len, plain, 100) == OBJSEAL_STATUS_OK);
    objseal_open_options_free(open_options);
    objseal_seal_options_free(new_options);
    objseal_keyring_free(again);
    objseal_keyring_free(keyring);

    /* A passphrase. */
    snprintf(path, sizeof path, "%s/protected", folder);
    OK(objseal_keyring_new(&keyring));
    STATUS(OK, objseal_keyring_create(keyring, path, "correct horse", "photos"), keyring);
    STATUS(KEYRING, objseal_keyring_open(keyring, path, "wrong"), keyring);
    STATUS(KEYRING, objseal_keyring_open(keyring, path, NULL), keyring);
    STATUS(OK, objseal_keyring_open(keyring, path, "correct horse"), keyring);
    objseal_keyring_free(keyring);
    objseal_seal_options_free(seal_options);
    free(before);
    free(stored);
    free(plain);
}

/* The digests of "123456789", by Python's hashlib and xxhash; those of CRCs are their check values in the catalogue. */
static const struct {
    uint32_t digest;
    const char *hex;
} DIGESTS[] = {
    {OBJSEAL_SHA256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
    {OBJSEAL_CRC64NVME, "ae8b14860a799888"},
    {OBJSEAL_CRC32C, "e3069283"},
    {OBJSEAL_CRC32, "cbf43926"},
    {OBJSEAL_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
    {OBJSEAL_MD5, "25f9e794323b453885f5181f1b624d0b"},
    {OBJSEAL_SHA512, "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a"
                     "d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85"},
    {OBJSEAL_XXHASH64, "8cb841db40e6ae83"},
    {OBJSEAL_XXHASH3, "72dcb18b67a17dff"},
    {OBJSEAL_XXHASH128, "33119477ede5dcd5e9716427681d5860"},
};

static void digests(void) {
    const uint8_t *plain = (const uint8_t *)"123456789";
    objseal_key *key = key_of(1);
    objseal_seal_options *seal_options = seal_options_under(key, 1);
    objseal_open_options *open_options = open_options_with(key);
    size_t len = 0;
    uint32_t wanted = 0;
    for (size_t i = 0; i < COUNT(DIGESTS); i++) wanted |= DIGESTS[i].digest;
    CHECK(wanted == 1023);
    STATUS(OK, objseal_seal_options_set_digests(seal_options, wanted), seal_options);
    uint8_t *stored = sealed(seal_options, plain, 9, &len), digest[OBJSEAL_MAX_DIGEST_LEN];
    memory from = {stored, len, 0};
    objseal_reader *reader = NULL;
    objseal_info *info = NULL;
    STATUS(OK, objseal_reader_new(open_options, read_memory, &from, len, &reader), open_options);
    STATUS(OK, objseal_reader_info(reader, &info), reader);
    for (size_t i = 0; i < COUNT(DIGESTS); i++) {
        char hex[2 * sizeof digest + 1] = "";
        size_t digest_len = objseal_info_digest(info, DIGESTS[i].digest, digest, sizeof digest);
        for (size_t at = 0; at < digest_len; at++) snprintf(hex + 2 * at, 3, "%02x", digest[at]);
        if (strcmp(hex, DIGESTS[i].hex) != 0) fprintf(stderr, "%u: %s\n", (unsigned)DIGESTS[i].digest, hex);
        CHECK(strcmp(hex, DIGESTS[i].hex) == 0);
    }
    objseal_info_free(info);
    objseal_reader_free(reader);
    objseal_open_options_free(open_options);
    objseal_seal_options_free(seal_options);
    objseal_key_free(key);
    free(stored);
}

static size_t count_of(const uint8_t *bytes, size_t len, const char *text) {
    size_t found = 0;
    for (size_t at = 0; at + strlen(text) <= len; at++) found += memcmp(bytes + at, text, strlen(text)) == 0;
    return found;
}

/* What a server knows is bound, what its client says is stored, and so are fields that only the server understands. */
static void bound_pairs_and_fields(void) {
    objseal_key *key = key_of(1);
    objseal_seal_options *seal_options = NULL, *moved = NULL;
    objseal_open_options *open_options = NULL;
    objseal_info *info = NULL;
    const char *name = NULL, *value = NULL;
    uint8_t *plain = pattern(100), field[3000];
    size_t len = 0, field_len = 0;
    memset(field, 7, sizeof field);
    OK(objseal_seal_options_new(&seal_options));
    STATUS(OK, objseal_seal_options_add_key(seal_options, 1, key), seal_options);
    STATUS(OK, objseal_seal_options_bind_context(seal_options, "bucket", "photos"), seal_options);
    STATUS(OK, objseal_seal_options_add_context(seal_options, "colour", "green"), seal_options);
    STATUS(OK, objseal_seal_options_bind_context(seal_options, "name", "cat.jpg"), seal_options);
    STATUS(ARGUMENT, objseal_seal_options_bind_context(seal_options, "colour", "red"), seal_options);
    STATUS(ARGUMENT, objseal_seal_options_add_context(seal_options, "name", "dog.jpg"), seal_options);
    STATUS(ARGUMENT, objseal_seal_options_bind_context(seal_options, "", "x"), seal_options);
    STATUS(ARGUMENT, objseal_seal_options_set_field(seal_options, 0xBFFF, field, 1), seal_options);
    STATUS(ARGUMENT, objseal_seal_options_set_field(seal_options, 0xC000, field, 2305), seal_options);
    STATUS(OK, objseal_seal_options_set_field(seal_options, 0xC000, NULL, 0), seal_options);
    STATUS(OK, objseal_seal_options_set_field(seal_options, 0xFFFF, field, 2304), seal_options);
    STATUS(OK, objseal_seal_options_set_field(seal_options, 0xFFFF, (const uint8_t *)"tiers", 5), seal_options);
    uint8_t *stored = sealed(seal_options, plain, 100, &len);
    CHECK(count_of(stored, len, "photos") == 0 && count_of(stored, len, "cat.jpg") == 0);
    CHECK(count_of(stored, len, "bucket") == 2 && count_of(stored, len, "green") == 2);

    memory from = {stored, len, 0};
    OK(objseal_inspect(read_memory, &from, len, &info));
    STATUS(OK, objseal_info_context(info, 0, &name, &value), info);
    CHECK(strcmp(name, "colour") == 0 && strcmp(value, "green") == 0);
    STATUS(OUT_OF_RANGE, objseal_info_context(info, 1, &name, &value), info);
    CHECK(strcmp(objseal_info_bound_key(info, 0), "bucket") == 0 && strcmp(objseal_info_bound_key(info, 1), "name") == 0);
    CHECK(objseal_info_bound_key(info, 2) == NULL && objseal_info_bound_key(info, SIZE_MAX) == NULL);
    objseal_info_free(info);

    /* Who knows both bound pairs opens it, and who knows the stored one too; any other demand is refused. */
    static const struct {
        const char *pairs[4][2];
        int any_stored;
        objseal_status expected;
    } DEMANDS[] = {
        {{{"bucket", "photos"}, {"colour", "green"}, {"name", "cat.jpg"}}, 0, OBJSEAL_STATUS_OK},
        {{{"bucket", "photos"}, {"name", "cat.jpg"}}, 0, OBJSEAL_STATUS_POLICY},
        {{{"bucket", "photos"}, {"colour", "red"}, {"name", "cat.jpg"}}, 0, OBJSEAL_STATUS_POLICY},
        {{{"bucket", "photos"}, {"colour", "green"}, {"name", "dog.jpg"}}, 0, OBJSEAL_STATUS_AUTHENTICATION},
        {{{"bucket", "photos"}, {"name", "cat.jpg"}}, 1, OBJSEAL_STATUS_OK},
        {{{"bucket", "photos"}, {"name", "dog.jpg"}}, 1, OBJSEAL_STATUS_AUTHENTICATION},
        {{{"bucket", "photos"}}, 1, OBJSEAL_STATUS_POLICY},
        {{{"bucket", "photos"}, {"place", "cat.jpg"}}, 1, OBJSEAL_STATUS_POLICY},
        {{{"bucket", "photos"}, {"colour", "green"}, {"name", "cat.jpg"}}, 1, OBJSEAL_STATUS_POLICY},
        {{{NULL, NULL}}, 1, OBJSEAL_STATUS_POLICY},
        {{{NULL, NULL}}, 2, OBJSEAL_STATUS_POLICY},
    };
    for (size_t i = 0; i < COUNT(DEMANDS); i++) {
        /* Said before the pairs, or after them. */
        for (int before = 0; before < 2; before++) {
            OK(objseal_open_options_new(&open_options));
            STATUS(OK, objseal_open_options_add_key(open_options, key), open_options);
            if (DEMANDS[i].any_stored == 1 && before) OK(objseal_open_options_any_stored_context(open_options));
            for (int pair = 0; DEMANDS[i].pairs[pair][0] != NULL; pair++)
                OK(objseal_open_options_add_context(open_options, DEMANDS[i].pairs[pair][0], DEMANDS[i].pairs[pair][1]));
            if (DEMANDS[i].any_stored == 1 && !before) OK(objseal_open_options_any_stored_context(open_options));
            if (DEMANDS[i].any_stored == 2) OK(objseal_open_options_any_context(open_options));
            STATUS(ARGUMENT, objseal_open_options_add_context(open_options, "", "x"), open_options);
            demanded(open_options, stored, len, plain, DEMANDS[i].expected);
        }
    }

    /* What an opened object says: all pairs, which of them are only bound, and its fields. It can be bound to another place. */
    objseal_reader *reader = NULL;
    OK(objseal_open_options_new(&open_options));
    STATUS(OK, objseal_open_options_add_key(open_options, key), open_options);
    STATUS(OK, objseal_open_options_add_context(open_options, "bucket", "photos"), open_options);
    STATUS(OK, objseal_open_options_add_context(open_options, "name", "cat.jpg"), open_options);
    STATUS(OK, objseal_open_options_any_stored_context(open_options), open_options);
    STATUS(OK, objseal_reader_new(open_options, read_memory, &from, len, &reader), open_options);
    STATUS(OK, objseal_reader_info(reader, &info), reader);
    STATUS(OK, objseal_info_context(info, 2, &name, &value), info);
    CHECK(strcmp(name, "name") == 0 && strcmp(value, "cat.jpg") == 0);
    CHECK(strcmp(objseal_info_bound_key(info, 1), "name") == 0 && objseal_info_bound_key(info, 2) == NULL);
    STATUS(OUTPUT_TOO_SMALL, objseal_info_field(info, 0xFFFF, field, 4, &field_len), info);
    STATUS(OK, objseal_info_field(info, 0xFFFF, field, sizeof field, &field_len), info);
    CHECK(field_len == 5 && memcmp(field, "tiers", 5) == 0);
    STATUS(OK, objseal_info_field(info, 0xC000, NULL, 0, &field_len), info);
    CHECK(field_len == 0);
    STATUS(OUT_OF_RANGE, objseal_info_field(info, 0xC001, field, sizeof field, &field_len), info);
    STATUS(OUT_OF_RANGE, objseal_info_field(info, 1, field, sizeof field, &field_len), info);
    objseal_info_free(info);
    objseal_reader_free(reader);
    OK(objseal_seal_options_new(&moved));
    STATUS(OK, objseal_seal_options_add_key(moved, 1, key), moved);
    STATUS(OK, objseal_seal_options_bind_context(moved, "name", "dog.jpg"), moved);
    STATUS(OK, objseal_seal_options_set_field(moved, 0xC000, (const uint8_t *)"anew", 4), moved);
    STATUS(OK, objseal_rewrap(open_options, moved, read_memory, write_memory, &from, len), open_options);
    CHECK(opened(open_options, stored, len, plain, 100) == OBJSEAL_STATUS_POLICY);
    OK(objseal_inspect(read_memory, &from, len, &info));
    STATUS(OK, objseal_info_field(info, 0xFFFF, field, sizeof field, &field_len), info);
    CHECK(field_len == 5 && memcmp(field, "tiers", 5) == 0);
    STATUS(OK, objseal_info_field(info, 0xC000, field, sizeof field, &field_len), info);
    CHECK(field_len == 4 && memcmp(field, "anew", 4) == 0);
    objseal_info_free(info);
    objseal_open_options_free(open_options);
    OK(objseal_open_options_new(&open_options));
    STATUS(OK, objseal_open_options_add_key(open_options, key), open_options);
    STATUS(OK, objseal_open_options_add_context(open_options, "name", "dog.jpg"), open_options);
    demanded(open_options, stored, len, plain, OBJSEAL_STATUS_OK);
    objseal_seal_options_free(seal_options);
    objseal_seal_options_free(moved);
    objseal_key_free(key);
    free(plain);
    free(stored);
}

/* Options that put an object under the latest versions of its keys, and keep its context. */
static objseal_seal_options *same_names(const objseal_info *info, const objseal_keyring *keyring) {
    objseal_seal_options *seal_options = NULL;
    const char *key = NULL, *value = NULL, *service = NULL, *bound = objseal_info_bound_key(info, 0);
    uint8_t layer = 0;
    uint32_t version = 0;
    OK(objseal_seal_options_new(&seal_options));
    for (size_t i = 0, at = 0; objseal_info_context(info, i, &key, &value) == OBJSEAL_STATUS_OK; i++) {
        if (bound != NULL && strcmp(bound, key) == 0) {
            OK(objseal_seal_options_bind_context(seal_options, key, value));
            bound = objseal_info_bound_key(info, ++at);
        } else {
            OK(objseal_seal_options_add_context(seal_options, key, value));
        }
    }
    for (size_t i = 0; objseal_info_key(info, i, &layer, &service, &key, &version) == OBJSEAL_STATUS_OK; i++)
        STATUS(OK, objseal_seal_options_add_keyring_key(seal_options, layer, keyring, key), seal_options);
    return seal_options;
}

/* A rotation: names come from the opened object, and the object id sees to it that it is this one which is rewrapped. */
static void rotation(const char *folder) {
    char path[500];
    uint8_t *plain = pattern(100), id[OBJSEAL_OBJECT_ID_LEN], layer = 0;
    size_t len = 0, other_len = 0;
    uint32_t version = 0;
    const char *name = NULL, *value = NULL, *service = NULL;
    objseal_keyring *keyring = NULL;
    objseal_seal_options *seal_options = NULL;
    objseal_open_options *open_options = NULL;
    objseal_reader *reader = NULL;
    objseal_info *info = NULL;
    snprintf(path, sizeof path, "%s/rotation", folder);
    OK(objseal_keyring_new(&keyring));
    STATUS(OK, objseal_keyring_create(keyring, path, NULL, "photos"), keyring);
    OK(objseal_seal_options_new(&seal_options));
    STATUS(OK, objseal_seal_options_add_keyring_key(seal_options, 1, keyring, "photos"), seal_options);
    STATUS(OK, objseal_seal_options_bind_context(seal_options, "name", "cat.jpg"), seal_options);
    STATUS(OK, objseal_seal_options_add_context(seal_options, "colour", "green"), seal_options);
    uint8_t *stored = sealed(seal_options, plain, 100, &len), *other = sealed(seal_options, plain, 100, &other_len);
    CHECK(len == other_len);
    memory from = {stored, len, 0}, from_other = {other, len, 0};
    OK(objseal_open_options_new(&open_options));
    STATUS(OK, objseal_open_options_add_keyring(open_options, keyring), open_options);
    STATUS(OK, objseal_open_options_add_context(open_options, "name", "cat.jpg"), open_options);
    STATUS(OK, objseal_open_options_any_stored_context(open_options), open_options);

    STATUS(OK, objseal_keyring_rotate(keyring, "photos", NULL), keyring);
    STATUS(OK, objseal_reader_new(open_options, read_memory, &from, len, &reader), open_options);
    STATUS(OK, objseal_reader_info(reader, &info), reader);
    objseal_seal_options *under_latest = same_names(info, keyring);
    STATUS(OK, objseal_info_object_id(info, id), info);
    STATUS(OK, objseal_open_options_set_object_id(open_options, id), open_options);
    objseal_info_free(info);
    objseal_reader_free(reader);
    /* Behind the reader's back the store puts another object there. */
    STATUS(POLICY, objseal_rewrap(open_options, under_latest, read_memory, write_memory, &from_other, len), open_options);
    STATUS(OK, objseal_rewrap(open_options, under_latest, read_memory, write_memory, &from, len), open_options);
    CHECK(opened(open_options, stored, len, plain, 100) == OBJSEAL_STATUS_OK);
    OK(objseal_inspect(read_memory, &from, len, &info));
    STATUS(OK, objseal_info_key(info, 0, &layer, &service, &name, &version), info);
    CHECK(strcmp(name, "photos") == 0 && version == 2);
    STATUS(OK, objseal_info_context(info, 0, &name, &value), info);
    CHECK(strcmp(name, "colour") == 0 && strcmp(objseal_info_bound_key(info, 0), "name") == 0);
    objseal_info_free(info);
    OK(objseal_inspect(read_memory, &from_other, len, &info));
    CHECK(objseal_info_generation(info) == 1);
    objseal_info_free(info);
    objseal_seal_options_free(seal_options);
    objseal_seal_options_free(under_latest);
    objseal_open_options_free(open_options);
    objseal_keyring_free(keyring);
    free(plain);
    free(stored);
    free(other);
}

/* What goes wrong with the file of a keyring: which file, in the words of the system, and with its number. */
static void files_of_keyrings(const char *folder) {
    char path[500], nowhere[500], link_to[500], lock[520];
    objseal_keyring *keyring = NULL;
    snprintf(nowhere, sizeof nowhere, "%s/nowhere", folder);
    snprintf(path, sizeof path, "%s/nowhere/keyring", folder);
    OK(objseal_keyring_new(&keyring));
    CHECK(objseal_last_errno(keyring) == 0 && objseal_last_errno(NULL) == 0);
    STATUS(IO, objseal_keyring_create(keyring, path, NULL, "photos"), keyring);
    CHECK(says(keyring, path) && says(keyring, strerror(ENOENT)) && objseal_last_errno(keyring) == ENOENT);
    CHECK(access(nowhere, F_OK) != 0); /* It makes no folder. */

    snprintf(path, sizeof path, "%s/files", folder);
    STATUS(IO, objseal_keyring_open(keyring, path, NULL), keyring);
    CHECK(says(keyring, path) && says(keyring, strerror(ENOENT)) && objseal_last_errno(keyring) == ENOENT);
    STATUS(IO, objseal_keyring_open(keyring, folder, NULL), keyring);
    CHECK(says(keyring, folder) && says(keyring, strerror(EISDIR)) && objseal_last_errno(keyring) == EISDIR);
    STATUS(OK, objseal_keyring_create(keyring, path, NULL, "photos"), keyring);
    STATUS(IO, objseal_keyring_create(keyring, path, NULL, "photos"), keyring);
    CHECK(says(keyring, path) && says(keyring, strerror(EEXIST)) && objseal_last_errno(keyring) == EEXIST);
    STATUS(KEYRING, objseal_keyring_add(keyring, "photos"), keyring);
    CHECK(says(keyring, path) && objseal_last_errno(keyring) == 0);
    STATUS(KEY_NOT_FOUND, objseal_keyring_rotate(keyring, "none", NULL), keyring);
    CHECK(says(keyring, path));

    /* What no output may replace. */
    snprintf(lock, sizeof lock, "%s.lock", path);
    snprintf(link_to, sizeof link_to, "%s/link", folder);
    CHECK(symlink("files", link_to) == 0 && access(lock, F_OK) == 0);
    CHECK(objseal_keyring_is_at(path) && objseal_keyring_is_at(lock) && objseal_keyring_is_at(link_to));
    CHECK(!objseal_keyring_is_at(nowhere) && !objseal_keyring_is_at(folder) && !objseal_keyring_is_at(NULL));
    CHECK(unlink(link_to) == 0);

    CHECK(chmod(path, 0644) == 0);
    STATUS(KEYRING, objseal_keyring_reload(keyring), keyring);
    CHECK(says(keyring, path) && says(keyring, "644") && objseal_last_errno(keyring) == 0);
    CHECK(unlink(path) == 0);
    STATUS(IO, objseal_keyring_reload(keyring), keyring);
    CHECK(says(keyring, path) && objseal_last_errno(keyring) == ENOENT);
    objseal_keyring_free(keyring);
}

static void passphrases(const char *folder) {
    char path[500];
    objseal_keyring *keyring = NULL;
    snprintf(path, sizeof path, "%s/passphrases", folder);
    OK(objseal_keyring_new(&keyring));
    /* An empty one protects nothing; who wants none says NULL. */
    STATUS(ARGUMENT, objseal_keyring_create(keyring, path, "", "photos"), keyring);
    CHECK(says(keyring, "a passphrase is not empty") && access(path, F_OK) != 0);
    /* One letter, however the keyboard encodes it. */
    STATUS(OK, objseal_keyring_create(keyring, path, "a\xcc\x88", "photos"), keyring);
    STATUS(OK, objseal_keyring_open(keyring, path, "\xc3\xa4"), keyring);
    STATUS(ARGUMENT, objseal_keyring_open(keyring, path, ""), keyring);
    CHECK(says(keyring, "a passphrase is not empty"));
    STATUS(KEYRING, objseal_keyring_open(keyring, path, "a"), keyring);
    CHECK(says(keyring, path) && says(keyring, "wrong passphrase"));
    objseal_keyring_free(keyring);
}

/* That `call` finds no key for version 2 of "photos", and says that the keyring may have it by now. */
#define BEHIND(call, handle)                                                                       \
    do {                                                                                           \
        STATUS(KEY_NOT_FOUND, call, handle);                                                       \
        CHECK(says(handle, "version 2 of \"photos\" of \"keyring\""));                             \
        CHECK(says(handle, "up to version 1, and objseal_keyring_reload reads its file again"));   \
    } while (0)

/* A keyring that another process has rotated. */
static void versions_of_keys(const char *folder) {
    char path[500], text[500];
    objseal_key *key = key_of(1);
    objseal_keyring *keyring = NULL, *behind = NULL;
    objseal_seal_options *seal_options = NULL, *of_upload = NULL;
    objseal_open_options *open_options = NULL, *with_key = NULL;
    snprintf(path, sizeof path, "%s/versions", folder);
    OK(objseal_keyring_new(&keyring));
    OK(objseal_keyring_new(&behind));
    STATUS(OK, objseal_keyring_create(keyring, path, NULL, "photos"), keyring);
    STATUS(OK, objseal_keyring_open(behind, path, NULL), behind);
    STATUS(OK, objseal_keyring_rotate(keyring, "photos", NULL), keyring);
    STATUS(OK, objseal_keyring_add(keyring, "films"), keyring);
    OK(objseal_seal_options_new(&seal_options));
    STATUS(OK, objseal_seal_options_add_keyring_key(seal_options, 1, keyring, "photos"), seal_options);
    OK(objseal_open_options_new(&open_options));
    STATUS(OK, objseal_open_options_add_keyring(open_options, behind), open_options);

    uint8_t *plain = pattern(100), out[20000], head[OBJSEAL_MAX_HEAD_LEN], state[4096];
    size_t len = 0, written = 0, head_len = 0, state_len = 0;
    uint8_t *stored = sealed(seal_options, plain, 100, &len);
    memory from = {stored, len, 0};
    objseal_opener *opener = NULL;
    objseal_reader *reader = NULL;
    objseal_envelope *envelope = NULL;
    objseal_upload *upload = NULL;
    pipe_ends ends = {stored, len, 0, 0, out, sizeof out, 0};
    BEHIND(objseal_open(open_options, stored, len, out, sizeof out, &written, 1), open_options);
    BEHIND(objseal_open_stream(open_options, pull, &ends, push, &ends, 1, NULL), open_options);
    BEHIND(objseal_reader_new(open_options, read_memory, &from, len, &reader), open_options);
    BEHIND(objseal_rewrap(open_options, seal_options, read_memory, write_memory, &from, len), open_options);
    STATUS(OK, objseal_opener_new(open_options, &opener), open_options);
    BEHIND(objseal_opener_update(opener, stored, len, out, sizeof out, &written), opener);
    objseal_opener_free(opener);
    STATUS(OK, objseal_envelope_seal(seal_options, plain, 100, out, sizeof out, &written, 1, &envelope), seal_options);
    STATUS(OK, objseal_envelope_head(envelope, head, sizeof head, &head_len), envelope);
    objseal_envelope_free(envelope);
    BEHIND(objseal_envelope_open(open_options, head, head_len, &envelope), open_options);

    OK(objseal_seal_options_new(&of_upload));
    STATUS(OK, objseal_seal_options_add_keyring_key(of_upload, 1, keyring, "photos"), of_upload);
    STATUS(OK, objseal_seal_options_set_upload_keyring_key(of_upload, keyring, "photos"), of_upload);
    STATUS(OK, objseal_upload_new(of_upload, NULL, 0, &upload), of_upload);
    STATUS(OK, objseal_upload_state(upload, state, sizeof state, &state_len), upload);
    objseal_upload_free(upload);
    BEHIND(objseal_upload_resume(open_options, NULL, 0, state, state_len, &upload), open_options);
    STATUS(OK, objseal_seal_options_set_upload_key(of_upload, key), of_upload);
    STATUS(OK, objseal_upload_new(of_upload, NULL, 0, &upload), of_upload);
    STATUS(OK, objseal_upload_state(upload, state, sizeof state, &state_len), upload);
    objseal_upload_free(upload);
    OK(objseal_open_options_new(&with_key));
    STATUS(OK, objseal_open_options_add_key(with_key, key), with_key);
    STATUS(OK, objseal_upload_resume(with_key, NULL, 0, state, state_len, &upload), with_key);
    BEHIND(objseal_upload_unlock(upload, open_options), upload);
    objseal_upload_free(upload);
    objseal_open_options_free(with_key);
    objseal_seal_options_free(of_upload);

    /* A key of another name would not be found by that. */
    OK(objseal_seal_options_new(&of_upload));
    STATUS(OK, objseal_seal_options_add_keyring_key(of_upload, 1, keyring, "films"), of_upload);
    free(stored);
    stored = sealed(of_upload, plain, 100, &len);
    STATUS(KEY_NOT_FOUND, objseal_open(open_options, stored, len, out, sizeof out, &written, 1), open_options);
    objseal_last_error(open_options, text, sizeof text);
    CHECK(strstr(text, "version 1 of \"films\"") != NULL && strstr(text, "reload") == NULL);
    objseal_seal_options_free(of_upload);

    /* Nor would one that is not accepted, in whatever version. */
    free(stored);
    stored = sealed(seal_options, plain, 100, &len);
    STATUS(OK, objseal_keyring_reload(behind), behind);
    STATUS(OK, objseal_open(open_options, stored, len, out, sizeof out, &written, 1), open_options);
    STATUS(OK, objseal_open_options_accept_key(open_options, 0, "films"), open_options);
    STATUS(KEY_NOT_FOUND, objseal_open(open_options, stored, len, out, sizeof out, &written, 1), open_options);
    objseal_last_error(open_options, text, sizeof text);
    CHECK(strstr(text, "version 2 of \"photos\"") != NULL && strstr(text, "reload") == NULL);
    objseal_open_options_free(open_options);
    objseal_seal_options_free(seal_options);
    objseal_keyring_free(keyring);
    objseal_keyring_free(behind);
    objseal_key_free(key);
    free(plain);
    free(stored);
}

static void head_and_body(void) {
    objseal_key *key = key_of(1);
    for (int layers = 1; layers <= 2; layers++) {
        objseal_seal_options *seal_options = seal_options_under(key, layers);
        objseal_open_options *open_options = open_options_with(key);
        STATUS(OK, objseal_seal_options_set_digests(seal_options, OBJSEAL_SHA256), seal_options);
        size_t len = 100000, head_len = 0, body_len = 0, total = 0;
        uint64_t needed = 0;
        OK(objseal_body_sealed_len((uint8_t)layers, len, &needed));
        uint8_t *plain = pattern(len), *out = ROOM(len), *body = ROOM((size_t)needed), head[OBJSEAL_MAX_HEAD_LEN];
        objseal_envelope *made = NULL, *envelope = NULL, *rewrapped = NULL;
        objseal_info *info = NULL;
        STATUS(OK, objseal_envelope_seal(seal_options, plain, len, body, (size_t)needed, &body_len, 2, &made), seal_options);
        CHECK(body_len == needed);
        STATUS(OUTPUT_TOO_SMALL, objseal_envelope_head(made, head, 10, &head_len), made);
        STATUS(OK, objseal_envelope_head(made, head, sizeof head, &head_len), made);
        OK(objseal_envelope_inspect(head, head_len, &info));
        CHECK(objseal_info_layers(info) == layers && objseal_info_plaintext_len(info) == UINT64_MAX);
        objseal_info_free(info);
        for (int way = 0; way < 2; way++) {
            STATUS(OK, objseal_envelope_open(open_options, head, head_len, &envelope), open_options);
            STATUS(OK, objseal_envelope_info(envelope, &info), envelope);
            CHECK(objseal_info_plaintext_len(info) == len);
            uint8_t digest[32];
            CHECK(objseal_info_digest(info, OBJSEAL_SHA256, digest, 32) == 32);
            objseal_info_free(info);
            objseal_opener *opener = NULL;
            STATUS(OK, objseal_envelope_opener_new(envelope, &opener), envelope);
            CHECK(push_opened(opener, body, body_len, 30000, out, &total) == OBJSEAL_STATUS_OK);
            CHECK(total == len && memcmp(out, plain, len) == 0);
            objseal_opener_free(opener);
            memory from = {body, body_len, 0};
            objseal_reader *reader = NULL;
            STATUS(OK, objseal_envelope_reader_new(envelope, read_memory, &from, body_len, &reader), envelope);
            objseal_envelope_free(envelope);
            memset(out, 0, len);
            STATUS(OK, objseal_reader_read(reader, 40000, out, 20000, 1), reader);
            CHECK(memcmp(out, plain + 40000, 20000) == 0);
            objseal_reader_free(reader);
            /* Once more with a body in pieces. */
            objseal_sealer *sealer = NULL;
            STATUS(OK, objseal_envelope_sealer_new(seal_options, &sealer), seal_options);
            STATUS(ARGUMENT, objseal_sealer_envelope(sealer, &envelope), sealer);
            free(body);
            body = push_sealed(sealer, plain, len, 12345, &body_len);
            CHECK(body_len == needed);
            STATUS(OK, objseal_sealer_envelope(sealer, &envelope), sealer);
            STATUS(OK, objseal_envelope_head(envelope, head, sizeof head, &head_len), envelope);
            objseal_envelope_free(envelope);
            objseal_sealer_free(sealer);
        }
        head[head_len - 1] ^= 1;
        STATUS(AUTHENTICATION, objseal_envelope_open(open_options, head, head_len, &envelope), open_options);
        CHECK(envelope == NULL);
        head[head_len - 1] ^= 1;
        STATUS(FORMAT, objseal_envelope_open(open_options, head, 3, &envelope), open_options);
        /* The body of one under the head of the other. */
        objseal_opener *opener = NULL;
        STATUS(OK, objseal_envelope_opener_new(made, &opener), made);
        CHECK(push_opened(opener, body, body_len, 30000, out, &total) == OBJSEAL_STATUS_AUTHENTICATION && total == 0);
        objseal_opener_free(opener);
        STATUS(OK, objseal_envelope_rewrap(made, seal_options, &rewrapped), made);
        STATUS(OK, objseal_envelope_info(rewrapped, &info), rewrapped);
        CHECK(objseal_info_generation(info) == 2);
        objseal_info_free(info);
        objseal_envelope_free(rewrapped);
        objseal_envelope_free(made);
        objseal_seal_options_free(seal_options);
        objseal_open_options_free(open_options);
        free(body);
        free(out);
        free(plain);
    }
    objseal_key_free(key);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    every_size();
    policy_info_and_rewrap(argv[1]);
    digests();
    bound_pairs_and_fields();
    rotation(argv[1]);
    files_of_keyrings(argv[1]);
    passphrases(argv[1]);
    versions_of_keys(argv[1]);
    head_and_body();
    printf("objects: as they should be on %s\n", objseal_best_engine());
    return 0;
}
