"""objseal next to its peers in Python, all in one run. `bench/run` installs them and starts this.

A round runs each once, in an order that changes; figures are GB/s of plaintext, medians of the rounds; ratios are of those
medians. All work on one thread unless the row says otherwise, on random data in memory that was touched before. What a
call returns is dropped at once.

The bars: in memory at 1 MiB 0.95 of the Rust API, `*_into` at 1 GiB on two threads 1.3 times PyCA's AESGCM in chunks of
1 MiB (which has one; on one both run at the speed of memcpy), `*_into` at 64 MiB 15 times aws-encryption-sdk and 8 times Tink's
streams from memory to memory. Streams have no bar.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version

import aws_encryption_sdk
import tink
from aws_encryption_sdk.identifiers import Algorithm, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tink import streaming_aead

import objseal
from objseal import cobblestone

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
Call = Callable[[], object]


def cpu() -> str:
    with open("/proc/cpuinfo") as info:
        lines = dict(line.split(":", 1) for line in info if ":" in line)
    fields = {name.strip(): value.strip() for name, value in lines.items()}
    return f"{fields.get('model name', platform.machine())}, family {fields.get('cpu family')} model {fields.get('model')}"


class Rust:
    """The Rust API, in a process of its own that runs when it is told to."""

    def __init__(self, path: str) -> None:
        self._process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def seconds(self, what: str, length: int, times: int) -> float:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{what} {length} {times}\n")
        return float(self._process.stdout.readline())


def timed(call: Call, times: int) -> float:
    call()
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def compare(title: str, length: int, contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """GB/s of each; the first is the one that the others are compared with."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(rounds):
        at = turn % len(names)
        for name in names[at:] + names[:at]:
            seconds[name].append(contenders[name]())
    rates = {name: length / statistics.median(found) / 1e9 for name, found in seconds.items()}
    print(f"\n{title}, {rounds} rounds")
    for name, rate in rates.items():
        print(f"  {name:52} {rate:7.2f} GB/s   x{rates[names[0]] / rate:.2f}")
    sys.stdout.flush()
    return rates


def in_memory(rust: Rust, rounds: int) -> tuple[dict[str, float], list[tuple[str, float, float]]]:
    length, times = MIB, 100
    raw, data = os.urandom(32), os.urandom(length)
    key, aes, nonce = objseal.Key(raw), AESGCM(raw), os.urandom(12)
    message, object_, boxed = cobblestone.seal(key, data), objseal.seal(data, key=key), aes.encrypt(nonce, data, None)

    def py(call: Call) -> Callable[[], float]:
        return lambda: timed(call, times)

    shown = {}
    bars = []
    for ours, call, what, theirs, peer in [
        ("cobblestone.seal", lambda: cobblestone.seal(key, data), "seal", "AESGCM.encrypt", lambda: aes.encrypt(nonce, data, None)),
        ("cobblestone.open", lambda: cobblestone.open(key, message), "open", "AESGCM.decrypt", lambda: aes.decrypt(nonce, boxed, None)),
        ("seal", lambda: objseal.seal(data, key=key), "seal_object", None, None),
        ("unseal", lambda: objseal.unseal(object_, key=key), "open_object", None, None),
    ]:
        contenders: dict[str, Callable[[], float]] = {
            f"objseal {ours}": py(call),
            "the same from Rust": lambda what=what: rust.seconds(what, length, times),  # type: ignore[misc]
        }
        if theirs is not None and peer is not None:
            contenders[f"PyCA {theirs}"] = py(peer)
        rates = compare(f"{ours}, 1 MiB, a new result for each call", length, contenders, rounds)
        bars.append((f"{ours} of 1 MiB / Rust", rates[f"objseal {ours}"] / rates["the same from Rust"], 0.95))
        shown.update({f"{name} ({ours}, 1 MiB)" if name.startswith("the same") else f"{name}, 1 MiB": rate for name, rate in rates.items()})
    return shown, bars


def warm_into_warm(rounds: int) -> tuple[dict[str, float], list[tuple[str, float, float]]]:
    length = GIB
    raw = os.urandom(32)
    key, aes, nonce = objseal.Key(raw), AESGCM(raw), os.urandom(12)
    data = b"".join(os.urandom(64 * MIB) for _ in range(length // (64 * MIB)))
    sealed = bytearray(cobblestone.sealed_len(length))
    opened = bytearray(length)
    cobblestone.seal_into(key, data, sealed)
    message = bytes(sealed)
    boxes = bytearray(length // MIB * (MIB + 16))
    view, box_view, opened_view = memoryview(data), memoryview(boxes), memoryview(opened)

    def encrypt() -> None:
        for n in range(length // MIB):
            box = box_view[n * (MIB + 16) : (n + 1) * (MIB + 16)]
            aes.encrypt_into(nonce, view[n * MIB : (n + 1) * MIB], None, box)

    encrypt()
    boxed = memoryview(bytes(boxes))

    def decrypt() -> None:
        for n in range(length // MIB):
            box = boxed[n * (MIB + 16) : (n + 1) * (MIB + 16)]
            aes.decrypt_into(nonce, box, None, opened_view[n * MIB : (n + 1) * MIB])

    def once(call: Call) -> Callable[[], float]:
        def run() -> float:
            start = time.perf_counter()
            call()
            return time.perf_counter() - start

        return run

    def copy() -> None:
        opened_view[:] = view

    ours, theirs = "objseal cobblestone.seal_into", "PyCA AESGCM.encrypt_into, 1 MiB each"
    seal = compare(
        "1 GiB, warm into warm",
        length,
        {
            ours: once(lambda: cobblestone.seal_into(key, data, sealed)),
            f"{ours}, threads=2": once(lambda: cobblestone.seal_into(key, data, sealed, threads=2)),
            theirs: once(encrypt),
            "memcpy": once(copy),
            "objseal cobblestone.seal, a new result": once(lambda: cobblestone.seal(key, data)),
        },
        rounds,
    )
    ours_open, theirs_open = "objseal cobblestone.open_into", "PyCA AESGCM.decrypt_into, 1 MiB each"
    open_ = compare(
        "1 GiB, warm into warm",
        length,
        {
            ours_open: once(lambda: cobblestone.open_into(key, message, opened)),
            f"{ours_open}, threads=2": once(lambda: cobblestone.open_into(key, message, opened, threads=2)),
            theirs_open: once(decrypt),
            "objseal cobblestone.open, a new result": once(lambda: cobblestone.open(key, message)),
        },
        rounds,
    )
    bars = [
        ("seal_into of 1 GiB on 2 threads / PyCA encrypt_into", seal[f"{ours}, threads=2"] / seal[theirs], 1.3),
        ("open_into of 1 GiB on 2 threads / PyCA decrypt_into", open_[f"{ours_open}, threads=2"] / open_[theirs_open], 1.3),
    ]
    return {f"{name}, 1 GiB": rate for name, rate in (seal | open_).items()}, bars


class RawKey(RawMasterKeyProvider):
    """A root key of 256 bits for aws-encryption-sdk."""

    provider_id = "bench"

    def _get_raw_key(self, key_id: str) -> WrappingKey:
        return WrappingKey(
            wrapping_algorithm=WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING,
            wrapping_key=bytes(32),
            wrapping_key_type=EncryptionKeyType.SYMMETRIC,
        )


def streams(folder: str, rounds: int) -> tuple[dict[str, float], list[tuple[str, float, float]]]:
    length = 64 * MIB
    data = os.urandom(length)
    key = objseal.Key.generate()
    streaming_aead.register()
    template = streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB
    primitive = tink.new_keyset_handle(template).primitive(streaming_aead.StreamingAead)
    client = aws_encryption_sdk.EncryptionSDKClient()
    # Committing as ours, and without its signature, which ours does not have.
    how = {"algorithm": Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY, "frame_length": MIB}
    provider = RawKey()
    provider.add_master_key("bench")

    def write(file: io.BufferedIOBase) -> None:
        with file:
            for at in range(0, length, MIB):
                file.write(data[at : at + MIB])

    def read(file: io.BufferedIOBase) -> None:
        found = 0
        with file:
            while piece := file.read(MIB):
                found += len(piece)
        assert found == length

    def path(name: str) -> str:
        return os.path.join(folder, name)

    def aws_encrypt(target: str) -> None:
        with client.stream(mode="e", source=io.BytesIO(data), key_provider=provider, **how) as stream:
            with open(target, "wb") as file:
                for piece in stream:
                    file.write(piece)

    def aws_decrypt() -> None:
        found = 0
        with open(path("aws"), "rb") as file, client.stream(mode="d", source=file, key_provider=provider) as stream:
            for piece in stream:
                found += len(piece)
        assert found == length

    write(objseal.open(path("ours"), "wb", key=key))
    write(primitive.new_encrypting_stream(open(path("tink"), "wb"), b""))
    aws_encrypt(path("aws"))

    def once(call: Call) -> Callable[[], float]:
        def run() -> float:
            start = time.perf_counter()
            call()
            return time.perf_counter() - start

        return run

    sealed, opened = bytearray(objseal.sealed_len(length, key=key)), bytearray(length)
    objseal.seal_into(data, sealed, key=key)
    object_, (of_aws, _) = bytes(sealed), client.encrypt(source=data, key_provider=provider, **how)

    class Kept(io.BytesIO):
        def close(self) -> None:
            """It is looked at after it was closed."""

    def tink_encrypt() -> Kept:
        kept = Kept()
        with primitive.new_encrypting_stream(kept, b"") as file:
            file.write(data)
        return kept

    def tink_decrypt() -> None:
        with primitive.new_decrypting_stream(io.BytesIO(of_tink.getvalue()), b"") as file:
            assert len(file.read()) == length

    of_tink = tink_encrypt()
    seal_rates = compare(
        "64 MiB in memory, sealed into memory",
        length,
        {
            "objseal.seal_into": once(lambda: objseal.seal_into(data, sealed, key=key)),
            "objseal.seal, a new result": once(lambda: objseal.seal(data, key=key)),
            "Tink streaming AEAD to io.BytesIO": once(tink_encrypt),
            "aws-encryption-sdk encrypt": once(lambda: client.encrypt(source=data, key_provider=provider, **how)),
        },
        rounds,
    )
    open_rates = compare(
        "64 MiB in memory, opened into memory",
        length,
        {
            "objseal.unseal_into": once(lambda: objseal.unseal_into(object_, opened, key=key)),
            "objseal.unseal, a new result": once(lambda: objseal.unseal(object_, key=key)),
            "Tink streaming AEAD from io.BytesIO": once(tink_decrypt),
            "aws-encryption-sdk decrypt": once(lambda: client.decrypt(source=of_aws, key_provider=provider)),
        },
        rounds,
    )
    write_rates = compare(
        "64 MiB in pieces of 1 MiB to /dev/null",
        length,
        {
            "objseal.open(.., 'wb')": once(lambda: write(objseal.open("/dev/null", "wb", key=key))),
            "Tink streaming AEAD, AES256_GCM_HKDF_1MB": once(
                lambda: write(primitive.new_encrypting_stream(open("/dev/null", "wb"), b""))
            ),
            "aws-encryption-sdk, frames of 1 MiB": once(lambda: aws_encrypt("/dev/null")),
        },
        rounds,
    )
    read_rates = compare(
        "64 MiB in pieces of 1 MiB from a file in memory",
        length,
        {
            "objseal.open(.., 'rb')": once(lambda: read(objseal.open(path("ours"), key=key))),
            "Tink streaming AEAD, decrypting": once(
                lambda: read(primitive.new_decrypting_stream(open(path("tink"), "rb"), b""))
            ),
            "aws-encryption-sdk, decrypting": once(aws_decrypt),
        },
        rounds,
    )
    bars = []
    for rates, what in ((seal_rates, "seal_into"), (open_rates, "unseal_into")):
        mine, _, by_tink, by_aws = rates.values()
        bars += [
            (f"{what} of 64 MiB / Tink streaming", mine / by_tink, 8.0),
            (f"{what} of 64 MiB / aws-encryption-sdk", mine / by_aws, 15.0),
        ]
    return seal_rates | open_rates | write_rates | read_rates, bars


def draw(path: str, rates: dict[str, float], title: str) -> None:
    """A bar for each, as SVG."""
    row, left, width = 22, 430, 460
    most = max(rates.values())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{row * len(rates) + 60}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="24" font-size="15">{title}</text>',
    ]
    for n, (name, rate) in enumerate(rates.items()):
        y = 44 + n * row
        color = "#2b6cb0" if name.startswith("objseal") else "#8898aa" if name.startswith("the same") else "#d08770"
        lines.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{name}</text>')
        lines.append(f'<rect x="{left}" y="{y}" width="{max(1.0, width * rate / most):.1f}" height="16" fill="{color}"/>')
        lines.append(f'<text x="{left + width * rate / most + 6:.1f}" y="{y + 13}">{rate:.2f}</text>')
    with open(path, "w") as file:
        file.write("\n".join([*lines, "</svg>"]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rust", required=True, help="the program in_memory of objseal-benches")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--svg", help="where to draw the chart")
    parser.add_argument("--no-bars", action="store_true", help="do not fail when a bar is missed")
    args = parser.parse_args()
    names = ["objseal", "cryptography", "aws-encryption-sdk", "tink"]
    print(f"{cpu()}, {os.cpu_count()} CPUs, shared; Python {platform.python_version()}")
    print(", ".join(f"{name} {version(name)}" for name in names))
    shown: dict[str, float] = {}
    bars: list[tuple[str, float, float]] = []
    rust = Rust(args.rust)
    folder = tempfile.TemporaryDirectory(dir="/dev/shm")
    with folder:
        for part in (
            lambda: in_memory(rust, args.rounds),
            lambda: warm_into_warm(args.rounds),
            lambda: streams(folder.name, args.rounds),
        ):
            rates, part_bars = part()
            shown |= rates
            bars += part_bars
    print()
    missed = 0
    for name, ratio, bar in bars:
        missed += ratio < bar
        print(f"{'ok    ' if ratio >= bar else 'MISSED'} {name}: x{ratio:.2f}, bar {bar}")
    if args.svg:
        draw(args.svg, shown, f"GB/s of plaintext, {cpu()}")
    sys.exit(bool(missed) and not args.no_bars)


if __name__ == "__main__":
    main()
