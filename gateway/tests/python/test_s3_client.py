"""The Amazon S3 Encryption Client for Python, with its keys here and its objects in moto."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.exceptions import S3EncryptionClientError
from s3_encryption.materials.kms_keyring import KmsKeyring
from s3_encryption.materials.materials import AlgorithmSuite, CommitmentPolicy

import peers
from conftest import People
from program import REGION, Gateway

PEER = "amazon-s3-encryption-client-python"
BUCKET = "photos"
CONTEXT = {"department": "photos"}
MARK = b"a plaintext that is nowhere to be seen."


@pytest.fixture(scope="module")
def s3() -> Iterator[object]:
    """A boto3 client for S3."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = boto3.session.Session("a", "b", region_name=REGION)
    client = session.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket=BUCKET)
    yield client
    server.stop()


class Objects:
    """Objects in a bucket, encrypted on their way, under a key."""

    def __init__(self, gateway: Gateway, people: People, s3: object, key: str, **config: object) -> None:
        url = s3.meta.endpoint_url
        own = boto3.session.Session("a", "b", region_name=REGION).client("s3", endpoint_url=url)
        keyring = KmsKeyring(peers.client(gateway, people.root), key)
        self.client = S3EncryptionClient(own, S3EncryptionClientConfig(keyring, **config))

    def put(self, name: str, body: bytes, context: dict[str, str] | None = CONTEXT) -> None:
        self.client.put_object(Bucket=BUCKET, Key=name, Body=body, EncryptionContext=context)
        peers.exchanged[PEER] += 1

    def get(self, name: str, context: dict[str, str] | None = CONTEXT) -> bytes:
        body = self.client.get_object(Bucket=BUCKET, Key=name, EncryptionContext=context)["Body"].read()
        peers.exchanged[PEER] += 1
        return body


@pytest.fixture
def objects(gateway: Gateway, people: People, s3: object, key: str) -> Objects:
    return Objects(gateway, people, s3, key)


def cause(error: BaseException) -> str:
    """The code of the service behind an error of the client."""
    while not isinstance(error, ClientError):
        error = error.__cause__
    return error.response["Error"]["Code"]


@pytest.mark.parametrize("size", [0, 1, 16, 100_000, 3 << 20])
def test_objects_come_back(objects: Objects, s3: object, size: int) -> None:
    body = (MARK + os.urandom(size))[-size:] if size else b""
    for name, context in [("with", CONTEXT), ("without", None)]:
        objects.put(f"{name}-{size}", body, context)
        assert objects.get(f"{name}-{size}", context) == body
        stored = s3.get_object(Bucket=BUCKET, Key=f"{name}-{size}")["Body"].read()
        assert len(stored) == size + 16 and (size < 16 or body not in stored)


def test_both_of_its_algorithms(gateway: Gateway, people: People, s3: object, key: str) -> None:
    older = Objects(
        gateway,
        people,
        s3,
        key,
        encryption_algorithm=AlgorithmSuite.ALG_AES_256_GCM_IV12_TAG16_NO_KDF,
        commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT,
    )
    older.put("older", MARK)
    assert older.get("older") == MARK
    Objects(gateway, people, s3, key).put("newer", MARK)
    assert older.get("newer") == MARK


def test_the_key_of_an_object_is_asked_for_with_its_context(gateway: Gateway, objects: Objects, key: str) -> None:
    objects.put("asked", MARK)
    assert objects.get("asked") == MARK
    lines = [line for line in gateway.audit() if line.get("key") == key][-2:]
    assert [line["operation"] for line in lines] == ["GenerateDataKey", "Decrypt"]
    for line in lines:
        assert line["context"].items() >= CONTEXT.items() and "aws:x-amz-cek-alg" in line["context"]


def test_a_key_that_is_disabled_opens_nothing(kms: object, objects: Objects, key: str) -> None:
    objects.put("closed", MARK)
    kms.disable_key(KeyId=key)
    for call in (lambda: objects.get("closed"), lambda: objects.put("closed", MARK)):
        with pytest.raises(S3EncryptionClientError) as refused:
            call()
        assert cause(refused.value) == "DisabledException"
    kms.enable_key(KeyId=key)
    assert objects.get("closed") == MARK


def test_another_context_opens_nothing(objects: Objects, s3: object) -> None:
    objects.put("bound", MARK)
    for context in [None, {}, {"department": "other"}, CONTEXT | {"more": "1"}]:
        with pytest.raises(S3EncryptionClientError):
            objects.get("bound", context)
    # The client compares what is stored with the object. If somebody changes that as well, the service refuses.
    found = s3.get_object(Bucket=BUCKET, Key="bound")
    metadata = {name: value.replace("photos", "movies") for name, value in found["Metadata"].items()}
    assert metadata != found["Metadata"]
    s3.put_object(Bucket=BUCKET, Key="bound", Body=found["Body"].read(), Metadata=metadata)
    with pytest.raises(S3EncryptionClientError) as refused:
        objects.get("bound", {"department": "movies"})
    assert cause(refused.value) == "InvalidCiphertextException"


def test_another_key_and_another_user_open_nothing(
    gateway: Gateway, people: People, s3: object, objects: Objects, kms: object, key: str
) -> None:
    objects.put("mine", MARK)
    other = kms.create_key()["KeyMetadata"]["Arn"]
    mallory = People(root=people.mallory)
    for somebody, name, code in [(people, other, "IncorrectKeyException"), (mallory, key, "AccessDeniedException")]:
        with pytest.raises(S3EncryptionClientError) as refused:
            Objects(gateway, somebody, s3, name).get("mine")
        assert cause(refused.value) == code
