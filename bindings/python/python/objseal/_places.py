"""Where bytes come from, and where they go: paths, objects that are like files, and memory."""

from __future__ import annotations

import io
import os
from typing import Any

from . import _objseal as native
from ._errors import ArgumentError

BUFFER_SIZE = 256 * 1024
"""How much a file of Python keeps between its user and the native half."""


def is_path(place: object) -> bool:
    return isinstance(place, (str, bytes, os.PathLike))


def need(place: object, method: str) -> None:
    if not callable(getattr(place, method, None)):
        raise ArgumentError(f"a path, or an object with {method}(), is needed, not {type(place).__name__}")
    if isinstance(place, io.TextIOBase):
        raise ArgumentError("this file is open as text; open it in binary mode")


def source_of(place: Any) -> Any:
    """What the native half reads front to back: a file, or an object with `read`."""
    if is_path(place):
        return native.InputFile(place)
    need(place, "read")
    return place


def as_source(place: Any) -> Any:
    """What the native half reads at any offset: a file, an object that can seek, or memory."""
    if isinstance(place, (str, os.PathLike)):
        return native.InputFile(place)
    if hasattr(place, "read"):
        need(place, "seek")
    return place


def target_of(place: Any, read: Any, mode: int = 0o666) -> Any:
    """What the native half writes to: a file, or an object with `write`.

    A new file gets the mode of the file that is `read`, or `mode` if that is none.
    """
    if is_path(place):
        given = read.mode if isinstance(read, native.InputFile) else None
        return native.OutputFile(place, False, mode if given is None else given)
    need(place, "write")
    return place
