/*
 * A server that seals objects under keys that come with the requests, and keeps none of them (S3 calls that SSE-C):
 *
 *   object_store DIRECTORY [PORT]
 *
 *   curl -H "X-Key: $KEY" -T cat.jpg http://127.0.0.1:PORT/cat.jpg           KEY is 64 hex digits
 *   curl -H "X-Key: $KEY" -r 0-99 http://127.0.0.1:PORT/cat.jpg
 *
 * It listens on 127.0.0.1, on any free port if none is given, and prints which. The keys are in clear on that way: what leaves
 * the machine belongs behind TLS. There is a thread for every connection, and one request in each. SIGINT and SIGTERM end it
 * when all requests that came before have been answered.
 */

#include "common.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <strings.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#define REQUEST_MAX 8192
#define NAME_MAX_LEN 200
#define PATH_LEN 4096
#define PIECE 65536
#define SEALED_MAX (2 * PIECE) /* More than an update makes of a piece: 1.01 times it and 49,152 bytes; or the end: 57,344. */
#define TIMEOUT_SECONDS 30

/* All that is secret about a request is in here, and is wiped as a whole. */
typedef struct {
    int socket;
    char request[REQUEST_MAX + 1]; /* The head, its lines ended by zeros, and what came with it of the body. */
    size_t head_len, request_len, body_taken;
    char *method, *name;
    objseal_key *key;
    uint8_t plain[PIECE], sealed[SEALED_MAX];
} connection;

static const char *directory;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static int open_connections;

/* ---- HTTP. What can fail returns the status to answer with; 0 is to go on. ---- */

static ssize_t receive(const connection *c, void *buffer, size_t len) {
    ssize_t some;
    do some = recv(c->socket, buffer, len, 0);
    while (some < 0 && errno == EINTR);
    return some;
}

static int read_head(connection *c) {
    const char *end = NULL;
    while (end == NULL) {
        if (c->request_len == REQUEST_MAX) return 431;
        ssize_t some = receive(c, c->request + c->request_len, REQUEST_MAX - c->request_len);
        if (some <= 0) return 400;
        c->request_len += (size_t)some;
        c->request[c->request_len] = 0;
        end = strstr(c->request, "\r\n\r\n"); /* Behind a zero it finds nothing, so there is none in the head. */
    }
    c->head_len = (size_t)(end - c->request) + 4;
    for (char *at = c->request; (at = strstr(at, "\r\n")) != NULL && at < c->request + c->head_len;) {
        *at++ = 0;
        *at++ = 0;
    }
    return 0;
}

/* The value of a header; NULL if it is not there. */
static const char *header(const connection *c, const char *name) {
    size_t len = strlen(name);
    for (const char *line = c->request; line < c->request + c->head_len - 4; line += strlen(line) + 2)
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') return line + len + 1 + strspn(line + len + 1, " \t");
    return NULL;
}

/* A name that begins with a dot is a temporary file, or no file. */
static bool name_good(const char *name) {
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && len <= NAME_MAX_LEN && name[len] == 0 && name[0] != '.';
}

static objseal_key *key_of_hex(const char *hex) {
    uint8_t bytes[OBJSEAL_KEY_LEN];
    objseal_key *key = NULL;
    bool good = strspn(hex, "0123456789abcdefABCDEF") == 2 * sizeof bytes && hex[2 * sizeof bytes] == 0;
    for (size_t i = 0; good && i < sizeof bytes; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
        wipe(digits, sizeof digits);
    }
    if (good) worked(objseal_key_new(bytes, sizeof bytes, &key), NULL, "key");
    wipe(bytes, sizeof bytes);
    return key;
}

/* Finds method, name and key. */
static int parse_request(connection *c) {
    char *target = strchr(c->request, ' '), *version = target == NULL ? NULL : strchr(target + 1, ' ');
    if (version == NULL || strncmp(version, " HTTP/1.", 8) != 0 || target[1] != '/') return 400;
    c->method = strndup(c->request, (size_t)(target - c->request));
    c->name = strndup(target + 2, (size_t)(version - target - 2));
    if (c->method == NULL || c->name == NULL) return 500;
    if (strcmp(c->method, "GET") != 0 && strcmp(c->method, "PUT") != 0) return 405;
    const char *key = header(c, "X-Key");
    if (!name_good(c->name) || key == NULL) return 400;
    c->key = key_of_hex(key);
    return c->key == NULL ? 400 : 0;
}

static const char *reason(int status) {
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 206: return "Partial Content";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 411: return "Length Required";
    case 416: return "Range Not Satisfiable";
    case 431: return "Request Header Fields Too Large";
    default: return "Internal Server Error";
    }
}

/* Answers without an object. */
static void answer(connection *c, int status) {
    char text[200];
    int len = snprintf(text, sizeof text, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, reason(status));
    if (!write_all(c->socket, (const uint8_t *)text, (size_t)len)) return;
    /* Closed with input unread, the connection is reset, and the client may lose the answer; so some of that is read. */
    shutdown(c->socket, SHUT_WR);
    for (int i = 0; i < 64 && receive(c, c->plain, PIECE) > 0;) i++;
}

/* ---- PUT ---- */

/* The next bytes of the body, the first of which came with the head. */
static ssize_t receive_body(connection *c, size_t len) {
    size_t at = c->head_len + c->body_taken, here = c->request_len - at;
    if (here == 0) return receive(c, c->plain, len);
    if (here < len) len = here;
    memcpy(c->plain, c->request + at, len);
    c->body_taken += len;
    return (ssize_t)len;
}

static int seal_body(connection *c, objseal_sealer *sealer, uint64_t left, int file) {
    size_t len = 0;
    while (left > 0) {
        ssize_t some = receive_body(c, left < PIECE ? (size_t)left : PIECE);
        if (some <= 0) return 500; /* It has gone, or is too slow. */
        left -= (uint64_t)some;
        if (!worked(objseal_sealer_update(sealer, c->plain, (size_t)some, c->sealed, SEALED_MAX, &len), sealer, c->name) ||
            !system_worked(write_all(file, c->sealed, len), c->name))
            return 500;
    }
    bool done = worked(objseal_sealer_finish(sealer, c->sealed, SEALED_MAX, &len), sealer, c->name) &&
                system_worked(write_all(file, c->sealed, len), c->name);
    return done ? 201 : 500;
}

static objseal_sealer *new_sealer(const connection *c) {
    objseal_seal_options *options = NULL;
    objseal_sealer *sealer = NULL;
    if (worked(objseal_seal_options_new(&options), NULL, c->name) &&
        worked(objseal_seal_options_add_key(options, 1, c->key), options, c->name) &&
        worked(objseal_seal_options_add_context(options, "name", c->name), options, c->name))
        worked(objseal_sealer_new(options, &sealer), options, c->name);
    objseal_seal_options_free(options);
    return sealer;
}

/* Into a temporary file, which gets the object's name when all of it is on the disk. */
static int put_file(connection *c, objseal_sealer *sealer, uint64_t len) {
    char path[PATH_LEN], temporary[PATH_LEN];
    snprintf(path, sizeof path, "%s/%s", directory, c->name);
    snprintf(temporary, sizeof temporary, "%s/.%s.XXXXXX", directory, c->name);
    int file = mkstemp(temporary);
    if (!system_worked(file >= 0, c->name)) return 500;
    int status = seal_body(c, sealer, len, file);
    if (status == 201 && !system_worked(fsync(file) == 0, c->name)) status = 500;
    if (!system_worked(close(file) == 0, c->name)) status = 500;
    if (status == 201 && !system_worked(rename(temporary, path) == 0, c->name)) status = 500;
    if (status != 201) unlink(temporary);
    return status;
}

static int put(connection *c) {
    const char *text = header(c, "Content-Length"), *expect = header(c, "Expect");
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uint64_t len = 0;
    if (text == NULL || header(c, "Transfer-Encoding") != NULL) return 411;
    if (!take_number(&text, &len) || *text != 0) return 400;
    if (expect != NULL && !write_all(c->socket, (const uint8_t *)go_on, sizeof go_on - 1)) return 400;
    objseal_sealer *sealer = new_sealer(c);
    int status = sealer == NULL ? 500 : put_file(c, sealer, len);
    objseal_sealer_free(sealer);
    return status;
}

/* ---- GET ---- */

/* What of `len` bytes is asked for. A range that is not understood may be ignored, and then all of them are. */
static int parse_range(const connection *c, uint64_t len, uint64_t *start, uint64_t *end) {
    const char *text = header(c, "Range");
    uint64_t first = 0, last = UINT64_MAX;
    *start = 0;
    *end = len;
    if (text == NULL || strncmp(text, "bytes=", 6) != 0) return 200;
    text += 6;
    bool from = take_number(&text, &first);
    if (*text++ != '-') return 200;
    bool to = take_number(&text, &last);
    if (*text != 0 || (!from && !to) || (from && to && last < first)) return 200;
    if (!from) *start = last < len ? len - last : 0; /* The last so many bytes. */
    else {
        *start = first;
        if (to && last < len) *end = last + 1;
    }
    return *start < *end ? 206 : 416;
}

/* The head of the answer goes out when the first piece has been verified. Later it can only break off, and the length says so. */
static int send_range(connection *c, const objseal_reader *reader) {
    uint64_t len = 0, start = 0, end = 0;
    if (!worked(objseal_reader_len(reader, &len), reader, c->name)) return 500;
    int status = parse_range(c, len, &start, &end);
    if (status == 416) return status;
    char text[300];
    int text_len = snprintf(text, sizeof text,
                            "HTTP/1.1 %d %s\r\nContent-Length: %" PRIu64 "\r\nAccept-Ranges: bytes\r\nConnection: close\r\n",
                            status, reason(status), end - start);
    if (status == 206)
        text_len += snprintf(text + text_len, sizeof text - (size_t)text_len,
                             "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", start, end - 1, len);
    text_len += snprintf(text + text_len, sizeof text - (size_t)text_len, "\r\n");
    bool headed = false;
    do {
        size_t piece = end - start < PIECE ? (size_t)(end - start) : PIECE;
        if (!worked(objseal_reader_read(reader, start, c->plain, piece, 1), reader, c->name)) return headed ? 0 : 500;
        if (!headed && !write_all(c->socket, (const uint8_t *)text, (size_t)text_len)) return 0;
        headed = true;
        if (!write_all(c->socket, c->plain, piece)) return 0;
        start += piece;
    } while (start < end);
    return 0;
}

static int get_file(connection *c, int *file, uint64_t stored_len) {
    objseal_open_options *options = open_options_with(c->key);
    objseal_reader *reader = NULL;
    int status = 500;
    if (options != NULL && worked(objseal_open_options_add_context(options, "name", c->name), options, c->name)) {
        objseal_status opened = objseal_reader_new(options, read_at, file, stored_len, &reader);
        /* A wrong key and an object that was changed look the same, and should. */
        if (opened == OBJSEAL_STATUS_AUTHENTICATION) status = 403;
        else if (worked(opened, options, c->name)) status = send_range(c, reader);
    }
    objseal_reader_free(reader);
    objseal_open_options_free(options);
    return status;
}

static int get(connection *c) {
    char path[PATH_LEN];
    uint64_t stored_len = 0;
    snprintf(path, sizeof path, "%s/%s", directory, c->name);
    if (access(path, F_OK) != 0) return 404;
    int file = open_stored(path, &stored_len);
    if (file < 0) return 500;
    int status = get_file(c, &file, stored_len);
    close(file);
    return status;
}

/* ---- Connections ---- */

static void *serve(void *user) {
    connection *c = (connection *)user;
    int status = read_head(c);
    if (status == 0) status = parse_request(c);
    if (status == 0) status = c->method[0] == 'P' ? put(c) : get(c);
    if (status != 0) answer(c, status);
    objseal_key_free(c->key);
    close(c->socket);
    free(c->method);
    free(c->name);
    wipe(c, sizeof *c);
    free(c);
    pthread_mutex_lock(&lock);
    open_connections--;
    pthread_cond_signal(&ended);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void start(int socket) {
    struct timeval patience = {TIMEOUT_SECONDS, 0};
    pthread_t thread;
    connection *c = calloc(1, sizeof *c);
    if (c == NULL || setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        goto failed;
    c->socket = socket;
    pthread_mutex_lock(&lock);
    open_connections++;
    pthread_mutex_unlock(&lock);
    errno = pthread_create(&thread, NULL, serve, c);
    if (errno == 0) {
        pthread_detach(thread);
        return;
    }
    pthread_mutex_lock(&lock);
    open_connections--;
    pthread_mutex_unlock(&lock);
failed:
    perror("connection");
    close(socket);
    free(c);
}

static volatile sig_atomic_t stopped;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

/* Accepts until a signal comes. Signals come only during pselect, so none is missed, and none disturbs a connection. */
static void accept_all(int listener) {
    struct sigaction action = {0};
    sigset_t ending, before;
    action.sa_handler = stop;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN; /* A client that has gone is an error of write. */
    sigaction(SIGPIPE, &action, NULL);
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, &before);
    while (!stopped) {
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(listener, &ready);
        if (pselect(listener + 1, &ready, NULL, NULL, NULL, &before) <= 0) continue;
        int socket = accept(listener, NULL, NULL);
        if (socket >= 0) start(socket);
        else perror("accept");
    }
    pthread_mutex_lock(&lock);
    while (open_connections > 0) pthread_cond_wait(&ended, &lock);
    pthread_mutex_unlock(&lock);
}

static bool listen_on(int listener, uint16_t port) {
    struct sockaddr_in address = {0};
    socklen_t len = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (!system_worked(listener >= 0, "socket") ||
        !system_worked(bind(listener, (struct sockaddr *)&address, len) == 0, "port") ||
        !system_worked(getsockname(listener, (struct sockaddr *)&address, &len) == 0, "port") ||
        !system_worked(listen(listener, SOMAXCONN) == 0, "port"))
        return false;
    printf("port %d\n", (int)ntohs(address.sin_port));
    return system_worked(fflush(stdout) == 0, "output");
}

int main(int argc, char **argv) {
    uint64_t port = 0;
    const char *text = argc == 3 ? argv[2] : "0";
    struct stat about;
    if (argc < 2 || argc > 3 || !take_number(&text, &port) || *text != 0 || port > 65535) {
        fprintf(stderr, "usage: object_store DIRECTORY [PORT]\n");
        return 1;
    }
    directory = argv[1];
    if (!system_worked(stat(directory, &about) == 0, directory)) return 1;
    if (!S_ISDIR(about.st_mode) || strlen(directory) > PATH_LEN - NAME_MAX_LEN - sizeof "/..XXXXXX") {
        fprintf(stderr, "%s: not a directory, or its name is too long\n", directory);
        return 1;
    }
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bool done = listen_on(listener, (uint16_t)port);
    if (done) accept_all(listener);
    if (listener >= 0) close(listener);
    return done ? 0 : 1;
}
