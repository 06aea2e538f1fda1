"""Reporting: every figure current, explained, and exact by any version of the hierarchy.

Owns the projections of pupils, classes and staff (facts, the cube of stocks, class sizes, school totals), the catalogue
of indicators, the rules of counting and the dated limits of class size.
Publishes `figures-changed` and `erasures-confirmed`.
Listens to `records-changed` and `erasures-requested` (records) and `connections-changed` (sync).
Calls records' change feed, only to rebuild its projections.
Refuses unknown indicators, dimensions and breakdowns, questions of too many cells, and to tell small counts of a
sensitive dimension, be it by one answer or by all of them together.
"""
