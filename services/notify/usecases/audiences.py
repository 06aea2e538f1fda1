"""Finds whom an audience reaches, by the units and grants of the day it is asked for.

Who stands in for somebody holds a grant too, and is told as well. Refuses an audience of nobody, one of a whole
province that does not say so, and one that reaches beyond the issuing unit.
"""

from collections.abc import Callable
from datetime import date

from chassis.scope_tree import ADMINISTRATIVE, EVERY_UNIT, ScopeTree
from services.notify.domain.audiences import AudienceRule, Group, Member, Reach
from services.notify.usecases.faults import audience_refused

SilentFor = Callable[[int], frozenset[int]]  # Schools that have sent nothing for so many days.


def reach_of(
    rule: AudienceRule, unit_id: int, *, tree: ScopeTree, today: date, silent_for: SilentFor, path: str = "audience"
) -> Reach:
    """Whom the rule reaches from an issuing unit; `path` is where the rule stands in the request.

    Raises AUDIENCE_EMPTY, AUDIENCE_EVERYBODY or AUDIENCE_OUTSIDE.
    """
    found: dict[str, Member] = {}
    unit_ids: dict[int, None] = {}
    heard: set[int] = set()
    for place, group in enumerate(rule.groups):
        where = f"{path}.groups[{place}]"
        root = _root(group, unit_id, tree, today, where)
        if not rule.everybody and not group.narrows and _is_top(root, group, tree, today):
            raise audience_refused(
                "AUDIENCE_EVERYBODY",
                where,
                "Nhóm này gửi tới mọi đơn vị trong toàn tỉnh. Nếu đúng ý định, hãy chọn “gửi toàn tỉnh” (everybody);"
                " nếu không, hãy chọn loại đơn vị hoặc cấp học.",
                "This group reaches all units of the province. If that is meant, set everybody; else narrow it by kind"
                " or label.",
            )
        for one in _units(group, root, tree, today, silent_for):
            unit_ids[one] = None
            for subject, role, granted in tree.holders(group.roles, one, today):
                if granted == one:
                    found.setdefault(subject, Member(subject, one, role))
                    heard.add(one)
    for subject in rule.subjects:
        named = _named(subject, unit_id, tree, today, path)
        found.setdefault(subject, named)
        unit_ids.setdefault(named.unit_id)
        heard.add(named.unit_id)
    if not found:
        raise audience_refused(
            "AUDIENCE_EMPTY",
            path,
            "Không có ai thuộc nhóm nhận này. Hãy kiểm tra đơn vị, loại đơn vị, cấp học và vai trò.",
            "Nobody is in this audience. Check units, kinds, labels and roles.",
        )
    return Reach(tuple(found.values()), tuple(unit_ids), tuple(one for one in unit_ids if one not in heard))


def _root(group: Group, unit_id: int, tree: ScopeTree, today: date, where: str) -> int:
    edge_type = group.edge_type or ADMINISTRATIVE
    root = tree.resolve(group.unit, today) if group.unit else unit_id
    if root is None or not (root == unit_id or tree.contains(unit_id, root, today, edge_type)):
        raise audience_refused(
            "AUDIENCE_OUTSIDE",
            f"{where}.unit",
            f"Đơn vị “{group.unit}” không thuộc đơn vị phát hành. Hãy chọn đơn vị trực thuộc.",
            f"The unit “{group.unit}” does not lie below the issuing unit. Name one that does.",
            unit=group.unit,
        )
    return root


def _is_top(root: int, group: Group, tree: ScopeTree, today: date) -> bool:
    edge_type = group.edge_type or ADMINISTRATIVE
    return root == EVERY_UNIT or (
        not tree.parents(root, today, edge_type) and bool(tree.children(root, today, edge_type))
    )


def _units(group: Group, root: int, tree: ScopeTree, today: date, silent_for: SilentFor) -> list[int]:
    below = tree.subtree(root, today, group.edge_type or ADMINISTRATIVE)
    silent = silent_for(group.silent_days) if group.silent_days else None
    found = []
    for one in sorted(below):
        unit = tree.unit(one)
        if unit is None or (group.kinds and unit.kind not in group.kinds):
            continue
        if group.labels and not set(group.labels) & set(unit.labels):
            continue
        if silent is None or one in silent:
            found.append(one)
    return found


def _named(subject: str, unit_id: int, tree: ScopeTree, today: date, path: str) -> Member:
    for grant in tree.grants_of(subject, today):
        if grant.unit_id == unit_id or tree.contains(unit_id, grant.unit_id, today, grant.edge_type):
            return Member(subject, grant.unit_id, "")
    raise audience_refused(
        "AUDIENCE_OUTSIDE",
        f"{path}.subjects",
        f"“{subject}” không giữ vai trò nào tại đơn vị phát hành hoặc các đơn vị trực thuộc.",
        f"“{subject}” holds no role at the issuing unit or below it.",
        subject=subject,
    )
