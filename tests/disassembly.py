#!/usr/bin/env python3
"""Fails if a kernel has an instruction that its CPUs lack.

    tests/disassembly.py PROGRAM

Reads objdump's output for the functions of the backends aes-ni (both forms) and vaes-256 in PROGRAM.
"""

import re
import subprocess
import sys

HEAD = re.compile(r"^[0-9a-f]+ <(.*)>:$")
LINE = re.compile(r"^\s+[0-9a-f]+:\t((?:[0-9a-f]{2} )+)\s*\t(\S+)\s*(.*)$")
HIGH_REGISTER = re.compile(r"%[xyz]mm(1[6-9]|2\d|3[01])\b")
FUNCTIONS = ("seal", "open", "set_up")


def functions(program):
    """Name and instructions (bytes, mnemonic, operands) of each function."""
    dump = ["objdump", "-d", "-C", "--insn-width=16", program]
    text = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    found, name = {}, None
    for line in text.splitlines():
        if head := HEAD.match(line):
            name = head[1]
            found.setdefault(name, [])
        elif name and (match := LINE.match(line)):
            found[name].append((match[1].split(), match[2], match[3]))
    return found


def is_evex(code):
    """In 64-bit mode 0x62 begins an EVEX prefix, after a segment override at most."""
    rest = [byte for byte in code if byte not in ("64", "65")]
    return bool(rest) and rest[0] == "62"


def fault(backend, code, mnemonic, operands):
    """Why the CPUs of `backend` lack this instruction."""
    if is_evex(code) or "%zmm" in operands or HIGH_REGISTER.search(operands) or re.search(r"%k[0-7]", operands):
        return "AVX-512"
    if backend == "AesNi" and ("%ymm" in operands or (mnemonic.startswith("v") and not mnemonic.startswith("ver"))):
        return "AVX"
    if backend == "AesNiAvx" and "%ymm" in operands and mnemonic.startswith(("vp", "vaes")):
        return "AVX2"
    return None


def count(instructions, mnemonic, register):
    return sum(m.startswith(mnemonic) and register in o for _, m, o in instructions)


def main(program):
    found, faults = functions(program), []
    for backend, aes, clmul, register in (
        ("AesNi", "aesenc", "pclmul", "%xmm"),
        ("AesNiAvx", "vaesenc", "vpclmul", "%xmm"),
        ("Vaes256", "vaesenc", "vpclmul", "%ymm"),
    ):
        for function in FUNCTIONS:
            names = [n for n in found if f"{backend}::{function}::{function}" in n]
            if not names:
                sys.exit(f"no function {backend}::{function} in {program}: nothing was checked")
            for name in names:
                instructions = found[name]
                counts = count(instructions, aes, register), count(instructions, clmul, register)
                # Key set-up encrypts one block and multiplies in 128-bit registers.
                if function != "set_up" and (counts[0] < 100 or counts[1] < 20):
                    faults.append(f"{name}: {counts[0]} {aes}, {counts[1]} {clmul}: the kernel is not in here")
                for code, mnemonic, operands in instructions:
                    if why := fault(backend, code, mnemonic, operands):
                        faults.append(f"{name}: {mnemonic} {operands} needs {why}")
                    # Register code that was not inlined would be compiled for other CPUs.
                    if mnemonic.startswith("call") and "core_arch" in operands:
                        faults.append(f"{name}: calls {operands}")
                print(f"{name}: {len(instructions)} instructions, {counts[0]} {aes}, {counts[1]} {clmul}")
    # The check itself must be able to fail: a wider kernel breaks the rules of each.
    for backend, wider in (("AesNi", "AesNiAvx"), ("AesNiAvx", "Vaes256"), ("Vaes256", "Vaes512")):
        wide = next(i for n, i in found.items() if f"{wider}::seal::seal" in n)
        if not any(fault(backend, *instruction) for instruction in wide):
            sys.exit(f"the rules for {backend} accept the code of {wider}")
    if faults:
        sys.exit("\n".join(faults[:20]))


main(sys.argv[1])
