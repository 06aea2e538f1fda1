"""Forms found and saved. Refuses a form that does not work, and one that belongs to other people."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, FieldViolation, Kind
from services.reporting.domain.catalogue import Catalogue
from services.reporting.domain.forms import Defect, Form, defects
from services.reporting.store import forms
from services.reporting.store.forms import FormRow
from services.reporting.usecases.checking import check_defects

RESULTS = "results"


async def get_form(connection: AsyncConnection, code: str, version: int = 0) -> FormRow:
    """A version of a form (0: the newest); raises UNKNOWN_FORM."""
    row = await forms.find_form(connection, code, version)
    if row is None:
        vi, en = f"Không có biểu mẫu “{code}”", f"There is no form “{code}”"
        if version:
            vi, en = f"{vi} phiên bản {version}", f"{en} in version {version}"
        metadata = {"form": code, "version": str(version)}
        raise Fault(Kind.NOT_FOUND, "UNKNOWN_FORM", vi=f"{vi}.", en=f"{en}.", metadata=metadata)
    return row


def check_form(form: Form, catalogue: Catalogue) -> None:
    """Raise FORM_INVALID with everything that is wrong, unless the form works."""
    found = [*defects(form, catalogue), *_lock_defects(form)]
    if not found:
        found = check_defects(form)
    if found:
        raise _invalid(form.code, found)


async def save_form(
    connection: AsyncConnection, form: Form, definition: Mapping[str, Any], *, unit_id: int, by: str
) -> FormRow:
    """Save a checked form as its next version; raises FORM_OF_ANOTHER."""
    await forms.hold_forms(connection)
    newest = await forms.find_form(connection, form.code)
    if newest is not None and newest["unit_id"] != unit_id:
        raise Fault(
            Kind.DENIED,
            "FORM_OF_ANOTHER",
            vi=f"Biểu mẫu “{form.code}” của đơn vị khác, hoặc là mẫu đi kèm. Hãy lưu với một mã riêng của đơn vị.",
            en=f"The form “{form.code}” belongs to another unit or is shipped. Save it under a code of your own.",
            metadata={"form": form.code},
        )
    version = newest["version"] + 1 if newest else 1
    return await forms.add_form(connection, form.code, version, unit_id=unit_id, definition=definition, by=by)


def _lock_defects(form: Form) -> list[Defect]:
    if form.lock_period and set(form.locked_collections) - {RESULTS}:
        vi = "Chỉ `results` khóa được theo giai đoạn; bỏ lock_period, hoặc chỉ để results trong locked_collections."
        en = "Only `results` is locked by stage: leave lock_period out, or name only results in locked_collections."
        return [Defect("lock_period", vi, en)]
    return []


def _invalid(code: str, found: Sequence[Defect]) -> Fault:
    return Fault(
        Kind.INVALID,
        "FORM_INVALID",
        vi=f"Biểu mẫu “{code}” chưa dùng được: {found[0].vi}",
        en=f"The form “{code}” cannot be used: {found[0].en}",
        metadata={"form": code},
        violations=[FieldViolation(f"form.{one.field}", "FORM_INVALID", one.vi, one.en) for one in found],
    )
