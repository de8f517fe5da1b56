"""Data keys, encrypt, decrypt and random bytes, with all their parameters."""

from __future__ import annotations

import os
from collections.abc import Callable

import botocore.session
import pytest

from conftest import People
from peers import outcome, refusal
from program import arn
from test_missing import listed

CONTEXTS: list[dict[str, str]] = [
    {},
    {"a": "1"},
    {"object": "cat.jpg", "Object": "another", "empty": ""},
    {"ключ": "значение", "名前": "猫 🐈", 'quote"\\': "line\nand\ttab"},
    {"long": "x" * 7_000},
]
# Each of these is another context than {"a": "1", "b": "2"}.
OTHERS: list[dict[str, str]] = [
    {},
    {"a": "1"},
    {"a": "1", "b": "3"},
    {"a": "1", "B": "2"},
    {"a": "1", "b": "2", "c": ""},
]


@pytest.mark.parametrize("context", CONTEXTS, ids=range(len(CONTEXTS)))
def test_a_data_key_under_any_context(kms: object, key: str, context: dict[str, str]) -> None:
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    assert len(made["Plaintext"]) == 32 and made["KeyId"] == key
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (made["Plaintext"], key)
    assert opened["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    assert opened["KeyMaterialId"] == made["KeyMaterialId"]
    other = context | {"more": "1"}
    wrong = {"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": other}
    assert refusal(lambda: kms.decrypt(**wrong)) == ("InvalidCiphertextException", "")


def test_another_context_opens_nothing(kms: object, key: str) -> None:
    context = {"b": "2", "a": "1"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"plain", EncryptionContext=context)["CiphertextBlob"]
    for other in OTHERS:
        code = outcome(lambda: kms.decrypt(CiphertextBlob=blob, EncryptionContext=other))
        assert code == "InvalidCiphertextException", other
    # The order of pairs is none of a context.
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "1", "b": "2"})["Plaintext"] == b"plain"


def test_data_keys_of_every_length(kms: object, key: str) -> None:
    for length in [*range(1, 65), 127, 128, 129, 512, 1023, 1024]:
        made = kms.generate_data_key(KeyId=key, NumberOfBytes=length)
        assert len(made["Plaintext"]) == length
        assert kms.decrypt(KeyId=key, CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
        blob = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=length)["CiphertextBlob"]
        assert len(kms.decrypt(CiphertextBlob=blob)["Plaintext"]) == length


@pytest.mark.parametrize(("spec", "length"), [("AES_128", 16), ("AES_256", 32)])
def test_data_keys_by_their_kind(kms: object, key: str, spec: str, length: int) -> None:
    made = kms.generate_data_key(KeyId=key, KeySpec=spec)
    assert len(made["Plaintext"]) == length
    blind = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec=spec)
    assert "Plaintext" not in blind and blind["KeyMaterialId"] == made["KeyMaterialId"]
    opened = {kms.decrypt(CiphertextBlob=one["CiphertextBlob"])["Plaintext"] for one in (made, blind)}
    assert len(opened) == 2 and {len(one) for one in opened} == {length}


@pytest.mark.parametrize("length", [1, 2, 4_095, 4_096])
def test_plaintexts_up_to_the_longest(kms: object, key: str, length: int) -> None:
    plaintext = os.urandom(length)
    made = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionAlgorithm="SYMMETRIC_DEFAULT")
    assert made["KeyId"] == key and made["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    named = {"KeyId": key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"], **named)["Plaintext"] == plaintext


def test_a_ciphertext_is_never_the_same_and_opens_under_no_other_key(kms: object, key: str) -> None:
    blobs = [kms.encrypt(KeyId=key, Plaintext=b"plain")["CiphertextBlob"] for _ in range(10)]
    assert len(set(blobs)) == 10
    other = kms.create_key()["KeyMetadata"]["Arn"]
    assert outcome(lambda: kms.decrypt(KeyId=other, CiphertextBlob=blobs[0])) == "IncorrectKeyException"


def test_every_name_of_a_key_is_taken(kms: object, key: str) -> None:
    alias = f"alias/{key.rpartition('/')[2]}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    for name in [key, key.rpartition("/")[2], alias, f"{key.partition(':key/')[0]}:{alias}"]:
        made = kms.encrypt(KeyId=name, Plaintext=b"plain")
        assert made["KeyId"] == key
        assert kms.decrypt(KeyId=name, CiphertextBlob=made["CiphertextBlob"])["KeyId"] == key


def test_re_encrypt_across_keys_and_contexts(kms: object, key: str) -> None:
    other = kms.create_key()["KeyMetadata"]["Arn"]
    old, new = {"a": "1"}, {"ключ": "2"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"plain", EncryptionContext=old)["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceKeyId=key,
        SourceEncryptionContext=old,
        SourceEncryptionAlgorithm="SYMMETRIC_DEFAULT",
        DestinationKeyId=other,
        DestinationEncryptionContext=new,
        DestinationEncryptionAlgorithm="SYMMETRIC_DEFAULT",
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, other)
    assert moved["SourceEncryptionAlgorithm"] == moved["DestinationEncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    materials = [kms.describe_key(KeyId=one)["KeyMetadata"]["CurrentKeyMaterialId"] for one in (key, other)]
    assert [moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]] == materials
    opened = kms.decrypt(KeyId=other, CiphertextBlob=moved["CiphertextBlob"], EncryptionContext=new)
    assert opened["Plaintext"] == b"plain"
    again = {"CiphertextBlob": blob, "DestinationKeyId": other, "DestinationEncryptionContext": new}
    assert outcome(lambda: kms.re_encrypt(**again)) == "InvalidCiphertextException"
    wrong = {"SourceKeyId": other, "SourceEncryptionContext": old}
    assert outcome(lambda: kms.re_encrypt(**again, **wrong)) == "IncorrectKeyException"


def test_material_before_and_after_a_rotation(kms: object, key: str) -> None:
    first = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == key
    second = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    old, new = first["KeyMaterialId"], second["KeyMaterialId"]
    assert old != new
    for made in (first, second):
        opened = kms.decrypt(KeyId=key, CiphertextBlob=made["CiphertextBlob"])
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (made["Plaintext"], made["KeyMaterialId"])
    moved = kms.re_encrypt(CiphertextBlob=first["CiphertextBlob"], DestinationKeyId=key)
    assert (moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]) == (old, new)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == new


@pytest.mark.parametrize("length", [1, 2, 32, 1_023, 1_024])
def test_random_bytes(kms: object, length: int) -> None:
    made = [kms.generate_random(NumberOfBytes=length)["Plaintext"] for _ in range(2)]
    assert [len(one) for one in made] == [length] * 2
    assert length < 32 or made[0] != made[1]


def test_to_try_says_what_would_be_and_changes_nothing(clients: People, key: str) -> None:
    kms, mallory = clients.root, clients.mallory
    blob = kms.encrypt(KeyId=key, Plaintext=b"plain")["CiphertextBlob"]
    grant = kms.create_grant(KeyId=key, GranteePrincipal=arn("user/b"), Operations=["Encrypt"])["GrantId"]
    new = {"GranteePrincipal": arn("user/b"), "Operations": ["Decrypt"]}
    tries: dict[str, Callable[[object], object]] = {
        "CreateGrant": lambda who: who.create_grant(KeyId=key, **new, DryRun=True),
        "Decrypt": lambda who: who.decrypt(CiphertextBlob=blob, DryRun=True),
        "Encrypt": lambda who: who.encrypt(KeyId=key, Plaintext=b"plain", DryRun=True),
        "GenerateDataKey": lambda who: who.generate_data_key(KeyId=key, KeySpec="AES_256", DryRun=True),
        "GenerateDataKeyWithoutPlaintext": lambda who: who.generate_data_key_without_plaintext(
            KeyId=key, KeySpec="AES_256", DryRun=True
        ),
        "ReEncrypt": lambda who: who.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key, DryRun=True),
        "RetireGrant": lambda who: who.retire_grant(KeyId=key, GrantId=grant, DryRun=True),
        "RevokeGrant": lambda who: who.revoke_grant(KeyId=key, GrantId=grant, DryRun=True),
    }
    model = botocore.session.get_session().get_service_model("kms")
    there = set(model.operation_names) - set(listed("ABSENT"))
    inputs = {name: model.operation_model(name).input_shape for name in there}
    assert set(tries) == {name for name, shape in inputs.items() if shape and "DryRun" in shape.members}
    for operation, call in tries.items():
        assert outcome(lambda: call(kms)) == "DryRunOperationException", operation
        assert outcome(lambda: call(mallory)) == "AccessDeniedException", operation
    assert [one["GrantId"] for one in kms.list_grants(KeyId=key)["Grants"]] == [grant]
    # What would fail fails.
    kms.disable_key(KeyId=key)
    for operation in ["Decrypt", "Encrypt", "GenerateDataKey", "ReEncrypt", "CreateGrant"]:
        assert outcome(lambda: tries[operation](kms)) == "DisabledException", operation
