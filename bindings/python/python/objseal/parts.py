"""Objects in parts: sealed in any order, at the same time, by several processes, and uploaded again at will.

>>> import objseal
>>> key, server = objseal.Key.generate(), objseal.Key.generate()
>>> place = {"bucket": "photos", "key": "cat.jpg", "upload": "17"}
>>> upload = objseal.parts.Upload.start(key=key, server_key=server, place=place)
>>> bodies, receipts = {}, []
>>> for number, data in (2, b"and the second"), (1, b"the first "):  # in any order
...     bodies[number], receipt = upload.seal_part(number, data)
...     receipts.append(receipt)
>>> named = sorted((receipt.number, receipt.etag) for receipt in receipts)  # what the client says

Whoever has the state of the upload and the server's key, in whatever process, completes it:

>>> upload = objseal.parts.Upload.resume(upload.state, server_key=server, place=place)
>>> done = upload.complete(named, [receipt.stored for receipt in receipts])
>>> upload.seal_part(3, b"more")
Traceback (most recent call last):
...
objseal.KeyNotFound: a resumed upload has no keys to seal parts with; unlock(key=..., keyring=...) gives it the object's own
>>> _ = upload.unlock(key=key).seal_part(3, b"more")

>>> envelope = objseal.envelope.open(done.head, key=key)
>>> file = objseal.parts.open(envelope, lambda part: bodies[part.number], table=done.table)
>>> file.read()
b'the first and the second'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import _objseal as native
from ._errors import ArgumentError
from ._model import Completed, Part, PartRange, Receipt
from ._objseal import Keyring
from ._options import OpenOptions, Policy, SealOptions, _pairs, _single, opening, sealing
from ._places import as_source, source_of, target_of
from ._readers import RawReader, SealedReader
from ._types import ANY, Buffer, Callback, Context, Demanded, KeyLike, Names, Place, Readable, Store, Writable
from .envelope import Envelope

if TYPE_CHECKING:
    from typing import Self, Unpack

MAX_PARTS = 10_000
"""Most parts of an object; they are numbered from 1."""
MAX_PART_LEN = 5 << 30
"""Longest plaintext of a part, in bytes."""


class Upload:
    """An object that is sealed in parts. `start` and `resume` make it.

    Receipts and completion take the server's key alone. Sealing parts takes the object's own keys, and an upload that was
    resumed has them once it is unlocked: they are not in its state, which opens neither parts nor objects.
    """

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
        place: Mapping[str, str],
        **options: Unpack[SealOptions],
    ) -> Self:
        """Begins an object in parts. `server_key` protects the state of the upload: a `Key`, or the name of one in `keyring`.

        `place` names the upload, by bucket, key and upload id say: the state is bound to it, and `resume` must be given the
        same. Other arguments: see `objseal.seal`; `digests` are asked for part by part.
        """
        by: tuple[Keyring, str] | KeyLike
        by = (keyring, server_key) if keyring is not None and isinstance(server_key, str) else _single(server_key)
        return cls(native.Upload.start(sealing(key, keyring, context, options), by, _pairs(place)))

    @classmethod
    def resume(
        cls,
        state: Buffer,
        *,
        place: Mapping[str, str],
        server_key: KeyLike | Names | None = None,
        keyring: Keyring | None = None,
        **options: Unpack[OpenOptions],
    ) -> Self:
        """Goes on with an upload, in whatever process.

        `services` and `key_ids` of a policy say which keys the state may be under. What the object must be `unlock` is told.
        """
        policy = options.get("policy") or Policy()
        if policy != Policy(services=policy.services, key_ids=policy.key_ids):
            raise ArgumentError("policy: only services and key_ids are for the state of an upload; the rest is for unlock()")
        return cls(native.Upload.resume(opening(server_key, keyring, ANY, options), state, _pairs(place)))

    def unlock(
        self,
        *,
        key: KeyLike | Names | None = None,
        keyring: Keyring | None = None,
        context: Demanded = b"",
        **options: Unpack[OpenOptions],
    ) -> Self:
        """Comes by the object's own keys, to seal parts. The object that it will be must have this context, and be what the
        policy demands. Arguments: see `objseal.unseal`.
        """
        self._native.unlock(opening(key, keyring, context, options))
        return self

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
        read = source_of(source)
        write = target_of(target, read)
        return self._native.seal_part_stream(number, read, write, threads, _listed(digests), etag, callback)

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
        checksum: str | None = None,
        checksum_type: str | None = None,
    ) -> Completed:
        """Makes the object of the parts that the client names by number and ETag, in order.

        `receipts` are all that were stored; of several for the same part and ETag the last one counts. The part table is in
        the head if that is at most `inline_len` bytes long then. An `etag` that is not given is made as S3 makes it.
        `checksum` is the digest of each part to keep in the part table, `sha256` say: all parts must have it. `checksum_type`
        is kept for who shows the object's checksums: `full_object` or `composite`.
        """
        return self._native.complete(list(parts), list(receipts), inline_len, etag, checksum, checksum_type)

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
    return SealedReader(RawReader(native.PartsReader.open(envelope._native, as_source(table), store), 1))


def parts(envelope: Envelope, *, table: Place | Readable | Buffer | None = None) -> list[Part]:
    """All parts of an object."""
    return native.PartsReader.parts(envelope._native, as_source(table))


def locate(
    envelope: Envelope, start: int, stop: int, *, table: Place | Readable | Buffer | None = None
) -> list[PartRange]:
    """What to fetch for bytes `start` to `stop` of the plaintext."""
    found = native.PartsReader.locate(envelope._native, as_source(table), start, stop)
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
