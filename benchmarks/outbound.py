"""How fast records leave for the ministry's simulator, and how long comparing with it takes.

The floor is a bare client that posts the very same packages to a simulator of its own, with as many connections.
"""

import asyncio
import gzip
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
from iocedu.records.v1 import records_pb2, resources_pb2

from benchmarks.province import DIRECTOR, PROVINCE, Province, batches, rows, running
from benchmarks.report import Figure
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.table import MINISTRY
from services.sync.convert.outgoing import compose, form_of, noted_rows
from services.sync.convert.packages import Head, Item, typed_package
from services.sync.domain.destinations import PACKAGE_SIZE, Kind
from simulators.ministry.store import Store, digest_of

YEAR, CONNECTIONS, SHARE = 2026, 4, 0.001
PUSHES = f"/v1/units/{PROVINCE}/destinations/moet"


async def measure(schools: int) -> list[Figure]:
    """Rows a second out, and seconds to compare with 0.1 % differing, each beside its floor."""
    with tempfile.TemporaryDirectory(prefix="iocedu-bench-") as folder:
        async with running(Path(folder) / "data", schools=schools, pushing=True) as province:
            made = [*map(_school, province.schools), *rows(province.schools)]
            for row in made:
                if row.WhichOneof("record") == "pupil":
                    row.pupil.class_key = ""  # Stands on its school alone.
            ours = await _pushed(province, made)
            floor = await _bare(Path(folder), made)
            whole, quick, found = await _compared(province, Path(folder) / "data" / "ministry", len(made))
    return [
        Figure("records out to the simulator", ours, "rows/s", "", floor, "rows/s (bare client)"),
        Figure(f"compare {len(made):,} records, {found:,} differ", quick, "s", "", whole, "s (all tampered with)"),
    ]


def _school(school: str) -> resources_pb2.Row:
    record = resources_pb2.School(school_year=YEAR, name=school, levels=["03"])
    return resources_pb2.Row(school=school, key=str(YEAR), version=1, school_profile=record)


async def _pushed(province: Province, made: list[resources_pb2.Row]) -> float:
    """Push with the destination paused until all is in, then let it go."""
    admin = {"authorization": f"Bearer {province.token('admin')}"}
    async with httpx.AsyncClient(base_url=f"http://{province.fleet.gateway}", headers=admin, timeout=60) as http:
        paused = {"destination": {"paused": True, "calls_per_second": 1000}, "update_mask": "paused,callsPerSecond"}
        (await http.patch("/v1/destinations/moet", json=paused)).raise_for_status()
        await province.push(batches(made, 5000), name="outbound", parallel=2)
        await _counted(http, "waiting_count", len(made))
        going = {"destination": {"paused": False}, "update_mask": "paused"}
        (await http.patch("/v1/destinations/moet", json=going)).raise_for_status()
        began = time.perf_counter()
        await _counted(http, "accepted_count", len(made))
        return len(made) / (time.perf_counter() - began)


async def _counted(http: httpx.AsyncClient, name: str, count: int) -> None:
    while True:
        said = (await http.get(f"{PUSHES}/pushes:summarize")).json()
        if int(said.get("counts", {}).get(name, 0)) >= count:
            return
        await asyncio.sleep(0.1)


async def _bare(folder: Path, made: list[resources_pb2.Row]) -> float:
    """The same packages, composed beforehand, by a client that does nothing else."""
    packages = await _packages(made)
    address = f"{LOOPBACK}:{free_port()}"
    command = [sys.executable, "-m", "simulators.ministry", "--listen", address, "--data", str(folder / "bare")]
    process = subprocess.Popen(command)  # noqa: ASYNC220, S603  a process of ours, started before the clock
    try:
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=60, trust_env=False) as http:
            await _answers(http)
            began = time.perf_counter()
            for part in packages:  # Schools' own records first: the simulator asks for them.
                await _post_all(http, part)
            return len(made) / (time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


async def _answers(http: httpx.AsyncClient) -> None:
    while True:
        try:
            await http.get("/mo-phong/song")
        except httpx.TransportError:
            await asyncio.sleep(0.05)
        else:
            return


async def _packages(made: list[resources_pb2.Row]) -> list[list[tuple[str, str, bytes]]]:
    """Packages of the same rows: those with schools' own records, then the rest."""
    form, found = form_of(Kind.MINISTRY), list[list[tuple[str, str, bytes]]]()
    for name, number in (("school_profile", 1), ("pupil", 4)):
        by_school: dict[str, list[Item]] = {}
        for row in made:
            if row.WhichOneof("record") == name:
                change = records_pb2.Change(row=row, position=1, type=number)  # type: ignore[arg-type]
                (noted,) = await noted_rows(form, [change])
                content = compose(form, number, noted[-1], key=row.key)
                by_school.setdefault(row.school, []).append(Item(uuid4(), number, row.key, "NEW", 1, 1, content))
        part = []
        for school, items in by_school.items():
            for start in range(0, len(items), PACKAGE_SIZE):
                package_id, code = uuid4(), school.partition(":")[2]
                kind = form.composers[number].record_types[""]
                head = Head(package_id, code, 0, "00", YEAR, kind, datetime.now(UTC))
                body = typed_package(head, items[start : start + PACKAGE_SIZE])
                part.append((code, str(package_id), gzip.compress(body, 1)))
        found.append(part)
    return found


async def _post_all(http: httpx.AsyncClient, packages: list[tuple[str, str, bytes]]) -> None:
    pending = iter(packages)

    async def worker() -> None:
        for school, request_id, body in pending:
            account = {"CapDonVi": "4", "MaDonVi": school, "CapHoc": "00"}
            account |= {"TenDangNhap": MINISTRY.user, "MatKhau": MINISTRY.password}
            token = {"Token": (await http.post("/api/GetAuthToken", json=account)).json()["Token"]}
            said = (await http.post("/api/TiepNhanCompress", content=body, headers=token)).json()
            while said["TrangThai"] != 3 or "KetQua" not in said:
                await asyncio.sleep(0.01)
                params = {"ma_yeu_cau": request_id}
                said = (await http.get("/api/TrangThaiYeuCau", params=params, headers=token)).json()
            assert {one["KetQua"] for one in said["KetQua"]} == {1}, said["KetQua"][:1]

    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))


async def _compared(province: Province, folder: Path, count: int) -> tuple[float, float, int]:
    """Seconds to compare with every group tampered with, with one record in a thousand, and how many differed."""
    director = {"authorization": f"Bearer {province.token(DIRECTOR)}"}
    address = f"http://{province.fleet.gateway}"
    async with httpx.AsyncClient(base_url=address, headers=director, timeout=300) as http:
        wanted = max(1, round(count * SHARE))
        _tamper(folder, wanted)
        quick, found = await _compare(http)
        assert found == wanted, (found, wanted)
        _tamper_schools(folder)
        whole, _ = await _compare(http)
    return whole, quick, found


async def _compare(http: httpx.AsyncClient) -> tuple[float, int]:
    began = time.perf_counter()
    answer = await http.post(f"{PUSHES}/reconciliations", json={})
    answer.raise_for_status()
    return time.perf_counter() - began, int(answer.json()["reconciliation"]["differing_count"])


def _tamper(folder: Path, count: int) -> None:
    _rename(folder, "SELECT * FROM record WHERE object = 'HOC_SINH' ORDER BY id LIMIT ?", count)


def _tamper_schools(folder: Path) -> None:
    """One pupil of every school, so that no digest helps."""
    _rename(folder, "SELECT * FROM record WHERE id IN (SELECT min(id) FROM record GROUP BY school, object) AND ?", 1)


def _rename(folder: Path, question: str, given: int) -> None:
    with closing(Store(folder / "ministry.db")) as store:
        found = [dict(row) for row in store.rows(question, given)]
        with store.writing() as writes:
            for row in found:
                content = json.loads(row["content"]) | {"GHI_CHU": str(time.time_ns())}
                row |= {"content": json.dumps(content, ensure_ascii=False), "digest": digest_of(content)}
                writes.put(row, request_id="tampered")
