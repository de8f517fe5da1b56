"""Files of Python that seal what is written to them. They are there if all went well, and not otherwise."""

from __future__ import annotations

import codecs
import io
import opcode
import sys
import threading
import warnings
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _objseal as native
from ._errors import ArgumentError
from ._places import BUFFER_SIZE, is_path, need

if TYPE_CHECKING:
    from typing import Self

    from ._model import Info

Result = TypeVar("Result")


class RawWriter(io.RawIOBase):
    """Seals what is written to it. It knows whether all went well, whatever stands around it."""

    def __init__(self, writer: native.Writer) -> None:
        super().__init__()
        self._writer = writer
        # One thread at a time is in the native half. A handler of signals may come to it once more, and cannot wait.
        self._turn = threading.RLock()
        self._busy = False
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
            length = self._alone(self._writer.write, data)
        except BaseException as error:
            self.fail(error)
            raise
        self._at += length
        return length

    def _alone(self, call: Callable[..., Result], *args: Any) -> Result:
        if not self._writer.is_here:
            # It says so, and who had the turn in the process that this one was forked from does not give it back.
            return call(*args)
        with self._turn:
            if self._busy:
                raise RuntimeError(f"reentrant call inside {self!r}")
            self._busy = True
            try:
                return call(*args)
            finally:
                self._busy = False
                if self.closed:
                    # By whoever came in between.
                    self._writer.abort()

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
                self.info = self._alone(self._writer.finish)
        finally:
            self._alone(self._writer.abort)
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

    def _raw(self) -> RawWriter:
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

    def __init__(self, raw: RawWriter) -> None:
        super().__init__(raw, BUFFER_SIZE)

    def _raw(self) -> RawWriter:
        return self.raw  # type: ignore[return-value]

    def write(self, data: Any, /) -> int:
        if type(data) is not bytes:
            # Of what is no memory nothing is taken.
            _need_memory(data)
        raw: RawWriter = self.raw  # type: ignore[assignment]
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

    def _raw(self) -> RawWriter:
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


def open_to_write(file: Any, exclusive: bool, how: native.SealOptions) -> SealedWriter:
    if is_path(file):
        target = native.OutputFile(file, exclusive, 0o666)
    else:
        need(file, "write")
        target = file
    return SealedWriter(RawWriter(native.Writer(how, target)))
