"""A pupil's year under TT 22/2021: every figure the circular defines, beside the school's own.

What is not known is taken at its worst and at its best: where both lead to the same figure, it is decided.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple

from services.records.domain.assessment_rules import AssessmentRules, SecondaryRule
from services.records.domain.attendance import Source
from services.records.domain.findings import (
    Basis,
    Figure,
    Finding,
    Lack,
    Missing,
    PupilYear,
    StageResult,
    SubjectEntry,
    compared,
    yes_or_no,
)
from services.records.domain.secondary import (
    BEST_MARK,
    LEVELS,
    WORST_MARK,
    Level,
    Results,
    conduct_of_year,
    learning_result,
    level_of,
    promoted,
    term_average,
    title_of,
    year_average,
)

FIRST, SECOND, YEAR = "CK1", "CK2", "CN"
_CIRCULAR: Final = "TT 22/2021/TT-BGDĐT, Điều "
_AVERAGE, _COMMENT, _LEARNING = f"{_CIRCULAR}9.1.b", f"{_CIRCULAR}9.1.a", f"{_CIRCULAR}9.2, 9.3"
_CONDUCT, _TITLE, _PROMOTED = f"{_CIRCULAR}8.2.b", f"{_CIRCULAR}15.1.a", f"{_CIRCULAR}12.1"
_RETRAINING, _RETEST = f"{_CIRCULAR}13", f"{_CIRCULAR}14"
_NO_RESULT: Final = StageResult()


class _Average(NamedTuple):
    """A subject's average, as far as it is known."""

    value: Decimal | None
    basis: Basis = Basis.COMPONENTS


class _Between(NamedTuple):
    """A level, somewhere between two; why it is not known better."""

    worst: Level
    best: Level
    basis: Basis = Basis.COMPONENTS
    missing: tuple[Missing, ...] = ()

    @property
    def level(self) -> Level | None:
        """The level, where it is known."""
        return self.worst if self.worst is self.best else None


@dataclass(frozen=True, slots=True)
class _Subjects:
    """The subjects of a stage, as far as they are known."""

    stage: str
    averages: Mapping[str, _Average]
    passed: Mapping[str, bool | None]
    scored_least: int

    @property
    def basis(self) -> Basis:
        """Whether a school's own average is among them."""
        return max((one.basis for one in self.averages.values()), default=Basis.COMPONENTS)

    @property
    def gap(self) -> int:
        """How many scored subjects are not there at all."""
        return max(0, self.scored_least - len(self.averages))

    def at(self, mark: Decimal, *, passed: bool) -> Results:
        """All results, with these for the ones that are not known."""
        marks = [mark if one.value is None else one.value for one in self.averages.values()]
        levels = [passed if one is None else one for one in self.passed.values()]
        return Results((*marks, *(mark,) * self.gap), tuple(levels))

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What is not known."""
        found = [Missing(Lack.AVERAGE, self.stage, name) for name, one in self.averages.items() if one.value is None]
        found += [Missing(Lack.LEVEL, self.stage, name) for name, one in self.passed.items() if one is None]
        if self.gap:
            count = Missing(Lack.SUBJECTS, self.stage, count=len(self.averages), wanted=self.scored_least)
            found.append(count)
        return tuple(found)


def assess_secondary(year: PupilYear, rule: SecondaryRule, rules: AssessmentRules) -> Iterator[Finding]:
    """Every figure of the year, terms first."""
    yield from _Assessing(year, rule, rules, _scored(year.results.values())).findings()


@dataclass(frozen=True, slots=True)
class _Assessing:
    year: PupilYear
    rule: SecondaryRule
    rules: AssessmentRules
    scored: frozenset[str]

    def findings(self) -> Iterator[Finding]:
        terms = {stage: self._term(stage) for stage in (FIRST, SECOND)}
        for stage in (FIRST, SECOND):
            if stage in self.year.results:
                yield from self._term_marks(stage)
                yield self._learning(terms[stage])[0]
        if SECOND in self.year.results or YEAR in self.year.results:
            yield from self._of_year(terms[FIRST], terms[SECOND])

    def _of_year(self, first: _Subjects, second: _Subjects) -> Iterator[Finding]:
        own = self._result(YEAR)
        marks, subjects = self._year_subjects(first, second)
        yield from marks
        finding, learning = self._learning(subjects)
        yield finding
        finding, conduct = self._conduct()
        yield finding
        yield self._title(subjects, learning, conduct)
        retraining = {None: None, Level.UNSATISFACTORY: "true"}.get(conduct.level, "false")
        if own.retraining is not None or retraining == "true":
            yield self._yes_or_no(
                Figure.RETRAINING, _RETRAINING, own=own.retraining, computed=retraining, lacks=conduct.missing
            )
        if _retested(own) or own.learning_after_retest:
            finding, learning = self._after_retest(subjects, own)
            yield finding
        elif learning.worst is Level.UNSATISFACTORY:
            lack = () if learning.best is Level.UNSATISFACTORY else learning.missing
            learning = _or_better(learning, (*lack, Missing(Lack.RETEST, YEAR)))
        yield self._promoted(learning, self._after_retraining(conduct, own), own)

    def _result(self, stage: str) -> StageResult:
        return self.year.results.get(stage, _NO_RESULT)

    def _term(self, stage: str) -> _Subjects:
        entries = self._result(stage).subjects
        scored = {name: one for name, one in entries.items() if name in self.scored}
        return _Subjects(
            stage,
            {name: self._average(one) for name, one in scored.items()},
            {name: self._passed(one.level) for name, one in entries.items() if name not in scored},
            self.rules.scored_least(self.year.grade, self.year.school_year),
        )

    def _average(self, entry: SubjectEntry) -> _Average:
        computed = self._computed(entry)
        return _Average(computed) if computed is not None else _Average(entry.mark, Basis.SUMMARIES)

    def _computed(self, entry: SubjectEntry) -> Decimal | None:
        if self._lacks(entry):
            return None
        assert entry.midterm is not None, "nothing lacks"
        assert entry.final is not None, "nothing lacks"
        return term_average(entry.regular, entry.midterm, entry.final, self.rule)

    def _lacks(self, entry: SubjectEntry) -> list[Missing]:
        found = []
        if len(entry.regular) < self.rule.regular_marks_least:
            found.append(Missing(Lack.REGULAR_MARKS, count=len(entry.regular), wanted=self.rule.regular_marks_least))
        if entry.midterm is None:
            found.append(Missing(Lack.MIDTERM_MARK))
        if entry.final is None:
            found.append(Missing(Lack.FINAL_MARK))
        return found

    def _passed(self, text: str) -> bool | None:
        return {"Đ": True, "CĐ": False}.get(self.rules.code("comment", text))

    def _term_marks(self, stage: str) -> Iterator[Finding]:
        for name, entry in self._result(stage).subjects.items():
            if name in self.scored:
                lacks = tuple(replace(one, stage=stage, subject=name) for one in self._lacks(entry))
                finding = Finding(stage, Figure.SUBJECT_MARK, _AVERAGE, name, missing=lacks)
                yield _marks_compared(finding, entry.mark, self._computed(entry))

    def _year_subjects(self, first: _Subjects, second: _Subjects) -> tuple[list[Finding], _Subjects]:
        own = self._result(YEAR).subjects
        findings, averages, passed = list[Finding](), dict[str, _Average](), dict[str, bool | None]()
        for name in dict.fromkeys([*self._result(FIRST).subjects, *self._result(SECOND).subjects, *own]):
            entry = own.get(name, SubjectEntry())
            if name in self.scored:
                finding, averages[name] = self._year_mark(name, entry, first, second)
            else:
                finding, passed[name] = self._year_level(name, entry, second)
            findings.append(finding)
        return findings, _Subjects(YEAR, averages, passed, second.scored_least)

    def _year_mark(
        self, name: str, entry: SubjectEntry, first: _Subjects, second: _Subjects
    ) -> tuple[Finding, _Average]:
        terms = [(one.stage, one.averages.get(name, _Average(None))) for one in (first, second)]
        (_, one), (_, other) = terms
        computed = None
        if one.value is not None and other.value is not None:
            computed = year_average(one.value, other.value, self.rule)
        basis = max(one.basis, other.basis)
        lacks = tuple(Missing(Lack.AVERAGE, stage, name) for stage, one in terms if one.value is None)
        finding = Finding(YEAR, Figure.SUBJECT_MARK, _AVERAGE, name, basis=basis, missing=lacks)
        known = _Average(computed, basis) if computed is not None else _Average(entry.mark, Basis.SUMMARIES)
        return _marks_compared(finding, entry.mark, computed), known

    def _year_level(self, name: str, entry: SubjectEntry, second: _Subjects) -> tuple[Finding, bool | None]:
        found = second.passed.get(name)
        lacks = () if found is not None else (Missing(Lack.LEVEL, SECOND, name),)
        finding = compared(
            Finding(YEAR, Figure.SUBJECT_LEVEL, _COMMENT, name, missing=lacks),
            own=entry.level,
            computed=None if found is None else "Đ" if found else "CĐ",
            readable=self.rules.code("comment", entry.level) or None,
        )
        return finding, self._passed(entry.level) if found is None else found

    def _learning(self, subjects: _Subjects) -> tuple[Finding, _Between]:
        own = self._result(subjects.stage).learning_result
        finding = Finding(subjects.stage, Figure.LEARNING_RESULT, _LEARNING, basis=subjects.basis)
        return self._learning_of(finding, subjects, own)

    def _learning_of(self, finding: Finding, subjects: _Subjects, own: str) -> tuple[Finding, _Between]:
        ends = [subjects.at(WORST_MARK, passed=False), subjects.at(BEST_MARK, passed=True)]
        worst, best = (learning_result(one, self.rule) for one in ends)
        found = _Between(worst, best, subjects.basis, () if worst is best else subjects.missing)
        adjusted = found.level is not None and all(level_of(one, self.rule) < found.level for one in ends)
        finding = replace(finding, adjusted=adjusted, missing=found.missing)
        return self._levels_compared(finding, own, found.level), self._or_own(found, own)

    def _conduct(self) -> tuple[Finding, _Between]:
        terms = {stage: self._level(self._result(stage).conduct_result) for stage in (FIRST, SECOND)}
        worst = conduct_of_year(*(Level.UNSATISFACTORY if one is None else one for one in terms.values()))
        best = conduct_of_year(*(Level.GOOD if one is None else one for one in terms.values()))
        lacks = tuple(Missing(Lack.CONDUCT, stage) for stage, level in terms.items() if level is None)
        found = _Between(worst, best, missing=() if worst is best else lacks)
        own = self._result(YEAR).conduct_result
        finding = Finding(YEAR, Figure.CONDUCT_RESULT, _CONDUCT, missing=found.missing)
        return self._levels_compared(finding, own, found.level), self._or_own(found, own)

    def _title(self, subjects: _Subjects, learning: _Between, conduct: _Between) -> Finding:
        ends = [
            title_of(learning.worst, conduct.worst, subjects.at(WORST_MARK, passed=False).marks, self.rule),
            title_of(learning.best, conduct.best, subjects.at(BEST_MARK, passed=True).marks, self.rule),
        ]
        own = self._result(YEAR).title
        decided = ends[0] == ends[1]
        lacks = () if decided else tuple(dict.fromkeys((*learning.missing, *conduct.missing, *subjects.missing)))
        basis = max(learning.basis, conduct.basis)
        return compared(
            Finding(YEAR, Figure.TITLE, _TITLE, basis=basis, missing=lacks),
            own=own,
            computed=ends[0] if decided else None,
            readable=self.rules.code("title", own) or None,
        )

    def _after_retest(self, subjects: _Subjects, own: StageResult) -> tuple[Finding, _Between]:
        """The learning result with the results of the re-test in the place of the year's."""
        averages, passed = dict(subjects.averages), dict(subjects.passed)
        for name, entry in own.subjects.items():
            if name in averages and entry.retest_mark is not None:
                averages[name] = _Average(entry.retest_mark, averages[name].basis)
            elif name in passed and entry.retest_level:
                passed[name] = self._passed(entry.retest_level)
        after = replace(subjects, averages=averages, passed=passed)
        finding = Finding(YEAR, Figure.LEARNING_AFTER_RETEST, _RETEST, basis=after.basis)
        if not _retested(own):
            finding = replace(finding, missing=(Missing(Lack.RETEST, YEAR),))
            unknown = _Between(Level.UNSATISFACTORY, Level.GOOD, missing=finding.missing)
            return self._levels_compared(finding, own.learning_after_retest, None), self._or_own(
                unknown, own.learning_after_retest
            )
        return self._learning_of(finding, after, own.learning_after_retest)

    def _after_retraining(self, conduct: _Between, own: StageResult) -> _Between:
        """The conduct after the summer, where that of the year may be Chưa đạt."""
        if conduct.worst is not Level.UNSATISFACTORY:
            return conduct
        again = self._level(own.conduct_after_retraining)
        if again is not None:
            return _Between(again, max(again, conduct.best), conduct.basis, conduct.missing)
        return _or_better(conduct, (*conduct.missing, Missing(Lack.RETRAINING, YEAR)))

    def _promoted(self, learning: _Between, conduct: _Between, own: StageResult) -> Finding:
        absence = self.year.absence
        limit = self.rules.absence_of(self.year.grade, self.year.school_year)
        most = limit.most if limit else 0
        known = limit is not None and absence.source is not Source.NONE
        least_absent, most_absent = (absence.least, absence.most) if known else (0, most + 1)
        worst = promoted(learning.worst, conduct.worst, most_absent, absent_most=most)
        best = promoted(learning.best, conduct.best, least_absent, absent_most=most)
        lacks = [
            lack
            for one in (learning, conduct)
            if one.worst is Level.UNSATISFACTORY and one.best is not Level.UNSATISFACTORY
            for lack in one.missing
        ]
        if least_absent <= most < most_absent:
            unreported = Missing(Lack.UNREPORTED_DAYS, count=absence.most - absence.least)
            lacks.append(unreported if known else Missing(Lack.ABSENCE, YEAR))
        computed = None if worst != best else "true" if worst else "false"
        basis = max(learning.basis, conduct.basis, Basis.SUMMARIES if absence.source is Source.SCHOOL else 0)
        finding = self._yes_or_no(
            Figure.PROMOTED,
            _PROMOTED,
            own=own.promoted,
            computed=computed,
            lacks=() if computed else dict.fromkeys(lacks),
        )
        return replace(finding, basis=Basis(basis))

    def _yes_or_no(
        self, figure: Figure, article: str, *, own: bool | None, computed: str | None, lacks: Iterable[Missing]
    ) -> Finding:
        said = yes_or_no(own)
        finding = Finding(YEAR, figure, article, missing=tuple(lacks))
        return compared(finding, own=said, computed=computed, readable=said)

    def _level(self, text: str) -> Level | None:
        return LEVELS.get(self.rules.code("level", text))

    def _levels_compared(self, finding: Finding, own: str, level: Level | None) -> Finding:
        readable = self.rules.code("level", own) or None
        return compared(finding, own=own, computed=None if level is None else level.code, readable=readable)

    def _or_own(self, found: _Between, own: str) -> _Between:
        """What goes on being computed with: where it is not decided, the school's own."""
        level = self._level(own)
        if found.level is not None or level is None:
            return found
        return _Between(level, level, Basis.SUMMARIES)


def _scored(results: Iterable[StageResult]) -> frozenset[str]:
    """The subjects that are scored at any stage, or of which nothing at all is said."""
    entries = [pair for one in results for pair in one.subjects.items()]
    marked = {name for name, one in entries if one.scored}
    return frozenset(marked | {name for name, _ in entries} - {name for name, one in entries if one.level})


def _or_better(between: _Between, missing: tuple[Missing, ...]) -> _Between:
    """A level that may still become any better one."""
    return between._replace(best=Level.GOOD, missing=missing)


def _retested(own: StageResult) -> bool:
    return any(one.retest_mark is not None or one.retest_level for one in own.subjects.values())


def _marks_compared(finding: Finding, own: Decimal | None, computed: Decimal | None) -> Finding:
    said = "" if own is None else format(own.normalize(), "f")
    shown = None if computed is None else format(computed, "f")
    return compared(finding, own=said, computed=shown, readable=shown if own is not None and own == computed else said)
