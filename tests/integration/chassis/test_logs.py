"""What goes wrong is logged without what was written: names and numbers of people stay out of logs."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from chassis.logs import said, set_up_logs
from tests.support.databases import DatabaseFactory

NAME, NUMBER = "Nguyễn Văn Hòa", "049214000123"


def test_an_error_that_is_not_ours_is_named_by_its_class_alone() -> None:
    """Anybody's words may quote what was written; our own faults' and the network's do not."""
    assert said(ValueError(f"cannot read {NAME}")) == "ValueError"
    assert said(KeyError(NUMBER)) == "KeyError"
    assert said(ConnectionResetError(104, "Connection reset by peer")) == "[Errno 104] Connection reset by peer"


async def test_a_failing_statement_leaves_no_value_in_the_log(
    database_factory: DatabaseFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the parameters nor what PostgreSQL says of the row are in the line; class, state and place are."""
    database = await database_factory("chassis")
    set_up_logs("toy", "info")
    insert = sa.text("INSERT INTO person VALUES (:number, :name)")
    try:
        async with database.transaction() as connection:
            await connection.execute(sa.text("CREATE TABLE person (number text PRIMARY KEY, name text)"))
            await connection.execute(insert, {"number": NUMBER, "name": NAME})
        with pytest.raises(sa.exc.DBAPIError) as failed:
            async with database.transaction() as connection:
                await connection.execute(insert, {"number": NUMBER, "name": NAME})

        structlog.get_logger("test").error("it failed", action="test.failed", exc_info=failed.value)
    finally:
        structlog.reset_defaults()

    lines: list[dict[str, Any]] = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line]
    line = next(line for line in lines if line.get("action") == "test.failed")
    assert any("23505" in cause for cause in line["exception"])
    assert NAME not in json.dumps(line, ensure_ascii=False)
    assert NUMBER not in json.dumps(line)
