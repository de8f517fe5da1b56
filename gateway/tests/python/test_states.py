"""Every operation on a key in every state, by those who may and those who may not.

The table is the one that the tests of the store itself use. Its column of keys that are gone needs a clock that can be
set, which nobody has from outside: it is for those tests alone.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator

import pytest

from conftest import People
from material import Import
from peers import outcome
from program import ROOT, arn

CODES = {
    "+": "Success",
    "D": "DisabledException",
    "I": "KMSInvalidStateException",
    "U": "UnsupportedOperationException",
}
CONTEXT = {"a": "1", "b": "2"}
# What a grant can be for, by the names that the table has for it.
GRANTED = {
    "GenerateDataKey": "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext": "GenerateDataKeyWithoutPlaintext",
    "Decrypt": "Decrypt",
    "Encrypt": "Encrypt",
    "DescribeKey": "DescribeKey",
    "CreateGrant": "CreateGrant",
}
# These change nothing: a key can be used for the next one.
HARMLESS = ("Generate", "Decrypt", "Encrypt", "ReEncrypt", "Describe", "List", "Get")

# Whether its material is imported, and the state.
State = tuple[bool, str]
names = (f"n{number}" for number in itertools.count())


def table() -> dict[str, dict[State, str]]:
    """The outcome of each operation in each state."""
    lines = (ROOT / "keys/tests/local_kms/states.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    head, *rows = rows
    states = [(at >= 4, state) for at, state in enumerate(head[1:])]
    assert len(states) == 9 and len(rows) >= 34
    return {
        operation: {state: cell for state, cell in zip(states, cells, strict=True) if state[1] != "none"}
        for operation, *cells in rows
    }


TABLE = table()
STATES = list(next(iter(TABLE.values())))


class Key:
    """A key in a state, with all that operations need."""

    def __init__(self, kms: object, state: State) -> None:
        external, name = state
        self.alias, self.other_alias = f"alias/{next(names)}", f"alias/{next(names)}"
        self.arn = kms.create_key(Origin="EXTERNAL" if external else "AWS_KMS")["KeyMetadata"]["Arn"]
        self.other = kms.create_key()["KeyMetadata"]["Arn"]
        self.token, self.wrapped = b"none", b"none"
        if external:
            begun = Import.begin(kms, self.arn)
            self.token, self.wrapped = begun.token, begun.wrap(os.urandom(32))
            self.try_operation(kms, "ImportKeyMaterial")
        kms.create_alias(AliasName=self.alias, TargetKeyId=self.arn)
        kms.create_alias(AliasName=self.other_alias, TargetKeyId=self.other)
        grant = kms.create_grant(KeyId=self.arn, GranteePrincipal=arn("user/somebody"), Operations=["Decrypt"])
        self.grant = grant["GrantId"]
        self.blob, self.other_blob = (
            kms.encrypt(KeyId=key, Plaintext=bytes(32), EncryptionContext=CONTEXT)["CiphertextBlob"]
            for key in (self.arn, self.other)
        )
        match name:
            case "off":
                kms.disable_key(KeyId=self.arn)
            case "del":
                kms.schedule_key_deletion(KeyId=self.arn, PendingWindowInDays=7)
            case "imp":
                kms.delete_imported_key_material(KeyId=self.arn)

    def try_operation(self, kms: object, operation: str) -> None:
        """Asks for an operation of the table."""
        key = {"KeyId": self.arn}
        bound = {"EncryptionContext": CONTEXT}
        again = {"SourceEncryptionContext": CONTEXT, "DestinationEncryptionContext": CONTEXT}
        of_import = {"ImportToken": self.token, "EncryptedKeyMaterial": self.wrapped}
        keeps = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        grant = {"GranteePrincipal": arn("user/b"), "Operations": ["Encrypt"]}
        calls: dict[str, Callable[[], object]] = {
            "GenerateDataKey": lambda: kms.generate_data_key(**key, **bound, KeySpec="AES_256"),
            "GenerateAgain": lambda: kms.generate_data_key(**key, **bound, KeySpec="AES_128"),
            "GenerateDataKeyWithoutPlaintext": lambda: kms.generate_data_key_without_plaintext(
                **key, **bound, NumberOfBytes=32
            ),
            "Decrypt": lambda: kms.decrypt(CiphertextBlob=self.blob, **bound),
            "DecryptAgain": lambda: kms.decrypt(**key, CiphertextBlob=self.blob, **bound),
            "Encrypt": lambda: kms.encrypt(**key, Plaintext=b"plain", **bound),
            "ReEncryptFrom": lambda: kms.re_encrypt(CiphertextBlob=self.blob, DestinationKeyId=self.other, **again),
            "ReEncryptTo": lambda: kms.re_encrypt(CiphertextBlob=self.other_blob, DestinationKeyId=self.arn, **again),
            "DescribeKey": lambda: kms.describe_key(**key),
            "EnableKey": lambda: kms.enable_key(**key),
            "DisableKey": lambda: kms.disable_key(**key),
            "ScheduleKeyDeletion": lambda: kms.schedule_key_deletion(**key),
            "CancelKeyDeletion": lambda: kms.cancel_key_deletion(**key),
            "UpdateKeyDescription": lambda: kms.update_key_description(**key, Description="words"),
            "GetKeyPolicy": lambda: kms.get_key_policy(**key),
            "PutKeyPolicy": lambda: kms.put_key_policy(**key, Policy=policy()),
            "CreateAlias": lambda: kms.create_alias(AliasName=f"alias/{next(names)}", TargetKeyId=self.arn),
            "UpdateAlias": lambda: kms.update_alias(AliasName=self.other_alias, TargetKeyId=self.arn),
            "DeleteAlias": lambda: kms.delete_alias(AliasName=self.alias),
            "CreateGrant": lambda: kms.create_grant(**key, **grant),
            "ListGrants": lambda: kms.list_grants(**key),
            "RevokeGrant": lambda: kms.revoke_grant(**key, GrantId=self.grant),
            "RetireGrant": lambda: kms.retire_grant(**key, GrantId=self.grant),
            "RotateKeyOnDemand": lambda: kms.rotate_key_on_demand(**key),
            "EnableKeyRotation": lambda: kms.enable_key_rotation(**key),
            "DisableKeyRotation": lambda: kms.disable_key_rotation(**key),
            "GetKeyRotationStatus": lambda: kms.get_key_rotation_status(**key),
            "ListKeyRotations": lambda: kms.list_key_rotations(**key),
            "ImportKeyMaterial": lambda: kms.import_key_material(**key, **of_import, **keeps),
            "DeleteImportedKeyMaterial": lambda: kms.delete_imported_key_material(**key),
            "GetParametersForImport": lambda: kms.get_parameters_for_import(**key, **wrapping),
            "TagResource": lambda: kms.tag_resource(**key, Tags=[{"TagKey": "a", "TagValue": "1"}]),
            "UntagResource": lambda: kms.untag_resource(**key, TagKeys=["a"]),
            "ListResourceTags": lambda: kms.list_resource_tags(**key),
        }
        calls[operation]()


def policy(*denied: str) -> str:
    """A policy that leaves everything to the account, but for those who are denied."""
    statements = [{"Effect": "Allow", "Principal": {"AWS": arn("root")}, "Action": "kms:*", "Resource": "*"}]
    if denied:
        statements.append({"Effect": "Deny", "Principal": {"AWS": denied}, "Action": "kms:*", "Resource": "*"})
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def how(kms: object, key: Key) -> tuple[object, ...]:
    """All of a key that anybody may have changed."""
    of = {"KeyId": key.arn}
    lists = kms.list_grants(**of)["Grants"], kms.list_resource_tags(**of)["Tags"], kms.list_aliases(**of)["Aliases"]
    return kms.describe_key(**of)["KeyMetadata"], kms.get_key_policy(**of)["Policy"], *lists


@pytest.fixture(params=STATES, ids=lambda state: f"{'imported' if state[0] else 'own'}-{state[1]}")
def state(request: pytest.FixtureRequest) -> Iterator[State]:
    return request.param


def test_every_operation_in_this_state(kms: object, state: State) -> None:
    key = Key(kms, state)
    for operation, cells in TABLE.items():
        expected = CODES[cells[state]]
        assert outcome(lambda: key.try_operation(kms, operation)) == expected, operation
        if expected == "Success" and not operation.startswith(HARMLESS):
            key = Key(kms, state)


def test_whoever_may_not_learns_no_state_and_changes_nothing(clients: People, state: State) -> None:
    key = Key(clients.root, state)
    before = how(clients.root, key)
    for somebody in (clients.mallory, clients.foreign):
        for operation in TABLE:
            assert outcome(lambda: key.try_operation(somebody, operation)) == "AccessDeniedException"
    assert how(clients.root, key) == before


def test_a_grant_allows_what_the_state_allows_and_a_deny_beats_it(clients: People, state: State) -> None:
    kms, grantee = clients.root, clients.grantee
    # Only keys in use can be given grants: the state comes after.
    key = Key(kms, (state[0], "on"))
    grant = {"GranteePrincipal": arn("user/grantee"), "Operations": [*GRANTED.values(), "ReEncryptFrom", "ReEncryptTo"]}
    for of in (key.arn, key.other):
        kms.create_grant(KeyId=of, **grant)
    change = {
        "on": "DescribeKey",
        "off": "DisableKey",
        "del": "ScheduleKeyDeletion",
        "imp": "DeleteImportedKeyMaterial",
    }
    key.try_operation(kms, change[state[1]])
    granted = [*GRANTED, "GenerateAgain", "DecryptAgain", "ReEncryptFrom", "ReEncryptTo"]
    for operation in TABLE:
        expected = CODES[TABLE[operation][state]] if operation in granted else "AccessDeniedException"
        assert outcome(lambda: key.try_operation(grantee, operation)) == expected, operation
    kms.put_key_policy(KeyId=key.arn, Policy=policy(arn("user/grantee")))
    for operation in TABLE:
        got = outcome(lambda: key.try_operation(grantee, operation))
        assert got == "AccessDeniedException", f"{operation}, denied"
