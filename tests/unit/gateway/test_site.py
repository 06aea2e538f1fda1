"""The site that Envoy serves: the console folder and what is drawn from the protos."""

import json
from pathlib import Path
from typing import Any

from gateway.envoy import site
from gateway.envoy.edge import Edge
from gateway.interface import load

INTERFACE = load()


def _edge(**changes: Any) -> Edge:
    backends = dict.fromkeys(INTERFACE.owners, "127.0.0.1:1")
    return Edge(listen="127.0.0.1:0", backends=backends, jwks="/keys.json", issuer="https://i", **changes)


def test_pages_have_an_address_of_their_own_and_files_their_path(tmp_path: Path) -> None:
    """`/` is the console, `/docs` the interface; a file outside the folder or of an unknown kind is not served."""
    (tmp_path / "vendor").mkdir()
    for name in ("index.html", "docs.html", "app.js", "notes.md", "vendor/chart-1.0.js"):
        (tmp_path / name).write_text("x", "utf-8")
    (tmp_path.parent / "outside.js").write_text("x", "utf-8")
    paths = [asset.path for asset in site.assets(_edge(console=tmp_path), INTERFACE)]
    assert paths == ["/", "/app.js", "/console.json", "/docs", "/fields.json", "/openapi.json", "/vendor/chart-1.0.js"]


def test_a_file_is_asked_for_again_each_time_unless_its_address_names_its_version(tmp_path: Path) -> None:
    """After an upgrade nobody sees yesterday's page; a vendored library is fetched once."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "app.js").write_text("x", "utf-8")
    (tmp_path / "vendor" / "chart-1.0.js").write_text("x", "utf-8")
    given = {
        route["match"]["path"]: {
            each["header"]["key"]: each["header"]["value"] for each in route["response_headers_to_add"]
        }
        for route in site.routes(_edge(console=tmp_path), INTERFACE)
        if route["direct_response"]["status"] == 200
    }
    assert given["/app.js"]["cache-control"] == "no-cache"
    assert "immutable" in given["/vendor/chart-1.0.js"]["cache-control"]
    assert given["/app.js"]["content-type"] == "application/javascript"
    assert "script-src 'self'" in given["/app.js"]["content-security-policy"]


def test_the_description_served_is_the_one_drawn_from_the_protos() -> None:
    """Nothing lies between the protos and /openapi.json that could be out of date."""
    served = next(asset for asset in site.assets(_edge(), INTERFACE) if asset.path == "/openapi.json")
    assert json.loads(served.content)["openapi"] == "3.1.0"
    assert "/v1/units/{unit}/indicators" in json.loads(served.content)["paths"]


def test_each_call_names_the_roles_that_the_interface_opens_it_to() -> None:
    """Drawn from the access options, so that no page offers what its reader would be refused."""
    [site_file] = [asset for asset in site.assets(_edge(), INTERFACE) if asset.path == "/console.json"]
    calls = json.loads(site_file.content)["calls"]
    assert calls["POST /v1/units/{unit}/announcements/{announcement_id}:approve"] == [
        "administrator",
        "director",
        "head_teacher",
    ]
    assert "provincial_ioc" in calls["GET /v1/units/{unit}/brief"]
    assert calls["GET /v1/me/grants"] is None
    assert set(calls) == {f"{one.rest.verb.upper()} {one.rest.path}" for one in INTERFACE.public if one.rest}


def test_fields_and_codes_are_called_as_the_ministry_calls_them() -> None:
    """Of what the centre has of its own and of what only the profile names, without saying that a code is one."""
    [told] = [json.loads(asset.content) for asset in site.assets(_edge(), INTERFACE) if asset.path == "/fields.json"]
    pupil = told["labels"]["pupil"]
    assert (pupil["full_name"], pupil["sex"], pupil["further.CHIEU_CAO"]) == ("Họ tên", "Giới tính", "Chiều cao")
    assert pupil["id"] == "Mã học sinh"
    assert told["codes"]["pupil"]["sex"]["2"] == "Nữ"
    assert told["codes"]["pupil"]["status"]["01"] == "Đang học"
    assert told["codes"]["staff_member"]["ethnic_group"]["01"] == "Kinh"


def test_every_file_of_the_console_fits_what_envoy_reads() -> None:
    """Envoy refuses to start over a larger one."""
    assert all(len(asset.content) <= site.LARGEST_FILE for asset in site.assets(_edge(), INTERFACE))
