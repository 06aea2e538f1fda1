"""Whatever way a stored name is typed, it is found; nobody outside the unit is; pages hold each hit once, in order."""

import random
import unicodedata
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import search_pb2, search_pb2_grpc

from chassis.testing import client
from demo.people import person
from services.records.domain.names import search_name, stored_names
from tests.integration.records.scenes import PROVINCE, SCHOOL_A, SCHOOL_B, Running, pupil

PEOPLE = 300
TONES = "\u0300\u0301\u0303\u0309\u0323"
VOWELS = "aeiouyăâêôơư"
SCHOOLS = (SCHOOL_A, SCHOOL_B)


def names() -> list[str]:
    """Names of a mountain district and of the plain, some written by hand."""
    rng = random.Random("properties")
    made = [person(rng, district="506" if rng.random() < 0.7 else "504", birth_year=2015).name for _ in range(PEOPLE)]
    return [*made, "Đặng Thị Thuỳ Dương", "Y Hoà", "Hoàng Thúy Uyên", "H'Hen Niê", "Lý Ý", "Nguyễn Ngọc Bảo Châu"]


NAMES = names()
Check = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
async def stub(records: Running) -> AsyncIterator[Any]:
    """SearchService over a few hundred people at two schools; the key says which name is whose."""
    await records.apply(
        *(pupil(str(number), full_name=name, school=SCHOOLS[number % 2]) for number, name in enumerate(NAMES))
    )
    async with client(records.address, records.keys.mint("admin@so")) as channel:
        yield search_pb2_grpc.SearchServiceStub(channel)


async def pages(stub: Any, query: str, *, unit: str = PROVINCE, size: int = 100) -> list[search_pb2.PersonHit]:
    """Every hit, page by page."""
    hits: list[search_pb2.PersonHit] = []
    token = ""
    while True:
        request = search_pb2.SearchPeopleRequest(
            unit=unit, collection="pupils", query=query, page_size=size, page_token=token
        )
        answer = await stub.SearchPeople(request)
        assert not answer.too_many
        hits += answer.hits
        token = answer.next_page_token
        if not token:
            return hits


def place(hit: search_pb2.PersonHit) -> tuple[str, str, int]:
    """What makes a hit: whose it is and why."""
    return hit.record.row.school, hit.record.row.key, hit.rule


def examples(count: int, **drawn: st.SearchStrategy[Any]) -> Callable[[Check], Check]:
    """Runs an asynchronous check on the session's loop for drawn values, one after another on one database."""

    def decorate(check: Check) -> Check:
        @wraps(check)
        async def run(stub: Any) -> None:
            cases: list[dict[str, Any]] = []

            @settings(max_examples=count, database=None)
            @given(st.fixed_dictionaries(drawn))
            def collect(case: dict[str, Any]) -> None:
                cases.append(case)

            collect()
            for case in cases:
                await check(stub, **case)

        del run.__wrapped__  # pytest would ask for what is drawn
        return run

    return decorate


@st.composite
def respelled(draw: st.DrawFn, name: str) -> str:
    """The same name in another normal form, case, order, with tones missing or on another vowel of the word."""
    words = name.split()
    if draw(st.booleans()):
        words = draw(st.permutations(words))
    words = [draw(st.sampled_from([word, toneless(word), moved(word)])) for word in words]
    text = " ".join(words)
    if draw(st.booleans()):
        text = search_name(text)
    text = draw(st.sampled_from([text, text.lower(), text.upper()]))
    return unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), text)


def toneless(word: str) -> str:
    """A word without its tone, its letters as they are."""
    plain = (sign for sign in unicodedata.normalize("NFD", word) if sign not in TONES)
    return unicodedata.normalize("NFC", "".join(plain))


def moved(word: str) -> str:
    """A word with its tone on its last vowel: Hòa as Hoà."""
    tone = next((sign for sign in unicodedata.normalize("NFD", word) if sign in TONES), "")
    letters = list(toneless(word))
    place = max((at for at, letter in enumerate(letters) if letter.lower() in VOWELS), default=-1)
    if tone and place >= 0:
        letters[place] += tone
    return unicodedata.normalize("NFC", "".join(letters))


@st.composite
def mistyped(draw: st.DrawFn, name: str) -> str:
    """A name with one letter replaced, dropped, doubled or swapped with the next."""
    words = draw(respelled(name)).split()
    words = [unicodedata.normalize("NFC", word) for word in words]
    at = draw(st.integers(0, len(words) - 1))
    word = words[at]
    place = draw(st.integers(0, len(word) - 1))
    kinds = ["replaced", "doubled"] + (["dropped", "swapped"] if len(word) > 1 else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "replaced":
        word = word[:place] + draw(st.sampled_from("abcdeghiklmnopqrstuvxy")) + word[place + 1 :]
    elif kind == "doubled":
        word = word[:place] + word[place] + word[place:]
    elif kind == "dropped":
        word = word[:place] + word[place + 1 :]
    else:
        place = min(place, len(word) - 2)
        word = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return " ".join([*words[:at], word, *words[at + 1 :]])


def one_of(spelling: Callable[..., st.SearchStrategy[str]]) -> st.SearchStrategy[tuple[int, str]]:
    """A stored name's number and how it is typed."""
    return st.integers(0, len(NAMES) - 1).flatmap(
        lambda number: spelling(NAMES[number]).map(lambda typed: (number, typed))
    )


@examples(150, case=one_of(respelled))
async def test_any_spelling_of_a_stored_name_finds_it_by_whole_words(stub: Any, case: tuple[int, str]) -> None:
    """Tones, their place, case, normal form and the order of words never matter."""
    number, typed = case
    rules = {hit.record.row.key: hit.rule for hit in await pages(stub, typed)}
    assert rules.get(str(number)) in (search_pb2.MATCH_RULE_EXACT, search_pb2.MATCH_RULE_WORDS), typed


@examples(150, case=one_of(mistyped))
async def test_one_wrong_letter_still_finds_the_name(stub: Any, case: tuple[int, str]) -> None:
    """Replaced, dropped, doubled or swapped, on top of any spelling."""
    number, typed = case
    assert str(number) in {hit.record.row.key for hit in await pages(stub, typed)}, typed


@examples(
    60,
    number=st.integers(0, len(NAMES) - 1),
    words=st.integers(1, 3),
    cut=st.integers(0, 1),
    school=st.sampled_from(SCHOOLS),
)
async def test_a_smaller_unit_finds_what_the_province_finds_there_and_nothing_else(
    stub: Any, number: int, words: int, cut: int, school: str
) -> None:
    """The unit takes hits away; it adds none and changes neither rule nor order."""
    typed = " ".join(NAMES[number].split()[-words:])
    typed = typed[: max(1, len(typed) - cut)]
    everywhere = [place(hit) for hit in await pages(stub, typed)]
    here = [place(hit) for hit in await pages(stub, typed, unit=school)]
    assert here == [found for found in everywhere if found[0] == school]


@examples(40, number=st.integers(0, len(NAMES) - 1), words=st.integers(1, 3), size=st.integers(1, 30))
async def test_pages_hold_each_hit_once_and_in_order(stub: Any, number: int, words: int, size: int) -> None:
    """By rule, then those spelled as typed, then in Vietnamese order of the given name."""
    typed = search_name(" ".join(NAMES[number].split()[-words:]))
    hits = await pages(stub, typed, size=size)
    keys = [hit.record.row.key for hit in hits]
    assert len(keys) == len(set(keys))
    assert list(map(place, hits)) == list(map(place, await pages(stub, typed)))
    order = [(hit.rule, stored_names(hit.record.row.pupil.full_name, person=True)[1]) for hit in hits]
    assert order == sorted(order)
