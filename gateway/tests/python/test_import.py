"""Import of material that `cryptography` wraps."""

from __future__ import annotations

import datetime
import itertools
import os

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from material import Import
from peers import outcome

ALGORITHMS = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
SPECS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
KEEPS = "KEY_MATERIAL_DOES_NOT_EXPIRE"


@pytest.fixture
def key(kms: object) -> str:
    """The ARN of a new key that waits for its material."""
    return kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"]


def describe(kms: object, key: str) -> dict[str, object]:
    return kms.describe_key(KeyId=key)["KeyMetadata"]


@pytest.mark.parametrize(("algorithm", "spec"), [*itertools.product(ALGORITHMS, SPECS)])
def test_material_arrives_however_it_is_wrapped(kms: object, key: str, algorithm: str, spec: str) -> None:
    begun = Import.begin(kms, key, algorithm, spec)
    assert load_der_public_key(begun.public_key).key_size == SPECS[spec]
    material = os.urandom(32)
    given = begun.give(kms, key, material)
    assert given["KeyId"] == key and given["KeyMaterialId"] == describe(kms, key)["CurrentKeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"plain")["CiphertextBlob"]
    # The same material again, and no other, opens what is encrypted.
    assert kms.delete_imported_key_material(KeyId=key)["KeyMaterialId"] == given["KeyMaterialId"]
    assert outcome(lambda: kms.decrypt(CiphertextBlob=blob)) == "KMSInvalidStateException"
    assert outcome(lambda: begun.give(kms, key, os.urandom(32))) == "IncorrectKeyMaterialException"
    assert begun.give(kms, key, material)["KeyMaterialId"] == given["KeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"plain"


def test_the_key_says_how_it_is(kms: object, key: str) -> None:
    waits = describe(kms, key)
    assert (waits["KeyState"], waits["Enabled"], waits["Origin"]) == ("PendingImport", False, "EXTERNAL")
    assert not {"ExpirationModel", "ValidTo", "CurrentKeyMaterialId"} & set(waits)
    begun = Import.begin(kms, key)
    begun.give(kms, key, bytes(32))
    there = describe(kms, key)
    assert (there["KeyState"], there["Enabled"], there["ExpirationModel"]) == ("Enabled", True, KEEPS)
    assert "ValidTo" not in there
    kms.delete_imported_key_material(KeyId=key)
    # As AWS describes it (LocalStack's recorded test of an import).
    gone = describe(kms, key)
    assert (gone["KeyState"], gone["Enabled"]) == ("PendingImport", False)
    assert not {"ExpirationModel", "ValidTo"} & set(gone)


def test_material_that_ends(kms: object, key: str) -> None:
    begun = Import.begin(kms, key)
    end = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=9)
    begun.give(kms, key, bytes(32), ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=end)
    there = describe(kms, key)
    assert (there["ExpirationModel"], there["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", end)
    begun.give(kms, key, bytes(32), ValidTo=end + datetime.timedelta(days=1), ExpirationModel="KEY_MATERIAL_EXPIRES")
    assert describe(kms, key)["ValidTo"] == end + datetime.timedelta(days=1)
    begun.give(kms, key, bytes(32))
    assert describe(kms, key)["ExpirationModel"] == KEEPS
    past = end - datetime.timedelta(days=10)
    for wrong in [
        {"ExpirationModel": "KEY_MATERIAL_EXPIRES"},
        {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": past},
        {"ExpirationModel": KEEPS, "ValidTo": end},
        {"ExpirationModel": "NEVER"},
    ]:
        assert outcome(lambda: begun.give(kms, key, bytes(32), **wrong)) == "ValidationException", wrong
    assert describe(kms, key)["ExpirationModel"] == KEEPS


def test_a_model_that_is_not_given_is_the_one_with_an_end(kms: object, key: str) -> None:
    begun = Import.begin(kms, key)
    given = {"KeyId": key, "ImportToken": begun.token, "EncryptedKeyMaterial": begun.wrap(bytes(32))}
    assert outcome(lambda: kms.import_key_material(**given)) == "ValidationException"
    end = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=9)
    kms.import_key_material(**given, ValidTo=end, ImportType="EXISTING_KEY_MATERIAL")
    assert describe(kms, key)["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"


def test_the_token_is_of_one_key_and_one_day(kms: object, key: str) -> None:
    before = datetime.datetime.now(datetime.timezone.utc)
    answer = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    after = datetime.datetime.now(datetime.timezone.utc)
    day, second = datetime.timedelta(days=1), datetime.timedelta(seconds=1)
    assert before + day - second <= answer["ParametersValidTo"] <= after + day + second
    assert answer["KeyId"] == key
    begun = Import("RSAES_OAEP_SHA_256", answer["ImportToken"], answer["PublicKey"])
    other = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"]
    assert outcome(lambda: begun.give(kms, other, bytes(32))) == "InvalidImportTokenException"
    for at in (0, len(begun.token) // 2, len(begun.token) - 1):
        changed = bytearray(begun.token)
        changed[at] ^= 1
        forged = Import(begun.algorithm, bytes(changed), begun.public_key)
        assert outcome(lambda: forged.give(kms, key, bytes(32))) == "InvalidImportTokenException", at
    # The public key of another token.
    mixed = Import(begun.algorithm, begun.token, Import.begin(kms, key).public_key)
    assert outcome(lambda: mixed.give(kms, key, bytes(32))) == "InvalidCiphertextException"
    # Wrapped otherwise than the token says.
    for algorithm in ALGORITHMS:
        if algorithm != begun.algorithm:
            otherwise = Import(algorithm, begun.token, begun.public_key)
            code = outcome(lambda: otherwise.give(kms, key, bytes(32)))
            assert code == "InvalidCiphertextException", algorithm
    assert describe(kms, key)["KeyState"] == "PendingImport"


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"])
def test_material_of_another_length_is_refused(kms: object, key: str, algorithm: str) -> None:
    begun = Import.begin(kms, key, algorithm)
    for length in [1, 16, 24, 31, 33, 64]:
        code = outcome(lambda: begun.give(kms, key, os.urandom(length)))
        assert code == "InvalidCiphertextException", length


def test_wrapping_that_is_not_there_is_refused(kms: object, key: str) -> None:
    for algorithm, spec, code in [
        ("RSAES_PKCS1_V1_5", "RSA_2048", "UnsupportedOperationException"),
        ("SM2PKE", "RSA_2048", "UnsupportedOperationException"),
        ("RSAES_OAEP_SHA_256", "SM2", "ValidationException"),
    ]:
        assert outcome(lambda: Import.begin(kms, key, algorithm, spec)) == code, (algorithm, spec)
