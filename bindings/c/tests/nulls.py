#!/usr/bin/env python3
"""Writes a C program that calls every function of the header with each of its pointers NULL in turn, all else being right.

NULL must give OBJSEAL_STATUS_NULL_POINTER, unless it is allowed; a function that returns no status must return.
"""

import re
import sys

# Pointers that may be NULL: what says so in the header. `user` belongs to the caller's callbacks.
ALLOWED = {
    ("objseal_keyring_open", "passphrase"),
    ("objseal_keyring_create", "passphrase"),
    ("objseal_keyring_rotate", "version"),
    ("objseal_seal_stream", "info"),
    ("objseal_open_stream", "info"),
    ("objseal_sealer_receipt", "etag"),
    ("objseal_upload_complete", "etag"),
    ("objseal_part_table_new", "read_at"),
    ("objseal_parts_reader_new", "read_at"),
    ("objseal_last_error", "handle"),
    ("objseal_last_error", "out"),
}
USERS = {"user", "read_user", "write_user", "part_user"}

# What is right for a parameter of this type, or of this name.
BY_TYPE = {
    "const objseal_key *": "key",
    "objseal_keyring *": "keyring",
    "const objseal_keyring *": "keyring",
    "objseal_seal_options *": "seal_options",
    "const objseal_seal_options *": "seal_options",
    "objseal_open_options *": "open_options",
    "const objseal_open_options *": "open_options",
    "objseal_sealer *": "sealer",
    "objseal_opener *": "opener",
    "const objseal_reader *": "reader",
    "const objseal_envelope *": "envelope",
    "objseal_upload *": "upload",
    "const objseal_upload *": "upload",
    "const objseal_completed *": "completed",
    "const objseal_pair *": "pairs",
    "const objseal_part_table *": "part_table",
    "const objseal_info *": "info",
    "const objseal_named_part *": "named",
    "const objseal_bytes *": "receipts",
    "objseal_part *": "&part",
    "objseal_part_range *": "ranges",
    "objseal_read_at_fn": "read_memory",
    "objseal_write_at_fn": "write_at",
    "objseal_read_fn": "pull",
    "objseal_write_fn": "push",
    "objseal_read_part_fn": "read_part",
    "const char *": '"default"',
    "const char **": "&text",
    "const uint8_t *": "bytes",
    "uint8_t *": "out",
    "char *": "chars",
    "uint64_t *": "&long_number",
    "uint32_t *": "&number",
    "uint8_t **": "out",
    "size_t *": "sizes",
    "void *": "&stored",
    "const void *": "key",
}
BY_NAME = {
    "layer": "1", "layers": "1", "number": "1", "threads": "1", "digests": "0", "digest": "0", "status": "0",
    "out_capacity": "sizeof out", "capacity": "sizeof out", "index": "0", "start": "0", "end": "1", "stored_len": "stored.len",
    "sealed_len": "1000", "plaintext_len": "100", "len": "32", "context_len": "1", "data_len": "10", "message_len": "100",
    "head_len": "10", "state_len": "10", "receipt_len": "10", "part_count": "1", "receipt_count": "1", "inline_len": "0",
    "stored_limit": "1000", "generation": "0", "place_count": "1", "tag": "0xC000", "checksum_type": "0", "part_digest": "0",
}


# Where something else is right.
BY_FUNCTION = {
    ("objseal_open", "sealed"): "stored.bytes",
    ("objseal_open", "sealed_len"): "stored.len",
    ("objseal_sealer_receipt", "sealer"): "of_part",
}


def functions(header: str):
    """Name, return type and parameters of each."""
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", header, flags=re.S)
    pattern = r"^([a-z][\w ]*?[ *]+)(objseal_\w+)\(([^()]*)\);"
    for returned, name, parameters in re.findall(pattern, code, flags=re.M):
        split = [] if parameters.strip() == "void" else [" ".join(one.split()) for one in parameters.split(",")]
        yield name, returned.strip(), [re.fullmatch(r"(.*?[ *])(\w+)", one).groups() for one in split]


def right(name: str, kind: str, parameter: str) -> str:
    kind = kind.strip()
    if (name, parameter) in BY_FUNCTION:
        return BY_FUNCTION[name, parameter]
    if kind in ("size_t", "uint32_t", "uint64_t", "uint16_t", "uint8_t", "int32_t", "bool"):
        if name == "objseal_info_engine" or parameter in BY_NAME:
            return BY_NAME[parameter]
        raise SystemExit(f"{name}: what is right for {kind} {parameter}?")
    made = re.fullmatch(r"objseal_(\w+) \*\*", kind)
    if made:
        return f"&made_{made.group(1)}"
    if kind == "uint8_t *" and parameter == "layer":
        return "out"
    if kind not in BY_TYPE:
        raise SystemExit(f"{name}: what is right for {kind} {parameter}?")
    return BY_TYPE[kind]


def main(path: str) -> None:
    header = open(path, encoding="utf-8").read()
    calls, count, seen = [], 0, 0
    handles = set()
    for name, returned, parameters in functions(header):
        seen += 1
        if name.endswith("_free"):
            calls.append(f"    {name}(NULL);")
            continue
        values = [right(name, kind, parameter) for kind, parameter in parameters]
        handles.update(value[6:] for value in values if value.startswith("&made_"))
        for at, (kind, parameter) in enumerate(parameters):
            pointer = "*" in kind or kind.strip().endswith("_fn")
            if not pointer or parameter in USERS:
                continue
            given = ", ".join("NULL" if i == at else value for i, value in enumerate(values))
            if (name, parameter) in ALLOWED or returned != "objseal_status":
                if returned != "objseal_status":
                    calls.append(f"    (void){name}({given});")
                continue
            count += 1
            calls.append(f"    STATUS(NULL_POINTER, {name}({given}), NULL); /* {parameter} */")
    prototypes = len(re.findall(r"\bobjseal_\w+\(", re.sub(r"/\*.*?\*/|//[^\n]*", "", header, flags=re.S)))
    assert seen == prototypes, f"{seen} functions read, {prototypes} in the header"
    made = "\n".join(f"    objseal_{handle} *made_{handle} = NULL;" for handle in sorted(handles))
    voids = "\n".join(f"    (void)made_{handle};" for handle in sorted(handles))
    print(f"""/* Made by nulls.py. */
#include "nulls.h"

int main(int argc, char **argv) {{
    CHECK(argc == 2);
    set_up(argv[1]);
{made}
{chr(10).join(calls)}
{voids}
    tear_down();
    printf("NULL: {count} pointers of {seen} functions\\n");
    return 0;
}}""")


main(sys.argv[1])
