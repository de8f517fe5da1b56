#!/usr/bin/env python3
"""Two builds of this library side by side, so that a change can be seen not to slow anything.

    cargo build --release -p objseal-benches --bin in_memory      # in both checkouts
    benches/versions.py OLD/target/release/in_memory NEW/target/release/in_memory

Three processes answer: the old build twice, for the spread of a comparison of equals (A/A), and the new one. A round asks
each of them once, in an order that changes. The table has ratios of medians: above 1 the second one is faster.
"""

import random
import statistics
import subprocess
import sys

WHAT = ["seal", "open", "seal_object", "open_object"]
LENGTHS = [1 << 10, 16 << 10, 64 << 10, 1 << 20, 16 << 20]
ROUNDS = 25
BYTES_A_ROUND = 32 << 20


class Build:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.seconds = []

    def measure(self, what, length):
        print(what, length, max(1, min(2000, BYTES_A_ROUND // length)), file=self.process.stdin, flush=True)
        self.seconds.append(float(self.process.stdout.readline()))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    old, new = sys.argv[1:]
    builds = [Build(old), Build(old), Build(new)]
    print(next(line for line in open("/proc/cpuinfo") if line.startswith("model name")).split(": ")[1], end="")
    print(f"{'':12} {'bytes':>9} {'old us':>9} {'old/new':>8} {'A/A':>6}   quartiles of old/new")
    for what in WHAT:
        for length in LENGTHS:
            for build in builds:
                build.seconds.clear()
            for _ in range(ROUNDS):
                for build in random.sample(builds, 3):
                    build.measure(what, length)
            first, second, changed = (statistics.median(build.seconds) for build in builds)
            of_round = [a / b for a, b in zip(builds[0].seconds, builds[2].seconds)]
            low, _, high = statistics.quantiles(of_round, n=4)
            row = f"{what:12} {length:9} {first * 1e6:9.2f} {first / changed:8.3f} {first / second:6.3f}"
            print(f"{row}   {low:.3f} to {high:.3f}", flush=True)


main()
