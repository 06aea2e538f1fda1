"""Statements have short stable names in traces."""

import pytest

from chassis.statements import statement_name


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("SELECT a, b FROM pupil WHERE a = $1", "SELECT pupil"),
        ("\n  INSERT INTO records.pupil (a) VALUES ($1)", "INSERT records.pupil"),
        ('UPDATE "unit" SET a = 1', "UPDATE unit"),
        ("delete from only outbox where id = $1", "DELETE outbox"),
        ("CREATE TEMP TABLE incoming (a int)", "CREATE incoming"),
        ("SELECT 1", "SELECT"),
        ("", "SQL"),
    ],
)
def test_a_statement_is_named_by_verb_and_table(statement, name):
    """Names group the same work together, whatever its values."""
    assert statement_name(statement) == name
