"""Reporting: every figure current, explained, and exact by any version of the hierarchy.

Owns the projections of pupils, classes, staff, registers, results and schools' profiles (facts, the cube of stocks,
tallies, days, movements, absences, class sizes, school totals), the catalogue of indicators, the dated rules of
counting, limits and norms, and what comes from outside: residents by age and targets.
Publishes `figures-changed`.
Listens to `records-changed` and `units-changed` (records) and `connections-changed` (sync).
Calls records' change feed, only to rebuild its projections.
Refuses unknown indicators, dimensions and breakdowns, questions of too many cells, and to tell small counts of a
sensitive dimension, be it by one answer or by all of them together.
"""
