"""What is held of a source, as whoever sends it asks."""

from typing import Any

import pytest
from iocedu.records.v1 import holdings_pb2

from chassis.errors import Fault, Kind
from tests.integration.records.scenes import SCHOOL_A, SCHOOL_B, Running, gone, pupil


def held(**fields: int) -> list[holdings_pb2.Holding]:
    """Holdings by key and version."""
    return [holdings_pb2.Holding(key=key, version=version) for key, version in fields.items()]


def comparing(*holdings: holdings_pb2.Holding, **fields: Any) -> holdings_pb2.CompareHoldingsRequest:
    """A request to compare the pupils of a school's year."""
    given: dict[str, Any] = {
        "school": SCHOOL_A,
        "collection": "pupils",
        "school_year": 2026,
        "source": "vnedu",
    } | fields
    return holdings_pb2.CompareHoldingsRequest(holdings=holdings, **given)


async def test_a_sender_learns_what_to_send_and_what_it_lacks(records: Running):
    """Each kind of difference under its name; another year, school or source is none of it."""
    await records.apply(pupil("same", 3), pupil("behind", 2), pupil("ahead", 9), pupil("gone", 1), pupil("surplus", 4))
    await records.apply(gone("gone", 5), pupil("same", 4), pupil("year", school_year=2025), pupil("b", school=SCHOOL_B))
    await records.apply(pupil("foreign", 1), pupil("foreign2", 1), source="misa")

    stub = await records.holdings()
    answer = await stub.CompareHoldings(comparing(*held(same=4, behind=3, ahead=8, gone=5, foreign=2, missing=1)))

    assert answer == holdings_pb2.CompareHoldingsResponse(
        same_count=1,
        missing_keys=["missing"],
        behind_keys=["behind"],
        ahead_keys=["ahead"],
        deleted_keys=["gone"],
        surplus_keys=["surplus"],
        foreign_keys=["foreign"],
    )
    assert (await stub.CompareHoldings(comparing(*held(gone=6)))).behind_keys == ["gone"]


async def test_holdings_are_listed_page_by_page_without_what_is_deleted(records: Running):
    """In key order, each with the version its source gave last, raised ones too."""
    await records.apply(*(pupil(f"{number:03}", 1) for number in range(25)))
    await records.apply(pupil("003", 7), gone("004", 2))
    stub, found, token = await records.holdings(), [], ""
    while True:
        page = await stub.ListHoldings(
            holdings_pb2.ListHoldingsRequest(
                school=SCHOOL_A, collection="pupils", school_year=2026, source="vnedu", page_size=10, page_token=token
            )
        )
        found += [(one.key, one.version) for one in page.holdings]
        token = page.next_page_token
        if not token:
            break
    assert found == [(f"{number:03}", 7 if number == 3 else 1) for number in range(25) if number != 4]


async def test_without_a_source_those_of_all_sources_are_listed(records: Running):
    """Of the same place; a comparison is of one source all the same."""
    await records.apply(pupil("a", 3), pupil("year", school_year=2025), pupil("b", school=SCHOOL_B))
    await records.apply(pupil("m", 2), source="misa")
    stub = await records.holdings()
    asked = holdings_pb2.ListHoldingsRequest(school=SCHOOL_A, collection="pupils", school_year=2026)
    assert [(one.key, one.version) for one in (await stub.ListHoldings(asked)).holdings] == [("a", 3), ("m", 2)]
    with pytest.raises(Fault) as refused:
        await stub.CompareHoldings(comparing(source=""))
    assert [violation.field for violation in refused.value.violations] == ["source"]


async def test_what_cannot_be_compared_is_refused_by_name(records: Running):
    """A key twice, a collection there is not; and nobody compares what is another school's."""
    stub = await records.holdings()
    with pytest.raises(Fault) as twice:
        await stub.CompareHoldings(comparing(*held(a=1), *held(a=2)))
    assert [violation.field for violation in twice.value.violations] == ["holdings"]
    with pytest.raises(Fault) as unknown:
        await stub.CompareHoldings(comparing(collection="lunches"))
    assert [violation.field for violation in unknown.value.violations] == ["collection"]
    await records.grant("vendor", "integrator", SCHOOL_B)
    with pytest.raises(Fault) as denied:
        await (await records.holdings("vendor")).CompareHoldings(comparing())
    assert denied.value.kind is Kind.DENIED
