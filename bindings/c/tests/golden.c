/* golden FOLDER KEYRING: every golden file and every golden object in parts opens. KEYRING is a copy that only its owner can
   read. */

#include "check.h"

static const char *folder;
static objseal_keyring *keyring;

static uint8_t *golden(const char *name, size_t *len) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_file(path, len);
}

static uint8_t *plaintext(size_t len) {
    uint8_t *plain = ROOM(len);
    for (size_t i = 0; i < len; i++) plain[i] = (uint8_t)(i % 251);
    return plain;
}

/* Pairs as the tables have them, `key=value;key=value`, which stay in `text`. */
static size_t pairs_of(char *text, objseal_pair *pairs) {
    size_t count = 0;
    for (char *pair = strtok(text, ";"); pair != NULL; pair = strtok(NULL, ";")) {
        char *value = strchr(pair, '=');
        CHECK(value != NULL);
        *value = 0;
        pairs[count].key = pair;
        pairs[count++].value = value + 1;
    }
    return count;
}

static objseal_open_options *open_options_of(const char *context, const char *key_name) {
    objseal_open_options *open_options = NULL;
    objseal_pair pairs[10];
    char text[500];
    OK(objseal_open_options_new(&open_options));
    OK(objseal_open_options_add_keyring(open_options, keyring));
    if (strcmp(key_name, "key") == 0) {
        size_t len = 0;
        uint8_t *bytes = golden("single-key", &len);
        objseal_key *key = NULL;
        OK(objseal_key_new(bytes, len, &key));
        OK(objseal_open_options_add_key(open_options, key));
        objseal_key_free(key);
        free(bytes);
    }
    snprintf(text, sizeof text, "%s", context);
    if (strcmp(text, "-") == 0) return open_options;
    size_t count = pairs_of(text, pairs);
    for (size_t i = 0; i < count; i++)
        STATUS(OK, objseal_open_options_add_context(open_options, pairs[i].key, pairs[i].value), open_options);
    return open_options;
}

static void file(const char *name, size_t plain_len, const char *context, const char *key_name, unsigned version,
                 unsigned generation, const char *slots) {
    size_t len = 0, written = 0, total = 0;
    uint8_t *stored = golden(name, &len), *plain = plaintext(plain_len), *out = ROOM(len);
    objseal_open_options *open_options = open_options_of(context, key_name);
    STATUS(OK, objseal_open(open_options, stored, len, out, len, &written, 0), open_options);
    CHECK(written == plain_len && memcmp(out, plain, plain_len) == 0);
    objseal_opener *opener = NULL;
    OK(objseal_opener_new(open_options, &opener));
    CHECK(push_opened(opener, stored, len, 5000, out, &total) == OBJSEAL_STATUS_OK && total == plain_len);
    objseal_info *info = NULL;
    STATUS(OK, objseal_opener_info(opener, &info), opener);
    uint8_t layer = 0;
    const char *service = NULL, *key_id = NULL;
    uint32_t found = 0;
    STATUS(OK, objseal_info_key(info, 0, &layer, &service, &key_id, &found), info);
    CHECK(objseal_info_generation(info) == generation);
    CHECK(objseal_info_slots_same(info) == (strcmp(slots, "same") == 0));
    CHECK(strstr(name, "recipients") != NULL || found == version);
    CHECK(objseal_info_layers(info) == (strchr(key_name, '+') != NULL ? 2 : 1));
    objseal_info_free(info);
    objseal_opener_free(opener);
    objseal_open_options_free(open_options);
    free(out);
    free(plain);
    free(stored);
}

static int32_t read_part(void *user, const objseal_part *part, uint8_t *buffer, size_t len, uint64_t offset) {
    char name[200];
    memory body = {NULL, 0, 0};
    snprintf(name, sizeof name, "%s/%u.part", (const char *)user, (unsigned)part->number);
    uint8_t *bytes = golden(name, &body.len);
    body.bytes = bytes;
    int32_t answer = read_memory(&body, buffer, len, offset);
    free(bytes);
    return answer;
}

/* That `bound`, keys with semicolons between them or `-`, are the keys of what is bound and not stored. */
static void bound_keys(const objseal_info *info, const char *bound) {
    char found[500] = "";
    const char *key = NULL;
    for (size_t i = 0; (key = objseal_info_bound_key(info, i)) != NULL; i++) {
        if (i > 0) strcat(found, ";");
        strncat(found, key, sizeof found - strlen(found) - 2);
    }
    CHECK(strcmp(found[0] == 0 ? "-" : found, bound) == 0);
}

/* What a head has besides, without a key. */
static void head_facts(const char *name, const char *bound, char *fields) {
    memory from = {NULL, 0, 0};
    uint8_t *stored = golden(name, &from.len), value[100];
    from.bytes = stored;
    objseal_info *info = NULL;
    OK(objseal_inspect(read_memory, &from, from.len, &info));
    bound_keys(info, bound);
    objseal_pair expected[10];
    size_t count = strcmp(fields, "-") == 0 ? 0 : pairs_of(fields, expected), len = 0;
    for (size_t i = 0; i < count; i++) {
        char hex[201] = "";
        STATUS(OK, objseal_info_field(info, (uint16_t)strtoul(expected[i].key, NULL, 16), value, sizeof value, &len), info);
        for (size_t at = 0; at < len; at++) snprintf(hex + 2 * at, 3, "%02x", value[at]);
        CHECK(strcmp(hex, expected[i].value) == 0);
    }
    objseal_info_free(info);
    free(stored);
}

/* The key of a head that a key service of another kind would open. */
static void kind_of(const char *name, const char *of_service, const char *of_id, unsigned of_version, unsigned kind) {
    char path[200];
    memory from = {NULL, 0, 0};
    snprintf(path, sizeof path, "wrapping-keys/%s.sealed", name);
    uint8_t *stored = golden(path, &from.len), layer = 0;
    from.bytes = stored;
    objseal_info *info = NULL;
    const char *service = NULL, *id = NULL;
    uint32_t version = 0;
    OK(objseal_inspect(read_memory, &from, from.len, &info));
    STATUS(OK, objseal_info_key(info, 0, &layer, &service, &id, &version), info);
    CHECK(strcmp(service, of_service) == 0 && strcmp(id, of_id) == 0 && version == of_version);
    CHECK(objseal_info_key_kind(info, 0) == kind && objseal_info_key_kind(info, 1) == 0);
    objseal_info_free(info);
    free(stored);
}

/* The upload that the object was: under the server's key, `second`, in its place. It knows the digests of the parts by their
   receipts, and what opens the object unlocks it. */
static void upload_of(const char *name, const objseal_part_table *table, const objseal_open_options *open_options) {
    static const objseal_pair place[] = {{"bucket", "photos"}, {"key", "cats/cat.jpg"}, {"upload id", "17"}};
    char path[200];
    size_t len = 0;
    uint32_t count = 0;
    uint64_t plain_len = 0;
    objseal_upload *upload = NULL;
    objseal_open_options *server = open_options_of("-", "default");
    snprintf(path, sizeof path, "%s/upload", name);
    uint8_t *state = golden(path, &len), digest[OBJSEAL_MAX_DIGEST_LEN];
    STATUS(OK, objseal_open_options_accept_key(server, 0, "second"), server);
    STATUS(AUTHENTICATION, objseal_upload_resume(server, place, 2, state, len, &upload), server);
    STATUS(OK, objseal_upload_resume(server, place, 3, state, len, &upload), server);
    STATUS(OK, objseal_upload_unlock(upload, open_options), upload);
    free(state);
    STATUS(OK, objseal_part_table_size(table, &count, &plain_len), table);
    CHECK(count == 3 && plain_len == 40000);
    for (uint32_t i = 0; i < count; i++) {
        objseal_part part;
        objseal_info *info = NULL;
        STATUS(OK, objseal_part_table_part(table, i, &part), table);
        snprintf(path, sizeof path, "%s/%u.receipt", name, (unsigned)part.number);
        uint8_t *receipt = golden(path, &len);
        STATUS(OK, objseal_upload_receipt_info(upload, receipt, len, &info), upload);
        CHECK(objseal_info_part_number(info) == part.number && objseal_info_plaintext_len(info) == part.len);
        CHECK(objseal_info_digest(info, part.digest_kind, digest, sizeof digest) == part.digest_len);
        CHECK(memcmp(part.digest, digest, part.digest_len) == 0);
        objseal_info_free(info);
        free(receipt);
    }
    objseal_upload_free(upload);
    objseal_open_options_free(server);
}

static void parts(const char *name, unsigned layers, int detached, const char *context, const char *bound, uint32_t digest,
                  unsigned checksum_type) {
    char path[200], place[200];
    memory beside = {NULL, 0, 0};
    size_t head_len = 0, plain_len = 40000;
    snprintf(place, sizeof place, "%s", name);
    snprintf(path, sizeof path, "%s/envelope", name);
    uint8_t *head = golden(path, &head_len), *plain = plaintext(plain_len), *out = ROOM(plain_len), *table_bytes = NULL;
    snprintf(path, sizeof path, "%s/table", name);
    if (detached) beside.bytes = table_bytes = golden(path, &beside.len);
    objseal_read_at_fn read_table = detached ? read_memory : NULL;
    objseal_open_options *open_options = open_options_of(context, "default");
    objseal_envelope *envelope = NULL;
    objseal_reader *reader = NULL;
    objseal_part_table *table = NULL;
    objseal_info *info = NULL;
    objseal_part part;
    STATUS(OK, objseal_envelope_open(open_options, head, head_len, &envelope), open_options);
    STATUS(OK, objseal_envelope_info(envelope, &info), envelope);
    CHECK(objseal_info_layers(info) == layers && objseal_info_checksum_type(info) == checksum_type);
    bound_keys(info, bound);
    objseal_info_free(info);
    STATUS(OK, objseal_part_table_new(envelope, read_table, &beside, beside.len, &table), envelope);
    STATUS(OK, objseal_part_table_part(table, 0, &part), table);
    CHECK(part.digest_kind == digest);
    upload_of(name, table, open_options);
    objseal_part_table_free(table);
    STATUS(OK, objseal_parts_reader_new(envelope, read_table, &beside, beside.len, read_part, place, &reader), envelope);
    STATUS(OK, objseal_reader_read(reader, 0, out, plain_len, 1), reader);
    CHECK(memcmp(out, plain, plain_len) == 0);
    objseal_reader_free(reader);
    objseal_envelope_free(envelope);
    objseal_open_options_free(open_options);
    free(head);
    free(plain);
    free(out);
    free(table_bytes);
}

/* A table of the folder, behind its first line. */
static FILE *table_of(const char *name) {
    char path[600], line[1000];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *table = fopen(path, "r");
    CHECK(table != NULL && fgets(line, sizeof line, table) != NULL);
    return table;
}

#define TEXT "%499[^\t\n]"
#define NAME "%99[^\t\n]"

int main(int argc, char **argv) {
    static char line[2000], name[100], context[500], key_name[500], more[500], bound[500], digest[500], type[500];
    unsigned len = 0, version = 0, generation = 0, layers = 0, kind = 0;
    int files = 0, heads = 0, kinds = 0, folders = 0;
    CHECK(argc == 3);
    folder = argv[1];
    OK(objseal_keyring_new(&keyring));
    STATUS(OK, objseal_keyring_open(keyring, argv[2], NULL), keyring);
    FILE *table = table_of("manifest.tsv");
    for (; fgets(line, sizeof line, table) != NULL; files++) {
        CHECK(sscanf(line, NAME "\t%u\t" TEXT "\t" TEXT "\t%u\t%u\t" TEXT, name, &len, context, key_name, &version, &generation,
                     more) == 7);
        file(name, len, context, key_name, version, generation, more);
    }
    fclose(table);
    table = table_of("heads.tsv");
    for (; fgets(line, sizeof line, table) != NULL; heads++) {
        CHECK(sscanf(line, NAME "\t" TEXT "\t" TEXT, name, bound, more) == 3);
        head_facts(name, bound, more);
    }
    fclose(table);
    table = table_of("wrapping-keys/keys.tsv");
    for (; fgets(line, sizeof line, table) != NULL; kinds++) {
        CHECK(sscanf(line, NAME "\t" TEXT "\t" TEXT "\t%u\t%u\t", name, more, key_name, &version, &kind) == 5);
        kind_of(name, more, key_name, version, kind);
    }
    fclose(table);
    table = table_of("parts.tsv");
    for (; fgets(line, sizeof line, table) != NULL; folders++) {
        CHECK(sscanf(line, NAME "\t%u\t" TEXT "\t" TEXT "\t" TEXT "\t" TEXT "\t" TEXT, name, &layers, more, context, bound, digest,
                     type) == 7);
        parts(name, layers, strcmp(more, "detached") == 0, context, bound,
              strcmp(digest, "sha256") == 0 ? OBJSEAL_SHA256 : strcmp(digest, "crc64nvme") == 0 ? OBJSEAL_CRC64NVME : 0,
              strcmp(type, "full object") == 0 ? OBJSEAL_FULL_OBJECT : strcmp(type, "composite") == 0 ? OBJSEAL_COMPOSITE : 0);
    }
    fclose(table);
    objseal_keyring_free(keyring);
    CHECK(files >= 17 && heads >= 2 && kinds >= 3 && folders >= 6);
    printf("golden: %d files and %d objects in parts on %s\n", files, folders, objseal_best_engine());
    return 0;
}
