"""A writer commits when all went well, and not otherwise."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import pickle
import subprocess
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from conftest import plain

import objseal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "sealed"
    path.write_bytes(b"before")
    return path


def stays(path: Path) -> bool:
    """Nothing but the old file is there."""
    return path.read_bytes() == b"before" and os.listdir(path.parent) == [path.name]


def holds(path: Path, key: objseal.Key, data: bytes) -> bool:
    return objseal.unseal(path.read_bytes(), key=key) == data and os.listdir(path.parent) == [path.name]


WRAPPERS: list[Callable[[objseal.SealedWriter], Any]] = [
    lambda file: io.TextIOWrapper(file, encoding="utf-8"),
    lambda file: io.BufferedWriter(file),
    lambda file: io.TextIOWrapper(io.BufferedWriter(file), encoding="utf-8"),
    contextlib.closing,
]


def put_and_flush(file: Any) -> None:
    put(file)
    file.flush()


def put(file: Any) -> None:
    file.write("x" if isinstance(file, io.TextIOBase) else b"x")


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_an_exception_through_a_wrapper_leaves_the_file(
    key: objseal.Key, path: Path, wrapper: Callable[[objseal.SealedWriter], Any]
) -> None:
    for kind in (LookupError, KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.warns(RuntimeWarning, match="an exception is being handled.* left as it was"), pytest.raises(kind):
            with wrapper(objseal.open(path, "wb", key=key)) as file:
                put(file)
                raise kind
        assert stays(path), kind
    with wrapper(objseal.open(path, "wb", key=key)) as file:
        put(file)
    assert holds(path, key, b"x")


def test_an_exception_that_was_being_handled_before_is_none_of_its_own(key: objseal.Key, path: Path) -> None:
    try:
        raise LookupError
    except LookupError:
        with io.TextIOWrapper(objseal.open(path, "wb", key=key)) as text:
            text.write("report")
        assert holds(path, key, b"report")
        path.write_bytes(b"before")
        # The same one, raised again.
        with pytest.warns(RuntimeWarning, match="being handled"), pytest.raises(LookupError):
            with io.TextIOWrapper(objseal.open(path, "wb", key=key)) as text:
                text.write("report")
                raise
        assert stays(path)
        with pytest.warns(RuntimeWarning, match="being handled"), pytest.raises(LookupError):
            with io.TextIOWrapper(objseal.open(path, "wb", key=key)) as text:
                raise sys.exc_info()[1] or AssertionError
        assert stays(path)
        # Another one.
        with pytest.warns(RuntimeWarning, match="being handled"), pytest.raises(KeyError):
            with io.TextIOWrapper(objseal.open(path, "wb", key=key)) as text:
                raise KeyError
        assert stays(path)
        # One that was dealt with.
        with io.TextIOWrapper(objseal.open(path, "wb", key=key)) as text:
            with contextlib.suppress(KeyError):
                raise KeyError
            text.write("dealt with")
        assert holds(path, key, b"dealt with")


def test_closing_in_an_except_block_warns(key: objseal.Key, path: Path) -> None:
    for opened in ("wb", "wt"):
        file: Any = objseal.open(path, opened, key=key)
        put(file)
        try:
            raise LookupError
        except LookupError:
            with pytest.warns(RuntimeWarning, match="close it after the except block, or use it in a `with` statement"):
                file.close()
        assert file.closed and stays(path)
    # A with statement knows.
    for opened in ("wb", "wt"):
        path.write_bytes(b"before")
        file = objseal.open(path, opened, key=key)  # type: ignore[call-overload]
        try:
            raise LookupError
        except LookupError:
            with file:
                put(file)
        assert holds(path, key, b"x")
    # As an error the warning comes when the file is left already.
    path.write_bytes(b"before")
    file = objseal.open(path, "wb", key=key)
    with pytest.raises(RuntimeWarning, match="being handled"):
        try:
            raise LookupError
        except LookupError:
            file.close()
    assert file.closed and stays(path)


DROPPED: list[Callable[[Path, objseal.Key], Any]] = [
    lambda path, key: objseal.open(path, "wb", key=key),
    lambda path, key: objseal.open(path, "wt", key=key),
    lambda path, key: objseal.open(path, "wb", key=key).detach(),
    *[lambda path, key, wrapper=wrapper: wrapper(objseal.open(path, "wb", key=key)) for wrapper in WRAPPERS[:3]],
]


@pytest.mark.parametrize("cycle", [False, True])
@pytest.mark.parametrize("made", DROPPED)
def test_what_is_dropped_leaves_the_file(
    key: objseal.Key, path: Path, made: Callable[[Path, objseal.Key], Any], cycle: bool
) -> None:
    for data in (1, 1_000_000):
        file = made(path, key)
        file.write("x" * data if isinstance(file, io.TextIOBase) else b"x" * data)
        if cycle:
            around: list[Any] = [file]
            around.append(around)
            del around
        with pytest.warns(ResourceWarning, match="was not closed, so it is not there"):
            del file
            gc.collect()
        assert stays(path)


def test_what_is_dropped_with_its_process_leaves_the_file(key: objseal.Key, path: Path) -> None:
    script = (
        "import io, objseal, sys\n"
        "file = io.TextIOWrapper(objseal.open(sys.argv[1], 'wb', key=bytes(32)))\n"
        "file.write('x' * 1000000)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and stays(path), ran.stderr


class Fails(io.RawIOBase):
    """Fails once, and then takes all."""

    def __init__(self, error: BaseException, after: int) -> None:
        self.error, self.left = error, after
        self.taken = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.left -= 1
        if self.left == 0:
            raise self.error
        self.taken += len(data)
        return len(data)


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt, TypeError, BlockingIOError, UnicodeError])
@pytest.mark.parametrize("mode", ["wb", "wt"])
def test_a_write_that_failed_is_told_when_it_is_closed(key: objseal.Key, kind: type[BaseException], mode: str) -> None:
    failing = kind(11, "gone") if kind is not UnicodeError else kind("gone")
    for calls in ("write flush", "write write", "flush"):
        inner = Fails(failing, 2)
        file: Any = objseal.open(inner, mode, key=key)  # type: ignore[call-overload]
        data: Any = "x" * 600_000 if mode == "wt" else b"x" * 600_000
        with pytest.raises(kind, match="gone"):
            for _ in range(3):
                if "write" in calls:
                    file.write(data)
                else:
                    put(file)
                if "flush" in calls:
                    file.write(data)
                    file.flush()
        with pytest.raises(kind, match="gone"):
            file.close()
        assert file.closed
        with pytest.raises((objseal.Error, OSError)):
            raise objseal.AuthenticationError if inner.taken < 9_000 else objseal.FormatError
        file.close()


def interrupts(names: set[str], after: int = 1) -> Callable[..., Any]:
    """Has the interpreter raise KeyboardInterrupt where a signal would, in the first functions of these names."""
    left = after

    def trace(frame: types.FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if event == "call" and frame.f_code.co_name in names and "objseal" in frame.f_code.co_filename:
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return None

    return trace


@pytest.mark.parametrize("mode", ["wb", "wt"])
def test_ctrl_c_out_of_a_write_or_a_flush(key: objseal.Key, path: Path, mode: str) -> None:
    calls: list[Callable[[Any], object]] = [put_and_flush, lambda file: file.write(file.large)]
    for call in calls:
        for names in ({"write"}, {"go_on"}):
            file: Any = objseal.open(path, mode, key=key)  # type: ignore[call-overload]
            put(file)
            file.large = "y" * 600_000 if mode == "wt" else b"y" * 600_000
            before = sys.gettrace()
            sys.settrace(interrupts(names, 2))
            try:
                with pytest.raises(KeyboardInterrupt):
                    call(file)
                    call(file)
            finally:
                sys.settrace(before)
            with pytest.raises(KeyboardInterrupt):
                file.close()
            assert file.closed and stays(path)


def test_what_took_nothing_does_not_count(key: objseal.Key, path: Path) -> None:
    with objseal.open(path, "wb", key=key) as file:
        for wrong in ("text", 5, None, memoryview(b"abcd")[::2]):
            for write in (file.write, file.raw.write):
                with pytest.raises((TypeError, objseal.ArgumentError)):
                    write(wrong)  # type: ignore[arg-type]
        file.write(b"all of it")
    assert holds(path, key, b"all of it")
    with objseal.open(path, "wt", key=key, encoding="ascii") as text:
        with pytest.raises(TypeError):
            text.write(b"bytes")  # type: ignore[arg-type]
        with pytest.raises(UnicodeEncodeError):
            text.write("\u00e4")
        text.write("all of it")
    assert holds(path, key, b"all of it")


def in_child(work: Callable[[], None]) -> None:
    """Runs `work` in a forked child, which must succeed."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            gc.collect()
        except BaseException as error:
            traceback.print_exception(error)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


FORKED = "another process made this"


def test_a_forked_child_seals_nothing_of_its_parent(key: objseal.Key, path: Path, tmp_path: Path) -> None:
    """Both have the same keys, and would go on from the same nonces."""
    inner = (path.parent / "inner").open("w+b", buffering=0)
    made: list[tuple[Any, Callable[[], bytes]]] = [
        (objseal.open(path, "wb", key=key), path.read_bytes),
        (objseal.open(inner, "wb", key=key), lambda: (path.parent / "inner").read_bytes()),
        (objseal.open(path.parent / "new", "xb", key=key), lambda: (path.parent / "new").read_bytes()),
    ]
    for at, (file, read) in enumerate(made):
        before = path.read_bytes()
        file.write(b"parent")

        def refused(file: Any = file) -> None:
            for call in (lambda: file.write(bytes(600_000)), lambda: file.write(b"x"), file.flush, file.close):
                with pytest.raises(objseal.ArgumentError, match=FORKED):
                    call()
            assert file.closed

        def closed_at_once(file: Any = file) -> None:
            with pytest.raises(objseal.ArgumentError, match=FORKED):
                file.close()

        def aborted(file: Any = file) -> None:
            file.abort()

        def failed(file: Any = file) -> None:
            with contextlib.suppress(SystemExit), file:
                raise SystemExit

        for work in (refused, closed_at_once, aborted, failed):
            in_child(work)
            assert path.read_bytes() == before
        file.write(b" alone")
        file.close()
        assert objseal.unseal(read(), key=key) == b"parent alone", at
    inner.close()
    # Dropped, by a child that ends in its own time: nothing is said of a file that is not its own.
    script = (
        "import objseal, os, sys\n"
        "file = objseal.open(sys.argv[1], 'wb', key=bytes(32))\n"
        "file.write(b'parent')\n"
        "if os.fork() == 0:\n"
        "    del file\n"
        "    sys.exit()\n"
        "os.wait()\n"
        "file.close()\n"
    )
    ran = subprocess.run([sys.executable, "-Wd", "-c", script, path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "") and objseal.unseal(path.read_bytes(), key=bytes(32)) == b"parent"


def test_a_forked_child_goes_on_with_no_bare_message(key: objseal.Key) -> None:
    sealer = objseal.cobblestone.Sealer(key)
    message = sealer.update(b"parent")

    def refused() -> None:
        calls: list[Callable[[], object]] = [
            lambda: sealer.update(b"child"), lambda: sealer.update_into(b"child", bytearray(100)), sealer.finalize
        ]
        for call in calls:
            with pytest.raises(objseal.ArgumentError, match=FORKED):
                call()

    in_child(refused)
    message += sealer.update(b" alone") + sealer.finalize()
    assert objseal.cobblestone.open(key, message) == b"parent alone"
    opener = objseal.cobblestone.Opener(key)
    opener.update(message[:60])
    in_child(lambda: print(opener.update(message[60:]) + opener.finalize(), file=io.StringIO()))


FORKS_WHILE_IT_SEALS = """
import io, objseal, os, sys
parent = os.getpid()
class Forks(io.RawIOBase):
    left = 3
    def read(self, size=-1, /):
        self.left -= 1
        if self.left == 1:
            self.pid = os.fork()
            # Both would go on with plaintexts of their own.
            if self.pid and os.waitpid(self.pid, 0):
                return b"p" * size
        return (b"c" if os.getpid() != parent else b"x") * size if self.left > 0 else b""
key = bytes(32)
objseal.seal_file(Forks(), sys.argv[1], key=key, threads=1)
assert os.getpid() == parent
"""


def test_a_fork_in_the_midst_of_sealing(tmp_path: Path) -> None:
    out = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    ran = subprocess.run(
        [sys.executable, "-c", FORKS_WHILE_IT_SEALS, f"/dev/fd/{out}"], pass_fds=[out], capture_output=True, text=True,
        timeout=60, check=False,
    )
    os.close(out)
    assert ran.returncode == 0, ran.stderr
    # What the child had written would stand in the midst of it.
    opened = objseal.unseal((tmp_path / "out").read_bytes(), key=bytes(32))
    assert set(opened) == set(b"xp")


@pytest.mark.parametrize("newline", [None, "", "\n", "\r\n"])
def test_text(key: objseal.Key, tmp_path: Path, newline: str | None) -> None:
    path, other = tmp_path / "sealed", tmp_path / "plain"
    text = "K\u00f6ln\nline\r\nlast"
    for encoding in ("utf-8", "utf-16", "latin-1"):
        with objseal.open(path, "wt", key=key, encoding=encoding, newline=newline) as file:
            assert file.write(text) == len(text)
            assert file.encoding == encoding
        assert file.info.length == len(objseal.unseal(path.read_bytes(), key=key))
        with other.open("w", encoding=encoding, newline=newline) as usual:
            usual.write(text)
        assert objseal.unseal(path.read_bytes(), key=key) == other.read_bytes()
        with objseal.open(path, "rt", key=key, encoding=encoding, newline=newline) as opened:
            with other.open(encoding=encoding, newline=newline) as usual:
                assert opened.readlines() == usual.readlines()
            assert opened.info.object_id == file.info.object_id
            with pytest.raises(TypeError, match="not pickled"):
                pickle.dumps(opened)
    with pytest.raises(FileExistsError):
        objseal.open(path, "xt", key=key)
    with objseal.open(tmp_path / "new", "xt", key=key, encoding="ascii", errors="replace") as file:
        file.write("K\u00f6ln")
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(file)
        with pytest.raises(objseal.ArgumentError, match="once the file is closed"):
            file.info
    with objseal.open(tmp_path / "new", "rt", key=key, encoding="ascii") as opened:
        assert opened.read() == "K?ln"


def test_text_is_there_or_not(key: objseal.Key, path: Path) -> None:
    with pytest.raises(LookupError), objseal.open(path, "wt", key=key) as file:
        file.write("x" * 1_000_000)
        raise LookupError
    assert file.closed and stays(path)
    file = objseal.open(path, "wt", key=key)
    file.write("x")
    file.abort()
    assert file.closed and stays(path)
    with pytest.raises(ValueError, match="closed"):
        file.write("x")
    wrongs: list[dict[str, Any]] = [{"encoding": "none"}, {"newline": "x"}]
    for wrong in wrongs:
        with pytest.raises((LookupError, ValueError)):
            objseal.open(path, "wt", key=key, **wrong)
    gc.collect()
    assert stays(path)
    for mode in ("rb", "wb", "xb"):
        for name in ("encoding", "errors", "newline"):
            with pytest.raises(objseal.ArgumentError, match=f"{name}: only text"):
                objseal.open(path, mode, key=key, **{name: "x"})  # type: ignore[call-overload]
    assert stays(path)


def test_text_is_in_the_encoding_of_the_locale(tmp_path: Path) -> None:
    """As that of `open`."""
    script = (
        "import objseal, sys\n"
        "for file in (open(sys.argv[1], 'w'), objseal.open(sys.argv[2], 'wt', key=bytes(32))):\n"
        "    print(file.encoding.lower())\n"
        "    file.close()\n"
    )
    for utf8, locale in (("1", "C"), ("0", "C.UTF-8"), ("0", "C")):
        environment = {**os.environ, "PYTHONUTF8": utf8, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0"}
        command: list[Any] = [sys.executable, "-c", script, tmp_path / "plain", tmp_path / "sealed"]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        assert said[0] == said[1], said


def test_closing_frees_the_descriptor(key: objseal.Key, path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    held: list[Any] = []
    before = descriptors()
    for mode in ("wb", "wt"):
        file: Any = objseal.open(path, mode, key=key)
        held += [file, file.buffer.raw if mode == "wt" else file.raw]
        assert descriptors() > before
        file.close()
        assert descriptors() == before
        file = objseal.open(path, mode, key=key)
        held += [file]
        file.abort()
        assert descriptors() == before


class Kept:
    """Counts how often it is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.closes = file, 0

    def write(self, data: bytes, /) -> int:
        return self.file.write(data)

    def close(self) -> None:
        self.closes += 1


def test_a_file_object_is_closed_by_its_owner(key: objseal.Key) -> None:
    kept = Kept(io.BytesIO())
    with objseal.open(kept, "wb", key=key) as file:
        file.write(b"x")
    objseal.seal_file(io.BytesIO(b"x"), kept, key=key)
    with contextlib.suppress(LookupError), objseal.open(kept, "wb", key=key) as file:
        raise LookupError
    assert kept.closes == 0
