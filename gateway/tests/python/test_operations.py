"""Keys, aliases, policies, tags and rotation, with all parameters; lists in small pieces."""

from __future__ import annotations

import datetime
import json
import re
import uuid

import pytest

from peers import outcome
from program import ACCOUNT, arn

POLICY = {
    "Version": "2012-10-17",
    "Id": "of-test",
    "Statement": [
        {"Sid": "all", "Effect": "Allow", "Principal": {"AWS": arn("root")}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "b", "Effect": "Allow", "Principal": {"AWS": arn("user/b")}, "Action": "kms:Encrypt", "Resource": "*"},
    ],
}


def paged(kms: object, operation: str, result: str, size: int, **parameters: object) -> list[object]:
    """A list in pieces of a size, by the paginator of boto3."""
    pages = list(kms.get_paginator(operation).paginate(**parameters, PaginationConfig={"PageSize": size}))
    lengths = [len(page[result]) for page in pages]
    assert all(length == size for length in lengths[:-1]) and lengths[-1] <= size
    assert [page["Truncated"] for page in pages] == [True] * (len(pages) - 1) + [False]
    return [entry for page in pages for entry in page[result]]


def test_a_key_with_all_that_can_be_said_of_it(kms: object) -> None:
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    tags = [{"TagKey": "project", "TagValue": "photos"}, {"TagKey": "Über", "TagValue": ""}]
    made = kms.create_key(
        Policy=json.dumps(POLICY),
        Description="of photos 🐈",
        KeyUsage="ENCRYPT_DECRYPT",
        KeySpec="SYMMETRIC_DEFAULT",
        Origin="AWS_KMS",
        BypassPolicyLockoutSafetyCheck=True,
        Tags=tags,
        MultiRegion=False,
    )["KeyMetadata"]
    key = made["KeyId"]
    # All that AWS says of such a key (LocalStack's recorded test), and the id of its material.
    assert made.pop("CreationDate") >= before
    assert re.fullmatch("[0-9a-f]{64}", made.pop("CurrentKeyMaterialId"))
    assert str(uuid.UUID(key)) == key
    assert made == {
        "AWSAccountId": ACCOUNT,
        "Arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "of photos 🐈",
        "Enabled": True,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": key,
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False,
        "Origin": "AWS_KMS",
    }
    got = kms.get_key_policy(KeyId=key, PolicyName="default")
    assert (json.loads(got["Policy"]), got["PolicyName"]) == (POLICY, "default")
    assert kms.list_key_policies(KeyId=key, Limit=1)["PolicyNames"] == ["default"]
    assert sorted(kms.list_resource_tags(KeyId=key)["Tags"], key=str) == sorted(tags, key=str)
    older = kms.create_key(CustomerMasterKeySpec="SYMMETRIC_DEFAULT")["KeyMetadata"]
    assert older["KeySpec"] == "SYMMETRIC_DEFAULT"


def test_the_life_of_a_key(kms: object, key: str) -> None:
    def state() -> tuple[str, bool]:
        metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
        assert ("DeletionDate" in metadata) == (metadata["KeyState"] == "PendingDeletion")
        return metadata["KeyState"], metadata["Enabled"]

    assert state() == ("Enabled", True)
    kms.disable_key(KeyId=key)
    assert state() == ("Disabled", False)
    kms.enable_key(KeyId=key)
    assert state() == ("Enabled", True)
    for days, given in [(7, {"PendingWindowInDays": 7}), (30, {"PendingWindowInDays": 30}), (30, {})]:
        before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        scheduled = kms.schedule_key_deletion(KeyId=key, **given)
        after = datetime.datetime.now(datetime.timezone.utc)
        assert before <= scheduled["DeletionDate"] - datetime.timedelta(days=days) <= after
        assert (scheduled["KeyId"], scheduled["PendingWindowInDays"]) == (key, days)
        assert scheduled["KeyState"] == "PendingDeletion" and state() == ("PendingDeletion", False)
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"] == scheduled["DeletionDate"]
        assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == key
        # As with AWS, it is disabled then.
        assert state() == ("Disabled", False)
    kms.update_key_description(KeyId=key, Description="other words")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "other words"
    kms.update_key_description(KeyId=key, Description="")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == ""


def test_lists_of_keys_in_pieces(kms: object) -> None:
    made = {kms.create_key()["KeyMetadata"]["Arn"] for _ in range(7)}
    whole = paged(kms, "list_keys", "Keys", 1_000)
    for size in (1, 3, 7):
        assert paged(kms, "list_keys", "Keys", size) == whole
    assert made <= {entry["KeyArn"] for entry in whole}
    assert all(entry["KeyArn"].endswith(f":key/{entry['KeyId']}") for entry in whole)


def test_an_alias_moves(kms: object, key: str) -> None:
    other = kms.create_key()["KeyMetadata"]["Arn"]
    prefix = f"alias/moves/{uuid.uuid4()}"
    aliases = [f"{prefix}/{number}_-x" for number in range(5)]
    for alias in aliases:
        kms.create_alias(AliasName=alias, TargetKeyId=key)
    first = kms.encrypt(KeyId=aliases[0], Plaintext=b"plain")
    kms.update_alias(AliasName=aliases[0], TargetKeyId=other.rpartition("/")[2])
    assert kms.describe_key(KeyId=aliases[0])["KeyMetadata"]["Arn"] == other
    assert kms.encrypt(KeyId=aliases[0], Plaintext=b"plain")["KeyId"] == other
    # What was encrypted is under the key, whatever stands for it.
    assert kms.decrypt(CiphertextBlob=first["CiphertextBlob"])["KeyId"] == key
    named = {"KeyId": aliases[0], "CiphertextBlob": first["CiphertextBlob"]}
    assert outcome(lambda: kms.decrypt(**named)) == "IncorrectKeyException"
    for size in (1, 2, 100):
        entries = paged(kms, "list_aliases", "Aliases", size, KeyId=key)
        assert [entry["AliasName"] for entry in entries] == aliases[1:]
    entry = next(one for one in paged(kms, "list_aliases", "Aliases", 3) if one["AliasName"] == aliases[0])
    assert entry["AliasArn"] == f"arn:aws:kms:us-east-1:{ACCOUNT}:{aliases[0]}"
    assert entry["TargetKeyId"] == other.rpartition("/")[2]
    assert entry["CreationDate"] <= entry["LastUpdatedDate"]
    kms.delete_alias(AliasName=aliases[0])
    assert outcome(lambda: kms.describe_key(KeyId=aliases[0])) == "NotFoundException"


def test_another_policy(kms: object, key: str) -> None:
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(POLICY))
    assert json.loads(kms.get_key_policy(KeyId=key)["Policy"]) == POLICY
    nobody = POLICY | {"Statement": POLICY["Statement"][1:]}
    put = {"KeyId": key, "Policy": json.dumps(nobody)}
    assert outcome(lambda: kms.put_key_policy(**put)) == "MalformedPolicyDocumentException"
    kms.put_key_policy(**put, BypassPolicyLockoutSafetyCheck=True)
    assert outcome(lambda: kms.get_key_policy(KeyId=key)) == "AccessDeniedException"


def test_tags_of_a_key(kms: object, key: str) -> None:
    def tags(size: int) -> dict[str, str]:
        entries = paged(kms, "list_resource_tags", "Tags", size, KeyId=key)
        return {entry["TagKey"]: entry["TagValue"] for entry in entries}

    def put(**values: str) -> None:
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": name, "TagValue": value} for name, value in values.items()])

    put(**{f"t{number:02}": str(number) for number in range(50)})
    for size in (1, 7, 50):
        assert tags(size) == {f"t{number:02}": str(number) for number in range(50)}
    put(t00="other", t01="")
    kms.untag_resource(KeyId=key, TagKeys=["none", *(f"t{number:02}" for number in range(2, 50))])
    assert tags(50) == {"t00": "other", "t01": ""}
    longest = {"a" * 128: "b" * 256, "ключ+-=._:/@ x": "значение"}
    put(**longest)
    assert tags(2) == longest | {"t00": "other", "t01": ""}


@pytest.mark.parametrize("days", [90, 365, 2_560])
def test_rotation_by_period(kms: object, key: str, days: int) -> None:
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyId"], status["KeyRotationEnabled"]) == (key, False)
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    # 365 days are what it is without a number.
    kms.enable_key_rotation(KeyId=key, **({} if days == 365 else {"RotationPeriodInDays": days}))
    after = datetime.datetime.now(datetime.timezone.utc)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, days)
    assert before <= status["NextRotationDate"] - datetime.timedelta(days=days) <= after
    kms.disable_key_rotation(KeyId=key)
    status = kms.get_key_rotation_status(KeyId=key)
    assert status["KeyRotationEnabled"] is False and "NextRotationDate" not in status


def test_the_list_of_rotations(kms: object, key: str) -> None:
    materials = [kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]]
    assert kms.list_key_rotations(KeyId=key)["Rotations"] == []
    for _ in range(4):
        kms.rotate_key_on_demand(KeyId=key)
        materials.append(kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"])
    for include, expected in [("ROTATIONS_ONLY", materials[1:]), ("ALL_KEY_MATERIAL", materials)]:
        for size in (1, 2, 100):
            rotations = paged(kms, "list_key_rotations", "Rotations", size, KeyId=key, IncludeKeyMaterial=include)
            assert [one["KeyMaterialId"] for one in rotations] == expected
        assert {one["KeyId"] for one in rotations} == {key}
        states = [one["KeyMaterialState"] for one in rotations]
        assert states == ["NON_CURRENT"] * (len(expected) - 1) + ["CURRENT"]
        rotated = [one for one in rotations if "RotationType" in one]
        assert len(rotated) == 4 and all("RotationDate" in one for one in rotated)
        assert {one["RotationType"] for one in rotated} == {"ON_DEMAND"}
