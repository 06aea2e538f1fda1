"""A simulator of the ministry's sector database: it is not the ministry's, and says so in every answer.

It takes what the observed interface takes (`TiepNhan`, gzip XML, send then poll), or record events (`SuKien`, JSON:
NEW, UPDATE, CANCEL), and is as strict: tokens per unit and level, catalogues by year, order of objects, statuses, and
versions that only rise. Its faults can be set while it runs.
Refuses what the real one is known to refuse, row by row; invents no record and corrects none.
"""
