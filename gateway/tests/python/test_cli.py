"""aws-cli: the lines of the README, and others."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import peers
from conftest import People
from program import REGION, ROOT, AccessKey, Gateway

AWS = Path(sys.executable).parent / "aws"


class Shell:
    """A shell with aws-cli, as somebody has it who followed the README."""

    def __init__(self, gateway: Gateway, key: AccessKey, folder: Path) -> None:
        self.folder = folder
        credentials = folder / "aws-credentials"
        credentials.write_text(f"[default]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n")
        self.environment = {
            "PATH": f"{AWS.parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_KMS": gateway.url,
            "AWS_CA_BUNDLE": str(gateway.ca),
            "AWS_MAX_ATTEMPTS": "1",
        }

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        peers.exchanged["aws-cli"] += len(re.findall(r"\baws kms\b", script))
        command = ["bash", "-euo", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def answer(self, line: str) -> dict[str, object]:
        """What a call is answered."""
        ended = self.run(f"aws kms {line}")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout or "{}")

    def refusal(self, line: str) -> str:
        """What is said on standard error of a call that is refused."""
        ended = self.run(f"aws kms {line}")
        # Of version 2, and of version 1.
        assert ended.returncode in {254, 255} and ended.stdout == "", ended
        return ended.stderr


@pytest.fixture
def shell(gateway: Gateway, people: People, tmp_path: Path) -> Shell:
    return Shell(gateway, people.root, tmp_path)


def test_the_lines_of_the_readme(shell: Shell, kms: object) -> None:
    readme = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"<!-- gateway -->\n```sh\n(.*?)```", readme, re.DOTALL)
    # The server is there already; whoever checks the README itself runs all of it.
    lines = [line for line in block.splitlines() if re.search(r"\baws kms\b", line)]
    assert len(lines) >= 3
    ended = shell.run("\n".join(lines))
    assert ended.returncode == 0, ended.stderr
    made = json.loads(ended.stdout[ended.stdout.index("{") :])
    opened = kms.decrypt(
        CiphertextBlob=base64.b64decode(made["CiphertextBlob"]), EncryptionContext={"object": "cat.jpg"}
    )
    assert base64.b64encode(opened["Plaintext"]).decode() == made["Plaintext"] and len(opened["Plaintext"]) == 32
    assert kms.describe_key(KeyId="alias/photos")["KeyMetadata"]["Arn"] == opened["KeyId"] == made["KeyId"]


def test_a_key_from_its_making_to_its_end(shell: Shell) -> None:
    metadata = shell.answer("create-key --description 'of a shell' --tags TagKey=a,TagValue=1")["KeyMetadata"]
    key = metadata["KeyId"]
    assert shell.answer(f"create-alias --alias-name alias/shell --target-key-id {key}") == {}
    plaintext = bytes(range(256))
    (shell.folder / "plaintext").write_bytes(plaintext)
    encrypted = shell.run(
        "aws kms encrypt --key-id alias/shell --plaintext fileb://plaintext --encryption-context a=1,b=2 "
        "--query CiphertextBlob --output text | base64 -d >ciphertext\n"
        "aws kms decrypt --ciphertext-blob fileb://ciphertext --encryption-context b=2,a=1 "
        "--query Plaintext --output text | base64 -d >opened"
    )
    assert encrypted.returncode == 0, encrypted.stderr
    assert (shell.folder / "opened").read_bytes() == plaintext
    refused = shell.refusal("decrypt --ciphertext-blob fileb://ciphertext")
    assert "(InvalidCiphertextException) when calling the Decrypt operation" in refused
    scheduled = shell.answer(f"schedule-key-deletion --key-id {key} --pending-window-in-days 7")
    assert (scheduled["KeyState"], scheduled["PendingWindowInDays"]) == ("PendingDeletion", 7)
    described = shell.answer("describe-key --key-id alias/shell")["KeyMetadata"]
    assert (described["Description"], described["KeyState"]) == ("of a shell", "PendingDeletion")
    refused = shell.refusal("generate-data-key --key-id alias/shell --key-spec AES_256")
    assert f"(KMSInvalidStateException) when calling the GenerateDataKey operation: {metadata['Arn']} is" in refused


def test_lists_are_put_together(shell: Shell, kms: object) -> None:
    for _ in range(3):
        kms.create_key()
    whole = shell.answer("list-keys --page-size 2")["Keys"]
    assert {entry["KeyArn"] for entry in whole} == {
        entry["KeyArn"] for page in kms.get_paginator("list_keys").paginate() for entry in page["Keys"]
    }


def test_whoever_does_not_trust_the_certificate_sends_nothing(shell: Shell) -> None:
    del shell.environment["AWS_CA_BUNDLE"]
    ended = shell.run("aws kms list-keys")
    assert ended.returncode != 0 and "SSL validation failed" in ended.stderr
