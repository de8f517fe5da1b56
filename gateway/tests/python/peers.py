"""Clients of the server, what they exchanged with it, and whether its answers are such as AWS documents."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable

import boto3
import botocore.config
import botocore.exceptions
import botocore.model

from program import REGION, AccessKey, Gateway

# Calls of clients, objects of the encryption client.
exchanged: Counter[str] = Counter()
# Lines for whoever reads what the tests printed.
notes: list[str] = []

# AWS KMS API Reference, "Common Errors", by the names that its endpoints send, and those of requests that are no such.
COMMON = {
    "AccessDeniedException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
}


def client(gateway: Gateway, key: AccessKey) -> object:
    """A boto3 client for AWS KMS that asks once, and checks what it is answered."""
    made = boto3.session.Session(key.id, key.secret, region_name=REGION).client(
        "kms",
        endpoint_url=gateway.url,
        verify=str(gateway.ca),
        # What is wrong is for the server to refuse.
        config=botocore.config.Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )

    def check(http_response: object, parsed: dict[str, object], model: object, **_: object) -> None:
        exchanged["boto3"] += 1
        if error := parsed.get("Error"):
            documented = {shape.name for shape in model.error_shapes} | COMMON
            assert error["Code"] in documented, f"{model.name} has no {error['Code']}: {error['Message']}"
        elif model.output_shape is None:
            assert http_response.content == b""
        else:
            check_shape(model.output_shape, json.loads(http_response.content), model.name)

    made.meta.events.register("after-call.kms", check)
    return made


def check_shape(shape: botocore.model.Shape, value: object, where: str) -> None:
    """That JSON is what the service model of AWS says."""
    match shape.type_name:
        case "structure":
            for name, member in value.items():
                assert name in shape.members, f"{where} has no {name}"
                check_shape(shape.members[name], member, f"{where}.{name}")
            missing = set(shape.required_members) - set(value)
            assert not missing, f"{where} needs {missing}"
        case "list":
            for member in value:
                check_shape(shape.member, member, where)
        case "map":
            for name, member in value.items():
                check_shape(shape.key, name, where)
                check_shape(shape.value, member, where)
        case "string":
            assert isinstance(value, str), where
            assert not shape.enum or value in shape.enum, f"{where}: {value}"
            assert shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value)), where
        case "blob":
            decoded = base64.b64decode(value, validate=True)
            assert shape.metadata.get("min", 0) <= len(decoded) <= shape.metadata.get("max", len(decoded)), where
        case "boolean":
            assert isinstance(value, bool), where
        case "integer" | "long":
            assert isinstance(value, int) and not isinstance(value, bool), where
        case "timestamp":
            assert isinstance(value, int | float) and not isinstance(value, bool), where
        case other:
            raise AssertionError(f"{where} is a {other}")


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """The code and the message of the error that a call ends in."""
    try:
        answer = call()
    except botocore.exceptions.ClientError as error:
        metadata = error.response["ResponseMetadata"]
        assert metadata["HTTPStatusCode"] == 400 and metadata["RequestId"]
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"not refused: {answer}")


def outcome(call: Callable[[], object]) -> str:
    """`Success`, or the code of the error."""
    try:
        call()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "Success"
