"""The server as it runs: its signals, its files, and what it says and does not say."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

import peers
from peers import outcome
from program import PROGRAM, AccessKey, Gateway, arn

TOOK = "took the credentials of "
REFUSED = "UnrecognizedClientException"
# Plaintexts that can be found again, in whatever base64 they are.
MARK = b"a plaintext that is nowhere to be seen."


def asks(gateway: Gateway, key: AccessKey) -> str:
    """What whoever has an access key is answered."""
    return outcome(peers.client(gateway, key).list_keys)


def test_a_signal_takes_new_access_keys_and_drops_those_that_are_gone(alone: Gateway) -> None:
    first = alone.add(arn("root"))
    alone.start()
    second = alone.add(arn("root"))
    assert [asks(alone, key) for key in (first, second)] == ["Success", REFUSED]
    assert alone.reload().startswith(TOOK)
    assert [asks(alone, key) for key in (first, second)] == ["Success", "Success"]
    # A client that was connected before is no exception.
    kms = peers.client(alone, first)
    kms.list_keys()
    alone.remove(first)
    assert outcome(kms.list_keys) == "Success"
    assert alone.reload().startswith(TOOK)
    assert outcome(kms.list_keys) == REFUSED and asks(alone, second) == "Success"


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"credentials": [{"access_key_id": "a"}]}', None, "readable"])
def test_a_file_that_is_broken_changes_nothing(alone: Gateway, broken: str | None) -> None:
    key = alone.add(arn("root"))
    alone.start()
    file = alone.access_keys
    good = file.read_text()
    match broken:
        case None:
            file.unlink()
        case "readable":
            file.chmod(0o644)
        case text:
            file.write_text(text)
    assert alone.reload().startswith("kept the old credentials: ")
    assert asks(alone, key) == "Success"
    # With all that is right again it goes on.
    file.write_text(good)
    file.chmod(0o600)
    assert alone.reload().startswith(TOOK)
    assert asks(alone, key) == "Success"


def test_what_was_done_is_there_after_an_end(alone: Gateway) -> None:
    somebody = alone.add(arn("root"))
    kms = peers.client(alone.start(), somebody)
    key = kms.create_key(Description="stays")["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/stays", TargetKeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=MARK)["CiphertextBlob"]
    certificate = alone.ca.read_bytes()
    # It ends though a client is connected.
    assert alone.stop() == 0
    kms = peers.client(alone.start(), somebody)
    assert alone.ca.read_bytes() == certificate
    assert kms.describe_key(KeyId="alias/stays")["KeyMetadata"]["Description"] == "stays"
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == MARK


def forms(secret: bytes) -> set[bytes]:
    """A secret as it may be written: as it is, in hexadecimal, in base64 whatever stands before it."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        # The characters that have bits of nothing but the secret.
        found.add(text[[0, 2, 3][shift] : len(text) - 4])
    return found


def test_secrets_are_nowhere(alone: Gateway) -> None:
    root, mallory = alone.add(arn("root")), alone.add(arn("user/mallory"))
    kms = peers.client(alone.start(), root)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    secrets = {MARK, *(secret.encode() for secret in alone.secrets)}
    blob = kms.encrypt(KeyId=key, Plaintext=MARK, EncryptionContext={"a": "is no secret"})["CiphertextBlob"]
    for _ in range(20):
        secrets.add(kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"])
    secrets.add(kms.generate_random(NumberOfBytes=64)["Plaintext"])
    # What fails as well: a wrong context, too long a plaintext, no rights, a wrong secret.
    assert outcome(lambda: kms.decrypt(CiphertextBlob=blob)) == "InvalidCiphertextException"
    assert outcome(lambda: kms.encrypt(KeyId=key, Plaintext=MARK * 200)) == "ValidationException"
    assert outcome(lambda: kms.encrypt(KeyId="no key", Plaintext=MARK)) == "NotFoundException"
    other = peers.client(alone, mallory)
    assert outcome(lambda: other.encrypt(KeyId=key, Plaintext=MARK)) == "AccessDeniedException"
    wrong = AccessKey(root.id, mallory.secret, root.principal)
    assert asks(alone, wrong) == "InvalidSignatureException"
    assert alone.reload().startswith(TOOK)
    assert alone.stop() == 0

    told = alone.told().encode()
    assert b"refused a request from 127.0.0.1: InvalidSignatureException" in told
    audit = b"".join(path.read_bytes() for path in (alone.folder / "keys.kms.audit").iterdir())
    assert b"is no secret" in audit and b"AccessDeniedException" in audit
    files = [path for path in alone.folder.rglob("*") if path.is_file() and path != alone.access_keys]
    places = {"stdout and stderr": told} | {path.name: path.read_bytes() for path in files}
    assert "keys.kms" in places
    for secret in secrets:
        for form in forms(secret):
            assert not [name for name, text in places.items() if form in text]


def test_files_with_secrets_are_for_their_owner(alone: Gateway) -> None:
    alone.add(arn("root"))
    alone.start()
    public = {"ca.pem", "certificate.pem", "policy.json"}
    for path in alone.folder.rglob("*"):
        if path.is_file() and path.stat().st_size > 0 and path.name not in public:
            assert path.stat().st_mode & 0o077 == 0, path


def fails(gateway: Gateway, *options: str | Path) -> str:
    """What is said on standard error when it does not start."""
    store = ["--store", gateway.folder / "keys.kms", "--store-key", f"file:{gateway.folder / 'store.key'}"]
    ended = subprocess.run([PROGRAM, "kms", *store, *options], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode != 0 and ended.stdout == ""
    return ended.stderr


def test_it_does_not_start_with_what_is_wrong(alone: Gateway) -> None:
    tls = ["--tls", alone.folder / "tls"]
    access = ["--credentials", alone.access_keys]
    assert "`objseal-gateway credential add` makes it" in fails(alone, *access, *tls)
    alone.add(arn("root"))
    assert "--tls <FOLDER>" in fails(alone, *access)
    assert "loopback" in fails(alone, *access, "--no-tls", "--listen", "0.0.0.0:0")
    alone.access_keys.chmod(0o640)
    assert "its permissions are 640" in fails(alone, *access, *tls)
    alone.access_keys.chmod(0o600)
    key = alone.folder / "store.key"
    alone.start()
    assert alone.stop() == 0
    key.unlink()
    assert "key of the store: No such file" in fails(alone, *access, *tls)
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(bytes(32))
    assert "sealed under another key" in fails(alone, *access, *tls)
