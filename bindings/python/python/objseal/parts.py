"""Objects in parts: sealed in any order, at the same time, by several processes, and uploaded again at will.

>>> import objseal
>>> key, server = objseal.Key.generate(), objseal.Key.generate()
>>> upload = objseal.parts.Upload.start(key=key, server_key=server)
>>> bodies, receipts = {}, []
>>> for number, data in (2, b"and the second"), (1, b"the first "):  # in any order
...     bodies[number], receipt = upload.seal_part(number, data)
...     receipts.append(receipt)
>>> named = sorted((receipt.number, receipt.etag) for receipt in receipts)  # what the client says
>>> done = upload.complete(named, [receipt.stored for receipt in receipts])

>>> envelope = objseal.envelope.open(done.head, key=key)
>>> file = objseal.parts.open(envelope, lambda part: bodies[part.number], table=done.table)
>>> file.read()
b'the first and the second'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import _objseal as native
from ._files import SealedReader, _RawReader, as_source, source_of, target_of
from ._model import Part, PartRange, Receipt
from ._objseal import Keyring
from ._options import OpenOptions, SealOptions, _single, opening, sealing
from ._types import Buffer, Callback, Context, Demanded, KeyLike, Names, Place, Readable, Store, Writable
from .envelope import Envelope

if TYPE_CHECKING:
    from typing import Self, Unpack

MAX_PARTS = 10_000
"""Most parts of an object; they are numbered from 1."""
MAX_PART_LEN = 5 << 30
"""Longest plaintext of a part, in bytes."""


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A completed upload."""

    envelope: Envelope
    head: bytes
    """The head, as it is to be stored."""
    table: bytes | None
    """The part table, to be stored beside the head, if it is not in it."""
    chosen: Sequence[int]
    """For each part, in order, which of the receipts it was. The bodies of all others can be deleted."""


class Upload:
    """An object that is sealed in parts. `start` and `resume` make it."""

    def __init__(self, upload: native.Upload) -> None:
        self._native = upload

    @classmethod
    def start(
        cls,
        *,
        key: KeyLike | Names,
        keyring: Keyring | None = None,
        context: Context = b"",
        server_key: KeyLike | str,
        **options: Unpack[SealOptions],
    ) -> Self:
        """Begins an object in parts. `server_key` protects the state of the upload: a `Key`, or the name of one in `keyring`.

        Other arguments: see `objseal.seal`; `digests` are asked for part by part.
        """
        how = sealing(key, keyring, context, options)
        if keyring is not None and isinstance(server_key, str):
            return cls(native.Upload.start(how, (keyring, server_key)))
        return cls(native.Upload.start(how, _single(server_key)))

    @classmethod
    def resume(
        cls,
        state: Buffer,
        *,
        server_key: KeyLike | Names | None = None,
        keyring: Keyring | None = None,
        context: Demanded = b"",
        **options: Unpack[OpenOptions],
    ) -> Self:
        """Goes on with an upload, in whatever process. The object that it will be must have this context.

        Of a policy, `services` and `key_ids` hold for the key that the state is under; the rest for the object.
        """
        return cls(native.Upload.resume(opening(server_key, keyring, context, options), state))

    @property
    def state(self) -> bytes:
        """The state, as it is to be stored. It is sealed under the server's key. Delete it when the upload has ended."""
        return self._native.state

    @property
    def object_id(self) -> bytes:
        """The identity of the object that it will be."""
        return self._native.object_id

    def seal_part(
        self,
        number: int,
        data: Buffer,
        *,
        digests: Iterable[str] = (),
        etag: str | None = None,
        threads: int = 1,
    ) -> tuple[bytes, Receipt]:
        """Seals part `number`, from 1 to 10,000; gives its body and its receipt. Each attempt has a salt of its own.

        An `etag` that is not given is made of the salt.
        """
        return self._native.seal_part(number, data, threads, _listed(digests), etag)

    def seal_part_file(
        self,
        number: int,
        source: Place | Readable,
        target: Place | Writable,
        *,
        digests: Iterable[str] = (),
        etag: str | None = None,
        threads: int = 0,
        callback: Callback | None = None,
    ) -> Receipt:
        """`seal_part` from file to file, in little memory."""
        with source_of(source) as read, target_of(target) as write:
            return self._native.seal_part_stream(
                number, read, write, threads, _listed(digests), etag, callback
            )

    def read_receipt(self, stored: Buffer) -> Receipt:
        """Reads a stored receipt, which must be of this upload."""
        return self._native.read_receipt(stored)

    def complete(
        self,
        parts: Iterable[tuple[int, str]],
        receipts: Iterable[Buffer],
        *,
        inline_len: int = 1_400,
        etag: str | None = None,
    ) -> Completed:
        """Makes the object of the parts that the client names by number and ETag, in order.

        `receipts` are all that were stored; of several for the same part and ETag the last one counts. The part table is in
        the head if that is at most `inline_len` bytes long then. An `etag` that is not given is made as S3 makes it.
        """
        envelope, table, chosen = self._native.complete(list(parts), list(receipts), inline_len, etag)
        return Completed(envelope=Envelope(envelope), head=envelope.head, table=table, chosen=tuple(chosen))

    def __repr__(self) -> str:
        return f"<objseal.parts.Upload of {self.object_id.hex()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("an upload is not pickled: pass its state, and resume it with the server's key")


def _listed(digests: Iterable[str]) -> list[str]:
    return [digests] if isinstance(digests, str) else list(digests)


def open(envelope: Envelope, store: Store, *, table: Place | Readable | Buffer | None = None) -> SealedReader:
    """The plaintext of an object in parts, as a file to read in any order.

    `store` gives the stored body of a part. `table` is the part table, if it is not in the head; of a path or a file object
    only those pieces are read that are needed.
    """
    with as_source(table) as source:
        return SealedReader(_RawReader(native.PartsReader.open(envelope._native, source, store), 1))


def parts(envelope: Envelope, *, table: Place | Readable | Buffer | None = None) -> list[Part]:
    """All parts of an object."""
    with as_source(table) as source:
        return native.PartsReader.parts(envelope._native, source)


def locate(
    envelope: Envelope, start: int, stop: int, *, table: Place | Readable | Buffer | None = None
) -> list[PartRange]:
    """What to fetch for bytes `start` to `stop` of the plaintext."""
    with as_source(table) as source:
        found = native.PartsReader.locate(envelope._native, source, start, stop)
    return [PartRange(part=part, plaintext=range(*plain), stored=range(*stored)) for part, plain, stored in found]


__all__ = [
    "MAX_PARTS",
    "MAX_PART_LEN",
    "Completed",
    "Part",
    "PartRange",
    "Receipt",
    "Upload",
    "locate",
    "open",
    "parts",
]
