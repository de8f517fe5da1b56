"""Sealed files as files of Python."""

from __future__ import annotations

import gc
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pandas
import pyarrow
import pyarrow.parquet
import pytest
from conftest import SIZES, plain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tqdm import tqdm

import objseal


@pytest.mark.parametrize("layers", [1, 2])
def test_every_size_goes_through_a_file(key: objseal.Key, tmp_path: Path, layers: int) -> None:
    path = tmp_path / "sealed"
    for size in SIZES:
        data = plain(size)
        with objseal.open(path, "wb", key=key, layers=layers, digests=["sha256"]) as file:
            for at in range(0, size, 70_001):
                assert file.write(data[at : at + 70_001]) == len(data[at : at + 70_001])
        assert file.info.length == size and len(file.info.digests["sha256"]) == 32
        assert path.stat().st_size == objseal.sealed_len(size, key=key, layers=layers, digests=["sha256"])
        with objseal.open(path, key=key, threads=2) as opened:
            assert opened.read() == data
            assert opened.info.length == size and len(opened.info.engines) == layers
        assert objseal.unseal(path.read_bytes(), key=key) == data
        # What cannot seek.
        with objseal.open(OnlyRead(path.read_bytes()), key=key) as stream:
            assert not stream.seekable()
            assert stream.read() == data
            assert stream.info.length == size


class OnlyRead:
    """Has nothing but `read`, and gives little at a time."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, 50_000))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 300_000), max_size=6), st.lists(st.integers(0, 300_000), max_size=8), st.integers(1, 2))
def test_any_split_gives_the_same(key: objseal.Key, writes: list[int], reads: list[int], layers: int) -> None:
    data, stored, at = plain(sum(writes)), io.BytesIO(), 0
    with objseal.open(stored, "wb", key=key, layers=layers) as file:
        for length in writes:
            file.write(data[at : at + length])
            at += length
    for source in (io.BytesIO(stored.getvalue()), OnlyRead(stored.getvalue())):
        at = 0
        with objseal.open(source, key=key) as opened:
            for length in reads:
                assert opened.read(length) == data[at : at + length]
                at += length
            assert opened.read() == data[at:]


def test_it_is_a_file(key: objseal.Key, tmp_path: Path) -> None:
    path, data = tmp_path / "sealed", plain(300_000)
    with objseal.open(path, "xb", key=key) as file:
        assert isinstance(file, io.BufferedIOBase) and isinstance(file.raw, io.RawIOBase)
        assert file.writable() and not file.readable() and not file.seekable()
        shutil.copyfileobj(io.BytesIO(data), file)
    with pytest.raises(FileExistsError):
        objseal.open(path, "xb", key=key)
    with objseal.open(path, key=key) as opened:
        assert opened.readable() and opened.seekable() and not opened.writable()
        assert opened.seek(-5, io.SEEK_END) == 299_995 and opened.tell() == 299_995
        assert opened.read(100) == data[-5:] and opened.read() == b""
        assert opened.seek(400_000) == 400_000 and opened.read(5) == b""
        with pytest.raises(OSError):
            opened.seek(-1)
        opened.seek(10)
        assert opened.peek(1)[:1] == data[10:11]
        room = bytearray(20)
        assert opened.readinto(room) == 20 and room == data[10:30]
        assert opened.raw.tell() >= 30
        out = io.BytesIO()
        opened.seek(0)
        shutil.copyfileobj(opened, out)
        assert out.getvalue() == data
    with pytest.raises(ValueError, match="closed"):
        opened.read()
    lines = "".join(f"line {n}\n" for n in range(10_000))
    with io.TextIOWrapper(objseal.open(path, "wb", key=key), encoding="utf-8") as text:
        text.write(lines)
    with io.TextIOWrapper(objseal.open(path, key=key), encoding="utf-8") as text:
        assert list(text)[9_999] == "line 9999\n"


def test_others_use_it(keyring: objseal.Keyring, tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    how: Any = {"keyring": keyring, "key": "photos", "context": {"name": "x"}}
    frame = pandas.DataFrame({"a": numpy.arange(50_000), "b": numpy.random.default_rng(1).random(50_000)})
    with objseal.open(path, "wb", **how) as file:
        frame.to_parquet(file)
    with objseal.open(path, **how) as opened:
        pandas.testing.assert_frame_equal(pandas.read_parquet(opened), frame)
    with objseal.open(path, **how) as opened:
        table = pyarrow.parquet.ParquetFile(pyarrow.PythonFile(opened, mode="r"))
        assert table.read(columns=["a"]).column("a").to_pylist() == list(range(50_000))
    with objseal.open(path, "wb", **how) as file, tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("entry")
        entry.size = 100_000
        tar.addfile(entry, io.BytesIO(plain(100_000)))
    with objseal.open(path, **how) as opened, tarfile.open(fileobj=opened) as tar:
        member = tar.extractfile("entry")
        assert member is not None and member.read() == plain(100_000)
    with objseal.open(path, "wb", **how) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("entry", plain(100_000))
    with objseal.open(path, **how) as opened, zipfile.ZipFile(opened) as archive:
        assert archive.read("entry") == plain(100_000)


def test_a_path_changes_all_at_once(key: objseal.Key, tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(b"before")
    path.chmod(0o640)
    file = objseal.open(path, "wb", key=key)
    file.write(plain(600_000))
    assert path.read_bytes() == b"before"
    file.close()
    file.close()
    assert path.stat().st_mode & 0o777 == 0o640, "as the file before"
    sealed = path.read_bytes()
    with pytest.raises(RuntimeError), objseal.open(path, "wb", key=key) as file:
        file.write(plain(600_000))
        raise RuntimeError
    assert path.read_bytes() == sealed
    file = objseal.open(path, "wb", key=key)
    file.write(b"lost")
    with pytest.warns(ResourceWarning, match="was not closed"):
        del file
        gc.collect()
    file = objseal.open(path, "wb", key=key)
    file.abort()
    assert path.read_bytes() == sealed
    assert [entry.name for entry in tmp_path.iterdir()] == ["sealed"], "nothing is left behind"
    link = tmp_path / "link"
    link.symlink_to(path)
    with objseal.open(link, "wb", key=key) as file:
        file.write(b"through the link")
    assert link.is_symlink() and objseal.unseal(path.read_bytes(), key=key) == b"through the link"
    old = os.umask(0o027)
    try:
        with objseal.open(tmp_path / "new", "wb", key=key):
            pass
    finally:
        os.umask(old)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def descriptors_in(folder: Path) -> list[str]:
    """The descriptors of this process for files in `folder`."""
    entries = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return [entry for entry in entries if os.path.lexists(entry) and os.readlink(entry).startswith(f"{folder}/")]


def test_files_are_private_until_they_are_whole(key: objseal.Key, tmp_path: Path) -> None:
    def mode(path: Path) -> int:
        return path.stat().st_mode & 0o777

    def private() -> None:
        """One file is begun: it has no name, or one of its own."""
        begun = [mode(Path(entry)) for entry in descriptors_in(tmp_path) if is_begun(os.readlink(entry))]
        assert begun == [0o600]

    def is_begun(path: str) -> bool:
        return path.endswith(" (deleted)") or "/.objseal-" in path

    class Private(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            private()
            return super().read(size)

    plaintext, sealed, opened = (tmp_path / name for name in ("plain", "sealed", "opened"))
    plaintext.write_bytes(plain(100_000))
    old = os.umask(0o022)
    try:
        with objseal.open(sealed, "wb", key=key) as file:
            private()
            file.write(b"x")
        assert mode(sealed) == 0o644, "what the umask leaves"
        with objseal.open(tmp_path / "exclusive", "xb", key=key):
            private()
        assert mode(tmp_path / "exclusive") == 0o644
        for source, target in ((0o640, 0o640), (0o666, 0o644), (0o600, 0o600)):
            for make, read, write in ((objseal.seal_file, plaintext, sealed), (objseal.unseal_file, sealed, opened)):
                write.unlink(missing_ok=True)
                read.chmod(source)
                make(read, write, key=key)
                assert mode(write) == target, "that of the source, within the umask"
        assert opened.read_bytes() == plain(100_000)
        for there in (0o604, 0o666):
            for make, read, write in ((objseal.seal_file, plaintext, sealed), (objseal.unseal_file, sealed, opened)):
                write.chmod(there)
                make(Private(read.read_bytes()), write, key=key)
                assert mode(write) == there, "that of the file before"
        stored = sealed.read_bytes()
        opened.unlink()
        sealed.unlink()
        objseal.unseal_file(Private(stored), opened, key=key)
        objseal.seal_file(Private(b"x"), sealed, key=key)
        assert (mode(opened), mode(sealed)) == (0o600, 0o644), "plaintext is for its owner, as long as nothing says more"
        upload = objseal.parts.Upload.start(key=key, server_key=key, place={})
        upload.seal_part_file(1, Private(b"x"), tmp_path / "part")
        objseal.envelope.seal_file(Private(b"x"), tmp_path / "body", key=key)
        assert (mode(tmp_path / "part"), mode(tmp_path / "body")) == (0o644, 0o644)
    finally:
        os.umask(old)
    assert not list(tmp_path.glob(".*"))


def test_file_objects_stay_open(key: objseal.Key) -> None:
    inner = io.BytesIO(b"kept")
    inner.seek(4)
    with objseal.open(inner, "wb", key=key) as file:
        file.write(b"the plaintext")
    assert not inner.closed
    with pytest.raises(RuntimeError), objseal.open(io.BytesIO(), "wb", key=key):
        raise RuntimeError
    inner.seek(4)
    with objseal.open(inner, key=key) as opened:
        assert opened.read() == b"the plaintext", "it begins where the file object stands"
    assert not inner.closed


def test_failures_of_others_come_through(key: objseal.Key, tmp_path: Path) -> None:
    class Broken(io.RawIOBase):
        def __init__(self, left: int) -> None:
            self.left = left

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1, /) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise LookupError("no more")
            return bytes(size)

        def write(self, data: Any, /) -> int:
            self.left -= 1
            if self.left < 0:
                raise LookupError("full")
            return len(data)

    with pytest.raises(LookupError, match="no more"):
        objseal.seal_file(Broken(3), io.BytesIO(), key=key)
    with pytest.raises(LookupError, match="full"):
        objseal.seal_file(io.BytesIO(plain(3_000_000)), Broken(2), key=key)
    with pytest.raises(LookupError, match="full"), objseal.open(Broken(2), "wb", key=key) as file:
        file.write(plain(3_000_000))
    with pytest.raises(LookupError, match="no more"):
        objseal.open(Broken(0), key=key)
    with pytest.raises(FileNotFoundError):
        objseal.open(tmp_path / "nothing", key=key)
    with pytest.raises(IsADirectoryError):
        objseal.open(tmp_path, "wb", key=key)
    with pytest.raises(FileNotFoundError):
        objseal.open(tmp_path / "no" / "folder", "wb", key=key)
    refused: list[tuple[Any, str, str]] = [
        (io.StringIO(), "wb", "binary mode"),
        (5.0, "rb", "read"),
        ("x", "r", "mode='r'"),
        ("x", "ab", "mode='ab'"),
    ]
    for place, mode, words in refused:
        with pytest.raises(objseal.ArgumentError, match=words):
            objseal.open(place, mode, key=key)  # type: ignore[call-overload]
    with pytest.raises(OSError):
        objseal.seal_file(io.BytesIO(plain(3_000_000)), "/dev/full", key=key)
    assert os.path.exists("/dev/full")


def test_what_was_changed_is_refused(key: objseal.Key, tmp_path: Path) -> None:
    path, data = tmp_path / "sealed", plain(1_000_000)
    objseal.seal_file(io.BytesIO(data), path, key=key)
    sealed = path.read_bytes()
    changed = bytearray(sealed)
    changed[500_000] ^= 1
    with objseal.open(io.BytesIO(changed), key=key) as file:
        assert file.read(300_000) == data[:300_000]
        file.seek(480_000)
        with pytest.raises(objseal.AuthenticationError):
            file.read(40_000)
        file.seek(600_000)
        assert file.read(1_000) == data[600_000:601_000]
    with objseal.open(OnlyRead(bytes(changed)), key=key) as file:
        assert file.read(200_000) == data[:200_000]
        for size in (-1, 1, 1):
            with pytest.raises(objseal.AuthenticationError):
                file.read(size)
    out = tmp_path / "out"
    with pytest.raises(objseal.AuthenticationError):
        objseal.unseal_file(io.BytesIO(changed), out, key=key)
    with pytest.raises(objseal.AuthenticationError):
        objseal.unseal_file(io.BytesIO(sealed[:-1]), out, key=key)
    assert not out.exists()
    with pytest.raises(objseal.AuthenticationError):
        objseal.open(io.BytesIO(sealed[:700_000]), key=key)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_first_error_of_a_stream_stays(key: objseal.Key, layers: int) -> None:
    data = plain(1_000_000)
    sealed = objseal.seal(data, key=key, layers=layers)
    changed = bytearray(sealed)
    changed[500_000] ^= 1
    gone = LookupError("gone")

    class EndsBadly(OnlyRead):
        """Raises where the data ends, and from then on has all of it again."""

        def read(self, size: int, /) -> bytes:
            found = super().read(size)
            if not found:
                self._file.seek(0)
                raise gone
            return found

    # Changed: it is told when it is found, whatever the source says behind it.
    for read in (lambda file: file.read(), lambda file: [file.read(10_000) for _ in range(100)]):
        with objseal.open(EndsBadly(bytes(changed[:560_000])), key=key) as file:
            for again in (read, lambda file: file.read(1), read, lambda file: file.read1(), lambda file: file.raw.read(1)):
                with pytest.raises(objseal.AuthenticationError):
                    again(file)
    # Cut short: the end is never a clean one.
    with objseal.open(OnlyRead(sealed[:-1]), key=key) as file:
        for size in (-1, 1, -1):
            with pytest.raises(objseal.AuthenticationError):
                file.read(size)
    # Through a pipe, which is a file of the operating system or an object.
    for opens in (lambda pipe: f"/dev/fd/{pipe.fileno()}", lambda pipe: pipe):
        small = bytearray(objseal.seal(plain(40_000), key=key, layers=layers))
        small[-5_000] ^= 1
        down, up = os.pipe()
        os.write(up, small)
        os.close(up)
        with os.fdopen(down, "rb") as pipe, objseal.open(opens(pipe), key=key) as file:
            for size in (40_000, 1, -1):
                with pytest.raises(objseal.AuthenticationError):
                    file.read(size)
    # What the source says stays, too.
    with objseal.open(EndsBadly(sealed[:500_000]), key=key) as file:
        for size in (-1, 1, -1):
            with pytest.raises(LookupError, match="gone"):
                file.read(size)
        with pytest.raises(ValueError, match="closed"):
            file.close()
            file.raw.read(1)


def test_a_pipe_without_data_and_signals(key: objseal.Key) -> None:
    sealed = objseal.seal(plain(100_000), key=key)
    down, up = os.pipe()
    calls: list[int] = []

    def more(*_: object) -> None:
        calls.append(os.write(up, sealed[60_000:]))
        os.close(up)

    before = signal.signal(signal.SIGALRM, more)
    try:
        with os.fdopen(down, "rb", buffering=0) as pipe:
            os.write(up, sealed[:60_000])
            with objseal.open(f"/dev/fd/{pipe.fileno()}", key=key) as file:
                assert file.read(10_000) == plain(100_000)[:10_000]
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                assert file.read() == plain(100_000)[10_000:]
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(calls) == 1


def test_the_first_error_of_a_writer_stays(key: objseal.Key, tmp_path: Path) -> None:
    class Full(io.RawIOBase):
        left = 2

        def write(self, data: Any, /) -> int:
            self.left -= 1
            if self.left == 0:
                raise LookupError("full")
            return len(data)

    for size in (300_000, 1_000):
        file = objseal.open(Full(), "wb", key=key)
        with pytest.raises(LookupError, match="full"):
            while True:
                file.write(plain(size))
        for _ in range(2):
            with pytest.raises(LookupError, match="full"):
                file.write(plain(300_000))
        with pytest.raises(LookupError, match="full"):
            file.close()
        assert file.closed
        file.close()
    with pytest.raises(OSError, match="No space") as caught, objseal.open("/dev/full", "wb", key=key) as file:
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                file.write(plain(300_000))
    assert caught.value.__context__ is None


class Switches(io.BytesIO):
    """A file that has other bytes when the same ones are read again."""

    def __init__(self, first: bytes, then: bytes) -> None:
        super().__init__(first)
        self._then, self._seen = then, bytearray(len(first))

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        found = bytearray(super().read(size))
        for at in range(len(found)):
            if self._seen[start + at]:
                found[at] = self._then[start + at]
        self._seen[start : start + len(found)] = b"x" * len(found)
        return bytes(found)


def test_what_is_read_twice_is_verified_twice(keyring: objseal.Keyring, tmp_path: Path) -> None:
    data = plain(100_000)
    mine = objseal.seal(data, keyring=keyring, key="photos", context={"name": "mine"})
    other = objseal.seal(bytes(100_000), keyring=keyring, key="server", context={"name": "other"})
    assert objseal.inspect(Switches(mine, other)).context == {"name": "mine"}
    info = objseal.unseal_file(Switches(mine, other), io.BytesIO(), keyring=keyring, context={"name": "mine"})
    assert info.context == {"name": "mine"} and info.keys[0].key_id == "photos"
    with objseal.open(Switches(mine, other), keyring=keyring, context={"name": "mine"}) as file:
        assert file.info.object_id == objseal.inspect(mine).object_id
        file.seek(30_000)
        assert file.raw.read(100) == data[30_000:30_100]
        file.seek(30_000)
        with pytest.raises(objseal.AuthenticationError):
            file.raw.read(100)

    # What a rewrap decides on is what it verified; if that is not there any more, nothing is written.
    path = tmp_path / "sealed"
    path.write_bytes(mine)
    opening = objseal._options.opening(None, keyring, {"name": "mine"}, {})
    seen: list[objseal.Facts] = []

    def decide(verified: objseal.Facts) -> Any:
        seen.append(verified)
        path.write_bytes(other)
        return objseal._options.resealing(verified, None, keyring, None, {})

    with pytest.raises(OSError, match="changed meanwhile") as caught:
        objseal._objseal.rewrap(opening, decide, path)
    assert caught.value.filename == str(path)
    assert seen[0].context == {"name": "mine"} and path.read_bytes() == other


def test_exceptions_of_a_source_come_through(key: objseal.Key) -> None:
    data = plain(100_000)

    class Interrupted(io.BytesIO):
        fail = False

        def read(self, size: int | None = -1, /) -> bytes:
            if self.fail:
                self.fail = False
                raise KeyboardInterrupt
            return super().read(size)

    source = Interrupted(objseal.seal(data, key=key))
    with objseal.open(source, key=key) as file:
        source.fail = True
        with pytest.raises(KeyboardInterrupt):
            file.read(10)
        assert file.read(10) == data[:10]


def test_sources_that_shrink_or_lie(key: objseal.Key, tmp_path: Path) -> None:
    path, sealed = tmp_path / "plain", tmp_path / "sealed"
    path.write_bytes(plain(3_000_000))

    class Shrinks(io.FileIO):
        def __init__(self) -> None:
            super().__init__(path)
            self.seen = b""

        def read(self, size: int | None = -1, /) -> bytes:
            found = super().read(size) or b""
            self.seen += found
            os.truncate(path, 1_500_000)
            return found

    with Shrinks() as source:
        info = objseal.seal_file(source, sealed, key=key, digests=["md5"])
        assert info.length == len(source.seen) == 1_500_000
        assert objseal.unseal(sealed.read_bytes(), key=key) == source.seen

    class Lies:
        """Says that it has given more, or nothing, or something else than bytes."""

        def __init__(self, *answers: Any) -> None:
            self.answers = iter(answers)

        def read(self, size: int, /) -> Any:
            return next(self.answers, b"")

    before = sealed.read_bytes()
    for answers, kind in ((bytes(8 << 20), objseal.ArgumentError), (None, BlockingIOError), ("text", TypeError)):
        with pytest.raises(kind):
            objseal.seal_file(Lies(b"x", answers), sealed, key=key)
    assert sealed.read_bytes() == before and len(list(tmp_path.iterdir())) == 2
    objseal.seal_file(Lies(b"some", b"", b"more"), sealed, key=key)
    assert objseal.unseal(sealed.read_bytes(), key=key) in (b"some", b"somemore")


def test_pickling(keyring: objseal.Keyring, key: objseal.Key, tmp_path: Path) -> None:
    path, data = tmp_path / "sealed", plain(100_000)
    with objseal.open(path, "wb", keyring=keyring, key="photos", context="c") as file:
        file.write(data)
        with pytest.raises(TypeError):
            pickle.dumps(file)
    with objseal.open(path, keyring=keyring, context="c") as opened:
        opened.seek(50_000)
        stored = pickle.dumps(opened)
    with pickle.loads(stored) as again:
        assert again.read() == data[50_000:]
    assert not any(secret in stored for secret in keys_in(keyring.path)), "by reference"
    before = path.read_bytes()
    with objseal.open(path, "wb", keyring=keyring, key="photos", context="c") as file:
        file.write(data)
    with pytest.raises(objseal.PolicyError, match="object id"):
        pickle.loads(stored)
    path.write_bytes(before)
    objseal.rewrap(path, keyring=keyring, context="c")
    with pickle.loads(pickle.dumps(pickle.loads(stored))) as again:
        assert again.read() == data[50_000:], "the same object"
    again_ring = pickle.loads(pickle.dumps(keyring))
    assert again_ring.keys() == keyring.keys()
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)
    single = tmp_path / "single"
    objseal.seal_file(io.BytesIO(data), single, key=key)
    with objseal.open(single, key=key) as by_key, pytest.raises(TypeError):
        pickle.dumps(by_key)
    with objseal.open(io.BytesIO(path.read_bytes()), keyring=keyring, context="c") as of_object:
        with pytest.raises(TypeError):
            pickle.dumps(of_object)
    keyring.protect("correct horse")
    with pytest.raises(TypeError, match="passphrase"):
        pickle.dumps(keyring)


def keys_in(path: Path) -> list[bytes]:
    """The secrets in the text of a keyring."""
    words = path.read_text().split()
    return [word.encode() for word in words if len(word) >= 40]


def test_secrets_are_not_shown(keyring: objseal.Keyring) -> None:
    raw = plain(32)
    key = objseal.Key(raw)
    assert key.expose_secret() == raw and objseal.Key(bytearray(raw)).expose_secret() == raw
    for shown in (repr(key), str(key), f"{key}", repr(keyring)):
        assert raw.hex() not in shown and "objseal" in shown
    assert keys_in(keyring.path) and not any(secret.decode() in repr(keyring) for secret in keys_in(keyring.path))


def test_keyrings(tmp_path: Path) -> None:
    path = tmp_path / "keyring"
    keyring = objseal.Keyring.create(path, "a", passphrase="correct horse")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(objseal.KeyringError, match="a file at"):
        objseal.Keyring.create(path)
    with pytest.raises(objseal.KeyringError, match="passphrase"):
        objseal.Keyring(path)
    with pytest.raises(objseal.KeyringError, match="wrong passphrase"):
        objseal.Keyring(path, passphrase="no")
    other = objseal.Keyring(path, passphrase="correct horse")
    sealed = objseal.seal(b"x", keyring=keyring, key="a")
    assert keyring.rotate("a") == 2 and other.keys() == {"a": 1}
    newer = objseal.seal(b"y", keyring=keyring, key="a")
    with pytest.raises(objseal.KeyNotFound):
        objseal.unseal(newer, keyring=other)
    other.reload()
    assert objseal.unseal(newer, keyring=other) == b"y" and objseal.unseal(sealed, keyring=other) == b"x"
    keyring.add("b")
    with pytest.raises(objseal.KeyringError, match="already"):
        keyring.add("b")
    with pytest.raises(objseal.KeyNotFound):
        keyring.rotate("c")
    with pytest.raises(objseal.KeyringError, match="1 to 64 letters"):
        keyring.add("a b")
    keyring.protect(None)
    assert objseal.Keyring(path).keys() == {"a": 2, "b": 1}
    with pytest.raises(objseal.KeyringError, match="not protected"):
        objseal.Keyring(path, passphrase="correct horse")
    path.chmod(0o644)
    with pytest.raises(objseal.KeyringError, match="other users"):
        objseal.Keyring(path)
    with pytest.raises(FileNotFoundError):
        objseal.Keyring(tmp_path / "none")


def test_rewrap(keyring: objseal.Keyring, tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    objseal.seal_file(io.BytesIO(b"plain"), path, keyring=keyring, key="photos", context="a", layers=2)
    body = path.read_bytes()[8_192:]
    facts = objseal.rewrap(path, keyring=keyring, context="a", new_key="server")
    assert facts.generation == 2 and facts.context == {"context": "a"}
    assert [key.key_id for key in facts.keys] == ["server", "photos"], "the outer one was not named"
    objseal.rewrap(path, keyring=keyring, context="a", new_key="photos", outer_key="outer", new_context="b")
    with pytest.raises(objseal.PolicyError):
        objseal.rewrap(path, keyring=keyring, context="a", new_key="photos")
    before = path.read_bytes()
    with pytest.raises(objseal.KeyNotFound):
        objseal.rewrap(path, keyring=keyring, context="b", new_key="nobody")
    with pytest.raises(objseal.ArgumentError, match="2 layers, and keys were given for 1"):
        objseal.rewrap(path, keyring=keyring, context="b", new_key="photos", layers=1)
    assert path.read_bytes() == before and before[8_192:] == body, "no data moved"
    with objseal.open(path, keyring=keyring, context="b") as file:
        assert file.read() == b"plain" and file.info.generation == 3


def test_rewrap_keeps_who_can_open(keyring: objseal.Keyring, tmp_path: Path) -> None:
    def keys(facts: objseal.Facts) -> list[tuple[int, str, int]]:
        return [(key.layer, key.key_id, key.version) for key in facts.keys]

    path = tmp_path / "sealed"
    how: Any = {"keyring": keyring, "context": {"a": "b", "at": "here"}}
    objseal.seal_file(
        io.BytesIO(b"plain"), path, keyring=keyring, key=["photos", "server"], outer_key=["outer", "server"], layers=2,
        context={"a": "b"}, bound={"at": "here"},
    )
    keyring.rotate("photos")
    keyring.rotate("outer")
    facts = objseal.rewrap(path, **how)
    assert keys(facts) == [(1, "photos", 2), (1, "server", 1), (2, "outer", 2), (2, "server", 1)]
    assert facts.context == how["context"] and facts.bound_keys == ["at"] and objseal.inspect(path).context == {"a": "b"}
    assert keys(objseal.rewrap(path, key="server", **how)) == keys(facts), "opened by one of them, and sealed under all"
    facts = objseal.rewrap(path, outer_key="outer", **how)
    assert keys(facts) == [(1, "photos", 2), (1, "server", 1), (2, "outer", 2)]
    facts = objseal.rewrap(path, new_key="server", bound={"at": "there"}, new_context={}, **how)
    assert keys(facts) == [(1, "server", 1), (2, "outer", 2)]
    assert objseal.unseal(path.read_bytes(), keyring=keyring, context={"at": "there"}) == b"plain"
    assert objseal.unseal(path.read_bytes(), keyring=keyring, context=objseal.Known({"at": "there"})) == b"plain"

    # The inner layer opens with it, but the recipient of the outer one is not there.
    before, less = path.read_bytes(), objseal.Keyring.create(tmp_path / "less", "server")
    with pytest.raises(objseal.KeyNotFound, match="'outer' of 'keyring', version 2, .* layer 2 .* cannot be kept") as caught:
        objseal.rewrap(path, keyring=keyring, context={"at": "there"}, new_keyring=less)
    assert caught.value.wanted == (("keyring", "outer", 2),) and path.read_bytes() == before

    less.add("outer")
    with pytest.raises(objseal.KeyNotFound, match="'outer' of 'keyring', version 2"):
        objseal.rewrap(path, keyring=keyring, context={"at": "there"}, new_keyring=less)

    single = objseal.Key.generate()
    objseal.seal_file(io.BytesIO(b"plain"), path, key=single, layers=2)
    assert objseal.rewrap(path, key=single, new_context="c").generation == 2
    assert objseal.unseal(path.read_bytes(), key=single, context="c") == b"plain"
    with pytest.raises(objseal.KeyNotFound, match="'key' of 'single-key', version 1, .* layer 1 .* cannot be kept"):
        objseal.rewrap(path, key=single, context="c", new_keyring=keyring)
    assert keys(objseal.rewrap(path, key=single, context="c", new_keyring=keyring, new_key="photos", outer_key="outer")) == [
        (1, "photos", 2), (2, "outer", 2),
    ]
    assert keys(objseal.rewrap(path, keyring=keyring, context="c", new_key=single)) == [(1, "key", 1), (2, "key", 1)]
    assert objseal.unseal(path.read_bytes(), key=single, context="c") == b"plain"


def test_progress_and_ctrl_c(key: objseal.Key, tmp_path: Path) -> None:
    data = plain(30_000_000)
    seen: list[int] = []
    source = tmp_path / "plain"
    source.write_bytes(data)
    info = objseal.seal_file(source, tmp_path / "sealed", key=key, callback=seen.append)
    assert sum(seen) == len(data) == info.length and all(step > 0 for step in seen)
    seen.clear()
    objseal.unseal_file(tmp_path / "sealed", tmp_path / "again", key=key, callback=seen.append)
    assert sum(seen) == (tmp_path / "sealed").stat().st_size
    assert (tmp_path / "again").read_bytes() == data

    with tqdm(total=len(data), disable=True) as bar:
        objseal.seal_file(source, "/dev/null", key=key, callback=bar.update)

    class Long(io.RawIOBase):
        left = 8 << 30

        def read(self, size: int = -1, /) -> bytes:
            self.left -= size
            return bytes(size if self.left > 0 else 0)

    def stop(done: int) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        objseal.seal_file(Long(), tmp_path / "never", key=key, callback=stop)
    # Whoever runs the tests may have the signal ignored, as a shell does for what it starts in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        objseal.seal_file(Long(), tmp_path / "never", key=key)
    signal.signal(signal.SIGINT, before)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["again", "plain", "sealed"]


def test_many_threads_use_the_same(key: objseal.Key, tmp_path: Path) -> None:
    path, data = tmp_path / "sealed", plain(2_000_000)
    objseal.seal_file(io.BytesIO(data), path, key=key)
    failures: list[BaseException] = []
    file = objseal.open(path, key=key)
    reader = file.raw._reader  # type: ignore[attr-defined]
    sealer = objseal.cobblestone.Sealer(key)

    def work(seed: int) -> None:
        try:
            for at in range(seed, 1_500_000, 200_003):
                room = bytearray(100_000)
                assert reader.readinto_at(at, room, 2) == 100_000 and room == data[at : at + 100_000]
                sealed = objseal.seal(data[at : at + 1_000], key=key, threads=2)
                assert objseal.unseal(sealed, key=key) == data[at : at + 1_000]
                sealer.update(data[at : at + 1_000])
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


def test_input_that_changes_meanwhile(key: objseal.Key) -> None:
    data = bytearray(plain(4_000_000))
    message = bytearray(objseal.cobblestone.seal(key, bytes(data)))
    ended = threading.Event()

    def change() -> None:
        at = 0
        while not ended.is_set():
            at = (at + 4_099) % 3_000_000
            data[at] ^= 1
            message[at + 100] ^= 1
            message[at + 100] ^= 1

    worker = threading.Thread(target=change)
    worker.start()
    try:
        for _ in range(30):
            # Whatever it sealed opens: each chunk was looked at once.
            assert len(objseal.cobblestone.open(key, objseal.cobblestone.seal(key, data, threads=2))) == 4_000_000
            assert len(objseal.unseal(objseal.seal(data, key=key), key=key)) == 4_000_000
            assert len(objseal.unseal(objseal.seal(data, key=key, digests=["crc32"]), key=key)) == 4_000_000
            try:
                assert len(objseal.cobblestone.open(key, message, threads=2)) == 4_000_000
            except objseal.AuthenticationError:
                pass
    finally:
        ended.set()
        worker.join()


FORK = """
import multiprocessing, os, sys, objseal
key = objseal.Key.generate()
data = os.urandom(3_000_000)
before = objseal.seal(data, key=key, threads=2)
sealer = objseal.cobblestone.Sealer(key)
def child(n):
    assert objseal.unseal(before, key=key, threads=2) == data
    sealed = objseal.seal(data, key=key, threads=2)
    assert objseal.unseal(sealed, key=key, threads=2) == data
    return sealed[:9000]
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        heads = pool.map(child, range(6))
    heads.append(child(0))
    pid = os.fork()
    if pid == 0:
        os._exit(0 if child(0) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(set(heads)) == 7, "no two objects are alike"
    print("forked")
"""


def test_fork(tmp_path: Path) -> None:
    script = tmp_path / "forks.py"
    script.write_text(FORK)
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert (ran.stdout, ran.returncode) == ("forked\n", 0), ran.stderr


def test_memory_is_flat(tmp_path: Path) -> None:
    """As the kernel counts it; `.ci/long` does the same with 10 GiB."""
    script = Path(__file__).parent / "flat.py"
    ran = subprocess.run([sys.executable, script, "256"], capture_output=True, text=True, check=False)
    print(ran.stdout, end="")
    assert ran.returncode == 0, ran.stdout + ran.stderr
