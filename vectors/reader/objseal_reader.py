#!/usr/bin/env python3
"""A second reader of sealed objects, written after core/src/doc/FORMAT.md and on PyCA's `cryptography` alone.

    objseal_reader.py version
    objseal_reader.py open KEYRING SEALED OUT [KEY=VALUE ...]   pairs: the encryption context that is demanded
    objseal_reader.py parts KEYRING FOLDER OUT [KEY=VALUE ...]  an object in parts: envelope, perhaps table, N.part
    objseal_reader.py values KEYRING SEALED                     what FORMAT.md gives as test values

The passphrase of a keyring is the first line of the file that OBJSEAL_PASSPHRASE_FILE names. A refused file ends with status 3.
"""

import hashlib
import hmac
import os
import sys
import zlib
from dataclasses import dataclass, field

import cryptography
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SLOT, SLOTS = 4096, 8192
BODY, TABLE, ATTRIBUTES, WRAP = 1, 2, 3, 4
DIGESTS = {2: "sha256", 6: "sha1", 7: "md5"}
LENGTHS = {2: 32, 3: 8, 4: 4, 5: 4, 6: 20, 7: 16, 18: 32, 20: 4, 21: 4, 22: 20, 23: 16}


class Refused(Exception):
    pass


def require(condition, reason):
    if not condition:
        raise Refused(reason)


def cobblestone(key, context, message):
    try:
        decryptor = Cobblestone256Decryptor(key, context)
        return decryptor.update(message) + decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise Refused("a message does not open") from error


class Reader:
    """Values from the front of some bytes (section 4)."""

    def __init__(self, data):
        self.data = data

    def take(self, length):
        require(length <= len(self.data), "cut short")
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    def number(self, length):
        return int.from_bytes(self.take(length), "big")

    def short(self):
        return self.take(self.number(2))

    def text(self):
        try:
            return self.short().decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused("not UTF-8") from error

    def fields(self):
        previous = -1
        while self.data:
            tag = self.number(2)
            require(tag > previous, "tags do not rise")
            previous = tag
            yield tag, Reader(self.short())

    def end(self):
        require(not self.data, "bytes are left over")


@dataclass
class Head:
    wrapped_keys: list = field(default_factory=list)
    content: tuple = ()
    attributes: bytes = None
    context: bytes = b""
    pairs: list = field(default_factory=list)

    @classmethod
    def parse(cls, stored):
        require(len(stored) <= 16384 and stored[:8] == b"objseal\x01" and len(stored) >= 40, "not a head")
        head, seen = cls(), set()
        for tag, value in Reader(stored[8:-32]).fields():
            seen.add(tag)
            if tag == 1:
                head.object_id = value.take(32)
            elif tag == 2:
                require(value.number(1) == 1, "unknown mode")
            elif tag == 3:
                head.layers = len(value.data) // 2
                require(value.take(2 * head.layers) in (b"\0\1", b"\0\1\0\1"), "unknown suites")
            elif tag == 4:
                head.read_wrapped_keys(value)
            elif tag == 5:
                head.read_context(value)
            elif tag == 6:
                head.generation = value.number(8)
                require(head.generation > 0, "generation 0")
            elif tag == 7:
                head.content = ("body", head.read_salts(value))
            elif tag == 8:
                head.attributes = value.take(len(value.data))
                require(84 <= len(head.attributes) <= 16072, "length of the attributes")
            elif tag == 9:
                head.content = ("parts", head.read_entries(value.take(len(value.data))))
            elif tag == 10:
                parts, length = value.number(4), value.number(8)
                require(1 <= parts <= 10000, "number of parts")
                head.content = ("table", parts, length, head.read_salts(value))
            else:
                require(tag >= 0x8000, "unknown critical field")
                value.data = b""
            value.end()
        require({1, 2, 3, 4, 6} <= seen and len({7, 9, 10} & seen) == 1, "a field is missing")
        counts = [sum(key[0] == layer for key in head.wrapped_keys) for layer in range(1, head.layers + 1)]
        require(all(1 <= n <= 8 for n in counts) and sum(counts) == len(head.wrapped_keys), "number of wrapped keys")
        return head

    def read_salts(self, value):
        return [value.take(24) for _ in range(self.layers)]

    def read_entries(self, entries):
        """Part numbers, lengths and salts (section 9)."""
        value, parts, number, end = Reader(entries), [], 0, 0
        while value.data:
            before, number = number, value.number(4)
            start, end = end, value.number(8)
            parts.append((number, end - start, self.read_salts(value)))
            require(before < number <= 10000 and end - start <= 5 << 30, "an entry out of bounds")
        require(parts and (all(part[1] > 0 for part in parts) or len(parts) == 1), "an empty part")
        return parts

    def read_wrapped_keys(self, value):
        previous = b""
        while value.data:
            start = value.data
            layer, service, key_id, version = value.number(1), value.text(), value.text(), value.number(4)
            prefix = start[: len(start) - len(value.data)]
            wrapped = value.short()
            require(1 <= len(wrapped) <= 6144, "wrapped key out of bounds")
            for name in (service, key_id):
                control = any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name)
                require(1 <= len(name.encode()) <= 2048 and not control, "a name out of bounds")
            require(prefix > previous, "wrapped keys do not rise")
            previous = prefix
            self.wrapped_keys.append((layer, service, key_id, version, prefix[1:], wrapped))

    def read_context(self, value):
        self.context = value.data
        while value.data:
            key, text = value.text(), value.text()
            require(key.encode() > (self.pairs[-1][0].encode() if self.pairs else b""), "keys do not rise")
            self.pairs.append((key, text))
        require(1 <= len(self.pairs) <= 64 and len(self.context) <= 8192, "context out of bounds")

    def place(self, role, layer, part=0):
        tail = bytes([layer, self.layers]) + part.to_bytes(4, "big")
        return b"objseal/v1" + bytes([role]) + self.object_id + tail

    def subkey(self, data_keys, name):
        info = b"objseal/v1/" + name + bytes([0, 1, self.layers]) + self.object_id
        return hmac.digest(b"".join(data_keys), info + b"\x01", "sha512")[:32]

    def unwrap(self, keyring, wanted):
        for layer, service, key_id, version, binding, wrapped in self.wrapped_keys:
            root_key = keyring.get((service, key_id, version))
            if layer == wanted and root_key is not None:
                require(len(wrapped) == 104, "a wrap of another length")
                pairs = len(self.pairs).to_bytes(2, "big") + self.context
                data_key = cobblestone(root_key, self.place(WRAP, layer) + binding + pairs, wrapped)
                require(len(data_key) == 32, "a data key of another length")
                return data_key
        raise Refused("no key at hand")


class Envelope:
    """A head whose MAC holds, and its data keys (section 11)."""

    def __init__(self, stored, keyring, demanded=None):
        self.head = head = Head.parse(stored)
        require(demanded is None or sorted(demanded.items()) == sorted(head.pairs), "another context")
        self.data_keys = [head.unwrap(keyring, layer) for layer in range(1, head.layers + 1)]
        self.mac_key = head.subkey(self.data_keys, b"mac")
        self.mac = hmac.digest(self.mac_key, stored[:-32], "sha512")[:32]
        require(hmac.compare_digest(self.mac, stored[-32:]), "the MAC is wrong")

    def layered(self, role, part, salts, message):
        for layer in range(self.head.layers, 0, -1):
            require(message[:24] == salts[layer - 1], "another body")
            message = cobblestone(self.data_keys[layer - 1], self.head.place(role, layer, part), message)
        return message

    def attributes(self, sealed):
        """The fields of the attributes (section 7), as bytes and by their tags."""
        key = self.head.subkey(self.data_keys, b"attributes")
        for layer in [0] if self.head.layers == 1 else [2, 1]:
            sealed = cobblestone(key, self.head.place(ATTRIBUTES, layer), sealed)
        fields = {}
        for tag, value in Reader(sealed).fields():
            if tag == 1:
                fields[tag] = value.number(8)
            elif tag == 8:
                fields[tag] = value.take(len(value.data)).decode()
            elif tag in LENGTHS:
                fields[tag] = value.take(LENGTHS[tag])
            else:
                require(tag >= 0x8000, "unknown critical field")
                value.data = b""
            value.end()
        return sealed, fields

    def parts(self, table):
        content = self.head.content
        if content[0] == "parts":
            return content[1]
        require(content[0] == "table" and table is not None, "no part table")
        _, count, length, salts = content
        entries = self.layered(TABLE, 0, salts, table)
        require(len(entries) == count * (12 + 24 * self.head.layers), "length of the part table")
        parts = self.head.read_entries(entries)
        require(sum(part[1] for part in parts) == length, "another length")
        return parts


def check_plaintext(plaintext, fields):
    require(fields.get(1) == len(plaintext), "another length")
    for tag, name in DIGESTS.items():
        require(tag not in fields or hashlib.new(name, plaintext).digest() == fields[tag], f"another {name}")
    require(5 not in fields or zlib.crc32(plaintext).to_bytes(4, "big") == fields[5], "another crc32")


def intact(slot):
    length = int.from_bytes(slot[8:12], "big")
    checksum = hashlib.sha512(slot[:4064]).digest()[:32]
    whole = slot[:8] == b"objslot1" and slot[4064:] == checksum and length <= 4052
    return slot[12 : 12 + length] if whole and not any(slot[12 + length : 4064]) else None


def choose(data):
    a, b = intact(data[:SLOT]), intact(data[SLOT:SLOTS])
    if a is not None and b is not None and a != b:
        first, second = Head.parse(a).generation, Head.parse(b).generation
        require(first != second, "two heads of the same generation")
        return a if first > second else b
    require(a is not None or b is not None, "no head")
    return a if a is not None else b


def open_file(data, keyring, demanded=None):
    """The plaintext, and the values on the way to it."""
    require(len(data) >= 8352, "too short")
    stored = choose(data)
    envelope = Envelope(stored, keyring, demanded)
    head = envelope.head
    length = int.from_bytes(data[-4:], "big")
    body_end = len(data) - 4 - length
    require(84 <= length <= 16072 and body_end >= SLOTS + 72, "length of the attributes")
    require(head.content[0] == "body", "no body")
    plaintext = envelope.layered(BODY, 0, head.content[1], data[SLOTS:body_end])
    attributes, fields = envelope.attributes(data[body_end:-4])
    check_plaintext(plaintext, fields)
    return plaintext, {
        "head": stored,
        "data key": envelope.data_keys[0],
        "mac subkey": envelope.mac_key,
        "attributes subkey": head.subkey(envelope.data_keys, b"attributes"),
        "place of the body": head.place(BODY, 1),
        "mac": envelope.mac,
        "attributes": attributes,
    }


def open_parts(folder, keyring, demanded=None):
    """The plaintext of an object in parts."""
    table = os.path.join(folder, "table")
    envelope = Envelope(read(os.path.join(folder, "envelope")), keyring, demanded)
    parts = []
    for number, length, salts in envelope.parts(read(table) if os.path.exists(table) else None):
        part = envelope.layered(BODY, number, salts, read(os.path.join(folder, f"{number}.part")))
        require(len(part) == length, "another length of a part")
        parts.append(part)
    require(envelope.head.attributes is not None, "no attributes")
    fields = envelope.attributes(envelope.head.attributes)[1]
    check_plaintext(b"".join(parts), fields)
    for tag, name in DIGESTS.items():
        digests = b"".join(hashlib.new(name, part).digest() for part in parts)
        composite = fields.get(16 + tag)
        require(composite in (None, hashlib.new(name, digests).digest()), f"another composite {name}")
    return b"".join(parts)


def read_keyring(path):
    """The root keys in a keyring, or the only one in a file of 32 bytes."""
    if os.path.getsize(path) == 32:
        return {("single-key", "key", 1): read(path)}
    with open(path, encoding="ascii") as file:
        text = file.read()
    lines = text.splitlines()
    require(lines[:1] == ["objseal-keyring 1"], "not a keyring")
    if len(lines) > 1 and lines[1].startswith("argon2id "):
        memory, passes, lanes, salt = (word.split("=")[1] for word in lines[1].split()[1:])
        kdf = Argon2id(
            salt=bytes.fromhex(salt), length=32, iterations=int(passes), lanes=int(lanes), memory_cost=int(memory)
        )
        passphrase = read(os.environ["OBJSEAL_PASSPHRASE_FILE"]).split(b"\n")[0]
        key = kdf.derive(passphrase)
        context = "".join(line + "\n" for line in lines[:2]).encode()
        lines = ["", *cobblestone(key, context, bytes.fromhex(lines[2].removeprefix("sealed "))).decode().splitlines()]
    keys = (line.split(" ") for line in lines[1:])
    return {("keyring", name, int(version)): bytes.fromhex(key) for _, name, version, key in keys}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main(args):
    match args:
        case ["version"]:
            print(cryptography.__version__)
        case ["open" | "parts" as what, keyring, sealed, out, *pairs]:
            demanded = dict(pair.split("=", 1) for pair in pairs) if pairs else None
            if what == "open":
                plaintext, _ = open_file(read(sealed), read_keyring(keyring), demanded)
            else:
                plaintext = open_parts(sealed, read_keyring(keyring), demanded)
            with open(out, "wb") as file:
                file.write(plaintext)
        case ["values", keyring, sealed]:
            _, values = open_file(read(sealed), read_keyring(keyring))
            for name, value in values.items():
                print(f"{name} = {value.hex()}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        sys.exit(3)
