"""Head and body apart, and objects in parts."""

from __future__ import annotations

import hashlib
import io
import pickle
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import GOLDEN, plain

import objseal
from objseal import envelope, parts

PLACE = {"bucket": "photos", "key": "cat.jpg", "upload": "17"}


@pytest.mark.parametrize("layers", [1, 2])
def test_head_and_body(keyring: objseal.Keyring, tmp_path: Path, layers: int) -> None:
    data = plain(100_000)
    made, body = envelope.seal(data, keyring=keyring, key="photos", context="c", layers=layers, digests=["md5", "sha256"])
    assert made.info.digests["md5"] == hashlib.md5(data).digest()
    opened = envelope.open(made.head, keyring=keyring, context="c")
    assert opened.info == made.info and opened.info.length == 100_000
    assert opened.unseal(body) == data
    reader = opened.reader(io.BytesIO(body))
    reader.seek(50_000)
    assert reader.read(10) == data[50_000:50_010]
    assert envelope.inspect(made.head).layers == layers
    rewrapped = opened.rewrap(key="server", keyring=keyring)
    assert rewrapped.info.generation == 2 and rewrapped.info.context == {"context": "c"}
    assert [key.key_id for key in rewrapped.info.keys] == ["server", "photos"][:layers], "what is not given stays"
    again = envelope.open(rewrapped.head, keyring=keyring, key=["server", "photos"][:layers], context="c")
    assert again.unseal(body) == data and again.info.digests == made.info.digests
    moved = again.rewrap(keyring=keyring, context={}, bound={"context": "d"})
    assert moved.info.keys == rewrapped.info.keys and moved.info.generation == 3
    assert envelope.open(moved.head, keyring=keyring, context={"context": "d"}).info.bound_keys == ["context"]
    with pytest.raises(objseal.KeyNotFound, match="cannot be kept"):
        again.rewrap(key=None, context="d")
    with pytest.raises(objseal.AuthenticationError):
        again.unseal(body[:-1])
    other, other_body = envelope.seal(data, keyring=keyring, key="photos", context="c", layers=layers)
    with pytest.raises(objseal.AuthenticationError):
        opened.unseal(other_body)
    with pytest.raises(objseal.FormatError):
        envelope.open(body, keyring=keyring)
    (tmp_path / "plain").write_bytes(data)
    streamed = envelope.seal_file(tmp_path / "plain", tmp_path / "body", keyring=keyring, key="photos", layers=layers)
    assert envelope.open(streamed.head, keyring=keyring).unseal((tmp_path / "body").read_bytes()) == data
    assert streamed.info.object_id.hex() in repr(streamed)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("inline_len", [0, 1_400])
def test_parts_in_any_order(keyring: objseal.Keyring, tmp_path: Path, layers: int, inline_len: int) -> None:
    data = plain(200_001)
    cuts = {1: data[:70_000], 3: data[70_000:70_001], 9: data[70_001:]}
    upload = parts.Upload.start(
        keyring=keyring, key="photos", context="c", bound={"at": "b/k"}, layers=layers, server_key="server", place=PLACE
    )
    state, bodies, stored = upload.state, {}, []
    numbers = [9, 1, 3, 1]
    random.Random(1).shuffle(numbers)
    etags: dict[int, str] = {}
    for number in numbers:
        # Each in what could be a process of its own.
        resumed = parts.Upload.resume(state, keyring=keyring, place=PLACE)
        assert resumed.object_id == upload.object_id
        assert resumed.unlock(keyring=keyring, context={"context": "c", "at": "b/k"}) is resumed
        if number == 9:
            (tmp_path / "part").write_bytes(cuts[9])
            receipt = resumed.seal_part_file(9, tmp_path / "part", tmp_path / "body", digests=["md5", "crc32"])
            body = (tmp_path / "body").read_bytes()
        else:
            body, receipt = resumed.seal_part(number, cuts[number], digests=["md5", "crc32"])
        assert receipt.salts[-1] == body[:24] and receipt.length == len(cuts[number])
        assert resumed.read_receipt(receipt.stored) == receipt
        bodies[number, receipt.salts[-1]] = body
        stored.append(receipt.stored)
        etags[number] = receipt.etag
    assert len(bodies) == 4, "the second attempt at part 1 has another salt"

    checksum, checksum_type = ("md5", "composite") if layers == 1 else (None, None)
    server = parts.Upload.resume(state, keyring=keyring, server_key="server", place=PLACE)
    done = server.complete(
        sorted(etags.items()), stored, inline_len=inline_len, checksum=checksum, checksum_type=checksum_type
    )
    assert (done.table is None) == (inline_len > 0)
    assert [upload.read_receipt(stored[at]).number for at in done.chosen] == [1, 3, 9]
    md5s = b"".join(hashlib.md5(part).digest() for _, part in sorted(cuts.items()))
    assert done.etag == f"{hashlib.md5(md5s).hexdigest()}-3" and done.length == len(data)
    assert done.composite_digests["md5"] == hashlib.md5(md5s).digest()
    assert int.from_bytes(done.digests["crc32"], "big") == zlib.crc32(data)
    opened = envelope.open(done.head, keyring=keyring, context={"context": "c", "at": "b/k"})
    assert opened.info.checksum_type == checksum_type
    for name in ("length", "digests", "composite_digests", "checksum_type", "etag"):
        assert getattr(opened.info, name) == getattr(done, name)
    assert opened.info.content == ("parts" if done.table is None else "parts with a table apart")
    table = parts.parts(opened, table=done.table)
    assert [(part.number, part.start, part.length) for part in table] == [(1, 0, 70_000), (3, 70_000, 1), (9, 70_001, 130_000)]
    assert all(len(bodies[part.number, part.salts[-1]]) == part.stored_length for part in table)
    md5s_of = {number: {"md5": hashlib.md5(part).digest()} if checksum else {} for number, part in cuts.items()}
    assert {part.number: part.digests for part in table} == md5s_of

    asked: list[int] = []

    def store(part: parts.Part) -> bytes:
        assert part.digests == md5s_of[part.number]
        asked.append(part.number)
        return bodies[part.number, part.salts[-1]]

    file = parts.open(opened, store, table=io.BytesIO(done.table) if done.table else None)
    assert file.read() == data
    asked.clear()
    file.seek(69_990)
    assert file.raw.read(20) == data[69_990:70_010] and asked == [1, 3, 9]
    found = parts.locate(opened, 69_990, 70_010, table=done.table)
    assert [(at.part.number, len(at.plaintext)) for at in found] == [(1, 10), (3, 1), (9, 9)]
    assert found[0].plaintext == range(69_990, 70_000)
    assert all(at.stored and at.stored.stop <= at.part.stored_length for at in found)
    with pytest.raises(objseal.ArgumentError):
        parts.locate(opened, 0, 200_002, table=done.table)
    with pytest.raises(objseal.ArgumentError):
        parts.locate(opened, 5, 4, table=done.table)

    # What does not belong.
    swapped = {1: 9, 3: 3, 9: 1}
    bad = parts.open(opened, lambda part: next(body for (n, _), body in bodies.items() if n == swapped[part.number]), table=done.table)
    with pytest.raises(objseal.AuthenticationError):
        bad.read()
    with pytest.raises(LookupError):
        parts.open(opened, lambda part: dict[int, bytes]()[part.number], table=done.table).read()
    with pytest.raises(objseal.ArgumentError, match="parts"):
        opened.unseal(b"")
    if done.table is not None:
        with pytest.raises(objseal.ArgumentError):
            parts.open(opened, store)
        with pytest.raises(objseal.AuthenticationError):
            parts.open(opened, store, table=done.table[:-72])


def test_what_does_not_make_an_object(key: objseal.Key) -> None:
    upload = parts.Upload.start(key=key, server_key=key, place=PLACE)
    other = parts.Upload.start(key=key, server_key=key, place=PLACE)
    _, one = upload.seal_part(1, b"one", etag="e1")
    _, two = upload.seal_part(2, b"two", etag="e2")
    _, foreign = other.seal_part(1, b"one", etag="e1")
    receipts = [one.stored, two.stored]
    refused = [
        ([], receipts, "1 to 10,000 parts"),
        ([(2, "e2"), (1, "e1")], receipts, "not in order"),
        ([(1, "e1"), (1, "e1")], receipts, "named twice"),
        ([(1, "e2")], receipts, "another ETag"),
        ([(3, "e3")], receipts, "not uploaded"),
        ([(0, "e1")], receipts, "from 1 to 10,000"),
    ]
    for named, stored, words in refused:
        with pytest.raises(objseal.PartsError, match=words):
            upload.complete(named, stored)
    with pytest.raises(objseal.AuthenticationError):
        upload.complete([(1, "e1")], [foreign.stored])
    with pytest.raises(objseal.PartsError, match="part 1 was sealed without digests=\"sha256\""):
        upload.complete([(1, "e1")], receipts, checksum="sha256")
    with pytest.raises(objseal.ArgumentError, match="no such digest; known are: sha256"):
        upload.complete([(1, "e1")], receipts, checksum="md4")
    with pytest.raises(objseal.ArgumentError, match="full_object or composite"):
        upload.complete([(1, "e1")], receipts, checksum_type="COMPOSITE")
    for number in (0, 10_001):
        with pytest.raises(objseal.PartsError):
            upload.seal_part(number, b"")
    for state in (upload.state[:-1], b"", one.stored):
        with pytest.raises((objseal.AuthenticationError, objseal.FormatError)):
            parts.Upload.resume(state, server_key=key, place=PLACE)
    with pytest.raises(objseal.AuthenticationError, match="another key of that name"):
        parts.Upload.resume(upload.state, server_key=objseal.Key.generate(), place=PLACE)
    for place in ({}, {**PLACE, "key": "dog.jpg"}):
        with pytest.raises(objseal.AuthenticationError):
            parts.Upload.resume(upload.state, server_key=key, place=place)
    with pytest.raises(objseal.PolicyError):
        parts.Upload.resume(upload.state, server_key=key, place=PLACE).unlock(key=key, context="another")
    with pytest.raises(TypeError, match="state"):
        pickle.dumps(upload)
    done = upload.complete([(1, "e1"), (2, "e2")], receipts, etag="mine")
    assert done.etag == "mine" and done.length == 6
    assert envelope.open(done.head, key=key).info.etag == "mine"


def test_each_step_takes_its_own_key(keyring: objseal.Keyring) -> None:
    server = objseal.Key.generate()
    how: dict[str, Any] = {"server_key": server, "place": PLACE}
    upload = parts.Upload.start(keyring=keyring, key="photos", context="c", **how)
    body, receipt = upload.seal_part(1, b"sealed by whoever began it")
    assert not any(value.encode() in upload.state for value in PLACE.values())

    resumed = parts.Upload.resume(upload.state, **how)
    assert resumed.read_receipt(receipt.stored) == receipt
    locked: list[Callable[[], object]] = [
        lambda: resumed.seal_part(2, b"x"),
        lambda: resumed.seal_part_file(2, io.BytesIO(b"x"), io.BytesIO()),
    ]
    for call in locked:
        with pytest.raises(objseal.KeyNotFound, match=r"unlock\(key="):
            call()
    refused: list[tuple[type[objseal.Error], dict[str, Any]]] = [
        (objseal.KeyNotFound, {"key": server, "context": "c"}),
        (objseal.KeyNotFound, {"keyring": keyring, "key": "outer", "context": "c"}),
        (objseal.KeyNotFound, {"keyring": keyring, "context": "c", "policy": objseal.Policy(inner_services=["aws"])}),
        (objseal.PolicyError, {"keyring": keyring}),
        (objseal.PolicyError, {"keyring": keyring, "context": "c", "policy": objseal.Policy(minimum_layers=2)}),
    ]
    for kind, object_of in refused:
        with pytest.raises(kind):
            resumed.unlock(**object_of)
        with pytest.raises(objseal.KeyNotFound, match="unlock"):
            resumed.seal_part(2, b"x")
    done = resumed.complete([(1, receipt.etag)], [receipt.stored])

    bodies = {1: body}
    bodies[2], second = resumed.unlock(keyring=keyring, context="c").seal_part(2, b", and more")
    both = resumed.complete([(1, receipt.etag), (2, second.etag)], [receipt.stored, second.stored])
    for completed, plaintext in ((done, b"sealed by whoever began it"), (both, b"sealed by whoever began it, and more")):
        opened = envelope.open(completed.head, keyring=keyring, context="c")
        assert parts.open(opened, lambda part: bodies[part.number], table=completed.table).read() == plaintext


def test_which_key_an_upload_state_may_be_under(keyring: objseal.Keyring) -> None:
    state = parts.Upload.start(keyring=keyring, key="photos", server_key="server", place=PLACE).state
    parts.Upload.resume(state, keyring=keyring, server_key="server", place=PLACE)
    policy = objseal.Policy(services=["keyring"], key_ids=["server"])
    parts.Upload.resume(state, keyring=keyring, policy=policy, place=PLACE)
    for policy in [objseal.Policy(inner_services=["aws"], inner_key_ids=["photos"]), objseal.Policy(minimum_layers=2)]:
        with pytest.raises(objseal.ArgumentError, match="unlock"):
            parts.Upload.resume(state, keyring=keyring, policy=policy, place=PLACE)
    refused: list[dict[str, Any]] = [
        {"server_key": "photos"},
        {"policy": objseal.Policy(key_ids=["photos"])},
        {"policy": objseal.Policy(services=["aws"])},
    ]
    for how in refused:
        with pytest.raises(objseal.KeyNotFound) as caught:
            parts.Upload.resume(state, keyring=keyring, place=PLACE, **how)
        assert caught.value.wanted == (("keyring", "server", 1),)
    with pytest.raises(objseal.KeyNotFound):
        parts.Upload.start(keyring=keyring, key="photos", server_key="nobody", place=PLACE)


@pytest.mark.parametrize("line", (GOLDEN / "parts.tsv").read_text().splitlines()[1:], ids=lambda line: line.split("\t")[0])
def test_golden_objects_in_parts_open(golden_keyring: objseal.Keyring, line: str) -> None:
    name, layers, table_is, pairs, bound, checksum, checksum_type = line.split("\t")
    folder = GOLDEN / name
    context = dict(pair.split("=") for pair in pairs.split(";"))
    opened = envelope.open((folder / "envelope").read_bytes(), keyring=golden_keyring, context=context)
    assert opened.info.layers == int(layers) and opened.info.context == context
    assert opened.info.bound_keys == (bound.split(";") if bound != "-" else [])
    assert opened.info.checksum_type == (checksum_type.replace(" ", "_") if checksum_type != "-" else None)
    table = folder / "table" if table_is == "detached" else None
    file = parts.open(opened, lambda part: (folder / f"{part.number}.part").read_bytes(), table=table)
    assert file.read() == bytes(i % 251 for i in range(40_000))
    upload = parts.Upload.resume(
        (folder / "upload").read_bytes(), keyring=golden_keyring, server_key="second",
        place={"bucket": "photos", "key": "cats/cat.jpg", "upload id": "17"},
    )
    upload.unlock(keyring=golden_keyring, context=context)
    digests = {part.number: part.digests for part in parts.parts(opened, table=table)}
    for number in (1, 2, 10):
        receipt = upload.read_receipt((folder / f"{number}.receipt").read_bytes())
        assert receipt.number == number and len(receipt.digests) == 10
        assert digests[number] == ({checksum: receipt.digests[checksum]} if checksum != "-" else {})
