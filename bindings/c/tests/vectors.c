/* vectors CASES: the vectors of Project Wycheproof, a line each: key, context, file of the message, `valid` or `invalid`, file of
   the plaintext or of its authentic beginning. A `-` is nothing. */

#include "bare.h"

static size_t from_hex(const char *text, uint8_t *out, size_t capacity) {
    size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;
    CHECK(len <= capacity);
    for (size_t i = 0; i < len; i++) {
        unsigned byte = 0;
        CHECK(sscanf(text + 2 * i, "%2x", &byte) == 1);
        out[i] = (uint8_t)byte;
    }
    return len;
}

int main(int argc, char **argv) {
    static char line[400000], key_text[1000], context_text[300000], message_path[1000], verdict[10], plain_path[1000];
    static uint8_t key_bytes[500], context[150000];
    int valid = 0, invalid = 0;
    CHECK(argc == 2);
    FILE *cases = fopen(argv[1], "r");
    CHECK(cases != NULL);
    while (fgets(line, sizeof line, cases) != NULL) {
        CHECK(sscanf(line, "%999s %299999s %999s %9s %999s", key_text, context_text, message_path, verdict, plain_path) == 5);
        size_t key_len = from_hex(key_text, key_bytes, sizeof key_bytes), len = 0, plain_len = 0;
        size_t context_len = from_hex(context_text, context, sizeof context);
        objseal_key *key = NULL;
        if (key_len != OBJSEAL_KEY_LEN) {
            CHECK(strcmp(verdict, "invalid") == 0);
            STATUS(ARGUMENT, objseal_key_new(key_bytes, key_len, &key), NULL);
            CHECK(key == NULL);
            invalid++;
            continue;
        }
        OK(objseal_key_new(key_bytes, key_len, &key));
        uint8_t *message = read_file(message_path, &len), *plain = read_file(plain_path, &plain_len);
        int opens = strcmp(verdict, "valid") == 0;
        open_bare(message_path, key, context, context_len, message, len,
                  opens ? OBJSEAL_STATUS_OK : OBJSEAL_STATUS_AUTHENTICATION, plain, plain_len);
        if (opens) valid++;
        else invalid++;
        free(message);
        free(plain);
        objseal_key_free(key);
    }
    fclose(cases);
    CHECK(valid + invalid == 35 && valid > 5 && invalid > 5);
    printf("wycheproof cobblestone-256: %d opened, %d refused on %s\n", valid, invalid, objseal_best_engine());
    return 0;
}
