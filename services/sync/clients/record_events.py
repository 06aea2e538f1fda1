"""Records to the ministry as events: each NEW, UPDATE or CANCEL under a version that only rises, answered at once.

Nothing names the package: after a crash or a lost answer the same events go again under the same versions, of which the
ministry says that it has them. Where it holds another record than was thought here, its refusal says so, and the record
goes again as the event that fits.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.sync.clients.ministry import Ministry, read, refused, understood
from services.sync.domain.deliveries import Parcel, Verdict

TAKEN, REPEATED = 1, 2
GONE: Final = "KHONG_CO"  # A CANCEL of what is not there.
# Refusals that may pass: what a record stands on may arrive, the system may recover; of the others the answer tells
# what is held, and the next event fits it.
MAY_PASS: Final = frozenset({"THU_TU", "LOI_HE_THONG", "TRANG_THAI", "DA_CO", "CHUA_CO", "PHIEN_BAN"})
HELD: Final = {"DA_CO": True, "CHUA_CO": False}  # A NEW of what is there; an UPDATE of what is not.


class RecordEvents:
    """The way to the ministry by `SuKien`."""

    def __init__(self, ministry: Ministry) -> None:
        self._ministry = ministry

    async def push(self, parcel: Parcel) -> Sequence[Verdict]:
        """Send the events of a package; sent before or not is all the same."""
        headers = {"Content-Type": "application/json"}
        answer = await self._ministry.sent("/api/SuKien", parcel, content=parcel.body, headers=headers)
        if answer.is_error:
            return refused(answer, parcel)
        said = read(answer)
        with understood():
            return [_verdict(one) for one in said["KetQua"]]


def _verdict(said: Mapping[str, Any]) -> Verdict:
    record_id, version = said["IdBanGhi"], int(said["PhienBan"])
    if said["KetQua"] in (TAKEN, REPEATED):
        return Verdict(record_id, taken=True, version=version)
    if said["MaLoi"] == GONE:
        return Verdict(record_id, taken=True)
    return Verdict(
        record_id,
        taken=False,
        version=version,
        reason=said["MaLoi"],
        field=said.get("Truong", ""),
        message=said.get("ThongBao", ""),
        may_pass=said["MaLoi"] in MAY_PASS,
        held=HELD.get(said["MaLoi"]),
    )
