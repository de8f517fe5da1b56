#!/usr/bin/env python3
"""The audit log from its description in keys/src/audit/mod.rs, in the standard library of Python only.

    audit_reader.py read FOLDER FIRST_KEY            prints sequence number and MAC of each event
    audit_reader.py write FOLDER FIRST_KEY STORE_ID  writes a log of three segments and prints the same
"""

import hashlib
import hmac
import json
import pathlib
import sys


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha512).digest()[:32]


class Chain:
    def __init__(self, first_key: bytes) -> None:
        self.segment_key = first_key
        self.previous = bytes(32)
        self.sequence = 0

    def begin_segment(self) -> None:
        self.line_key = mac(self.segment_key, b"objseal/v1/audit/first")
        self.segment_key = mac(self.segment_key, b"objseal/v1/audit/segment")

    def line(self, body: bytes) -> bytes:
        found = mac(self.line_key, self.previous, body)
        self.line_key = mac(self.line_key, b"objseal/v1/audit/line")
        return found


def demand(condition: bool, path: pathlib.Path, number: int, why: str) -> None:
    if not condition:
        sys.exit(f"{path.name}, line {number}: {why}")


def read(folder: pathlib.Path, first_key: bytes) -> None:
    chain = Chain(first_key)
    store = None
    for index, path in enumerate(sorted(folder.glob("audit-*.jsonl")), 1):
        demand(path.name == f"audit-{index:010}.jsonl", path, 0, "name")
        chain.begin_segment()
        content = path.read_bytes()
        demand(content.endswith(b"\n"), path, 0, "end")
        for number, line in enumerate(content[:-1].split(b"\n"), 1):
            body, separator, rest = line.rpartition(b',"mac":')
            fields = json.loads(line.decode("utf-8"))
            demand(bool(separator) and rest == f'"{fields["mac"]}"}}'.encode(), path, number, "form")
            demand(list(fields)[-1] == "mac" and len(line) < 1 << 16, path, number, "form")
            found = chain.line(body)
            demand(found.hex() == fields["mac"], path, number, "mac")
            store = store or fields["storeId"]
            demand(fields["storeId"] == store, path, number, "store")
            if number == 1:
                header = ["segment", "storeId", "firstSequence", "previousMac", "mac"]
                demand(list(fields) == header, path, number, "fields")
                demand(fields["segment"] == index, path, number, "segment")
                demand(fields["firstSequence"] == chain.sequence + 1, path, number, "first sequence")
                demand(fields["previousMac"] == chain.previous.hex(), path, number, "previous mac")
            else:
                chain.sequence += 1
                chain.previous = found
                demand(fields["sequence"] == chain.sequence, path, number, "sequence")
                print(chain.sequence, found.hex())


def write(folder: pathlib.Path, first_key: bytes, store: str) -> None:
    chain = Chain(first_key)
    for segment in range(1, 4):
        chain.begin_segment()
        lines = []

        def add(fields: dict) -> bytes:
            body = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
            found = chain.line(body)
            lines.append(body + f',"mac":"{found.hex()}"}}\n'.encode())
            return found

        header = {"segment": segment, "storeId": store, "firstSequence": chain.sequence + 1}
        add(header | {"previousMac": chain.previous.hex()})
        for _ in range(4):
            chain.sequence += 1
            when = f"2026-11-28T00:00:{chain.sequence:02}.007Z"
            event = {"sequence": chain.sequence, "storeId": store, "time": when, "principal": "ä", "operation": "Encrypt"}
            chain.previous = add(event | {"generation": 100 - chain.sequence, "outcome": "Success"})
            print(chain.sequence, chain.previous.hex())
        (folder / f"audit-{segment:010}.jsonl").write_bytes(b"".join(lines))


command, where, key, *more = sys.argv[1:]
if command == "read":
    read(pathlib.Path(where), bytes.fromhex(key))
else:
    write(pathlib.Path(where), bytes.fromhex(key), *more)
