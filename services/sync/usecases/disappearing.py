"""Records that would be gone, as who decides may see them: records masks them and writes each look down."""

from collections.abc import Mapping, Sequence
from typing import Final

from iocedu.records.v1 import held_records_pb2
from iocedu.sync.v1 import quarantine_pb2

from chassis.disclosures import written_down
from services.sync.domain.full import FullOf
from services.sync.usecases.imports.shelf import read_held
from services.sync.usecases.intake import Intake

METHOD: Final = "ListDisappearingRecords"
PEOPLE_AND_CLASSES: Final = frozenset({"pupils", "staff", "classes"})


async def shown_records(
    intake: Intake, full_of: FullOf, keys: Sequence[str], *, purpose: str
) -> list[quarantine_pb2.DisappearingRecord]:
    """Records of a declared place by key; of other kinds than people and classes the key alone."""
    if full_of.collection not in PEOPLE_AND_CLASSES or not keys:
        written_down()  # Keys show nobody.
        return [quarantine_pb2.DisappearingRecord(key=key) for key in keys]
    school = str(full_of.school_id)
    request = held_records_pb2.ShowRecordsRequest(
        method=METHOD, unit=school, purpose=purpose, collection=full_of.collection
    )
    for key in keys:
        request.names.add(school=school, key=key)
    shown = {one.place: one.record for one in (await intake.records.show(request)).shown}
    names = await _class_names(intake, school, {one.row.pupil.class_key for one in shown.values()} - {""})
    told = []
    for place, key in enumerate(keys):
        record = shown.get(place)
        of = names.get(record.row.pupil.class_key, "") if record is not None else ""
        told.append(quarantine_pb2.DisappearingRecord(key=key, record=record, class_name=of))
    return told


async def _class_names(intake: Intake, school: str, keys: set[str]) -> Mapping[str, str]:
    found = read_held(intake.records, "classes", school, sorted(keys))
    return {record.row.key: record.row.school_class.name async for record in found}
