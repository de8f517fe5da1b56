"""A face of the conformance suite: answers its questions on standard input, as tests/conformance/src/child.rs says."""

import io
import itertools
import struct
import sys
from typing import Any

import objseal


class InPieces(io.RawIOBase):
    """Bytes that are read in pieces, front to back."""

    def __init__(self, data: bytes, lengths: list[int]) -> None:
        self._data, self._at = data, 0
        self._lengths = itertools.cycle(lengths)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._data[self._at : self._at + min(len(buffer), next(self._lengths))]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def seal(key: bytes, layers: int, lengths: list[int], data: bytes) -> bytes:
    target = io.BytesIO()
    with objseal.open(target, "wb", key=key, layers=layers) as file:
        at = 0
        for length in itertools.cycle(lengths):
            if at >= len(data):
                break
            file.write(data[at : at + length])
            at += length
    return target.getvalue()


def unseal(key: bytes, lengths: list[int], data: bytes) -> bytes:
    with objseal.open(InPieces(data, lengths), key=key) as file:
        return file.read()


def unseal_range(key: bytes, data: bytes, start: int, end: int) -> bytes:
    with objseal.open(io.BytesIO(data), key=key) as file:
        file.seek(start)
        found = file.read(end - start)
    if len(found) < end - start:
        raise ValueError("beyond the end")
    return found


def answer(what: int, layers: int, key: bytes, lengths: list[int], start: int, end: int, data: bytes) -> tuple[int, bytes]:
    try:
        if what == 1:
            return 0, seal(key, layers, lengths, data)
        if what == 2:
            return 0, unseal(key, lengths, data)
        return 0, unseal_range(key, data, start, end)
    except objseal.AuthenticationError as error:
        return 1, str(error).encode()
    except objseal.FormatError as error:
        return 2, str(error).encode()
    except Exception as error:
        return 3, repr(error).encode()


def main() -> None:
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := questions.read(38):
        what, layers, key, count = struct.unpack(">BB32sI", head)
        lengths = list(struct.unpack(f">{count}I", questions.read(4 * count)))
        start, end, length = struct.unpack(">QQQ", questions.read(24))
        outcome, data = answer(what, layers, key, lengths, start, end, questions.read(length))
        answers.write(struct.pack(">BQ", outcome, len(data)) + data)
        answers.flush()


main()
