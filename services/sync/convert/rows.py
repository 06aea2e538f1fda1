"""Rows checked one by one: rules, calendar, school. The hot path: a good row costs a quick look and few look-ups.

What is wrong with a row stays with that row; its neighbours go on.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import protovalidate
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToJson
from iocedu.records.v1.resources_pb2 import Row

from chassis.quick_rules import quick_look
from services.sync.convert.checks import Check, all_problems, problem_of
from services.sync.domain import problems
from services.sync.domain.batches import RowState
from services.sync.domain.conformance import Shown
from services.sync.domain.fields import described
from services.sync.domain.problems import Problem, RowRefusedError
from services.sync.domain.profiles import Fields, Profile, Raw
from services.sync.domain.retelling import Told, retell
from services.sync.domain.words import NO_WORDS, Text, shortened

SLICE: Final = 200  # Rows between two looks at the loop; their check takes some three milliseconds.
TAKEN: Final = frozenset((RowState.ACCEPTED, RowState.UNCHANGED))
MOST_CONTENT: Final = 100_000  # Letters of a refused row that are kept.
_LOOK: Final = quick_look(Row.DESCRIPTOR)
_LARGEST: Final = {FieldDescriptor.CPPTYPE_INT32: 2**31 - 1}


Kind = tuple[str, int, str]  # What a row is: its record, its school year, of a register its day.


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be made from what came."""

    problem: Problem
    key: str = ""
    school: str = ""  # As it says itself, if it does.
    also: tuple[Problem, ...] = ()  # What else cannot be read in it,
    meant: frozenset[str] = frozenset()  # fields that stand in it under a wrong name,
    rest: Row | None = None  # and the row without all that.


@dataclass(frozen=True, slots=True)
class Same:
    """A row of which it is known that it says what is stored; it goes nowhere."""

    school: str
    kind: "Kind"


@dataclass(frozen=True, slots=True)
class Noted:
    """A row with a problem: refused or held, and so kept, or stale."""

    index: int
    state: RowState
    key: str
    school_id: int  # 0: not known.
    problem: Problem
    content: str = ""

    @property
    def refused(self) -> bool:
        """Whether it was refused or held for a reason of its own, and so goes to the quarantine."""
        return self.state in (RowState.REJECTED, RowState.HELD) and self.problem.reason != problems.BATCH_REFUSED


@dataclass(slots=True)
class Checked:
    """Rows of a batch, or of a slice of one, in order: what goes to records, and what became of each."""

    how: Check
    first: int = 0  # Index of the first row in the batch.
    rows: list[Row] = field(default_factory=list)  # What goes to records,
    indexes: list[int] = field(default_factory=list)  # where each stands in the batch,
    school_ids: list[int] = field(default_factory=list)  # and its school.
    states: bytearray = field(default_factory=bytearray)
    noted: list[Noted] = field(default_factory=list)
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)  # Once answered: rows by school and state.
    taken: Counter[tuple[int, Kind]] = field(default_factory=Counter)  # And those taken, by school and what they are.
    unverified: Counter[str] = field(default_factory=Counter)  # Fields with codes of catalogues that are not loaded.
    shown: list[Shown] = field(default_factory=list)  # Of rows for a sandbox what is judged of them, once answered.

    def add(self, rows: Iterable[Row | Unread | Same]) -> None:
        """Check rows and add them."""
        violations_of, is_sure, how = protovalidate.collect_violations, _LOOK, self.how
        find = how.school
        for row in rows:
            index = self.first + len(self.states)
            self.states.append(RowState.REJECTED)
            if isinstance(row, Unread):
                self._add_unread(index, row)
                continue
            if isinstance(row, Same):
                self.states[-1] = RowState.UNCHANGED
                if isinstance(school := find(row.school), int):
                    self.counts[school, RowState.UNCHANGED] += 1
                    self.taken[school, row.kind] += 1
                continue
            school = find(row.school)
            broken = () if is_sure(row) else violations_of(row)
            problem = problem_of(row, broken, how, index, school=school)
            if problem is not None:
                self.refuse(index, problem, key=row.key, school_id=school if isinstance(school, int) else 0)
            elif isinstance(school, int):
                self.rows.append(row)
                self.indexes.append(index)
                self.school_ids.append(school)

    def _add_unread(self, index: int, row: Unread) -> None:
        how, rest = self.how, row.rest
        school = how.school(row.school) if row.school else 0
        also = list(row.also)
        if rest is not None:
            found = all_problems(rest, protovalidate.collect_violations(rest), how, index, school=school)
            also += [one for one in found if one.field not in row.meant]
        problem = row.problem.beside(also, place=how.place_of(index))
        self.refuse(index, problem, key=row.key, school_id=school if isinstance(school, int) else 0)

    async def add_all(self, rows: Sequence[Row | Unread | Same]) -> None:
        """Check many rows, letting the loop turn in between."""
        for start in range(0, len(rows), SLICE):
            self.add(rows[start : start + SLICE])
            await asyncio.sleep(0)

    def refuse(self, index: int, problem: Problem, *, key: str, school_id: int) -> None:
        """Keep a row aside that does not go to records; what is wrong with a veiled one would say what is held."""
        if index in self.how.veiled:
            said = problem.field.partition("[")[0] in self.how.veiled[index]
            problem = problems.record_restricted(problem.field if said else "")
        self._note(index, RowState.REJECTED, problem, key=key, school_id=school_id)

    def answer(self, states: Sequence[int], told: Sequence[Told], *, stopped: bool = False) -> None:
        """Take what records says: a state for each row sent, problems by place among these; let go of the rows.

        `stopped` are batches that nothing is stored of, because a row of them did not even go to records.
        """
        rest = {one.place for one in told if one.reason == problems.BATCH_REFUSED}
        if stopped:
            rest |= {place for place, state in enumerate(states) if state == RowState.ACCEPTED}
        if rest:
            states = [RowState.REJECTED if place in rest else state for place, state in enumerate(states)]
        if self.how.veiled:
            states = [self._told(index, state) for index, state in zip(self.indexes, states, strict=True)]
        self.counts.update((noted.school_id, RowState.REJECTED) for noted in self.noted if noted.school_id)
        self.counts.update(zip(self.school_ids, states, strict=True))
        self.taken.update(
            (school, kind_of(row))
            for school, row, state in zip(self.school_ids, self.rows, states, strict=True)
            if state in TAKEN and not row.deleted
        )
        for index, state in zip(self.indexes, states, strict=True):
            self.states[index - self.first] = state
        for one in told:
            if (place := one.place) not in rest:
                self._note_sent(place, states[place], self._retold(one, self.rows[place], self.indexes[place]))
        if rest:
            first = min(noted.index for noted in self.noted if noted.refused)
            problem = problems.batch_refused(first, self.how.place(first, ""))
            for place in rest:
                self._note_sent(place, states[place], problem)
        self.rows, self.indexes, self.school_ids = [], [], []

    def _told(self, index: int, state: int) -> int:
        """The state that is told of a row: whether a veiled one says what is held is not."""
        return RowState.ACCEPTED if index in self.how.veiled and state == RowState.UNCHANGED else state

    def _note_sent(self, place: int, state: int, problem: Problem) -> None:
        """Note what became of a row that went to records."""
        key, school_id = self.rows[place].key, self.school_ids[place]
        self._note(self.indexes[place], RowState(state), problem, key=key, school_id=school_id)

    def _retold(self, told: Told, row: Row, index: int) -> Problem:
        twin = NO_WORDS
        if "first_index" in told.metadata:
            first = self.indexes[int(told.metadata["first_index"])]
            told = replace(told, metadata={**told.metadata, "first_index": str(first)})
            twin = self.how.place(first, "")
        called = partial(self.how.called, index)
        return retell(told, school=row.school, key=shortened(row.key), called=called, twin=twin)

    def _note(self, index: int, state: RowState, problem: Problem, *, key: str, school_id: int) -> None:
        if self.how.document:
            problem = problem.at(self.how.place(index, problem.field))
        if self.how.located is not None:
            problem = replace(problem, metadata={**problem.metadata, **self.how.located(index, problem.field)})
        noted = Noted(index, state, cleaned(key), school_id, problem)
        self.noted.append(replace(noted, content=self._content(index)) if noted.refused else noted)

    def _content(self, index: int) -> str:
        return "" if index in self.how.veiled else cleaned(self.how.content(index)[:MOST_CONTENT])


def kind_of(row: Row) -> Kind:
    """What a row is."""
    name = row.WhichOneof("record") or ""
    record = getattr(row, name) if name else None
    return name, getattr(record, "school_year", 0), record.day if name == "attendance_register" and record else ""


def make(raw: Raw, profile: Profile) -> Row | Unread:
    """Make a row from a JSON object."""
    try:
        fields = profile.read(raw)
    except RowRefusedError as refused:
        return _unread(refused, raw, profile)
    try:
        return Row(**fields)
    except (TypeError, ValueError):
        key, school = str(fields.get("key", "")), str(fields.get("school", ""))
        return Unread(_unfit(fields, profile, raw), shortened(key), school)


def of_school(made: Row | Unread, school: str) -> Row | Unread:
    """What was read of a row, the school's where it names none itself: also in what is left of what cannot be read."""
    row = made.rest if isinstance(made, Unread) else made
    if row is not None:
        row.school = row.school or school
    return replace(made, school=made.school or school) if isinstance(made, Unread) else made


def _unread(first: RowRefusedError, raw: Raw, profile: Profile) -> Unread:
    """A row that cannot be read, and what is left of it without what cannot: for its key, and what else is wrong."""
    last, also, meant = first, list[Problem](), {first.meant}
    while last.path and len(also) < problems.MOST_OTHERS:
        raw = _without(raw, last.path)
        try:
            fields = profile.read(raw)
        except RowRefusedError as refused:
            last = refused
            if refused.problem.field != "record":  # It stood there, but could not be read.
                also.append(refused.problem)
            meant.add(refused.meant)
            continue
        key, rest = str(fields.get("key", "")), None
        try:
            rest = Row(**fields)
        except (TypeError, ValueError):
            also.append(_unfit(fields, profile, raw))
        return Unread(first.problem, shortened(key), first.school, tuple(also), frozenset(meant), rest)
    return Unread(first.problem, last.key or first.key, first.school, tuple(also))


def _without(raw: Raw, path: Sequence[str]) -> Raw:
    """An object without what stands at a path in it."""
    name, *inner = path
    left = {one: value for one, value in raw.items() if one != name or inner}
    if inner:
        left[name] = _without(raw[name], inner)
    return left


def content_of(row: Row) -> str:
    """A row as JSON in our own names, as profile `iocedu` has it."""
    return MessageToJson(row, preserving_proto_field_name=True, indent=None, ensure_ascii=False)


def cleaned(text: str) -> str:
    """A text that PostgreSQL keeps."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _unfit(fields: Fields, profile: Profile, raw: Raw) -> Problem:
    """Which field of a row the message does not take: a number out of range, a text that is no Unicode."""
    name, record = next(((name, one) for name, one in fields.items() if isinstance(one, dict)), ("", {}))
    tried: list[tuple[str, Fields]] = [(f"{name}.{leaf}", {name: {leaf: value}}) for leaf, value in record.items()]
    tried += [(outer, {outer: value}) for outer, value in fields.items() if outer != name]
    for path, part in tried:
        try:
            Row(**part)
        except (TypeError, ValueError):
            called = profile.called(path, raw)
            return problems.unreadable(called, wanted=_within(called.wanted, path))
    return problems.unreadable(profile.called("record", raw), wanted=described("record").wanted)


def _within(wanted: Text, path: str) -> Text:
    """What may be written in a field, with the largest number it holds where it holds one."""
    outer, _, leaf = path.rpartition(".")
    message = Row.DESCRIPTOR.fields_by_name[outer].message_type if outer else Row.DESCRIPTOR
    known = message.fields_by_name.get(leaf) if message is not None else None
    most = _LARGEST.get(known.cpp_type) if known is not None else None
    return Text(f"{wanted.vi}; nhiều nhất {most}", f"{wanted.en}; at most {most}") if most else wanted
