#!/usr/bin/env python3
"""The other side of the exchange with PyCA's `cryptography`.

    peer.py version
    peer.py seal KEY CONTEXT IN OUT      (KEY and CONTEXT in hexadecimal)
    peer.py open KEY CONTEXT IN OUT

`open` ends with status 3 where the message is refused.
"""

import sys

import cryptography
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

PIECE = 100_000  # on purpose no multiple of a chunk


def run(machine, source, target):
    with open(source, "rb") as data, open(target, "wb") as out:
        while piece := data.read(PIECE):
            out.write(machine.update(piece))
        out.write(machine.finalize())


match sys.argv[1:]:
    case ["version"]:
        print(cryptography.__version__)
    case ["seal", key, context, source, target]:
        run(Cobblestone256Encryptor(bytes.fromhex(key), bytes.fromhex(context)), source, target)
    case ["open", key, context, source, target]:
        try:
            run(Cobblestone256Decryptor(bytes.fromhex(key), bytes.fromhex(context)), source, target)
        except InvalidTag:
            sys.exit(3)
    case _:
        sys.exit(__doc__)
