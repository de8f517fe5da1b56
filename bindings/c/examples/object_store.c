/*
 * A server that seals objects under keys that come with the requests, and keeps none of them (S3 calls that SSE-C):
 *
 *   object_store DIRECTORY KEYFILE [PORT]
 *
 *   curl -H "X-Key: $KEY" -T cat.jpg http://127.0.0.1:PORT/cat.jpg           KEY is 64 hex digits
 *   curl -H "X-Key: $KEY" -r 0-99 http://127.0.0.1:PORT/cat.jpg
 *
 * Or in parts, in any order, by any number of processes:
 *
 *   curl -H "X-Key: $KEY" -X POST http://127.0.0.1:PORT/cat.jpg?uploads      says an ID
 *   curl -H "X-Key: $KEY" -i -T part "http://127.0.0.1:PORT/cat.jpg?uploadId=ID&partNumber=1"      its head has an ETag
 *   echo "1 ETAG" | curl --data-binary @- http://127.0.0.1:PORT/cat.jpg?uploadId=ID
 *
 * KEYFILE has the server's own key. It opens no object: states of uploads are under it, and what completes one needs no other.
 * Where DIRECTORY has KEYFILE or a keyring, no object gets that name.
 *
 * It listens on 127.0.0.1, on any free port if none is given, and prints which. The keys are in clear on that way: what leaves
 * the machine belongs behind TLS. SIGINT and SIGTERM end it when all requests that came before have been answered.
 */

#include "http.h"

#include <dirent.h>

#define NAME_MAX_LEN 200
#define PATH_LEN 4096
#define BUCKET "objects"
#define STATE_MAX 32768
#define RECEIPT_MAX 16384
#define LIST_MAX (1 << 24)

static const char *directory, *server_key_path;
static objseal_key *server_key;

/* ---- Requests. What can fail returns the status to answer with; 0 is to go on. ---- */

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

/* What a query says: "uploads" begins an upload, "uploadId=ID" completes it, and with "&partNumber=N" seals a part of it. */
static bool parse_query(connection *c, const char *query) {
    static const char alphanumeric[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    c->begins = strcmp(query, "uploads") == 0;
    if (c->begins) return true;
    if (strncmp(query, "uploadId=", 9) != 0) return false;
    query += 9;
    if (strspn(query, alphanumeric) != ID_LEN) return false;
    memcpy(c->upload_id, query, ID_LEN);
    query += ID_LEN;
    if (*query == 0) return true;
    if (strncmp(query, "&partNumber=", 12) != 0) return false;
    query += 12;
    return take_number(&query, &c->part_number) && *query == 0 && c->part_number >= 1 && c->part_number <= OBJSEAL_MAX_PARTS;
}

/* Finds method, name, query and key. Whoever completes an upload needs no key. */
static int parse_request(connection *c) {
    char *target = strchr(c->request, ' '), *version = target == NULL ? NULL : strchr(target + 1, ' ');
    if (version == NULL || strncmp(version, " HTTP/1.", 8) != 0 || target[1] != '/') return 400;
    c->method = strndup(c->request, (size_t)(target - c->request));
    c->name = strndup(target + 2, (size_t)(version - target - 2));
    if (c->method == NULL || c->name == NULL) return 500;
    bool posts = strcmp(c->method, "POST") == 0, puts = strcmp(c->method, "PUT") == 0;
    if (!posts && !puts && strcmp(c->method, "GET") != 0) return 405;
    char *query = strchr(c->name, '?');
    if (query != NULL) *query++ = 0;
    if (!name_good(c->name) || (query != NULL && !parse_query(c, query))) return 400;
    bool of_upload = query != NULL, of_part = c->part_number != 0;
    if (posts ? !of_upload || of_part : puts ? of_upload != of_part : of_upload) return 400;
    const char *key = header(c, "X-Key");
    if (posts && !c->begins) return 0;
    if (key == NULL) return 400;
    c->key = key_of_hex(key);
    return c->key == NULL ? 400 : 0;
}

/* Where the object is, it is bound to; that is not stored with it, as whoever asks for it says it again. */
static objseal_seal_options *seal_options_of(const connection *c) {
    objseal_seal_options *options = NULL;
    if (worked(objseal_seal_options_new(&options), NULL, c->name) &&
        worked(objseal_seal_options_add_key(options, 1, c->key), options, c->name) &&
        worked(objseal_seal_options_set_upload_key(options, server_key), options, c->name) &&
        worked(objseal_seal_options_bind_context(options, "bucket", BUCKET), options, c->name) &&
        worked(objseal_seal_options_bind_context(options, "key", c->name), options, c->name))
        return options;
    objseal_seal_options_free(options);
    return NULL;
}

static objseal_open_options *open_options_of(const connection *c) {
    objseal_open_options *options = open_options_with(c->key);
    if (options != NULL && worked(objseal_open_options_add_context(options, "bucket", BUCKET), options, c->name) &&
        worked(objseal_open_options_add_context(options, "key", c->name), options, c->name))
        return options;
    objseal_open_options_free(options);
    return NULL;
}

/* A wrong key and an object that was changed look the same, and should. */
static int refused(objseal_status status, const void *handle, const connection *c) {
    worked(status, handle, c->name);
    return status == OBJSEAL_STATUS_AUTHENTICATION ? 403 : 500;
}

/* ---- Whole objects ---- */

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

static int put(connection *c, uint64_t len) {
    objseal_seal_options *options = seal_options_of(c);
    objseal_sealer *sealer = NULL;
    int status = 500;
    if (options != NULL && worked(objseal_sealer_new(options, &sealer), options, c->name)) status = put_file(c, sealer, len);
    objseal_sealer_free(sealer);
    objseal_seal_options_free(options);
    return status;
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

static int get_file(connection *c, const objseal_open_options *options, const char *path) {
    uint64_t stored_len = 0;
    objseal_reader *reader = NULL;
    int file = open_stored(path, &stored_len);
    if (file < 0) return 500;
    objseal_status opened = objseal_reader_new(options, read_at, &file, stored_len, &reader);
    int status = opened == OBJSEAL_STATUS_OK ? send_range(c, reader) : refused(opened, options, c);
    objseal_reader_free(reader);
    close(file);
    return status;
}

/* ---- Objects in parts. Each upload has a folder, which becomes the object when it is completed. ---- */

static void path_in(const connection *c, char *path, const char *file) {
    snprintf(path, PATH_LEN, "%s/.%s/%s", directory, c->upload_id, file);
}

/* What names an upload. Its state is bound to that, so it cannot be taken for another's. */
#define PLACE(c) {{"bucket", BUCKET}, {"key", (c)->name}, {"upload id", (c)->upload_id}}

static bool sync_and_close(int file, const char *path) {
    bool done = system_worked(fsync(file) == 0, path);
    return system_worked(close(file) == 0, path) && done;
}

/* All of it, or nothing: with half of a receipt no upload would ever be completed. */
static bool write_file(const char *path, const uint8_t *bytes, size_t len) {
    char temporary[PATH_LEN + 20];
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int file = mkstemp(temporary);
    if (!system_worked(file >= 0, path)) return false;
    bool done = system_worked(write_all(file, bytes, len), path);
    done = sync_and_close(file, path) && done && system_worked(rename(temporary, path) == 0, path);
    if (!done) unlink(temporary);
    return done;
}

/* The bytes of a file, at most `capacity`; -1 if there is none. */
static ssize_t read_file(const char *path, uint8_t *bytes, size_t capacity) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = file < 0 ? -1 : read_all(file, bytes, capacity);
    if (file >= 0) close(file);
    return len;
}

static int begin_upload(connection *c) {
    char path[PATH_LEN];
    uint8_t state[STATE_MAX];
    size_t len = 0;
    objseal_upload *upload = NULL;
    snprintf(path, sizeof path, "%s/.XXXXXX", directory);
    if (!system_worked(mkdtemp(path) != NULL, c->name)) return 500;
    memcpy(c->upload_id, path + strlen(path) - ID_LEN, ID_LEN);
    const objseal_pair place[] = PLACE(c);
    objseal_seal_options *options = seal_options_of(c);
    bool done = options != NULL && worked(objseal_upload_new(options, place, 3, &upload), options, c->name) &&
                worked(objseal_upload_state(upload, state, sizeof state, &len), upload, c->name);
    path_in(c, path, "state");
    done = done && write_file(path, state, len);
    if (!done) {
        unlink(path);
        *strrchr(path, '/') = 0;
        rmdir(path);
    }
    objseal_upload_free(upload);
    objseal_seal_options_free(options);
    snprintf(c->text, sizeof c->text, "%s\n", c->upload_id);
    return done ? 200 : 500;
}

/* The upload of a request, with the server's key; NULL and the status to answer with if there is none. */
static objseal_upload *resume(const connection *c, int *status) {
    char path[PATH_LEN];
    uint8_t state[STATE_MAX];
    const objseal_pair place[] = PLACE(c);
    objseal_upload *upload = NULL;
    path_in(c, path, "state");
    ssize_t len = read_file(path, state, sizeof state);
    *status = 404;
    if (len < 0) return NULL;
    objseal_open_options *options = open_options_with(server_key);
    *status = 500;
    if (options != NULL) {
        objseal_status resumed = objseal_upload_resume(options, place, 3, state, (size_t)len, &upload);
        if (resumed != OBJSEAL_STATUS_OK) *status = refused(resumed, options, c);
    }
    objseal_open_options_free(options);
    return upload;
}

/* Every attempt at a part goes into a file of its own, and beside it its receipt. */
static int put_attempt(connection *c, const objseal_upload *upload, objseal_sealer *sealer, uint64_t len) {
    char path[PATH_LEN], receipt_path[PATH_LEN + 10], name[30];
    uint8_t receipt[RECEIPT_MAX];
    size_t receipt_len = 0;
    objseal_info *info = NULL;
    snprintf(name, sizeof name, "%" PRIu64 ".XXXXXX", c->part_number);
    path_in(c, path, name);
    int file = mkstemp(path);
    if (!system_worked(file >= 0, c->name)) return 500;
    snprintf(receipt_path, sizeof receipt_path, "%s.receipt", path);
    int status = seal_body(c, sealer, len, file);
    if (!sync_and_close(file, c->name)) status = 500;
    if (status == 201 && (!worked(objseal_sealer_receipt(sealer, NULL, receipt, sizeof receipt, &receipt_len), sealer, c->name) ||
                          !worked(objseal_upload_receipt_info(upload, receipt, receipt_len, &info), upload, c->name) ||
                          !write_file(receipt_path, receipt, receipt_len)))
        status = 500;
    if (status == 201) snprintf(c->etag, sizeof c->etag, "%s", objseal_info_etag(info));
    else unlink(path);
    objseal_info_free(info);
    return status;
}

/* Sealing takes the key of the object besides the server's. */
static int put_part(connection *c, uint64_t len) {
    int status = 500;
    objseal_sealer *sealer = NULL;
    objseal_upload *upload = resume(c, &status);
    if (upload == NULL) return status;
    objseal_open_options *options = open_options_of(c);
    if (options != NULL) {
        objseal_status unlocked = objseal_upload_unlock(upload, options);
        if (unlocked != OBJSEAL_STATUS_OK) status = refused(unlocked, upload, c);
        else if (worked(objseal_part_sealer_new(upload, (uint32_t)c->part_number, OBJSEAL_MD5, &sealer), upload, c->name))
            status = put_attempt(c, upload, sealer, len);
    }
    objseal_sealer_free(sealer);
    objseal_open_options_free(options);
    objseal_upload_free(upload);
    return status;
}

/* What completes an upload: the parts that the client named, and all receipts with the names of their bodies. */
typedef struct {
    char *list;
    objseal_named_part parts[OBJSEAL_MAX_PARTS];
    size_t part_count, chosen[OBJSEAL_MAX_PARTS];
    objseal_bytes *receipts;
    char (*bodies)[30];
    size_t receipt_count;
} completion;

/* Reads the lines of the client, "NUMBER ETAG". */
static int read_list(connection *c, completion *all, uint64_t len) {
    size_t done = 0;
    if (len > LIST_MAX) return 400;
    all->list = calloc(1, (size_t)len + 1);
    if (all->list == NULL) return 500;
    while (done < len) {
        ssize_t some = receive_body(c, len - done < PIECE ? (size_t)len - done : PIECE);
        if (some <= 0) return 400;
        memcpy(all->list + done, c->plain, (size_t)some);
        done += (size_t)some;
    }
    for (char *rest = NULL, *line = strtok_r(all->list, "\r\n", &rest); line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
        const char *at = line;
        uint64_t number = 0;
        if (!take_number(&at, &number) || *at++ != ' ' || number > OBJSEAL_MAX_PARTS || all->part_count == OBJSEAL_MAX_PARTS)
            return 400;
        all->parts[all->part_count].number = (uint32_t)number;
        all->parts[all->part_count++].etag = at;
    }
    return 0;
}

static bool add_receipt(const connection *c, completion *all, const char *file) {
    char path[PATH_LEN];
    size_t len = strlen(file), count = all->receipt_count;
    if (len < 8 || len - 8 >= sizeof *all->bodies || strcmp(file + len - 8, ".receipt") != 0) return true;
    objseal_bytes *receipts = realloc(all->receipts, (count + 1) * sizeof *receipts);
    if (receipts != NULL) all->receipts = receipts;
    char(*bodies)[30] = realloc(all->bodies, (count + 1) * sizeof *bodies);
    if (bodies != NULL) all->bodies = bodies;
    uint8_t *bytes = malloc(RECEIPT_MAX);
    path_in(c, path, file);
    ssize_t read = receipts == NULL || bodies == NULL || bytes == NULL ? -1 : read_file(path, bytes, RECEIPT_MAX);
    if (!system_worked(read >= 0, path)) return free(bytes), false;
    receipts[count].start = bytes;
    receipts[count].len = (size_t)read;
    snprintf(bodies[count], sizeof *bodies, "%.*s", (int)(len - 8), file);
    all->receipt_count++;
    return true;
}

static bool read_receipts(const connection *c, completion *all) {
    char path[PATH_LEN];
    path_in(c, path, ".");
    DIR *folder = opendir(path);
    bool done = system_worked(folder != NULL, path);
    for (struct dirent *entry; done && (entry = readdir(folder)) != NULL;) done = add_receipt(c, all, entry->d_name);
    if (folder != NULL) closedir(folder);
    return done;
}

/* Writes head and table, names the bodies of the parts that count, and puts the folder in the place of the object, through a link
   that a rename exchanges at once. Then the upload has ended. */
static bool publish(const connection *c, const completion *all, const objseal_completed *completed) {
    char path[PATH_LEN], other[PATH_LEN], name[30];
    uint8_t head[OBJSEAL_MAX_HEAD_LEN];
    size_t len = 0;
    objseal_completed_table(completed, NULL, 0, &len);
    uint8_t *table = malloc(len + 1);
    path_in(c, path, "table");
    bool done = table != NULL && worked(objseal_completed_table(completed, table, len, &len), completed, c->name) &&
                write_file(path, table, len);
    free(table);
    path_in(c, path, "head");
    done = done && worked(objseal_completed_head(completed, head, sizeof head, &len), completed, c->name) &&
           write_file(path, head, len);
    for (size_t i = 0; done && i < all->part_count; i++) {
        snprintf(name, sizeof name, "%u.part", (unsigned)all->parts[i].number);
        path_in(c, path, all->bodies[all->chosen[i]]);
        path_in(c, other, name);
        unlink(other);
        done = system_worked(link(path, other) == 0, path);
    }
    path_in(c, path, "link");
    unlink(path);
    snprintf(name, sizeof name, ".%s", c->upload_id);
    snprintf(other, sizeof other, "%s/%s", directory, c->name);
    if (!done || !system_worked(symlink(name, path) == 0, path) || !system_worked(rename(path, other) == 0, other)) return false;
    for (size_t i = 0; i < all->receipt_count; i++) {
        path_in(c, path, all->bodies[i]);
        unlink(path);
        snprintf(name, sizeof name, "%.20s.receipt", all->bodies[i]);
        path_in(c, path, name);
        unlink(path);
    }
    path_in(c, path, "state");
    unlink(path);
    return true;
}

/* It takes the server's key only: whoever completes an upload need not have that of the object. */
static int complete(connection *c, uint64_t len) {
    int status = 500;
    objseal_completed *completed = NULL;
    objseal_info *info = NULL;
    completion *all = calloc(1, sizeof *all);
    objseal_upload *upload = all == NULL ? NULL : resume(c, &status);
    if (upload != NULL) {
        status = read_list(c, all, len);
        if (status == 0 && !read_receipts(c, all)) status = 500;
    }
    if (status == 0) {
        objseal_status done = objseal_upload_complete(upload, all->parts, all->part_count, all->receipts, all->receipt_count, NULL,
                                                      OBJSEAL_COMPOSITE, 0, OBJSEAL_INLINE_ENVELOPE_LEN, all->chosen, &completed);
        status = worked(done, upload, c->name) ? 201 : done == OBJSEAL_STATUS_PARTS ? 400 : 500;
    }
    if (status == 201 && (!publish(c, all, completed) || !worked(objseal_completed_info(completed, &info), completed, c->name)))
        status = 500;
    if (status == 201) snprintf(c->etag, sizeof c->etag, "%s", objseal_info_etag(info));
    objseal_info_free(info);
    objseal_completed_free(completed);
    objseal_upload_free(upload);
    if (all != NULL) {
        for (size_t i = 0; i < all->receipt_count; i++) free((void *)(uintptr_t)all->receipts[i].start);
        free(all->list);
        free(all->receipts);
        free(all->bodies);
    }
    free(all);
    return status;
}

/* The callback of objects in parts: `user` is the path of the folder. */
static int32_t read_part(void *user, const objseal_part *part, uint8_t *buffer, size_t len, uint64_t offset) {
    char path[PATH_LEN];
    uint64_t stored_len = 0;
    snprintf(path, sizeof path, "%s/%u.part", (const char *)user, (unsigned)part->number);
    int file = open_stored(path, &stored_len);
    if (file < 0) return EIO;
    int32_t answer = read_at(&file, buffer, len, offset);
    close(file);
    return answer;
}

static int get_parts(connection *c, const objseal_open_options *options, char *folder) {
    char path[PATH_LEN + 10];
    uint8_t head[OBJSEAL_MAX_HEAD_LEN];
    uint64_t table_len = 0;
    objseal_envelope *envelope = NULL;
    objseal_reader *reader = NULL;
    snprintf(path, sizeof path, "%s/head", folder);
    ssize_t len = read_file(path, head, sizeof head);
    snprintf(path, sizeof path, "%s/table", folder);
    int table = len < 0 ? -1 : open_stored(path, &table_len);
    if (table < 0) return 500;
    objseal_status opened = objseal_envelope_open(options, head, (size_t)len, &envelope);
    int status = 500;
    if (opened != OBJSEAL_STATUS_OK) status = refused(opened, options, c);
    else if (worked(objseal_parts_reader_new(envelope, table_len > 0 ? read_at : NULL, &table, table_len, read_part, folder, &reader),
                    envelope, c->name))
        status = send_range(c, reader);
    objseal_reader_free(reader);
    objseal_envelope_free(envelope);
    close(table);
    return status;
}

/* ---- All of it ---- */

static int get(connection *c) {
    char path[PATH_LEN];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", directory, c->name);
    if (stat(path, &about) != 0) return 404;
    objseal_open_options *options = open_options_of(c);
    int status = options == NULL ? 500 : S_ISDIR(about.st_mode) ? get_parts(c, options, path) : get_file(c, options, path);
    objseal_open_options_free(options);
    return status;
}

static int serve(connection *c) {
    char path[PATH_LEN];
    uint64_t len = 0;
    int status = parse_request(c);
    if (status != 0) return status;
    if (strcmp(c->method, "GET") == 0) return get(c);
    snprintf(path, sizeof path, "%s/%s", directory, c->name);
    if (keys_at(path, server_key_path)) return 403;
    if (c->begins) return begin_upload(c);
    status = body_len(c, &len);
    if (status != 0) return status;
    if (strcmp(c->method, "POST") == 0) return complete(c, len);
    return c->part_number > 0 ? put_part(c, len) : put(c, len);
}

int main(int argc, char **argv) {
    uint64_t port = 0;
    const char *text = argc == 4 ? argv[3] : "0";
    struct stat about;
    if (argc < 3 || argc > 4 || !take_number(&text, &port) || *text != 0 || port > 65535) {
        fprintf(stderr, "usage: object_store DIRECTORY KEYFILE [PORT]\n");
        return 1;
    }
    directory = argv[1];
    if (!system_worked(stat(directory, &about) == 0, directory)) return 1;
    if (!S_ISDIR(about.st_mode) || strlen(directory) > PATH_LEN - NAME_MAX_LEN - sizeof "/..XXXXXX/.receipt.XXXXXX") {
        fprintf(stderr, "%s: not a directory, or its name is too long\n", directory);
        return 1;
    }
    server_key_path = argv[2];
    server_key = load_key(server_key_path);
    if (server_key == NULL) return 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bool done = listen_on(listener, (uint16_t)port);
    if (done) accept_all(listener);
    if (listener >= 0) close(listener);
    objseal_key_free(server_key);
    return done ? 0 : 1;
}
