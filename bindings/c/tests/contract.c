/* What the head of the header says of versions, constants, statuses and texts. */

#include "check.h"

int main(void) {
    CHECK(strcmp(objseal_version(), VERSION) == 0);
    CHECK(strcmp(objseal_features(), "aws-lc checksums keyring") == 0);
    CHECK(objseal_key_len() == OBJSEAL_KEY_LEN && OBJSEAL_KEY_LEN == 32);
    CHECK(objseal_header_len() == OBJSEAL_HEADER_LEN && OBJSEAL_HEADER_LEN == 56);
    CHECK(objseal_salt_len() == OBJSEAL_SALT_LEN && OBJSEAL_SALT_LEN == 24);
    CHECK(objseal_chunk_len() == OBJSEAL_CHUNK_LEN && OBJSEAL_CHUNK_LEN == 16384);
    CHECK(objseal_tag_len() == OBJSEAL_TAG_LEN && OBJSEAL_TAG_LEN == 16);
    CHECK(objseal_body_offset() == OBJSEAL_BODY_OFFSET && OBJSEAL_BODY_OFFSET == 8192);
    CHECK(objseal_object_id_len() == OBJSEAL_OBJECT_ID_LEN && OBJSEAL_OBJECT_ID_LEN == 32);
    CHECK(objseal_max_layers() == OBJSEAL_MAX_LAYERS && OBJSEAL_MAX_LAYERS == 2);
    CHECK(objseal_max_parts() == OBJSEAL_MAX_PARTS && OBJSEAL_MAX_PARTS == 10000);
    CHECK(objseal_max_part_len() == OBJSEAL_MAX_PART_LEN && OBJSEAL_MAX_PART_LEN == (uint64_t)5 << 30);
    CHECK(objseal_max_head_len() == OBJSEAL_MAX_HEAD_LEN && OBJSEAL_MAX_HEAD_LEN == 16384);
    CHECK(objseal_inline_envelope_len() == OBJSEAL_INLINE_ENVELOPE_LEN && OBJSEAL_INLINE_ENVELOPE_LEN == 1400);
    CHECK(objseal_max_threads() == OBJSEAL_MAX_THREADS && OBJSEAL_MAX_THREADS == 1000);

    CHECK(objseal_max_digest_len() == OBJSEAL_MAX_DIGEST_LEN && OBJSEAL_MAX_DIGEST_LEN == 64);

    /* Each status has a text of its own, and the numbers are what they always were. */
    CHECK(OBJSEAL_STATUS_OK == 0 && OBJSEAL_STATUS_AUTHENTICATION == 3 && OBJSEAL_STATUS_INTERNAL == 11);
    CHECK(OBJSEAL_STATUS_PARTS == 17 && OBJSEAL_STATUS_KEY_SERVICE_TRANSIENT == 18);
    for (int status = 0; status <= 18; status++)
        for (int other = -1; other < status; other++)
            CHECK(strcmp(objseal_status_text(status), objseal_status_text(other)) != 0);
    CHECK(strcmp(objseal_status_text(19), "no such status") == 0);
    CHECK(strcmp(objseal_status_text(-2147483647 - 1), "no such status") == 0);

    int found = 0;
    size_t count = 0;
    while (objseal_engine(count) != NULL) {
        if (strcmp(objseal_engine(count), objseal_best_engine()) == 0) found++;
        printf("%s%s", count == 0 ? "engines: " : ", ", objseal_engine(count));
        count++;
    }
    printf("\n");
    CHECK(found == 1 && count >= 3 && objseal_engine(SIZE_MAX) == NULL);
    return 0;
}
