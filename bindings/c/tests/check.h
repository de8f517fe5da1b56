/* What the tests share. C99, and C++17. */

#ifndef CHECK_H
#define CHECK_H

#include "objseal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* That a call answers with this status; the text of `handle` is shown if it does not. */
#define STATUS(expected, call, handle)                                                             \
    do {                                                                                           \
        int status_ = (int)(call);                                                                 \
        if (status_ != OBJSEAL_STATUS_##expected) {                                                \
            char text_[300] = "";                                                                  \
            objseal_last_error(handle, text_, sizeof text_);                                       \
            fprintf(stderr, "%s:%d: %s gave %d (%s; %s), not " #expected "\n", __FILE__, __LINE__, #call, status_, \
                    objseal_status_text(status_), text_);                                          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define OK(call) STATUS(OK, call, NULL)

/* Whether these words are among those of the last failure. */
static inline int says(const void *handle, const char *words) {
    char text[1000] = "";
    objseal_last_error(handle, text, sizeof text);
    if (strstr(text, words) == NULL) fprintf(stderr, "not \"%s\": %s\n", words, text);
    return strstr(text, words) != NULL;
}

static inline void *room(size_t len) {
    void *start = malloc(len + 1);
    CHECK(start != NULL);
    return start;
}

#define ROOM(len) ((uint8_t *)room(len))

/* Bytes that repeat with a prime period. */
static inline uint8_t *pattern(size_t len) {
    uint8_t *bytes = ROOM(len);
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)((i % 251) ^ (i >> 8));
    return bytes;
}

static inline int all(const uint8_t *bytes, size_t len, uint8_t value) {
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != value) return 0;
    return 1;
}

static inline objseal_key *key_of(uint8_t byte) {
    uint8_t bytes[OBJSEAL_KEY_LEN];
    objseal_key *key = NULL;
    memset(bytes, byte, sizeof bytes);
    OK(objseal_key_new(bytes, sizeof bytes, &key));
    return key;
}

/* Memory as a store; a read beyond its end fails. */
typedef struct {
    const uint8_t *bytes;
    size_t len;
    int fail;
} memory;

static inline int32_t read_memory(void *user, uint8_t *buffer, size_t len, uint64_t offset) {
    const memory *from = (const memory *)user;
    if (from->fail || offset > from->len || len > from->len - offset) return 7;
    memcpy(buffer, from->bytes + offset, len);
    return 0;
}

/* That what failed so says the same again, when it is asked for anything. */
static inline void says_again(objseal_status first, objseal_opener *opener) {
    char text[300], again[300];
    uint8_t byte = 0;
    size_t written = 0;
    objseal_info *info = NULL;
    CHECK(objseal_last_error(opener, text, sizeof text) > 0);
    for (int call = 0; call < 4; call++) {
        objseal_status status = call % 3 == 0   ? objseal_opener_update(opener, &byte, 1, NULL, 0, &written)
                                : call % 3 == 1 ? objseal_opener_finish(opener, NULL, 0, &written)
                                                : objseal_opener_info(opener, &info);
        objseal_last_error(opener, again, sizeof again);
        if (status != first || strcmp(again, text) != 0) fprintf(stderr, "%d (%s), then %d (%s)\n", (int)first, text, (int)status, again);
        CHECK(status == first && strcmp(again, text) == 0 && info == NULL);
    }
}

static inline uint8_t *read_file(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    CHECK(fseek(file, 0, SEEK_END) == 0);
    *len = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = ROOM(*len);
    CHECK(fread(bytes, 1, *len, file) == *len);
    fclose(file);
    return bytes;
}

/* What a sealer makes of `plain`, in pieces of `step` bytes; the length is stored. The sealer is finished, not freed. */
static inline uint8_t *push_sealed(objseal_sealer *sealer, const uint8_t *plain, size_t len, size_t step, size_t *out_len) {
    size_t capacity = len + len / 100 + 200000, written = 0, done = 0;
    uint8_t *out = ROOM(capacity);
    for (size_t at = 0; at < len; at += step) {
        size_t piece = len - at < step ? len - at : step;
        STATUS(OK, objseal_sealer_update(sealer, plain + at, piece, out + done, capacity - done, &written), sealer);
        CHECK(written <= piece + piece / 100 + 49152);
        done += written;
    }
    STATUS(OK, objseal_sealer_finish(sealer, out + done, capacity - done, &written), sealer);
    CHECK(written <= 57344);
    *out_len = done + written;
    STATUS(FINISHED, objseal_sealer_finish(sealer, out, capacity, &written), sealer);
    return out;
}

/* What an opener makes of `stored`, in pieces of `step` bytes; how it ended is returned. The plaintext has room for `len` bytes. */
static inline objseal_status push_opened(objseal_opener *opener, const uint8_t *stored, size_t len, size_t step, uint8_t *plain,
                                         size_t *plain_len) {
    size_t written = 0;
    uint8_t *out = ROOM(len + 65536);
    *plain_len = 0;
    for (size_t at = 0; at < len; at += step) {
        size_t piece = len - at < step ? len - at : step;
        memset(out, 0xEE, piece + 65536);
        objseal_status status = objseal_opener_update(opener, stored + at, piece, out, piece + 65536, &written);
        if (status != OBJSEAL_STATUS_OK) {
            /* What it would have written is zero, and what it would not have is as it was. */
            size_t zeros = 0;
            while (zeros < piece + 65536 && out[zeros] == 0) zeros++;
            CHECK(all(out + zeros, piece + 65536 - zeros, 0xEE));
            says_again(status, opener);
            free(out);
            return status;
        }
        memcpy(plain + *plain_len, out, written);
        *plain_len += written;
    }
    memset(out, 0xEE, 65536);
    objseal_status status = objseal_opener_finish(opener, out, 65536, &written);
    if (status == OBJSEAL_STATUS_OK) {
        memcpy(plain + *plain_len, out, written);
        *plain_len += written;
        STATUS(FINISHED, objseal_opener_update(opener, out, 1, out + 1, 65535, &written), opener);
        STATUS(FINISHED, objseal_opener_finish(opener, out, 65536, &written), opener);
    } else {
        size_t zeros = 0;
        while (zeros < 65536 && out[zeros] == 0) zeros++;
        CHECK(all(out + zeros, 65536 - zeros, 0xEE));
        says_again(status, opener);
    }
    free(out);
    return status;
}

#endif
