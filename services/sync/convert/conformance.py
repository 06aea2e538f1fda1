"""Findings as messages, and the requirements of the package."""

import json
from importlib.resources import files

from iocedu.sync.v1 import (
    conformance_pb2,
    sync_pb2,
)

from services.sync.domain.conformance import Declared, Finding, Requirement, Verdict, read_requirements
from services.sync.domain.full import FullOf, FullState


def load_requirements() -> tuple[str, tuple[Requirement, ...]]:
    """The version of the list and what it requires."""
    text = (files("services.sync") / "rules" / "conformance.json").read_text(encoding="utf-8")
    return read_requirements(json.loads(text))


def declared(source: str, full_of: FullOf, state: FullState, outcome: bytes) -> Declared:
    """A declaration of everything as it is judged; `outcome` is what its sender was told, empty while it is open."""
    told = sync_pb2.FullOutcome.FromString(outcome).state
    place = (full_of.school_id, source, full_of.school_year, full_of.collection)
    return Declared(full_of.declaration_id, place, state, FullState(told) if told else state)


def finding(one: Finding, *, language: str) -> conformance_pb2.ConformanceFinding:
    """What was found of a requirement."""
    asked = one.requirement
    title, how = (asked.en, asked.how_en) if language == "en" else (asked.vi, asked.how_vi)
    return conformance_pb2.ConformanceFinding(
        requirement=asked.id,
        title=title,
        state=one.verdict.value,  # type: ignore[arg-type]  # the enum's number
        evidence=[
            conformance_pb2.ConformanceEvidence(
                batch_id=each.batch_id, row_index=each.row_index, key=each.key, field=each.field, seen=each.seen
            )
            for each in one.evidence
        ],
        source=asked.source,
        remedy="" if one.verdict is Verdict.PASSED else how,
    )
