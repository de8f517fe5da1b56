"""Sealed objects as files of Python to read from."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import _objseal as native
from ._errors import ArgumentError
from ._objseal import Keyring
from ._options import OpenOptions, Policy, opening
from ._places import BUFFER_SIZE, source_of
from ._types import Buffer, Demanded

if TYPE_CHECKING:
    from ._model import Info


class RawReader(io.RawIOBase):
    """Reads verified plaintext at any offset."""

    def __init__(self, reader: native.Reader, threads: int) -> None:
        super().__init__()
        self._reader, self._threads = reader, threads
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        self._check()
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._check()
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._reader.length}.get(whence)
        if start is None:
            raise ArgumentError(f"whence={whence!r}: 0, 1 or 2")
        if start + offset < 0:
            raise OSError(22, os.strerror(22))
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        self._check()
        length = self._reader.readinto_at(self._at, buffer, self._threads)
        self._at += length
        return length

    def close(self) -> None:
        super().close()
        self._reader.close()

    @property
    def info(self) -> Info:
        known = self._reader.info
        assert known is not None
        return known

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


class RawStreamReader(io.RawIOBase):
    """Reads verified plaintext front to back."""

    def __init__(self, reader: native.StreamReader) -> None:
        super().__init__()
        self._reader = reader
        self._first_error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self._first_error is not None:
            raise self._first_error
        try:
            return self._reader.readinto(buffer)
        except (BlockingIOError, KeyboardInterrupt):
            # Nothing was read, so one can go on.
            raise
        except BaseException as error:
            self._first_error = error
            raise

    def close(self) -> None:
        super().close()
        self._reader.close()

    @property
    def info(self) -> Info:
        return self._reader.info()


class SealedReader(io.BufferedReader):
    """The plaintext of a sealed object, as a file. `open` and `open_parts` make it."""

    _again: tuple[Any, ...] | None = None

    def __init__(self, raw: RawReader | RawStreamReader) -> None:
        super().__init__(raw, BUFFER_SIZE)

    @property
    def info(self) -> Info:
        """What is known of the object. Where it cannot seek, the attributes are known once the end was read."""
        return self.raw.info  # type: ignore[attr-defined, no-any-return]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if self._again is None or self.closed:
            raise TypeError("a sealed file is pickled if it was opened by its path with a keyring, and is not closed")
        *how, options = self._again
        # Whatever is at the path then, it is to be this object.
        policy = replace(options.get("policy") or Policy(), object_id=self.info.object_id)
        return (_open_again, (*how, {**options, "policy": policy}, self.tell()))


class SealedTextReader(io.TextIOWrapper):
    """The plaintext of a sealed object as text. `open` makes it."""

    @property
    def info(self) -> Info:
        """As that of `SealedReader`."""
        return self.buffer.info  # type: ignore[attr-defined, no-any-return]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        raise TypeError("a file of text is not pickled; open it in binary mode")


def open_to_read(
    file: Any, key: Any, keyring: Keyring | None, context: Demanded, threads: int, options: OpenOptions
) -> SealedReader:
    how = opening(key, keyring, context, options)
    source = source_of(file)
    named = isinstance(source, native.InputFile) and source.named
    seekable = getattr(source, "seekable", False)
    if not (seekable() if callable(seekable) else seekable):
        return SealedReader(RawStreamReader(native.StreamReader(how, source)))
    reader = SealedReader(RawReader(native.Reader(how, source), threads))
    if keyring is not None and named:
        # Whoever unpickles it may work in another folder.
        reader._again = (os.path.abspath(os.fspath(file)), key, keyring, context, threads, options)
    return reader


def _open_again(
    path: Any, key: Any, keyring: Keyring, context: Demanded, threads: int, options: OpenOptions, at: int
) -> SealedReader:
    reader = open_to_read(path, key, keyring, context, threads, options)
    reader.seek(at)
    return reader
