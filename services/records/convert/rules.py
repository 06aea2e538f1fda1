"""The rules that ship with the service as data: `rules/*.json`."""

import json
from importlib.resources import files

from services.records.domain.assessment_rules import AssessmentRules, read_assessment_rules


def load_assessment_rules() -> AssessmentRules:
    """Read the rules of assessment."""
    table = (files("services.records") / "rules" / "assessment.json").read_text(encoding="utf-8")
    return read_assessment_rules(json.loads(table))
