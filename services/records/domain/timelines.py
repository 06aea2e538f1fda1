"""Facts in time changed from a day on. Whatever holds before that day stays as it is, day for day."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TypeVar

from services.records.domain.spans import Span
from services.records.domain.units import Code, Edge, Name

FactT = TypeVar("FactT", Name, Code, Edge)


def held_on(facts: Iterable[FactT], day: date) -> FactT | None:
    """The fact that holds on a day."""
    return next((fact for fact in facts if fact.span.holds(day)), None)


def nearest(facts: Iterable[FactT], day: date) -> FactT | None:
    """The fact that holds on a day, else the one that held last before it, else the one that holds first after it."""
    known = sorted(facts, key=lambda fact: fact.span.start)
    begun = [fact for fact in known if fact.span.start <= day]
    return begun[-1] if begun else next(iter(known), None)


def days_from(facts: Iterable[FactT], day: date, *, life: Span) -> Span:
    """The days from one on for which a change would hold: until the next one that is recorded, or the life's end."""
    known = list(facts)
    held = held_on(known, day)
    if held is not None:
        return Span(day, held.span.after)
    later = [fact.span.start for fact in known if fact.span.start > day]
    return Span(day, min(later) if later else life.after)


def cut(facts: Iterable[FactT], day: date) -> list[FactT]:
    """What is left of facts when none holds from a day on."""
    return [
        fact if fact.span.end <= day else replace(fact, span=Span(fact.span.first, day))
        for fact in facts
        if fact.span.start < day
    ]


def without(facts: Iterable[FactT], days: Span) -> list[FactT]:
    """What is left of facts when none holds on the days given."""
    left: list[FactT] = []
    for fact in facts:
        if not fact.span.overlaps(days):
            left.append(fact)
            continue
        if fact.span.start < days.start:
            left.append(replace(fact, span=Span(fact.span.first, days.first)))
        if days.end < fact.span.end:
            left.append(replace(fact, span=Span(days.after, fact.span.after)))
    return left


def changed(facts: Iterable[FactT], fresh: FactT) -> list[FactT]:
    """The facts with a fresh one in place of what held on its days; one with equal neighbours that touch it."""
    left: list[FactT] = without(facts, fresh.span)
    for neighbour in [fact for fact in left if replace(fact, span=fresh.span) == fresh]:
        if neighbour.span.end == fresh.span.start:
            fresh = replace(fresh, span=Span(neighbour.span.first, fresh.span.after))
            left.remove(neighbour)
        elif neighbour.span.start == fresh.span.end:
            fresh = replace(fresh, span=Span(fresh.span.first, neighbour.span.after))
            left.remove(neighbour)
    left.append(fresh)
    return sorted(left, key=lambda fact: fact.span.start)
