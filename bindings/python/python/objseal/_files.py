"""Sealed files as files of Python."""

from __future__ import annotations

import codecs
import io
import opcode
import os
import sys
import warnings
from dataclasses import replace
from types import FrameType, TracebackType
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


def _need(place: object, method: str) -> None:
    if not callable(getattr(place, method, None)):
        raise ArgumentError(f"a path, or an object with {method}(), is needed, not {type(place).__name__}")
    if isinstance(place, io.TextIOBase):
        raise ArgumentError("this file is open as text; open it in binary mode")


def source_of(place: Any) -> Any:
    """What the native half reads front to back: a file, or an object with `read`."""
    if _is_path(place):
        return native.InputFile(place)
    _need(place, "read")
    return place


def as_source(place: Any) -> Any:
    """What the native half reads at any offset: a file, an object that can seek, or memory."""
    if isinstance(place, (str, os.PathLike)):
        return native.InputFile(place)
    if hasattr(place, "read"):
        _need(place, "seek")
    return place


def target_of(place: Any, read: Any, mode: int = 0o666) -> Any:
    """What the native half writes to: a file, or an object with `write`.

    A new file gets the mode of the file that is `read`, or `mode` if that is none.
    """
    if _is_path(place):
        given = read.mode if isinstance(read, native.InputFile) else None
        return native.OutputFile(place, False, mode if given is None else given)
    _need(place, "write")
    return place


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


class _RawStreamReader(io.RawIOBase):
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

    def __init__(self, raw: _RawReader | _RawStreamReader) -> None:
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


class _RawWriter(io.RawIOBase):
    """Seals what is written to it. It knows whether all went well, whatever stands around it."""

    def __init__(self, writer: native.Writer) -> None:
        super().__init__()
        self._writer = writer
        self._at = 0
        # What went wrong first: whoever goes on is told the same again.
        self._first_error: BaseException | None = None
        self._aborted = False
        # Whether the one who closes it has said that nothing went wrong.
        self._well = False
        # An exception that was being handled at the start is none of this file's.
        self._handled: _Handled | None = _Handled.now()
        self.info: Info | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        _need_memory(data)
        if self._aborted:
            return memoryview(data).nbytes
        try:
            self.go_on()
            length = self._writer.write(data)
        except BaseException as error:
            self.fail(error)
            raise
        self._at += length
        return length

    def tell(self) -> int:
        return self._at

    def go_on(self) -> None:
        """Raises what went wrong before."""
        if self._first_error is not None and not self._aborted:
            raise self._first_error

    def fail(self, error: BaseException) -> None:
        """From here on there is no going on."""
        if self._first_error is None:
            self._first_error = error

    def abort(self) -> None:
        """From here on nothing is written, and closing leaves no file."""
        self._aborted = True

    def well(self) -> None:
        """Nothing went wrong, whatever exception is being handled when it is closed."""
        self._well = True

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        before, self._handled = self._handled, None
        now = _Handled.now()
        interrupted = now is not None and now.is_another(before) and not (self._aborted or self._well)
        try:
            if interrupted:
                self.abort()
            elif not self._aborted:
                self.go_on()
                self.info = self._writer.finish()
        finally:
            self._writer.abort()
        if interrupted:
            warnings.warn(
                "this file was closed while an exception is being handled, so it was left as it was before; close it after the "
                "except block, or use it in a `with` statement",
                RuntimeWarning,
                stacklevel=3,
            )

    def drop(self, source: object) -> None:
        """It was not closed by anybody who knows whether all was written."""
        if self.closed or self._aborted:
            return
        self.abort()
        if self._writer.is_here:
            warnings.warn(f"{source!r} was not closed, so it is not there", ResourceWarning, stacklevel=3, source=source)

    def _dealloc_warn(self, source: object) -> None:
        # Files of Python that are dropped say this before they close what they stand on.
        self.drop(source)

    def __del__(self) -> None:
        # It may never have been made.
        if hasattr(self, "_writer"):
            try:
                self.drop(self)
            finally:
                self.close()


class _Handled:
    """The exception that is being handled."""

    def __init__(self, error: BaseException) -> None:
        self._error, self._traceback = error, error.__traceback__
        self._exits = 0
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            self._exits += frame.f_code.co_code[frame.f_lasti] == _EXIT
            frame = frame.f_back

    @classmethod
    def now(cls) -> Self | None:
        error = sys.exc_info()[1]
        return None if error is None else cls(error)

    def is_another(self, before: _Handled | None) -> bool:
        """Whether it was raised since, if only again: it has another traceback then, or it ends a `with` statement, where a
        bare `raise` leaves the traceback as it is."""
        return not (
            before is not None
            and self._error is before._error
            and self._traceback is before._traceback
            and self._exits <= before._exits
        )


_EXIT = opcode.opmap.get("WITH_EXCEPT_START")
"""The instruction that ends a `with` statement by an exception. A Python without it tells one case fewer."""


def _need_memory(data: object) -> None:
    with memoryview(data) as view:  # type: ignore[arg-type]
        if not view.c_contiguous:
            raise ArgumentError("the memory of this object is not in one piece; make a contiguous copy of it")


class _AllOrNothing:
    """What a file that is written has in common with one of text: it is there if all went well, and not otherwise."""

    if TYPE_CHECKING:
        closed: bool

    def _raw(self) -> _RawWriter:
        raise NotImplementedError

    @property
    def info(self) -> Info:
        """What is known of the object, once it is closed."""
        known = self._raw().info
        if known is None:
            raise ArgumentError("info is there once the file is closed")
        return known

    def flush(self) -> None:
        raw = self._raw()
        try:
            raw.go_on()
            super().flush()  # type: ignore[misc]
        except BaseException as error:
            raw.fail(error)
            raise

    def abort(self) -> None:
        """Closes the file and leaves a path as it was before."""
        if not self.closed:
            self._raw().abort()
            super().close()  # type: ignore[misc]

    def close(self) -> None:
        if self.closed:
            return
        try:
            self.flush()
        except BaseException:
            self.abort()
            raise
        super().close()  # type: ignore[misc]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            if not self.closed:
                self._raw().well()
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
            try:
                self._raw().drop(self)
            finally:
                self.abort()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        raise TypeError("a file that is being written is not pickled")


class SealedWriter(_AllOrNothing, io.BufferedWriter):
    """A file that is sealed while it is written. `open` makes it.

    Its end is written by `close`. A path is there if everything went well until then: if the body of a `with` statement fails,
    if writing or flushing did, if the file is closed while an exception is being handled that was not when it was opened, or
    dropped without being closed, or if another process closes it than the one that opened it, a path is left as it was before,
    and what was written to a file object does not open.
    """

    def __init__(self, raw: _RawWriter) -> None:
        super().__init__(raw, BUFFER_SIZE)

    def _raw(self) -> _RawWriter:
        return self.raw  # type: ignore[return-value]

    def write(self, data: Any, /) -> int:
        if type(data) is not bytes:
            # Of what is no memory nothing is taken.
            _need_memory(data)
        raw: _RawWriter = self.raw  # type: ignore[assignment]
        try:
            if raw._first_error is not None:
                raw.go_on()
            # What is large and never changes need not go through the buffer, which would copy it.
            if type(data) is bytes and len(data) >= BUFFER_SIZE:
                super().flush()
                return raw.write(data)
            return super().write(data)
        except BaseException as error:
            raw.fail(error)
            raise


class SealedTextWriter(_AllOrNothing, io.TextIOWrapper):
    """A file of text that is sealed while it is written. `open` makes it. It is there or not as a `SealedWriter` is."""

    _byte_order: bytes | None = None

    def _raw(self) -> _RawWriter:
        return self.buffer.raw  # type: ignore[attr-defined, no-any-return]

    def _begin(self) -> None:
        """Says in which order the bytes are. `TextIOWrapper` does so where it can seek alone."""
        encoding = codecs.lookup(self.encoding).name
        self._byte_order = "".encode(encoding) if encoding in ("utf-16", "utf-32") else b""
        self.buffer.write(self._byte_order)

    def write(self, text: str, /) -> int:
        raw = self._raw()
        try:
            raw.go_on()
            if self._byte_order is None and type(text) is str:
                self._begin()
            return super().write(text)
        except (TypeError, UnicodeError):
            # Nothing was taken, or what is below knows why.
            raise
        except BaseException as error:
            raw.fail(error)
            raise


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
        return _open_to_read(file, key, keyring, context, threads, options)  # type: ignore[arg-type]
    if mode.endswith("b"):
        return _open_to_write(file, mode == "xb", sealing(key, keyring, context, options))  # type: ignore[arg-type]
    encoding = io.text_encoding(encoding)
    if mode == "rt":
        reader = _open_to_read(file, key, keyring, context, threads, options)  # type: ignore[arg-type]
        try:
            return SealedTextReader(reader, encoding, errors, newline)
        except BaseException:
            reader.close()
            raise
    writer = _open_to_write(file, mode == "xt", sealing(key, keyring, context, options))  # type: ignore[arg-type]
    try:
        return SealedTextWriter(writer, encoding, errors, newline)
    except BaseException:
        writer.abort()
        raise


def _open_to_write(file: Any, exclusive: bool, how: native.SealOptions) -> SealedWriter:
    if _is_path(file):
        target = native.OutputFile(file, exclusive, 0o666)
    else:
        _need(file, "write")
        target = file
    return SealedWriter(_RawWriter(native.Writer(how, target)))


def _open_to_read(
    file: Any, key: Any, keyring: Keyring | None, context: Demanded, threads: int, options: OpenOptions
) -> SealedReader:
    how = opening(key, keyring, context, options)
    source = source_of(file)
    named = isinstance(source, native.InputFile) and source.named
    seekable = getattr(source, "seekable", False)
    if not (seekable() if callable(seekable) else seekable):
        return SealedReader(_RawStreamReader(native.StreamReader(how, source)))
    reader = SealedReader(_RawReader(native.Reader(how, source), threads))
    if keyring is not None and named:
        # Whoever unpickles it may work in another folder.
        reader._again = (os.path.abspath(os.fspath(file)), key, keyring, context, threads, options)
    return reader


def _open_again(
    path: Any, key: Any, keyring: Keyring, context: Demanded, threads: int, options: OpenOptions, at: int
) -> SealedReader:
    reader = _open_to_read(path, key, keyring, context, threads, options)
    reader.seek(at)
    return reader
