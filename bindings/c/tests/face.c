/* A face of the conformance suite: answers its questions on standard input, as tests/conformance/src/child.rs says. */

#include "check.h"

#include <inttypes.h>

static bool read_all(void *out, size_t len) {
    return fread(out, 1, len, stdin) == len;
}

static uint64_t number(size_t bytes) {
    uint8_t digits[8];
    uint64_t value = 0;
    CHECK(read_all(digits, bytes));
    for (size_t i = 0; i < bytes; i++) value = value << 8 | digits[i];
    return value;
}

static void answer(int outcome, const uint8_t *bytes, uint64_t len) {
    uint8_t head[9] = {(uint8_t)outcome};
    for (int i = 0; i < 8; i++) head[1 + i] = (uint8_t)(len >> (56 - 8 * i));
    CHECK(fwrite(head, 1, sizeof head, stdout) == sizeof head);
    CHECK(fwrite(bytes, 1, (size_t)len, stdout) == len);
    CHECK(fflush(stdout) == 0);
}

static void refuse(objseal_status status) {
    const char *words = objseal_status_text((int32_t)status);
    int outcome = status == OBJSEAL_STATUS_AUTHENTICATION ? 1 : status == OBJSEAL_STATUS_FORMAT ? 2 : 3;
    answer(outcome, (const uint8_t *)words, strlen(words));
}

/* A question: what to do with which bytes, and the pieces that they come in. */
typedef struct {
    int what, layers;
    uint8_t key[OBJSEAL_KEY_LEN];
    uint32_t pieces, *lengths;
    uint64_t start, end;
    size_t len;
    uint8_t *bytes;
} question;

static bool ask(question *asked) {
    uint8_t head[2];
    if (!read_all(head, sizeof head)) return false;
    asked->what = head[0];
    asked->layers = head[1];
    CHECK(read_all(asked->key, sizeof asked->key));
    asked->pieces = (uint32_t)number(4);
    asked->lengths = (uint32_t *)room(asked->pieces * sizeof *asked->lengths);
    for (uint32_t i = 0; i < asked->pieces; i++) asked->lengths[i] = (uint32_t)number(4);
    asked->start = number(8);
    asked->end = number(8);
    asked->len = (size_t)number(8);
    asked->bytes = ROOM(asked->len);
    CHECK(read_all(asked->bytes, asked->len));
    return true;
}

/* The next piece, from `at` on. */
static size_t piece(const question *asked, size_t at, uint32_t turn) {
    size_t left = asked->len - at, len = asked->lengths[turn % asked->pieces];
    return len < left ? len : left;
}

static void seal(const question *asked, const objseal_key *key) {
    objseal_seal_options *options = NULL;
    objseal_sealer *sealer = NULL;
    OK(objseal_seal_options_new(&options));
    for (int layer = 1; layer <= asked->layers; layer++)
        STATUS(OK, objseal_seal_options_add_key(options, (uint8_t)layer, key), options);
    OK(objseal_sealer_new(options, &sealer));
    /* What the header says is always enough, for pieces of a byte as well. */
    size_t capacity = asked->len + asked->len / 64 + 256 * 1024, done = 0, len;
    uint8_t *out = ROOM(capacity);
    uint32_t turn = 0;
    for (size_t at = 0; at < asked->len; turn++) {
        size_t now = piece(asked, at, turn);
        STATUS(OK, objseal_sealer_update(sealer, asked->bytes + at, now, out + done, capacity - done, &len), sealer);
        at += now;
        done += len;
    }
    STATUS(OK, objseal_sealer_finish(sealer, out + done, capacity - done, &len), sealer);
    answer(0, out, done + len);
    free(out);
    objseal_sealer_free(sealer);
    objseal_seal_options_free(options);
}

static void unseal(const question *asked, const objseal_open_options *options) {
    objseal_opener *opener = NULL;
    OK(objseal_opener_new(options, &opener));
    size_t capacity = asked->len + 128 * 1024, done = 0, len = 0;
    uint8_t *out = ROOM(capacity);
    objseal_status status = OBJSEAL_STATUS_OK;
    uint32_t turn = 0;
    for (size_t at = 0; status == OBJSEAL_STATUS_OK && at < asked->len; turn++) {
        size_t now = piece(asked, at, turn);
        status = objseal_opener_update(opener, asked->bytes + at, now, out + done, capacity - done, &len);
        at += now;
        if (status == OBJSEAL_STATUS_OK) done += len;
    }
    if (status == OBJSEAL_STATUS_OK) status = objseal_opener_finish(opener, out + done, capacity - done, &len);
    if (status == OBJSEAL_STATUS_OK) answer(0, out, done + len);
    else refuse(status);
    free(out);
    objseal_opener_free(opener);
}

static int32_t read_at(void *user, uint8_t *buffer, size_t len, uint64_t offset) {
    const question *asked = (const question *)user;
    if (offset > asked->len || len > asked->len - offset) return -1;
    memcpy(buffer, asked->bytes + offset, len);
    return 0;
}

static void unseal_range(question *asked, const objseal_open_options *options) {
    objseal_reader *reader = NULL;
    size_t len = (size_t)(asked->end - asked->start);
    uint8_t *out = ROOM(len);
    objseal_status status = objseal_reader_new(options, read_at, asked, asked->len, &reader);
    if (status == OBJSEAL_STATUS_OK) status = objseal_reader_read(reader, asked->start, out, len, 1);
    if (status == OBJSEAL_STATUS_OK) answer(0, out, len);
    else refuse(status);
    free(out);
    objseal_reader_free(reader);
}

int main(void) {
    question asked;
    while (ask(&asked)) {
        objseal_key *key = NULL;
        OK(objseal_key_new(asked.key, sizeof asked.key, &key));
        objseal_open_options *options = NULL;
        OK(objseal_open_options_new(&options));
        STATUS(OK, objseal_open_options_add_key(options, key), options);
        if (asked.what == 1) seal(&asked, key);
        else if (asked.what == 2) unseal(&asked, options);
        else unseal_range(&asked, options);
        objseal_open_options_free(options);
        objseal_key_free(key);
        free(asked.lengths);
        free(asked.bytes);
    }
    return 0;
}
