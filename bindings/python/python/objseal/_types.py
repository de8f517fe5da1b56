"""What arguments can be."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, Protocol, TypeAlias

from ._model import Part
from ._objseal import Key


class _Memory(Protocol):
    def __buffer__(self, flags: int, /) -> memoryview: ...


class _Array(Protocol):
    """NumPy's arrays say `__buffer__` from Python 3.12 on."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


Buffer: TypeAlias = _Memory | _Array
"""Memory: bytes, bytearray, memoryview, mmap, a contiguous NumPy array, a pyarrow buffer."""


class Readable(Protocol):
    """Anything with `read`."""

    def read(self, size: int, /) -> bytes | None: ...


class Writable(Protocol):
    """Anything with `write`, which says how many bytes it took. If it says None it took all, unless it is an `io.RawIOBase`
    or what its `fileno` names does not wait: that took nothing, and is a BlockingIOError."""

    def write(self, data: bytes, /) -> object: ...


class _Any(Enum):
    ANY = "any"

    def __repr__(self) -> str:
        return "objseal.ANY"


ANY: Final = _Any.ANY
"""For `context`: whatever is stored, and nothing bound. The object is then bound to nothing that the caller knows."""


@dataclass(frozen=True)
class Known:
    """For `context`: of the pairs that are bound and not stored these, no more and none less, and whatever is stored.

    For a server that knows where an object is, and not what else its client bound it to.
    """

    bound: Mapping[str, str]


Place: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""A path. One that stands for a descriptor, `/dev/fd/3` or `/dev/stdin` say, is read and written on from where that stands."""
KeyLike: TypeAlias = Key | Buffer
"""A key: a `Key`, or 32 bytes."""
Names: TypeAlias = str | Sequence[str]
"""Names of root keys in a keyring."""
Context: TypeAlias = Mapping[str, str] | str | bytes
"""Public pairs that an object is bound to. Text, or UTF-8 bytes, are short for `{"context": text}`."""
Demanded: TypeAlias = Context | Known | Literal[_Any.ANY]
"""The context that an object must have: all of its pairs, stored or bound, or what `Known` and `ANY` say."""
Callback: TypeAlias = Callable[[int], object]
"""Called with the number of bytes since it was called last: `tqdm.update`, say."""
Store: TypeAlias = Callable[[Part], Readable | Buffer]
"""Gives the stored body of a part: a file object that can seek, or memory."""
