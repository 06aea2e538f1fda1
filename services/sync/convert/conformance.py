"""Findings as messages, and the requirements of the package."""

import json
from importlib.resources import files

from iocedu.sync.v1 import partners_pb2

from services.sync.domain.conformance import Finding, Requirement, read_requirements


def load_requirements() -> tuple[str, tuple[Requirement, ...]]:
    """The version of the list and what it requires."""
    text = (files("services.sync") / "rules" / "conformance.json").read_text(encoding="utf-8")
    return read_requirements(json.loads(text))


def finding(one: Finding, *, language: str) -> partners_pb2.ConformanceFinding:
    """What was found of a requirement."""
    return partners_pb2.ConformanceFinding(
        requirement=one.requirement.id,
        title=one.requirement.en if language == "en" else one.requirement.vi,
        state=one.verdict.value,  # type: ignore[arg-type]  # the enum's number
        evidence=[
            partners_pb2.ConformanceEvidence(
                batch_id=each.batch_id, row_index=each.row_index, key=each.key, field=each.field, seen=each.seen
            )
            for each in one.evidence
        ],
        source=one.requirement.source,
    )
