"""flat.py MIB: seals a random stream of so many MiB, opens it again, and looks at the peak of the process's memory."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import threading

import objseal


class Random(io.RawIOBase):
    """A random stream, which remembers its hash."""

    def __init__(self, length: int) -> None:
        self.left, self.hash = length, hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = os.urandom(min(size, self.left))
        self.left -= len(data)
        self.hash.update(data)
        return data


def peak() -> int:
    """In KiB, of this process."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def main() -> None:
    length = int(sys.argv[1]) << 20
    key, source = objseal.Key.generate(), Random(length)
    objseal.unseal(objseal.seal(bytes(1 << 20), key=key), key=key)
    base = peak()
    down, up = os.pipe()
    failures: list[BaseException] = []

    def seal() -> None:
        try:
            with os.fdopen(up, "wb", buffering=0) as pipe:
                objseal.seal_file(source, pipe, key=key, layers=2)
        except BaseException as error:
            failures.append(error)

    worker = threading.Thread(target=seal)
    worker.start()
    opened = hashlib.sha256()
    with os.fdopen(down, "rb") as pipe, objseal.open(pipe, key=key) as file:
        while data := file.read(1 << 20):
            opened.update(data)
    worker.join()
    if failures:
        raise failures[0]
    assert opened.digest() == source.hash.digest()
    print(f"{sys.argv[1]} MiB through a pipe, two layers: peak {peak()} KiB, {peak() - base} KiB above the start")
    sys.exit(peak() - base > 32 * 1024)


if __name__ == "__main__":
    main()
