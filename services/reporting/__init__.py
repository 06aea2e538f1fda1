"""Reporting: every figure current, explained, and exact by any version of the hierarchy.

Owns the projections of pupils, classes, staff, registers, results and schools' profiles (facts, the cube of stocks,
tallies, days, movements, absences, class sizes, school totals), the catalogue of indicators, the dated rules of
counting, limits and norms, what comes from outside: residents by age and targets; forms, campaigns and reports of
schools with their frozen versions; pivots, questions that people keep and have sent to them; extracts for
research, and the monthly cuts they are made of.
Publishes `figures-changed`, `targets-changed`, `notice-requested`, `erasures-confirmed`, `personal-data-shown`.
Listens to `records-changed`, `units-changed` and `erasures-requested` (records) and `connections-changed` (sync).
Calls records' change feed, only to rebuild its projections; its locks, when a report is approved or opened again; its
records by key, to show those behind a figure to whoever asks.
Refuses unknown indicators, dimensions and breakdowns, questions of too many cells, a step that is not the caller's or
not the report's next, and to tell small counts of a sensitive dimension, by one answer or by all of them together.
"""
