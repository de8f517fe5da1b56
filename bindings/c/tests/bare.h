/* Opening a bare message in every way there is. */

#ifndef BARE_H
#define BARE_H

#include "check.h"

/* Opens `message` in every way; each must end as `expected` says, with this plaintext, or with nothing that is not the beginning of
   `beginning`. */
static inline void open_bare(const char *name, const objseal_key *key, const uint8_t *context, size_t context_len,
                             const uint8_t *message, size_t len, objseal_status expected, const uint8_t *beginning,
                             size_t beginning_len) {
    uint8_t *out = ROOM(len);
    for (uint32_t threads = 1; threads <= 2; threads++) {
        size_t written = 0;
        memset(out, 0xEE, len);
        objseal_status status = objseal_cobblestone_open(key, context, context_len, message, len, out, len, &written, threads);
        if (status != expected) fprintf(stderr, "%s: %d\n", name, (int)status);
        CHECK(status == expected);
        if (expected == OBJSEAL_STATUS_OK) {
            CHECK(written == beginning_len && memcmp(out, beginning, written) == 0);
        } else {
            CHECK(all(out, written, 0));
            CHECK(written > 0 || all(out, len, 0) || all(out, len, 0xEE));
        }
    }
    size_t steps[] = {1000, OBJSEAL_CHUNK_LEN + OBJSEAL_TAG_LEN, len + 1};
    for (size_t i = 0; i < 3; i++) {
        objseal_opener *opener = NULL;
        size_t plain_len = 0;
        OK(objseal_cobblestone_opener_new(key, context, context_len, &opener));
        CHECK(push_opened(opener, message, len, steps[i], out, &plain_len) == expected);
        if (expected == OBJSEAL_STATUS_OK) CHECK(plain_len == beginning_len);
        CHECK(plain_len <= beginning_len && memcmp(out, beginning, plain_len) == 0);
        objseal_opener_free(opener);
    }
    memory stored = {message, len, 0};
    objseal_reader *reader = NULL;
    objseal_status status = objseal_cobblestone_reader_new(key, context, context_len, read_memory, &stored, len, &reader);
    if (status == OBJSEAL_STATUS_OK) {
        uint64_t plain_len = 0;
        OK(objseal_reader_len(reader, &plain_len));
        CHECK(plain_len <= len);
        memset(out, 0xEE, len);
        status = objseal_reader_read(reader, 0, out, (size_t)plain_len, 2);
        if (status == OBJSEAL_STATUS_OK) CHECK(plain_len == beginning_len && memcmp(out, beginning, beginning_len) == 0);
        else CHECK(all(out, (size_t)plain_len, 0));
    } else {
        CHECK(reader == NULL);
    }
    if (status != expected) fprintf(stderr, "%s: the reader gave %d\n", name, (int)status);
    CHECK(status == expected);
    objseal_reader_free(reader);
    free(out);
}

#endif
