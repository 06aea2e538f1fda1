"""What a record adds to figures beside its own number: a class its norm of teachers, a register its absences.

Refuses to judge what is not known: a pupil without a date of birth is neither over age nor of the official one. What is
counted is written `measure|stage|subject|outcome`.
"""

from collections.abc import Iterable, Mapping, Sequence

from services.reporting.domain.rules import AgeRule, YearRules

Tallies = dict[str, int]

PERMITTED, NOT_PERMITTED, LATE = "P", "K", "M"
ID_DIGITS = 12


def pupil_tallies(
    rules: YearRules, *, school_year: int, level: str, grade: str, sex: str, birth_date: str, personal_id: str,
    disability: str,
) -> Tallies:  # fmt: skip
    """Of a pupil: age, identity number, disability; what is true of most is told of the few of whom it is not."""
    found: Tallies = {}
    if rules.ages is not None:
        found |= _of_age(rules.ages, school_year=school_year, level=level, grade=grade, birth_date=birth_date)
    if not is_plausible_id(personal_id, sex=sex, birth_date=birth_date):
        found["personal_ids_not_plausible|||"] = 1
    if disability:
        found["pupils_disabled|||"] = 1
    return found


def _of_age(ages: AgeRule, *, school_year: int, level: str, grade: str, birth_date: str) -> Tallies:
    if not birth_date:
        return {"pupils_of_unknown_age|||": 1, "pupils_not_of_official_age|||": 1}
    found: Tallies = {}
    age = school_year - int(birth_date[:4])
    official = ages.grades.get(grade)
    if official is not None and level in ages.over_age_levels and age - official >= ages.over_age_years:
        found["pupils_over_age|||"] = 1
    first, last = ages.levels.get(level, (0, -1))
    if not first <= age <= last:
        found["pupils_not_of_official_age|||"] = 1
    if level == "01":
        found[f"preschool_aged_{age}|||"] = 1
    return found


def is_plausible_id(personal_id: str, *, sex: str, birth_date: str) -> bool:
    """Whether an identity number fits itself, and what is known of sex and year of birth."""
    if len(personal_id) != ID_DIGITS or not (personal_id.isascii() and personal_id.isdigit()):
        return False
    century, male = divmod(int(personal_id[3]), 2)
    if sex in {"1", "2"} and (male == 0) != (sex == "1"):
        return False
    return not birth_date or int(birth_date[:4]) == 1900 + 100 * century + int(personal_id[4:6])


def class_tallies(rules: YearRules, *, level: str, grade: str, two_session: bool, multi_grade: bool) -> Tallies:
    """Of a class: sessions, grades together, and hundredths of teachers by the norm."""
    found: Tallies = {}
    if two_session:
        found["classes_two_session|||"] = 1
    if multi_grade:
        found["classes_multi_grade|||"] = 1
    hundredths = rules.teachers_for(level, grade, two_session=two_session)
    if hundredths:
        found["teachers_due|||"] = hundredths
        found["classes_with_norm|||"] = 1
    return found


def staff_tallies(
    rules: YearRules, *, staff_group: str, subject: str = "", qualification: str = "", contract: str = ""
) -> Tallies:
    """Of a member of staff: the contract, and of a teacher the subject and the qualification, each as its code.

    The other side of the shortage counts in hundredths too.
    """
    found: Tallies = {}
    if contract:
        found[f"staff_contracts|||{contract}"] = 1
    if staff_group not in rules.teacher_groups:
        return found
    found |= {"teachers|||": 1, "teachers_there|||": 100}
    if subject:
        found[f"teachers_of_subjects||{subject.replace('|', '/')}|"] = 1
    if qualification:
        found[f"teachers_qualified|||{qualification}"] = 1
    return found


def register_tallies(scheduled: int, kinds: Iterable[str]) -> Tallies:
    """Of a register: sessions of pupils, by what became of them."""
    absent = list(kinds)
    permitted, not_permitted = absent.count(PERMITTED), absent.count(NOT_PERMITTED)
    given = {
        "sessions_scheduled|||": scheduled,
        "sessions_present|||": max(0, scheduled - permitted - not_permitted),
        "sessions_absent|||": permitted + not_permitted,
        "sessions_absent_not_permitted|||": not_permitted,
        "sessions_late|||": absent.count(LATE),
    }
    return {tally: amount for tally, amount in given.items() if amount}


def result_tallies(
    rules: YearRules, *, stage: str, regulation: str, learning: str, conduct: str, marks: Mapping[str, float],
    levels: Sequence[str] = (), promoted: bool | None = None,
) -> Tallies:  # fmt: skip
    """Of a pupil's results at a stage: what was reached in learning and conduct, and marks in tenths by subject.

    `levels` are what subjects without a mark were judged by; `promoted` is what the school decided, None: nothing yet.
    """
    found: Tallies = {f"pupils_with_results|{stage}||": 1}
    if promoted is not None:
        found[f"promotions_decided|{stage}||"] = 1
        found[f"{'pupils_promoted' if promoted else 'pupils_not_promoted'}|{stage}||"] = 1
    failing = rules.failing
    if failing is not None and (marks or levels):
        found[f"pupils_judged|{stage}||"] = 1
        below = sum(mark < failing.mark for mark in marks.values())
        below += sum(rules.outcome(failing.regulation, level) == failing.level for level in levels)
        if below >= failing.subjects:
            found[f"pupils_failing|{stage}||"] = 1
    named = regulation or next((one for one in rules.outcomes if rules.outcome(one, learning)), "")
    for measure, said in (("learning", learning), ("conduct", conduct)):
        outcome = rules.outcome(named, said)
        if outcome:
            found[f"{measure}_{named.lower()}|{stage}||{outcome}"] = 1
    for subject, mark in marks.items():
        found[f"mark_tenths|{stage}|{subject}|"] = round(mark * 10)
        found[f"marks|{stage}|{subject}|"] = 1
    return found


def absences(exceptions: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Who was absent and how, once each: pupils and kinds side by side."""
    kinds = {pupil: kind for pupil, kind in exceptions if kind in {PERMITTED, NOT_PERMITTED}}
    return list(kinds), list(kinds.values())
