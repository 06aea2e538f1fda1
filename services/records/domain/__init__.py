"""The rules of records: types of record, versions, names, masking, units in time and roles. Standard library only."""
