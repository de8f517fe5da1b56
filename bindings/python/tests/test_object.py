"""Sealed objects in memory."""

from __future__ import annotations

import hashlib
import io
import mmap
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy
import pyarrow
import pytest
from conftest import GOLDEN, SIZES, plain

import objseal


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("threads", [1, 3])
def test_every_size_comes_back(key: objseal.Key, layers: int, threads: int) -> None:
    for size in SIZES:
        data = plain(size)
        sealed = objseal.seal(data, key=key, layers=layers, threads=threads)
        assert len(sealed) == objseal.sealed_len(size, key=key, layers=layers)
        assert objseal.unseal(sealed, key=key, threads=threads) == data
        assert data[:32] not in sealed or size < 32


def as_mmap(data: bytes, folder: Path) -> mmap.mmap:
    path = folder / "mapped"
    path.write_bytes(data)
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


KINDS: list[Callable[[bytes, Path], object]] = [
    lambda data, _: bytearray(data),
    lambda data, _: memoryview(data),
    lambda data, _: memoryview(bytearray(b"x" + data + b"x"))[1:-1],
    as_mmap,
    lambda data, _: numpy.frombuffer(data, dtype=numpy.uint8),
    lambda data, _: numpy.frombuffer(data, dtype=numpy.float64).reshape(2, -1),
    lambda data, _: pyarrow.py_buffer(data),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 3])
def test_any_buffer_goes_in(
    key: objseal.Key, tmp_path: Path, kind: Callable[[bytes, Path], objseal._types.Buffer], threads: int
) -> None:
    data = plain(1_000_000)
    sealed = objseal.seal(kind(data, tmp_path), key=key, threads=threads)
    assert objseal.unseal(kind(sealed + b"", tmp_path) if len(sealed) % 16 == 0 else sealed, key=key) == data
    message = objseal.cobblestone.seal(key, kind(data, tmp_path), b"c", threads=threads)
    assert objseal.cobblestone.open(key, message, b"c") == data
    padded = message + bytes(-len(message) % 16)
    view = memoryview(kind(padded, tmp_path)).cast("B")[: len(message)]  # type: ignore[arg-type]
    assert objseal.cobblestone.open(key, view, b"c", threads=threads) == data


def test_into_memory_of_the_caller(key: objseal.Key) -> None:
    data = plain(100_000)
    out = numpy.zeros(objseal.sealed_len(len(data), key=key) + 10, dtype=numpy.uint8)
    length = objseal.seal_into(data, out, key=key)
    assert length == len(out) - 10 and not out[length:].any()
    sealed = out[:length].tobytes()
    room = bytearray(b"x" * 100_001)
    assert objseal.unseal_into(sealed, room, key=key) == 100_000
    assert room == data + b"x", "what is not needed stays"

    # It fails, and what was there does not pass for plaintext.
    changed = bytearray(sealed)
    changed[-50_000] ^= 1
    with pytest.raises(objseal.AuthenticationError):
        objseal.unseal_into(changed, room, key=key)
    assert not any(room)


def test_arguments_that_make_no_sense(key: objseal.Key, keyring: objseal.Keyring) -> None:
    data, sealed = b"data", objseal.seal(b"data", key=key)
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: objseal.seal(data, key=b"short"), "a key is 32 bytes long, and 5 were given"),
        (lambda: objseal.seal(data, key="photos"), "keyring="),
        (lambda: objseal.seal(data, key=["photos"]), "keyring="),
        (lambda: objseal.seal(data, key=key, keyring=keyring), "key: the name of a key in the keyring"),
        (lambda: objseal.seal(data, key=[], keyring=keyring), "key: the name"),
        (lambda: objseal.seal(data, key=key, layers=3), "layers=3: 1 or 2"),
        (lambda: objseal.seal(data, key="photos", keyring=keyring, outer_key="outer"), "without layers=2"),
        (lambda: objseal.seal(data, key=key, layers=2, outer_key="outer"), "two root keys need a keyring"),
        (lambda: objseal.seal(data, key=key, context=b"\xff"), "not UTF-8"),
        (lambda: objseal.seal(data, key=key, context=5), "context: pairs of text"),  # type: ignore[arg-type]
        (lambda: objseal.seal(data, key=key, context={"a": 5}), "are text"),  # type: ignore[dict-item]
        (lambda: objseal.seal(data, key=key, context={"a": "b" * 9_000}), "at most 64 pairs and 8 KiB"),
        (lambda: objseal.seal(data, key=key, bound={"a": "b" * 9_000}), "at most 64 pairs and 8 KiB"),
        (lambda: objseal.seal(data, key=key, context={"": "b"}), "a key is empty"),
        (lambda: objseal.seal(data, key=key, context={"a": "b"}, bound={"a": "b"}), "stored and one that is bound"),
        (lambda: objseal.seal(data, key=key, bound={"a": 5}), "are text"),  # type: ignore[dict-item]
        (lambda: objseal.seal(data, key=key, threads=-1), "threads=-1: 1 to 1,000"),
        (lambda: objseal.seal(data, key=key, threads=1_001), "threads=1001"),
        (lambda: objseal.seal(data, key=key, digests=["md4"]), "no such digest; known are: sha256"),
        (lambda: objseal.seal(data, key=key, engine="none"), "no such engine; known are:"),
        (lambda: objseal.seal(numpy.zeros((4, 4))[:, 1], key=key), "not in one piece"),
        (lambda: objseal.seal_into(data, bytearray(10), key=key), "the output buffer has 10 bytes"),
        (lambda: objseal.seal_into(data, bytes(10_000), key=key), "read-only"),
        (lambda: objseal.unseal(sealed), "key= is needed, or keyring="),
        (lambda: objseal.unseal(sealed, key=key, policy=objseal.Policy(object_id=b"x")), "32 bytes"),
        (lambda: objseal.unseal(sealed, key=key, policy=objseal.Policy(suites=["AES"])), "known is Cobblestone-256"),
    ]
    for call, words in refused:
        with pytest.raises(objseal.ArgumentError, match=words):
            call()
    with pytest.raises(TypeError, match="layer"):
        objseal.seal(data, key=key, layer=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        objseal.seal("text", key=key)  # type: ignore[arg-type]
    same = bytearray(100_000)
    with pytest.raises(objseal.ArgumentError, match="share memory"):
        objseal.seal_into(memoryview(same)[:100], same, key=key)
    with pytest.raises(objseal.EngineError, match="two implementations"):
        objseal.seal(data, key=key, layers=2, engine="aes-ni", outer_engine="aes-ni")


def test_contexts(key: objseal.Key) -> None:
    forms: list[tuple[dict[str, str] | str | bytes, dict[str, str]]] = [
        (b"", {}),
        ("", {}),
        ({}, {}),
        (b"invoices/17", {"context": "invoices/17"}),
        ("Köln", {"context": "Köln"}),
        ({"name": "a", "empty": ""}, {"name": "a", "empty": ""}),
    ]
    for given, pairs in forms:
        sealed = objseal.seal(b"x", key=key, context=given)
        assert objseal.inspect(sealed).context == pairs
        assert objseal.unseal(sealed, key=key, context=given) == b"x"
        assert objseal.unseal(sealed, key=key, context=objseal.ANY) == b"x"
        with pytest.raises(objseal.PolicyError, match="context"):
            objseal.unseal(sealed, key=key, context="another")


def test_pairs_that_are_bound_and_not_stored(key: objseal.Key) -> None:
    place, stored = {"bucket": "photos", "key": "2026/cat.jpg"}, {"owner": "me"}
    sealed = objseal.seal(b"x", key=key, context=stored, bound=place)
    facts = objseal.inspect(sealed)
    assert facts.context == stored and facts.bound_keys == ["bucket", "key"] and b"cat.jpg" not in sealed
    accepted: list[objseal._types.Demanded] = [{**place, **stored}, objseal.Known(place)]
    for context in accepted:
        with objseal.open(io.BytesIO(sealed), key=key, context=context) as file:
            assert file.read() == b"x"
            assert file.info.context == {**place, **stored} and file.info.bound_keys == ["bucket", "key"]
    elsewhere = {**place, "key": "2026/dog.jpg"}
    others: list[objseal._types.Demanded] = [{**elsewhere, **stored}, objseal.Known(elsewhere)]
    for context in others:
        with pytest.raises(objseal.AuthenticationError):
            objseal.unseal(sealed, key=key, context=context)
    refused: list[objseal._types.Demanded] = [
        place, stored, objseal.ANY, objseal.Known({}), objseal.Known(stored), objseal.Known({"bucket": "photos"}),
        objseal.Known({**place, "more": ""}),
    ]
    for context in refused:
        with pytest.raises(objseal.PolicyError, match="context"):
            objseal.unseal(sealed, key=key, context=context)
    with pytest.raises(objseal.PolicyError, match="context"):
        objseal.unseal(objseal.seal(b"x", key=key), key=key, context=objseal.Known(place))
    assert objseal.unseal(objseal.seal(b"x", key=key, context=stored), key=key, context=objseal.Known({})) == b"x"


def test_every_digest(key: objseal.Key) -> None:
    known = {
        "sha256": hashlib.sha256(b"123456789").hexdigest(),
        "crc64nvme": "ae8b14860a799888",
        "crc32c": "e3069283",
        "crc32": "cbf43926",
        "sha1": hashlib.sha1(b"123456789").hexdigest(),
        "md5": hashlib.md5(b"123456789").hexdigest(),
        "sha512": hashlib.sha512(b"123456789").hexdigest(),
        "xxhash64": "8cb841db40e6ae83",
        "xxhash3": "72dcb18b67a17dff",
        "xxhash128": "33119477ede5dcd5e9716427681d5860",
    }
    sealed = objseal.seal(b"123456789", key=key, digests=known)
    with objseal.open(io.BytesIO(sealed), key=key) as file:
        assert {name: digest.hex() for name, digest in file.info.digests.items()} == known


def test_what_is_refused_and_how(key: objseal.Key, keyring: objseal.Keyring) -> None:
    sealed = objseal.seal(plain(40_000), key=key)
    with pytest.raises(objseal.AuthenticationError):
        objseal.unseal(sealed, key=objseal.Key.generate())
    for at in [9_000, 20_000, len(sealed) - 1, len(sealed) - 60]:
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(objseal.AuthenticationError):
            objseal.unseal(changed, key=key)
    for cut in [sealed[:-1], sealed[:-20_000], sealed + b"\0"]:
        with pytest.raises(objseal.AuthenticationError):
            objseal.unseal(cut, key=key)
    for other in [b"", b"x" * 100, plain(20_000)]:
        with pytest.raises(objseal.FormatError):
            objseal.unseal(other, key=key)
    with pytest.raises(objseal.AuthenticationError, match='another key of that name: version 1 of "key" of "single-key"'):
        objseal.unseal(sealed, key=objseal.Key.generate())
    with pytest.raises(objseal.KeyNotFound) as caught:
        objseal.unseal(sealed, keyring=keyring)
    assert caught.value.wanted == (("single-key", "key", 1),)
    assert "single-key" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).wanted == caught.value.wanted
    with pytest.raises(objseal.KeyNotFound):
        objseal.seal(b"x", keyring=keyring, key="nobody")
    failed = pickle.loads(pickle.dumps(objseal.KeyServiceError("try later", "throttled", True)))
    assert (str(failed), failed.kind, failed.transient) == ("try later", "throttled", True)
    photos = objseal.seal(b"x", keyring=keyring, key=["photos", "server"])
    assert objseal.unseal(photos, keyring=keyring) == b"x"
    assert objseal.unseal(photos, keyring=keyring, key="server") == b"x"
    with pytest.raises(objseal.KeyNotFound):
        objseal.unseal(photos, keyring=keyring, key="outer")


def test_policy(keyring: objseal.Keyring) -> None:
    one = objseal.seal(b"x", keyring=keyring, key="photos")
    two = objseal.seal(b"x", keyring=keyring, key="photos", layers=2, outer_key="outer", check=True)
    facts = objseal.inspect(two)
    assert [(key.layer, key.key_id, key.kind) for key in facts.keys] == [(1, "photos", "local"), (2, "outer", "local")]
    layered = objseal.Policy(minimum_layers=2)
    assert objseal.unseal(two, keyring=keyring, policy=layered) == b"x"
    demands = [
        (one, layered, "fewer layers"),
        (two, objseal.Policy(minimum_generation=2), "older"),
        (two, objseal.Policy(object_id=bytes(32)), "object id"),
    ]
    for sealed, policy, words in demands:
        with pytest.raises(objseal.PolicyError, match=words):
            objseal.unseal(sealed, keyring=keyring, policy=policy)
    inner, outer = (("keyring", "photos", 1),), (("keyring", "outer", 1),)
    refused = [
        (two, objseal.Policy(key_ids=["photos"]), outer),
        (two, objseal.Policy(services=["aws"]), inner),
        (two, objseal.Policy(inner_key_ids=["outer"]), inner),
        (two, objseal.Policy(inner_services=["aws"]), inner),
        (two, objseal.Policy(outer_key_ids=["photos"]), outer),
        (two, objseal.Policy(outer_services=["aws"]), outer),
        (two, objseal.Policy(key_ids=["photos"], outer_key_ids=["outer"]), outer),
        (one, objseal.Policy(inner_key_ids=["outer"]), inner),
        (one, objseal.Policy(inner_services=["aws"]), inner),
    ]
    for sealed, policy, wanted in refused:
        with pytest.raises(objseal.KeyNotFound) as caught:
            objseal.unseal(sealed, keyring=keyring, policy=policy)
        assert caught.value.wanted == wanted, "the layer that nobody may open"
    exact = objseal.Policy(
        object_id=facts.object_id,
        suites=["Cobblestone-256"],
        services=["keyring"],
        inner_services=["keyring"],
        inner_key_ids=["photos"],
        outer_services=["keyring"],
        outer_key_ids=["outer"],
    )
    assert objseal.unseal(two, keyring=keyring, policy=exact) == b"x"
    swapped = objseal.seal(b"x", keyring=keyring, key="outer", layers=2, outer_key="photos")
    with pytest.raises(objseal.KeyNotFound):
        objseal.unseal(swapped, keyring=keyring, policy=objseal.Policy(inner_key_ids=["photos"], outer_key_ids=["outer"]))
    no_outer = objseal.Policy(inner_key_ids=["photos"], outer_key_ids=[])
    assert objseal.unseal(one, keyring=keyring, policy=no_outer) == b"x", "one layer is an inner one"
    with pytest.raises(TypeError, match="key_ids"):
        objseal.unseal(one, keyring=keyring, policy=objseal.Policy(key_ids="photos"))


def test_every_engine_opens_what_any_other_sealed(key: objseal.Key) -> None:
    names = objseal.engines()
    assert {"soft", "rustcrypto", "aws-lc"} <= set(names)
    data = plain(70_000)
    for sealer in names:
        sealed = objseal.seal(data, key=key, engine=sealer)
        for opener in names:
            assert objseal.unseal(sealed, key=key, engine=opener) == data
    print(f"engines: {', '.join(names)}")


def test_golden_files_open(golden_keyring: objseal.Keyring) -> None:
    count = 0
    for line in (GOLDEN / "manifest.tsv").read_text().splitlines()[1:]:
        name, length, context, keys, _, generation, slots = line.split("\t")
        pairs = dict(pair.split("=") for pair in context.split(";")) if context != "-" else {}
        stored = (GOLDEN / name).read_bytes()
        facts = objseal.inspect(stored)
        assert facts.generation == int(generation) and facts.layers == 1 + keys.count("+")
        assert facts.slots == {"same": "same", "older": "one older", "damaged": "one damaged"}[slots.split()[0]]
        policy = objseal.Policy(key_ids=keys.split("+"))
        if keys == "key":
            opened = objseal.unseal(stored, key=(GOLDEN / "single-key").read_bytes(), context=pairs, policy=policy)
        else:
            opened = objseal.unseal(stored, keyring=golden_keyring, context=pairs, policy=policy)
        assert opened == bytes(i % 251 for i in range(int(length))), name
        count += 1
    kinds = {"object": ["object"], "shared": ["shared"], "customer": ["customer"], "layers": ["shared", "customer"]}
    for name, kind in kinds.items():
        assert [key.kind for key in objseal.inspect(GOLDEN / "wrapping-keys" / f"{name}.sealed").keys] == kind
    print(f"golden files: {count}")
    assert count >= 15
