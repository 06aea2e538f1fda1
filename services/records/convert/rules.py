"""The rules that ship with the service as data: `rules/*.json`."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from services.records.domain.assessment_rules import AssessmentRules, read_assessment_rules
from services.records.domain.erasing import ErasureRules, read_erasure_rules
from services.records.domain.retention import RetentionRule, read_retention_rules


def load_assessment_rules() -> AssessmentRules:
    """Read the rules of assessment."""
    table = (files("services.records") / "rules" / "assessment.json").read_text(encoding="utf-8")
    return read_assessment_rules(json.loads(table))


@cache
def in_stock_statuses() -> frozenset[str]:
    """Statuses under which a pupil is there: `rules/enrolment_statuses.json`."""
    return frozenset(code for code, one in _statuses().items() if one["in_stock"])


@cache
def status_flows() -> Mapping[str, str]:
    """What a status says of a pupil's coming and going, by status; empty: nothing."""
    return {code: one["flow"] for code, one in _statuses().items()}


def _statuses() -> Mapping[str, Mapping[str, Any]]:
    table = json.loads((files("services.records") / "rules" / "enrolment_statuses.json").read_text("utf-8"))
    statuses: Mapping[str, Mapping[str, Any]] = table["statuses"]
    return statuses


@cache
def load_erasure_rules() -> ErasureRules:
    """What must be kept by law when somebody asks for erasure: `rules/erasure.json`."""
    table = (files("services.records") / "rules" / "erasure.json").read_text(encoding="utf-8")
    return read_erasure_rules(json.loads(table))


@cache
def load_retention_rules() -> Sequence[RetentionRule]:
    """How long what is kept: `rules/retention.json`."""
    table = (files("services.records") / "rules" / "retention.json").read_text(encoding="utf-8")
    return read_retention_rules(json.loads(table))
