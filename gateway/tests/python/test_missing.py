"""Which operations of AWS KMS there are, and which there are not; what the others take.

The operations and their parameters are those of botocore's model of the service.
"""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

import peers
from conftest import People
from program import ROOT, Gateway
from signed import Signed

MODEL = botocore.session.get_session().get_service_model("kms")


# Parameters that are refused, with a value, and with what their operation cannot be asked without.
REFUSED: list[tuple[str, dict[str, object], dict[str, object]]] = [
    ("CreateGrant", {"GranteeServicePrincipal": "s3.amazonaws.com"}, {"KeyId": "KEY", "Operations": ["Encrypt"]}),
    ("CreateGrant", {"RetiringServicePrincipal": "s3.amazonaws.com"}, {"KeyId": "KEY", "Operations": ["Encrypt"]}),
    ("CreateKey", {"CustomKeyStoreId": "cks-1"}, {}),
    ("CreateKey", {"XksKeyId": "x"}, {}),
    ("CreateKey", {"MultiRegion": True}, {}),
    ("Decrypt", {"Recipient": {}}, {"CiphertextBlob": "AAAA"}),
    ("Decrypt", {"DryRunModifiers": []}, {"CiphertextBlob": "AAAA"}),
    ("DeleteImportedKeyMaterial", {"KeyMaterialId": "0" * 64}, {"KeyId": "KEY"}),
    ("GenerateDataKey", {"Recipient": {}}, {"KeyId": "KEY", "KeySpec": "AES_256"}),
    ("GenerateRandom", {"CustomKeyStoreId": "cks-1"}, {"NumberOfBytes": 1}),
    ("GenerateRandom", {"Recipient": {}}, {"NumberOfBytes": 1}),
    (
        "ImportKeyMaterial",
        {"KeyMaterialDescription": "a"},
        {"KeyId": "KEY", "ImportToken": "", "EncryptedKeyMaterial": ""},
    ),
    ("ImportKeyMaterial", {"KeyMaterialId": "0" * 64}, {"KeyId": "KEY", "ImportToken": "", "EncryptedKeyMaterial": ""}),
    ("ListGrants", {"GranteeServicePrincipal": "s3.amazonaws.com"}, {"KeyId": "KEY"}),
    ("ListKeys", {"ResourceOwners": []}, {}),
    ("ListRetirableGrants", {"RetiringServicePrincipal": "s3.amazonaws.com"}, {}),
    ("ReEncrypt", {"DryRunModifiers": []}, {"CiphertextBlob": "AAAA", "DestinationKeyId": "KEY"}),
]


@pytest.fixture
def signed(gateway: Gateway, people: People) -> Signed:
    return Signed(gateway, people.root)


def listed(name: str) -> list[str]:
    """A list of names in the source."""
    source = (ROOT / "gateway/src/kms/operations.rs").read_text()
    (block,) = re.findall(rf"pub const {name}: &\[&str\] = &\[(.*?)\];", source, re.DOTALL)
    return re.findall(r'"(\w+)"', block)


def test_absent_operations_are_those_that_are_listed(signed: Signed) -> None:
    codes = {name: signed.request(name, {}).send().code for name in MODEL.operation_names}
    absent = [name for name, code in codes.items() if code == "UnsupportedOperationException"]
    assert "UnknownOperationException" not in codes.values(), codes
    peers.notes.append(
        f"of {len(codes)} operations of AWS KMS {len(absent)} are not there: {', '.join(sorted(absent))}"
    )
    assert sorted(absent) == listed("ABSENT")


def test_the_readme_lists_both() -> None:
    readme = (ROOT / "gateway/README.md").read_text()
    there, absent = re.findall(r"^\| (?:there|not there [^|]*) \| ([^|]*) \|$", readme, re.MULTILINE)
    assert absent.split(", ") == listed("ABSENT")
    assert there.split(", ") == sorted(set(MODEL.operation_names) - set(listed("ABSENT")))


def test_other_names_are_of_no_operation(signed: Signed) -> None:
    for name in ["MadeUp", "encrypt", "Encrypt2", ""]:
        answer = signed.request(name, {}).send()
        assert (answer.status, answer.code) == (400, "UnknownOperationException"), name


def test_every_parameter_of_the_model_is_known(signed: Signed) -> None:
    absent = listed("ABSENT")
    known = 0
    for name in MODEL.operation_names:
        shape = MODEL.operation_model(name).input_shape
        if name in absent or shape is None:
            continue
        # A parameter that is null is one that is not given, for AWS as well: nothing is done but to look at its name.
        for member in shape.members:
            message = signed.request(name, {member: None}).send().message
            assert "unknown field" not in message, f"{name}.{member}: {message}"
            known += 1
        answer = signed.request(name, {"MadeUp": None}).send()
        assert answer.code == "ValidationException" and "unknown field `MadeUp`" in answer.message
    peers.notes.append(f"all {known} parameters of the others are known, {len(REFUSED)} of them refused")


def test_parameters_that_are_not_there_are_refused(signed: Signed, key: str) -> None:
    for operation, refused, others in REFUSED:
        body = {name: key if value == "KEY" else value for name, value in others.items()} | refused
        answer = signed.request(operation, body).send()
        (name,) = refused
        assert answer.code == "UnsupportedOperationException" and name in answer.message, (operation, name)


def test_all_others_are_in_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    refused = {(operation, name) for operation, parameters, _ in REFUSED for name in parameters}
    for operation in set(MODEL.operation_names) - set(listed("ABSENT")):
        assert f".{xform_name(operation)}(" in tests, operation
        for name in MODEL.operation_model(operation).input_shape.members:
            used = re.search(rf'\b{name}=|"{name}":', tests)
            assert used or (operation, name) in refused, f"{operation}: {name}"
