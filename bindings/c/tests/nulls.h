/* One right value for every parameter, for the calls that nulls.py writes. */

#include "check.h"

static objseal_key *key;
static objseal_keyring *keyring;
static objseal_seal_options *seal_options;
static objseal_open_options *open_options;
static objseal_sealer *sealer, *of_part;
static objseal_opener *opener;
static objseal_reader *reader;
static objseal_envelope *envelope;
static objseal_upload *upload;
static objseal_completed *completed;
static const objseal_pair pairs[1] = {{"bucket", "photos"}};
static objseal_part_table *part_table;
static objseal_info *info;
static objseal_named_part named[1];
static objseal_bytes receipts[1];
static objseal_part part;
static objseal_part_range ranges[4];
static const char *text;
static char chars[100];
static uint8_t bytes[2000], out[100000];
static uint64_t long_number;
static uint32_t number;
static size_t sizes[4];
static uint8_t table_bytes[1000];
static memory stored, table;

static int32_t write_at(void *user, const uint8_t *from, size_t len, uint64_t offset) {
    (void)user, (void)from, (void)len, (void)offset;
    return 1;
}

static int64_t pull(void *user, uint8_t *buffer, size_t len) {
    (void)user, (void)buffer, (void)len;
    return -1;
}

static int32_t push(void *user, const uint8_t *from, size_t len) {
    (void)user, (void)from, (void)len;
    return 1;
}

static int32_t read_part(void *user, const objseal_part *of, uint8_t *buffer, size_t len, uint64_t offset) {
    (void)user, (void)of, (void)buffer, (void)len, (void)offset;
    return 1;
}

static void set_up(const char *folder) {
    char path[500];
    snprintf(path, sizeof path, "%s/keyring-nulls", folder);
    key = key_of(1);
    OK(objseal_keyring_new(&keyring));
    STATUS(OK, objseal_keyring_create(keyring, path, NULL, "default"), keyring);
    OK(objseal_seal_options_new(&seal_options));
    OK(objseal_seal_options_add_key(seal_options, 1, key));
    OK(objseal_seal_options_set_upload_key(seal_options, key));
    OK(objseal_seal_options_add_context(seal_options, "name", "value"));
    OK(objseal_seal_options_set_field(seal_options, 0xC000, bytes, 10));
    OK(objseal_open_options_new(&open_options));
    OK(objseal_open_options_add_key(open_options, key));
    OK(objseal_open_options_add_context(open_options, "name", "value"));
    uint8_t *file = ROOM(20000);
    stored.bytes = file;
    OK(objseal_seal(seal_options, bytes, 100, file, 20000, &stored.len, 1));
    OK(objseal_sealer_new(seal_options, &sealer));
    OK(objseal_opener_new(open_options, &opener));
    OK(objseal_reader_new(open_options, read_memory, &stored, stored.len, &reader));
    OK(objseal_reader_info(reader, &info));

    OK(objseal_upload_new(seal_options, pairs, 1, &upload));
    uint8_t *body = ROOM(40000), *receipt = ROOM(16384);
    size_t len = 0;
    OK(objseal_part_sealer_new(upload, 1, 0, &of_part));
    OK(objseal_sealer_update(of_part, bytes, 100, body, 40000, &len));
    OK(objseal_sealer_finish(of_part, body, 40000, &len));
    OK(objseal_sealer_receipt(of_part, "default", receipt, 16384, &receipts[0].len));
    receipts[0].start = receipt;
    named[0].number = 1;
    named[0].etag = "default";
    OK(objseal_upload_complete(upload, named, 1, receipts, 1, NULL, 0, 0, 0, sizes, &completed));
    OK(objseal_completed_head(completed, body, 40000, &len));
    OK(objseal_envelope_open(open_options, body, len, &envelope));
    OK(objseal_completed_table(completed, table_bytes, sizeof table_bytes, &table.len));
    table.bytes = table_bytes;
    OK(objseal_part_table_new(envelope, read_memory, &table, table.len, &part_table));
    free(body);
}

static void tear_down(void) {
    objseal_part_table_free(part_table);
    objseal_envelope_free(envelope);
    objseal_completed_free(completed);
    objseal_upload_free(upload);
    objseal_info_free(info);
    objseal_reader_free(reader);
    objseal_opener_free(opener);
    objseal_sealer_free(of_part);
    objseal_sealer_free(sealer);
    objseal_open_options_free(open_options);
    objseal_seal_options_free(seal_options);
    objseal_keyring_free(keyring);
    objseal_key_free(key);
    free((void *)(uintptr_t)stored.bytes);
    free((void *)(uintptr_t)receipts[0].start);
}
