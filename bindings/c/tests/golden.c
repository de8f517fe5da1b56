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

static objseal_open_options *open_options_of(const char *context, const char *key_name) {
    objseal_open_options *open_options = NULL;
    char pairs[500];
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
    snprintf(pairs, sizeof pairs, "%s", context);
    if (strcmp(pairs, "-") == 0) return open_options;
    for (char *pair = strtok(pairs, ";"); pair != NULL; pair = strtok(NULL, ";")) {
        char *value = strchr(pair, '=');
        CHECK(value != NULL);
        *value = 0;
        STATUS(OK, objseal_open_options_add_context(open_options, pair, value + 1), open_options);
    }
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

static void parts(const char *name, int detached) {
    char path[200], place[200];
    memory table = {NULL, 0, 0};
    size_t head_len = 0, plain_len = 40000;
    snprintf(place, sizeof place, "%s", name);
    snprintf(path, sizeof path, "%s/envelope", name);
    uint8_t *head = golden(path, &head_len), *plain = plaintext(plain_len), *out = ROOM(plain_len), *table_bytes = NULL;
    snprintf(path, sizeof path, "%s/table", name);
    if (detached) table.bytes = table_bytes = golden(path, &table.len);
    objseal_open_options *open_options = open_options_of("name=cat.jpg", "default");
    objseal_envelope *envelope = NULL;
    objseal_reader *reader = NULL;
    STATUS(OK, objseal_envelope_open(open_options, head, head_len, &envelope), open_options);
    STATUS(OK, objseal_parts_reader_new(envelope, detached ? read_memory : NULL, &table, table.len, read_part, place, &reader), envelope);
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

int main(int argc, char **argv) {
    char path[600], line[1000], name[200], context[500], key_name[100], slots[100];
    unsigned len = 0, version = 0, generation = 0;
    int files = 0;
    CHECK(argc == 3);
    folder = argv[1];
    OK(objseal_keyring_new(&keyring));
    STATUS(OK, objseal_keyring_open(keyring, argv[2], NULL), keyring);
    snprintf(path, sizeof path, "%s/manifest.tsv", folder);
    FILE *manifest = fopen(path, "r");
    CHECK(manifest != NULL && fgets(line, sizeof line, manifest) != NULL);
    while (fgets(line, sizeof line, manifest) != NULL) {
        CHECK(sscanf(line, "%199[^\t]\t%u\t%499[^\t]\t%99[^\t]\t%u\t%u\t%99[^\n]", name, &len, context, key_name, &version, &generation,
                     slots) == 7);
        file(name, len, context, key_name, version, generation, slots);
        files++;
    }
    fclose(manifest);
    parts("parts", 0);
    parts("parts-detached", 1);
    parts("layers-parts", 0);
    parts("layers-parts-detached", 1);
    objseal_keyring_free(keyring);
    CHECK(files >= 15);
    printf("golden: %d files and 4 objects in parts on %s\n", files, objseal_best_engine());
    return 0;
}
