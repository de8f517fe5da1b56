"""Head and body apart, for stores that have a place for each: the head in the metadata, the body as the object.

>>> import hashlib, objseal
>>> key = objseal.Key.generate()
>>> envelope, body = objseal.envelope.seal(b"the plaintext", key=key, digests=["sha256"])
>>> head = envelope.head
>>> envelope = objseal.envelope.open(head, key=key)
>>> envelope.info.digests["sha256"] == hashlib.sha256(b"the plaintext").digest()
True
>>> envelope.unseal(body)
b'the plaintext'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _objseal as native
from ._objseal import Keyring
from ._options import OpenOptions, SealOptions, opening, resealing, sealing
from ._places import as_source, source_of, target_of
from ._readers import RawReader, SealedReader
from ._types import Buffer, Callback, Context, Demanded, KeyLike, Names, Place, Readable, Writable

if TYPE_CHECKING:
    from typing import Unpack

    from ._model import Facts, Info


class Envelope:
    """The head of an object, opened. `seal`, `seal_file` and `open` make it."""

    def __init__(self, envelope: native.Envelope) -> None:
        self._native = envelope

    @property
    def head(self) -> bytes:
        """The head, as it is to be stored: about 0.5 to 1 KiB, never above 16 KiB."""
        return self._native.head

    @property
    def info(self) -> Info:
        """What is known of the object."""
        return self._native.info()

    def unseal(self, body: Buffer, *, threads: int = 1) -> bytes:
        """Opens a body in memory: all of it, or nothing."""
        return self._native.unseal(body, threads)

    def reader(self, body: Place | Readable | Buffer, *, threads: int = 1) -> SealedReader:
        """The plaintext of a stored body as a file, in any order: a path, a file object that can seek, or memory."""
        return SealedReader(RawReader(self._native.reader(as_source(body)), threads))

    def rewrap(
        self,
        *,
        key: KeyLike | Names | None = None,
        keyring: Keyring | None = None,
        context: Context | None = None,
        **options: Any,
    ) -> Envelope:
        """The envelope under other root keys, or another context; its head replaces the old one, and the body stays.

        What is not given stays: see `objseal.rewrap`.
        """
        return Envelope(self._native.rewrap(resealing(self.info, key, keyring, context, options)))

    def __repr__(self) -> str:
        return f"<objseal.envelope.Envelope of {self.info.object_id.hex()}>"


def seal(
    data: Buffer,
    *,
    key: KeyLike | Names,
    keyring: Keyring | None = None,
    context: Context = b"",
    threads: int = 1,
    **options: Unpack[SealOptions],
) -> tuple[Envelope, bytes]:
    """Seals in memory; gives the envelope and the body. Arguments: see `objseal.seal`."""
    envelope, body = native.seal_envelope(sealing(key, keyring, context, options), data, threads)
    return Envelope(envelope), body


def seal_file(
    source: Place | Readable,
    target: Place | Writable,
    *,
    key: KeyLike | Names,
    keyring: Keyring | None = None,
    context: Context = b"",
    threads: int = 0,
    callback: Callback | None = None,
    **options: Unpack[SealOptions],
) -> Envelope:
    """Seals from file to file; `target` gets the body. Arguments: see `objseal.seal_file`."""
    how = sealing(key, keyring, context, options)
    read = source_of(source)
    return Envelope(native.seal_envelope_stream(how, read, target_of(target, read), threads, callback))


def open(
    head: Buffer,
    *,
    key: KeyLike | Names | None = None,
    keyring: Keyring | None = None,
    context: Demanded = b"",
    **options: Unpack[OpenOptions],
) -> Envelope:
    """Opens a stored head. Arguments: see `objseal.unseal`."""
    return Envelope(native.Envelope(opening(key, keyring, context, options), head))


def inspect(head: Buffer) -> Facts:
    """What a stored head says, without a key."""
    return native.inspect_head(head)


__all__ = ["Envelope", "inspect", "open", "seal", "seal_file"]
