"""What is known of objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WrappedKey:
    """A data key as it is stored: encrypted by a key service."""

    layer: int
    """The layer that it is for, from 1, the innermost."""
    service: str
    """The key service: `keyring`, or `single-key` for a key that the caller has."""
    key_id: str
    """The name of the root key."""
    version: int
    """The version of the root key; 0 if the service keeps that to itself."""
    kind: str
    """What the key is: `local` (the service holds it itself, as a keyring does), `object` (made by a key service for
    this object), `shared` (made for many objects) or `customer` (a customer gives it with every request)."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What an object says about itself without a key. Anybody could have written it."""

    object_id: bytes
    """Its random identity, 32 bytes."""
    context: Mapping[str, str]
    """Its encryption context: public pairs that it is bound to. Without a key those that are stored; of an object that was
    opened or sealed all."""
    bound_keys: Sequence[str]
    """The keys of pairs that it is bound to and that are not stored."""
    generation: int
    """How often its head was written, from 1."""
    layers: int
    """1 or 2."""
    suites: Sequence[str]
    """How each layer is sealed, the innermost first."""
    keys: Sequence[WrappedKey]
    """Its data keys, wrapped."""
    content: str
    """`body`, `parts`, or `parts with a table apart`."""
    length: int | None
    """Length of the plaintext, in bytes, if it can be told."""
    slots: str | None
    """How the two copies of a file's head are: `same`, `one damaged` or `one older`. None if it is not a file."""


@dataclass(frozen=True, kw_only=True)
class Info(Facts):
    """What is known of an object that was sealed or opened. All of it is authentic but `slots`."""

    engines: Sequence[str]
    """The implementation of AES-256-GCM that did each layer here, the innermost first."""
    digests: Mapping[str, bytes]
    """Digests of the plaintext, as far as they were asked for when it was sealed."""
    composite_digests: Mapping[str, bytes]
    """Digests of the parts' digests, as S3 has them."""
    checksum_type: str | None
    """Which of these an object in parts shows, if that was said: `full_object` or `composite`."""
    etag: str | None
    """Its ETag, if it has one."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of an object."""

    number: int
    """From 1 to 10,000."""
    start: int
    """Where it begins in the plaintext of the object."""
    length: int
    """Length of its plaintext, in bytes."""
    stored_length: int
    """Length of its stored body, in bytes."""
    salts: Sequence[bytes]
    """The salts of its body, the innermost layer's first. A stored body begins with the last of them, so they tell one
    attempt at a part from another."""
    digests: Mapping[str, bytes]
    """The digest that the part table has of it, if the upload was completed with `checksum`."""


@dataclass(frozen=True, kw_only=True)
class PartRange:
    """What to fetch of a part for a range of the object."""

    part: Part
    plaintext: range
    """The bytes of the part's plaintext that are in the range."""
    stored: range
    """The bytes of its stored body that hold them. The beginning of the body is needed as well: 56 bytes in one layer, the
    first 16,456 in two."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The receipt of a part that was sealed. Keep `stored` until the upload is complete."""

    number: int
    length: int
    """Length of the plaintext, in bytes."""
    etag: str
    """The ETag, which the client names when it completes the upload."""
    digests: Mapping[str, bytes]
    salts: Sequence[bytes]
    """As in `Part`."""
    stored: bytes
    """The receipt as it is to be kept. Only an upload makes and reads it."""


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A completed upload, as it is to be stored. To read the object, open `head` with its own keys."""

    head: bytes
    """The head of the object."""
    table: bytes | None
    """The part table, to be stored beside the head, if it is not in it."""
    chosen: Sequence[int]
    """For each part, in order, which of the receipts it was. The bodies of all others can be deleted."""
    length: int
    """Length of the plaintext, in bytes."""
    digests: Mapping[str, bytes]
    """As in `Info`, like those that follow."""
    composite_digests: Mapping[str, bytes]
    checksum_type: str | None
    etag: str
