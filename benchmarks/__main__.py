"""Measures what the README quotes, on a fleet of its own: `python -m benchmarks [push] [calls] [live] …`, or all of it.

`calls`, `dashboards` and `live` need what `push` loaded, so it runs with them; `outbound` has a fleet to itself. Prints
a table and writes `benchmarks/results/*.json`.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks import alarms, calls, dashboards, files, live, outbound, push, rules, scale, search
from benchmarks.province import running
from benchmarks.report import Figure, publish

MEASURED = {
    "push": push.measure,
    "calls": calls.measure,
    "dashboards": dashboards.measure,
    "live": live.measure,
    "alarms": alarms.measure,
    "rules": rules.measure,
    "search": search.measure,
    "scale": scale.measure,
    "files": files.measure,
}
NEED_PUSH = {"push", "calls", "dashboards", "live"}
OUTBOUND = "outbound"


async def run(names: list[str], schools: int) -> list[Figure]:
    """Measure and return the figures."""
    figures: list[Figure] = await outbound.measure(schools) if OUTBOUND in names else []
    if not {*names} - {OUTBOUND}:
        return figures
    # A large database is still writing when its folder goes: that must not cost the figures.
    with tempfile.TemporaryDirectory(prefix="iocedu-bench-", ignore_cleanup_errors=True) as folder:
        async with running(Path(folder) / "data", schools=schools) as province:
            for name, measure in MEASURED.items():
                if name in names or (name == "push" and NEED_PUSH & {*names}):
                    figures += await measure(province)
    return figures


def main() -> int:
    """Run and publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names",
        nargs="*",
        choices=[[], *MEASURED, OUTBOUND],
        default=[],
        metavar="|".join([*MEASURED, OUTBOUND]),
    )
    parser.add_argument("--schools", type=int, default=1300, help="schools of 300 pupils each; half in large batches")
    options = parser.parse_args()
    figures = asyncio.run(run(options.names or [*MEASURED, OUTBOUND], options.schools))
    print(f"written to {publish(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
