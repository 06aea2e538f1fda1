"""What a benchmark says: a figure beside its floor, measured in the same run."""

import json
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One measured figure. `floor` is the same work done with nothing of ours; `budget` is what we promised."""

    name: str
    value: float
    unit: str
    budget: str
    floor: float | None = None
    floor_name: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure as a share of its floor."""
        return self.value / self.floor if self.floor else None


def machine() -> str:
    """The machine, for whoever reads the figures later."""
    gigabytes = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {gigabytes:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def publish(figures: list[Figure]) -> Path:
    """Print the figures as a table, write them as JSON and return the file."""
    table = Table(title=f"measured on {machine()}")
    for column in ("figure", "value", "floor", "ratio", "budget"):
        table.add_column(column, justify="left" if column in {"figure", "budget"} else "right")
    for figure in figures:
        floor = f"{figure.floor:,.1f} {figure.floor_name}" if figure.floor else ""
        ratio = f"{figure.ratio:.2f}" if figure.ratio else ""
        table.add_row(figure.name, f"{figure.value:,.1f} {figure.unit}", floor, ratio, figure.budget)
    Console(width=150).print(table)
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    file = RESULTS / f"{now:%Y%m%d-%H%M%S}.json"
    body = {
        "machine": machine(),
        "time": now.isoformat(timespec="seconds"),
        "figures": [{**asdict(figure), "ratio": figure.ratio} for figure in figures],
    }
    file.write_text(json.dumps(body, indent=1) + "\n")
    return file


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
