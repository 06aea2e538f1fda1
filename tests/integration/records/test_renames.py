"""Keys that a source changes: the record goes on under the new key, and is never there twice."""

import asyncio
from itertools import permutations
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import records_pb2, resources_pb2

from chassis.errors import Fault
from services.records.store.persons import take_turn
from tests.integration.records.closing import setting
from tests.integration.records.scenes import SCHOOL_A, Running, gone, pupil, reason
from tests.integration.records.test_persons import person

ACCEPTED, UNCHANGED = resources_pb2.ROW_STATE_ACCEPTED, resources_pb2.ROW_STATE_UNCHANGED
STALE, REJECTED, HELD = resources_pb2.ROW_STATE_STALE, resources_pb2.ROW_STATE_REJECTED, resources_pb2.ROW_STATE_HELD
KEYS = "SELECT key, deleted FROM pupil ORDER BY key"


def renamed(key: str, previous: str, version: int = 2, **fields: Any) -> resources_pb2.Row:
    """A pupil who was known by another key."""
    row = pupil(key, version, **fields)
    row.previous_key = previous
    return row


async def test_a_renamed_record_goes_on_under_its_new_key(records: Running):
    """The old key is gone, the feed tells of both, and of the new one where it comes from."""
    await records.apply(pupil("TAM-1"), pupil("HS9"))
    answer = await records.apply(renamed("HS1", "TAM-1"))
    assert (list(answer.states), list(answer.problems)) == ([ACCEPTED], [])
    assert await records.rows(KEYS) == [("HS1", False), ("HS9", False), ("TAM-1", True)]
    await records.settled()
    told = [(one.row.key, one.row.deleted, one.row.previous_key) for one in await records.changes(after=2)]
    assert told == [("HS1", False, "TAM-1"), ("TAM-1", True, "")]


async def test_a_rename_told_again_changes_nothing(records: Running):
    """Under the same version or a higher one, with other rows beside it."""
    await records.apply(pupil("TAM-1"))
    await records.apply(renamed("HS1", "TAM-1"))
    for version in (2, 3):
        answer = await records.apply(renamed("HS1", "TAM-1", version), request_id=f"again-{version}")
        assert list(answer.states) == [UNCHANGED]
    await records.settled()
    assert [one.position for one in await records.changes(after=1)] == [2, 3]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
async def test_in_whatever_order_the_rows_come_one_record_remains(records: Running, order: tuple[int, int, int]):
    """A late row of the old key does not wake it, and a late rename still ends it."""
    rows = [pupil("TAM-1"), renamed("HS1", "TAM-1"), pupil("HS1", 3, full_name="Lê An")]
    for number, place in enumerate(order):
        await records.apply(rows[place], request_id=f"r{number}")
    assert await records.rows(KEYS) == [("HS1", False), ("TAM-1", True)]
    assert await records.rows("SELECT full_name FROM pupil WHERE key = 'HS1'") == [("Lê An",)]


async def test_a_rename_older_than_what_the_old_key_holds_is_late(records: Running):
    """Nothing is stored of it; the source is told that it is stale."""
    await records.apply(pupil("TAM-1", 5))
    answer = await records.apply(renamed("HS1", "TAM-1", 2))
    assert list(answer.states) == [STALE]
    assert await records.rows(KEYS) == [("TAM-1", False)]


async def test_a_late_rename_changes_nothing_of_what_is_under_the_new_key(records: Running):
    """The new key is stored already, with less: the row would change it, but is late and changes neither."""
    await records.apply(pupil("TAM-1", 5), pupil("HS1", full_name="Lê An"))
    answer = await records.apply(renamed("HS1", "TAM-1", 2))
    assert list(answer.states) == [STALE]
    assert await records.rows(KEYS) == [("HS1", False), ("TAM-1", False)]
    assert await records.rows("SELECT full_name, version FROM pupil WHERE key = 'HS1'") == [("Lê An", 1)]
    assert await records.rows("SELECT count(*) FROM record_rename") == [(0,)]


async def test_a_refused_half_stops_the_other_and_no_neighbour(records: Running):
    """A bad record keeps its old key; an old key that belongs to another source keeps its record."""
    await records.apply(pupil("TAM-1"))
    await records.apply(pupil("XA"), source="smas")
    bad = renamed("HS1", "TAM-1")
    bad.pupil.birth_date = "2014-02-30"
    answer = await records.apply(bad, renamed("HS2", "XA"), pupil("HS3"))
    assert list(answer.states) == [REJECTED, REJECTED, ACCEPTED]
    told = [(one.index, one.reason, one.field) for one in answer.problems]
    assert told == [(0, "INVALID_DATE", "pupil.birth_date"), (1, "OTHER_SOURCE", "previous_key")]
    kept = await records.rows("SELECT key FROM pupil WHERE NOT deleted ORDER BY key")
    assert kept == [("HS3",), ("TAM-1",), ("XA",)]


async def test_a_locked_record_is_not_renamed(records: Running):
    """The row is held, whole."""
    await records.apply(pupil("TAM-1"))
    await (await records.locks()).SetLocks(setting(SCHOOL_A))
    answer = await records.apply(renamed("HS1", "TAM-1"))
    assert (list(answer.states), [one.reason for one in answer.problems]) == ([HELD], ["LOCKED"])
    assert await records.rows(KEYS) == [("TAM-1", False)]


@pytest.mark.parametrize(
    ("version", "name"), [(1, "Lý Khác Hẳn"), (1, pupil("HS1").pupil.full_name), (2, pupil("HS1").pupil.full_name)]
)
async def test_a_key_under_which_another_record_is_there_is_not_taken(records: Running, name: str, version: int):
    """It may be another child's, whether or not the row says of it what is stored; once the surplus record is gone, the
    rename goes through.
    """
    await records.apply(pupil("TAM-1"), pupil("HS1", version, full_name=name))
    answer = await records.apply(renamed("HS1", "TAM-1"))
    assert list(answer.states) == [REJECTED]
    assert [(one.reason, one.field) for one in answer.problems] == [("KEY_TAKEN", "previous_key")]
    assert await records.rows(KEYS) == [("HS1", False), ("TAM-1", False)]
    await records.apply(gone("HS1", 3))
    assert list((await records.apply(renamed("HS1", "TAM-1", 4))).states) == [ACCEPTED]
    assert await records.rows(KEYS) == [("HS1", False), ("TAM-1", True)]


@pytest.mark.parametrize(
    ("rows", "states"),
    [
        ([pupil("TAM-1", 3), renamed("HS1", "TAM-1")], [ACCEPTED, REJECTED]),
        ([renamed("HS1", "TAM-1"), pupil("TAM-1", 3)], [ACCEPTED, REJECTED]),
        ([renamed("HS1", "TAM-1"), renamed("HS2", "TAM-1")], [ACCEPTED, REJECTED]),
        ([renamed("TAM-1", "TAM-1")], [REJECTED]),
    ],
)
async def test_one_batch_names_a_key_once(records: Running, rows: list[resources_pb2.Row], states: list[int]):
    """As its own or as the previous one of another row; the first to name it stands."""
    answer = await records.apply(*rows)
    assert list(answer.states) == states
    assert [(one.index, one.reason) for one in answer.problems] == [(len(rows) - 1, "DUPLICATE_KEY")]
    for one in answer.problems:
        assert one.metadata.get("first_index", "0") == "0"


CHAIN = (renamed("B", "TAM-1", 2), renamed("C", "B", 3), renamed("D", "C", 4))


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_a_record_renamed_more_than_once_in_a_batch_goes_on_under_its_last_key(
    records: Running, order: tuple[int, ...]
):
    """In whatever order the rows stand: one record remains, each key leads to the next, the person stays the same."""
    await records.apply(pupil("TAM-1"))
    before = await person(records, "TAM-1")
    answer = await records.apply(*(CHAIN[place] for place in order), pupil("HS9", full_name="Lê An"))
    assert (list(answer.states), list(answer.problems)) == ([ACCEPTED] * 4, [])
    assert await records.rows(KEYS) == [("B", True), ("C", True), ("D", False), ("HS9", False), ("TAM-1", True)]
    assert await records.rows("SELECT previous_key, key FROM record_rename ORDER BY 1") == [
        ("B", "C"),
        ("C", "D"),
        ("TAM-1", "B"),
    ]
    assert (await person(records, "D")).person_id == before.person_id
    again = await records.apply(*(CHAIN[place] for place in order))
    assert list(again.states) == [UNCHANGED] * 3


async def test_an_old_key_leads_to_the_last_one(records: Running):
    """Over all renames, of one batch or several; where there is nothing to lead to, nothing is said."""
    await records.apply(pupil("TAM-1"))
    await records.apply(*CHAIN)
    await records.apply(renamed("E", "D", 5))
    stub = await records.records()
    told = {}
    for key in ("TAM-1", "C", "HS0"):
        with pytest.raises(Fault) as error:
            await stub.GetRecord(records_pb2.GetRecordRequest(school=SCHOOL_A, collection="pupils", key=key))
        told[key] = reason(error), error.value.metadata.get("next_key", "")
    assert told == {
        "TAM-1": ("UNKNOWN_RECORD", "E"),
        "C": ("UNKNOWN_RECORD", "E"),
        "HS0": ("UNKNOWN_RECORD", ""),
    }


async def test_a_key_leads_nowhere_where_its_record_is_no_more(records: Running):
    """Gone at its last key, also after it had its first one back: nobody is sent round in a circle."""
    await records.apply(pupil("A"))
    await records.apply(renamed("B", "A", 2))
    await records.apply(renamed("A", "B", 3))
    stub = await records.records()

    async def led_from(key: str) -> str:
        with pytest.raises(Fault) as error:
            await stub.GetRecord(records_pb2.GetRecordRequest(school=SCHOOL_A, collection="pupils", key=key))
        return error.value.metadata.get("next_key", "")

    assert await led_from("B") == "A"
    await records.apply(gone("A", 4))
    assert (await led_from("A"), await led_from("B")) == ("", "")


async def test_every_row_of_a_chain_shares_the_fate_of_its_record(records: Running):
    """Refused for its last row, late for its first key: nothing of it is stored, and each row says so."""
    await records.apply(pupil("TAM-1"), pupil("TAM-2", 9))
    bad = renamed("C", "B", 3)
    bad.pupil.birth_date = "2014-02-30"
    answer = await records.apply(renamed("B", "TAM-1"), bad)
    assert list(answer.states) == [REJECTED, REJECTED]
    assert {one.reason for one in answer.problems} == {"INVALID_DATE"}
    late = await records.apply(renamed("X", "TAM-2"), renamed("Y", "X", 3))
    assert list(late.states) == [STALE, STALE]
    assert await records.rows(KEYS) == [("TAM-1", False), ("TAM-2", False)]


async def test_a_record_that_goes_takes_along_what_stands_under_its_previous_key(records: Running):
    """Nothing is taken from anybody then: no other record is to stand under the key."""
    await records.apply(pupil("A"), pupil("B"))
    row = renamed("B", "A", 2)
    row.deleted = True
    assert list((await records.apply(row)).states) == [ACCEPTED]
    assert await records.rows(KEYS) == [("A", True), ("B", True)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_key_that_another_record_gives_up_in_the_same_batch_is_not_taken_yet(
    records: Running, order: tuple[int, int]
):
    """Two children would become one: it is said which keys, and the order of two pushes makes it plain."""
    other: dict[str, Any] = {"full_name": "Lý Khác Hẳn", "birth_date": "2014-05-01"}
    await records.apply(pupil("A"), pupil("B", **other))
    rows = (renamed("B", "A", 2), renamed("C", "B", 3, **other))
    answer = await records.apply(*(rows[place] for place in order))
    assert list(answer.states) == [REJECTED, REJECTED]
    assert {one.reason for one in answer.problems} == {"KEY_TAKEN"}
    assert await records.rows(KEYS) == [("A", False), ("B", False)]
    await person(records, "A")
    await person(records, "B")  # Both are known to be somebody.
    async with records.database.transaction() as connection:
        await take_turn(connection)  # Nobody links meanwhile: the end of B is overtaken by its coming back.
        assert list((await records.apply(rows[1])).states) == [ACCEPTED]
        assert list((await records.apply(renamed("B", "A", 4))).states) == [ACCEPTED]
    assert await records.rows(KEYS) == [("A", True), ("B", False), ("C", False)]
    assert (await person(records, "B")).person_id != (await person(records, "C")).person_id


async def test_a_renamed_record_that_ends_takes_its_old_key_with_it(records: Running):
    """The source renamed and deleted between two pushes."""
    await records.apply(pupil("TAM-1"))
    row = gone("HS1", 3)
    row.previous_key = "TAM-1"
    await records.apply(row)
    assert await records.rows(KEYS) == [("HS1", True), ("TAM-1", True)]


async def test_renames_and_old_rows_at_once_leave_one_record(records: Running):
    """Two clients of one source, one of which has not heard of the new key."""
    await records.apply(pupil("TAM-1"))
    old = [records.apply(pupil("TAM-1", 2, full_name=f"Lê {number}"), request_id=f"o{number}") for number in range(4)]
    new = [records.apply(renamed("HS1", "TAM-1", 3), request_id=f"n{number}") for number in range(4)]
    await asyncio.gather(*old, *new)
    assert await records.rows(KEYS) == [("HS1", False), ("TAM-1", True)]


WHO: dict[str, dict[str, Any]] = {
    key: {"full_name": f"Lê {name}", "birth_date": f"2014-0{month}-01"}
    for month, (key, name) in enumerate(zip("ABCD", ("An", "Bình", "Chi", "Dũng"), strict=True), 1)
}


@settings(max_examples=6, phases=(Phase.generate,))
@given(taken=st.permutations("ABCD"), order=st.permutations(range(4)))
async def test_keys_changed_round_are_refused_together_and_end_right_by_way_of_a_free_key(
    records: Running, taken: list[str], order: list[int]
):
    """Any permutation of keys in one batch: no row of a circle is stored, and one after the other each record is there
    under its new key, as the person it was.
    """
    run = records.requests  # Each example has records of its own.
    names = {key: f"{key}{run}" for key in "ABCD"}
    await records.apply(*(pupil(names[key], **WHO[key]) for key in "ABCD"))
    before = {key: (await person(records, names[key])).person_id for key in "ABCD"}
    moves = {new: old for old, new in zip("ABCD", taken, strict=True) if old != new}
    sent = [
        renamed(names[new], names[moves[new]], **WHO[moves[new]])
        if (new := "ABCD"[place]) in moves
        else pupil(names[new], **WHO[new])
        for place in order
    ]
    answer = await records.apply(*sent)
    assert [state == REJECTED for state in answer.states] == [bool(row.previous_key) for row in sent]
    assert {one.reason for one in answer.problems} <= {"KEY_CYCLE"}
    version = 2
    while moves:
        new = free = next(iter(moves))
        aside = f"{names[free]}-tam"
        steps = [(aside, names[free], free)]
        while (old := moves.pop(new)) != free:
            steps.append((names[new], names[old], old))
            new = old
        for key, previous, who in [*steps, (names[new], aside, free)]:
            version += 1
            stored = await records.apply(renamed(key, previous, version, **WHO[who]))
            assert list(stored.states) == [ACCEPTED]
            await person(records, key)
    found = await records.rows("SELECT key, full_name FROM pupil WHERE NOT deleted")
    there = {key: name for key, name in found if key in names.values()}
    old_of = dict(zip(taken, "ABCD", strict=True))
    assert there == {names[key]: WHO[old_of[key]]["full_name"] for key in "ABCD"}
    assert {key: (await person(records, names[key])).person_id for key in "ABCD"} == {
        key: before[old_of[key]] for key in "ABCD"
    }


async def test_a_record_that_gets_its_key_back_within_a_batch_is_refused_whole(records: Running):
    """Nothing of it is stored, and its neighbours are."""
    await records.apply(pupil("A"))
    answer = await records.apply(renamed("B", "A", 2), pupil("C"), renamed("A", "B", 3))
    assert list(answer.states) == [REJECTED, ACCEPTED, REJECTED]
    assert [(one.index, one.reason) for one in answer.problems] == [(0, "KEY_CYCLE"), (2, "KEY_CYCLE")]
    assert await records.rows(KEYS) == [("A", False), ("C", False)]
