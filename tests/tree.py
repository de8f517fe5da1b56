#!/usr/bin/env python3
"""Rules about the files themselves: no orphans, `unsafe` only behind its fence, nothing switched off or left open."""

import pathlib
import re
import subprocess
import sys

files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True)
paths = [pathlib.Path(p) for p in files.stdout.splitlines() if pathlib.Path(p).is_file()]
rust = {p: p.read_text() for p in paths if p.suffix == ".rs"}
faults = []

for path, text in rust.items():
    root = path.name in ("lib.rs", "main.rs", "build.rs") or path.parent.name in ("tests", "benches", "bin", "examples", "fuzz_targets")
    name = path.parent.name if path.name == "mod.rs" else path.stem
    named = re.compile(rf"\bmod {name}\s*[;{{]|path = \"[^\"]*{path.name}\"")
    if not root and not any(named.search(other) for p, other in rust.items() if p != path):
        faults.append(f"{path}: no `mod` line leads to it")
    if not text.startswith("//!"):
        faults.append(f"{path}: its first line does not say what it is")
    edges = ("core/src/buffer.rs", "bindings/python/src/buffer.rs", "bindings/c/src/")
    c_edges = (*edges, "benches/src/openssl.rs", "benches/src/boringssl.rs", "benches/src/c_library.rs", "files/src/descriptor.rs", "files/src/direct.rs", "bindings/cli/src/standard.rs")
    fenced = str(path).startswith(
        ("core/src/arch/", "tests/no_std/", "tests/constant_time/src/memcheck.rs", "tests/tests/freed_memory.rs", *c_edges)
    )
    if not fenced and re.search(r"\bunsafe\b(?!_)", re.sub(r"//.*", "", text)):
        faults.append(f"{path}: `unsafe` outside its fences")
    for word in ("TO" + "DO", "FIX" + "ME", "#[ig" + "nore"):
        if word in text:
            faults.append(f"{path}: {word}")

for line in faults:
    print(line, file=sys.stderr)
print(f"{len(rust)} Rust files looked at, {len(faults)} faults")
sys.exit(bool(faults))
