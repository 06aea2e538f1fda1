"""Which circular a pupil's year is assessed by, and what it says. Of other circulars nothing is computed."""

from typing import Final

from services.records.domain.assessing_primary import assess_primary
from services.records.domain.assessing_secondary import assess_secondary
from services.records.domain.assessment_rules import AssessmentRules
from services.records.domain.findings import Assessment, Lack, Missing, PupilYear

CONTINUING: Final = "05"  # continuing education follows a circular of its own


def assess(year: PupilYear, rules: AssessmentRules) -> Assessment:
    """Every figure that can be told of a pupil's year."""
    found = None if year.level == CONTINUING else rules.regulation(year.grade, year.school_year)
    primary, secondary = rules.primary_in(year.school_year), rules.secondary_in(year.school_year)
    if found is not None and found.name == "TT22" and secondary is not None:
        findings = tuple(assess_secondary(year, secondary, rules))
    elif found is not None and found.name == "TT27" and primary is not None:
        findings = tuple(assess_primary(year, primary, rules))
    else:
        return Assessment(missing=(Missing(Lack.REGULATION),))
    missing = () if findings else (Missing(Lack.RESULT),)
    return Assessment(found.name, found.source, findings, missing)
