"""A partner's key acts as integrator alone: at the door of every method, and wherever one looks again."""

import ast
from pathlib import Path

from tests.support.methods import methods

ROOT = Path(__file__).parents[2]
# These look at what somebody may of whom an order, a report or a message names, which methods closed to partners took.
OF_OTHERS = {
    "services/notify/usecases/news.py",
    "services/reporting/usecases/exporting.py",
    "services/reporting/usecases/extracting.py",
    "services/reporting/usecases/pivots.py",
    "services/reporting/usecases/reports.py",
    "services/sync/usecases/imports/office.py",
}


def test_whoever_looks_again_at_the_callers_grants_heeds_what_its_key_may() -> None:
    """`caller_may` does. The tree itself knows nothing of keys: asked for the caller, it lets a key act in any role."""
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "services").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and _asks_the_tree(node.func)
    }
    assert asking == OF_OTHERS


def test_a_key_asks_without_a_role_only_about_its_own_partner() -> None:
    """Whatever else any token may call, such as an inbox, is refused to it."""
    opened = {one.full_name for one in methods() if one.access.self_signed}
    assert opened == {
        "iocedu.records.v1.AccessService.ExplainOwnAccess",
        "iocedu.records.v1.GrantsService.ListOwnGrants",
        *(
            one.full_name
            for one in methods()
            if one.access.any_subject and one.full_name.startswith("iocedu.sync.v1.PartnersService.")
        ),
    }


def _asks_the_tree(function: ast.expr) -> bool:
    """Whether it is `tree.may`, by whatever way the tree was come by."""
    return isinstance(function, ast.Attribute) and function.attr == "may" and "tree" in ast.unparse(function.value)
