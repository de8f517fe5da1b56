/* Nothing is allocated while something is sealed or opened piece by piece. Every allocation of the program is counted. */

#include "check.h"

static size_t allocations;

#ifdef __cplusplus
extern "C" {
#define NOTHROW noexcept
#else
#define NOTHROW
#endif
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *malloc(size_t len) NOTHROW { return allocations++, __libc_malloc(len); }
void *calloc(size_t count, size_t len) NOTHROW { return allocations++, __libc_calloc(count, len); }
void *realloc(void *old, size_t len) NOTHROW { return allocations++, __libc_realloc(old, len); }
void *memalign(size_t align, size_t len) { return allocations++, __libc_memalign(align, len); }
void *aligned_alloc(size_t align, size_t len) NOTHROW { return allocations++, __libc_memalign(align, len); }
int posix_memalign(void **place, size_t align, size_t len) NOTHROW {
    allocations++;
    *place = __libc_memalign(align, len);
    return *place == NULL ? 12 : 0;
}
#ifdef __cplusplus
}
#endif

enum { PIECE = 100000, PIECES = 40 };

static uint8_t plain[PIECE], sealed[(PIECE + 2000) * PIECES], out[PIECE + 65536];

/* Seals and opens, and says how many allocations the pieces behind the first two took. */
static void none_in(const char *what, objseal_sealer *sealer, objseal_opener *opener) {
    size_t written = 0, total = 0, before = 0;
    for (int i = 0; i < PIECES; i++) {
        if (i == 2) before = allocations;
        STATUS(OK, objseal_sealer_update(sealer, plain, PIECE, sealed + total, sizeof sealed - total, &written), sealer);
        total += written;
    }
    size_t in_sealing = allocations - before;
    for (size_t at = 0, i = 0; at + PIECE <= total; at += PIECE, i++) {
        if (i == 2) before = allocations;
        STATUS(OK, objseal_opener_update(opener, sealed + at, PIECE, out, sizeof out, &written), opener);
    }
    size_t in_opening = allocations - before;
    objseal_sealer_free(sealer);
    objseal_opener_free(opener);
    if (in_sealing + in_opening != 0) fprintf(stderr, "%s: %zu and %zu allocations\n", what, in_sealing, in_opening);
    CHECK(in_sealing + in_opening == 0);
}

int main(void) {
    objseal_key *key = key_of(3);
    objseal_sealer *sealer = NULL;
    objseal_opener *opener = NULL;
    CHECK(allocations > 0);
    OK(objseal_cobblestone_sealer_new(key, NULL, 0, &sealer));
    OK(objseal_cobblestone_opener_new(key, NULL, 0, &opener));
    none_in("bare message", sealer, opener);
    for (int layers = 1; layers <= 2; layers++) {
        objseal_seal_options *seal_options = NULL;
        objseal_open_options *open_options = NULL;
        OK(objseal_seal_options_new(&seal_options));
        OK(objseal_open_options_new(&open_options));
        for (int layer = 1; layer <= layers; layer++) OK(objseal_seal_options_add_key(seal_options, (uint8_t)layer, key));
        OK(objseal_open_options_add_key(open_options, key));
        OK(objseal_sealer_new(seal_options, &sealer));
        OK(objseal_opener_new(open_options, &opener));
        none_in("file", sealer, opener);
        objseal_seal_options_free(seal_options);
        objseal_open_options_free(open_options);
    }
    objseal_key_free(key);
    printf("allocations: none while sealing and opening in pieces\n");
    return 0;
}
