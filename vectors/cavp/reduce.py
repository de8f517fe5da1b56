#!/usr/bin/env python3
"""Keeps of the CAVP files for AES-256-GCM the cases with 96-bit IVs and 128-bit tags, as they are.

    pip download --no-deps cryptography_vectors==50.0.2
    vectors/cavp/reduce.py cryptography_vectors-50.0.2-py3-none-any.whl
"""

import pathlib
import sys
import zipfile

HERE = pathlib.Path(__file__).parent
FOLDER = "cryptography_vectors/ciphers/AES/GCM/"


def reduce(text):
    """Comments, then the sections of the right sizes with all their cases."""
    kept, section, wanted, in_section = [], [], False, False
    for line in text.splitlines():
        if line.startswith("#"):
            kept.append(line)
        elif line.startswith("["):
            section = section + [line] if in_section else [line]
            in_section = True
            if line.startswith("[Taglen"):
                wanted = "[IVlen = 96]" in section and "[Taglen = 128]" in section
                if wanted:
                    kept += ["", *section]
        else:
            if line:
                in_section = False
            if wanted:
                kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in ("gcmDecrypt256.rsp", "gcmEncryptExtIV256.rsp"):
        text = reduce(wheel.read(FOLDER + name).decode())
        (HERE / name).write_text(text)
        print(name, text.count("\nCount ="), "cases", len(text), "bytes")
