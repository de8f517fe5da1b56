#!/usr/bin/env python3
"""Cobblestone-256 of PyCA's `cryptography` next to ours: one thread, in memory.

    tests/pyca/install && cargo build --release -p objseal-benches
    target/pyca/bin/python benches/pyca.py [--mib N] [--rounds N]

PyCA gets updates of 1 MiB from one buffer, and once more all in one update. Ours is `objects`, which seals and opens the same length out of place. Each
round runs both, one after the other; ratios are of medians.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

OBJECTS = pathlib.Path(__file__).parent.parent / "target/release/objects"
MIB = 1 << 20


def pyca(plaintext, piece):
    """GB/s of encryption and decryption in updates of `piece` bytes. What each returns is dropped at once, so that its memory serves again."""
    from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

    key, context = bytes(32), b"bench"
    encryptor = Cobblestone256Encryptor(key, context)
    message = encryptor.update(plaintext) + encryptor.finalize()
    rates = []
    for machine, source in ((Cobblestone256Encryptor, plaintext), (Cobblestone256Decryptor, message)):
        view = memoryview(source)
        start = time.monotonic()
        worker = machine(key, context)
        for at in range(0, len(view), piece):
            worker.update(view[at : at + piece])
        worker.finalize()
        rates.append(len(plaintext) / (time.monotonic() - start) / 1e9)
    return rates


def ours(mib):
    output = subprocess.run(
        [OBJECTS, "--json", "--rounds", "3", "--mib", str(mib)], check=True, capture_output=True, text=True
    ).stdout
    rows = [json.loads(line) for line in output.splitlines()]
    return [
        next(r["median_gbps"] for r in rows if r["peer"] == f"objseal {op}" and r["threads"] == 1)
        for op in ("seal", "open")
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if not OBJECTS.exists():
        sys.exit("objects is missing: cargo build --release -p objseal-benches")
    try:
        import cryptography.cobblestone
    except ImportError:
        sys.exit("PyCA cryptography >= 50 is missing: tests/pyca/install, then run this with target/pyca/bin/python")
    plaintext = os.urandom(args.mib * MIB)
    updates = {"1 MiB": MIB, "all": len(plaintext)}
    results = [([pyca(plaintext, piece) for piece in updates.values()], ours(args.mib)) for _ in range(args.rounds)]
    print(f"{args.mib} MiB, {args.rounds} rounds, one thread, PyCA cryptography {cryptography.__version__}")
    for at, op in enumerate(("seal", "open")):
        mine = statistics.median(mine[at] for _, mine in results)
        for number, name in enumerate(updates):
            theirs = statistics.median(theirs[number][at] for theirs, _ in results)
            print(f"{op}: objseal {mine:.2f} GB/s, PyCA with updates of {name} {theirs:.2f} GB/s, ours x{mine / theirs:.2f}")


if __name__ == "__main__":
    main()
