"""Every method that reveals personal data leaves an entry in the access log, also one that is added tomorrow."""

import importlib
from collections.abc import Iterator
from pathlib import Path

from chassis.access import Rule, rule_of
from services.records.consumers import SERVICE, SHOWING

GENERATED = Path(__file__).parents[2] / "gen"


def revealing() -> Iterator[Rule]:
    """The rules of all methods that reveal personal data."""
    for file in sorted(GENERATED.glob("iocedu/*/v1/*_pb2.py")):
        module = importlib.import_module(".".join(file.relative_to(GENERATED).with_suffix("").parts))
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                rule = rule_of(f"/{service.full_name}/{method.name}")
                if rule is not None and rule.reveals_personal_data:
                    yield rule


def test_the_access_log_listens_to_every_service_that_shows_personal_data() -> None:
    """The chain notes each such call and no service starts without a way to; what is told must also be heard."""
    showing = {rule.method.split(".")[1] for rule in revealing()}
    assert showing == {SERVICE, *SHOWING}


def test_every_such_method_names_the_unit_that_the_look_belongs_to() -> None:
    """Else the entry would stand at no unit, where only those see it who ask for every unit."""
    assert [rule.method for rule in revealing() if not rule.unit_field] == []
