"""Every error of the service, once, by the name and in the words of AWS KMS.

Names: botocore's model of the service has those of each operation, and `peers.client` compares them. Words: what AWS
answered LocalStack's recorded tests (tests/aws/services/kms/test_kms.snapshot.json), and what moto has in its source;
`None` where neither has any, and the words are our own.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import uuid
from collections.abc import Callable

import pytest

import peers
from conftest import People
from material import Import
from peers import refusal
from program import ACCOUNT, ROOT, Gateway, arn

PREFIX = f"arn:aws:kms:us-east-1:{ACCOUNT}"
NOBODY = str(uuid.UUID(int=7, version=4))
# Errors that nobody provokes here: they need a day to pass, ten seconds to pass, and a service elsewhere.
ELSEWHERE = {"ExpiredImportTokenException", "DependencyTimeoutException", "KeyUnavailableException"}
provoked: set[str] = set()


class Kms:
    """A client, a key of it, and what can be done wrong with them."""

    def __init__(self, client: object, mallory: object) -> None:
        self.client, self.mallory = client, mallory
        self.key = client.create_key()["KeyMetadata"]["Arn"]

    def state(self, change: str, origin: str = "AWS_KMS", **more: object) -> str:
        key = self.client.create_key(Origin=origin)["KeyMetadata"]["Arn"]
        if change:
            getattr(self.client, change)(KeyId=key, **more)
        return key

    def encrypt(self, key: str = "", **more: object) -> dict[str, object]:
        return self.client.encrypt(KeyId=key or self.key, Plaintext=b"plain", **more)

    def grant(self, **more: object) -> dict[str, object]:
        return self.client.create_grant(KeyId=self.key, GranteePrincipal=arn("user/b"), Operations=["Encrypt"], **more)

    def tag(self, name: str, value: str = "") -> object:
        return self.client.tag_resource(KeyId=self.key, Tags=[{"TagKey": name, "TagValue": value}])

    def many_tags(self) -> object:
        tags = [{"TagKey": f"t{number}", "TagValue": ""} for number in range(51)]
        return self.client.tag_resource(KeyId=self.key, Tags=tags)

    def alias(self, name: str) -> object:
        return self.client.create_alias(AliasName=name, TargetKeyId=self.key)

    def decrypt_changed(self) -> object:
        blob = bytearray(self.encrypt()["CiphertextBlob"])
        blob[-1] ^= 1
        return self.client.decrypt(CiphertextBlob=bytes(blob))

    def decrypt(self, **more: object) -> object:
        blob = self.encrypt(EncryptionContext={"a": "1"})["CiphertextBlob"]
        return self.client.decrypt(CiphertextBlob=blob, **more)

    def policy(self, text: str) -> object:
        return self.client.put_key_policy(KeyId=self.key, Policy=text)

    def lock_out(self) -> object:
        allow = {"Effect": "Allow", "Principal": {"AWS": arn("user/b")}, "Action": "kms:*", "Resource": "*"}
        return self.policy(json.dumps({"Version": "2012-10-17", "Statement": allow}))

    def give(
        self, token: bytes | None = None, material: bytes = bytes(32), before: bytes = b"", **more: object
    ) -> object:
        key = self.state("", "EXTERNAL")
        begun = Import.begin(self.client, key)
        if before:
            begun.give(self.client, key, before)
        begun = Import(begun.algorithm, begun.token if token is None else token, begun.public_key)
        return begun.give(self.client, key, material, **more)

    def give_unwrapped(self) -> object:
        key = self.state("", "EXTERNAL")
        token = Import.begin(self.client, key).token
        return self.client.import_key_material(
            KeyId=key,
            ImportToken=token,
            EncryptedKeyMaterial=os.urandom(256),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        )

    def in_state(self, change: str, state: str, origin: str = "AWS_KMS", **more: object) -> tuple[str, str]:
        """What using a key in a state answers, with its ARN left out."""
        key = self.state(change, origin, **more)
        code, message = refusal(lambda: self.encrypt(key))
        assert message == f"{key} is {state}."
        return code, message


VALIDATION = "1 validation error detected: Value"


def outside(number: int) -> str:
    """The words for a number of bytes that is none."""
    bound = "less than or equal to 1024" if number else "greater than or equal to 1"
    return f"{VALIDATION} '{number}' at 'numberOfBytes' failed to satisfy constraint: Member must have value {bound}"


# The code, the words, the call.
CASES: list[tuple[str, str | None, Callable[[Kms], object]]] = [
    ("NotFoundException", f"Key '{PREFIX}:key/{NOBODY}' does not exist", lambda k: k.client.describe_key(KeyId=NOBODY)),
    (
        "NotFoundException",
        f"Key '{PREFIX}:key/{NOBODY}' does not exist",
        lambda k: k.client.describe_key(KeyId=f"{PREFIX}:key/{NOBODY}"),
    ),
    ("NotFoundException", "Invalid keyId 'fake-key-id'", lambda k: k.client.describe_key(KeyId="fake-key-id")),
    (
        "NotFoundException",
        "Invalid keyId '134f2428cec14b25a1ae9048164dba47'",
        lambda k: k.client.describe_key(KeyId="134f2428cec14b25a1ae9048164dba47"),
    ),
    (
        "NotFoundException",
        "Invalid arn ap-southeast-1",
        lambda k: k.client.describe_key(KeyId=k.key.replace("us-east-1", "ap-southeast-1")),
    ),
    ("NotFoundException", f"Alias {PREFIX}:alias/no is not found.", lambda k: k.client.describe_key(KeyId="alias/no")),
    (
        "NotFoundException",
        f"Alias {PREFIX}:alias/no is not found.",
        lambda k: k.client.delete_alias(AliasName="alias/no"),
    ),
    ("NotFoundException", "No such policy exists", lambda k: k.client.get_key_policy(KeyId=k.key, PolicyName="other")),
    ("NotFoundException", None, lambda k: k.client.revoke_grant(KeyId=k.key, GrantId="0" * 64)),
    ("InvalidArnException", None, lambda k: k.client.describe_key(KeyId="arn:aws:s3:::bucket")),
    ("InvalidCiphertextException", "", lambda k: k.decrypt_changed()),
    ("InvalidCiphertextException", "", lambda k: k.decrypt()),
    ("InvalidCiphertextException", "", lambda k: k.decrypt(EncryptionContext={"a": "2"})),
    ("InvalidCiphertextException", "", lambda k: k.client.decrypt(CiphertextBlob=b"anything")),
    ("InvalidCiphertextException", "", lambda k: k.give_unwrapped()),
    ("InvalidCiphertextException", "", lambda k: k.give(material=bytes(16))),
    (
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
        lambda k: k.decrypt(KeyId=k.state(""), EncryptionContext={"a": "1"}),
    ),
    (
        "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.",
        lambda k: k.encrypt(DryRun=True),
    ),
    (
        "AlreadyExistsException",
        f"An alias with the name {PREFIX}:alias/twice already exists",
        lambda k: (k.alias("alias/twice"), k.alias("alias/twice")),
    ),
    ("InvalidAliasNameException", None, lambda k: k.alias("alias/aws/own")),
    (
        "ValidationException",
        'Alias must start with the prefix "alias/". Please see '
        "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        lambda k: k.alias("photos"),
    ),
    ("InvalidMarkerException", None, lambda k: k.client.list_keys(Marker="no")),
    ("InvalidMarkerException", None, lambda k: k.client.list_grants(KeyId=k.key, Marker="no")),
    ("InvalidGrantIdException", None, lambda k: k.client.revoke_grant(KeyId=k.key, GrantId="no id")),
    ("InvalidGrantTokenException", None, lambda k: k.client.retire_grant(GrantToken="no token")),
    ("InvalidGrantTokenException", None, lambda k: k.encrypt(GrantTokens=["no token"])),
    ("InvalidImportTokenException", None, lambda k: k.give(b"no token")),
    ("IncorrectKeyMaterialException", None, lambda k: k.give(before=b"m" * 32)),
    ("LimitExceededException", None, lambda k: k.many_tags()),
    ("TagException", None, lambda k: k.tag("aws:own")),
    ("TagException", None, lambda k: k.tag("a*b")),
    ("TagException", None, lambda k: k.client.create_key(Tags=[{"TagKey": "a", "TagValue": v} for v in "bc"])),
    ("MalformedPolicyDocumentException", None, lambda k: k.policy("no policy")),
    (
        "MalformedPolicyDocumentException",
        "The new key policy will not allow you to update the key policy in the future.",
        lambda k: k.lock_out(),
    ),
    (
        "InvalidKeyUsageException",
        "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.",
        lambda k: k.encrypt(EncryptionAlgorithm="RSAES_OAEP_SHA_1"),
    ),
    ("UnsupportedOperationException", None, lambda k: k.client.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")),
    ("UnsupportedOperationException", None, lambda k: k.client.create_key(MultiRegion=True)),
    ("ValidationException", "NumberOfBytes is required.", lambda k: k.client.generate_random()),
    (
        "ValidationException",
        "Please specify either number of bytes or key spec.",
        lambda k: k.client.generate_data_key(KeyId=k.key),
    ),
    (
        "ValidationException",
        "Please specify either number of bytes or key spec.",
        lambda k: k.client.generate_data_key(KeyId=k.key, KeySpec="AES_256", NumberOfBytes=32),
    ),
    ("ValidationException", outside(0), lambda k: k.client.generate_random(NumberOfBytes=0)),
    ("ValidationException", outside(1025), lambda k: k.client.generate_random(NumberOfBytes=1025)),
    ("ValidationException", outside(1025), lambda k: k.client.generate_data_key(KeyId=k.key, NumberOfBytes=1025)),
    (
        "ValidationException",
        f"{VALIDATION} at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
        lambda k: k.client.encrypt(KeyId=k.key, Plaintext=bytes(4097)),
    ),
    (
        "ValidationException",
        "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
        lambda k: k.give(ExpirationModel="KEY_MATERIAL_EXPIRES"),
    ),
    ("ValidationException", None, lambda k: k.client.schedule_key_deletion(KeyId=k.key, PendingWindowInDays=6)),
    ("ValidationException", None, lambda k: k.client.enable_key_rotation(KeyId=k.key, RotationPeriodInDays=2561)),
    ("ValidationException", None, lambda k: k.client.retire_grant()),
    ("ValidationException", None, lambda k: k.client.encrypt(KeyId=k.key)),
    ("ValidationException", None, lambda k: k.client.list_keys(Limit=0)),
    ("ValidationException", None, lambda k: k.client.list_keys(Limit=1001)),
]


@pytest.fixture(scope="module")
def wrong(clients: People) -> Kms:
    return Kms(clients.root, clients.mallory)


@pytest.mark.parametrize(("code", "words", "call"), CASES, ids=[f"{at}-{case[0]}" for at, case in enumerate(CASES)])
def test_the_name_and_the_words_are_those_of_aws(
    wrong: Kms, code: str, words: str | None, call: Callable[[Kms], object]
) -> None:
    got, message = refusal(lambda: call(wrong))
    provoked.add(got)
    assert got == code, message
    assert message == words if words is not None else message, message


def test_states_are_told_in_the_words_of_aws(wrong: Kms) -> None:
    for code, *how in [
        ("DisabledException", "disable_key", "disabled"),
        ("KMSInvalidStateException", "schedule_key_deletion", "pending deletion"),
        ("KMSInvalidStateException", "", "pending import", "EXTERNAL"),
    ]:
        assert wrong.in_state(*how)[0] == code
        provoked.add(code)
    key = wrong.state("")
    message = f"{key} origin is AWS_KMS which is not valid for this operation."
    refused = refusal(lambda: Import.begin(wrong.client, key))
    assert refused == ("UnsupportedOperationException", message)


def test_whoever_may_not_is_told_so_in_the_words_of_aws(wrong: Kms) -> None:
    for operation, call in [
        ("Encrypt", lambda: wrong.mallory.encrypt(KeyId=wrong.key, Plaintext=b"plain")),
        ("DescribeKey", lambda: wrong.mallory.describe_key(KeyId=wrong.key)),
        ("ScheduleKeyDeletion", lambda: wrong.mallory.schedule_key_deletion(KeyId=wrong.key)),
    ]:
        words = f"User: {arn('user/mallory')} is not authorized to perform: kms:{operation} on resource: {wrong.key}"
        assert refusal(call) == ("AccessDeniedException", words)
        provoked.add("AccessDeniedException")


def test_too_many_calls_are_throttled(alone: Gateway) -> None:
    keys = [alone.add(arn("root")) for _ in range(2)]
    alone.start("--rate", "1")
    one, other = (peers.client(alone, key) for key in keys)
    codes = [peers.outcome(one.list_keys) for _ in range(1000)]
    assert codes[0] == "Success" and set(codes) == {"Success", "ThrottlingException"}
    assert peers.outcome(other.list_keys) == "Success"
    provoked.add("ThrottlingException")


def test_a_damaged_store_is_a_fault_of_the_service(alone: Gateway) -> None:
    somebody = alone.add(arn("root"))
    kms = peers.client(alone.start(), somebody)
    damaged, other = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    assert alone.stop() == 0
    with sqlite3.connect(alone.folder / "keys.kms") as store:
        store.execute("UPDATE keys SET record = zeroblob(length(record)) WHERE key_id = ?", [damaged])
    kms = peers.client(alone.start(), somebody)
    with pytest.raises(kms.exceptions.KMSInternalException) as failed:
        kms.describe_key(KeyId=damaged)
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    provoked.add("KMSInternalException")
    assert peers.outcome(lambda: kms.describe_key(KeyId=other)) == "Success"


def test_there_is_no_other_error() -> None:
    source = (ROOT / "keys/src/kms/error.rs").read_text()
    codes = set(re.findall(r'=> "(\w+Exception)"', source))
    assert len(codes) >= 26
    # Each of these is in a test above, of this module: run them all.
    assert codes - provoked == ELSEWHERE
