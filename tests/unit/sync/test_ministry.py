"""What does not speak as the ministry does is no answer: a failure of the way, never of the records."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from services.sync.clients.ministry import Account, Ministry
from services.sync.domain.deliveries import PackageTooLargeError, Parcel, UnreachableError

TOKEN = {"Token": "t", "HetHanSauGiay": 600}
PARCEL = Parcel(uuid4(), "48-001", "03", b"<YeuCau/>", ["r1", "r2"], sent_before=False)


def ministry(answer: Callable[[], httpx.Response]) -> Ministry:
    """A ministry that gives tokens and answers packages as told."""

    def answering(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=TOKEN) if request.url.path.endswith("GetAuthToken") else answer()

    http = httpx.AsyncClient(transport=httpx.MockTransport(answering), base_url="http://ministry.example")
    return Ministry(http, Account("u", "p"))


@pytest.mark.parametrize(
    "answer",
    [
        lambda: httpx.Response(200, text="<html>bảo trì</html>"),
        lambda: httpx.Response(403, text="<html>blocked</html>"),
        lambda: httpx.Response(400, json=["?"]),
        lambda: httpx.Response(200, json={"KetQua": []}),
        lambda: httpx.Response(200, json={"TrangThai": 3, "KetQua": [{"KetQua": 1}]}),
        lambda: httpx.Response(200, json={"TrangThai": 3, "KetQua": [None]}),
        lambda: httpx.Response(302, headers={"location": "http://login.example"}),
    ],
)
async def test_what_is_not_the_ministrys_answer_is_a_failure_of_the_way(answer) -> None:
    """Pages of proxies, other JSON, fields that lack: it is tried again, and the circuit hears of it."""
    with pytest.raises(UnreachableError) as failed:
        await ministry(answer).push(PARCEL)
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


async def test_a_package_that_is_too_large_is_not_a_refusal_of_its_records() -> None:
    """Whatever page says so."""
    with pytest.raises(PackageTooLargeError):
        await ministry(lambda: httpx.Response(413, text="<html>too large</html>")).push(PARCEL)


async def test_a_refusal_in_the_ministrys_words_is_one_of_each_record() -> None:
    """With its reason."""
    said = {"MaLoi": "GOI_TIN", "ThongBao": "Gói tin sai."}
    verdicts = await ministry(lambda: httpx.Response(400, json=said)).push(PARCEL)
    assert [(one.record_id, one.taken, one.reason) for one in verdicts] == [
        ("r1", False, "GOI_TIN"),
        ("r2", False, "GOI_TIN"),
    ]
