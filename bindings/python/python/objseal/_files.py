"""Sealed files as files of Python."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal, overload

from ._errors import ArgumentError
from ._objseal import Keyring
from ._options import OpenOptions, SealOptions, sealing
from ._readers import SealedReader, SealedTextReader, open_to_read
from ._types import Context, Demanded, KeyLike, Names, Place, Readable, Writable
from ._writers import SealedTextWriter, SealedWriter, open_to_write

if TYPE_CHECKING:
    from typing import Unpack


@overload
def open(
    file: Place | Readable,
    mode: Literal["rb"] = "rb",
    *,
    key: KeyLike | Names | None = None,
    keyring: Keyring | None = None,
    context: Demanded = b"",
    threads: int = 1,
    **options: Unpack[OpenOptions],
) -> SealedReader: ...


@overload
def open(
    file: Place | Readable,
    mode: Literal["rt"],
    *,
    key: KeyLike | Names | None = None,
    keyring: Keyring | None = None,
    context: Demanded = b"",
    threads: int = 1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **options: Unpack[OpenOptions],
) -> SealedTextReader: ...


@overload
def open(
    file: Place | Writable,
    mode: Literal["wb", "xb"],
    *,
    key: KeyLike | Names,
    keyring: Keyring | None = None,
    context: Context = b"",
    threads: int = 1,
    **options: Unpack[SealOptions],
) -> SealedWriter: ...


@overload
def open(
    file: Place | Writable,
    mode: Literal["wt", "xt"],
    *,
    key: KeyLike | Names,
    keyring: Keyring | None = None,
    context: Context = b"",
    threads: int = 1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **options: Unpack[SealOptions],
) -> SealedTextWriter: ...


def open(
    file: Any,
    mode: str = "rb",
    *,
    key: KeyLike | Names | None = None,
    keyring: Keyring | None = None,
    context: Any = b"",
    threads: int = 1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **options: Any,
) -> SealedReader | SealedWriter | SealedTextReader | SealedTextWriter:
    """Opens a sealed file to read its plaintext, or to write plaintext that is sealed, like `gzip.open`.

    `file` is a path, or an object with `read` or `write`, which stays open when this is closed. A path that stands for a
    descriptor, `/dev/fd/3` or `/dev/stdout` say, is read and written on from where that stands. `mode` is `rb`, `wb`, or
    `xb`, which refuses a path that is there; `rt`, `wt` and `xt` are the same for text, and `encoding`, `errors` and
    `newline` are for these, as in the built-in `open`: without an encoding it is that of the locale, and UTF-8 in Python's
    UTF-8 mode.

    Reading: any part can be read in any order, each verified before it is given out; a length is authentic from the start.
    What cannot seek is read front to back: the plaintext is whole when its end was read without an error. After an error
    every call says the same. `threads` work on large reads.

    Writing: a path is there when the file is closed, and not before. If anything went wrong until then it is left as it was:
    see `SealedWriter`. After a failure nothing is written any more, and every call says the same. Devices, pipes and
    descriptors get what is written at once.

    `key`, `keyring`, `context` and other options: see `seal` and `unseal`.

    >>> import objseal, os, tempfile
    >>> key = objseal.Key.generate()
    >>> path = os.path.join(tempfile.mkdtemp(), "notes.sealed")
    >>> with objseal.open(path, "wb", key=key) as file:
    ...     _ = file.write(b"the plaintext")
    >>> with objseal.open(path, key=key) as file:
    ...     _ = file.seek(4)
    ...     file.read()
    b'plaintext'
    >>> with objseal.open(path, "rt", key=key, encoding="utf-8") as text:
    ...     text.read(3)
    'the'
    """
    if mode not in ("rb", "wb", "xb", "rt", "wt", "xt"):
        raise ArgumentError(f"mode={mode!r}: rb, wb or xb, and rt, wt or xt for text")
    for name, value in (("encoding", encoding), ("errors", errors), ("newline", newline)):
        if mode.endswith("b") and value is not None:
            raise ArgumentError(f"{name}: only text has it; open it in mode {mode[0]}t")
    if mode == "rb":
        return open_to_read(file, key, keyring, context, threads, options)  # type: ignore[arg-type]
    if mode.endswith("b"):
        return open_to_write(file, mode == "xb", sealing(key, keyring, context, options))  # type: ignore[arg-type]
    encoding = io.text_encoding(encoding)
    if mode == "rt":
        reader = open_to_read(file, key, keyring, context, threads, options)  # type: ignore[arg-type]
        try:
            return SealedTextReader(reader, encoding, errors, newline)
        except BaseException:
            reader.close()
            raise
    writer = open_to_write(file, mode == "xt", sealing(key, keyring, context, options))  # type: ignore[arg-type]
    try:
        return SealedTextWriter(writer, encoding, errors, newline)
    except BaseException:
        writer.abort()
        raise
