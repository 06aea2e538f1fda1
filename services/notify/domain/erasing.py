"""Texts without a person who was erased: which mention one, and what is left of them."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from services.notify.domain.notices import Matter

SHORTEST = 3  # Signs of a key that is looked for: shorter ones stand in many a text.
MASK = "▇▇▇"
TITLES = ("Nội dung đã xóa theo yêu cầu về dữ liệu cá nhân", "Erased at a person's request")
BODIES = ("Nội dung của thông báo này không còn được lưu.", "What this notice said is no longer kept.")
_TEXTS = ("title_vi", "title_en", "body_vi", "body_en")


@dataclass(frozen=True, slots=True)
class Erasure:
    """A request that was carried out in records: keys of records of a school, and those of them that staff have."""

    school_id: int
    data_request_id: int
    erased: frozenset[str]
    restricted: frozenset[str]
    staff: frozenset[str]

    @property
    def keys(self) -> frozenset[str]:
        """Keys of whom nothing is to be told, erased or restricted."""
        return self.erased | self.restricted


def mentions(text: str, keys: Collection[str]) -> bool:
    """Whether one of the keys stands in a text, as a word of its own."""
    pattern = _pattern(keys)
    return pattern is not None and pattern.search(text) is not None


def masked(text: str, keys: Collection[str]) -> str:
    """A text that people wrote, without the keys."""
    pattern = _pattern(keys)
    return text if pattern is None else pattern.sub(MASK, text)


def without(matter: Matter, keys: Collection[str]) -> Matter:
    """A matter that says nothing of the person; itself where it names none of the keys."""
    if not mentions(" ".join(getattr(matter, name) for name in _TEXTS), keys):
        return matter
    return replace(matter, title_vi=TITLES[0], title_en=TITLES[1], body_vi=BODIES[0], body_en=BODIES[1])


def _pattern(keys: Collection[str]) -> re.Pattern[str] | None:
    wanted = sorted((re.escape(key) for key in keys if len(key) >= SHORTEST), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(wanted)})(?!\w)") if wanted else None
