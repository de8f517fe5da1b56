"""What the tests have in common: a server with people, and what was exchanged with it in the end."""

from __future__ import annotations

import importlib.metadata
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import peers
from program import PROGRAM, AccessKey, Gateway, arn

PEERS = {
    "boto3": "calls",
    "signed requests of botocore": "calls",
    "aws-cli": "calls",
    "amazon-s3-encryption-client-python": "objects",
}


class People(SimpleNamespace):
    """Who has access keys."""

    root: AccessKey
    """The account itself, who may do everything."""
    mallory: AccessKey
    """A user of the account without rights."""
    foreign: AccessKey
    """A user of another account."""
    grantee: AccessKey
    """A user of the account whose rights are grants."""
    service: AccessKey
    """A service that acts for others."""


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A server that tests share: each has keys of its own in it."""
    gateway = Gateway(tmp_path_factory.mktemp("gateway"))
    gateway.people = People(
        root=gateway.add(arn("root")),
        mallory=gateway.add(arn("user/mallory")),
        foreign=gateway.add(arn("user/alice", "111122223333")),
        grantee=gateway.add(arn("user/grantee")),
        service=gateway.add(arn("role/s3"), "--service"),
    )
    yield gateway.start()
    assert gateway.stop() == 0


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Gateway]:
    """A server of one test, which does not run yet."""
    gateway = Gateway(tmp_path)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(scope="session")
def people(gateway: Gateway) -> People:
    return gateway.people


@pytest.fixture(scope="session")
def clients(gateway: Gateway) -> People:
    """A boto3 client for each of them."""
    return People(**{name: peers.client(gateway, key) for name, key in vars(gateway.people).items()})


@pytest.fixture
def kms(clients: People) -> object:
    """A boto3 client of whom may do everything."""
    return clients.root


@pytest.fixture
def key(kms: object) -> str:
    """The ARN of a new key."""
    return kms.create_key()["KeyMetadata"]["Arn"]


def version_of(peer: str) -> str:
    package = {"signed requests of botocore": "botocore", "aws-cli": "awscli"}.get(peer, peer)
    return importlib.metadata.version(package)


def pytest_terminal_summary(terminalreporter: object) -> None:
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    terminalreporter.write_line(f"{version} and")
    for peer, what in PEERS.items():
        terminalreporter.write_line(f"  {peer} {version_of(peer)}: {peers.exchanged[peer]} {what}")
    for note in peers.notes:
        terminalreporter.write_line(note)
