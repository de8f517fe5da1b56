/* Bare messages: every size, and what a hostile store can do to them. */

#include "bare.h"

#define CHUNK OBJSEAL_CHUNK_LEN
#define SEALED (OBJSEAL_CHUNK_LEN + OBJSEAL_TAG_LEN)
#define PLAIN ((size_t)5 * CHUNK + 777)

static const uint8_t *const CONTEXT = (const uint8_t *)"bucket/object";
#define CONTEXT_LEN 13

static uint8_t *sealed(const objseal_key *key, const uint8_t *plain, size_t len, size_t *out_len) {
    uint64_t needed = 0;
    OK(objseal_body_sealed_len(1, len, &needed));
    uint8_t *out = ROOM((size_t)needed);
    OK(objseal_cobblestone_seal(key, CONTEXT, CONTEXT_LEN, plain, len, out, (size_t)needed, out_len, 1));
    CHECK(*out_len == needed);
    return out;
}

static void every_size(const objseal_key *key) {
    size_t sizes[] = {0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 70000, 262145, 1000003};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t len = sizes[i], message_len = 0, again = 0;
        uint8_t *plain = pattern(len);
        uint8_t *message = sealed(key, plain, len, &message_len);
        open_bare("whole", key, CONTEXT, CONTEXT_LEN, message, message_len, OBJSEAL_STATUS_OK, plain, len);
        uint64_t computed = 0;
        OK(objseal_body_plaintext_len(1, message_len, &computed));
        CHECK(computed == len);
        OK(objseal_body_largest_plaintext_len(1, message_len, &computed));
        CHECK(computed == len);

        objseal_sealer *sealer = NULL;
        OK(objseal_cobblestone_sealer_new(key, CONTEXT, CONTEXT_LEN, &sealer));
        uint8_t *pushed = push_sealed(sealer, plain, len, 1 + len / 7, &again);
        objseal_sealer_free(sealer);
        CHECK(again == message_len && memcmp(pushed, message, OBJSEAL_SALT_LEN) != 0);
        open_bare("pushed", key, CONTEXT, CONTEXT_LEN, pushed, again, OBJSEAL_STATUS_OK, plain, len);
        free(pushed);

        /* A range takes no more than the function of offsets says, the first 56 bytes and the last chunk. */
        uint64_t start = 0, end = 0;
        if (len > 200) {
            OK(objseal_body_sealed_range(1, 100, 200, message_len, &start, &end));
            CHECK(start == OBJSEAL_HEADER_LEN && end == OBJSEAL_HEADER_LEN + (len < CHUNK ? len + 16 : SEALED));
        }
        STATUS(OUT_OF_RANGE, objseal_body_sealed_range(1, 0, len + 1, message_len, &start, &end), NULL);
        free(message);
        free(plain);
    }
}

static int refusals = 0;

static void refused(const char *name, const objseal_key *key, const uint8_t *message, size_t len, const uint8_t *plain) {
    open_bare(name, key, CONTEXT, CONTEXT_LEN, message, len, OBJSEAL_STATUS_AUTHENTICATION, plain, PLAIN);
    refusals++;
}

static void flipped(const objseal_key *key, uint8_t *message, size_t len, const uint8_t *plain, size_t at) {
    message[at] ^= 1;
    refused("flipped", key, message, len, plain);
    message[at] ^= 1;
}

/* Where chunk `i` begins. */
static size_t chunk(size_t i) { return OBJSEAL_HEADER_LEN + i * SEALED; }

static void tampered(const objseal_key *key) {
    size_t len = 0;
    uint8_t *plain = pattern(PLAIN), *message = sealed(key, plain, PLAIN, &len), *changed = ROOM(len + SEALED);
    for (size_t at = 0; at < OBJSEAL_HEADER_LEN; at++) flipped(key, message, len, plain, at);
    for (size_t i = 0; i < 6; i++) flipped(key, message, len, plain, chunk(i));
    for (size_t i = 0; i < 5; i++) {
        flipped(key, message, len, plain, chunk(i) + CHUNK - 1);
        flipped(key, message, len, plain, chunk(i) + CHUNK);
        flipped(key, message, len, plain, chunk(i + 1) - 1);
    }
    for (size_t i = 0; i <= 16; i++) flipped(key, message, len, plain, len - 1 - i);

    size_t swaps[][2] = {{0, 1}, {1, 3}, {3, 4}};
    for (size_t i = 0; i < 3; i++) {
        memcpy(changed, message, len);
        memcpy(changed + chunk(swaps[i][0]), message + chunk(swaps[i][1]), SEALED);
        memcpy(changed + chunk(swaps[i][1]), message + chunk(swaps[i][0]), SEALED);
        refused("swapped", key, changed, len, plain);
    }
    for (size_t i = 0; i < 5; i++) {
        memcpy(changed, message, chunk(i + 1));
        memcpy(changed + chunk(i + 1), message + chunk(i), len - chunk(i));
        refused("repeated", key, changed, len + SEALED, plain);
        memcpy(changed, message, chunk(i));
        memcpy(changed + chunk(i), message + chunk(i + 1), len - chunk(i + 1));
        refused("dropped", key, changed, len - SEALED, plain);
    }
    size_t cuts[] = {0, 1, 23, 24, 25, 55, 56, 57, 71, 72, 73, 16455, 16456, 16457, 33000};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) refused("cut", key, message, cuts[i], plain);
    for (size_t cut = 1; cut <= 18; cut++) refused("cut", key, message, len - cut, plain);
    memcpy(changed, message, len);
    memset(changed + len, 0, SEALED);
    refused("longer by one", key, changed, len + 1, plain);
    refused("longer by a chunk", key, changed, len + SEALED, plain);

    /* The end of another message under the same key. */
    size_t other_len = 0;
    uint8_t *other = sealed(key, plain, PLAIN, &other_len);
    memcpy(changed, message, len);
    memcpy(changed + chunk(5), other + chunk(5), len - chunk(5));
    refused("another's chunk", key, changed, len, plain);
    memcpy(changed, other, OBJSEAL_HEADER_LEN);
    memcpy(changed + OBJSEAL_HEADER_LEN, message + OBJSEAL_HEADER_LEN, len - OBJSEAL_HEADER_LEN);
    refused("another's header", key, changed, len, plain);

    objseal_key *wrong = key_of(0x43);
    refused("another key", wrong, message, len, plain);
    objseal_key_free(wrong);
    open_bare("another context", key, CONTEXT, CONTEXT_LEN - 1, message, len, OBJSEAL_STATUS_AUTHENTICATION, plain, PLAIN);
    free(other);
    free(changed);
    free(message);
    free(plain);
    CHECK(refusals >= 130);
    printf("bare messages: %d refused on %s\n", refusals + 1, objseal_best_engine());
}

int main(void) {
    objseal_key *key = key_of(0x42);
    every_size(key);
    tampered(key);
    objseal_key_free(key);
    return 0;
}
