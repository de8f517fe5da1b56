/*
 * A server with many threads, and clients that prove it right:
 *
 *   threads KEYFILE FILE CONNECTIONS
 *
 * The main thread accepts connections; workers serve them. What is const in the library's functions is shared by all of them:
 * the options, the reader. What is not belongs to one connection: the opener of those that want the whole object.
 *
 * A request is a line, "START END" or "ALL"; the answer is these bytes of the plaintext, and then the connection ends. To what
 * cannot be served the answer is nothing.
 */

#include "common.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#define WORKERS 4
#define CLIENTS 16
#define PIECE 65536
#define LINE 64

/* What the threads share. */
typedef struct {
    /* Never changed while there are threads. */
    const objseal_open_options *options;
    const objseal_reader *reader;
    int file;
    uint64_t stored_len;
    uint8_t *plaintext;
    uint64_t len;
    struct sockaddr_in address;
    uint64_t connections;
    /* Under the lock: accepted sockets, of which `taken` are with workers. */
    pthread_mutex_t lock;
    pthread_cond_t accepted;
    int *sockets;
    uint64_t count, taken;
    /* Under the lock: what the clients found. */
    uint64_t next_client, bytes, wrong;
} shared;

/* ---- The server ---- */

static bool send_all(int socket, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        /* A client that has gone is an error, not a signal. */
        ssize_t some = send(socket, bytes, len, MSG_NOSIGNAL);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return false;
        bytes += some;
        len -= (size_t)some;
    }
    return true;
}

/* A line without its end; what is too long is none. */
static bool receive_line(int socket, char *line) {
    for (size_t len = 0; len < LINE; len++) {
        ssize_t some;
        do some = recv(socket, line + len, 1, 0);
        while (some < 0 && errno == EINTR);
        if (some <= 0) return false;
        if (line[len] == '\n') {
            line[len] = 0;
            return true;
        }
    }
    return false;
}

/* One thread a call is enough: there are as many calls as workers. */
static bool serve_range(const shared *all, int socket, uint64_t start, uint64_t end) {
    uint8_t piece[PIECE];
    if (start > end || end > all->len) return false;
    while (start < end) {
        size_t len = end - start < PIECE ? (size_t)(end - start) : PIECE;
        if (!worked(objseal_reader_read(all->reader, start, piece, len, 1), all->reader, "range") ||
            !send_all(socket, piece, len))
            return false;
        start += len;
    }
    return true;
}

static bool serve_all(const shared *all, int socket) {
    uint8_t stored[PIECE], plain[2 * PIECE]; /* An update gives at most 65,536 bytes more than it gets. */
    objseal_opener *opener = NULL;
    size_t len = 0;
    int file = all->file;
    bool done = worked(objseal_opener_new(all->options, &opener), all->options, "opener");
    for (uint64_t at = 0; done && at < all->stored_len; at += PIECE) {
        size_t left = all->stored_len - at < PIECE ? (size_t)(all->stored_len - at) : PIECE;
        done = read_at(&file, stored, left, at) == 0 &&
               worked(objseal_opener_update(opener, stored, left, plain, sizeof plain, &len), opener, "opener") &&
               send_all(socket, plain, len);
    }
    done = done && worked(objseal_opener_finish(opener, plain, sizeof plain, &len), opener, "opener") &&
           send_all(socket, plain, len);
    objseal_opener_free(opener);
    return done;
}

static bool serve(const shared *all, int socket) {
    char line[LINE];
    const char *at = line;
    uint64_t start = 0, end = 0;
    if (!receive_line(socket, line)) return false;
    if (strcmp(line, "ALL") == 0) return serve_all(all, socket);
    return take_number(&at, &start) && *at++ == ' ' && take_number(&at, &end) && *at == 0 &&
           serve_range(all, socket, start, end);
}

/* The next socket; -1 when all connections are taken. */
static int take_socket(shared *all) {
    int socket = -1;
    pthread_mutex_lock(&all->lock);
    while (all->taken == all->count && all->taken < all->connections) pthread_cond_wait(&all->accepted, &all->lock);
    if (all->taken < all->connections) socket = all->sockets[all->taken++];
    if (all->taken == all->connections) pthread_cond_broadcast(&all->accepted);
    pthread_mutex_unlock(&all->lock);
    return socket;
}

static void *work(void *user) {
    shared *all = (shared *)user;
    for (int socket = take_socket(all); socket >= 0; socket = take_socket(all)) {
        serve(all, socket);
        close(socket);
    }
    return NULL;
}

static bool accept_all(shared *all, int listener) {
    for (uint64_t i = 0; i < all->connections; i++) {
        int socket;
        do socket = accept(listener, NULL, NULL);
        while (socket < 0 && (errno == EINTR || errno == ECONNABORTED));
        if (!system_worked(socket >= 0, "accept")) return false;
        pthread_mutex_lock(&all->lock);
        all->sockets[all->count++] = socket;
        pthread_cond_signal(&all->accepted);
        pthread_mutex_unlock(&all->lock);
    }
    return true;
}

/* ---- The clients ---- */

/* A sequence that is the same in every run: Knuth's MMIX generator, of which the upper bits are good. */
static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* What connection `number` asks for, and which bytes should be the answer. */
static void ask(const shared *all, uint64_t number, char *line, uint64_t *start, uint64_t *end) {
    uint64_t state = number;
    *start = 0;
    *end = number % 8 == 3 ? all->len : 0;
    if (number % 8 == 3) snprintf(line, LINE, "ALL\n");
    else if (number % 8 == 5) snprintf(line, LINE, "0 %" PRIu64 "\n", all->len + 1);
    else if (number % 8 == 7) snprintf(line, LINE, "1 and 2\n");
    else {
        *start = next_random(&state) % (all->len + 1);
        *end = *start + next_random(&state) % (all->len + 1 - *start);
        snprintf(line, LINE, "%" PRIu64 " %" PRIu64 "\n", *start, *end);
    }
}

/* Whether the answer is right to the last byte, and nothing comes behind it. */
static bool answer_right(int socket, const uint8_t *expected, uint64_t len) {
    uint8_t buffer[PIECE];
    for (;;) {
        ssize_t some = recv(socket, buffer, sizeof buffer, 0);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) return some == 0 && len == 0;
        if ((uint64_t)some > len || memcmp(buffer, expected, (size_t)some) != 0) return false;
        expected += some;
        len -= (uint64_t)some;
    }
}

static bool connection_right(const shared *all, uint64_t number, uint64_t *bytes) {
    char line[LINE];
    uint64_t start, end;
    ask(all, number, line, &start, &end);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (!system_worked(server >= 0, "client") ||
        !system_worked(connect(server, (const struct sockaddr *)&all->address, sizeof all->address) == 0, "client"))
        exit(1); /* The main thread would wait for this connection for ever. */
    bool right = send_all(server, (const uint8_t *)line, strlen(line)) &&
                 answer_right(server, all->plaintext + start, end - start);
    close(server);
    if (!right) fprintf(stderr, "connection %" PRIu64 ": wrong answer to %s", number, line);
    *bytes = end - start;
    return right;
}

static void *be_client(void *user) {
    shared *all = (shared *)user;
    pthread_mutex_lock(&all->lock);
    while (all->next_client < all->connections) {
        uint64_t number = all->next_client++, bytes = 0;
        pthread_mutex_unlock(&all->lock);
        bool right = connection_right(all, number, &bytes);
        pthread_mutex_lock(&all->lock);
        if (right) all->bytes += bytes;
        else all->wrong++;
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* ---- Both in one program ---- */

static bool run_threads(shared *all, int listener) {
    pthread_t threads[WORKERS + CLIENTS];
    for (int i = 0; i < WORKERS + CLIENTS; i++) {
        errno = pthread_create(&threads[i], NULL, i < WORKERS ? work : be_client, all);
        if (!system_worked(errno == 0, "thread")) exit(1);
    }
    if (!accept_all(all, listener)) exit(1);
    for (int i = 0; i < WORKERS + CLIENTS; i++) pthread_join(threads[i], NULL);
    return all->wrong == 0;
}

static bool run_server(shared *all) {
    socklen_t len = sizeof all->address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    all->address.sin_family = AF_INET;
    all->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    all->sockets = malloc((size_t)all->connections * sizeof *all->sockets);
    bool done = system_worked(listener >= 0, "socket") && system_worked(all->sockets != NULL, "memory") &&
                system_worked(bind(listener, (struct sockaddr *)&all->address, len) == 0, "bind") &&
                system_worked(getsockname(listener, (struct sockaddr *)&all->address, &len) == 0, "port") &&
                system_worked(listen(listener, SOMAXCONN) == 0, "listen") && run_threads(all, listener);
    free(all->sockets);
    if (listener >= 0) close(listener);
    if (done) {
        printf("%" PRIu64 " connections served, %" PRIu64 " bytes, all right\n", all->connections, all->bytes);
        done = system_worked(fflush(stdout) == 0, "output");
    }
    return done;
}

/* Opens the whole object at once; the ranges are compared with that. */
static bool open_whole(shared *all) {
    size_t stored_len = (size_t)all->stored_len, len = 0;
    uint8_t *stored = malloc(stored_len + 1);
    all->plaintext = malloc(stored_len + 1);
    bool done = system_worked(stored != NULL && all->plaintext != NULL, "memory") &&
                system_worked(read_at(&all->file, stored, stored_len, 0) == 0, "file") &&
                worked(objseal_open(all->options, stored, stored_len, all->plaintext, stored_len, &len, 0), all->options, "file");
    all->len = len;
    free(stored);
    return done;
}

static bool run(const objseal_open_options *options, const char *path, uint64_t connections) {
    shared all;
    objseal_reader *reader = NULL;
    memset(&all, 0, sizeof all);
    pthread_mutex_init(&all.lock, NULL);
    pthread_cond_init(&all.accepted, NULL);
    all.connections = connections;
    all.options = options;
    all.file = open_stored(path, &all.stored_len);
    bool done = all.file >= 0 && open_whole(&all) &&
                worked(objseal_reader_new(options, read_at, &all.file, all.stored_len, &reader), options, path);
    all.reader = reader;
    done = done && run_server(&all);
    objseal_reader_free(reader);
    free(all.plaintext);
    if (all.file >= 0) close(all.file);
    pthread_cond_destroy(&all.accepted);
    pthread_mutex_destroy(&all.lock);
    return done;
}

int main(int argc, char **argv) {
    uint64_t connections = 0;
    const char *text = argc == 4 ? argv[3] : "";
    if (!take_number(&text, &connections) || *text != 0 || connections < 1 || connections > 1000000) {
        fprintf(stderr, "usage: threads KEYFILE FILE CONNECTIONS\n");
        return 1;
    }
    objseal_key *key = load_key(argv[1]);
    objseal_open_options *options = key == NULL ? NULL : open_options_with(key);
    objseal_key_free(key); /* The options have a copy. */
    bool done = options != NULL && run(options, argv[2], connections);
    objseal_open_options_free(options);
    return done ? 0 : 1;
}
