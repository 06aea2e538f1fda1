"""Calls to the ministry's sector database, whatever form records leave in: a token a unit and level, and what it holds.

Refuses to guess: what is neither an answer nor a refusal, as a proxy's page, is `UnreachableError`.
"""

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from services.sync.domain.composing import Content
from services.sync.domain.deliveries import (
    HeldThere,
    PackageTooLargeError,
    Parcel,
    SchoolRefusedError,
    UnreachableError,
    Verdict,
)

CALL_SECONDS: Final = 15.0
SCHOOL: Final = "4"  # CapDonVi
DEPARTMENT: Final = "2"
EVERY_LEVEL: Final = "00"
CONTENTS_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Account:
    """With what the department signs in."""

    user: str
    password: str


class Ministry:
    """The way to the ministry. Made with an HTTP client whose base address is the ministry's."""

    def __init__(self, http: httpx.AsyncClient, account: Account) -> None:
        self._http = http
        self._account = account
        self._tokens: dict[tuple[str, str], tuple[str, float]] = {}

    async def groups(self, department: str) -> AsyncIterator[tuple[str, str, int, int]]:
        """School, object, count and digest of each group it holds."""
        after = ""
        while True:
            answer = await self.asked("GET", "/api/DoiSoat/TomTat", department, EVERY_LEVEL, params={"sau": after})
            said = read(answer)
            with understood():
                found = [
                    (one["MaTruong"], one["DoiTuong"], int(one["SoBanGhi"]), int(one["MaBam"])) for one in said["Nhom"]
                ]
                after = said["Sau"]
            for group in found:
                yield group
            if not after:
                return

    async def records(self, department: str, school: str, kind: str) -> list[HeldThere]:
        """What it holds of a school and object."""
        params = {"ma_truong": school, "doi_tuong": kind}
        answer = await self.asked("GET", "/api/DoiSoat/BanGhi", department, EVERY_LEVEL, params=params)
        said = read(answer)
        with understood():
            return [HeldThere(one["IdBanGhi"], int(one["PhienBan"]), int(one["MaBam"])) for one in said["BanGhi"]]

    async def contents(self, department: str, record_ids: Sequence[str]) -> dict[str, Content]:
        """What it holds of some records."""
        found: dict[str, Content] = {}
        for start in range(0, len(record_ids), CONTENTS_AT_ONCE):
            wanted = {"IdBanGhi": record_ids[start : start + CONTENTS_AT_ONCE]}
            answer = await self.asked("POST", "/api/DoiSoat/NoiDung", department, EVERY_LEVEL, json=wanted)
            said = read(answer)
            with understood():
                found.update({one["IdBanGhi"]: one["NoiDung"] for one in said["BanGhi"]})
        return found

    async def sent(self, path: str, parcel: Parcel, **how: Any) -> httpx.Response:
        """The answer to a package; raises `PackageTooLargeError`."""
        answer = await self.asked("POST", path, parcel.unit_code, parcel.level, **how)
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            raise PackageTooLargeError
        return answer

    async def asked(
        self, verb: str, path: str, unit: str, level: str, *, headers: Mapping[str, str] | None = None, **how: Any
    ) -> httpx.Response:
        """A call with a token of the unit and level, got anew once when it is refused."""
        said = dict(headers or {})
        answer = await self._call(verb, path, headers=said | {"Token": await self._token(unit, level)}, **how)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._tokens.pop((unit, level), None)
            answer = await self._call(verb, path, headers=said | {"Token": await self._token(unit, level)}, **how)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise _account_refused()
        return answer

    async def _token(self, unit: str, level: str) -> str:
        token, until = self._tokens.get((unit, level), ("", 0.0))
        if until > time.monotonic():
            return token
        if not self._account.password:
            raise SchoolRefusedError(
                "PASSWORD_MISSING",
                vi="Thiếu mật khẩu kết chuyển. Hãy khai báo mật khẩu của đơn vị cho dịch vụ đồng bộ.",
                en="The push password is missing: set it for the sync service.",
            )
        asked = {
            "CapDonVi": DEPARTMENT if level == EVERY_LEVEL else SCHOOL,
            "MaDonVi": unit,
            "CapHoc": level,
            "TenDangNhap": self._account.user,
            "MatKhau": self._account.password,
        }
        answer = await self._call("POST", "/api/GetAuthToken", json=asked)
        if answer.is_client_error:
            raise _account_refused()
        said = read(answer)
        with understood():
            # A minute before it ends, so that a call that leaves now still arrives with a good token.
            self._tokens[unit, level] = str(said["Token"]), time.monotonic() + float(said["HetHanSauGiay"]) - 60
        return self._tokens[unit, level][0]

    async def _call(self, verb: str, path: str, **how: Any) -> httpx.Response:
        try:
            answer = await self._http.request(verb, path, timeout=CALL_SECONDS, **how)
        except httpx.TimeoutException as error:
            raise UnreachableError(
                "TIMED_OUT",
                vi="Cơ sở dữ liệu ngành không trả lời kịp.",
                en="The sector database does not answer in time.",
            ) from error
        except httpx.RequestError as error:
            raise UnreachableError(
                "NO_CONNECTION",
                vi="Không kết nối được tới cơ sở dữ liệu ngành.",
                en="The sector database cannot be reached.",
            ) from error
        if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise UnreachableError(
                f"HTTP_{answer.status_code}",
                vi=f"Cơ sở dữ liệu ngành báo lỗi {answer.status_code}.",
                en=f"The sector database answers {answer.status_code}.",
            )
        return answer


@contextmanager
def understood() -> Iterator[None]:
    """Reads an answer; one that lacks what it should hold is no answer."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable() from error


def _said(answer: httpx.Response) -> dict[str, Any]:
    """What an answer says, whatever its status; a page of a proxy says nothing."""
    with understood():
        said = answer.json()
    if not isinstance(said, dict):
        raise _unreadable()
    return said


def read(answer: httpx.Response) -> dict[str, Any]:
    """What an answer says; raises `SchoolRefusedError` where it is a refusal."""
    said = _said(answer)
    if answer.is_error:
        raise SchoolRefusedError(
            str(said.get("MaLoi", "REFUSED")), vi=str(said.get("ThongBao", "")), en=str(said.get("ThongBao", ""))
        )
    return said


def refused(answer: httpx.Response, parcel: Parcel) -> Sequence[Verdict]:
    """A package that is refused as a whole: each of its records is."""
    said = _said(answer)
    reason, message = str(said.get("MaLoi", "REFUSED")), str(said.get("ThongBao", ""))
    return [Verdict(one, taken=False, reason=reason, message=message) for one in parcel.record_ids]


def _account_refused() -> SchoolRefusedError:
    return SchoolRefusedError(
        "ACCOUNT_REFUSED",
        vi="Tài khoản kết chuyển không chính xác. Hãy kiểm tra tài khoản và mật khẩu kết chuyển của đơn vị.",
        en="The push account is refused: check user and password of the unit.",
    )


def _unreadable() -> UnreachableError:
    return UnreachableError(
        "ANSWER_UNREADABLE",
        vi="Câu trả lời không phải của cơ sở dữ liệu ngành (có thể từ máy chủ trung gian).",
        en="What answers does not speak as the sector database does (perhaps a proxy).",
    )
