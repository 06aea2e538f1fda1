"""Sentences in both languages at once, and foreign texts made fit to be repeated in them.

What is wrong with a row is kept, and asked for later by people of either language: so both are made when it is found.
"""

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

MOST_SHOWN: Final = 60  # Letters of a foreign text that a sentence repeats.
HIDDEN: Final = "•••"  # In place of a value that may say who somebody is.
_INDEX: Final = re.compile(r"\[[^\]]*\]")
# A code is a letter, two capitals, or short and with a digit: no name, no date, no number of a person or a telephone.
_CODE: Final = re.compile(r"[A-Za-zĐđ]|[A-ZĐ]{2}|(?=\D*[0-9])[0-9A-Za-zĐđ.,:_/+-]{1,20}")
_DAY: Final = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}", re.ASCII)
_NUMBER: Final = re.compile(r"(\d[.,:_/+-]?){9}", re.ASCII)


class Text(NamedTuple):
    """The same in Vietnamese and in English."""

    vi: str
    en: str

    def told(self, language: str) -> str:
        """The one for who reads `en` or `vi`."""
        return self.en if language == "en" else self.vi


TOO_LONG: Final = Text("dài quá mức cho phép", "is too long")
NO_WORDS: Final = Text("", "")


def same(text: str) -> Text:
    """A text that is the same in both languages: a name, a code."""
    return Text(text, text)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like this one; empty when none does."""
    return _nearest(name[: MOST_SHOWN * 2], tuple(known))


@lru_cache(maxsize=1024)
def _nearest(name: str, known: tuple[str, ...]) -> str:
    """A wrong profile makes the same mistakes on every line: they are looked up once."""
    by_folded = {one.casefold(): one for one in known}
    found = difflib.get_close_matches(name.casefold()[:MOST_SHOWN], list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else ""


def bare(path: str) -> str:
    """A path without its indexes: `result.subject_marks.mark` of `result.subject_marks[2].mark`."""
    return _INDEX.sub("", path)


def is_code(text: str) -> bool:
    """Whether a value looks like a code or a number, whatever field it stands in: columns may be shifted."""
    return bool(_CODE.fullmatch(text)) and not _DAY.search(text) and not _NUMBER.search(text)


def as_code(text: str) -> str:
    """What a sentence repeats of a value that should be a code: nothing that may be somebody's name or number."""
    return text if is_code(text) else HIDDEN


def shortened(text: str, *, most: int = MOST_SHOWN) -> str:
    """A foreign text, printable and short."""
    plain = "".join(letter if letter.isprintable() else "·" for letter in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[:most]}…"
