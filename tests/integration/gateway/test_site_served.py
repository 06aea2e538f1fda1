"""What a browser gets from the edge without a token: the console, the description, the page that shows it."""

import httpx
import pytest

from gateway.envoy.edge import CONSOLE


@pytest.fixture
async def browser(door):
    """A browser that is nobody yet."""
    async with httpx.AsyncClient(base_url=door.url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "file", "kind"),
    [
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/docs", "docs.html", "text/html; charset=utf-8"),
        ("/app/main.js", "app/main.js", "application/javascript"),
        ("/style.css", "style.css", "text/css; charset=utf-8"),
        ("/data/communes.geojson", "data/communes.geojson", "application/json"),
    ],
)
async def test_files_are_served_as_they_are_with_their_type_and_policy(browser, path, file, kind):
    """No script or style from elsewhere can run, no other site can frame the console."""
    answer = await browser.get(path)
    assert answer.status_code == 200
    assert answer.content == (CONSOLE / file).read_bytes()
    assert answer.headers["content-type"] == kind
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_file_the_browser_has_is_not_sent_again(browser):
    """Asked with its tag, an unchanged file is 304 and empty; compressed it keeps its tag."""
    first = await browser.get("/style.css")
    assert first.headers["content-encoding"] == "gzip"
    again = await browser.get("/style.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/README.md", "/data/README.md", "/app/", "/../envoy.json", "/app/..%2f..%2fenvoy.json"]
)
async def test_nothing_else_of_the_folder_or_outside_can_be_had(browser, path):
    """Only the files named one by one are there; the rest asks for a token first, and then is not there."""
    assert (await browser.get(path)).status_code == 401


async def test_a_file_cannot_be_posted_to(rest):
    """Files answer GET and HEAD."""
    assert (await rest.post("/style.css")).status_code == 404
    assert (await rest.head("/style.css")).status_code == 200


async def test_the_description_is_that_of_the_interface_served(browser):
    """/openapi.json is drawn from the same descriptors as the routes."""
    described = (await browser.get("/openapi.json")).json()
    assert set(described["paths"]) == {
        "/v1/perches/{perch}/words/{word}",
        "/v1/perches/{perch}:tell",
        "/v1/perches/{perch}/songs",
        "/v1/perches/{perch}/words:watch",
    }


BROWSING = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_browser_that_opens_what_is_no_page_gets_a_page_that_leads_home(browser):
    """In Vietnamese, as not found, and under the policy of all pages; with a policy no site can frame it."""
    answer = await browser.get("/bao-cao", headers=BROWSING)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.text == (CONSOLE / "missing.html").read_text("utf-8")
    assert "Không có trang này" in answer.text


async def test_programs_and_the_interface_keep_their_refusals(browser):
    """Whoever does not ask for a page, or asks the interface, is told in JSON what is wrong."""
    assert (await browser.get("/bao-cao")).json()["details"][0]["reason"] == "NO_TOKEN"
    assert (await browser.get("/v1/units", headers=BROWSING)).json()["details"][0]["reason"] == "NO_TOKEN"
