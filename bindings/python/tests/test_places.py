"""Paths, descriptors and file objects: where bytes come from and where they go, and what is said if they do not."""

from __future__ import annotations

import errno
import gc
import io
import os
import pickle
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import plain

import objseal
from objseal import envelope, parts


def python(script: str, *arguments: Any, **how: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **how)


# Sinks that are objects.


class Sink:
    """Like a file, and nothing more."""

    def __init__(self, answer: Callable[[int], Any]) -> None:
        self.taken, self.answer = bytearray(), answer

    def write(self, data: bytes, /) -> Any:
        said = self.answer(len(data))
        took = said if isinstance(said, int) and 0 <= said <= len(data) else len(data)
        self.taken += data[:took]
        return said


class RawSink(Sink, io.RawIOBase):  # type: ignore[misc]
    """Says None when it would have to wait, as raw files do."""


class NonBlocking(Sink):
    """The same, by the mode of what it writes to."""

    def __init__(self, answer: Callable[[int], Any], descriptor: int) -> None:
        super().__init__(answer)
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor


def sealed_to(sink: Any, data: bytes, key: objseal.Key, way: str) -> None:
    if way == "seal_file":
        objseal.seal_file(io.BytesIO(data), sink, key=key)
    elif way == "envelope":
        envelope.seal_file(io.BytesIO(data), sink, key=key)
    elif way == "part":
        parts.Upload.start(key=key, server_key=key, place={}).seal_part_file(1, io.BytesIO(data), sink)
    elif way == "unseal_file":
        objseal.unseal_file(io.BytesIO(objseal.seal(data, key=key)), sink, key=key)
    else:
        with objseal.open(sink, "wb", key=key) as file:
            file.write(data)


WAYS = ["seal_file", "envelope", "part", "unseal_file", "open"]


@pytest.mark.parametrize("way", WAYS)
def test_what_an_object_says_of_its_writes(key: objseal.Key, way: str) -> None:
    data = plain(300_000)
    with socket.socket() as waits:
        waits.setblocking(False)
        none: list[Sink] = [RawSink(lambda _: None), NonBlocking(lambda _: None, waits.fileno())]
        for sink in none:
            with pytest.raises(BlockingIOError) as caught:
                sealed_to(sink, data, key, way)
            assert caught.value.errno == errno.EAGAIN, "nothing was taken"
        waits.setblocking(True)
        for sink in [Sink(lambda _: None), NonBlocking(lambda _: None, waits.fileno()), Sink(lambda size: size)]:
            sealed_to(sink, data, key, way)
            if way in ("seal_file", "open"):
                assert objseal.unseal(sink.taken, key=key) == data
    for said in (lambda size: size + 1, lambda _: -1, lambda _: "x", lambda _: 1.5):
        for kind in (Sink, RawSink):
            with pytest.raises(objseal.ArgumentError, match=r"write\(\) of \d+ bytes gave"):
                sealed_to(kind(said), data, key, way)
    short = Sink(lambda size: min(size, 1_000))
    sealed_to(short, data, key, way)
    if way in ("seal_file", "open"):
        assert objseal.unseal(short.taken, key=key) == data
    with pytest.raises(OSError, match="write"):
        sealed_to(Sink(lambda _: 0), data, key, way)


def test_a_pipe_that_does_not_wait(key: objseal.Key) -> None:
    """A raw file of Python for a pipe that is full."""
    down, up = os.pipe()
    os.set_blocking(up, False)
    with os.fdopen(down, "rb"), os.fdopen(up, "wb", buffering=0) as file:
        with pytest.raises(BlockingIOError) as caught:
            objseal.seal_file(io.BytesIO(plain(1_000_000)), file, key=key)
        assert caught.value.errno == errno.EAGAIN
    with pytest.raises(BlockingIOError) as caught:
        objseal.seal_file(RawSource(None), io.BytesIO(), key=key)
    assert caught.value.errno == errno.EAGAIN


class RawSource(io.RawIOBase):
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def read(self, size: int = -1, /) -> Any:
        return self.answer


# Keyrings.


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["wb", "wt", "xb", "xt"])
def test_no_output_is_a_keyring(keyring: objseal.Keyring, tmp_path: Path, key: objseal.Key, way: str, mode: str) -> None:
    path = keyring.path
    lock = path.with_name(f"{path.name}.lock")
    before = path.read_bytes()
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "second").symlink_to("link")
    os.link(path, tmp_path / "hard")
    descriptor = os.open(path, os.O_WRONLY)
    with path.open("r+b", buffering=0) as opened, path.open("ab") as appended:
        places: list[Any] = [
            path, str(path), os.fsencode(path), lock, tmp_path / "link", tmp_path / "second", tmp_path / "hard",
            f"/dev/fd/{descriptor}", f"/proc/self/fd/{descriptor}", opened, appended,
        ]
        if way == "open" and mode.startswith("x"):
            places = [path, tmp_path / "link", lock]
        for place in places:
            with pytest.raises(objseal.ArgumentError, match="is a keyring, or the lock of one"):
                if way == "open":
                    objseal.open(place, mode, keyring=keyring, key="photos")  # type: ignore[call-overload]
                else:
                    sealed_to(place, b"x", key, way)
            assert path.read_bytes() == before, place
    os.close(descriptor)
    keyring.reload()
    # One that came meanwhile stays as well.
    file = objseal.open(tmp_path / "later", "wb", key=key)
    later = objseal.Keyring.create(tmp_path / "later", "a")
    with pytest.raises(objseal.ArgumentError, match="is a keyring"):
        file.close()
    later.reload()


# Replacing.


@pytest.mark.parametrize("way", WAYS)
def test_what_is_replaced_gives_owner_and_mode_and_links_stay(key: objseal.Key, tmp_path: Path, way: str) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"before")
    target.chmod(0o640)
    # Only root can give a file away.
    owner = (1_234, 1_234) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(target, *owner)
    link.symlink_to(target)
    sealed_to(link, b"x", key, way)
    found = target.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (*owner, 0o640)
    assert link.is_symlink() and target.read_bytes() != b"before"
    assert sorted(os.listdir(tmp_path)) == ["link", "target"]


def test_plaintext_is_private_until_it_is_whole(key: objseal.Key, tmp_path: Path) -> None:
    seen: list[int] = []

    def look(_: int) -> None:
        for name in os.listdir("/proc/self/fd"):
            at = f"/proc/self/fd/{name}"
            if os.path.lexists(at) and os.readlink(at).startswith(f"{tmp_path}/"):
                seen.append(os.stat(at).st_mode & 0o777)
        assert all(entry.stat().st_mode & 0o077 == 0 for entry in tmp_path.iterdir())

    objseal.unseal_file(io.BytesIO(objseal.seal(plain(1_000_000), key=key)), tmp_path / "out", key=key, callback=look)
    assert set(seen) == {0o600} and (tmp_path / "out").stat().st_mode & 0o777 == 0o600


KILLED = """
import objseal, os, sys
class Stops:
    left = 3
    def read(self, size):
        self.left -= 1
        if self.left:
            return bytes(size)
        print("ready", flush=True)
        sys.stdin.read()
key, way, path = bytes(32), sys.argv[1], sys.argv[2]
if way == "open":
    file = objseal.open(path, "wb", key=key)
    file.write(bytes(1_000_000))
    file.flush()
    Stops.left = 1
    Stops().read(1)
objseal.seal_file(Stops(), path, key=key)
"""


@pytest.mark.parametrize("way", ["open", "seal_file"])
@pytest.mark.parametrize("there", [False, True])
def test_a_killed_process_leaves_nothing(key: objseal.Key, tmp_path: Path, way: str, there: bool) -> None:
    path = tmp_path / "target"
    if there:
        path.write_bytes(b"before")
    command: list[Any] = [sys.executable, "-c", KILLED, way, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stdout.readline() == "ready\n"
        running.kill()
    assert (path.read_bytes() == b"before") if there else not path.exists()
    # Where no file can do without a name, the next writer removes it.
    with objseal.open(path, "wb", key=key):
        pass
    assert os.listdir(tmp_path) == ["target"]


FAULTS = """
import objseal, sys
with objseal.open(sys.argv[1], "wb", key=bytes(32)) as file:
    file.write(b"x")
objseal.seal_file(sys.argv[1], sys.argv[2], key=bytes(32))
"""


def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    assert strace is not None, "strace is missing: apt-get install strace"
    # Of a file, of its folder, and so on.
    command: list[Any] = [strace, "-f", "-o", tmp_path / "trace", "-e", "trace=fsync"]
    command += ["-e", "inject=fsync:error=EINVAL:when=2+2"]
    out = tmp_path / "out"
    out.mkdir()
    ran = subprocess.run(
        [*command, sys.executable, "-c", FAULTS, out / "one", out / "two"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "trace").read_text().count("(INJECTED)") == 2
    assert objseal.unseal(objseal.unseal((out / "two").read_bytes(), key=bytes(32)), key=bytes(32)) == b"x"


def test_exclusive_is_exclusive(key: objseal.Key, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"before")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for mode in ("xb", "xt"):
        for name in ("there", "link", "dangling", "folder", "pipe"):
            for place in (tmp_path / name, str(tmp_path / name), os.fsencode(tmp_path / name)):
                with pytest.raises(FileExistsError) as caught:
                    objseal.open(place, mode, key=key)
                assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, os.fspath(place))
        file: Any = objseal.open(tmp_path / "late", mode, key=key)
        (tmp_path / "late").write_bytes(b"faster")
        with pytest.raises(FileExistsError) as caught:
            file.close()
        assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, str(tmp_path / "late"))
        assert (tmp_path / "late").read_bytes() == b"faster"
        (tmp_path / "late").unlink()
    assert (tmp_path / "there").read_bytes() == b"before" and not (tmp_path / "nowhere").exists()
    assert len(os.listdir(tmp_path)) == 5


# Descriptors as paths.

FOLDERS = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_descriptors_are_read_on_from_where_they_stand(key: objseal.Key, tmp_path: Path, folder: str) -> None:
    data, path = plain(100_000), tmp_path / "sealed"
    path.write_bytes(b"before" + objseal.seal(data, key=key))
    with path.open("rb", buffering=0) as file:
        place = f"{folder}/{file.fileno()}"
        file.seek(6)
        assert objseal.inspect(place).length == 100_000
        with objseal.open(place, key=key) as opened:
            assert opened.seekable() and opened.read() == data
            opened.seek(50_000)
            assert opened.read(10) == data[50_000:50_010]
        assert file.tell() == 6, "nothing was read on"
        out = tmp_path / "out"
        objseal.unseal_file(place, out, key=key)
        assert out.read_bytes() == data and file.read() == b""
        link = tmp_path / "link"
        link.symlink_to(place)
        file.seek(6)
        with objseal.open(link, "rb", key=key) as opened:
            assert opened.read() == data
    message = objseal.cobblestone.seal(key, data)
    path.write_bytes(message)
    with path.open("rb") as file:
        assert objseal.cobblestone.reader(key, f"{folder}/{file.fileno()}").read() == data
    # No path leads to it.
    path.write_bytes(objseal.seal(data, key=key))
    with path.open("r+b", buffering=0) as file:
        path.unlink()
        place = f"{folder}/{file.fileno()}"
        with objseal.open(place, key=key) as opened:
            assert opened.read() == data
        assert objseal.rewrap(place, key=key, new_context="c").generation == 2
        with objseal.open(place, key=key, context="c") as opened:
            assert opened.read() == data


@pytest.mark.parametrize("folder", FOLDERS)
def test_descriptors_are_written_on_from_where_they_stand(key: objseal.Key, tmp_path: Path, folder: str) -> None:
    path = tmp_path / "out"
    with path.open("wb", buffering=0) as file:
        file.write(b"before")
        with objseal.open(f"{folder}/{file.fileno()}", "wb", key=key) as sealed:
            sealed.write(b"plain")
        file.write(b"after")
    whole = path.read_bytes()
    assert whole.startswith(b"before") and whole.endswith(b"after")
    assert objseal.unseal(whole[6:-5], key=key) == b"plain"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        objseal.seal_file(io.BytesIO(b"x"), f"{folder}/{theirs.fileno()}", key=key)
        theirs.shutdown(socket.SHUT_WR)
        with objseal.open(f"{folder}/{ours.fileno()}", key=key) as opened:
            assert not opened.seekable() and opened.read() == b"x"
    for place in (f"{folder}/999", f"{folder}/{10**12}"):
        for call in (
            lambda place=place: objseal.open(place, key=key),
            lambda place=place: objseal.open(place, "wb", key=key),
        ):
            with pytest.raises(OSError) as caught:
                call()
            assert caught.value.errno in (errno.EBADF, errno.ENOENT, errno.EACCES) and caught.value.filename == place


def test_standard_streams_and_process_substitution(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(plain(300_000))
    script = tmp_path / "script"
    script.write_text(
        "import objseal, sys\n"
        "getattr(objseal, sys.argv[1])(sys.argv[2], sys.argv[3], key=bytes(32))\n"
    )
    for source, target in (("/dev/stdin", "/dev/stdout"), ("<(cat)", ">(cat)"), ("/dev/fd/0", "/proc/self/fd/1")):
        run = f'"{sys.executable}" "{script}"'
        line = f"{run} seal_file {source} {target} | {run} unseal_file {source} {target} | cat"
        with (tmp_path / "plain").open("rb") as stdin:
            ran = subprocess.run(["bash", "-c", line], stdin=stdin, capture_output=True, timeout=60, check=False)
        assert ran.stdout == plain(300_000), ran.stderr


def test_a_named_pipe(key: objseal.Key, tmp_path: Path) -> None:
    pipe, data = tmp_path / "pipe", plain(1_000_000)
    os.mkfifo(pipe)
    failures: list[BaseException] = []

    def write() -> None:
        try:
            with objseal.open(pipe, "wb", key=key) as file:
                file.write(data)
        except BaseException as error:
            failures.append(error)

    worker = threading.Thread(target=write)
    worker.start()
    with objseal.open(pipe, key=key) as file:
        assert not file.seekable() and file.read() == data
    worker.join()
    assert not failures and pipe.is_fifo()
    keeps = os.open(pipe, os.O_RDWR)
    with pytest.raises(OSError) as caught:
        objseal.inspect(pipe)
    assert (caught.value.errno, caught.value.filename) == (errno.ESPIPE, str(pipe))
    os.close(keeps)


WAITS = """
import objseal, os, signal, sys
how, path = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)
# The signal comes once the process waits.
if os.fork() == 0:
    parent = os.getppid()
    while "S (" not in open(f"/proc/{parent}/status").read().split("State:")[1]:
        pass
    os.kill(parent, signal.SIGINT)
    os._exit(0)
try:
    objseal.open(path, how, key=bytes(32))
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.parametrize("how", ["rb", "wb"])
def test_ctrl_c_ends_the_wait_for_the_other_end(tmp_path: Path, how: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    ran = python(WAITS, how, tmp_path / "pipe")
    assert ran.stdout == "stopped\n", ran.stderr


STOPS = """
import objseal, os
down, up = os.pipe()
os.write(up, b"x")
def stop(done):
    raise LookupError("enough")
try:
    objseal.seal_file(f"/dev/fd/{down}", "/dev/null", key=bytes(32), callback=stop)
except LookupError:
    print("stopped")
"""


def test_a_pipe_without_data_is_no_reason_not_to_stop() -> None:
    ran = python(STOPS)
    assert ran.stdout == "stopped\n", ran.stderr


def test_devices(key: objseal.Key) -> None:
    for way in WAYS:
        sealed_to("/dev/null", b"x", key, way)
        with pytest.raises(OSError) as caught:
            sealed_to("/dev/full", plain(1_000_000), key, way)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")
    assert os.path.exists("/dev/null") and os.path.exists("/dev/full")


NAMES: list[Any] = [
    "\u00e4" * 120,
    "x" * 255,
    b"bytes",
    os.fsencode("\u00e4" * 120),
    b"\xff\xfe not UTF-8",
    "\udcff\udcfe not UTF-8",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_of_every_kind(key: objseal.Key, tmp_path: Path, name: str | bytes) -> None:
    path: Any = os.path.join(os.fsencode(tmp_path), name) if isinstance(name, bytes) else os.path.join(tmp_path, name)
    with pytest.raises(FileNotFoundError) as caught:
        objseal.open(path, key=key)
    assert caught.value.filename == path
    for mode in ("xb", "wb"):
        with objseal.open(path, mode, key=key) as file:
            file.write(b"plain")
    with objseal.open(path, key=key) as opened:
        assert opened.read() == b"plain"
    objseal.rewrap(path, key=key)
    ring = path + (b".ring" if isinstance(path, bytes) else ".ring")
    if len(os.fsencode(name)) < 200:
        with pytest.raises(FileNotFoundError) as caught:
            objseal.Keyring(ring)
        assert caught.value.filename == ring
        keyring = objseal.Keyring.create(ring, "a")
        assert os.fsencode(keyring.path) == os.fsencode(ring)
        with objseal.open(path, "wb", keyring=keyring, key="a") as file:
            file.write(b"plain")
        with objseal.open(path, keyring=keyring) as opened, pickle.loads(pickle.dumps(opened)) as again:
            assert again.read() == b"plain"
    with pytest.raises(ValueError, match="NUL"):
        objseal.open(path + (b"\0" if isinstance(path, bytes) else "\0"), key=key)


# What goes wrong.


def test_errors_of_the_system_say_which_path(key: objseal.Key, keyring: objseal.Keyring, tmp_path: Path) -> None:
    none, folder, file = tmp_path / "none", tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.write_bytes(b"x")
    inside, below = none / "x", file / "x"
    upload = parts.Upload.start(key=key, server_key=key, place={})
    opened, _ = envelope.seal(b"x", key=key)
    buffer = io.BytesIO(b"x")
    calls: list[tuple[Callable[[Any], object], Path, int]] = [
        *[
            (call, path, number)
            for call in (
                lambda path: objseal.open(path, key=key),
                lambda path: objseal.open(path, "rt", key=key),
                lambda path: objseal.seal_file(path, io.BytesIO(), key=key),
                lambda path: objseal.unseal_file(path, io.BytesIO(), key=key),
                lambda path: objseal.inspect(path),
                lambda path: objseal.rewrap(path, key=key),
                lambda path: objseal.cobblestone.reader(key, path),
                lambda path: envelope.seal_file(path, io.BytesIO(), key=key),
                lambda path: opened.reader(path),
                lambda path: upload.seal_part_file(1, path, io.BytesIO()),
                lambda path: objseal.Keyring(path),
            )
            for path, number in ((none, errno.ENOENT), (folder, errno.EISDIR), (below, errno.ENOTDIR))
        ],
        *[
            (call, path, number)
            for call in (
                lambda path: objseal.open(path, "wb", key=key),
                lambda path: objseal.open(path, "wt", key=key),
                lambda path: objseal.seal_file(buffer, path, key=key),
                lambda path: objseal.unseal_file(buffer, path, key=key),
                lambda path: envelope.seal_file(buffer, path, key=key),
                lambda path: upload.seal_part_file(1, buffer, path),
            )
            for path, number in ((inside, errno.ENOENT), (folder, errno.EISDIR), (below, errno.ENOTDIR))
        ],
        (lambda path: objseal.open(path, "xb", key=key), inside, errno.ENOENT),
        (lambda path: objseal.Keyring.create(path), inside, errno.ENOENT),
        (lambda path: objseal.Keyring.create(path), below, errno.ENOTDIR),
    ]
    for call, path, number in calls:
        with pytest.raises(OSError) as caught:
            call(path)
        error = caught.value
        assert (error.errno, error.strerror, error.filename) == (number, os.strerror(number), str(path)), (path, error)
        assert type(error) is type(OSError(number, "")), "by its number"
    keyring.path.unlink()
    for change in (keyring.reload, lambda: keyring.add("x"), lambda: keyring.rotate("photos"), lambda: keyring.protect(None)):
        with pytest.raises(FileNotFoundError) as caught:
            change()
        assert caught.value.filename == str(keyring.path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "keyring.lock"], "nothing was made on the way"


MOUNTED = """
import objseal, sys
try:
    objseal.open(sys.argv[1], "wb", key=bytes(32))
except OSError as error:
    print(error.errno, error.filename == sys.argv[1], error.strerror)
"""


def test_a_reason_gives_its_number_and_words(tmp_path: Path) -> None:
    """A file that is a mount of its own cannot be replaced."""
    unshare = shutil.which("unshare")
    assert unshare is not None, "unshare is missing: apt-get install util-linux"
    path = tmp_path / "mounted"
    path.write_bytes(b"before")
    command = 'mount --bind "$1" "$1" && exec "$2" -c "$3" "$1"'
    ran = subprocess.run(
        [unshare, "-rm", "sh", "-c", command, "sh", path, sys.executable, MOUNTED], capture_output=True, text=True, check=False
    )
    assert ran.stdout.startswith(f"{errno.EBUSY} True it is a mount of its own"), ran.stdout + ran.stderr


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_closing_a_reader_frees_its_descriptor(key: objseal.Key, tmp_path: Path) -> None:
    path, body_path, message_path = tmp_path / "sealed", tmp_path / "body", tmp_path / "message"
    data = plain(500_000)
    path.write_bytes(objseal.seal(data, key=key))
    sealed, body = envelope.seal(data, key=key)
    body_path.write_bytes(body)
    message_path.write_bytes(objseal.cobblestone.seal(key, data))
    os.mkfifo(tmp_path / "pipe")
    keeps = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(keeps, objseal.seal(b"x", key=key))
    # Those of other tests may wait for it.
    gc.collect()
    before = descriptors()
    made: list[Callable[[], Any]] = [
        lambda: objseal.open(path, key=key),
        lambda: objseal.open(path, "rt", key=key, encoding="latin-1"),
        lambda: objseal.open(tmp_path / "pipe", key=key),
        lambda: sealed.reader(body_path),
        lambda: objseal.cobblestone.reader(key, message_path),
    ]
    for make in made:
        file = make()
        raw = getattr(file, "buffer", file).raw
        held = [file, raw, raw._reader]
        assert descriptors() == before + 1
        if file.seekable():
            file.read(1)
        file.close()
        assert descriptors() == before, "at once"
        calls: list[Callable[[], object]] = [
            lambda: file.read(1), lambda: raw.readinto(bytearray(1)), lambda: file.seek(0)
        ]
        for call in calls:
            with pytest.raises(ValueError, match="closed"):
                call()
        with pytest.raises(ValueError, match="closed"):
            reads = held[2]
            reads.readinto_at(0, bytearray(1), 1) if hasattr(reads, "readinto_at") else reads.readinto(bytearray(1))
        file.close()
    with objseal.open(path, key=key) as opened:
        pass
    assert opened.info.length == len(data), "is still known"
    # What cannot be opened leaves none, either.
    for wrong in (path, tmp_path / "body"):
        with pytest.raises(objseal.Error):
            objseal.open(wrong, key=objseal.Key.generate())
    gc.collect()
    assert descriptors() == before
    os.close(keeps)


def test_closing_while_another_thread_reads(key: objseal.Key, tmp_path: Path) -> None:
    path, data = tmp_path / "sealed", plain(2_000_000)
    path.write_bytes(objseal.seal(data, key=key))
    before = descriptors()
    for _ in range(20):
        file = objseal.open(path, key=key)
        raw: Any = file.raw
        begun = threading.Barrier(3)
        found: list[bool] = []
        failures: list[str] = []

        def read(native: bool, raw: Any = raw, begun: Any = begun, found: Any = found, failures: Any = failures) -> None:
            begun.wait()
            try:
                while True:
                    room = bytearray(len(data))
                    length = raw._reader.readinto_at(0, room, 1) if native else raw.readinto(room)
                    if not native:
                        raw.seek(0)
                    found.append(room[:length] == data[:length] and length == len(data))
            except ValueError as error:
                failures.append(str(error))

        readers = [threading.Thread(target=read, args=(native,)) for native in (False, True)]
        for reader in readers:
            reader.start()
        begun.wait()
        file.close()
        for reader in readers:
            reader.join()
        assert all(found) and len(failures) == 2 and all("closed" in failure for failure in failures)
        assert descriptors() == before


def test_the_key_that_is_wanted(keyring: objseal.Keyring, tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    objseal.seal_file(io.BytesIO(b"x"), path, keyring=keyring, key="photos")
    stale = objseal.Keyring(keyring.path)
    assert keyring.rotate("photos") == 2
    objseal.rewrap(path, keyring=keyring)
    opened, body = envelope.seal(b"x", keyring=keyring, key="photos")
    upload = parts.Upload.start(keyring=keyring, key="photos", server_key="photos", place={})
    calls: list[Callable[[objseal.Keyring], object]] = [
        lambda ring: objseal.open(path, keyring=ring),
        lambda ring: objseal.unseal(path.read_bytes(), keyring=ring),
        lambda ring: objseal.unseal_file(path, io.BytesIO(), keyring=ring),
        lambda ring: objseal.open(RawFront(path.read_bytes()), keyring=ring),
        lambda ring: objseal.rewrap(path, keyring=ring),
        lambda ring: envelope.open(opened.head, keyring=ring),
        lambda ring: parts.Upload.resume(upload.state, keyring=ring, place={}),
        lambda ring: parts.Upload.resume(upload.state, keyring=keyring, place={}).unlock(keyring=ring),
    ]
    other = objseal.Keyring.create(tmp_path / "other", "server")
    with pytest.raises(objseal.KeyNotFound, match=r"version 2, .* Keyring.reload\(\) .* up to version 1") as caught:
        opened.rewrap(keyring=stale)
    assert caught.value.wanted == (("keyring", "photos", 2),)
    for call in calls:
        with pytest.raises(objseal.KeyNotFound) as caught:
            call(stale)
        (wanted,) = caught.value.wanted
        assert isinstance(wanted, objseal.WantedKey)
        assert (wanted.service, wanted.key_id, wanted.version) == wanted == ("keyring", "photos", 2)
        said = str(caught.value)
        assert 'version 2 of "photos" of "keyring"' in said
        assert 'this keyring has "photos" up to version 1' in said and "Keyring.reload()" in said
        again = pickle.loads(pickle.dumps(caught.value))
        assert again.wanted == caught.value.wanted and str(again) == said
        with pytest.raises(objseal.KeyNotFound) as caught:
            call(other)
        assert caught.value.wanted == (wanted,) and "reload" not in str(caught.value)
    stale.reload()
    for call in calls:
        call(stale)
    assert "WantedKey" in objseal.__all__ and objseal.WantedKey.__module__ == "objseal"


class RawFront:
    """Has nothing but `read`."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._file.read(size)


def test_another_key_of_the_same_name_and_version(keyring: objseal.Keyring, tmp_path: Path) -> None:
    sealed = objseal.seal(b"x", keyring=keyring, key="photos")
    other = objseal.Keyring.create(tmp_path / "other", "photos")
    with pytest.raises(objseal.AuthenticationError, match='another key of that name: version 1 of "photos" of "keyring"'):
        objseal.unseal(sealed, keyring=other)


def test_passphrases_that_are_none(keyring: objseal.Keyring, tmp_path: Path) -> None:
    for wrong in ("", "\0", "correct\0horse"):
        for call in (
            lambda wrong=wrong: objseal.Keyring.create(tmp_path / "new", passphrase=wrong),
            lambda wrong=wrong: objseal.Keyring(keyring.path, passphrase=wrong),
            lambda wrong=wrong: keyring.protect(wrong),
        ):
            with pytest.raises(objseal.KeyringError, match="not empty and has no NUL"):
                call()
    assert not (tmp_path / "new").exists()
    objseal.Keyring(keyring.path)


def test_a_reader_of_a_descriptor_is_not_pickled(keyring: objseal.Keyring, tmp_path: Path) -> None:
    """Another process has other descriptors."""
    path = tmp_path / "sealed"
    objseal.seal_file(io.BytesIO(b"x"), path, keyring=keyring, key="photos")
    with path.open("rb") as file, objseal.open(f"/dev/fd/{file.fileno()}", keyring=keyring) as opened:
        with pytest.raises(TypeError, match="opened by its path"):
            pickle.dumps(opened)
