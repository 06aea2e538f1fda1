"""Persons as callers see them; statuses as rules name them; records told again."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any, Final, NamedTuple

from iocedu.records.v1 import persons_pb2, records_pb2, resources_pb2

from chassis.years import Years
from services.records.convert.events import Accepted
from services.records.convert.incoming import Batch
from services.records.convert.outgoing import fill_row
from services.records.domain.objects import BY_NUMBER, SCHOOL_ID, SOURCE, ObjectSpec
from services.records.domain.persons import Held, Identity, LinkRule, Merge


class Shown(NamedTuple):
    """What a caller may see of some records: the records themselves, and of which it may know where they are."""

    records: Mapping[Identity, records_pb2.Record]
    known: Collection[Identity]


def rows_again(
    spec: ObjectSpec, stored: Sequence[Sequence[Any]], *, today: date
) -> Iterator[tuple[Batch, list[Accepted]]]:
    """Stored records of one type as the rows they came in, so that they can be told as changed; by source.

    Those of past school years are history, which notifies nobody; years turn as usual here, wherever the school is.
    """
    year = spec.row.index("school_year")
    this_year = Years().of(today)

    def kind(one: Sequence[Any]) -> tuple[str, bool]:
        return one[SOURCE], one[year] < this_year

    for (source, past), held in groupby(sorted(stored, key=kind), key=kind):
        rows: list[resources_pb2.Row] = []
        accepted: list[Accepted] = []
        for one in held:
            row = resources_pb2.Row()
            fill_row(row, spec, one, alias=str, mask=False)
            accepted.append((len(rows), one[SCHOOL_ID], spec))
            rows.append(row)
        yield Batch("", source, backfill=past, digest=b"", rows=rows, count=len(rows)), accepted


def add_person(
    persons: Any,
    person_id: int,
    held: Sequence[Held],
    merges: Sequence[Merge],
    *,
    names: Callable[[int], str],
    shown: Shown,
) -> None:
    """Write a person into a message; of records that are not given no more than where they are is told."""
    persons.person_id = person_id
    add_person_records(persons.records, held, names=names, shown=shown)
    for merge in merges:
        message = persons.merges.add(
            merge_id=merge.merge_id,
            kept_id=merge.kept_id,
            gone_id=merge.gone_id,
            reason=merge.reason,
            merged_by=merge.merged_by,
        )
        message.merge_time.FromDatetime(merge.merge_time)


def add_person_records(target: Any, held: Sequence[Held], *, names: Callable[[int], str], shown: Shown) -> None:
    """Append records of a person to a message; those of which nothing may be told are one that says so."""
    for one in held:
        if one.identity in shown.known:
            _add_person_record(target, one, names=names, record=shown.records.get(one.identity))
    if any(one.identity not in shown.known for one in held):
        target.add(hidden=True)


def _add_person_record(
    target: Any, held: Held, *, names: Callable[[int], str], record: records_pb2.Record | None
) -> None:
    message = target.add(school_id=held.school_id, school_name=names(held.school_id), school_year=held.school_year)
    if record is None:
        return
    message.collection = BY_NUMBER[held.type].collection
    message.rule = _RULES[held.rule]
    message.in_stock, message.secondary = held.in_stock, held.secondary
    message.counted_elsewhere = held.counted_elsewhere
    message.record.CopyFrom(record)


def reasons_of(names: Iterable[str]) -> list[persons_pb2.SuspicionReason.ValueType]:
    """What speaks for two persons being one."""
    return [persons_pb2.SuspicionReason.Value(f"SUSPICION_REASON_{name}") for name in names]


_RULES: Final = {rule.value: persons_pb2.LinkRule.Value(f"LINK_RULE_{rule.value}") for rule in LinkRule}
