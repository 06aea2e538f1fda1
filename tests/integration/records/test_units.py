"""Units in time: imported all or nothing, asked as of any day, and told to every service."""

import asyncio
from datetime import date

import pytest
import sqlalchemy as sa
from iocedu.records.v1 import units_pb2
from sqlalchemy.exc import IntegrityError

from chassis.bus import Bus
from chassis.errors import Fault, Kind
from chassis.scopes import Scopes, chunked, publish_tree
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from services.records import jobs
from tests.integration.records.scenes import (
    ADMINISTRATOR,
    COMMUNE,
    PLACES,
    PROVINCE,
    SCHOOL_A,
    Running,
    reason,
    start_records,
    unit,
)
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

REFORM = "2025-07-01"


def _parent(
    alias: str, valid_from: str = "", valid_to: str = "", kind: str = "administrative"
) -> units_pb2.DatedParent:
    return units_pb2.DatedParent(parent=alias, type=kind, valid_from=valid_from, valid_to=valid_to)


def _reform() -> list[units_pb2.UnitInput]:
    """A district that ends, a commune that passes to the province, one that merges into another under a used code."""
    school = unit("school", "moet:S", name="Trường Lý Tự Trọng")
    school.parents.extend([_parent("gso:20335", valid_to=REFORM), _parent("gso:20341", valid_from=REFORM)])
    school.parents.append(_parent("moet:48", kind="professional"))
    kept = unit("commune", "gso:20341", name="An Mỹ")
    kept.parents.extend([_parent("gso:502", valid_to=REFORM), _parent("gso:49", valid_from=REFORM)])
    kept.names[0].valid_to = REFORM
    kept.names.add(name="Phường Tam Kỳ", valid_from=REFORM)
    merged = unit("commune", "gso:20335", "gso:502", name="Tân Thạnh", valid_to=REFORM)
    merged.successions.add(successor="gso:20341", kind="split_into", effective_date=REFORM, partial=True)
    again = unit("commune", "gso:20335", "gso:49", name="Bàn Thạch", valid_from=REFORM)
    return [
        school,
        merged,
        kept,
        again,
        unit("district", "gso:502", "gso:49", name="Tam Kỳ", valid_to=REFORM),
        unit("department", "moet:48", "gso:49", name="Sở"),
        unit("province", "gso:49", name="Quảng Nam"),
    ]


async def _import(records: Running, units: list[units_pb2.UnitInput]) -> tuple[int, int, int]:
    answer = await (await records.units()).ImportUnits(units_pb2.ImportUnitsRequest(units=units))
    return answer.created_count, answer.updated_count, answer.unchanged_count


async def test_an_import_is_repeated_without_harm_and_adds_what_is_new(empty: Running):
    """Units are known by their first code; what is there is left as it is."""
    assert await _import(empty, PLACES) == (5, 0, 0)
    assert await _import(empty, PLACES) == (0, 0, 5)
    more = units_pb2.UnitInput()
    more.CopyFrom(PLACES[0])
    more.codes.add(system="vendor", code="77")
    assert await _import(empty, [more, unit("school", "moet:Z", COMMUNE)]) == (1, 1, 0)
    found = await (await empty.units()).GetUnit(units_pb2.GetUnitRequest(unit="vendor:77"))
    assert list(found.unit.aliases) == [SCHOOL_A, "vendor:77"]


async def test_both_views_of_a_reform_stay_answerable(empty: Running):
    """Before it and after it a unit has another name, other parents, and a code can be another unit's."""
    await _import(empty, _reform())
    stub = await empty.units()

    async def get(ref: str, day: str) -> units_pb2.Unit:
        answer = await stub.GetUnit(units_pb2.GetUnitRequest(unit=ref, as_of=day))
        assert isinstance(answer, units_pb2.GetUnitResponse)
        return answer.unit

    async def below(ref: str, day: str, **fields: bool | str) -> list[str]:
        request = units_pb2.ListUnitsRequest(parent=ref, as_of=day, **fields)  # type: ignore[arg-type]  # test data
        return [one.name for one in (await stub.ListUnits(request)).units]

    old, new = await get("gso:20335", "2025-06-30"), await get("gso:20335", REFORM)
    assert old.unit_id != new.unit_id
    assert (old.name, new.name) == ("Tân Thạnh", "Bàn Thạch")
    assert [(one.successor, one.partial) for one in old.successions] == [("gso:20341", True)]
    assert (await get("gso:20341", "2025-06-30")).name == "An Mỹ"
    assert (await get("gso:20341", REFORM)).name == "Phường Tam Kỳ"
    school = await get("moet:S", "2025-06-30")
    assert sorted((one.type, one.parent) for one in school.parents) == [
        ("administrative", "gso:20335"),
        ("professional", "moet:48"),
    ]
    assert await below("gso:49", "2025-06-30") == ["Sở", "Tam Kỳ"]
    assert await below("gso:49", REFORM) == ["Bàn Thạch", "Phường Tam Kỳ", "Sở"]
    assert await below("gso:502", "2025-06-30", recursive=True) == ["An Mỹ", "Tân Thạnh", "Trường Lý Tự Trọng"]
    assert await below("gso:20341", REFORM) == ["Trường Lý Tự Trọng"]
    assert await below("moet:48", REFORM, edge_type="professional") == ["Trường Lý Tự Trọng"]
    with pytest.raises(Fault) as error:
        await get("gso:502", REFORM)
    assert (error.value.kind, reason(error)) == (Kind.NOT_FOUND, "UNIT_ENDED")
    with pytest.raises(Fault) as error:
        await below("gso:502", REFORM)
    assert (reason(error), error.value.metadata["valid_to"]) == ("UNIT_ENDED", REFORM)


async def test_a_subtree_pages_in_the_order_of_vietnamese_names(empty: Running):
    """Pages join without gap or repeat; kinds narrow them."""
    names = ["Ánh Dương", "An Bình", "Âu Cơ", "Đoàn Kết", "Duy Tân", "Ea Súp", "Ăng Ten"]
    units = [unit("school", f"moet:{place}", COMMUNE, name=name) for place, name in enumerate(names)]
    await _import(empty, [*PLACES[-2:], *units])
    stub, token, listed = await empty.units(), "", []
    while True:
        request = units_pb2.ListUnitsRequest(
            parent=PROVINCE, recursive=True, kinds=["school"], page_size=3, page_token=token
        )
        page = await stub.ListUnits(request)
        listed.append([one.name for one in page.units])
        token = page.next_page_token
        if not token:
            break
    assert listed == [["An Bình", "Ánh Dương", "Ăng Ten"], ["Âu Cơ", "Duy Tân", "Đoàn Kết"], ["Ea Súp"]]


async def test_one_bad_unit_keeps_the_whole_import_out_and_is_named(records: Running):
    """All or nothing: the reason names the unit, and nothing of the rest was stored."""
    circle = [unit("commune", "gso:1", "gso:2"), unit("commune", "gso:2", "gso:1")]
    for units in (circle, [unit("school", "moet:X", "gso:none")], [unit("school", "moet:X")]):
        with pytest.raises(Fault) as error:
            await _import(records, [unit("school", "moet:GOOD", COMMUNE), *units])
        assert (error.value.kind, reason(error)) == (Kind.INVALID, "INVALID_UNIT")
        assert error.value.metadata["unit"] in {"gso:1", "gso:2", "moet:X"}
    assert await records.rows("SELECT count(*) FROM unit") == [(len(PLACES),)]
    assert await records.rows("SELECT version FROM scope_version") == [(2,)]


async def test_a_day_that_is_none_is_refused_naming_the_field(records: Running):
    """The calendar is checked beyond the pattern."""
    wrong = unit("school", "moet:X", COMMUNE, valid_from="2025-02-30")
    with pytest.raises(Fault) as error:
        await _import(records, [wrong])
    assert error.value.violations[0].field == "units[0].valid_from"


REFUSED_BY_THE_DATABASE = {
    "a second name on a day": "INSERT INTO unit_name VALUES (1, 'x', 'x', '[2020-01-01,2021-01-01)')",
    "a code of two units": "INSERT INTO unit_code VALUES (2, 'moet', 'A', '[2020-01-01,)')",
    "a second parent": "INSERT INTO unit_edge VALUES (1, 5, 'administrative', '[2020-01-01,)')",
    "a parent that is none": "INSERT INTO unit_edge VALUES (1, 99, 'professional', '(,)')",
    "a circle": "INSERT INTO unit_edge VALUES (5, 4, 'administrative', '(,)')",
    "a day without a parent": "DELETE FROM unit_edge WHERE unit_id = 1",
    "a day without a name": "UPDATE unit_name SET valid = '[2020-01-01,)' WHERE unit_id = 1",
    "a life before its parent": "INSERT INTO unit VALUES (nextval('unit_id'), 'school', '(,)', '{}')",
    "a parent that ends before its child": "UPDATE unit SET valid = '(,2020-01-01)' WHERE unit_id = 4",
    "an edge of no day": "INSERT INTO unit_edge VALUES (1, 5, 'professional', 'empty')",
}


@pytest.mark.parametrize("statement", REFUSED_BY_THE_DATABASE.values(), ids=REFUSED_BY_THE_DATABASE.keys())
async def test_the_database_itself_refuses_what_cannot_be(records: Running, statement: str):
    """Overlaps, orphans and circles are impossible, not only checked."""
    with pytest.raises(IntegrityError):
        async with records.database.transaction() as connection:
            await connection.exec_driver_sql(statement)


async def test_a_change_of_units_is_known_everywhere(records: Running, bus: Bus):
    """Another service's tree follows an import."""
    scopes = Scopes(bus)
    assert await scopes.refresh()
    await _import(records, [unit("school", "moet:NEW", COMMUNE)])

    async def known() -> bool:
        await scopes.refresh()
        return scopes.tree.resolve("moet:NEW", FixedClock().today()) is not None

    await poll_until(known)


async def test_a_restarted_service_overtakes_a_bucket_that_is_ahead(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str, keys: Issuer
):
    """After a restored backup the database's own state counts, not what the broker kept."""
    assert await publish_tree(bus, chunked([], []), 50)
    database = await database_factory("records")
    async with start_records(database, nats_url, keys) as running:
        await poll_until(lambda: running.scopes.tree.version > 50)
        day = FixedClock().today()
        assert [grant.role for grant in running.scopes.tree.grants_of(ADMINISTRATOR, day)] == ["administrator"]
        assert running.scopes.tree.grants_of("other@so", day)


async def test_two_replicas_publish_every_version_and_neither_fails(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str, keys: Issuer
):
    """Changes through one are seen by the other, whoever publishes them."""
    database = await database_factory("records")
    async with start_records(database, nats_url, keys) as one, start_records(database, nats_url, keys) as two:
        await _import(one, PLACES)
        await asyncio.gather(
            *(
                _import(running, [unit("school", f"moet:{place}{name}", COMMUNE)])
                for name, running in (("a", one), ("b", two))
                for place in range(5)
            )
        )
        day = date(2026, 11, 2)
        for running in (one, two):
            await poll_until(lambda tree=running: len(tree.scopes.tree.subtree(0, day)) == len(PLACES) + 10)  # type: ignore[misc]

        async def published() -> bool:
            """The version is told before it is noted as told."""
            async with database.connection() as connection:
                row = (await connection.execute(sa.text("SELECT version, published_version FROM scope_version"))).one()
            assert row.version == 12
            return bool(row.published_version == 12)

        await poll_until(published)


async def test_a_bucket_that_lost_its_content_is_filled_again(
    records: Running, bus: Bus, monkeypatch: pytest.MonkeyPatch
):
    """A broker that comes back empty is told everything without a restart."""
    monkeypatch.setattr(jobs, "CHECK_SECONDS", 0.1)
    bucket = await bus.key_value("scopes")
    await bucket.purge("head")
    scopes = Scopes(bus)

    async def filled() -> bool:
        return await scopes.refresh()

    await poll_until(filled)
    assert len(scopes.tree) == len(PLACES)
    assert records.scopes.tree.version == scopes.tree.version
