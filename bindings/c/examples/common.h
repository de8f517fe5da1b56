/* What the examples share: key files, failures, numbers, whole reads and writes. To be included before anything else. */

#ifndef COMMON_H
#define COMMON_H

#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include "objseal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether a call worked. If not, it prints why: in the words of the handle it was for, which know more than the status. */
static inline bool worked(objseal_status status, const void *handle, const char *what) {
    char text[300] = "";
    if (status == OBJSEAL_STATUS_OK) return true;
    size_t len = handle == NULL ? 0 : objseal_last_error(handle, text, sizeof text);
    fprintf(stderr, "%s: %s\n", what, len > 0 ? text : objseal_status_text((int32_t)status));
    return false;
}

/* The same for a call of the system. */
static inline bool system_worked(bool done, const char *what) {
    if (!done) fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return done;
}

/* Wipes a secret. A memset of memory that is not read again can be left out by the compiler, this cannot. */
static inline void wipe(void *start, size_t len) {
    volatile uint8_t *bytes = (volatile uint8_t *)start;
    while (len > 0) bytes[--len] = 0;
}

/* Reads until `len` bytes are there or the end comes. How many there are, -1 if it failed. */
static inline ssize_t read_all(int file, uint8_t *buffer, size_t len) {
    size_t done = 0;
    while (done < len) {
        ssize_t some = read(file, buffer + done, len - done);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return -1;
        if (some == 0) break;
        done += (size_t)some;
    }
    return (ssize_t)done;
}

static inline bool write_all(int file, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t some = write(file, bytes, len);
        if (some < 0 && errno == EINTR) continue;
        if (some == 0) errno = EIO; /* It would take nothing for ever. */
        if (some <= 0) return false;
        bytes += some;
        len -= (size_t)some;
    }
    return true;
}

/* Whether keys are at `path`, those in `key_path` or a keyring. What would replace them prints that, and does not. */
static inline bool keys_at(const char *path, const char *key_path) {
    struct stat there, keys;
    bool same = stat(path, &there) == 0 && stat(key_path, &keys) == 0 && there.st_dev == keys.st_dev && there.st_ino == keys.st_ino;
    if (!same && !objseal_keyring_is_at(path)) return false;
    fprintf(stderr, "%s: keys are there, and nothing may replace them\n", path);
    return true;
}

/* The key in a file of 32 bytes; NULL if there is none, which was printed then. */
static inline objseal_key *load_key(const char *path) {
    uint8_t bytes[OBJSEAL_KEY_LEN + 1]; /* One more, so that a longer file is noticed. */
    objseal_key *key = NULL;
    /* Not with stdio, whose buffer would keep the key. */
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = file < 0 ? -1 : read_all(file, bytes, sizeof bytes);
    if (!system_worked(len >= 0, path)) goto end;
    if (len != OBJSEAL_KEY_LEN) fprintf(stderr, "%s: a key has %d bytes\n", path, OBJSEAL_KEY_LEN);
    else worked(objseal_key_new(bytes, (size_t)len, &key), NULL, path);
end:
    wipe(bytes, sizeof bytes);
    if (file >= 0) close(file);
    return key;
}

/* Options with this key; NULL if there are none, which was printed then. */
static inline objseal_open_options *open_options_with(const objseal_key *key) {
    objseal_open_options *options = NULL;
    if (worked(objseal_open_options_new(&options), NULL, "options") &&
        worked(objseal_open_options_add_key(options, key), options, "options"))
        return options;
    objseal_open_options_free(options);
    return NULL;
}

/* The callback of readers: `user` leads to the descriptor of a file. Any number of threads can pread at the same time. */
static inline int32_t read_at(void *user, uint8_t *buffer, size_t len, uint64_t offset) {
    int file = *(const int *)user;
    while (len > 0) {
        ssize_t some = pread(file, buffer, len, (off_t)offset);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return errno;
        if (some == 0) return EIO; /* It has become shorter. */
        buffer += some;
        len -= (size_t)some;
        offset += (uint64_t)some;
    }
    return 0;
}

/* Opens a file for reading; -1 if it failed, which was printed then. */
static inline int open_stored(const char *path, uint64_t *stored_len) {
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode)) {
        *stored_len = (uint64_t)about.st_size;
        return file;
    }
    fprintf(stderr, "%s: %s\n", path, file < 0 ? strerror(errno) : "not a regular file");
    if (file >= 0) close(file);
    return -1;
}

/* Takes decimal digits, at least one, and goes behind them. (strtoull would take signs and spaces too.) */
static inline bool take_number(const char **text, uint64_t *number) {
    const char *at = *text;
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (*number > (UINT64_MAX - digit) / 10) return false;
        *number = *number * 10 + digit;
    }
    bool any = at != *text;
    *text = at;
    return any;
}

#endif
