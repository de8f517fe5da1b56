#!/usr/bin/env python3
"""A second reader of the store of a local key management service, written after keys/src/local/FORMAT.md.

    kms_reader.py show STORE KEY                               what is in it, as JSON, without material
    kms_reader.py decrypt STORE KEY CIPHERTEXT [KEY=VALUE ...] the plaintext of a ciphertext in hexadecimal digits, likewise
    kms_reader.py token STORE KEY KEY-ID TOKEN                 what an import token in hexadecimal digits says, as JSON

KEY is a file of 32 bytes, the root key of the store.
"""

import json
import sqlite3
import sys
import uuid

from objseal_reader import BODY, Envelope, Reader, Refused, cobblestone, expand, read, read_keys, require

APPLICATION = 0x4F536B6D


def subkey(key, label, of):
    return expand(key, b"objseal/v1/kms/" + label + b"\0" + of, 32)


def text(data):
    return len(data).to_bytes(4, "big") + data.encode()


class Store:
    def __init__(self, path, keys):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        [(application,)] = database.execute("PRAGMA application_id")
        [(version,)] = database.execute("PRAGMA user_version")
        require((application, version) == (APPLICATION, 1), "not a store of version 1")
        [(self.id,)] = database.execute("SELECT id FROM store")
        self.roots = {name: self.root(name, head, body, keys) for name, head, body in database.execute("SELECT * FROM roots")}
        store_key = self.roots["store-key"]
        [(sealed,)] = database.execute("SELECT sealed FROM catalogue")
        self.catalogue = self.json(cobblestone(subkey(store_key, b"catalogue", self.id), b"objseal/v1/kms/catalogue\0" + self.id, sealed))
        rows = {key: row for key, *row in database.execute("SELECT key_id, generation, record FROM keys")}
        self.keys = {}
        for key, generation in self.catalogue["keys"].items():
            column, record = rows[key]
            require(column == generation, "another generation")
            context = b"objseal/v1/kms/record\0" + self.id + uuid.UUID(key).bytes + generation.to_bytes(8, "big")
            self.keys[key] = self.record(cobblestone(subkey(store_key, b"records", self.id), context, record))

    def root(self, name, head, body, keys):
        context = {"objseal:kms": name, "objseal:store": str(uuid.UUID(bytes=self.id))}
        envelope = Envelope(head, keys, context)
        return envelope.of.open(envelope.data_keys, BODY, body, salts=envelope.head.body)

    @staticmethod
    def json(data):
        require(data[0] == 1, "another version")
        return json.loads(data[1:])

    def record(self, data):
        """A record, and the material of each version of the key."""
        require(data[0] == 1, "another version")
        end = 5 + int.from_bytes(data[1:5], "big")
        record, value, material = json.loads(data[5:end]), Reader(data[end:]), []
        while value.data:
            present, secret = value.number(1), value.take(32)
            require(present == 1 or present == 0 and secret == bytes(32), "material that is not there")
            material.append(secret if present else None)
        require(len(material) == len(record["versions"]), "another number of versions")
        for version, secret in zip(record["versions"], material):
            of = self.id + uuid.UUID(record["id"]).bytes
            require(secret is None or subkey(secret, b"material id", of).hex() == version["material_id"], "another material id")
        return record, material

    def decrypt(self, blob, pairs):
        require(len(blob) > 37 and blob[0] == 1 and blob[1:17] == self.id, "not a ciphertext of this store")
        key, version = str(uuid.UUID(bytes=blob[17:33])), int.from_bytes(blob[33:37], "big")
        owner = self.catalogue["owner"]
        arn = f"arn:{owner['partition']}:kms:{owner['region']}:{owner['account']}:key/{key}"
        context = b"objseal/v1/kms/ciphertext\0" + text(arn) + blob[33:37] + len(pairs).to_bytes(2, "big")
        context += b"".join(text(key) + text(value) for key, value in sorted(pairs.items()))
        return cobblestone(self.keys[key][1][version - 1], context, blob[37:])

    def token(self, key, token):
        require(token[:1] == b"\x01", "another version")
        context = b"objseal/v1/kms/import-token\0" + self.id + uuid.UUID(key).bytes
        said = Reader(cobblestone(subkey(self.roots["store-key"], b"import token", self.id), context, token[1:]))
        valid_to, algorithm, spec = said.number(8), said.take(said.number(4)), said.take(said.number(4))
        return {"valid_to": valid_to, "algorithm": algorithm.decode(), "spec": spec.decode(), "private_key": said.data.hex()}


def main(args):
    match args:
        case ["show", path, key]:
            store = Store(path, read_keys(key))
            keys = {name: record for name, (record, _) in store.keys.items()}
            print(json.dumps({"catalogue": store.catalogue, "keys": keys, "audit_key": store.roots["audit-key"].hex()}, indent=1))
        case ["decrypt", path, key, blob, *pairs]:
            store = Store(path, read_keys(key))
            blob = bytes.fromhex(read(blob).decode().strip())
            print(store.decrypt(blob, dict(pair.split("=", 1) for pair in pairs)).hex())
        case ["token", path, key, id, token]:
            store = Store(path, read_keys(key))
            print(json.dumps(store.token(id, bytes.fromhex(read(token).decode().strip())), indent=1))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        sys.exit(3)
