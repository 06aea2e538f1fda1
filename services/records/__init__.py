"""Records: the truth about units, people and school life.

Owns units with their codes, names, edges and successions in time; role grants and what is delegated of them; the
records that schools send, and what of them is locked; the persons behind them, and decisions on these; what records
were before they were replaced; the compacted change feed; the words of people's names, by which they are looked up;
which units were made as sandboxes, whose records are in no feed and can be removed; the access log, sealed as a chain
whose end it anchors in the stream `ACCESS_LOG_ANCHORS`.
Assesses pupils by the circulars and counts their attendance when asked; what it computes is stored nowhere.
Erases or restricts what granted requests of people are about.
Publishes `records-changed`, `units-changed`, `locks-changed`, `erasures-requested` and, to the bucket `scopes`, the
tree with the grants. Listens to `erasures-confirmed` (sync, reporting) and calls nobody.
Refuses rows of unknown schools and foreign sources, units that overlap, hang loose or turn in circles, and personal
data without a purpose or after it was erased. Holds rows that would change what is locked.
"""
