"""Runs all benchmarks, or those named, and prints one table."""

from __future__ import annotations

import importlib
import sys

from bench.figures import Figure, table

ALL = ("matching", "intake", "claims", "latency", "polls", "memory")


def main(names: list[str]) -> int:
    if unknown := set(names) - set(ALL):
        print(f"no benchmark called {', '.join(sorted(unknown))}; there are: {', '.join(ALL)}")
        return 2
    figures: list[Figure] = []
    for name in names or ALL:
        print(f"{name} …", file=sys.stderr, flush=True)
        figures += importlib.import_module(f"bench.{name}").measure()
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
