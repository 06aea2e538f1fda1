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
