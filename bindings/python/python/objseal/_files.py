"""Sealed files as files of Python."""

from __future__ import annotations

import io
import os
import secrets
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _objseal as native
from ._errors import ArgumentError
from ._objseal import Keyring
from ._options import OpenOptions, Policy, SealOptions, opening, sealing
from ._types import Buffer, Context, Demanded, KeyLike, Names, Place, Readable, Writable

if TYPE_CHECKING:
    from typing import Self, Unpack

    from ._model import Info

BUFFER_SIZE = 256 * 1024


def _is_path(place: object) -> bool:
    return isinstance(place, (str, bytes, os.PathLike))


def path_of(place: object) -> str | bytes:
    """The path that a place is."""
    if not isinstance(place, (str, bytes, os.PathLike)):
        raise ArgumentError(f"a path is needed, not {type(place).__name__}")
    return os.fspath(place)


def _need(place: object, method: str) -> None:
    if not callable(getattr(place, method, None)):
        raise ArgumentError(f"a path, or an object with {method}(), is needed, not {type(place).__name__}")
    if isinstance(place, io.TextIOBase):
        raise ArgumentError("this file is open as text; open it in binary mode")


@contextmanager
def source_of(place: Any) -> Iterator[Any]:
    """What the native half reads from: a descriptor, or an object with `read`."""
    if _is_path(place):
        with io.open(place, "rb", buffering=0) as file:
            yield file.fileno()
    else:
        _need(place, "read")
        yield place


@contextmanager
def as_source(place: Any) -> Iterator[Any]:
    """What the native half reads at any offset: a descriptor, an object that can seek, or memory."""
    if isinstance(place, (str, os.PathLike)):
        with io.open(place, "rb", buffering=0) as file:
            yield file.fileno()
    else:
        if hasattr(place, "read"):
            _need(place, "seek")
        yield place


@contextmanager
def target_of(place: Any, read: Any, mode: int = 0o666) -> Iterator[Any]:
    """What the native half writes to: a descriptor, or an object with `write`.

    A new file gets the mode of the file that is `read`, or `mode` if that is none.
    """
    if _is_path(place):
        if isinstance(read, int) and stat.S_ISREG(os.fstat(read).st_mode):
            mode = os.fstat(read).st_mode
        with _Replacement(path_of(place), exclusive=False, mode=mode) as file:
            yield file.fileno()
    else:
        _need(place, "write")
        yield place


class _Replacement:
    """A file that takes the place of another, or comes to be, once all of it is written.

    Until then it is for its owner alone; then it has the mode of the file that it replaces, or `mode` within the umask.
    """

    def __init__(self, path: str | bytes, *, exclusive: bool, mode: int = 0o666) -> None:
        # A link stays one.
        self._path = os.fsdecode(path) if exclusive else os.path.realpath(os.fsdecode(path))
        self._exclusive = exclusive
        if exclusive and os.path.lexists(self._path):
            raise FileExistsError(17, os.strerror(17), self._path)
        if os.path.isdir(self._path):
            raise IsADirectoryError(21, os.strerror(21), self._path)
        # What is no file, /dev/null say, is written to and stays.
        self._special = os.path.exists(self._path) and not os.path.isfile(self._path)
        if self._special:
            self._beside = self._path
            self._file = io.open(self._path, "wb", buffering=0)
        else:
            folder, name = os.path.split(self._path)
            self._beside = os.path.join(folder, f".{name[:200]}.{secrets.token_hex(6)}.new")
            # An empty file that comes and goes shows what the umask leaves: to ask for it changes it for all threads. What
            # is written to is a new one, which nobody else can have opened.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with io.open(os.open(self._beside, flags, mode & 0o777), "wb", buffering=0) as empty:
                self._mode = os.fstat(empty.fileno()).st_mode
            os.unlink(self._beside)
            self._file = io.open(os.open(self._beside, flags, 0o600), "wb", buffering=0)

    def fileno(self) -> int:
        return self._file.fileno()

    def commit(self) -> None:
        """Puts it in its place, for good."""
        if self._special:
            self._file.close()
            return
        try:
            with suppress(FileNotFoundError):
                self._mode = os.stat(self._path).st_mode
            # Where files have no modes, that is no failure.
            with suppress(PermissionError):
                os.fchmod(self._file.fileno(), self._mode & 0o777)
            os.fsync(self._file.fileno())
            self._file.close()
            if self._exclusive:
                os.link(self._beside, self._path)
                os.unlink(self._beside)
            else:
                os.replace(self._beside, self._path)
            # The new name, too, is to outlive a crash.
            folder = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Leaves no trace of it."""
        self._file.close()
        if not self._special:
            try:
                os.unlink(self._beside)
            except FileNotFoundError:
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()


class _RawReader(io.RawIOBase):
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

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


class _FirstError:
    """What went wrong first: whoever goes on is told the same again. After a `passing` error one can go on."""

    def __init__(self, *passing: type[BaseException]) -> None:
        self._passing = passing
        self._error: BaseException | None = None

    def __enter__(self) -> None:
        if self._error is not None:
            raise self._error

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not isinstance(error, self._passing):
            self._error = error


class _RawStreamReader(io.RawIOBase):
    """Reads verified plaintext front to back."""

    def __init__(self, reader: native.StreamReader) -> None:
        super().__init__()
        self._reader = reader
        self._first_error = _FirstError(BlockingIOError, KeyboardInterrupt)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        with self._first_error:
            return self._reader.readinto(buffer)


class SealedReader(io.BufferedReader):
    """The plaintext of a sealed object, as a file. `open` and `open_parts` make it."""

    _again: tuple[Any, ...] | None = None

    def __init__(self, raw: _RawReader | _RawStreamReader) -> None:
        super().__init__(raw, BUFFER_SIZE)

    @property
    def info(self) -> Info:
        """What is known of the object. Where it cannot seek, the attributes are known once the end was read."""
        raw = self.raw
        known = raw._reader.info() if isinstance(raw, _RawStreamReader) else raw._reader.info  # type: ignore[attr-defined]
        assert known is not None
        return known

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if self._again is None or self.closed:
            raise TypeError("a sealed file is pickled if it was opened by its path with a keyring, and is not closed")
        *how, options = self._again
        # Whatever is at the path then, it is to be this object.
        policy = replace(options.get("policy") or Policy(), object_id=self.info.object_id)
        return (_open_again, (*how, {**options, "policy": policy}, self.tell()))


class _RawWriter(io.RawIOBase):
    """Seals what is written to it."""

    def __init__(self, writer: native.Writer, target: _Replacement | None) -> None:
        super().__init__()
        self._writer, self._target = writer, target
        self._aborted = False
        self._first_error = _FirstError()
        self._at = 0
        self.info: Info | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self._aborted:
            return memoryview(data).nbytes
        with self._first_error:
            length = self._writer.write(data)
        self._at += length
        return length

    def tell(self) -> int:
        return self._at

    def abort(self) -> None:
        """From here on nothing is written, and closing leaves no file."""
        self._aborted = True

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        try:
            if not self._aborted:
                with self._first_error:
                    self.info = self._writer.finish()
        except BaseException:
            self._aborted = True
            raise
        finally:
            if self._target is not None:
                self._target.discard() if self._aborted else self._target.commit()


class SealedWriter(io.BufferedWriter):
    """A file that is sealed while it is written. `open` makes it.

    Its end is written by `close`. If the body of a `with` statement fails, or the file is dropped without being closed, a
    path is left as it was before; what was written to a file object does not open.
    """

    def __init__(self, raw: _RawWriter) -> None:
        super().__init__(raw, BUFFER_SIZE)

    @property
    def info(self) -> Info:
        """What is known of the object, once it is closed."""
        known = self.raw.info  # type: ignore[attr-defined]
        if known is None:
            raise ArgumentError("info is there once the file is closed")
        return known  # type: ignore[no-any-return]

    def write(self, data: Any, /) -> int:
        # What is large and never changes need not go through the buffer, which would copy it.
        if type(data) is bytes and len(data) >= BUFFER_SIZE:
            self.flush()
            return self.raw.write(data) or 0
        return super().write(data)

    def abort(self) -> None:
        """Closes the file and leaves a path as it was before."""
        if not self.closed:
            self.raw.abort()  # type: ignore[attr-defined]
            self.close()

    def close(self) -> None:
        if self.closed:
            return
        try:
            self.flush()
        except BaseException:
            self.abort()
            raise
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        try:
            dropped = not self.closed
        except ValueError:
            # It was never made.
            return
        if dropped:
            warnings.warn(f"{self!r} was not closed, so it is not there", ResourceWarning, stacklevel=2, source=self)
            self.abort()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        raise TypeError("a file that is being written is not pickled")


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
    file: Place | Writable,
    mode: Literal["wb", "xb"],
    *,
    key: KeyLike | Names,
    keyring: Keyring | None = None,
    context: Context = b"",
    threads: int = 1,
    **options: Unpack[SealOptions],
) -> SealedWriter: ...


def open(
    file: Any,
    mode: str = "rb",
    *,
    key: KeyLike | Names | None = None,
    keyring: Keyring | None = None,
    context: Any = b"",
    threads: int = 1,
    **options: Any,
) -> SealedReader | SealedWriter:
    """Opens a sealed file to read its plaintext, or to write plaintext that is sealed, like `gzip.open`.

    `file` is a path, or an object with `read` or `write`, which stays open when this is closed. `mode` is `rb`, `wb`, or
    `xb`, which refuses a path that is there. For text wrap it into `io.TextIOWrapper`.

    Reading: any part can be read in any order, each verified before it is given out; a length is authentic from the start.
    An object that cannot seek is read front to back: the plaintext is whole when its end was read without an error. After
    an error every call says the same. `threads` work on large reads.

    Writing: a path is there when the file is closed, and not before. After a failure nothing is written any more, and every
    call says the same.

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
    """
    if mode == "rb":
        return _open_to_read(file, key, keyring, context, threads, options)  # type: ignore[arg-type]
    if mode not in ("wb", "xb"):
        raise ArgumentError(f"mode={mode!r}: rb, wb or xb")
    how = sealing(key, keyring, context, options)  # type: ignore[arg-type]
    if not _is_path(file):
        _need(file, "write")
        return SealedWriter(_RawWriter(native.Writer(how, file), None))
    target = _Replacement(path_of(file), exclusive=mode == "xb")
    try:
        return SealedWriter(_RawWriter(native.Writer(how, target.fileno()), target))
    except BaseException:
        target.discard()
        raise


def _open_to_read(
    file: Any, key: Any, keyring: Keyring | None, context: Demanded, threads: int, options: OpenOptions
) -> SealedReader:
    how = opening(key, keyring, context, options)
    if not _is_path(file):
        _need(file, "read")
        seekable = getattr(file, "seekable", None)
        if seekable is None or not seekable():
            return SealedReader(_RawStreamReader(native.StreamReader(how, file)))
        return SealedReader(_RawReader(native.Reader(how, file), threads))
    raw = io.open(path_of(file), "rb", buffering=0)
    try:
        if not raw.seekable():
            return SealedReader(_RawStreamReader(native.StreamReader(how, raw.fileno())))
        # The native half has a descriptor of its own.
        reader = SealedReader(_RawReader(native.Reader(how, raw.fileno()), threads))
    finally:
        raw.close()
    if keyring is not None:
        # Whoever unpickles it may work in another folder.
        reader._again = (os.path.abspath(path_of(file)), key, keyring, context, threads, options)
    return reader


def _open_again(
    path: Any, key: Any, keyring: Keyring, context: Demanded, threads: int, options: OpenOptions, at: int
) -> SealedReader:
    reader = _open_to_read(path, key, keyring, context, threads, options)
    reader.seek(at)
    return reader
