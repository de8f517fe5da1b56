#!/usr/bin/env python3
"""Fails if an AESE of the ARMv8 kernels has no AESMC on the same register behind it, but for last rounds.

    tests/cross/fused.py PROGRAM
"""

import re
import subprocess
import sys

dump = ["aarch64-linux-gnu-objdump", "-d", "-C", "--no-show-raw-insn", sys.argv[1]]
name, code = None, {}
for line in subprocess.run(dump, check=True, capture_output=True, text=True).stdout.splitlines():
    if head := re.match(r"^[0-9a-f]+ <(.*)>:$", line):
        name = head[1]
        code[name] = []
    elif name and (match := re.match(r"^\s+[0-9a-f]+:\t(\S+)\s*(.*)$", line)):
        code[name].append(match.groups())

for backend in ("Armv8", "Armv8Sha3"):
    for function in ("seal", "open"):
        found = [c for n, c in code.items() if f"::{backend}::{function}::{function}" in n]
        if not found:
            sys.exit(f"no function {backend}::{function} in {sys.argv[1]}: nothing was checked")
        for instructions in found:
            pairs = apart = 0
            for at, (mnemonic, operands) in enumerate(instructions):
                if mnemonic == "aesmc":
                    before = instructions[at - 1]
                    register = before[1].split(",")[0]
                    together = before[0] == "aese" and operands == f"{register}, {register}"
                    pairs += together
                    apart += not together
            eor3 = sum(mnemonic == "eor3" for mnemonic, _ in instructions)
            print(f"{backend}::{function}: {pairs} pairs of AESE and AESMC, {apart} AESMC apart, {eor3} EOR3")
            if pairs < 200 or apart or (eor3 > 20) != (backend == "Armv8Sha3"):
                sys.exit("that is not the kernel as it should be")
