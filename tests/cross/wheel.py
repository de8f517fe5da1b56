"""Imports the package, finds the backends that this CPU has, opens a golden file, and seals and opens on two threads."""

import os
import pathlib
import platform
import shutil
import tempfile

import objseal

expected = os.environ["OBJSEAL_EXPECT_BACKENDS"].split(",")
assert set(objseal.engines()) == {*expected, "rustcrypto", "aws-lc"}, objseal.engines()

golden = pathlib.Path("vectors/golden")
with tempfile.TemporaryDirectory() as folder:
    keys = shutil.copy(golden / "keyring", folder)
    pathlib.Path(keys).chmod(0o600)
    keyring = objseal.Keyring(keys)
    opened = objseal.unseal((golden / "whole-chunk.sealed").read_bytes(), keyring=keyring)
    assert len(opened) == 16384, len(opened)

key = objseal.Key.generate()
plaintext = bytes(range(256)) * 20000
for threads in (1, 2):
    sealed = objseal.seal(plaintext, key=key, threads=threads)
    assert objseal.unseal(sealed, key=key, threads=threads) == plaintext
    tampered = bytearray(sealed)
    tampered[-1] ^= 1
    try:
        objseal.unseal(tampered, key=key, threads=threads)
    except objseal.AuthenticationError:
        pass
    else:
        raise SystemExit("a tampered object was opened")
print("objseal", objseal.__version__, "on", platform.machine(), "with", ", ".join(objseal.engines()))
