"""Which schools the demo has: their places, levels, sizes and the defects planted in them.

Everything follows from a seed, so that the same scale gives the same schools on every machine.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from demo import places

SEED = "iocedu"
PRESCHOOL, PRIMARY, LOWER, UPPER = "01", "02", "03", "04"
PREFIX = {PRESCHOOL: "Mầm non", PRIMARY: "Tiểu học", LOWER: "THCS", UPPER: "THPT"}
GRADES = {
    PRESCHOOL: ("15", "16", "17", "18"),
    PRIMARY: ("01", "02", "03", "04", "05"),
    LOWER: ("06", "07", "08", "09"),
    UPPER: ("10", "11", "12"),
}
# Shares of the levels among 816 schools of 2018-19: 275 preschools, 266 primary, 218 lower, 57 upper secondary.
LEVEL_MIX = (PRESCHOOL,) * 34 + (PRIMARY,) * 33 + (LOWER,) * 26 + (UPPER,) * 7
MOUNTAIN = frozenset({"504", "505", "510", "511", "512", "514", "515", "516", "519"})
# Districts of each scale; default has one of the plain and one of the mountains.
DEFAULT_DISTRICTS = ("506", "510")


@dataclass(frozen=True)
class Scale:
    """How much the demo holds."""

    schools: int
    childcare_groups: int
    districts: tuple[str, ...]
    province_old: bool


SCALES = {
    "tiny": Scale(schools=20, childcare_groups=2, districts=DEFAULT_DISTRICTS, province_old=True),
    "default": Scale(schools=60, childcare_groups=8, districts=DEFAULT_DISTRICTS, province_old=True),
    "province": Scale(schools=800, childcare_groups=0, districts=(), province_old=True),
    "merged": Scale(schools=1300, childcare_groups=1500, districts=(), province_old=False),
}


@dataclass(frozen=True)
class School:
    """A school or childcare group of the demo. `classes_per_grade` and `class_size` are what it aims at."""

    code: str
    name: str
    kind: str
    level: str
    district: str
    commune: places.Commune
    classes_per_grade: int
    class_size: int
    silent: bool
    oversize: bool
    defective: bool

    @property
    def mountain(self) -> bool:
        """Whether it lies in one of the nine mountain districts."""
        return self.district in MOUNTAIN

    @property
    def source(self) -> str:
        """The vendor whose software it uses."""
        return "vnedu" if int(self.code[-2:]) % 3 else "smas"


def schools(scale: Scale, communes: Sequence[places.Commune]) -> list[School]:
    """Return the schools of a scale, spread evenly over its communes."""
    wanted = [commune for commune in communes if _within(scale, commune)]
    rng = random.Random(f"{SEED}:schools")
    rng.shuffle(wanted)
    counters: dict[str, int] = {}
    found: list[School] = []
    for index in range(scale.schools + scale.childcare_groups):
        commune = wanted[index % len(wanted)]
        counters[commune.district] = counters.get(commune.district, 0) + 1
        group = index >= scale.schools
        found.append(_school(commune, counters[commune.district], index, group=group))
    return found


def _within(scale: Scale, commune: places.Commune) -> bool:
    if scale.districts:
        return commune.district in scale.districts
    return commune.district >= "500" or not scale.province_old


def _school(commune: places.Commune, number: int, index: int, *, group: bool) -> School:
    code = f"{_province(commune)}{commune.district}{number:03d}"
    rng = random.Random(f"{SEED}:{code}")
    level = PRESCHOOL if group else LEVEL_MIX[(index * 37) % len(LEVEL_MIX)]
    bare = commune.name.split(" ", 1)[1] if commune.name.startswith(("Xã", "Phường")) else commune.name[9:]
    mountain = commune.district in MOUNTAIN
    small, large = {PRESCHOOL: (2, 4), PRIMARY: (3, 5), LOWER: (3, 5), UPPER: (7, 11)}[level]
    per_grade = 1 if group else rng.randint(small, large) - (1 if mountain and level != UPPER else 0)
    size = {PRESCHOOL: 26, PRIMARY: 31, LOWER: 39, UPPER: 41}[level] - (5 if mountain else 0)
    prefix = "Nhóm trẻ độc lập" if group else f"Trường {PREFIX[level]}"
    return School(
        code=code,
        name=f"{prefix} {bare}{f' số {number}' if number > 1 else ''}",
        kind="childcare_group" if group else "school",
        level=level,
        district=commune.district,
        commune=commune,
        classes_per_grade=max(1, per_grade),
        class_size=12 if group else size,
        silent=index % 17 == 11,
        oversize=index % 9 == 4,
        defective=index % 10 == 6,
    )


def _province(commune: places.Commune) -> str:
    return places.OLD_PROVINCE if commune.district >= "500" else places.NEW_PROVINCE


def unit_of(school: School) -> dict[str, Any]:
    """Return the school as a unit: under its commune, and under the department for professional matters."""
    administrative, professional = "administrative", "professional"
    reform = places.PROVINCE_REFORM
    old_commune = f"gso:{school.commune.code}"
    parents = [
        {"parent": old_commune, "type": administrative, "valid_to": reform},
        {"parent": f"gso:{school.commune.today}", "type": administrative, "valid_from": reform},
        {"parent": "moet:48", "type": professional, "valid_from": reform},
    ]
    if _province(school.commune) == places.OLD_PROVINCE:
        parents.append({"parent": "moet:49", "type": professional, "valid_to": reform})
    else:
        parents[-1].pop("valid_from")
    return {
        "kind": school.kind,
        "names": [{"name": school.name}],
        "codes": [{"system": "moet", "code": school.code}],
        "parents": parents,
        "labels": ["must_connect", f"level:{school.level}", f"source:{school.source}"],
    }
