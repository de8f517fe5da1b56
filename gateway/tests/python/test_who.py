"""Who sent a request: whatever botocore signs, and what is wrong with it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest

import peers
from conftest import People
from peers import outcome
from program import AccessKey, Gateway, arn
from signed import Answer, Request, Signed

# The words of AWS.
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
MINUTE = 60
VIA = "s3.us-east-1"


@pytest.fixture
def signed(gateway: Gateway, people: People) -> Signed:
    return Signed(gateway, people.root)


@pytest.fixture
def mallory(gateway: Gateway, people: People) -> Signed:
    return Signed(gateway, people.mallory)


@pytest.fixture
def service(gateway: Gateway, people: People) -> Signed:
    return Signed(gateway, people.service)


def some(signed: Signed, **more: object) -> Request:
    """A request that whoever is known may make."""
    return signed.request("ListKeys", {"Limit": 1}, **more)


def assert_refused(answer: Answer, code: str, words: str) -> None:
    assert (answer.status, answer.code) == (400, code), answer.body
    assert words in answer.message
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"


def test_whoever_signs_is_answered(signed: Signed) -> None:
    answer = some(signed).send()
    assert answer.code == "Success" and set(answer.json) >= {"Keys", "Truncated"}
    assert answer.headers["x-amzn-requestid"] and answer.headers["cache-control"] == "no-store"
    digest = {"x-amz-content-sha256": hashlib.sha256(some(signed).body).hexdigest()}
    assert some(signed, headers=digest).send().code == "Success"


def test_without_a_signature(signed: Signed) -> None:
    answer = some(signed).with_headers(authorization=None).send()
    assert_refused(answer, "MissingAuthenticationTokenException", "Missing Authentication Token")
    for header in ["AWS4-HMAC-SHA256", "Bearer token", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host"]:
        assert_refused(some(signed).with_headers(authorization=header).send(), "IncompleteSignatureException", "")


def test_with_another_secret_or_as_nobody(signed: Signed) -> None:
    key = signed.key
    wrong = replace(signed, key=AccessKey(key.id, key.secret[:-1] + ("A" if key.secret[-1] != "A" else "B"), ""))
    assert_refused(some(wrong).send(), "InvalidSignatureException", MISMATCH)
    nobody = replace(signed, key=AccessKey("OSAKAAAAAAAAAAAAAAAA", key.secret, ""))
    words = "The security token included in the request is invalid."
    assert_refused(some(nobody).send(), "UnrecognizedClientException", words)
    token = {"X-Amz-Security-Token": "a token of a session"}
    assert_refused(some(signed, headers=token).send(), "UnrecognizedClientException", words)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(-6, "Signature expired: "), (-4, ""), (0, ""), (4, ""), (6, "Signature not yet current: "), (60 * 24, "")],
)
def test_five_minutes_before_and_after(signed: Signed, minutes: int, words: str) -> None:
    answer = some(replace(signed, offset=minutes * MINUTE)).send()
    if abs(minutes) <= 5:
        assert answer.code == "Success"
    else:
        assert_refused(answer, "InvalidSignatureException", words)


def test_for_another_region_or_service(signed: Signed) -> None:
    for other, words in [
        (replace(signed, region="eu-west-1"), "Credential should be scoped to a valid region"),
        (replace(signed, service="s3"), "Credential should be scoped to"),
    ]:
        assert_refused(some(other).send(), "InvalidSignatureException", words)


def test_presigned(signed: Signed) -> None:
    for offset, expires, code in [
        (0, 1 * MINUTE, "Success"),
        (-10 * MINUTE, 60 * MINUTE, "Success"),
        (-10 * MINUTE, 5 * MINUTE, "InvalidSignatureException"),
        (-6 * 24 * 60 * MINUTE, 7 * 24 * 60 * MINUTE, "Success"),
        (0, 7 * 24 * 60 * MINUTE + 1, "IncompleteSignatureException"),
        (0, 0, "IncompleteSignatureException"),
        (10 * MINUTE, 60 * MINUTE, "InvalidSignatureException"),
    ]:
        request = some(replace(signed, offset=offset, expires=expires))
        assert "X-Amz-Signature=" in request.url and "Authorization" not in request.headers
        assert request.send().code == code, (offset, expires)
    request = some(replace(signed, expires=MINUTE))
    longer = replace(request, url=request.url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))
    assert_refused(longer.send(), "InvalidSignatureException", MISMATCH)
    both = request.with_headers(**{name: value for name, value in some(signed).headers.items()})
    assert_refused(both.send(), "IncompleteSignatureException", "")


def test_what_was_changed_after_signing(signed: Signed, kms: object, key: str) -> None:
    request = signed.request("DisableKey", {"KeyId": key})
    others = [
        request.with_body(request.body + b" "),
        request.with_body(b"{}"),
        request.with_headers(x_amz_target="TrentService.ScheduleKeyDeletion"),
        request.with_headers(host="other.example"),
        request.with_headers(x_amz_date="20150830T123600Z"),
        replace(request, url=f"{request.url}?a=b"),
        # As a header that was not signed at all.
        request.with_headers(x_amz_content_sha256="0" * 64),
    ]
    for other in others:
        code = other.send().code
        assert code in {"InvalidSignatureException", "IncompleteSignatureException"}, other.headers
    assert request.with_headers(x_amz_target=None).send().code == "UnknownOperationException"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert request.send().code == "Success"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


def test_every_header_that_decides_must_be_signed(signed: Signed) -> None:
    plain = some(signed)
    for name in ["x-objseal-principal", "x-objseal-via-service", "x-objseal-object", "x-objseal-other", "x-amz-other"]:
        answer = plain.with_headers(**{name.replace("-", "_"): "a"}).send()
        words = f"'{name}' must be a 'SignedHeader' in the AWS Authorization."
        assert_refused(answer, "InvalidSignatureException", words)
    without = plain.headers["Authorization"].replace("x-amz-target", "").replace(";,", ",")
    assert without != plain.headers["Authorization"]
    answer = plain.with_headers(authorization=without).send()
    assert_refused(answer, "InvalidSignatureException", "'x-amz-target' must be a 'SignedHeader'")


def test_a_body_that_is_not_signed_is_refused(signed: Signed) -> None:
    request = some(signed, context={"payload_signing_enabled": False})
    assert request.headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"
    assert_refused(request.send(), "IncompleteSignatureException", "x-amz-content-sha256")


def test_the_same_request_again_is_answered_again(signed: Signed, key: str) -> None:
    request = signed.request("Encrypt", {"KeyId": key, "Plaintext": base64.b64encode(b"plain").decode()})
    answers = [request.send() for _ in range(3)]
    assert [answer.code for answer in answers] == ["Success"] * 3
    assert len({answer.json["CiphertextBlob"] for answer in answers}) == 3


def test_other_paths_and_methods_and_kinds_are_none(signed: Signed) -> None:
    request = some(signed)
    for other in [
        replace(request, method="GET"),
        replace(request, method="PUT"),
        replace(request, url=request.url + "a"),
    ]:
        answer = other.send()
        assert (answer.status, answer.code) == (404, "UnknownOperationException")
    for kind in ["application/json", "application/x-amz-json-1.0", ""]:
        answer = some(signed, headers={"Content-Type": kind}).send()
        assert (answer.status, answer.code) == (400, "UnknownOperationException"), kind
    for body in [b"{", b"[]", b'"text"', b"{} {}", b'{"Limit": 1, "Limit": 1}', b'{"Limit": "1"}', b"\xff"]:
        assert signed.request("ListKeys", body).send().code in {"SerializationException", "ValidationException"}, body


def test_a_body_is_an_object(signed: Signed, key: str) -> None:
    # Not its parameters in some order.
    body = json.dumps([key, base64.b64encode(b"plain").decode(), None, None, None, None]).encode()
    assert_refused(signed.request("Encrypt", body).send(), "SerializationException", "")
    assert_refused(signed.request("DescribeKey", json.dumps([key, None]).encode()).send(), "SerializationException", "")
    assert signed.request("ListKeys", b' \n\t {"Limit": 1} \n').send().code == "Success"
    assert signed.request("ListKeys", b"").send().code == "Success"


def via(service: Signed, key: str, **headers: str) -> Answer:
    """What a service is answered that asks for a data key for somebody."""
    named = {f"x-objseal-{name.replace('_', '-')}": value for name, value in headers.items()}
    return service.request("GenerateDataKey", {"KeyId": key, "KeySpec": "AES_256"}, headers=named).send()


@pytest.fixture
def through_s3(kms: object, key: str) -> str:
    """A key that a user may use through S3 alone."""
    of_user = {
        "Effect": "Allow",
        "Principal": {"AWS": arn("user/mallory")},
        "Action": "kms:GenerateDataKey",
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": f"{VIA}.amazonaws.com"}},
    }
    of_account = {"Effect": "Allow", "Principal": {"AWS": arn("root")}, "Action": "kms:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [of_account, of_user]}
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    return key


def test_a_service_acts_for_others(gateway: Gateway, service: Signed, through_s3: str) -> None:
    user = arn("user/mallory")
    answer = via(service, through_s3, principal=user, via_service=VIA, object="photos/cat.jpg")
    assert answer.code == "Success" and answer.json["KeyId"] == through_s3
    line = [line for line in gateway.audit() if line.get("key") == through_s3][-1]
    assert (line["principal"], line["operation"], line["outcome"]) == (user, "GenerateDataKey", "Success")
    assert (line["viaService"], line["object"], line["source"]) == (VIA, "photos/cat.jpg", "127.0.0.1")
    for headers in [
        {"principal": user},
        {"principal": user, "via_service": "ec2.us-east-1"},
        {"principal": arn("user/other"), "via_service": VIA},
        {"via_service": VIA},
        {},
    ]:
        answer = via(service, through_s3, **headers)
        assert_refused(answer, "AccessDeniedException", "is not authorized to perform: kms:GenerateDataKey")


def test_nobody_else_acts_for_others(gateway: Gateway, signed: Signed, mallory: Signed, through_s3: str) -> None:
    lines = len(gateway.audit())
    for who in (signed, mallory):
        for name, value in [("principal", arn("root")), ("via_service", VIA), ("object", "cat.jpg")]:
            answer = via(who, through_s3, **{name: value})
            header = f"x-objseal-{name.replace('_', '-')}"
            assert_refused(answer, "AccessDeniedException", f"{header} is for credentials of services")
    assert len(gateway.audit()) == lines
    assert via(mallory, through_s3).code == "AccessDeniedException"


def test_boto3_of_a_service(gateway: Gateway, people: People, through_s3: str) -> None:
    kms = peers.client(gateway, people.service)

    def add(request: object, **_: object) -> None:
        request.headers["x-objseal-principal"] = arn("user/mallory")
        request.headers["x-objseal-via-service"] = VIA

    kms.meta.events.register("before-sign.kms", add)
    assert outcome(lambda: kms.generate_data_key(KeyId=through_s3, KeySpec="AES_256")) == "Success"
    assert outcome(lambda: kms.generate_data_key_without_plaintext(KeyId=through_s3, KeySpec="AES_256")) != "Success"
