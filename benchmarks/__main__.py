"""Measures what the README quotes, on a fleet of its own: `python -m benchmarks [push] [calls] [live] …`, or all of it.

`calls` and `live` need what `push` loaded, so it runs with them. Prints a table and writes `benchmarks/results/*.json`.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks import alarms, calls, live, push, rules, search
from benchmarks.province import running
from benchmarks.report import Figure, publish

MEASURED = {
    "push": push.measure,
    "calls": calls.measure,
    "live": live.measure,
    "alarms": alarms.measure,
    "rules": rules.measure,
    "search": search.measure,
}
NEED_PUSH = {"push", "calls", "live"}


async def run(names: list[str], schools: int) -> list[Figure]:
    """Measure and return the figures."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="iocedu-bench-") as folder:
        async with running(Path(folder) / "data", schools=schools) as province:
            for name, measure in MEASURED.items():
                if name in names or (name == "push" and NEED_PUSH & {*names}):
                    figures += await measure(province)
    return figures


def main() -> int:
    """Run and publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", choices=[[], *MEASURED], default=[], metavar="push|calls|live|alarms|rules|search"
    )
    parser.add_argument("--schools", type=int, default=1300, help="schools of 300 pupils each; half in large batches")
    options = parser.parse_args()
    figures = asyncio.run(run(options.names or list(MEASURED), options.schools))
    print(f"written to {publish(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
