"""Grants, with all their parameters."""

from __future__ import annotations

import datetime

import pytest

from conftest import People
from peers import outcome, refusal
from program import arn
from test_operations import paged

GRANTEE = arn("user/grantee")
DENIED = "AccessDeniedException"


@pytest.fixture
def grantee(clients: People) -> object:
    """A boto3 client of somebody whose rights are grants."""
    return clients.grantee


def encrypt(who: object, key: str, context: dict[str, str] | None = None, **more: object) -> str:
    return outcome(lambda: who.encrypt(KeyId=key, Plaintext=b"plain", EncryptionContext=context or {}, **more))


def test_a_grant_with_all_that_can_be_said_of_it(kms: object, key: str) -> None:
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    constraints = {"EncryptionContextSubset": {"ключ": "1"}}
    operations = ["Decrypt", "Encrypt", "DescribeKey", "RetireGrant"]
    asked = {
        "KeyId": key,
        "GranteePrincipal": GRANTEE,
        "RetiringPrincipal": arn("role/retires"),
        "Operations": operations,
        "Constraints": constraints,
        "Name": "of test",
    }
    made = kms.create_grant(**asked)
    (entry,) = kms.list_grants(KeyId=key)["Grants"]
    assert entry.pop("CreationDate") >= before
    assert entry == asked | {"GrantId": made["GrantId"], "IssuingAccount": arn("root")}
    # The same with the same name is made once, as the API Reference says; without a name, each time.
    assert kms.create_grant(**asked)["GrantId"] == made["GrantId"]
    assert kms.create_grant(**asked | {"Name": "another"})["GrantId"] != made["GrantId"]
    del asked["Name"]
    assert len({kms.create_grant(**asked)["GrantId"] for _ in range(2)}) == 2


def test_a_grant_holds_with_its_token_and_without(kms: object, grantee: object, key: str) -> None:
    assert encrypt(grantee, key) == DENIED
    grant = kms.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=["Encrypt", "DescribeKey"])
    assert encrypt(grantee, key, GrantTokens=[grant["GrantToken"]]) == "Success"
    assert encrypt(grantee, key) == "Success"
    assert grantee.describe_key(KeyId=key, GrantTokens=[grant["GrantToken"]])["KeyMetadata"]["Arn"] == key
    assert outcome(lambda: grantee.generate_data_key(KeyId=key, KeySpec="AES_256")) == DENIED
    assert encrypt(grantee, key, GrantTokens=["no token"]) == "InvalidGrantTokenException"
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    assert encrypt(grantee, key, GrantTokens=[grant["GrantToken"]]) == DENIED
    assert refusal(lambda: kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"]))[0] == "NotFoundException"


def test_the_token_of_another_gives_nothing(clients: People, key: str) -> None:
    grant = clients.root.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=["Encrypt"])
    assert encrypt(clients.mallory, key, GrantTokens=[grant["GrantToken"]]) == DENIED


@pytest.mark.parametrize(
    ("kind", "allowed", "denied"),
    [
        ("EncryptionContextSubset", [{"a": "1"}, {"a": "1", "b": "2"}], [{}, {"a": "2"}, {"A": "1"}]),
        ("EncryptionContextEquals", [{"a": "1"}], [{}, {"a": "1", "b": "2"}, {"a": "2"}]),
    ],
)
def test_constraints(
    kms: object, grantee: object, key: str, kind: str, allowed: list[dict[str, str]], denied: list[dict[str, str]]
) -> None:
    operations = ["Encrypt", "Decrypt"]
    kms.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=operations, Constraints={kind: {"a": "1"}})
    assert [encrypt(grantee, key, context) for context in allowed] == ["Success"] * len(allowed)
    assert [encrypt(grantee, key, context) for context in denied] == [DENIED] * len(denied)
    for context in allowed + denied:
        blob = kms.encrypt(KeyId=key, Plaintext=b"plain", EncryptionContext=context)["CiphertextBlob"]
        code = outcome(lambda: grantee.decrypt(CiphertextBlob=blob, EncryptionContext=context))
        assert code == ("Success" if context in allowed else DENIED)


def test_a_grant_gives_on_what_it_has_and_no_more(clients: People, key: str) -> None:
    operations = ["CreateGrant", "Encrypt"]
    clients.root.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=operations)
    to = {"KeyId": key, "GranteePrincipal": arn("user/mallory")}
    assert outcome(lambda: clients.grantee.create_grant(**to, Operations=["Decrypt"])) == DENIED
    clients.grantee.create_grant(**to, Operations=["Encrypt"])
    assert encrypt(clients.mallory, key) == "Success"


def test_grants_are_given_back(clients: People, key: str) -> None:
    kms = clients.root
    to = {"KeyId": key, "GranteePrincipal": GRANTEE, "Operations": ["Encrypt"]}
    by_token = kms.create_grant(**to, RetiringPrincipal=arn("user/mallory"))
    by_id = kms.create_grant(**to, RetiringPrincipal=arn("user/mallory"))
    own = kms.create_grant(**to | {"Operations": ["Encrypt", "RetireGrant"]})
    others = kms.create_grant(**to)
    clients.mallory.retire_grant(GrantToken=by_token["GrantToken"])
    clients.mallory.retire_grant(KeyId=key, GrantId=by_id["GrantId"])
    clients.grantee.retire_grant(GrantToken=own["GrantToken"])
    for who in (clients.mallory, clients.grantee, clients.foreign):
        assert outcome(lambda: who.retire_grant(KeyId=key, GrantId=others["GrantId"])) == DENIED
    assert [one["GrantId"] for one in kms.list_grants(KeyId=key)["Grants"]] == [others["GrantId"]]
    kms.retire_grant(KeyId=key, GrantId=others["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []
    assert outcome(lambda: kms.retire_grant(GrantToken=others["GrantToken"])) == "InvalidGrantTokenException"


def test_lists_of_grants_in_pieces(kms: object, key: str) -> None:
    retiring = arn(f"role/{key.rpartition('/')[2]}")
    made = [
        kms.create_grant(
            KeyId=key, GranteePrincipal=arn(f"user/u{number % 2}"), Operations=["Encrypt"], RetiringPrincipal=retiring
        )["GrantId"]
        for number in range(7)
    ]
    for size in (1, 3, 7, 100):
        assert sorted(one["GrantId"] for one in paged(kms, "list_grants", "Grants", size, KeyId=key)) == sorted(made)
    (one,) = paged(kms, "list_grants", "Grants", 2, KeyId=key, GrantId=made[3])
    assert one["GrantId"] == made[3]
    odd = paged(kms, "list_grants", "Grants", 2, KeyId=key, GranteePrincipal=arn("user/u1"))
    assert sorted(one["GrantId"] for one in odd) == sorted(made[1::2])
    other = kms.create_key()["KeyMetadata"]["Arn"]
    to = {"GranteePrincipal": GRANTEE, "Operations": ["Encrypt"], "RetiringPrincipal": retiring}
    made.append(kms.create_grant(KeyId=other, **to)["GrantId"])
    found, marker = [], {}
    while True:
        page = kms.list_retirable_grants(RetiringPrincipal=retiring, Limit=3, **marker)
        found += [one["GrantId"] for one in page["Grants"]]
        if not page["Truncated"]:
            break
        marker = {"Marker": page["NextMarker"]}
    assert sorted(found) == sorted(made)
    assert kms.list_retirable_grants(RetiringPrincipal=arn("role/nobody"))["Grants"] == []
