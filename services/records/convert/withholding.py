"""What of a batch must not be stored: records that were erased, and of others what was dropped.

The rows themselves are altered, so that neither the store nor the events hold it. Their hash stays that of what the
source sent: the same row again is no change.
"""

from collections.abc import Collection, Iterator, Sequence

from iocedu.records.v1 import resources_pb2

from chassis.clock import vietnam_day
from services.records.convert.events import Accepted
from services.records.convert.incoming import Batch, Entry
from services.records.domain import problems
from services.records.domain.erasing import ATTENDANCE, ErasureRules, Identity, Withheld
from services.records.domain.objects import ObjectSpec


def withhold(
    spec: ObjectSpec, entries: Sequence[Entry], *, batch: Batch, withheld: Withheld, rules: ErasureRules
) -> None:
    """Note rows of one type that may not be stored, and take out of the others what may not."""
    naming, named = rules.naming.get(spec, ()), rules.registers.get(spec)
    for school_id, key, _, _, index in entries:
        row = batch.rows[index]
        if row.deleted:
            continue
        record = getattr(row, spec.field)
        identities = [(school_id, spec.number, name) for name in (key, *batch.keys_before(index))]
        if not withheld.erased.isdisjoint(identities):
            batch.problems.setdefault(index, problems.record_erased("key"))
        elif column := next(
            (column for of, column in naming if (school_id, of.number, getattr(record, column)) in withheld.erased), ""
        ):
            batch.problems.setdefault(index, problems.record_erased(f"{spec.field}.{column}"))
        else:
            if named is not None:
                drop_exceptions(row, spec, _withheld_keys(withheld, (school_id, named.number), day=record.day))
            for identity in identities:
                if identity in withheld.restricted:
                    drop_fields(row, spec, withheld.restricted[identity].dropped)


def drop_fields(row: resources_pb2.Row, spec: ObjectSpec, dropped: Sequence[str]) -> None:
    """Empty fields of a row."""
    record = getattr(row, spec.field)
    for name in dropped:
        if name != ATTENDANCE:
            record.ClearField(name)


def drop_names(row: resources_pb2.Row) -> None:
    """Leave of a register's exceptions how somebody was away, not who and why."""
    for one in row.attendance_register.exceptions:
        one.pupil_key, one.reason = "", ""


def drop_exceptions(row: resources_pb2.Row, spec: ObjectSpec, keys: Collection[str]) -> None:
    """Take the exceptions of these pupils out of a register."""
    exceptions = getattr(row, spec.field).exceptions
    for place in reversed([place for place, one in enumerate(exceptions) if one.pupil_key in keys]):
        del exceptions[place]


def followers(
    batch: Batch, accepted: Sequence[Accepted], *, withheld: Withheld, rules: ErasureRules
) -> Iterator[tuple[Identity, Identity]]:
    """Records that are restricted since another one is: which went on under a new key, or name one that is."""
    for index, school_id, spec in accepted:
        row = batch.rows[index]
        if row.deleted:
            continue
        origins = [(school_id, spec.number, key) for key in batch.keys_before(index)]
        record = getattr(row, spec.field)
        origins += [(school_id, of.number, getattr(record, column)) for of, column in rules.naming.get(spec, ())]
        for origin in origins:
            if origin in withheld.restricted:
                yield (school_id, spec.number, row.key), origin


def _withheld_keys(withheld: Withheld, type_of: tuple[int, int], *, day: str) -> Collection[str]:
    """Keys whose exceptions a register of a day must not hold: of the erased, and of before others were dropped."""
    keys = {key for *place, key in withheld.erased if tuple(place) == type_of}
    return keys | {
        identity[2]
        for identity, one in withheld.restricted.items()
        if identity[:2] == type_of and ATTENDANCE in one.dropped and day <= vietnam_day(one.since).isoformat()
    }
