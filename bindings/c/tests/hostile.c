/* A hostile caller: many threads, forks, lengths that no memory has, memory that overlaps. And hostile callbacks, which lie, or
   fail. */

#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN ((size_t)700000)
#define THREADS 8

typedef struct {
    const objseal_seal_options *seal_options;
    const objseal_open_options *open_options;
    const objseal_reader *reader;
    const uint8_t *plain;
    unsigned number;
} work;

/* What a thread of a server does with handles that it shares with the others. */
static void *serve(void *arg) {
    const work *given = (const work *)arg;
    size_t capacity = LEN + 100000, written = 0;
    uint8_t *stored = ROOM(capacity), *out = ROOM(LEN);
    for (unsigned round = 0; round < 20; round++) {
        size_t len = LEN - 1000 * given->number - round, start = 30000 * given->number + round;
        STATUS(OK, objseal_seal(given->seal_options, given->plain, len, stored, capacity, &written, 1 + round % 2),
               given->seal_options);
        size_t stored_len = written;
        STATUS(OK, objseal_open(given->open_options, stored, stored_len, out, LEN, &written, 1 + round % 2), given->open_options);
        CHECK(written == len && memcmp(out, given->plain, len) == 0);
        stored[stored_len / 2] ^= 1;
        STATUS(AUTHENTICATION, objseal_open(given->open_options, stored, stored_len, out, LEN, &written, 1), given->open_options);
        CHECK(all(out, len, 0));
        STATUS(OK, objseal_reader_read(given->reader, start, out, 50000, 1), given->reader);
        CHECK(memcmp(out, given->plain + start, 50000) == 0);
        STATUS(OUT_OF_RANGE, objseal_reader_read(given->reader, LEN, out, 1, 1), given->reader);
        char text[100];
        CHECK(objseal_last_error(given->reader, text, sizeof text) > 0);
    }
    free(stored);
    free(out);
    return NULL;
}

static void threads_and_forks(void) {
    objseal_key *key = key_of(7);
    objseal_seal_options *seal_options = NULL;
    objseal_open_options *open_options = NULL;
    objseal_reader *reader = NULL;
    OK(objseal_seal_options_new(&seal_options));
    OK(objseal_seal_options_add_key(seal_options, 1, key));
    OK(objseal_open_options_new(&open_options));
    OK(objseal_open_options_add_key(open_options, key));
    uint8_t *plain = pattern(LEN), *stored = ROOM(LEN + 100000);
    memory from = {stored, 0, 0};
    STATUS(OK, objseal_seal(seal_options, plain, LEN, stored, LEN + 100000, &from.len, 2), seal_options);
    STATUS(OK, objseal_reader_new(open_options, read_memory, &from, from.len, &reader), open_options);

    /* A child goes on with what its parent has, also with threads of its own. */
    for (unsigned child = 0; child < 4; child++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            work mine = {seal_options, open_options, reader, plain, child};
            serve(&mine);
            _exit(0);
        }
    }
    pthread_t workers[THREADS];
    work given[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        work one = {seal_options, open_options, reader, plain, i};
        given[i] = one;
        CHECK(pthread_create(&workers[i], NULL, serve, &given[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) CHECK(pthread_join(workers[i], NULL) == 0);
    for (int child = 0; child < 4; child++) {
        int status = 1;
        CHECK(wait(&status) > 0 && status == 0);
    }
    objseal_reader_free(reader);
    objseal_open_options_free(open_options);
    objseal_seal_options_free(seal_options);
    objseal_key_free(key);
    free(plain);
    free(stored);
    printf("hostile: %d threads and 4 children on %s\n", THREADS, objseal_best_engine());
}

static void lengths_and_overlaps(void) {
    objseal_key *key = key_of(7), *other = NULL;
    uint8_t memory_of_it[70000];
    size_t written = 0;
    uint64_t len = 0, end = 0;
    memset(memory_of_it, 0xEE, sizeof memory_of_it);
    for (size_t wrong = 0; wrong <= 64; wrong += 16) {
        if (wrong == OBJSEAL_KEY_LEN) continue;
        other = key;
        STATUS(ARGUMENT, objseal_key_new(memory_of_it, wrong, &other), NULL);
        CHECK(other == NULL);
    }
    /* Longer than memory can be, and than a message can be. */
    STATUS(ARGUMENT, objseal_cobblestone_seal(key, NULL, 0, memory_of_it, SIZE_MAX, NULL, 0, &written, 1), key);
    STATUS(ARGUMENT, objseal_cobblestone_open(key, memory_of_it, SIZE_MAX / 2 + 1, NULL, 0, NULL, 0, &written, 1), key);
    STATUS(ARGUMENT, objseal_key_new(memory_of_it, SIZE_MAX, &other), NULL);
    STATUS(TOO_LONG, objseal_body_sealed_len(1, UINT64_MAX, &len), NULL);
    STATUS(ARGUMENT, objseal_body_sealed_len(0, 1, &len), NULL);
    STATUS(ARGUMENT, objseal_body_sealed_len(3, 1, &len), NULL);
    STATUS(ARGUMENT, objseal_body_plaintext_len(1, 71, &len), NULL);
    STATUS(ARGUMENT, objseal_body_plaintext_len(1, UINT64_MAX, &len), NULL);
    STATUS(ARGUMENT, objseal_body_largest_plaintext_len(2, 143, &len), NULL);
    STATUS(OUT_OF_RANGE, objseal_body_sealed_range(1, 2, 1, 100, &len, &end), NULL);
    OK(objseal_body_largest_plaintext_len(1, (uint64_t)5 << 30, &len));
    CHECK(len == 5363471288u + UINT64_C(0));
    OK(objseal_body_largest_plaintext_len(2, (uint64_t)5 << 30, &len));
    CHECK(len == UINT64_C(5358238576));

    /* Output on its input, from either side. */
    size_t shifts[] = {0, 1, 999};
    for (size_t i = 0; i < 3; i++) {
        uint8_t *low = memory_of_it, *high = memory_of_it + shifts[i];
        STATUS(ARGUMENT, objseal_cobblestone_seal(key, NULL, 0, low, 1000, high, 2000, &written, 1), key);
        STATUS(ARGUMENT, objseal_cobblestone_seal(key, NULL, 0, high, 1000, low, 2000, &written, 1), key);
        STATUS(ARGUMENT, objseal_cobblestone_open(key, NULL, 0, low, 1000, high, 2000, &written, 1), key);
    }
    CHECK(all(memory_of_it, sizeof memory_of_it, 0xEE));
    STATUS(OK, objseal_cobblestone_seal(key, NULL, 0, memory_of_it, 1000, memory_of_it + 1000, 1072, &written, 1), key);
    STATUS(ARGUMENT, objseal_cobblestone_seal(key, NULL, 0, memory_of_it, 1, memory_of_it + 1000, 2000, &written, 1001), key);

    /* The text of an error, cut to what there is room for. */
    char text[8];
    memset(text, 'x', sizeof text);
    size_t whole = objseal_last_error(key, text, 5);
    CHECK(whole > 10 && strlen(text) == 4 && text[5] == 'x');
    CHECK(objseal_last_error(key, text, 1) == whole && text[0] == 0);
    CHECK(objseal_last_error(key, NULL, 0) == whole && objseal_last_error(key, NULL, 100) == whole);
    CHECK(objseal_last_error(NULL, text, sizeof text) == 0);
    objseal_key_free(key);
}

/* A store that answers some reads with one object, and all from read `turn` on with another; their bytes are of the same length.
   `head_only` and `but_head` say of which bytes that is true. What is written goes into a copy of the first. */
typedef struct {
    const uint8_t *first, *second;
    uint8_t *copy;
    size_t len;
    unsigned reads, turn, writes;
    int head_only, but_head;
} liar;

static int32_t lie(void *user, uint8_t *buffer, size_t len, uint64_t offset) {
    liar *from = (liar *)user;
    int is_head = offset < OBJSEAL_BODY_OFFSET;
    int second = from->reads++ >= from->turn && !(from->head_only && !is_head) && !(from->but_head && is_head);
    if (offset > from->len || len > from->len - offset) return 7;
    memcpy(buffer, (second ? from->second : from->first) + offset, len);
    return 0;
}

static int32_t write_lie(void *user, const uint8_t *bytes, size_t len, uint64_t offset) {
    liar *to = (liar *)user;
    CHECK(offset <= OBJSEAL_BODY_OFFSET && len <= OBJSEAL_BODY_OFFSET - offset);
    memcpy(to->copy + offset, bytes, len);
    to->writes++;
    return 0;
}

/* What a reader gives out belongs to the object that it says it is, or nothing comes out. */
static int reads_true(const objseal_open_options *open_options, liar *from, const uint8_t *const plains[2]) {
    objseal_reader *reader = NULL;
    objseal_info *info = NULL;
    uint8_t *out = ROOM(LEN), digest[32], expected[32];
    int given = 0;
    if (objseal_reader_new(open_options, lie, from, from->len, &reader) == OBJSEAL_STATUS_OK) {
        STATUS(OK, objseal_reader_info(reader, &info), reader);
        CHECK(objseal_info_digest(info, OBJSEAL_SHA256, digest, 32) == 32);
        for (size_t start = 0; start < LEN; start += LEN / 4) {
            memset(out, 0xEE, 1000);
            if (objseal_reader_read(reader, start, out, 1000, 1) != OBJSEAL_STATUS_OK) {
                CHECK(all(out, 1000, 0));
                continue;
            }
            /* Which of the two it is says the digest, which is authentic. */
            objseal_info *other = NULL;
            memory whole = {from->first, from->len, 0};
            objseal_reader *honest = NULL;
            OK(objseal_reader_new(open_options, read_memory, &whole, whole.len, &honest));
            OK(objseal_reader_info(honest, &other));
            CHECK(objseal_info_digest(other, OBJSEAL_SHA256, expected, 32) == 32);
            const uint8_t *plain = plains[memcmp(digest, expected, 32) == 0 ? 0 : 1];
            CHECK(memcmp(out, plain + start, 1000) == 0);
            objseal_info_free(other);
            objseal_reader_free(honest);
            given++;
        }
        objseal_info_free(info);
        objseal_reader_free(reader);
    }
    free(out);
    return given;
}

/* Rewraps what lies, and says how that went; what it wrote, if anything, makes one whole object of what was read, and no other. */
static objseal_status rewraps_true(const objseal_open_options *open_options, const objseal_seal_options *seal_options, liar *from,
                                   const uint8_t *plain) {
    uint8_t *out = ROOM(from->len);
    size_t written = 0;
    from->writes = 0;
    memcpy(from->copy, from->first, from->len);
    objseal_status status = objseal_rewrap(open_options, seal_options, lie, write_lie, from, from->len);
    CHECK(from->writes == (status == OBJSEAL_STATUS_OK ? 2u : 0u));
    if (from->turn > 0) {
        STATUS(OK, objseal_open(open_options, from->copy, from->len, out, from->len, &written, 1), open_options);
        CHECK(written == LEN && memcmp(out, plain, LEN) == 0);
    }
    free(out);
    return status;
}

/* A stream of bytes; what it answers can be anything. */
typedef struct {
    const uint8_t *bytes;
    size_t len, at, calls, before_end;
    int64_t (*answer)(size_t calls, size_t asked, size_t given);
} source;

static int64_t pull(void *user, uint8_t *buffer, size_t len) {
    source *from = (source *)user;
    size_t piece = from->len - from->at < len ? from->len - from->at : len;
    if (piece > 50000) piece = 50000;
    memcpy(buffer, from->bytes + from->at, piece);
    from->at += piece;
    int64_t answer = from->answer(from->calls++, len, piece);
    if (answer == 0 && from->before_end == 0) from->before_end = from->at - piece;
    return answer;
}

static int64_t honest(size_t calls, size_t asked, size_t given) { return (void)calls, (void)asked, (int64_t)given; }
static int64_t one_more(size_t calls, size_t asked, size_t given) { return calls < 3 ? (int64_t)given : (int64_t)asked + 1; }
static int64_t most(size_t calls, size_t asked, size_t given) { return (void)asked, calls < 3 ? (int64_t)given : INT64_MAX; }
static int64_t least(size_t calls, size_t asked, size_t given) { return (void)asked, calls < 3 ? (int64_t)given : INT64_MIN; }
static int64_t no_end(size_t calls, size_t asked, size_t given) { return (void)calls, (void)asked, given == 0 ? -5 : (int64_t)given; }
/* An end, behind which it goes on. */
static int64_t early(size_t calls, size_t asked, size_t given) { return (void)asked, calls == 3 ? 0 : (int64_t)given; }

typedef struct {
    uint8_t *bytes;
    size_t len, capacity;
} sink;

static int32_t push(void *user, const uint8_t *bytes, size_t len) {
    sink *to = (sink *)user;
    CHECK(len <= to->capacity - to->len);
    memcpy(to->bytes + to->len, bytes, len);
    to->len += len;
    return 0;
}

static void streams_that_lie(const objseal_seal_options *seal_options, const objseal_open_options *open_options, const uint8_t *plain) {
    int64_t (*const answers[])(size_t, size_t, size_t) = {one_more, most, least};
    uint8_t *stored = ROOM(LEN + 100000), *out = ROOM(LEN);
    size_t written = 0;
    for (uint32_t threads = 1; threads <= 2; threads++) {
        for (size_t i = 0; i < 3; i++) {
            source from = {plain, LEN, 0, 0, 0, answers[i]};
            sink to = {stored, 0, LEN + 100000};
            STATUS(IO, objseal_seal_stream(seal_options, pull, &from, push, &to, threads, NULL), seal_options);
            STATUS(AUTHENTICATION, objseal_open(open_options, stored, to.len, out, LEN, &written, 1), open_options);
        }
        source from = {plain, LEN, 0, 0, 0, early};
        sink to = {stored, 0, LEN + 100000};
        STATUS(OK, objseal_seal_stream(seal_options, pull, &from, push, &to, threads, NULL), seal_options);
        STATUS(OK, objseal_open(open_options, stored, to.len, out, LEN, &written, 1), open_options);
        CHECK(written == from.before_end && written > 0 && written < LEN && memcmp(out, plain, written) == 0);
    }
    free(stored);
    free(out);
}

static void callbacks_that_lie(void) {
    objseal_key *key = key_of(7), *new_key = key_of(8);
    objseal_seal_options *seal_options = NULL, *under_new = NULL;
    objseal_open_options *open_options = NULL;
    uint8_t *plain = pattern(LEN), *other_plain = ROOM(LEN), *stored[2] = {ROOM(LEN + 100000), ROOM(LEN + 100000)};
    const uint8_t *const plains[] = {plain, other_plain};
    size_t len = 0, other_len = 0;
    char text[300];
    for (size_t i = 0; i < LEN; i++) other_plain[i] = (uint8_t)~plain[i];
    OK(objseal_seal_options_new(&seal_options));
    OK(objseal_seal_options_add_key(seal_options, 1, key));
    OK(objseal_seal_options_set_digests(seal_options, OBJSEAL_SHA256));
    OK(objseal_seal_options_new(&under_new));
    OK(objseal_seal_options_add_key(under_new, 1, new_key));
    OK(objseal_open_options_new(&open_options));
    OK(objseal_open_options_add_key(open_options, key));
    OK(objseal_open_options_add_key(open_options, new_key));
    STATUS(OK, objseal_seal(seal_options, plain, LEN, stored[0], LEN + 100000, &len, 1), seal_options);
    STATUS(OK, objseal_seal(seal_options, other_plain, LEN, stored[1], LEN + 100000, &other_len, 1), seal_options);
    CHECK(len == other_len);
    streams_that_lie(seal_options, open_options, plain);

    /* How many reads an honest store sees. */
    liar from = {stored[0], stored[1], ROOM(len), len, 0, UINT32_MAX, 0, 0, 0};
    CHECK(reads_true(open_options, &from, plains) == 4);
    unsigned of_reader = from.reads;
    from.reads = 0;
    CHECK(rewraps_true(open_options, under_new, &from, plain) == OBJSEAL_STATUS_OK);
    unsigned of_rewrap = from.reads, halves = 0;
    for (int kind = 0; kind < 3; kind++) {
        from.head_only = kind == 1;
        from.but_head = kind == 2;
        for (from.turn = 0; from.turn <= of_reader; from.turn++) {
            from.reads = 0;
            int given = reads_true(open_options, &from, plains);
            CHECK(from.turn < of_reader || given == 4);
            halves += given > 0 && given < 4;
        }
        for (from.turn = 0; from.turn <= of_rewrap; from.turn++) {
            from.reads = 0;
            objseal_status status = rewraps_true(open_options, under_new, &from, plain);
            int told_the_truth = from.turn == of_rewrap || (kind == 0 && from.turn == 0) || (kind == 2 && from.turn == of_rewrap - 1);
            CHECK((status == OBJSEAL_STATUS_OK) == told_the_truth);
            /* Its first read is the head, and so is its last one, before it writes. */
            int changed_head = from.turn == of_rewrap - 1 || (kind == 1 && from.turn > 0);
            if (changed_head && !told_the_truth) {
                CHECK(status == OBJSEAL_STATUS_IO && objseal_last_error(open_options, text, sizeof text) > 0);
                CHECK(strstr(text, "its head was changed meanwhile; nothing was written") != NULL);
            } else {
                CHECK(told_the_truth || status == OBJSEAL_STATUS_AUTHENTICATION);
            }
        }
    }
    CHECK(halves > 0);

    /* From one object to the other in a stream, at every border and between them. */
    uint8_t *mixed = ROOM(len), *out = ROOM(LEN);
    size_t turns[] = {4096, OBJSEAL_BODY_OFFSET, OBJSEAL_BODY_OFFSET + 56, OBJSEAL_BODY_OFFSET + 56 + 16400, 300000, len - 100, len - 4};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        memcpy(mixed, stored[0], turns[i]);
        memcpy(mixed + turns[i], stored[1] + turns[i], len - turns[i]);
        source in = {mixed, len, 0, 0, 0, honest};
        sink to = {out, 0, LEN};
        objseal_status status = objseal_open_stream(open_options, pull, &in, push, &to, 2, NULL);
        objseal_status expected = OBJSEAL_STATUS_AUTHENTICATION;
        if (turns[i] == 4096) expected = OBJSEAL_STATUS_FORMAT; /* Two heads of one generation, and no rewrite makes those. */
        if (turns[i] == len - 4) expected = OBJSEAL_STATUS_OK;  /* A length, the same in both. */
        if (status != expected) fprintf(stderr, "turn %zu: %d\n", turns[i], (int)status);
        CHECK(status == expected && memcmp(out, plain, to.len) == 0 && (status != OBJSEAL_STATUS_OK || to.len == LEN));
    }
    /* A store that becomes shorter, and one that is said to be of another length. */
    memory shrinking = {stored[0], len, 0};
    objseal_reader *reader = NULL;
    memory longer = {stored[0], len + 1, 0};
    stored[0][len] = 0;
    STATUS(AUTHENTICATION, objseal_reader_new(open_options, read_memory, &longer, len - 1, &reader), open_options);
    STATUS(AUTHENTICATION, objseal_reader_new(open_options, read_memory, &longer, len + 1, &reader), open_options);
    STATUS(OK, objseal_reader_new(open_options, read_memory, &shrinking, len, &reader), open_options);
    shrinking.len = len / 2;
    memset(out, 0xEE, 1000);
    STATUS(IO, objseal_reader_read(reader, LEN - 1000, out, 1000, 1), reader);
    CHECK(all(out, 1000, 0));
    STATUS(OK, objseal_reader_read(reader, 0, out, 1000, 1), reader);
    CHECK(memcmp(out, plain, 1000) == 0);
    objseal_reader_free(reader);

    objseal_seal_options_free(seal_options);
    objseal_seal_options_free(under_new);
    objseal_open_options_free(open_options);
    objseal_key_free(key);
    objseal_key_free(new_key);
    free(plain);
    free(other_plain);
    free(stored[0]);
    free(stored[1]);
    free(from.copy);
    free(mixed);
    free(out);
    printf("hostile: callbacks that lie at any of %u and %u reads\n", of_reader, of_rewrap);
}

/* ---- What seals in steps, and forks ---- */

/* Whether a child did what it should. */
static void wait_for(pid_t pid) {
    int status = 1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* That a child gets nothing sealed by what its parent made, and can free it. */
static void refused_in_child(objseal_sealer *sealer) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0) {
        wait_for(pid);
        return;
    }
    uint8_t *out = ROOM(60000), byte = 1;
    size_t written = 0;
    memset(out, 0xEE, 60000);
    STATUS(ARGUMENT, objseal_sealer_update(sealer, &byte, 1, out, 60000, &written), sealer);
    CHECK(says(sealer, "another process made this"));
    STATUS(ARGUMENT, objseal_sealer_update(sealer, NULL, 0, out, 60000, &written), sealer);
    STATUS(ARGUMENT, objseal_sealer_finish(sealer, out, 60000, &written), sealer);
    CHECK(says(sealer, "another process made this") && all(out, 60000, 0xEE));
    objseal_sealer_free(sealer);
    free(out);
    _exit(0);
}

/* What a parent seals that has a child meanwhile. */
static uint8_t *sealed_beside_child(objseal_sealer *sealer, const uint8_t *plain, size_t *len) {
    size_t first = 0, rest = 0;
    uint8_t *volatile out = ROOM(LEN + 200000), *volatile behind;
    STATUS(OK, objseal_sealer_update(sealer, plain, 20000, out, LEN, &first), sealer);
    refused_in_child(sealer);
    behind = push_sealed(sealer, plain + 20000, LEN - 20000, 33333, &rest);
    refused_in_child(sealer);
    memcpy(out + first, behind, rest);
    free(behind);
    *len = first + rest;
    return out;
}

/* A source that forks, and then answers in both processes. */
typedef struct {
    const uint8_t *plain;
    size_t at;
    pid_t child;
} forking;

static int64_t pull_and_fork(void *user, uint8_t *buffer, size_t len) {
    forking *from = (forking *)user;
    size_t piece = LEN - from->at < len ? LEN - from->at : len;
    if (piece > 50000) piece = 50000;
    if (from->at >= 100000 && from->child == -1) {
        from->child = fork();
        CHECK(from->child >= 0);
    }
    memcpy(buffer, from->plain + from->at, piece);
    /* What the two would seal under the same nonces. */
    if (from->child == 0) memset(buffer, 0xCC, piece);
    from->at += piece;
    return (int64_t)piece;
}

static void sealers_and_forks(void) {
    objseal_key *key = key_of(7);
    objseal_seal_options *seal_options = NULL;
    objseal_open_options *open_options = NULL;
    objseal_sealer *sealer = NULL;
    objseal_envelope *envelope = NULL;
    objseal_upload *upload = NULL;
    objseal_opener *opener = NULL;
    /* In memory, where a child that ends has them still: what looks for leaks looks there. */
    uint8_t *volatile plain = pattern(LEN), *volatile out = ROOM(LEN), *stored, receipt[16384];
    size_t len = 0, written = 0;
    fflush(stdout); /* What waits to be printed would be in each child as well. */
    OK(objseal_seal_options_new(&seal_options));
    OK(objseal_seal_options_add_key(seal_options, 1, key));
    OK(objseal_seal_options_set_upload_key(seal_options, key));
    OK(objseal_open_options_new(&open_options));
    OK(objseal_open_options_add_key(open_options, key));

    OK(objseal_cobblestone_sealer_new(key, NULL, 0, &sealer));
    stored = sealed_beside_child(sealer, plain, &len);
    STATUS(OK, objseal_cobblestone_open(key, NULL, 0, stored, len, out, LEN, &written, 1), key);
    CHECK(written == LEN && memcmp(out, plain, LEN) == 0);
    objseal_sealer_free(sealer);
    free(stored);

    STATUS(OK, objseal_sealer_new(seal_options, &sealer), seal_options);
    stored = sealed_beside_child(sealer, plain, &len);
    STATUS(OK, objseal_open(open_options, stored, len, out, LEN, &written, 1), open_options);
    CHECK(written == LEN && memcmp(out, plain, LEN) == 0);
    objseal_sealer_free(sealer);
    free(stored);

    STATUS(OK, objseal_envelope_sealer_new(seal_options, &sealer), seal_options);
    stored = sealed_beside_child(sealer, plain, &len);
    STATUS(OK, objseal_sealer_envelope(sealer, &envelope), sealer);
    STATUS(OK, objseal_envelope_opener_new(envelope, &opener), envelope);
    CHECK(push_opened(opener, stored, len, 30000, out, &written) == OBJSEAL_STATUS_OK);
    CHECK(written == LEN && memcmp(out, plain, LEN) == 0);
    objseal_opener_free(opener);
    objseal_envelope_free(envelope);
    objseal_sealer_free(sealer);
    free(stored);

    STATUS(OK, objseal_upload_new(seal_options, NULL, 0, &upload), seal_options);
    STATUS(OK, objseal_part_sealer_new(upload, 1, 0, &sealer), upload);
    stored = sealed_beside_child(sealer, plain, &len);
    STATUS(OK, objseal_sealer_receipt(sealer, NULL, receipt, sizeof receipt, &written), sealer);
    objseal_sealer_free(sealer);
    free(stored);

    forking from = {plain, 0, -1};
    sink to = {ROOM(LEN + 100000), 0, LEN + 100000};
    objseal_status status = objseal_seal_stream(seal_options, pull_and_fork, &from, push, &to, 1, NULL);
    CHECK(from.child >= 0);
    if (from.child == 0) {
        STATUS(ARGUMENT, status, seal_options);
        CHECK(says(seal_options, "another process made this"));
        /* A child seals with sealers of its own, made of what its parent has. */
        STATUS(OK, objseal_part_sealer_new(upload, 1, 0, &sealer), upload);
        free(push_sealed(sealer, plain, LEN, 100000, &len));
        objseal_sealer_free(sealer);
    } else {
        STATUS(OK, status, seal_options);
        wait_for(from.child);
        STATUS(OK, objseal_open(open_options, to.bytes, to.len, out, LEN, &written, 1), open_options);
        CHECK(written == LEN && memcmp(out, plain, LEN) == 0);
    }
    free(to.bytes);

    objseal_upload_free(upload);
    objseal_open_options_free(open_options);
    objseal_seal_options_free(seal_options);
    objseal_key_free(key);
    free(plain);
    free(out);
    if (from.child == 0) _exit(0);
    printf("hostile: sealers of 4 kinds, and a callback, that fork\n");
}

/* ---- Callbacks that fail ---- */

/* A sink that gives an answer other than 0 at its call `fail_at`, after it took `taken` of the bytes. */
typedef struct {
    uint8_t *bytes;
    size_t len, calls, fail_at, taken;
    int32_t answer;
} frail;

static int32_t push_frail(void *user, const uint8_t *bytes, size_t len) {
    frail *to = (frail *)user;
    int fails = to->calls++ == to->fail_at;
    if (fails && to->taken < len) len = to->taken;
    memcpy(to->bytes + to->len, bytes, len);
    to->len += len;
    return fails ? to->answer : 0;
}

/* What was written has no end, however the callback said that it failed, and at whichever call. */
static void sinks_that_fail(const objseal_seal_options *seal_options, const objseal_open_options *open_options, const uint8_t *plain) {
    /* Nothing, all, or as much as `write` of the system would have told of. */
    static const struct {
        size_t taken;
        int32_t answer;
    } WAYS[] = {{0, -1}, {SIZE_MAX, 28}, {1000, 1000}, {0, INT32_MIN}};
    uint8_t *stored = ROOM(LEN + 100000), *broken = ROOM(LEN + 100000), *out = ROOM(LEN);
    size_t written = 0, failures = 0;
    char number[30];
    for (uint32_t threads = 1; threads <= 2; threads++) {
        source from = {plain, LEN, 0, 0, 0, honest};
        frail to = {stored, 0, 0, SIZE_MAX, 0, 0};
        STATUS(OK, objseal_seal_stream(seal_options, pull, &from, push_frail, &to, threads, NULL), seal_options);
        size_t stored_len = to.len, seal_calls = to.calls;
        source again = {stored, stored_len, 0, 0, 0, honest};
        frail opened = {out, 0, 0, SIZE_MAX, 0, 0};
        STATUS(OK, objseal_open_stream(open_options, pull, &again, push_frail, &opened, threads, NULL), open_options);
        CHECK(opened.len == LEN && seal_calls > 2 && opened.calls > 1);
        for (size_t way = 0; way < sizeof WAYS / sizeof *WAYS; way++) {
            snprintf(number, sizeof number, "failed with %d", (int)WAYS[way].answer);
            for (size_t at = 0; at < seal_calls; at++, failures++) {
                source in = {plain, LEN, 0, 0, 0, honest};
                frail sink = {broken, 0, 0, at, WAYS[way].taken, WAYS[way].answer};
                STATUS(IO, objseal_seal_stream(seal_options, pull, &in, push_frail, &sink, threads, NULL), seal_options);
                CHECK(says(seal_options, number) && sink.calls == at + 1);
                if (sink.len == stored_len) continue; /* All of it is there, and it says that it is not. */
                CHECK(objseal_open(open_options, broken, sink.len, out, LEN, &written, 1) != OBJSEAL_STATUS_OK);
            }
            for (size_t at = 0; at < opened.calls; at++, failures++) {
                source in = {stored, stored_len, 0, 0, 0, honest};
                frail sink = {broken, 0, 0, at, WAYS[way].taken, WAYS[way].answer};
                STATUS(IO, objseal_open_stream(open_options, pull, &in, push_frail, &sink, threads, NULL), open_options);
                CHECK(says(open_options, number) && sink.calls == at + 1 && memcmp(broken, plain, sink.len) == 0);
            }
        }
        /* It fails where the end should be. */
        source late = {plain, LEN, 0, 0, 0, no_end};
        frail sink = {broken, 0, 0, SIZE_MAX, 0, 0};
        STATUS(IO, objseal_seal_stream(seal_options, pull, &late, push_frail, &sink, threads, NULL), seal_options);
        CHECK(says(seal_options, "failed with -5"));
        STATUS(AUTHENTICATION, objseal_open(open_options, broken, sink.len, out, LEN, &written, 1), open_options);
        source late_stored = {stored, stored_len, 0, 0, 0, no_end};
        frail to_out = {out, 0, 0, SIZE_MAX, 0, 0};
        STATUS(IO, objseal_open_stream(open_options, pull, &late_stored, push_frail, &to_out, threads, NULL), open_options);
    }
    free(stored);
    free(broken);
    free(out);
    printf("hostile: %zu failures of sinks\n", failures);
}

/* A store that fails at its write `fail_at`, of which the first half has arrived. */
typedef struct {
    memory stored;
    size_t writes, fail_at;
} frail_store;

static int32_t read_frail(void *user, uint8_t *buffer, size_t len, uint64_t offset) {
    return read_memory(&((frail_store *)user)->stored, buffer, len, offset);
}

static int32_t write_frail(void *user, const uint8_t *bytes, size_t len, uint64_t offset) {
    frail_store *to = (frail_store *)user;
    int fails = to->writes++ == to->fail_at;
    memcpy((uint8_t *)(uintptr_t)to->stored.bytes + offset, bytes, fails ? len / 2 : len);
    return fails ? 5 : 0;
}

/* A rewrap that breaks off leaves a file that opens. */
static void stores_that_fail(const objseal_seal_options *seal_options, const objseal_open_options *open_options, const uint8_t *plain) {
    uint8_t *out = ROOM(LEN), *stored = ROOM(LEN + 100000);
    size_t len = 0, written = 0;
    STATUS(OK, objseal_seal(seal_options, plain, LEN, stored, LEN + 100000, &len, 1), seal_options);
    for (size_t fail_at = 0; fail_at < 2; fail_at++) {
        frail_store store = {{stored, len, 0}, 0, fail_at};
        STATUS(IO, objseal_rewrap(open_options, seal_options, read_frail, write_frail, &store, len), open_options);
        CHECK(says(open_options, "failed with 5") && store.writes == fail_at + 1);
        STATUS(OK, objseal_open(open_options, stored, len, out, LEN, &written, 1), open_options);
        CHECK(written == LEN && memcmp(out, plain, LEN) == 0);
    }
    free(stored);
    free(out);
}

static void callbacks_that_fail(void) {
    objseal_key *key = key_of(7);
    objseal_seal_options *seal_options = NULL;
    objseal_open_options *open_options = NULL;
    uint8_t *plain = pattern(LEN);
    OK(objseal_seal_options_new(&seal_options));
    OK(objseal_seal_options_add_key(seal_options, 1, key));
    OK(objseal_open_options_new(&open_options));
    OK(objseal_open_options_add_key(open_options, key));
    sinks_that_fail(seal_options, open_options, plain);
    stores_that_fail(seal_options, open_options, plain);
    objseal_open_options_free(open_options);
    objseal_seal_options_free(seal_options);
    objseal_key_free(key);
    free(plain);
}

int main(void) {
    lengths_and_overlaps();
    threads_and_forks();
    sealers_and_forks();
    callbacks_that_lie();
    callbacks_that_fail();
    return 0;
}
