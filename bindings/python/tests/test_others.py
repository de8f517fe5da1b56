"""Whoever comes in between: handlers of signals, forked processes, readers that do not read, and other users."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import objseal


@pytest.mark.parametrize("size", [10, 600_000])
@pytest.mark.parametrize("call", ["write", "close", "abort"])
def test_a_write_within_a_write_is_an_error_and_no_deadlock(key: objseal.Key, call: str, size: int) -> None:
    """As a handler of signals makes one."""

    class Inner:
        calls = 0

        def write(self, data: bytes, /) -> int:
            self.calls += 1
            if self.calls == 2:
                getattr(file, call)(*[bytes(600_000)] * (call == "write"))
            return len(data)

    file = objseal.open(Inner(), "wb", key=key)
    # What is large goes past the buffer.
    with pytest.raises(RuntimeError, match="reentrant call inside"):
        for _ in range(600_000 // size):
            file.write(bytes(size))
        file.flush()
    with contextlib.suppress(RuntimeError):
        file.close()
    assert file.closed


def test_what_is_aborted_by_a_handler_of_signals_is_not_there(key: objseal.Key, tmp_path: Path) -> None:
    """While nobody reads what is written."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    file = objseal.open(tmp_path / "pipe", "wb", key=key)
    before = signal.signal(signal.SIGALRM, lambda *_: file.abort())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(RuntimeError, match="reentrant call inside"):
            file.write(bytes(1_000_000))
    finally:
        signal.signal(signal.SIGALRM, before)
    file.abort()
    assert file.closed
    while os.read(reader, 100_000):
        # A pipe ends once nobody has it open to write.
        pass
    os.close(reader)


NOBODY_READS = """
import objseal, os, signal, sys
how, path, source = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)
reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
if os.fork() == 0:
    # Once the pipe is full.
    full, room = os.open(path, os.O_WRONLY | os.O_NONBLOCK), True
    import select
    while room:
        room = select.select([], [full], [], 0)[1]
    os.kill(os.getppid(), signal.SIGINT)
    os._exit(0)
try:
    if how == "open":
        with objseal.open(path, "wb", key=bytes(32)) as file:
            file.write(bytes(1_000_000))
    else:
        getattr(objseal, how)(source, path, key=bytes(32))
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.parametrize("how", ["open", "seal_file", "unseal_file"])
def test_ctrl_c_ends_the_wait_for_whoever_reads(tmp_path: Path, how: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    source = tmp_path / "source"
    source.write_bytes(objseal.seal(bytes(1_000_000), key=bytes(32)))
    command = [sys.executable, "-c", NOBODY_READS, how, str(tmp_path / "pipe"), str(source)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout == "stopped\n", ran.stderr


def test_a_forked_process_does_not_keep_a_file_locked(key: objseal.Key, tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    down, up = os.pipe()
    file = objseal.open(path, "wb", key=key)
    file.write(b"x")
    if os.fork() == 0:
        os.close(up)
        os.read(down, 1)
        os._exit(0)
    try:
        file.close()
        with path.open("rb") as there:
            fcntl.flock(there, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(up)
        os.wait()
        os.close(down)


def write_to(path: Path, how: str, key: objseal.Key) -> Any:
    if how == "open":
        with objseal.open(path, "wb", key=key) as file:
            file.write(b"secret")
        return None
    return objseal.seal_file(os.devnull, path, key=key)


@pytest.mark.parametrize("how", ["open", "seal_file"])
def test_what_others_have_put_where_all_may_write_gets_nothing(key: objseal.Key, tmp_path: Path, how: str) -> None:
    if os.geteuid() != 0:
        # Nobody else puts things of others there.
        return
    everybody, own = tmp_path / "all", tmp_path / "own"
    everybody.mkdir()
    everybody.chmod(0o1777)
    own.write_bytes(b"own")
    link, pipe, theirs = (everybody / name for name in ("link", "pipe", "theirs"))
    link.symlink_to(own)
    os.mkfifo(pipe)
    theirs.write_bytes(b"theirs")
    for there in (link, pipe, theirs):
        os.chown(there, 65_534, 65_534, follow_symlinks=False)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for there in (link, pipe, theirs):
        with pytest.raises(PermissionError, match="it belongs to another user") as caught:
            write_to(there, how, key)
        assert (caught.value.errno, caught.value.filename) == (errno.EACCES, str(there))
    assert os.read(reader, 10) == b"" and own.read_bytes() == b"own" and theirs.read_bytes() == b"theirs"
    os.chown(pipe, 0, 0)
    write_to(pipe, how, key)
    assert os.read(reader, 10) and stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)
