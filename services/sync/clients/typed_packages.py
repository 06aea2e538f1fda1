"""Records to the ministry in typed packages: gzip XML of one record type, sent, then polled until it is worked on.

A package carries its own request id: sending it again after a crash or a lost answer does nothing there and gives the
same answer.
"""

import asyncio
import gzip
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from services.sync.clients.ministry import Ministry, read, refused, understood
from services.sync.domain.deliveries import Parcel, StillWorkingError, Verdict

POLL_SECONDS: Final = 20.0  # How long the outcome of a package is waited for in one turn.
FIRST_POLL: Final = 0.02
LONGEST_POLL: Final = 1.0
DONE, CANCELLED = 3, 4
TAKEN, OLD = 1, 2
# Refusals of a record that may pass by themselves: what it stands on may arrive, the system may recover.
MAY_PASS: Final = frozenset({"THU_TU", "LOI_HE_THONG", "TRANG_THAI"})


class TypedPackages:
    """The way to the ministry by `TiepNhanCompress` and `TrangThaiYeuCau`."""

    def __init__(self, ministry: Ministry) -> None:
        self._ministry = ministry

    async def push(self, parcel: Parcel) -> Sequence[Verdict]:
        """Send a package and wait for its outcome."""
        said: Mapping[str, Any] | None = None
        if parcel.sent_before:
            said = await self._state(parcel)
        if said is None:
            body = gzip.compress(parcel.body, 1)
            answer = await self._ministry.sent("/api/TiepNhanCompress", parcel, content=body)
            if answer.is_error:
                return refused(answer, parcel)
            said = read(answer)
        with understood():
            return await self._outcome(said, parcel)

    async def _outcome(self, said: Mapping[str, Any], parcel: Parcel) -> Sequence[Verdict]:
        end, pause = time.monotonic() + POLL_SECONDS, FIRST_POLL
        while said["TrangThai"] != DONE or "KetQua" not in said:
            if said["TrangThai"] == CANCELLED:
                return [
                    Verdict(one, taken=False, reason="PACKAGE_CANCELLED", message="Yêu cầu bị hủy.", may_pass=True)
                    for one in parcel.record_ids
                ]
            if time.monotonic() >= end:
                raise StillWorkingError
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_POLL)
            said = await self._state(parcel) or said
        return [_verdict(one) for one in said["KetQua"]]

    async def _state(self, parcel: Parcel) -> Mapping[str, Any] | None:
        """How far a package is; None: it never arrived."""
        answer = await self._ministry.asked(
            "GET",
            "/api/TrangThaiYeuCau",
            parcel.unit_code,
            parcel.level,
            params={"ma_yeu_cau": str(parcel.package_id)},
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return read(answer)


def _verdict(said: Mapping[str, Any]) -> Verdict:
    if said["KetQua"] in (TAKEN, OLD):
        # What it already holds under this version, or a higher one, is told by the version.
        return Verdict(said["IdBanGhi"], taken=True, version=int(said["PhienBan"]))
    if said["MaLoi"] == "KHONG_CO":
        return Verdict(said["IdBanGhi"], taken=True)  # Gone there already.
    return Verdict(
        said["IdBanGhi"],
        taken=False,
        reason=said["MaLoi"],
        field=said.get("Truong", ""),
        message=said.get("ThongBao", ""),
        may_pass=said["MaLoi"] in MAY_PASS,
    )
