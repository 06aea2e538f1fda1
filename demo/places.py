"""The real units of Quảng Nam and Đà Nẵng in time, as the platform imports them.

Reads `data/administrative_units.json` (sources named inside) and the successions of 2025-01-01 beside it. A commune
that goes on alone under its code stays one unit through the reform of 2025-07-01; one formed of several is a new unit
that takes over a code, so that the code resolves by date.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

DISTRICT_REFORM = "2025-01-01"
PROVINCE_REFORM = "2025-07-01"
OLD_PROVINCE, NEW_PROVINCE = "49", "48"


@dataclass(frozen=True)
class Commune:
    """A commune of before 2025-07-01 with where it belongs before and after.

    `district` is the one it lay in from 2025-01-01 on; `today` is the code of the commune its area belongs to now.
    """

    code: str
    name: str
    district: str
    today: str


@dataclass
class Places:
    """Units ready to be imported, and the communes schools can stand in."""

    units: list[dict[str, Any]] = field(default_factory=list)
    communes: list[Commune] = field(default_factory=list)
    district_names: dict[str, str] = field(default_factory=dict)
    commune_names_today: dict[str, str] = field(default_factory=dict)


def _data(name: str) -> Any:
    return json.loads(resources.files("demo").joinpath("data", name).read_text(encoding="utf-8"))


def _unit(kind: str, code: str, names: list[dict[str, str]], **rest: Any) -> dict[str, Any]:
    start, end = rest.get("valid_from", ""), rest.get("valid_to", "")
    codes = [{"system": "gso", "code": code, "valid_from": start, "valid_to": end}]
    return {"kind": kind, "names": names, "codes": codes, **rest}


def _parent(code: str, start: str = "", end: str = "") -> dict[str, str]:
    return {"parent": f"gso:{code}", "type": "administrative", "valid_from": start, "valid_to": end}


def _merged(code: str, day: str, *, partial: bool = False) -> dict[str, Any]:
    kind = "split_into" if partial else "merged_into"
    return {"successor": f"gso:{code}", "kind": kind, "effective_date": day, "partial": partial}


def load() -> Places:
    """Return every unit above the schools, in an order in which a parent comes before its children."""
    raw = _data("administrative_units.json")
    early, late, neighbour, today = raw["versions"]
    places = Places()
    places.commune_names_today = {commune["code"]: commune["name"] for commune in today["communes"]}
    places.units += _provinces(raw["provinces"])
    first = {item["code"]: item for item in _data("successions_2025_01_01.json")["successions"]}
    places.units += _districts(early, late, neighbour, first, places)
    successors = _successors(today)
    kept = {commune["code"] for commune in today["communes"] if _continues(commune)}
    places.units += _old_communes(early, late, neighbour, first=first, successors=successors, kept=kept, today=today)
    places.units += _new_communes(today, kept)
    for version in (late, neighbour):
        for district in version["districts"]:
            places.communes += [
                Commune(commune["code"], commune["name"], district["code"], successors[commune["code"]][0][0])
                for commune in district["communes"]
                if commune["code"] in successors
            ]
    return places


def _provinces(provinces: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    names = {province["code"]: province["name"] for province in provinces}
    yield _unit("province", NEW_PROVINCE, [{"name": names[NEW_PROVINCE]}])
    yield _unit(
        "province",
        OLD_PROVINCE,
        [{"name": names[OLD_PROVINCE]}],
        valid_to=PROVINCE_REFORM,
        successions=[_merged(NEW_PROVINCE, PROVINCE_REFORM)],
    )
    for code, end in ((NEW_PROVINCE, ""), (OLD_PROVINCE, PROVINCE_REFORM)):
        bare = names[code].removeprefix("Tỉnh ").removeprefix("Thành phố ")
        yield {
            "kind": "department",
            "names": [{"name": f"Sở Giáo dục và Đào tạo {bare}"}],
            "codes": [{"system": "moet", "code": code, "valid_to": end}],
            "parents": [_parent(code, end=end)],
            "valid_to": end,
            "successions": [{**_merged(NEW_PROVINCE, PROVINCE_REFORM), "successor": "moet:48"}] if end else [],
        }


def _districts(
    early: Any, late: Any, neighbour: Any, first: dict[str, Any], places: Places
) -> Iterator[dict[str, Any]]:
    for version, province in ((early, OLD_PROVINCE), (neighbour, NEW_PROVINCE)):
        for district in version["districts"]:
            code, name = district["code"], district["name"]
            places.district_names[code] = name
            ended = first.get(code)
            end = DISTRICT_REFORM if ended else PROVINCE_REFORM
            yield _unit(
                "district",
                code,
                [{"name": name}],
                parents=[_parent(province, end=end)],
                valid_to=end,
                successions=[_merged(ended["successor"], DISTRICT_REFORM)] if ended else [],
            )
    known = {district["code"] for district in early["districts"]}
    assert all(district["code"] in known for district in late["districts"])


def _continues(commune: Any) -> bool:
    before = commune["predecessors"]
    return len(before) == 1 and before[0]["code"] == commune["code"] and not before[0]["partial"]


def _successors(today: Any) -> dict[str, list[tuple[str, bool]]]:
    """Map each old commune to those of today that took it over, whole ones first; the flag says partial."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for commune in today["communes"]:
        for before in commune["predecessors"]:
            if before["code"]:
                found.setdefault(before["code"], []).append((commune["code"], before["partial"]))
    # One that went to two units went to neither whole, whatever the file says of each.
    return {
        code: sorted(((to, partial or len(targets) > 1) for to, partial in targets), key=lambda target: target[0])
        for code, targets in found.items()
    }


def _old_communes(
    early: Any, late: Any, neighbour: Any, *, first: Any, successors: Any, kept: set[str], today: Any
) -> Iterator[dict[str, Any]]:
    names_today = {commune["code"]: commune["name"] for commune in today["communes"]}
    before = {c["code"]: (c["name"], d["code"]) for d in early["districts"] for c in d["communes"]}
    after = {
        c["code"]: (c["name"], d["code"])
        for version in (late, neighbour)
        for d in version["districts"]
        for c in d["communes"]
    }
    for code in {**before, **after}:
        old, new = before.get(code), after.get(code)
        start = DISTRICT_REFORM if old is None and not _neighbour(code, neighbour) else ""
        end = DISTRICT_REFORM if new is None else ("" if code in kept else PROVINCE_REFORM)
        names, parents = _in_time(old, new, start, end)
        if code in kept:
            names = _renamed(names, names_today[code])
            parents[-1]["valid_to"] = PROVINCE_REFORM
            parents.append(_parent(NEW_PROVINCE, PROVINCE_REFORM))
        rest: dict[str, Any] = {"parents": parents, "valid_from": start, "valid_to": end}
        if new is None and code in first:
            rest["successions"] = [_merged(first[code]["successor"], DISTRICT_REFORM)]
            rest["labels"] = [] if first[code]["certain"] else ["succession_unverified"]
        elif code not in kept:
            rest["successions"] = [
                _merged(to, PROVINCE_REFORM, partial=partial) for to, partial in successors.get(code, [])
            ]
        yield _unit("commune", code, names, **rest)


def _neighbour(code: str, neighbour: Any) -> bool:
    return any(code == commune["code"] for district in neighbour["districts"] for commune in district["communes"])


def _in_time(
    old: tuple[str, str] | None, new: tuple[str, str] | None, start: str, end: str
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Names and parents before and after 2025-01-01, joined where nothing changed."""
    if old is None or new is None or old == new:
        name, district = new or old or ("", "")
        return [{"name": name}], [_parent(district, start, end or PROVINCE_REFORM)]
    names = [{"name": old[0]}]
    if old[0] != new[0]:
        names = [{"name": old[0], "valid_to": DISTRICT_REFORM}, {"name": new[0], "valid_from": DISTRICT_REFORM}]
    if old[1] == new[1]:
        return names, [_parent(new[1], start, end or PROVINCE_REFORM)]
    return names, [
        _parent(old[1], start, DISTRICT_REFORM),
        _parent(new[1], DISTRICT_REFORM, end or PROVINCE_REFORM),
    ]


def _renamed(names: list[dict[str, str]], name_today: str) -> list[dict[str, str]]:
    if names[-1]["name"] == name_today:
        return names
    return [
        *names[:-1],
        {**names[-1], "valid_to": PROVINCE_REFORM},
        {"name": name_today, "valid_from": PROVINCE_REFORM},
    ]


def _new_communes(today: Any, kept: set[str]) -> Iterator[dict[str, Any]]:
    for commune in today["communes"]:
        if commune["code"] in kept:
            continue
        yield _unit(
            "commune",
            commune["code"],
            [{"name": commune["name"]}],
            parents=[_parent(NEW_PROVINCE, PROVINCE_REFORM)],
            valid_from=PROVINCE_REFORM,
        )
