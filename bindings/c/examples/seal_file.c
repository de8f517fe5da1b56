/*
 * Seals a file, and opens it again, on all CPUs and in little memory:
 *
 *   head -c 32 /dev/urandom > key
 *   seal_file seal key letter.txt letter.sealed
 *   seal_file open key letter.sealed letter.txt
 *
 * The output is written under a temporary name beside its own, which it gets when all of it is there. So a failure or a signal
 * leaves no half file, and OUT can be IN. It cannot be KEYFILE or a keyring.
 */

#include "common.h"

#include <signal.h>

/* A file, and why it failed: the library only gets to know that a callback did. */
typedef struct {
    const char *path;
    int file;
    int error;
} stream;

static int64_t read_some(void *user, uint8_t *buffer, size_t len) {
    stream *in = (stream *)user;
    ssize_t some;
    do some = read(in->file, buffer, len);
    while (some < 0 && errno == EINTR);
    if (some < 0) in->error = errno;
    return some;
}

static int32_t write_whole(void *user, const uint8_t *bytes, size_t len) {
    stream *out = (stream *)user;
    if (write_all(out->file, bytes, len)) return 0;
    out->error = errno;
    return -1;
}

static bool streamed(objseal_status status, const void *handle, const stream *in, const stream *out) {
    const stream *broken = in->error != 0 ? in : out;
    if (status != OBJSEAL_STATUS_IO || broken->error == 0) return worked(status, handle, in->path);
    fprintf(stderr, "%s: %s\n", broken->path, strerror(broken->error));
    return false;
}

static bool seal(const objseal_key *key, stream *in, stream *out) {
    objseal_seal_options *options = NULL;
    bool done = worked(objseal_seal_options_new(&options), NULL, "options") &&
                worked(objseal_seal_options_add_key(options, 1, key), options, "options") &&
                streamed(objseal_seal_stream(options, read_some, in, write_whole, out, 0, NULL), options, in, out);
    objseal_seal_options_free(options);
    return done;
}

static bool unseal(const objseal_key *key, stream *in, stream *out) {
    objseal_open_options *options = open_options_with(key);
    bool done = options != NULL &&
                streamed(objseal_open_stream(options, read_some, in, write_whole, out, 0, NULL), options, in, out);
    objseal_open_options_free(options);
    return done;
}

typedef bool (*work)(const objseal_key *key, stream *in, stream *out);

/* The file that a signal removes. */
static const char *volatile unfinished;

static void give_up(int number) {
    if (unfinished != NULL) unlink(unfinished);
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_signals(void) {
    static const int ENDING[] = {SIGHUP, SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof ENDING / sizeof *ENDING; i++) {
        struct sigaction action = {0}, before;
        action.sa_handler = give_up;
        /* What is ignored stays ignored, as nohup wants it. */
        if (sigaction(ENDING[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(ENDING[i], &action, NULL);
    }
}

static int make_temporary(char *name) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* A signal would find a file, and not its name. */
    int file = mkstemp(name);
    if (file >= 0) unfinished = name;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return file;
}

/* Works into a temporary file, which gets the name `path` in the end. Only its owner may read it. */
static bool into_file(const char *path, const char *key_path, work work, const objseal_key *key, stream *in) {
    struct stat there;
    /* A rename would put a file in the place of a device or a link. */
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        fprintf(stderr, "%s: not a regular file\n", path);
        return false;
    }
    if (keys_at(path, key_path)) return false;
    /* Not longer than its own name, which may be as long as names can be. */
    const char *name = strrchr(path, '/');
    size_t folder = name == NULL ? 0 : (size_t)(name - path) + 1, room = folder + sizeof ".seal_file.XXXXXX";
    char *temporary = malloc(room);
    if (!system_worked(temporary != NULL, path)) return false;
    snprintf(temporary, room, "%.*s.seal_file.XXXXXX", (int)folder, path);
    stream out = {path, make_temporary(temporary), 0};
    bool done = system_worked(out.file >= 0, path);
    if (done) {
        /* On the disk before it has its name: else a crash could leave the name with half of the content. */
        done = work(key, in, &out) && system_worked(fsync(out.file) == 0, path);
        done = system_worked(close(out.file) == 0, path) && done;
        done = done && system_worked(rename(temporary, path) == 0, path);
        if (!done) unlink(temporary);
        unfinished = NULL;
    }
    free(temporary);
    return done;
}

int main(int argc, char **argv) {
    work work = argc != 5 ? NULL : strcmp(argv[1], "seal") == 0 ? seal : strcmp(argv[1], "open") == 0 ? unseal : NULL;
    if (work == NULL) {
        fprintf(stderr, "usage: seal_file seal|open KEYFILE IN OUT\n");
        return 1;
    }
    watch_signals();
    objseal_key *key = load_key(argv[2]);
    bool done = false;
    if (key != NULL) {
        stream in = {argv[3], open(argv[3], O_RDONLY | O_CLOEXEC), 0};
        done = system_worked(in.file >= 0, in.path) && into_file(argv[4], argv[2], work, key, &in);
        if (in.file >= 0) close(in.file);
    }
    objseal_key_free(key);
    return done ? 0 : 1;
}
