"""Workbooks with personal data: each look is written down in records' access log before the workbook is made, and
records says whether it may be in full. Without records there is none.

A masked workbook lacks the personal columns: signs in place of values would come back as values.
"""

from collections.abc import Mapping
from typing import Final

from iocedu.records.v1 import access_log_pb2

from services.sync.usecases.imports.office import Office

NAME: Final = "HO_TEN"  # Shown to all who may see the list, as records does.


async def noted(
    office: Office, method: str, *, unit_id: int, counts: Mapping[str, int], purpose: str, own: bool = False
) -> bool:
    """Write down how many records of which collections the caller is about to see; whether in full."""
    request = access_log_pb2.NoteAccessRequest(method=method, unit=str(unit_id), purpose=purpose, own=own)
    for collection, count in counts.items():
        request.collections.add(collection=collection, record_count=count)
    return await office.intake.records.note_access(request)


def shows(office: Office, kind: str, field: str, inside: str = "") -> bool:
    """Whether a column is in a masked workbook."""
    return field == NAME or office.profile.shows(kind, field, inside)
