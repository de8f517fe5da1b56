"""Bare messages in the published format C2SP chunked-encryption, instance Cobblestone-256.

A message is one AES-256-GCM chunk per 16 KiB, with a key commitment that is checked before anything is opened. It has no
head: who opens it must know the key and the context. For stored objects use `objseal.seal` or `objseal.open`, which keep
a data key of their own, so that root keys can be rotated.

The order of the arguments is that of `cryptography.cobblestone`, which reads and writes the same messages.

>>> import objseal
>>> key = objseal.Key.generate()
>>> message = objseal.cobblestone.seal(key, b"the plaintext", b"backups/2026")
>>> objseal.cobblestone.open(key, message, b"backups/2026")
b'the plaintext'
"""

from __future__ import annotations

from . import _objseal as native
from ._objseal import Opener, Sealer
from ._places import as_source
from ._readers import RawReader, SealedReader
from ._types import Buffer, KeyLike, Place, Readable

CHUNK_LEN = 16 * 1024
"""Bytes of plaintext in every chunk but the last, which is shorter."""
TAG_LEN = 16
"""Bytes that each chunk is longer when sealed."""
HEADER_LEN = 56
"""Bytes before the first chunk: salt and commitment."""


def seal(key: KeyLike, data: Buffer, context: Buffer = b"", *, threads: int = 1) -> bytes:
    """Seals `data`. `key` is a `Key` or 32 bytes; `threads` is how many to work on, 0 for as many as there are CPUs."""
    return native.cobblestone_seal(key, data, context, threads)


def seal_into(key: KeyLike, data: Buffer, out: Buffer, context: Buffer = b"", *, threads: int = 1) -> int:
    """Seals into the start of `out`, memory that no other thread uses meanwhile. Returns how many bytes that took."""
    return native.cobblestone_seal_into(key, data, out, context, threads)


def open(key: KeyLike, message: Buffer, context: Buffer = b"", *, threads: int = 1) -> bytes:
    """Opens a message: all of it, or nothing."""
    return native.cobblestone_open(key, message, context, threads)


def open_into(key: KeyLike, message: Buffer, out: Buffer, context: Buffer = b"", *, threads: int = 1) -> int:
    """Opens into the start of `out`, memory that no other thread uses meanwhile. Returns how many bytes that took.

    If it fails, `out` is all zeros.
    """
    return native.cobblestone_open_into(key, message, out, context, threads)


def reader(key: KeyLike, source: Place | Readable | Buffer, context: Buffer = b"", *, threads: int = 1) -> SealedReader:
    """A stored message as a file to read, in any order: a path, a file object that can seek, or memory.

    >>> import objseal, io
    >>> key = objseal.Key.generate()
    >>> stored = io.BytesIO(objseal.cobblestone.seal(key, b"the plaintext"))
    >>> file = objseal.cobblestone.reader(key, stored)
    >>> file.seek(-5, io.SEEK_END), file.read()
    (8, b'ntext')
    """
    return SealedReader(RawReader(native.cobblestone_reader(key, as_source(source), context), threads))


def sealed_len(length: int) -> int:
    """Length of the message that `length` bytes of plaintext give.

    >>> sealed_len(0), sealed_len(1 << 20)
    (72, 1049672)
    """
    return native.cobblestone_sealed_len(length)


def plaintext_len(sealed_length: int) -> int:
    """Length of the plaintext in a message of `sealed_length` bytes. `ArgumentError` if no message is so long."""
    return native.cobblestone_plaintext_len(sealed_length)


def largest_plaintext_len(stored_limit: int) -> int:
    """Length of the longest plaintext whose message fits into `stored_limit` bytes.

    >>> largest_plaintext_len(5 << 30)
    5363471288
    """
    return native.cobblestone_largest_plaintext_len(stored_limit)


def sealed_range(start: int, stop: int, sealed_length: int) -> range:
    """Where in a message of `sealed_length` bytes the chunks are that hold bytes `start` to `stop` of its plaintext.

    >>> sealed_range(500_000, 500_001, sealed_len(1 << 20))
    range(492056, 508456)
    """
    return range(*native.cobblestone_sealed_range(start, stop, sealed_length))


__all__ = [
    "CHUNK_LEN",
    "HEADER_LEN",
    "TAG_LEN",
    "Opener",
    "Sealer",
    "largest_plaintext_len",
    "open",
    "open_into",
    "plaintext_len",
    "reader",
    "seal",
    "seal_into",
    "sealed_len",
    "sealed_range",
]
