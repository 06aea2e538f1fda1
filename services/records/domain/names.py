"""Vietnamese names as people search and sort them: folded without tones, and keyed in the order of the alphabet.

Both are stored beside the name, since the database at hand knows no Vietnamese order. Words repeat from name to
name, so each word is worked out once and remembered.
"""

import unicodedata
from typing import Final

_REMEMBERED: Final = 1 << 16  # words; a province's names hold a few thousand

# The alphabet's letters in order, foreign f, j, w and z where dictionaries put them; each gets one ASCII sign.
_ALPHABET: Final = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_LETTER_SIGNS: Final = {letter: chr(ord("A") + index) for index, letter in enumerate(_ALPHABET)}
# Tones in dictionary order: level, grave, hook above, tilde, acute, dot below.
_TONE_SIGNS: Final = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}


def search_name(name: str) -> str:
    """Fold a name, or a part of one that someone typed: lower case, no tones or marks, đ as d, single spaces."""
    return " ".join([_words[word][0] for word in name.split()])


def stored_names(name: str, *, person: bool) -> tuple[str, str]:
    """Give what is stored beside a name: folded as by `search_name`, and the key that sorts it, compared byte by byte.

    In the key each word is its letters, then its tone, so that `hoa` stands before `hòa` and both before `hoan`.
    Persons are sorted by the given name, which is written last, then by the family and middle names as written.
    """
    words = name.split()
    folded = " ".join([_words[word][0] for word in words])
    if person:
        words = words[-1:] + words[:-1]
    return folded, " ".join([_words[word][1] for word in words])


def typed_keys(name: str) -> tuple[str, ...]:
    """Sort keys of the words that someone typed with tones or marks: those words are to be spelled so.

    A word typed without any may stand for every spelling of it, so it says nothing.
    """
    return tuple(key for folded, key in (_words[word] for word in name.split()) if key != _key(folded))


class _Words(dict[str, tuple[str, str]]):
    """Each word's folded form and key; twice as fast as a cached function. Begins anew when it has grown too large."""

    def __missing__(self, word: str) -> tuple[str, str]:
        if len(self) >= _REMEMBERED:
            self.clear()
        found = self[word] = _folded(word.lower()), _key(word.lower())
        return found


_words: Final = _Words()


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFD", word).replace("đ", "d")
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def _key(word: str) -> str:
    letters: list[str] = []
    tone = "0"
    for sign in unicodedata.normalize("NFC", word):
        bare, marks = sign, ""
        if sign not in _LETTER_SIGNS:
            decomposed = unicodedata.normalize("NFD", sign)
            marks = "".join(mark for mark in decomposed if mark in _TONE_SIGNS)
            bare = unicodedata.normalize("NFC", "".join(mark for mark in decomposed if mark not in _TONE_SIGNS))
        tone = _TONE_SIGNS[marks[0]] if marks else tone
        letters.append(_LETTER_SIGNS.get(bare, bare if bare.isascii() else "~"))
    return "".join(letters) + tone
