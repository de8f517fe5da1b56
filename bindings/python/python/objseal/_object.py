"""Whole objects: in memory, and from file to file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _objseal as native
from ._objseal import Keyring
from ._options import OpenOptions, SealOptions, opening, resealing, sealing
from ._places import as_source, source_of, target_of
from ._types import Buffer, Callback, Context, Demanded, KeyLike, Names, Place, Readable, Writable

if TYPE_CHECKING:
    from typing import Unpack

    from ._model import Facts, Info


def seal(
    data: Buffer,
    *,
    key: KeyLike | Names,
    keyring: Keyring | None = None,
    context: Context = b"",
    threads: int = 1,
    **options: Unpack[SealOptions],
) -> bytes:
    """Seals an object in memory. The result is what `seal_file` writes, and what `objseal open` reads.

    `key` is a `Key` or 32 bytes, or with `keyring` the name of a root key in it (several names: any of them opens it).
    `context` is public data that the object is bound to, its name say; it is stored with it, and whoever opens it must know
    it. `threads` is how many to work on, 0 for as many as there are CPUs. Other options: see `SealOptions`.

    >>> import objseal
    >>> key = objseal.Key.generate()
    >>> sealed = objseal.seal(b"the plaintext", key=key, context=b"invoices/17")
    >>> objseal.unseal(sealed, key=key, context=b"invoices/17")
    b'the plaintext'
    """
    return native.seal(sealing(key, keyring, context, options), data, threads)


def seal_into(
    data: Buffer,
    out: Buffer,
    *,
    key: KeyLike | Names,
    keyring: Keyring | None = None,
    context: Context = b"",
    threads: int = 1,
    **options: Unpack[SealOptions],
) -> int:
    """`seal` into the start of `out`, memory that no other thread uses meanwhile. Returns how many bytes that took.

    >>> import objseal
    >>> key = objseal.Key.generate()
    >>> out = bytearray(objseal.sealed_len(5, key=key))
    >>> objseal.seal_into(b"plain", out, key=key) == len(out)
    True
    """
    return native.seal_into(sealing(key, keyring, context, options), data, out, threads)


def sealed_len(
    length: int,
    *,
    key: KeyLike | Names,
    keyring: Keyring | None = None,
    context: Context = b"",
    **options: Unpack[SealOptions],
) -> int:
    """How long an object will be that `length` bytes are sealed to in this way."""
    return native.sealed_len(sealing(key, keyring, context, options), length)


def unseal(
    sealed: Buffer,
    *,
    key: KeyLike | Names | None = None,
    keyring: Keyring | None = None,
    context: Demanded = b"",
    threads: int = 1,
    **options: Unpack[OpenOptions],
) -> bytes:
    """Opens an object in memory: all of it, or nothing.

    With `keyring`, `key` can be left out: then any key in it will do. The object must have exactly this `context`, stored
    pairs and bound ones alike; `objseal.Known` leaves open what is stored, and `objseal.ANY` takes any that is.

    >>> import objseal
    >>> key = objseal.Key.generate()
    >>> objseal.unseal(objseal.seal(b"plain", key=key), key=objseal.Key.generate())
    Traceback (most recent call last):
    ...
    objseal.AuthenticationError: the object was sealed under another key of that name: version 1 of "key" of "single-key"
    """
    return native.unseal(opening(key, keyring, context, options), sealed, threads)


def unseal_into(
    sealed: Buffer,
    out: Buffer,
    *,
    key: KeyLike | Names | None = None,
    keyring: Keyring | None = None,
    context: Demanded = b"",
    threads: int = 1,
    **options: Unpack[OpenOptions],
) -> int:
    """`unseal` into the start of `out`, memory that no other thread uses meanwhile. Returns how many bytes that took.

    If it fails, `out` is all zeros.
    """
    return native.unseal_into(opening(key, keyring, context, options), sealed, out, threads)


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
) -> Info:
    """Seals a file, or anything with `read`, of any length, in little memory.

    A target that is a path is there when all of it is written, and not before; one that is there already is replaced then,
    and gives its owner and permissions. A new one gets the permissions of the source, if that is a path, within the umask.
    Devices, pipes and paths that stand for descriptors, `/dev/stdout` say, get what is written at once. A keyring is refused,
    and what another user has put into a folder where everybody may write.
    `callback` is called now and then with the number of bytes read since. Arguments: see `seal`.

    >>> import objseal, io
    >>> key, sealed = objseal.Key.generate(), io.BytesIO()
    >>> objseal.seal_file(io.BytesIO(b"the plaintext"), sealed, key=key).length
    13
    """
    how = sealing(key, keyring, context, options)
    read = source_of(source)
    return native.seal_stream(how, read, target_of(target, read), threads, callback)


def unseal_file(
    source: Place | Readable,
    target: Place | Writable,
    *,
    key: KeyLike | Names | None = None,
    keyring: Keyring | None = None,
    context: Demanded = b"",
    threads: int = 0,
    callback: Callback | None = None,
    **options: Unpack[OpenOptions],
) -> Info:
    """Opens a sealed file, or anything with `read`, of any length, in little memory.

    A target that is a path is there when all of it was verified, and not before. If it is new and the source is no path, it
    is for its owner alone. Any other target has got what was verified until then if this fails. Arguments: see `seal_file`
    and `unseal`.
    """
    how = opening(key, keyring, context, options)
    read = source_of(source)
    return native.unseal_stream(how, read, target_of(target, read, 0o600), threads, callback)


def inspect(sealed: Place | Readable | Buffer) -> Facts:
    """What a sealed object says about itself, without a key: a path or a file object that can seek, or memory.

    >>> import objseal
    >>> facts = objseal.inspect(objseal.seal(b"plain", key=objseal.Key.generate(), context={"name": "a.txt"}))
    >>> facts.context, facts.length, facts.layers
    ({'name': 'a.txt'}, 5, 1)
    """
    return native.inspect(as_source(sealed))


def rewrap(
    path: Place,
    *,
    key: KeyLike | Names | None = None,
    keyring: Keyring | None = None,
    context: Demanded = b"",
    new_key: KeyLike | Names | None = None,
    new_keyring: Keyring | None = None,
    new_context: Context | None = None,
    **options: Any,
) -> Facts:
    """Puts a sealed file under the latest versions of its root keys, other root keys or another context, without touching
    its data.

    `key`, `keyring` and `context` open it. All root keys that it is sealed under stay, each in its latest version; one that
    is not at hand is an error. `new_key` replaces those of the inner layer or the only one, `outer_key` those of the outer
    one, and a `Key` as `new_key` all of them. `new_keyring` is where they are, if not in `keyring`. `new_context` replaces
    the pairs that are stored, `bound` those that are not. `policy` is as in `unseal`. It is rotation, not revocation: who
    kept the old head and its root key still opens the file.
    """
    old: OpenOptions = {name: options.pop(name) for name in ("policy",) if name in options}  # type: ignore[assignment]
    opened = opening(key, keyring, context, old)

    def decide(verified: Facts) -> native.SealOptions:
        by = keyring if new_keyring is None and not isinstance(new_key, native.Key) else new_keyring
        return resealing(verified, new_key, by, new_context, options, key)

    return native.rewrap(opened, decide, path)


__all__ = [
    "inspect", "rewrap", "seal", "seal_file", "seal_into", "sealed_len", "unseal", "unseal_file", "unseal_into",
]
