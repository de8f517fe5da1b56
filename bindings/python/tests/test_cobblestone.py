"""Bare messages: vectors, tampering, any split, and PyCA's implementation of the same format."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable

import cryptography
import pytest
from conftest import CHUNK, SIZES, plain, wycheproof
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from hypothesis import given, settings
from hypothesis import strategies as st

import objseal
from objseal import cobblestone

KEY = bytes(range(32))


def test_vectors() -> None:
    valid = refused = 0
    for case in wycheproof("c2sp_chunked_encryption_aes_256_gcm_test.json"):
        key, context = bytes.fromhex(str(case["key"])), bytes.fromhex(str(case["ctx"]))
        message = zlib.decompress(bytes.fromhex(str(case["ct"])))
        if len(key) != 32:
            with pytest.raises(objseal.ArgumentError):
                cobblestone.open(key, message, context)
            refused += 1
        elif case["result"] == "valid":
            opened = cobblestone.open(key, message, context)
            assert hashlib.sha512(opened).hexdigest() == case["msgSha512"], case["comment"]
            assert cobblestone.reader(key, message, context).read() == opened
            valid += 1
        else:
            for shape in (bytes, bytearray):
                with pytest.raises(objseal.AuthenticationError):
                    cobblestone.open(key, shape(message), context)
            refused += 1
    print(f"wycheproof: {valid} opened, {refused} refused")
    assert valid + refused == 35 and valid > 5 and refused > 5


@pytest.mark.parametrize("threads", [1, 2])
def test_sizes_and_pyca(threads: int) -> None:
    for size in SIZES:
        data, context = plain(size), b"context"
        message = cobblestone.seal(KEY, data, context, threads=threads)
        assert len(message) == cobblestone.sealed_len(size)
        assert cobblestone.plaintext_len(len(message)) == size
        assert cobblestone.largest_plaintext_len(len(message)) == size
        theirs = Cobblestone256Decryptor(KEY, context)
        assert theirs.update(message) + theirs.finalize() == data
        other = Cobblestone256Encryptor(KEY, context)
        message = other.update(data) + other.finalize()
        for shape in (bytes, bytearray):
            assert cobblestone.open(KEY, shape(message), context, threads=threads) == data
    print(f"PyCA cryptography {cryptography.__version__}: {len(SIZES)} messages each way, {threads} threads")


def test_into() -> None:
    data = plain(50_000)
    for shape in (bytes, bytearray):
        out = bytearray(cobblestone.sealed_len(len(data)) + 1)
        length = cobblestone.seal_into(KEY, shape(data), out, b"c")
        assert length == len(out) - 1
        room = bytearray(b"x" * len(data))
        assert cobblestone.open_into(KEY, shape(out[:length]), room, b"c") == len(data)
        assert room == data
        out[30_000] ^= 1
        with pytest.raises(objseal.AuthenticationError):
            cobblestone.open_into(KEY, shape(out[:length]), room, b"c")
        assert not any(room)
        room[:] = b"x" * len(data)
        with pytest.raises(objseal.AuthenticationError):
            cobblestone.open_into(KEY, b"too short", room, b"c")
        assert not any(room)


def test_sizes_that_are_none() -> None:
    for length in [0, 71, 72 + CHUNK, (1 << 52) * 2]:
        with pytest.raises(objseal.ArgumentError):
            cobblestone.plaintext_len(length)
    with pytest.raises(objseal.LimitError):
        cobblestone.sealed_len(1 << 60)
    with pytest.raises(objseal.ArgumentError):
        cobblestone.sealed_range(5, 4, cobblestone.sealed_len(10))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3 * CHUNK + 5), st.lists(st.integers(0, 2 * CHUNK), max_size=8))
def test_any_split_gives_the_same(size: int, cuts: list[int]) -> None:
    data = plain(size)
    sealer, opener = cobblestone.Sealer(KEY, b"c"), cobblestone.Opener(KEY, b"c")
    message = b"".join(map(sealer.update, pieces(data, cuts))) + sealer.finalize()
    assert cobblestone.open(KEY, message, b"c") == data
    opened = b"".join(map(opener.update, pieces(message, cuts))) + opener.finalize()
    assert opened == data


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    found, at = [], 0
    for cut in cuts:
        found.append(data[at : at + cut])
        at += cut
    return [*found, data[at:]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4 * CHUNK), st.data())
def test_any_range_gives_the_same(size: int, draw: st.DataObject) -> None:
    data = plain(size)
    file = cobblestone.reader(KEY, io.BytesIO(cobblestone.seal(KEY, data)))
    for _ in range(3):
        start = draw.draw(st.integers(0, size))
        length = draw.draw(st.integers(0, size - start))
        assert file.seek(start) == start
        assert file.read(length) == data[start : start + length]


def test_streams_end_after_an_error() -> None:
    message = bytearray(cobblestone.seal(KEY, plain(40_000)))
    message[20_000] ^= 1
    opener = cobblestone.Opener(KEY)
    assert opener.update(message[:17_000]) == plain(40_000)[:CHUNK]
    with pytest.raises(objseal.AuthenticationError):
        opener.update(message[17_000:])
    calls: list[Callable[[], bytes]] = [lambda: opener.update(b""), opener.finalize, opener.finalize]
    for call in calls:
        with pytest.raises(objseal.AuthenticationError):
            call()
    opener = cobblestone.Opener(KEY, b"another context")
    with pytest.raises(objseal.AuthenticationError):
        opener.update(message)
    opener = cobblestone.Opener(KEY)
    opener.update(message[:30])
    for call in (opener.finalize, opener.finalize, lambda: opener.update(message)):
        with pytest.raises(objseal.AuthenticationError):
            call()
    opener, room = cobblestone.Opener(KEY), bytearray(100)
    whole = cobblestone.seal(KEY, plain(CHUNK + 1))
    with pytest.raises(objseal.ArgumentError, match="output buffer"):
        opener.update_into(whole, room)
    assert opener.update(whole) + opener.finalize() == plain(CHUNK + 1), "a refused call takes nothing in"
    for call in (opener.finalize, lambda: opener.update(b"")):
        with pytest.raises(objseal.ArgumentError, match="finished"):
            call()
    sealer = cobblestone.Sealer(KEY)
    out = bytearray(100)
    assert sealer.update_into(b"data", out) == 56
    with pytest.raises(objseal.ArgumentError, match="output buffer"):
        sealer.update_into(plain(CHUNK), out)
    assert cobblestone.open(KEY, bytes(out[:56]) + sealer.finalize()) == b"data", "a refused call takes nothing in"
