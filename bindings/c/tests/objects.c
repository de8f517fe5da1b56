/* Objects that are one file, head and body apart, keyrings, policy: everything that goes well, and each refusal for its reason. */

#include "check.h"

#include <unistd.h>

static const size_t SIZES[] = {0, 1, 100, 16383, 16384, 16385, 65536, 262144, 300000, 1000003};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static objseal_sealing *sealing_under(const objseal_key *key, int layers) {
    objseal_sealing *sealing = NULL;
    OK(objseal_sealing_new(&sealing));
    for (int layer = 1; layer <= layers; layer++) STATUS(OK, objseal_sealing_add_key(sealing, (uint8_t)layer, key), sealing);
    STATUS(OK, objseal_sealing_add_context(sealing, "name", "cat.jpg"), sealing);
    return sealing;
}

static objseal_opening *opening_with(const objseal_key *key) {
    objseal_opening *opening = NULL;
    OK(objseal_opening_new(&opening));
    STATUS(OK, objseal_opening_add_key(opening, key), opening);
    STATUS(OK, objseal_opening_add_context(opening, "name", "cat.jpg"), opening);
    return opening;
}

static uint8_t *sealed(const objseal_sealing *sealing, const uint8_t *plain, size_t len, size_t *out_len) {
    uint64_t needed = 0;
    STATUS(OK, objseal_sealed_len(sealing, len, &needed), sealing);
    uint8_t *out = ROOM((size_t)needed);
    if (needed > 0)
        STATUS(OUTPUT_TOO_SMALL, objseal_seal(sealing, plain, len, out, (size_t)needed - 1, out_len, 1), sealing);
    CHECK(*out_len == needed);
    STATUS(OK, objseal_seal(sealing, plain, len, out, (size_t)needed, out_len, len % 2 ? 1 : 2), sealing);
    CHECK(*out_len == needed);
    return out;
}

/* How an object ends that is opened at once, in pieces, and at any offset; all must agree. */
static objseal_status opened(const objseal_opening *opening, const uint8_t *stored, size_t len, const uint8_t *plain,
                             size_t plain_len) {
    uint8_t *out = ROOM(len + 1);
    size_t written = 0;
    memset(out, 0xEE, len + 1);
    objseal_status status = objseal_open(opening, stored, len, out, len, &written, 2);
    if (status == OBJSEAL_STATUS_OK) CHECK(written == plain_len && memcmp(out, plain, plain_len) == 0);
    else CHECK(all(out, len + 1, 0xEE) || (all(out, written, 0) && all(out + written, len + 1 - written, 0xEE)));

    size_t steps[] = {1009, 65536, len + 1};
    for (size_t i = 0; i < COUNT(steps); i++) {
        objseal_opener *opener = NULL;
        size_t total = 0;
        STATUS(OK, objseal_opener_new(opening, &opener), opening);
        objseal_status pushed = push_opened(opener, stored, len, steps[i], out, &total);
        if (pushed != status) fprintf(stderr, "pushed: %d, at once: %d\n", (int)pushed, (int)status);
        CHECK(pushed == status);
        CHECK(total <= plain_len && memcmp(out, plain, total) == 0);
        CHECK(status != OBJSEAL_STATUS_OK || total == plain_len);
        objseal_opener_free(opener);
    }

    memory from = {stored, len, 0};
    objseal_reader *reader = NULL;
    objseal_status read = objseal_reader_new(opening, read_memory, &from, len, &reader);
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

static void streams(const objseal_sealing *sealing, const objseal_opening *opening, const uint8_t *plain, size_t len) {
    uint8_t *stored = ROOM(len + 100000), *out = ROOM(len);
    pipe_ends in = {plain, len, 0, 0, stored, len + 100000, 0}, back = {stored, 0, 0, 0, out, len, 0};
    objseal_info *info = NULL;
    STATUS(OK, objseal_seal_stream(sealing, pull, &in, push, &in, 2, &info), sealing);
    CHECK(objseal_info_plaintext_len(info) == len && objseal_info_etag(info) == NULL);
    objseal_info_free(info);
    back.len = in.written;
    STATUS(OK, objseal_open_stream(opening, pull, &back, push, &back, 2, NULL), opening);
    CHECK(back.written == len && memcmp(out, plain, len) == 0);
    CHECK(opened(opening, stored, in.written, plain, len) == OBJSEAL_STATUS_OK);

    back.at = 0;
    back.written = 0;
    back.capacity = len - 1;
    char text[200];
    STATUS(IO, objseal_open_stream(opening, pull, &back, push, &back, 1, NULL), opening);
    CHECK(objseal_last_error(opening, text, sizeof text) > 0 && strstr(text, "28") != NULL);
    in.at = 0;
    in.written = 0;
    in.fail_at = len / 2;
    STATUS(IO, objseal_seal_stream(sealing, pull, &in, push, &in, 1, NULL), sealing);
    free(stored);
    free(out);
}

static void every_size(void) {
    objseal_key *key = key_of(1), *other = key_of(2);
    for (int layers = 1; layers <= 2; layers++) {
        objseal_sealing *sealing = sealing_under(key, layers);
        objseal_opening *opening = opening_with(key), *wrong = opening_with(other);
        for (size_t i = 0; i < COUNT(SIZES); i++) {
            size_t len = SIZES[i], stored_len = 0, pushed_len = 0;
            uint8_t *plain = pattern(len), *stored = sealed(sealing, plain, len, &stored_len);
            CHECK(opened(opening, stored, stored_len, plain, len) == OBJSEAL_STATUS_OK);
            CHECK(opened(wrong, stored, stored_len, plain, len) == OBJSEAL_STATUS_AUTHENTICATION);
            size_t steps[] = {1000, 65537, len + 1};
            for (size_t step = 0; step < COUNT(steps); step++) {
                objseal_sealer *sealer = NULL;
                objseal_info *info = NULL;
                STATUS(OK, objseal_sealer_new(sealing, &sealer), sealing);
                STATUS(ARGUMENT, objseal_sealer_info(sealer, &info), sealer);
                uint8_t *pushed = push_sealed(sealer, plain, len, steps[step], &pushed_len);
                STATUS(OK, objseal_sealer_info(sealer, &info), sealer);
                CHECK(objseal_info_plaintext_len(info) == len && objseal_info_layers(info) == layers);
                CHECK(pushed_len == stored_len);
                CHECK(opened(opening, pushed, pushed_len, plain, len) == OBJSEAL_STATUS_OK);
                objseal_info_free(info);
                objseal_sealer_free(sealer);
                free(pushed);
            }
            if (len == 1000003) streams(sealing, opening, plain, len);

            /* What is changed, cut or longer. */
            size_t places[] = {OBJSEAL_BODY_OFFSET, OBJSEAL_BODY_OFFSET + 60, (OBJSEAL_BODY_OFFSET + stored_len) / 2, stored_len - 30};
            for (size_t at = 0; at < COUNT(places); at++) {
                stored[places[at]] ^= 1;
                CHECK(opened(opening, stored, stored_len, plain, len) == OBJSEAL_STATUS_AUTHENTICATION);
                stored[places[at]] ^= 1;
            }
            CHECK(opened(opening, stored, stored_len - 1, plain, len) == OBJSEAL_STATUS_AUTHENTICATION);
            CHECK(opened(opening, stored, 100, plain, len) == OBJSEAL_STATUS_FORMAT);
            /* One slot is enough; without both it is not a sealed file. */
            stored[50] ^= 1;
            CHECK(opened(opening, stored, stored_len, plain, len) == OBJSEAL_STATUS_OK);
            stored[4096 + 50] ^= 1;
            CHECK(opened(opening, stored, stored_len, plain, len) == OBJSEAL_STATUS_FORMAT);
            free(plain);
            free(stored);
        }
        objseal_sealing_free(sealing);
        objseal_opening_free(opening);
        objseal_opening_free(wrong);
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

static void demanded(objseal_opening *opening, const uint8_t *stored, size_t len, const uint8_t *plain, objseal_status status) {
    CHECK(opened(opening, stored, len, plain, 100) == status);
    objseal_opening_free(opening);
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
    STATUS(OK, objseal_keyring_open(again, path, NULL), again);
    STATUS(OK, objseal_keyring_add(keyring, "outer"), keyring);
    STATUS(KEYRING, objseal_keyring_add(keyring, "outer"), keyring);
    STATUS(OUT_OF_RANGE, objseal_keyring_key(again, 1, &name, &version), again);
    STATUS(OK, objseal_keyring_reload(again), again);
    STATUS(OK, objseal_keyring_key(again, 0, &name, &version), again);
    CHECK(strcmp(name, "outer") == 0 && version == 1);
    STATUS(KEY_NOT_FOUND, objseal_keyring_rotate(keyring, "none", &version), keyring);

    objseal_sealing *sealing = NULL;
    OK(objseal_sealing_new(&sealing));
    STATUS(ARGUMENT, objseal_sealing_add_keyring_key(sealing, 2, keyring, "outer"), sealing);
    STATUS(ARGUMENT, objseal_sealing_add_keyring_key(sealing, 3, keyring, "outer"), sealing);
    uint64_t sealed_len = 0;
    size_t written = 0;
    uint8_t *stored = ROOM(20000);
    STATUS(FORMAT, objseal_seal(sealing, plain, 100, stored, 20000, &written, 1), sealing);
    free(stored);
    STATUS(OK, objseal_sealing_add_keyring_key(sealing, 1, keyring, "photos"), sealing);
    STATUS(OK, objseal_sealing_add_keyring_key(sealing, 2, keyring, "outer"), sealing);
    STATUS(OK, objseal_sealing_add_context(sealing, "name", "cat.jpg"), sealing);
    STATUS(ARGUMENT, objseal_sealing_add_context(sealing, "name", "dog.jpg"), sealing);
    STATUS(OK, objseal_sealing_set_digests(sealing, OBJSEAL_CRC32C | OBJSEAL_MD5), sealing);
    STATUS(ARGUMENT, objseal_sealing_set_digests(sealing, 64), sealing);
    STATUS(ENGINE, objseal_sealing_set_engine(sealing, 1, "none"), sealing);
    STATUS(ARGUMENT, objseal_sealing_set_engine(sealing, 0, "soft"), sealing);
    STATUS(OK, objseal_sealing_set_engine(sealing, 1, "soft"), sealing);
    STATUS(OK, objseal_sealing_set_check(sealing, true), sealing);
    stored = sealed(sealing, plain, 100, &len);
    CHECK(objseal_sealed_len(sealing, 100, &sealed_len) == OBJSEAL_STATUS_OK && sealed_len == len);
    STATUS(TOO_LONG, objseal_sealed_len(sealing, UINT64_MAX, &sealed_len), sealing);

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

#define OPENING(more)                                                                              \
    do {                                                                                           \
        OK(objseal_opening_new(&opening));                                                         \
        STATUS(OK, objseal_opening_add_keyring(opening, keyring), opening);                        \
        STATUS(OK, objseal_opening_add_context(opening, "name", "cat.jpg"), opening);              \
        STATUS(OK, more, opening);                                                                 \
    } while (0)
    objseal_opening *opening = NULL;
    OPENING(objseal_opening_set_minimum_layers(opening, 2));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_OK);
    OPENING(objseal_opening_set_minimum_layers(opening, 3));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_POLICY);
    OPENING(objseal_opening_set_minimum_generation(opening, 1));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_OK);
    OPENING(objseal_opening_set_minimum_generation(opening, 2));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_POLICY);
    OPENING(objseal_opening_set_object_id(opening, id));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_OK);
    id[0] ^= 1;
    OPENING(objseal_opening_set_object_id(opening, id));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_POLICY);
    OPENING(objseal_opening_accept_suite(opening, "Cobblestone-256"));
    STATUS(ARGUMENT, objseal_opening_accept_suite(opening, "none"), opening);
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_OK);
    OPENING(objseal_opening_accept_service(opening, "keyring"));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_OK);
    OPENING(objseal_opening_accept_service(opening, "single-key"));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_KEY_NOT_FOUND);
    OPENING(objseal_opening_accept_key(opening, "photos"));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_KEY_NOT_FOUND);
    OPENING(objseal_opening_accept_key(opening, "photos"));
    STATUS(OK, objseal_opening_accept_key(opening, "outer"), opening);
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_OK);
    OPENING(objseal_opening_add_context(opening, "more", ""));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_POLICY);
    OPENING(objseal_opening_any_context(opening));
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_OK);
    OPENING(objseal_opening_set_engine(opening, 2, "rustcrypto"));
    STATUS(ARGUMENT, objseal_opening_add_keyring(opening, keyring), opening);
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_OK);
    OK(objseal_opening_new(&opening));
    STATUS(OK, objseal_opening_add_keyring(opening, keyring), opening);
    demanded(opening, stored, len, plain, OBJSEAL_STATUS_POLICY);

    objseal_reader *reader = NULL;
    OPENING(objseal_opening_any_context(opening));
    STATUS(OK, objseal_reader_new(opening, read_memory, &from, len, &reader), opening);
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

    /* A rotated key, under which the object is put; what was made of the keyring goes by the new version. */
    STATUS(OK, objseal_keyring_rotate(keyring, "photos", &version), keyring);
    CHECK(version == 2);
    uint8_t *before = ROOM(len);
    memcpy(before, stored, len);
    STATUS(OK, objseal_rewrap(opening, sealing, read_memory, write_memory, &from, len), opening);
    CHECK(memcmp(before + OBJSEAL_BODY_OFFSET, stored + OBJSEAL_BODY_OFFSET, len - OBJSEAL_BODY_OFFSET) == 0);
    OK(objseal_inspect(read_memory, &from, len, &info));
    STATUS(OK, objseal_info_key(info, 0, &layer, &service, &name, &version), info);
    CHECK(version == 2 && objseal_info_generation(info) == 2);
    objseal_info_free(info);
    CHECK(opened(opening, stored, len, plain, 100) == OBJSEAL_STATUS_OK);
    STATUS(OK, objseal_opening_set_minimum_generation(opening, 2), opening);
    CHECK(opened(opening, before, len, plain, 100) == OBJSEAL_STATUS_POLICY);
    objseal_opening_free(opening);

    /* The other handle of the same file does not have the new version until it reads it. */
    OK(objseal_opening_new(&opening));
    STATUS(OK, objseal_opening_any_context(opening), opening);
    STATUS(OK, objseal_opening_add_keyring(opening, again), opening);
    CHECK(opened(opening, stored, len, plain, 100) == OBJSEAL_STATUS_KEY_NOT_FOUND);
    STATUS(OK, objseal_keyring_reload(again), again);
    objseal_keyring_free(again);
    CHECK(opened(opening, stored, len, plain, 100) == OBJSEAL_STATUS_OK);
    objseal_opening_free(opening);
    objseal_keyring_free(keyring);

    /* A passphrase. */
    snprintf(path, sizeof path, "%s/protected", folder);
    OK(objseal_keyring_new(&keyring));
    STATUS(OK, objseal_keyring_create(keyring, path, "correct horse", "photos"), keyring);
    STATUS(KEYRING, objseal_keyring_open(keyring, path, "wrong"), keyring);
    STATUS(KEYRING, objseal_keyring_open(keyring, path, NULL), keyring);
    STATUS(OK, objseal_keyring_open(keyring, path, "correct horse"), keyring);
    objseal_keyring_free(keyring);
    objseal_sealing_free(sealing);
    free(before);
    free(stored);
    free(plain);
}

static void head_and_body(void) {
    objseal_key *key = key_of(1);
    for (int layers = 1; layers <= 2; layers++) {
        objseal_sealing *sealing = sealing_under(key, layers);
        objseal_opening *opening = opening_with(key);
        STATUS(OK, objseal_sealing_set_digests(sealing, OBJSEAL_SHA256), sealing);
        size_t len = 100000, head_len = 0, body_len = 0, total = 0;
        uint64_t needed = 0;
        OK(objseal_body_sealed_len((uint8_t)layers, len, &needed));
        uint8_t *plain = pattern(len), *out = ROOM(len), *body = ROOM((size_t)needed), head[OBJSEAL_MAX_HEAD_LEN];
        objseal_envelope *made = NULL, *envelope = NULL, *rewrapped = NULL;
        objseal_info *info = NULL;
        STATUS(OK, objseal_envelope_seal(sealing, plain, len, body, (size_t)needed, &body_len, 2, &made), sealing);
        CHECK(body_len == needed);
        STATUS(OUTPUT_TOO_SMALL, objseal_envelope_head(made, head, 10, &head_len), made);
        STATUS(OK, objseal_envelope_head(made, head, sizeof head, &head_len), made);
        OK(objseal_envelope_inspect(head, head_len, &info));
        CHECK(objseal_info_layers(info) == layers && objseal_info_plaintext_len(info) == UINT64_MAX);
        objseal_info_free(info);
        for (int way = 0; way < 2; way++) {
            STATUS(OK, objseal_envelope_open(opening, head, head_len, &envelope), opening);
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
            STATUS(OK, objseal_envelope_sealer_new(sealing, &sealer), sealing);
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
        STATUS(AUTHENTICATION, objseal_envelope_open(opening, head, head_len, &envelope), opening);
        CHECK(envelope == NULL);
        head[head_len - 1] ^= 1;
        STATUS(FORMAT, objseal_envelope_open(opening, head, 3, &envelope), opening);
        /* The body of one under the head of the other. */
        objseal_opener *opener = NULL;
        STATUS(OK, objseal_envelope_opener_new(made, &opener), made);
        CHECK(push_opened(opener, body, body_len, 30000, out, &total) == OBJSEAL_STATUS_AUTHENTICATION && total == 0);
        objseal_opener_free(opener);
        STATUS(OK, objseal_envelope_rewrap(made, sealing, &rewrapped), made);
        STATUS(OK, objseal_envelope_info(rewrapped, &info), rewrapped);
        CHECK(objseal_info_generation(info) == 2);
        objseal_info_free(info);
        objseal_envelope_free(rewrapped);
        objseal_envelope_free(made);
        objseal_sealing_free(sealing);
        objseal_opening_free(opening);
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
    head_and_body();
    printf("objects: as they should be on %s\n", objseal_best_engine());
    return 0;
}
