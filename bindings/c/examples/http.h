/* What the object store needs of HTTP: requests, answers, and a thread for every connection, with one request in each. */

#ifndef HTTP_H
#define HTTP_H

#include "common.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <strings.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#define REQUEST_MAX 8192
#define PIECE 65536
#define SEALED_MAX (2 * PIECE) /* More than an update makes of a piece: 1.01 times it and 49,152 bytes; or the end: 57,344. */
#define TIMEOUT_SECONDS 30
#define ID_LEN 6

/* All that is secret about a request is in here, and is wiped as a whole. */
typedef struct {
    int socket;
    char request[REQUEST_MAX + 1]; /* The head, its lines ended by zeros, and what came with it of the body. */
    size_t head_len, request_len, body_taken;
    char *method, *name;
    /* Of an upload in parts: whether one is to begin, which one it is, and which part of it. */
    bool begins;
    char upload_id[ID_LEN + 1];
    uint64_t part_number;
    objseal_key *key;
    /* What an answer has besides its status. */
    char etag[100], text[100];
    uint8_t plain[PIECE], sealed[SEALED_MAX];
} connection;

/* Serves a request: the status to answer with, or 0 if it has answered. The program has it. */
static int serve(connection *c);

/* ---- Requests. What can fail returns the status to answer with; 0 is to go on. ---- */

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
    char text[500], etag[200] = "";
    if (c->etag[0] != 0) snprintf(etag, sizeof etag, "ETag: %s\r\n", c->etag);
    int len = snprintf(text, sizeof text, "HTTP/1.1 %d %s\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
                       reason(status), etag, strlen(c->text), c->text);
    if (!write_all(c->socket, (const uint8_t *)text, (size_t)len)) return;
    /* Closed with input unread, the connection is reset, and the client may lose the answer; so some of that is read. */
    shutdown(c->socket, SHUT_WR);
    for (int i = 0; i < 64 && receive(c, c->plain, PIECE) > 0;) i++;
}

/* The length of the body, which the client is told to send. */
static int body_len(const connection *c, uint64_t *len) {
    const char *text = header(c, "Content-Length"), *expect = header(c, "Expect");
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (text == NULL || header(c, "Transfer-Encoding") != NULL) return 411;
    if (!take_number(&text, len) || *text != 0) return 400;
    return expect != NULL && !write_all(c->socket, (const uint8_t *)go_on, sizeof go_on - 1) ? 400 : 0;
}

/* The next bytes of the body, the first of which came with the head. */
static ssize_t receive_body(connection *c, size_t len) {
    size_t at = c->head_len + c->body_taken, here = c->request_len - at;
    if (here == 0) return receive(c, c->plain, len);
    if (here < len) len = here;
    memcpy(c->plain, c->request + at, len);
    c->body_taken += len;
    return (ssize_t)len;
}

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

/* ---- Connections ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static int open_connections;

static void *serve_connection(void *user) {
    connection *c = (connection *)user;
    int status = read_head(c);
    if (status == 0) status = serve(c);
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
    errno = pthread_create(&thread, NULL, serve_connection, c);
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

#endif
