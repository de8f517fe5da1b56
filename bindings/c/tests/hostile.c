/* A hostile caller: many threads, forks, lengths that no memory has, memory that overlaps. */

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

int main(void) {
    lengths_and_overlaps();
    threads_and_forks();
    return 0;
}
