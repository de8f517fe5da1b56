/* Objects in parts. */

#include "check.h"

#include <inttypes.h>

#define LEN ((size_t)200001)

/* Three parts: where they begin, and which attempt at each counts. */
static const uint32_t NUMBERS[] = {1, 3, 9};
static const size_t CUTS[] = {0, 70000, 70001, LEN};

typedef struct {
    uint8_t *body, *receipt;
    size_t body_len, receipt_len;
    uint32_t number;
} attempt;

/* Bodies by their salts, as a store that keeps all attempts has them. */
typedef struct {
    attempt attempts[8];
    size_t count;
    int fail;
    /* The index of the attempt that is given instead of any other, and 1. */
    size_t instead;
} store;

static int32_t read_part(void *user, const objseal_part *part, uint8_t *buffer, size_t len, uint64_t offset) {
    const store *from = (const store *)user;
    if (from->fail) return 1;
    for (size_t i = 0; i < from->count; i++) {
        const attempt *one = &from->attempts[i];
        if (one->number != part->number || memcmp(one->body, part->salt, sizeof part->salt) != 0) continue;
        CHECK(one->body_len == part->stored_len);
        /* With the table has come the digest of the part. */
        CHECK(part->digest_kind == OBJSEAL_CRC64NVME && part->digest_len == 8);
        if (from->instead != 0) one = &from->attempts[from->instead - 1];
        if (offset > one->body_len || len > one->body_len - offset) return 2;
        memcpy(buffer, one->body + offset, len);
        return 0;
    }
    return 3;
}

static attempt seal_part(const objseal_upload *upload, size_t part, const uint8_t *plain, const char *etag) {
    attempt made = {NULL, ROOM(16384), 0, 0, NUMBERS[part]};
    objseal_sealer *sealer = NULL;
    STATUS(OK, objseal_part_sealer_new(upload, made.number, OBJSEAL_MD5 | OBJSEAL_CRC64NVME, &sealer), upload);
    STATUS(ARGUMENT, objseal_sealer_receipt(sealer, etag, made.receipt, 16384, &made.receipt_len), sealer);
    made.body = push_sealed(sealer, plain + CUTS[part], CUTS[part + 1] - CUTS[part], 33333, &made.body_len);
    STATUS(OUTPUT_TOO_SMALL, objseal_sealer_receipt(sealer, etag, made.receipt, 5, &made.receipt_len), sealer);
    STATUS(OK, objseal_sealer_receipt(sealer, NULL, made.receipt, 16384, &made.receipt_len), sealer);
    objseal_sealer_free(sealer);
    return made;
}

static void ranges(const objseal_envelope *envelope, const uint8_t *table, size_t table_len, store *stored, const uint8_t *plain,
                   const uint8_t *digest_of_3) {
    memory beside = {table, table_len, 0};
    objseal_read_at_fn read_at = table_len > 0 ? read_memory : NULL;
    objseal_part_table *parts = NULL;
    objseal_part_range found[3];
    objseal_part part;
    uint32_t count = 0;
    uint64_t len = 0;
    size_t touched = 0;
    STATUS(OK, objseal_part_table_new(envelope, read_at, &beside, table_len, &parts), envelope);
    STATUS(OK, objseal_part_table_size(parts, &count, &len), parts);
    CHECK(count == 3 && len == LEN);
    STATUS(OK, objseal_part_table_part(parts, 1, &part), parts);
    CHECK(part.number == 3 && part.start == 70000 && part.len == 1);
    CHECK(part.digest_kind == OBJSEAL_CRC64NVME && part.digest_len == 8 && memcmp(part.digest, digest_of_3, 8) == 0);
    CHECK(all(part.digest + 8, sizeof part.digest - 8, 0));
    STATUS(OUT_OF_RANGE, objseal_part_table_part(parts, 3, &part), parts);
    STATUS(OK, objseal_part_table_locate(parts, 69999, 70002, found, 3, &touched), parts);
    CHECK(touched == 3 && found[0].start == 69999 && found[0].end == 70000 && found[2].part.number == 9 && found[2].end == 1);
    CHECK(found[0].stored_end <= found[0].part.stored_len && found[0].stored_start < found[0].stored_end);
    STATUS(OUTPUT_TOO_SMALL, objseal_part_table_locate(parts, 69999, 70002, found, 2, &touched), parts);
    CHECK(touched == 3);
    STATUS(OK, objseal_part_table_locate(parts, 5, 5, NULL, 0, &touched), parts);
    CHECK(touched == 0);
    STATUS(OUT_OF_RANGE, objseal_part_table_locate(parts, 0, LEN + 1, found, 3, &touched), parts);
    objseal_part_table_free(parts);

    objseal_reader *reader = NULL;
    STATUS(OK, objseal_parts_reader_new(envelope, read_at, &beside, table_len, read_part, stored, &reader), envelope);
    size_t starts[] = {0, 69990, 70000, 70001, 199000}, lens[] = {LEN, 20, 1, 100000, 1001};
    for (size_t i = 0; i < 5; i++) {
        uint8_t *out = ROOM(lens[i]);
        STATUS(OK, objseal_reader_read(reader, starts[i], out, lens[i], 1), reader);
        CHECK(memcmp(out, plain + starts[i], lens[i]) == 0);
        stored->fail = 1;
        STATUS(IO, objseal_reader_read(reader, starts[i], out, lens[i], 1), reader);
        CHECK(all(out, lens[i], 0));
        stored->fail = 0;
        free(out);
    }
    objseal_reader_free(reader);
    if (table_len > 0) {
        STATUS(ARGUMENT, objseal_part_table_new(envelope, NULL, NULL, 0, &parts), envelope);
        beside.len--;
        STATUS(AUTHENTICATION, objseal_part_table_new(envelope, read_at, &beside, table_len - 1, &parts), envelope);
    }
}

static const objseal_pair PLACE[] = {{"bucket", "photos"}, {"key", "cat.jpg"}, {"upload id", "17"}},
                          ELSEWHERE[] = {{"bucket", "photos"}, {"key", "dog.jpg"}, {"upload id", "17"}},
                          TWICE[] = {{"bucket", "photos"}, {"bucket", "films"}};

static objseal_open_options *open_options_with(const objseal_key *key) {
    objseal_open_options *open_options = NULL;
    OK(objseal_open_options_new(&open_options));
    STATUS(OK, objseal_open_options_add_key(open_options, key), open_options);
    return open_options;
}

/* What the server needs for what: its own key goes on with an upload, the client's seals its parts. */
static void keys_of_uploads(const objseal_key *client, const objseal_key *server, const uint8_t *state, size_t state_len, int layers) {
    objseal_open_options *theirs = open_options_with(client), *ours = open_options_with(server), *refusing = open_options_with(server);
    objseal_upload *upload = NULL;
    objseal_sealer *sealer = NULL;
    char text[300];
    STATUS(AUTHENTICATION, objseal_upload_resume(theirs, PLACE, 3, state, state_len, &upload), theirs);
    CHECK(objseal_last_error(theirs, text, sizeof text) > 0 && strstr(text, "another key of that name") != NULL);
    STATUS(AUTHENTICATION, objseal_upload_resume(ours, ELSEWHERE, 3, state, state_len, &upload), ours);
    STATUS(AUTHENTICATION, objseal_upload_resume(ours, PLACE, 2, state, state_len, &upload), ours);
    STATUS(AUTHENTICATION, objseal_upload_resume(ours, NULL, 0, state, state_len, &upload), ours);
    STATUS(ARGUMENT, objseal_upload_resume(ours, TWICE, 2, state, state_len, &upload), ours);
    STATUS(FORMAT, objseal_upload_resume(ours, PLACE, 3, state, 3, &upload), ours);
    STATUS(OK, objseal_open_options_accept_key(refusing, 0, "none"), refusing);
    STATUS(KEY_NOT_FOUND, objseal_upload_resume(refusing, PLACE, 3, state, state_len, &upload), refusing);
    CHECK(upload == NULL);
    objseal_open_options_free(refusing);

    /* What is demanded of layers and of the object is not of the server's key; it is when the object's keys come. */
    refusing = open_options_with(server);
    STATUS(OK, objseal_open_options_add_key(refusing, client), refusing);
    for (uint8_t layer = 1; layer <= 2; layer++) STATUS(OK, objseal_open_options_accept_key(refusing, layer, "none"), refusing);
    STATUS(OK, objseal_open_options_set_minimum_layers(refusing, 3), refusing);
    STATUS(OK, objseal_upload_resume(refusing, PLACE, 3, state, state_len, &upload), refusing);
    for (int unlocked = 0; unlocked < 2; unlocked++) {
        STATUS(POLICY, objseal_upload_unlock(upload, refusing), upload);
        STATUS(AUTHENTICATION, objseal_upload_unlock(upload, ours), upload);
        CHECK(objseal_last_error(upload, text, sizeof text) > 0 && strstr(text, "another key of that name") != NULL);
        if (unlocked) break;
        STATUS(KEY_NOT_FOUND, objseal_part_sealer_new(upload, 1, 0, &sealer), upload);
        CHECK(objseal_last_error(upload, text, sizeof text) > 0 && strstr(text, "objseal_upload_unlock") != NULL && sealer == NULL);
        STATUS(OK, objseal_open_options_set_minimum_layers(theirs, (uint8_t)layers), theirs);
        STATUS(OK, objseal_upload_unlock(upload, theirs), upload);
    }
    STATUS(OK, objseal_part_sealer_new(upload, 1, 0, &sealer), upload);
    objseal_sealer_free(sealer);
    objseal_upload_free(upload);
    objseal_open_options_free(refusing);
    objseal_open_options_free(theirs);
    objseal_open_options_free(ours);
}

/* A receipt that cannot be made: the attempt is lost, and says so at every call. */
static void lost_receipt(const objseal_upload *upload) {
    objseal_sealer *sealer = NULL;
    uint8_t out[60000];
    size_t len = 0;
    char text[300], again[300];
    objseal_info *info = NULL;
    STATUS(OK, objseal_part_sealer_new(upload, 5, 0, &sealer), upload);
    STATUS(OK, objseal_sealer_finish(sealer, out, sizeof out, &len), sealer);
    STATUS(FORMAT, objseal_sealer_receipt(sealer, "a control character: \x01", out, sizeof out, &len), sealer);
    CHECK(objseal_last_error(sealer, text, sizeof text) > 0);
    for (int call = 0; call < 4; call++) {
        if (call == 0) STATUS(FORMAT, objseal_sealer_receipt(sealer, "fine", out, sizeof out, &len), sealer);
        if (call == 1) STATUS(FORMAT, objseal_sealer_update(sealer, out, 1, out + 1, sizeof out - 1, &len), sealer);
        if (call == 2) STATUS(FORMAT, objseal_sealer_finish(sealer, out, sizeof out, &len), sealer);
        if (call == 3) STATUS(FORMAT, objseal_sealer_info(sealer, &info), sealer);
        CHECK(objseal_last_error(sealer, again, sizeof again) > 0 && strcmp(text, again) == 0);
    }
    objseal_sealer_free(sealer);
}

static void upload(int layers, size_t inline_len) {
    objseal_key *client = key_of(1), *server = key_of(2);
    objseal_seal_options *seal_options = NULL;
    objseal_open_options *open_options = open_options_with(client), *resuming = open_options_with(server);
    objseal_upload *first = NULL, *resumed = NULL;
    uint8_t *plain = pattern(LEN), state[8192], head[OBJSEAL_MAX_HEAD_LEN], table[16384], id[OBJSEAL_MAX_DIGEST_LEN], digest[8];
    size_t state_len = 0, head_len = 0, table_len = 0, chosen[3];
    OK(objseal_seal_options_new(&seal_options));
    for (int layer = 1; layer <= layers; layer++) OK(objseal_seal_options_add_key(seal_options, (uint8_t)layer, client));
    STATUS(ARGUMENT, objseal_upload_new(seal_options, PLACE, 3, &first), seal_options);
    OK(objseal_seal_options_set_upload_key(seal_options, server));
    STATUS(ARGUMENT, objseal_upload_new(seal_options, TWICE, 2, &first), seal_options);
    STATUS(OK, objseal_upload_new(seal_options, PLACE, 3, &first), seal_options);
    STATUS(OK, objseal_upload_state(first, state, sizeof state, &state_len), first);
    keys_of_uploads(client, server, state, state_len, layers);

    /* Any order, a part twice, the first by who began and each other in what could be a process of its own. */
    size_t order[] = {2, 0, 1, 0};
    const char *etags[] = {"nine", "one, first", "three", "one, second"};
    store stored;
    memset(&stored, 0, sizeof stored);
    stored.attempts[stored.count++] = seal_part(first, order[0], plain, etags[0]);
    for (size_t i = 1; i < 4; i++) {
        STATUS(OK, objseal_upload_resume(resuming, PLACE, 3, state, state_len, &resumed), resuming);
        STATUS(OK, objseal_upload_unlock(resumed, open_options), resumed);
        stored.attempts[stored.count++] = seal_part(resumed, order[i], plain, etags[i]);
        objseal_upload_free(resumed);
    }
    objseal_sealer *sealer = NULL;
    STATUS(PARTS, objseal_part_sealer_new(first, 0, 0, &sealer), first);
    STATUS(PARTS, objseal_part_sealer_new(first, OBJSEAL_MAX_PARTS + 1, 0, &sealer), first);
    STATUS(ARGUMENT, objseal_part_sealer_new(first, 1, 1024, &sealer), first);
    CHECK(sealer == NULL);
    lost_receipt(first);
    objseal_upload_free(first);

    /* The rest takes the server's key only. */
    objseal_bytes receipts[4];
    for (size_t i = 0; i < 4; i++) {
        receipts[i].start = stored.attempts[i].receipt;
        receipts[i].len = stored.attempts[i].receipt_len;
    }
    objseal_info *info = NULL;
    STATUS(OK, objseal_upload_resume(resuming, PLACE, 3, state, state_len, &first), resuming);
    STATUS(OK, objseal_upload_receipt_info(first, receipts[1].start, receipts[1].len, &info), first);
    CHECK(objseal_info_part_number(info) == 1 && strcmp(objseal_info_etag(info), "one, first") == 0);
    CHECK(objseal_info_plaintext_len(info) == 70000 && objseal_info_layers(info) == 0);
    STATUS(OUT_OF_RANGE, objseal_info_object_id(info, id), info);
    CHECK(objseal_info_bound_key(info, 0) == NULL && objseal_info_key_kind(info, 0) == 0);
    STATUS(OUT_OF_RANGE, objseal_info_field(info, 0xC000, id, sizeof id, &head_len), info);
    objseal_info_free(info);
    STATUS(OK, objseal_upload_receipt_info(first, receipts[2].start, receipts[2].len, &info), first);
    CHECK(objseal_info_digest(info, OBJSEAL_CRC64NVME, digest, sizeof digest) == 8);
    objseal_info_free(info);

    objseal_named_part named[] = {{1, "one, second"}, {3, "three"}, {9, "nine"}}, swapped[] = {{3, "three"}, {1, "one, second"}},
                       missing[] = {{1, "one, third"}};
    objseal_completed *completed = NULL;
#define COMPLETE(parts, count, type, part_digest)                                                                       \
    objseal_upload_complete(first, parts, count, receipts, 4, NULL, type, part_digest, inline_len, chosen, &completed)
    STATUS(PARTS, COMPLETE(swapped, 2, 0, 0), first);
    STATUS(PARTS, COMPLETE(missing, 1, 0, 0), first);
    STATUS(PARTS, COMPLETE(NULL, 0, 0, 0), first);
    STATUS(PARTS, COMPLETE(named, 3, 0, OBJSEAL_SHA512), first);
    STATUS(ARGUMENT, COMPLETE(named, 3, 0, OBJSEAL_MD5 | OBJSEAL_CRC64NVME), first);
    STATUS(ARGUMENT, COMPLETE(named, 3, 0, 1024), first);
    STATUS(ARGUMENT, COMPLETE(named, 3, 3, 0), first);
    stored.attempts[2].receipt[receipts[2].len - 1] ^= 1;
    STATUS(AUTHENTICATION, COMPLETE(named, 3, 0, 0), first);
    stored.attempts[2].receipt[receipts[2].len - 1] ^= 1;
    CHECK(completed == NULL);
    for (uint8_t type = 0; type < OBJSEAL_COMPOSITE; type++) {
        STATUS(OK, COMPLETE(named, 3, type, 0), first);
        STATUS(OK, objseal_completed_info(completed, &info), completed);
        CHECK(objseal_info_checksum_type(info) == type);
        objseal_info_free(info);
        objseal_completed_free(completed);
    }
    STATUS(OK, COMPLETE(named, 3, OBJSEAL_COMPOSITE, OBJSEAL_CRC64NVME), first);
    CHECK(chosen[0] == 3 && chosen[1] == 2 && chosen[2] == 0);
    STATUS(OUTPUT_TOO_SMALL, objseal_completed_head(completed, head, 10, &head_len), completed);
    STATUS(OK, objseal_completed_head(completed, head, sizeof head, &head_len), completed);
    STATUS(OK, objseal_completed_table(completed, table, sizeof table, &table_len), completed);
    CHECK((table_len > 0) == (inline_len == 0));

    /* What the server answers, and what who has the object's key sees later. */
    objseal_envelope *envelope = NULL;
    STATUS(AUTHENTICATION, objseal_envelope_open(resuming, head, head_len, &envelope), resuming);
    STATUS(OK, objseal_envelope_open(open_options, head, head_len, &envelope), open_options);
    for (int later = 0; later < 2; later++) {
        if (later) STATUS(OK, objseal_envelope_info(envelope, &info), envelope);
        else STATUS(OK, objseal_completed_info(completed, &info), completed);
        CHECK(objseal_info_in_parts(info) && objseal_info_plaintext_len(info) == LEN && objseal_info_layers(info) == layers);
        CHECK(objseal_info_composite_digest(info, OBJSEAL_MD5, id, sizeof id) == 16);
        CHECK(objseal_info_digest(info, OBJSEAL_CRC64NVME, id, sizeof id) == 8);
        CHECK(strlen(objseal_info_etag(info)) == 34 && objseal_info_checksum_type(info) == OBJSEAL_COMPOSITE);
        CHECK(objseal_info_bound_key(info, 0) == NULL);
        STATUS(OK, objseal_info_object_id(info, id), info);
        objseal_info_free(info);
    }
    objseal_completed_free(completed);
    ranges(envelope, table, table_len, &stored, plain, digest);
    objseal_opener *opener = NULL;
    STATUS(ARGUMENT, objseal_envelope_opener_new(envelope, &opener), envelope);
    /* A part that was changed where it is read, and another attempt at it, of the same length. */
    objseal_reader *reader = NULL;
    memory beside = {table, table_len, 0};
    STATUS(OK, objseal_parts_reader_new(envelope, table_len ? read_memory : NULL, &beside, table_len, read_part, &stored, &reader),
           envelope);
    uint8_t *out = ROOM(LEN);
    for (stored.instead = 2; stored.instead <= 4; stored.instead += 2) {
        memset(out, 0xEE, LEN);
        objseal_status status = objseal_reader_read(reader, 5, out, 1000, 1);
        CHECK(status == (stored.instead == 4 ? OBJSEAL_STATUS_OK : OBJSEAL_STATUS_AUTHENTICATION));
        CHECK(stored.instead == 4 ? memcmp(out, plain + 5, 1000) == 0 : all(out, 1000, 0));
    }
    stored.instead = 0;
    stored.attempts[0].body[40000] ^= 1;
    STATUS(AUTHENTICATION, objseal_reader_read(reader, 0, out, LEN, 1), reader);
    CHECK(all(out, LEN, 0));
    free(out);
    objseal_reader_free(reader);

    for (size_t i = 0; i < 4; i++) {
        free(stored.attempts[i].body);
        free(stored.attempts[i].receipt);
    }
    free(plain);
    objseal_envelope_free(envelope);
    objseal_upload_free(first);
    objseal_open_options_free(open_options);
    objseal_open_options_free(resuming);
    objseal_seal_options_free(seal_options);
    objseal_key_free(client);
    objseal_key_free(server);
}

int main(void) {
    for (int layers = 1; layers <= 2; layers++) {
        upload(layers, OBJSEAL_INLINE_ENVELOPE_LEN);
        upload(layers, 0);
    }
    printf("parts: as they should be on %s\n", objseal_best_engine());
    return 0;
}
