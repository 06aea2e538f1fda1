"""Workbooks in and out, in a process of its own (`python -m services.sync.convert.sheets`): a file that is broken or
meant to harm can take no more than that process down, and reading never holds up the service.

Files become rows of cells, rows become objects in a sender's names; the process that started this one makes records.
"""
