#!/usr/bin/env python3
"""A second reader of sealed objects, written after core/src/doc/FORMAT.md and on PyCA's `cryptography` alone.

    objseal_reader.py version
    objseal_reader.py open KEYS SEALED OUT [[bound] KEY=VALUE ...]     a sealed file
    objseal_reader.py parts KEYS FOLDER OUT [[bound] KEY=VALUE ...]    an object in parts: envelope, perhaps table, N.part
    objseal_reader.py upload KEYS STATE [KEY=VALUE ...]                an upload state, under the server's key
    objseal_reader.py receipt KEYS STATE RECEIPT [KEY=VALUE ...]       a receipt of that upload
    objseal_reader.py values KEYS SEALED                               what FORMAT.md gives as test values

KEYS is a keyring, the 32 bytes of a single key, or a table of wrapping keys as in vectors/golden/wrapping-keys. Pairs are the
encryption context that is demanded: all of it or, after the word `bound`, what is bound and not stored; of an upload its place.
The passphrase of a keyring is the first line of the file that OBJSEAL_PASSPHRASE_FILE names.

A refused file ends with status 3. A fingerprint that is not that of the key which opens an object is no reason to refuse it, but
one for a word on standard error.
"""

import hashlib
import hmac
import os
import sys
import unicodedata
import zlib
from dataclasses import dataclass, field

import cryptography
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

try:
    import xxhash
except ImportError:
    xxhash = None

SLOT, SLOTS = 4096, 8192
BODY, TABLE, ATTRIBUTES, WRAP, UPLOAD, RECEIPT = range(1, 7)
LOCAL, CUSTOMER = 1, 4
# The digests of section 7: name and length.
DIGESTS = {
    2: ("sha256", 32),
    3: ("crc64nvme", 8),
    4: ("crc32c", 4),
    5: ("crc32", 4),
    6: ("sha1", 20),
    7: ("md5", 16),
    9: ("sha512", 64),
    10: ("xxhash64", 8),
    11: ("xxhash3", 8),
    12: ("xxhash128", 16),
}
COMPOSITE = {tag + 16: digest for tag, digest in DIGESTS.items() if tag != 3}
SUBKEYS = (b"mac", b"attributes", b"receipt", b"table")


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


def expand(key, info, length):
    """HKDF-Expand of one block."""
    return hmac.digest(key, info + b"\x01", "sha512")[:length]


def short(data):
    return len(data).to_bytes(2, "big") + data


def encode_pairs(pairs):
    """All pairs, as they are bound (section 3)."""
    encoded = {key.encode(): value.encode() for key, value in pairs.items()}
    listed = b"".join(short(key) + short(encoded[key]) for key in sorted(encoded))
    require(len(pairs) <= 64 and len(listed) <= 8192 and b"" not in encoded, "context out of bounds")
    return len(pairs).to_bytes(2, "big") + listed


def check_text(data, longest):
    """Text of 1 to so many bytes without control characters."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error
    control = any(unicodedata.category(c) == "Cc" for c in text)
    require(1 <= len(data) <= longest and not control, "text out of bounds")
    return text


class Reader:
    """Values from the front of some bytes (section 4)."""

    def __init__(self, data):
        self.data = data

    def take(self, length):
        require(length <= len(self.data), "cut short")
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    def all(self):
        return self.take(len(self.data))

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
        """Tags and values; what the caller does not take of a value must be nothing."""
        previous = -1
        while self.data:
            tag = self.number(2)
            require(tag > previous, "tags do not rise")
            previous = tag
            value = Reader(self.short())
            yield tag, value
            require(not value.data, "bytes are left over")

    @staticmethod
    def skip(tag, value):
        require(tag >= 0x8000, "unknown critical field")
        return value.all()


@dataclass
class Object:
    """What tells one object's messages from another's (section 3)."""

    id: bytes
    layers: int

    def place(self, role, layer, part=0):
        return b"objseal/v1" + bytes([role]) + self.id + bytes([layer, self.layers]) + part.to_bytes(4, "big")

    def subkey(self, data_keys, name):
        return expand(b"".join(data_keys), b"objseal/v1/" + name + bytes([0, 1, self.layers]) + self.id, 32)

    def open(self, keys, role, message, part=0, salts=None, record=False):
        """Layer by layer from the outside; `salts` say which message it must be."""
        for layer in range(self.layers, 0, -1):
            require(salts is None or message[:24] == salts[layer - 1], "another body")
            place = self.place(role, 0 if record and self.layers == 1 else layer, part)
            message = cobblestone(keys[layer - 1], place, message)
        return message

    def record(self, key, role, message, salts=None):
        return self.open([key] * self.layers, role, message, salts=salts, record=True)


@dataclass
class WrappedKey:
    """An entry of section 6."""

    layer: int
    service: str
    key_id: str
    version: int
    kind: int
    service_context: int
    blob: bytes
    sorted_by: bytes
    fingerprint: bytes
    wrap: bytes

    @classmethod
    def read(cls, value):
        start = value.data
        layer = value.number(1)
        service, key_id = (check_text(value.short(), 2048) for _ in range(2))
        version = value.number(4)
        sorted_by = start[: len(start) - len(value.data)]
        kind, service_context, blob = value.number(1), value.number(1), value.short()
        require(1 <= kind <= 4 and service_context <= 2, "unknown kind or service context")
        require(len(blob) <= 6144, "blob out of bounds")
        require(kind != LOCAL or not (blob or service_context), "a local key that a service was given something for")
        fingerprint = value.take(0 if kind == CUSTOMER else 8)
        wrap = value.take(104)
        return cls(layer, service, key_id, version, kind, service_context, blob, sorted_by, fingerprint, wrap)

    @property
    def name(self):
        return (self.service, self.key_id, self.version, self.kind, self.service_context, self.blob)

    def context(self, of, pairs):
        """What the wrap is sealed for."""
        kinds = bytes([self.kind, self.service_context])
        binding = self.sorted_by[1:] + kinds + hashlib.sha512(self.blob).digest() + encode_pairs(pairs)
        return of.place(WRAP, self.layer) + binding

    def true_fingerprint(self, of, wrapping_key):
        length = 0 if self.kind == CUSTOMER else 8
        return expand(wrapping_key, b"objseal/v1/fingerprint\0" + of.id, length)

    def unwrap(self, of, pairs, wrapping_key):
        true = self.fingerprint == self.true_fingerprint(of, wrapping_key)
        try:
            data_key = cobblestone(wrap_key(wrapping_key), self.context(of, pairs), self.wrap)
        except Refused as error:
            raise error if true else Refused("another key of that name") from error
        require(len(data_key) == 32, "a data key of another length")
        if not true:
            print("the fingerprint is not that of the key", file=sys.stderr)
        return data_key


def wrap_key(wrapping_key):
    return expand(wrapping_key, b"objseal/v1/wrap\0", 32)


def unwrap_first(entries, of, pairs, keys):
    """The data key of the first of some entries that opens."""
    refused = Refused("no key at hand")
    for entry in entries:
        if entry.name in keys:
            try:
                return entry.unwrap(of, pairs, keys[entry.name])
            except Refused as error:
                refused = error
    raise refused


@dataclass
class Head:
    wrapped_keys: list = field(default_factory=list)
    bound: list = field(default_factory=list)
    stored: dict = field(default_factory=dict)
    private: dict = field(default_factory=dict)
    body: list = None
    parts: tuple = None
    table: bytes = None
    attributes: bytes = None

    @classmethod
    def parse(cls, stored):
        require(len(stored) <= 16384 and stored[:8] == b"objseal\x01" and len(stored) >= 40, "not a head")
        head, seen = cls.read(Reader(stored[8:-32]))
        require((7 in seen) != (9 in seen) and (9 in seen or 10 not in seen), "not one body, or parts")
        return head

    @classmethod
    def draft(cls, fields):
        """The head to come of an upload (section 9)."""
        head, seen = cls.read(Reader(fields))
        require(not seen & {7, 8, 9, 10}, "a field that comes later")
        return head

    @classmethod
    def read(cls, fields):
        head, seen, object_id = cls(), set(), b""
        for tag, value in fields.fields():
            seen.add(tag)
            if tag == 1:
                object_id = value.take(32)
            elif tag == 2:
                head.read_bound(value)
            elif tag == 3:
                head.of = Object(object_id, read_suites(value))
            elif tag == 4:
                head.read_wrapped_keys(value)
            elif tag == 5:
                head.read_stored(value)
            elif tag == 6:
                head.generation = value.number(8)
                require(head.generation > 0, "generation 0")
            elif tag == 7:
                head.body = head.read_salts(value)
            elif tag == 8:
                head.attributes = value.all()
                require(84 <= len(head.attributes) <= 16072, "length of the attributes")
            elif tag == 9:
                head.parts = (value.number(4), value.number(8), value.number(1), head.read_salts(value))
                require(1 <= head.parts[0] <= 10000, "number of parts")
                require(head.parts[2] == 0 or head.parts[2] in DIGESTS, "unknown digest of parts")
            elif tag == 10:
                head.table = value.all()
            else:
                head.private[tag] = Reader.skip(tag, value)
        require({1, 3, 4, 6} <= seen, "a field is missing")
        require(not set(head.bound) & set(head.stored), "a pair that is stored and only bound")
        require(len(head.bound) + len(head.stored) <= 64, "too many pairs")
        counts = [sum(key.layer == layer for key in head.wrapped_keys) for layer in range(1, head.of.layers + 1)]
        require(all(1 <= n <= 8 for n in counts) and sum(counts) == len(head.wrapped_keys), "number of wrapped keys")
        return head, seen

    def read_salts(self, value):
        return [value.take(24) for _ in range(self.of.layers)]

    def read_wrapped_keys(self, value):
        previous = b""
        while value.data:
            entry = WrappedKey.read(value)
            require(entry.sorted_by > previous, "wrapped keys do not rise")
            previous = entry.sorted_by
            self.wrapped_keys.append(entry)

    def read_bound(self, value):
        while value.data:
            key = value.text()
            require(key.encode() > (self.bound[-1].encode() if self.bound else b""), "keys do not rise")
            self.bound.append(key)
        require(self.bound, "no keys")

    def read_stored(self, value):
        previous, length = b"", len(value.data)
        while value.data:
            key, text = value.text(), value.text()
            require(key.encode() > previous, "keys do not rise")
            previous = key.encode()
            self.stored[key] = text
        require(self.stored and length <= 8192, "context out of bounds")

    def pairs(self, demanded):
        """All pairs, if they are what is demanded (section 11)."""
        if isinstance(demanded, Bound):
            require(set(demanded) == set(self.bound), "another context")
        elif demanded is None:
            require(not self.bound, "another context")
        else:
            stored = all(demanded.get(key) == value for key, value in self.stored.items())
            require(stored and set(demanded) == set(self.stored) | set(self.bound), "another context")
        return {**self.stored, **{key: demanded[key] for key in self.bound}}


def read_suites(value):
    layers = len(value.data) // 2
    require(value.all() in (b"\0\1", b"\0\1\0\1"), "unknown suites")
    return layers


class Bound(dict):
    """What is demanded of the pairs that are bound and not stored."""


class Envelope:
    """A head whose MAC holds, and its data keys (section 11)."""

    def __init__(self, stored, keys, demanded=None):
        self.head = head = Head.parse(stored)
        self.of = of = head.of
        self.pairs = pairs = head.pairs(demanded)
        entries = [[entry for entry in head.wrapped_keys if entry.layer == layer + 1] for layer in range(of.layers)]
        self.data_keys = [unwrap_first(of_layer, of, pairs, keys) for of_layer in entries]
        self.mac_key = of.subkey(self.data_keys, b"mac")
        self.mac = hmac.digest(self.mac_key, stored[:-32] + hashlib.sha512(encode_pairs(pairs)).digest(), "sha512")[:32]
        require(hmac.compare_digest(self.mac, stored[-32:]), "the MAC is wrong")

    def attributes(self, sealed):
        """The fields of the attributes (section 7), as bytes and by their tags."""
        fields = self.of.record(self.of.subkey(self.data_keys, b"attributes"), ATTRIBUTES, sealed)
        return fields, read_attributes(fields)

    def parts(self, table):
        """Number, length, salts and digest of each part (section 9)."""
        require(self.head.parts is not None, "no parts")
        count, length, checksum, salts = self.head.parts
        table = self.head.table if self.head.table is not None else table
        require(table is not None, "no part table")
        entries = self.of.record(self.of.subkey(self.data_keys, b"table"), TABLE, table, salts)
        digest_len = DIGESTS[checksum][1] if checksum else 0
        require(len(entries) == count * (12 + 24 * self.of.layers + digest_len), "length of the part table")
        value, parts, number, end = Reader(entries), [], 0, 0
        while value.data:
            before, number = number, value.number(4)
            start, end = end, value.number(8)
            parts.append((number, end - start, self.head.read_salts(value), value.take(digest_len)))
            require(before < number <= 10000 and end - start <= 5 << 30, "an entry out of bounds")
            require(end > start or count == 1 and end == 0, "an empty part")
        require(end == length, "another length")
        return parts


def read_attributes(fields):
    attributes = {}
    for tag, value in Reader(fields).fields():
        if tag == 1:
            attributes[tag] = value.number(8)
        elif tag == 8:
            attributes[tag] = check_text(value.all(), 1024)
        elif tag == 13:
            attributes[tag] = value.number(1)
            require(attributes[tag] in (1, 2), "unknown checksum type")
        elif tag in DIGESTS or tag in COMPOSITE:
            attributes[tag] = value.take((DIGESTS.get(tag) or COMPOSITE[tag])[1])
        else:
            Reader.skip(tag, value)
    require(1 in attributes, "no length")
    return attributes


def crc(polynomial, length, data):
    """A reflected CRC of so many bytes, with all ones before and behind."""
    ones = (1 << 8 * length) - 1
    value = ones
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
    return (value ^ ones).to_bytes(length, "big")


def digest(tag, data):
    """A digest of section 7. None if there is no code for it here."""
    name, length = DIGESTS[tag]
    if name == "crc32":
        return zlib.crc32(data).to_bytes(4, "big")
    if name == "crc32c":
        return crc(0x82F63B78, length, data)
    if name == "crc64nvme":
        return crc(0x9A6C9329AC4BC9B5, length, data)
    if name.startswith("xxhash"):
        code = {"xxhash64": "xxh64", "xxhash3": "xxh3_64", "xxhash128": "xxh3_128"}[name]
        return getattr(xxhash, code)(data).digest() if xxhash else None
    return hashlib.new(name, data).digest()


def check_digests(data, attributes, offset=0):
    for tag, (name, _) in DIGESTS.items():
        if tag + offset in attributes:
            require(digest(tag, data) in (None, attributes[tag + offset]), f"another {name}")


def check_plaintext(plaintext, attributes):
    require(attributes[1] == len(plaintext), "another length")
    check_digests(plaintext, attributes)


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


def open_file(data, keys, demanded=None):
    """The plaintext, and the values on the way to it."""
    require(len(data) >= 8352, "too short")
    stored = choose(data)
    envelope = Envelope(stored, keys, demanded)
    head, of = envelope.head, envelope.of
    length = int.from_bytes(data[-4:], "big")
    body_end = len(data) - 4 - length
    require(84 <= length <= 16072 and body_end >= SLOTS + 72, "length of the attributes")
    require(head.body is not None, "no body")
    plaintext = of.open(envelope.data_keys, BODY, data[SLOTS:body_end], salts=head.body)
    fields, attributes = envelope.attributes(data[body_end:-4])
    check_plaintext(plaintext, attributes)
    entry = head.wrapped_keys[0]
    wrapping_key = keys.get(entry.name, b"")
    return plaintext, {
        "head": stored,
        "wrap key": wrap_key(wrapping_key),
        "fingerprint": entry.true_fingerprint(of, wrapping_key),
        "context of the wrap": entry.context(of, envelope.pairs),
        "data key": envelope.data_keys[0],
        "mac subkey": envelope.mac_key,
        "mac": envelope.mac,
        "place of the body": of.place(BODY, 1),
        "attributes subkey": of.subkey(envelope.data_keys, b"attributes"),
        "attributes": fields,
    }


def open_parts(folder, keys, demanded=None):
    """The plaintext of an object in parts."""
    table = os.path.join(folder, "table")
    envelope = Envelope(read(os.path.join(folder, "envelope")), keys, demanded)
    parts, checksum = [], envelope.head.parts[2] if envelope.head.parts else 0
    for number, length, salts, expected in envelope.parts(read(table) if os.path.exists(table) else None):
        stored = read(os.path.join(folder, f"{number}.part"))
        part = envelope.of.open(envelope.data_keys, BODY, stored, part=number, salts=salts)
        require(len(part) == length, "another length of a part")
        require(not checksum or digest(checksum, part) in (None, expected), "another digest of a part")
        parts.append(part)
    require(envelope.head.attributes is not None, "no attributes")
    attributes = envelope.attributes(envelope.head.attributes)[1]
    check_plaintext(b"".join(parts), attributes)
    for tag in DIGESTS:
        digests = [digest(tag, part) for part in parts] if tag + 16 in attributes else [None]
        if None not in digests:
            composite = digest(tag, b"".join(digests))
            require(attributes[tag + 16] == composite, f"another composite {DIGESTS[tag][0]}")
    return b"".join(parts)


class Upload:
    """An upload state, opened under the server's key (section 9)."""

    def __init__(self, stored, keys, place):
        require(stored[:8] == b"objupld\x01", "not an upload state")
        values = {}
        for tag, value in Reader(stored[8:]).fields():
            if tag == 3:
                values[tag] = WrappedKey.read(value)
            elif tag == 2:
                values[tag] = read_suites(value)
            elif tag == 1:
                values[tag] = value.take(32)
            else:
                values[tag] = value.all() if tag == 4 else Reader.skip(tag, value)
        require({1, 2, 3, 4} <= values.keys() and values[3].layer == 0, "a field is missing")
        self.of = Object(values[1], values[2])
        upload_key = unwrap_first([values[3]], self.of, place, keys)
        secrets = {}
        for tag, value in Reader(self.of.record(upload_key, UPLOAD, values[4])).fields():
            if tag == 1:
                secrets[tag] = [value.take(32) for _ in SUBKEYS]
            else:
                secrets[tag] = value.all() if tag in (2, 3) else Reader.skip(tag, value)
        require({1, 2, 3} <= secrets.keys() and len(secrets[3]) == 64, "a secret field is missing")
        self.subkeys = dict(zip(SUBKEYS, secrets[1]))
        self.head = Head.draft(secrets[2])
        self.context_digest = secrets[3]
        require(self.head.of == self.of, "the head of another object")

    def receipt(self, sealed):
        """Number, salts and attributes of a part."""
        values = {}
        for tag, value in Reader(self.of.record(self.subkeys[b"receipt"], RECEIPT, sealed)).fields():
            if tag == 1:
                values[tag] = value.number(4)
            elif tag == 2:
                values[tag] = [value.take(24) for _ in range(self.of.layers)]
            elif tag == 3:
                values[tag] = read_attributes(value.all())
            else:
                Reader.skip(tag, value)
        require({1, 2, 3} <= values.keys() and 8 in values[3], "a field is missing")
        return values[1], values[2], values[3]


def show_upload(upload):
    head = upload.head
    print(f"object id = {upload.of.id.hex()}")
    print(f"layers = {upload.of.layers}")
    for key in head.wrapped_keys:
        print(f"key of layer {key.layer} = {key.service} {key.key_id} {key.version}")
    for key, value in head.stored.items():
        print(f"stored pair = {key}={value}")
    for key in head.bound:
        print(f"bound key = {key}")
    for tag, value in head.private.items():
        print(f"field {tag:#06x} = {value.hex()}")
    print(f"subkeys = {b''.join(upload.subkeys.values()).hex()}")
    print(f"context digest = {upload.context_digest.hex()}")


def show_receipt(number, salts, attributes):
    print(f"number = {number}")
    print(f"salts = {b''.join(salts).hex()}")
    print(f"length = {attributes[1]}")
    print(f"etag = {attributes[8]}")
    for tag, (name, _) in DIGESTS.items():
        if tag in attributes:
            print(f"{name} = {attributes[tag].hex()}")


def read_keys(path):
    """Wrapping keys by what an entry says of them: those of a keyring, of a table, or the only one in a file of 32 bytes."""
    if os.path.getsize(path) == 32:
        return {("single-key", "key", 1, LOCAL, 0, b""): read(path)}
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    if lines[:1] == ["name\tservice\tkey id\tversion\tkind\tservice context\tblob\tsecret"]:
        rows = (line.split("\t")[1:] for line in lines[1:])
        return {
            (service, key_id, int(version), int(kind), int(context), bytes.fromhex(blob)): bytes.fromhex(secret)
            for service, key_id, version, kind, context, blob, secret in rows
        }
    require(lines[:1] == ["objseal-keyring 1"], "not a keyring")
    if len(lines) > 1 and lines[1].startswith("argon2id "):
        lines = ["", *open_keyring(lines)]
    keys = (line.split(" ") for line in lines[1:])
    return {("keyring", name, int(version), LOCAL, 0, b""): bytes.fromhex(key) for _, name, version, key in keys}


def open_keyring(lines):
    """The lines of a keyring under a passphrase (section 13)."""
    memory, passes, lanes, salt = (word.split("=")[1] for word in lines[1].split()[1:])
    memory, passes, lanes = int(memory), int(passes), int(lanes)
    bounded = 19456 <= memory <= 1048576 and 2 <= passes <= 64 and 1 <= lanes <= 64
    require(bounded and memory * passes <= 2097152, "cost of the passphrase")
    kdf = Argon2id(salt=bytes.fromhex(salt), length=32, iterations=passes, lanes=lanes, memory_cost=memory)
    passphrase = read(os.environ["OBJSEAL_PASSPHRASE_FILE"]).split(b"\n")[0].decode()
    key = kdf.derive(unicodedata.normalize("NFC", passphrase).encode())
    context = "".join(line + "\n" for line in lines[:2]).encode()
    return cobblestone(key, context, bytes.fromhex(lines[2].removeprefix("sealed "))).decode().splitlines()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main(args):
    match args:
        case ["version"]:
            print(cryptography.__version__)
        case ["open" | "parts" as what, keys, sealed, out, *pairs]:
            bound = pairs[:1] == ["bound"]
            demanded = dict(pair.split("=", 1) for pair in pairs[bound:])
            demanded = Bound(demanded) if bound else demanded or None
            if what == "open":
                plaintext, _ = open_file(read(sealed), read_keys(keys), demanded)
            else:
                plaintext = open_parts(sealed, read_keys(keys), demanded)
            with open(out, "wb") as file:
                file.write(plaintext)
        case ["upload", keys, state, *pairs]:
            show_upload(Upload(read(state), read_keys(keys), dict(pair.split("=", 1) for pair in pairs)))
        case ["receipt", keys, state, receipt, *pairs]:
            upload = Upload(read(state), read_keys(keys), dict(pair.split("=", 1) for pair in pairs))
            show_receipt(*upload.receipt(read(receipt)))
        case ["values", keys, sealed]:
            _, values = open_file(read(sealed), read_keys(keys))
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
