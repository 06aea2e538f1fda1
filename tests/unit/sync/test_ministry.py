"""What does not speak as the ministry does is no answer: a failure of the way, never of the records."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from services.sync.clients.ministry import Account, Ministry
from services.sync.clients.record_events import RecordEvents
from services.sync.clients.typed_packages import TypedPackages
from services.sync.domain.deliveries import Outlet, PackageTooLargeError, Parcel, UnreachableError, Verdict

TOKEN = {"Token": "t", "HetHanSauGiay": 600}
WAYS: list[Callable[[Ministry], Outlet]] = [TypedPackages, RecordEvents]
PARCEL = Parcel(uuid4(), "48-001", "03", b"<YeuCau/>", ["r1", "r2"], sent_before=False)


def ministry(answer: Callable[[], httpx.Response]) -> Ministry:
    """A ministry that gives tokens and answers packages as told."""

    def answering(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=TOKEN) if request.url.path.endswith("GetAuthToken") else answer()

    http = httpx.AsyncClient(transport=httpx.MockTransport(answering), base_url="http://ministry.example")
    return Ministry(http, Account("u", "p"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "answer",
    [
        lambda: httpx.Response(200, text="<html>bảo trì</html>"),
        lambda: httpx.Response(403, text="<html>blocked</html>"),
        lambda: httpx.Response(400, json=["?"]),
        lambda: httpx.Response(200, json={"DanhMuc": []}),
        lambda: httpx.Response(200, json={"TrangThai": 3, "KetQua": [{"KetQua": 1}]}),
        lambda: httpx.Response(200, json={"TrangThai": 3, "KetQua": [None]}),
        lambda: httpx.Response(302, headers={"location": "http://login.example"}),
    ],
)
async def test_what_is_not_the_ministrys_answer_is_a_failure_of_the_way(answer, way) -> None:
    """Pages of proxies, other JSON, fields that lack: it is tried again, and the circuit hears of it."""
    with pytest.raises(UnreachableError) as failed:
        await way(ministry(answer)).push(PARCEL)
    assert failed.value.reason == "ANSWER_UNREADABLE"


async def test_comparing_hears_of_it_likewise() -> None:
    """Groups, records and contents."""
    page = ministry(lambda: httpx.Response(200, text="<html></html>"))
    for asked in (
        lambda: page.records("48", "48-001", "LOP"),
        lambda: page.contents("48", ["r1"]),
        lambda: anext(page.groups("48")),
    ):
        with pytest.raises(UnreachableError):
            await asked()


@pytest.mark.parametrize("way", WAYS)
async def test_a_package_that_is_too_large_is_not_a_refusal_of_its_records(way) -> None:
    """Whatever page says so."""
    with pytest.raises(PackageTooLargeError):
        await way(ministry(lambda: httpx.Response(413, text="<html>too large</html>"))).push(PARCEL)


@pytest.mark.parametrize("way", WAYS)
async def test_a_refusal_in_the_ministrys_words_is_one_of_each_record(way) -> None:
    """With its reason."""
    said = {"MaLoi": "GOI_TIN", "ThongBao": "Gói tin sai."}
    verdicts = await way(ministry(lambda: httpx.Response(400, json=said))).push(PARCEL)
    assert [(one.record_id, one.taken, one.reason) for one in verdicts] == [
        ("r1", False, "GOI_TIN"),
        ("r2", False, "GOI_TIN"),
    ]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"KetQua": 1, "PhienBan": 3}, Verdict("r1", taken=True, version=3)),
        ({"KetQua": 2, "PhienBan": 3}, Verdict("r1", taken=True, version=3)),
        (
            {"KetQua": 3, "PhienBan": 7, "MaLoi": "DA_CO"},
            Verdict("r1", taken=False, version=7, reason="DA_CO", may_pass=True, held=True),
        ),
        (
            {"KetQua": 3, "PhienBan": 0, "MaLoi": "CHUA_CO"},
            Verdict("r1", taken=False, reason="CHUA_CO", may_pass=True, held=False),
        ),
        (
            {"KetQua": 3, "PhienBan": 9, "MaLoi": "PHIEN_BAN"},
            Verdict("r1", taken=False, version=9, reason="PHIEN_BAN", may_pass=True),
        ),
        ({"KetQua": 3, "PhienBan": 0, "MaLoi": "KHONG_CO"}, Verdict("r1", taken=True)),
        (
            {"KetQua": 3, "PhienBan": 0, "MaLoi": "CONTENT", "Truong": "TEN", "ThongBao": "Thiếu TEN."},
            Verdict("r1", taken=False, reason="CONTENT", field="TEN", message="Thiếu TEN."),
        ),
    ],
)
async def test_each_answer_to_an_event_says_what_is_held_there(said, verdict) -> None:
    """Taken, repeated, or refused: with what the next event has to go on from."""
    answer = {"KetQua": [{"IdBanGhi": "r1", **said}]}
    verdicts = await RecordEvents(ministry(lambda: httpx.Response(200, json=answer))).push(PARCEL)
    assert list(verdicts) == [verdict]
