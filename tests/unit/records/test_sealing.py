"""The chain of the access log: what is hashed, and that a check finds what was done to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

from services.records.domain.reading import Reading
from services.records.domain.sealing import START, Anchor, Check, Entry, Head, Seal, Wrong, canonical, sealed

TOLD = datetime(2026, 11, 2, 9, tzinfo=UTC)
READING = Reading(
    read_time=datetime(2026, 11, 2, 8, tzinfo=timezone(timedelta(hours=7))),
    subject="hiệu trưởng@a",
    method="GetRecord",
    unit_id=7,
    collection="pupils",
    key='HS"1',
    record_count=1,
    purpose="Xác nhận",
    unmasked=True,
    trace_id="0af7",
)
ENTRIES = [Entry(number, replace(READING, key=f"HS{number}")) for number in (3, 5, 4, 9)]


def check(seals: list[Seal], *anchors: Anchor) -> Wrong | None:
    """The first thing that is wrong with a chain."""
    going = Check(anchors)
    for seal in seals:
        wrong = going.take(seal)
        if wrong is not None:
            return wrong
    return going.end()


def test_an_entry_is_hashed_as_documented():
    """Whoever reads the page can compute the same without this code."""
    body = (
        '[1,3,"2026-11-02T01:00:00.000000Z","hiệu trưởng@a","GetRecord",7,"pupils","HS\\"1",1,"Xác nhận",true,"0af7"]'
    ).encode()

    (seal,) = sealed(START, [Entry(3, READING)])

    assert canonical(1, Entry(3, READING)) == body
    assert seal.hash == sha256(bytes(32) + body).digest()


def test_a_chain_goes_on_where_it_ended():
    """In one go or in blocks, the same chain."""
    whole = list(sealed(START, ENTRIES))
    first = list(sealed(START, ENTRIES[:2]))
    rest = list(sealed(Head(2, first[-1].hash), ENTRIES[2:]))

    assert first + rest == whole
    assert check(whole) is None


def test_anchors_are_met_or_named():
    """One beyond the end tells of entries that are gone; one with another hash of a chain made anew."""
    seals = list(sealed(START, ENTRIES))
    anchors = [Anchor(Head(seal.sequence, seal.hash), TOLD) for seal in seals]
    anew = list(sealed(START, [Entry(3, replace(READING, purpose="")), *ENTRIES[1:]]))

    assert check(seals, *anchors) is None
    cut = check(seals[:3], *anchors)
    assert (cut.sequence, "ends before" in cut.what) == (4, True) if cut else False
    other = check(anew, anchors[2])
    assert (other.sequence, other.entry_id, "another hash" in other.what) == (3, 4, True) if other else False
