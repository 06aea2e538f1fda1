"""Loads the demo through the front door: the department registers units and grants, schools' software pushes, and the
department asks the schools for their report.

    python -m demo.load --gateway 127.0.0.1:8080 --scale tiny --issuer-folder .iocedu/keys

Last year goes in as history, which notifies nobody; this year as news. Repeating it changes nothing: batch ids follow
from school, year and day, row versions from the content.
"""

import argparse
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from chassis.years import Years
from demo import life, places, province, school
from demo.department import PARALLEL, PROVINCE, Department, LoadError
from demo.province import SCALES, School
from deploy.local.demo import DIRECTOR
from deploy.local.issuer import Issuer
from examples.school_system import Outcome, SchoolSystem

SOURCES = ("vnedu", "smas")
PLANTED = {"rejected": " as planted, to show the quarantine"}  # Some rows are wrong on purpose.
ATTENDANCE_DAYS = {"tiny": 10, "default": 10, "province": 5, "merged": 3}
WHOLE_YEAR, MOST_OF_IT = ("CK1", "CK2", "CN"), ("CK1", "CN")
LAST_YEARS_STAGES = {"tiny": WHOLE_YEAR, "default": WHOLE_YEAR, "province": MOST_OF_IT, "merged": MOST_OF_IT}


def grants(schools: Iterable[School]) -> Iterator[tuple[str, str, str]]:
    """Yield who may do what: the director, the provincial IOC, vendors, an officer a commune, a head a school."""
    yield DIRECTOR, "director", PROVINCE
    yield "ioc-tinh", "provincial_ioc", PROVINCE
    for source in SOURCES:
        yield source, "integrator", PROVINCE
    communes = set()
    for item in schools:
        communes.add(item.commune.today)
        yield f"hieu-truong-{item.code}", "head_teacher", f"moet:{item.code}"
    for code in sorted(communes):
        yield f"can-bo-{code}", "officer", f"gso:{code}"


def batches(
    item: School, *, today: date, days: int, last_years: Sequence[str]
) -> Iterator[tuple[str, bool, list[school.Row]]]:
    """Yield (batch id, whether it is history, rows) of one school: last year, then this year.

    A silent school sends nothing this year, and every second one has never sent anything.
    """
    year = Years().of(today)
    if item.silent and int(item.code) % 2:
        return
    before = school.roster(item, year - 1)
    yield f"demo-{item.code}-{year - 1}", True, _year(item, before, year - 1, last_years)
    if item.silent:
        return
    now = school.roster(item, year)
    stages = ["GK1"] if today >= date(year, 11, 10) else []
    yield f"demo-{item.code}-{year}", False, _year(item, now, year, stages)
    open_days = school.school_days(today, year, days)
    if open_days:
        rows = list(school.register_rows(item, now, year, open_days, version=1))
        yield f"demo-{item.code}-{open_days[-1]}", False, rows


def _year(item: School, pupils: list[school.Pupil], year: int, stages: Sequence[str]) -> list[school.Row]:
    rows = [
        school.profile_row(item, year, version=1),
        *school.staff_rows(item, year, version=1),
        *school.class_rows(item, year, version=1),
        *school.pupil_rows(item, pupils, year, version=1),
        *life.life_rows(item, pupils, year, version=1),
    ]
    for stage in stages:
        rows.extend(school.result_rows(item, pupils, year, stage, version=1))
    return rows


def load(gateway: str, scale: str, issuer: Issuer, console: Console) -> dict[str, int]:
    """Load everything and return how many rows ended in which state."""
    known = places.load()
    schools = province.schools(SCALES[scale], known.communes)
    minted = threading.local()

    def token(subject: str) -> str:
        kept: dict[str, tuple[float, str]] = minted.__dict__
        if subject not in kept or kept[subject][0] < time.monotonic():
            kept[subject] = (time.monotonic() + 120, issuer.mint(subject, lifetime=timedelta(minutes=5)))
        return kept[subject][1]

    department = Department(gateway, token)
    console.print(f"registering {len(known.units)} units and {len(schools)} schools and childcare groups")
    department.register(known.units + [province.unit_of(item) for item in schools])
    department.give(grants(schools))
    department.wait_for(SOURCES[0], PROVINCE)
    now = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh"))
    today = now.date()
    systems = {
        source: SchoolSystem(gateway, lambda source=source: token(source), source=source)  # type: ignore[misc]  # default
        for source in SOURCES
    }
    counts = dict.fromkeys(("accepted", "unchanged", "stale", "rejected", "held"), 0)
    bar = Progress(
        TextColumn("loading the demo"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("schools, {task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )

    def push(item: School) -> list[Outcome]:
        return [
            systems[item.source].push(f"moet:{item.code}", rows, batch_id=batch_id, backfill=history)
            for batch_id, history, rows in batches(
                item, today=today, days=ATTENDANCE_DAYS[scale], last_years=LAST_YEARS_STAGES[scale]
            )
        ]

    with bar, ThreadPoolExecutor(PARALLEL) as pool:
        task = bar.add_task("load", total=len(schools), rows=0)
        for done, outcomes in enumerate(pool.map(push, schools), 1):
            for outcome in outcomes:
                for state in counts:
                    counts[state] += getattr(outcome, state)
            bar.update(task, advance=1, rows=sum(counts.values()))
            # A log shows no bar: a line for each tenth instead.
            if bar.disable and done * 10 // len(schools) > (done - 1) * 10 // len(schools):
                console.print(f"{done} of {len(schools)} schools, {sum(counts.values()):,} rows", highlight=False)
    for system in systems.values():
        system.close()
    department.bring_contacts(f"hieu-truong-{item.code}" for item in schools)
    year = Years().of(today)
    department.ask_for_reports(now, year)
    department.write_to_heads(now, year)
    return counts


def main() -> int:
    """Load the demo; exit status 1 with one line when that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", default="127.0.0.1:8080")
    parser.add_argument("--scale", choices=sorted(SCALES), default="default")
    parser.add_argument("--issuer-folder", type=Path, required=True, help="folder of the local issuer's keys")
    options = parser.parse_args()
    console = Console(stderr=True)
    started = time.monotonic()
    try:
        counts = load(options.gateway, options.scale, Issuer(options.issuer_folder), console)
    except (LoadError, httpx.HTTPError) as error:
        console.print(f"The demo was not loaded: {error}", highlight=False)
        return 1
    rows, seconds = sum(counts.values()), time.monotonic() - started
    told = ", ".join(f"{count:,} {state}{PLANTED.get(state, '')}" for state, count in counts.items() if count)
    console.print(f"{rows:,} rows in {seconds:.0f} s: {told}", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
