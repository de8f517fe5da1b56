/*
 * Serves a range of a sealed file, END not included, without opening the rest of it:
 *
 *   range_server key film.sealed 1000000 1000100 > hundred.bytes
 *
 * Before it fetches them it says on stderr which stored bytes are needed. A server whose objects lie elsewhere would ask for
 * those; here a callback reads them from a file.
 */

#include "common.h"

#define PIECE (1024 * 1024)

/* Says where the chunks are that hold the range, which must be within the plaintext. */
static bool locate(const objseal_reader *reader, uint64_t start, uint64_t end) {
    uint64_t len = 0, body_len = 0, from = 0, to = 0;
    objseal_info *info = NULL;
    bool done = worked(objseal_reader_len(reader, &len), reader, "length") &&
                worked(objseal_reader_info(reader, &info), reader, "head");
    uint8_t layers = objseal_info_layers(info);
    done = done && worked(objseal_body_sealed_len(layers, len, &body_len), NULL, "length") &&
           worked(objseal_body_sealed_range(layers, start, end, body_len, &from, &to), NULL, "range");
    if (done)
        fprintf(stderr, "stored bytes %" PRIu64 " to %" PRIu64 "\n", OBJSEAL_BODY_OFFSET + from, OBJSEAL_BODY_OFFSET + to);
    objseal_info_free(info);
    return done;
}

/* Writes the range in pieces, so that it takes little memory. What it writes is authentic, whether it comes to the end or not. */
static bool serve(const objseal_reader *reader, uint64_t start, uint64_t end) {
    uint8_t *piece = malloc(PIECE);
    bool done = system_worked(piece != NULL, "memory");
    while (done && start < end) {
        size_t len = end - start < PIECE ? (size_t)(end - start) : PIECE;
        done = worked(objseal_reader_read(reader, start, piece, len, 0), reader, "range") &&
               system_worked(write_all(STDOUT_FILENO, piece, len), "output");
        start += len;
    }
    free(piece);
    return done;
}

static bool serve_file(const objseal_open_options *options, const char *path, uint64_t start, uint64_t end) {
    uint64_t stored_len = 0;
    objseal_reader *reader = NULL;
    int file = open_stored(path, &stored_len);
    if (file < 0) return false;
    /* This verifies the head and the end of the file, so the length is authentic. */
    bool done = worked(objseal_reader_new(options, read_at, &file, stored_len, &reader), options, path) &&
                locate(reader, start, end) && serve(reader, start, end);
    objseal_reader_free(reader);
    close(file);
    return done;
}

static bool parse(const char *text, uint64_t *number) { return take_number(&text, number) && *text == 0; }

int main(int argc, char **argv) {
    uint64_t start = 0, end = 0;
    if (argc != 5 || !parse(argv[3], &start) || !parse(argv[4], &end)) {
        fprintf(stderr, "usage: range_server KEYFILE FILE START END\n");
        return 1;
    }
    objseal_key *key = load_key(argv[1]);
    objseal_open_options *options = key == NULL ? NULL : open_options_with(key);
    objseal_key_free(key); /* The options have a copy. */
    bool done = options != NULL && serve_file(options, argv[2], start, end);
    objseal_open_options_free(options);
    /* Some file systems tell only then that there was no room. */
    done = system_worked(close(STDOUT_FILENO) == 0, "output") && done;
    return done ? 0 : 1;
}
