"""Vietnamese names are found without tones and sorted as people sort them."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from services.records.domain.names import search_name, stored_names


def _sorted(names: list[str], *, person: bool) -> list[str]:
    return sorted(names, key=lambda name: stored_names(name, person=person)[1])


def test_a_name_is_found_without_tones_in_either_normal_form_and_tone_placement():
    """Typing `dang thi hoa` finds Đặng Thị Hoà and Hòa, composed or decomposed."""
    for written in ("Đặng Thị Hoà", "ĐẶNG  THỊ HÒA", unicodedata.normalize("NFD", "Đặng Thị Hòa")):
        assert search_name(written) == "dang thi hoa"


def test_words_sort_by_letters_of_the_alphabet_then_by_tone():
    """A ă â, d đ, o ô ơ, u ư are letters; tones follow: level, grave, hook, tilde, acute, dot."""
    names = ["ma", "mà", "mả", "mã", "má", "mạ", "măng", "mâm", "mo", "mô", "mơ", "mu", "mư"]
    assert _sorted(names[::-1], person=False) == names
    assert _sorted(["đa", "e", "da"], person=False) == ["da", "đa", "e"]


def test_persons_sort_by_given_name_first():
    """The last word leads; family and middle names decide between equal given names."""
    names = ["Lê An", "Trần An", "Nguyễn Văn Bình", "Bùi Cường"]
    assert _sorted(names[::-1], person=True) == names


@given(st.text(max_size=40))
def test_any_text_has_a_key_of_plain_signs_and_folds_the_same_twice(text: str):
    """Nothing that someone types breaks searching or sorting."""
    folded, key = stored_names(text, person=True)
    assert search_name(folded) == folded == search_name(text)
    assert key.isascii()
