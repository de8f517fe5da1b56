#!/usr/bin/env python3
"""A second reader of sealed files, written after core/src/doc/FORMAT.md and on PyCA's `cryptography` alone.

    objseal_reader.py version
    objseal_reader.py open KEYRING SEALED OUT [KEY=VALUE ...]   pairs: the encryption context that is demanded
    objseal_reader.py values KEYRING SEALED                     what FORMAT.md gives as test values

The passphrase of a keyring is the first line of the file that OBJSEAL_PASSPHRASE_FILE names. A refused file ends with status 3.
"""

import hashlib
import hmac
import os
import sys
from dataclasses import dataclass, field

import cryptography
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SLOT, SLOTS = 4096, 8192
BODY, ATTRIBUTES, WRAP = 1, 3, 4
LAYER, LAYERS = 1, 1


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
                require(value.data == b"\x00\x01", "unknown suites")
                value.data = b""
            elif tag == 4:
                head.read_wrapped_keys(value)
            elif tag == 5:
                head.read_context(value)
            elif tag == 6:
                head.generation = value.number(8)
                require(head.generation > 0, "generation 0")
            elif tag == 7:
                head.body_salt = value.take(24)
            else:
                require(tag >= 0x8000, "unknown critical field")
                value.data = b""
            value.end()
        require({1, 2, 3, 4, 6, 7} <= seen, "a field is missing")
        return head

    def read_wrapped_keys(self, value):
        previous = b""
        while value.data:
            start = value.data
            layer, service, key_id, version = value.number(1), value.text(), value.text(), value.number(4)
            prefix = start[: len(start) - len(value.data)]
            wrapped = value.short()
            require(layer == LAYER and 1 <= len(wrapped) <= 6144, "wrapped key out of bounds")
            for name in (service, key_id):
                control = any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name)
                require(1 <= len(name.encode()) <= 2048 and not control, "a name out of bounds")
            require(prefix > previous, "wrapped keys do not rise")
            previous = prefix
            self.wrapped_keys.append((service, key_id, version, prefix[1:], wrapped))
        require(1 <= len(self.wrapped_keys) <= 8, "number of wrapped keys")

    def read_context(self, value):
        self.context = value.data
        while value.data:
            key, text = value.text(), value.text()
            require(key.encode() > (self.pairs[-1][0].encode() if self.pairs else b""), "keys do not rise")
            self.pairs.append((key, text))
        require(1 <= len(self.pairs) <= 64 and len(self.context) <= 8192, "context out of bounds")

    def place(self, role, layer):
        tail = bytes([layer, LAYERS]) + bytes(4)
        return b"objseal/v1" + bytes([role]) + self.object_id + tail

    def subkey(self, data_key, name):
        info = b"objseal/v1/" + name + bytes([0, 1, LAYERS]) + self.object_id
        return hmac.digest(data_key, info + b"\x01", "sha512")[:32]

    def unwrap(self, keyring):
        for service, key_id, version, binding, wrapped in self.wrapped_keys:
            root_key = keyring.get((key_id, version))
            if service == "keyring" and root_key is not None:
                require(len(wrapped) == 104, "a wrap of another length")
                pairs = len(self.pairs).to_bytes(2, "big") + self.context
                data_key = cobblestone(root_key, self.place(WRAP, LAYER) + binding + pairs, wrapped)
                require(len(data_key) == 32, "a data key of another length")
                return data_key
        raise Refused("no key at hand")


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
    head = Head.parse(stored)
    require(demanded is None or sorted(demanded.items()) == sorted(head.pairs), "another context")
    data_key = head.unwrap(keyring)
    mac_key = head.subkey(data_key, b"mac")
    mac = hmac.digest(mac_key, stored[:-32], "sha512")[:32]
    require(hmac.compare_digest(mac, stored[-32:]), "the MAC is wrong")

    length = int.from_bytes(data[-4:], "big")
    body_end = len(data) - 4 - length
    require(84 <= length <= 16072 and body_end >= SLOTS + 72, "length of the attributes")
    body = data[SLOTS:body_end]
    require(body[:24] == head.body_salt, "another body")
    plaintext = cobblestone(data_key, head.place(BODY, LAYER), body)

    attributes_key = head.subkey(data_key, b"attributes")
    attributes = cobblestone(attributes_key, head.place(ATTRIBUTES, 0), data[body_end:-4])
    plaintext_len = None
    for tag, value in Reader(attributes).fields():
        require(tag == 1 or tag >= 0x8000, "unknown critical field")
        if tag == 1:
            plaintext_len = value.number(8)
            value.end()
    require(plaintext_len == len(plaintext), "another length")
    values = {"head": stored, "data key": data_key, "mac subkey": mac_key, "attributes subkey": attributes_key}
    return plaintext, values | {"place of the body": head.place(BODY, LAYER), "mac": mac, "attributes": attributes}


def read_keyring(path):
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
    return {(name, int(version)): bytes.fromhex(key) for _, name, version, key in keys}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main(args):
    match args:
        case ["version"]:
            print(cryptography.__version__)
        case ["open", keyring, sealed, out, *pairs]:
            demanded = dict(pair.split("=", 1) for pair in pairs) if pairs else None
            plaintext, _ = open_file(read(sealed), read_keyring(keyring), demanded)
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
