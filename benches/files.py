#!/usr/bin/env python3
"""`objseal seal`, `open` and `verify` next to `cat` and `age`, from file to file in memory (tmpfs).

    cargo build --release && benches/files.py [--mib N] [--rounds N] [--folder FOLDER]

The rule for all: the same random file; no target at first; each runs once a round, in a random order, and finds the free
memory used just before, because a virtual machine may have to get other memory from its host. The table has medians of
wall seconds, the best, and how many times as long as ours each took.
"""

import argparse
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

OBJSEAL = pathlib.Path(__file__).parent.parent / "target/release/objseal"


def run(command, output=None):
    """How many seconds it took."""
    with open(output or os.devnull, "wb") as stdout:
        start = time.monotonic()
        done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True)
        seconds = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"{command} failed: {done.stderr}")
    return seconds


def compare(title, commands, source, target, rounds):
    """Commands are (name, command, whether it writes to standard output); the first is ours."""
    results = {name: [] for name, _, _ in commands}
    for _ in range(rounds):
        for name, command, to_stdout in random.sample(commands, len(commands)):
            shutil.copyfile(source, target)
            target.unlink()
            results[name].append(run(command, target if to_stdout else None))
            target.unlink(missing_ok=True)
    ours = statistics.median(results[commands[0][0]])
    for name, seconds in results.items():
        median, best = statistics.median(seconds), min(seconds)
        print(f"{title:<5} {name:<15} {median:6.2f} s, best {best:6.2f} s, x{median / ours:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default="/dev/shm")
    args = parser.parse_args()
    for program, package in [("age", "age"), ("age-keygen", "age")]:
        if not shutil.which(program):
            sys.exit(f"{program} is missing: apt-get install {package}")
    if not OBJSEAL.exists():
        sys.exit("objseal is missing: cargo build --release")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        folder = pathlib.Path(folder)
        os.environ["OBJSEAL_KEYRING"] = str(folder / "keyring")
        subprocess.run([OBJSEAL, "key", "create", "default"], check=True, capture_output=True)
        plain, sealed, target = folder / "plain", folder / "sealed", folder / "target"
        with open(plain, "wb") as file:
            for _ in range(args.mib):
                file.write(os.urandom(1 << 20))
        subprocess.run(["age-keygen", "-o", folder / "age.key"], check=True, capture_output=True)
        recipient = subprocess.run(["age-keygen", "-y", folder / "age.key"], check=True, capture_output=True, text=True)
        version = subprocess.run(["age", "--version"], check=True, capture_output=True, text=True).stdout.strip()
        print(f"{args.mib} MiB, {args.rounds} rounds, {os.cpu_count()} CPUs, age {version}", flush=True)
        age = ["age", "-r", recipient.stdout.strip(), "-o"]
        commands = [
            ("objseal seal", [OBJSEAL, "seal", plain, "-o", target], False),
            ("cat", ["cat", plain], True),
            ("age", [*age, target, plain], False),
        ]
        compare("seal", commands, plain, target, args.rounds)
        subprocess.run([OBJSEAL, "seal", plain, "-o", sealed], check=True, capture_output=True)
        subprocess.run([*age, folder / "aged", plain], check=True)
        plain.unlink()
        commands = [
            ("objseal open", [OBJSEAL, "open", sealed, "-o", target], False),
            ("cat", ["cat", sealed], True),
            ("age -d", ["age", "-d", "-i", folder / "age.key", "-o", target, folder / "aged"], False),
            ("objseal verify", [OBJSEAL, "verify", sealed], False),
        ]
        compare("open", commands, sealed, target, args.rounds)


if __name__ == "__main__":
    main()
