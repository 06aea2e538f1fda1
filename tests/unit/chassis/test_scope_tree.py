"""The dated forest: its questions agree with each other on every day, for every shape of forest."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iocedu.chassis.v1 import scopes_pb2

from chassis.scope_tree import ScopeAlias, ScopeEdge, ScopeGrant, ScopeTree, ScopeUnit

DAY = date(2026, 1, 1)
DAYS = st.integers(-3, 8).map(lambda n: DAY + timedelta(days=n))
BOUNDS = st.one_of(st.none(), st.integers(0, 6).map(lambda n: DAY + timedelta(days=n)))
IDS = st.integers(1, 9)
TYPES = st.sampled_from(["administrative", "professional"])
ROLES = ["keeper", "guard"]
EDGES = st.builds(ScopeEdge, IDS, TYPES, BOUNDS, BOUNDS)
GRANTS = st.builds(
    ScopeGrant,
    grant_id=st.integers(1, 99),
    subject=st.sampled_from(["an", "binh"]),
    role=st.sampled_from(ROLES),
    unit_id=st.integers(0, 9),
    edge_type=TYPES,
    valid_from=BOUNDS,
    valid_to=BOUNDS,
)


@st.composite
def trees(draw):
    """Any forest of up to nine units: several parents, gaps in time, edges to nowhere, even circles."""
    ids = draw(st.sets(IDS, min_size=1))
    units = [
        ScopeUnit(
            n,
            valid_from=draw(BOUNDS),
            valid_to=draw(BOUNDS),
            edges=tuple(draw(st.lists(EDGES, max_size=3))),
            stood_for_by=tuple(draw(st.lists(IDS, max_size=2))),
        )
        for n in sorted(ids)
    ]
    return ScopeTree(units, draw(st.lists(GRANTS, max_size=6)))


def _holds(dated, day):
    return (dated.valid_from or date.min) <= day < (dated.valid_to or date.max)


@given(trees(), DAYS, TYPES)
def test_contains_ancestors_and_subtree_say_the_same(tree, day, edge_type):
    """A unit contains what its subtree holds, and is an ancestor of all of it but itself."""
    for above in range(1, 10):
        subtree = tree.subtree(above, day, edge_type)
        for below in range(1, 10):
            inside = below in subtree
            assert tree.contains(above, below, day, edge_type) == inside
            assert (above in tree.ancestors(below, day, edge_type)) == (inside and above != below)


@given(trees(), DAYS, TYPES)
def test_ancestors_come_nearest_first_and_once(tree, day, edge_type):
    """Each ancestor is a parent of the unit or of one named before it."""
    for unit_id in range(1, 10):
        seen = {unit_id}
        for ancestor in tree.ancestors(unit_id, day, edge_type):
            assert ancestor not in seen
            assert any(ancestor in tree.parents(below, day, edge_type) for below in seen)
            seen.add(ancestor)


@given(trees(), DAYS, TYPES)
def test_only_what_lives_and_is_joined_on_the_day_counts(tree, day, edge_type):
    """A parent is alive, its child is alive, and the edge between them counts on that very day."""
    for unit_id in range(1, 10):
        for parent_id in tree.parents(unit_id, day, edge_type):
            unit, parent = tree.unit(unit_id), tree.unit(parent_id)
            assert unit is not None
            assert parent is not None
            assert _holds(unit, day)
            assert _holds(parent, day)
            assert any(e.parent_id == parent_id and e.type == edge_type and _holds(e, day) for e in unit.edges)


@given(trees(), DAYS)
def test_every_unit_is_what_lives_that_day(tree, day):
    """Unit 0 stands for all units alive."""
    alive = {unit.unit_id for unit in tree.units(day)}
    assert tree.subtree(0, day) == alive
    assert all(tree.contains(0, unit_id, day) == (unit_id in alive) for unit_id in range(1, 10))


@given(trees(), DAYS, st.sets(st.sampled_from(ROLES), min_size=1), st.sampled_from(["an", "binh"]))
def test_a_role_is_held_where_a_grant_of_the_day_reaches(tree, day, roles, subject):
    """`may`, `holders`, `units_of` and `grants_of` agree with a grant-by-grant reading."""
    grants = [grant for grant in tree.grants_of(subject, day) if grant.role in roles]
    assert all(_holds(grant, day) for grant in grants)
    assert tree.units_of(subject, roles, day) == {grant.unit_id for grant in grants}
    for unit_id in range(1, 10):
        reaching = {
            grant.unit_id
            for grant in grants
            if grant.unit_id in (0, unit_id) or unit_id in tree.reach(grant.unit_id, day, grant.edge_type)
        }
        assert tree.may(subject, roles, unit_id, day) == bool(reaching)
        assert {unit for who, _, unit in tree.holders(roles, unit_id, day) if who == subject} == reaching
    assert tree.may(subject, roles, 0, day) == any(grant.unit_id == 0 for grant in grants)


@given(trees(), DAYS, DAYS)
def test_what_is_remembered_does_not_change_answers(tree, day, other):
    """Asking for another day in between changes nothing."""
    before = [tree.subtree(n, day) for n in range(10)], [tree.ancestors(n, day) for n in range(10)]
    for n in range(10):
        tree.subtree(n, other)
        tree.ancestors(n, other)
    assert ([tree.subtree(n, day) for n in range(10)], [tree.ancestors(n, day) for n in range(10)]) == before


@given(trees(), DAYS, TYPES)
def test_what_is_not_alive_adds_to_what_a_role_reaches_and_to_nothing_else(tree, day, edge_type):
    """What lives is reached as ever; what does not, where all that stand for it are reached."""
    alive = {unit.unit_id for unit in tree.units(day)}
    for unit_id in range(1, 10):
        reached, subtree = tree.reach(unit_id, day, edge_type), tree.subtree(unit_id, day, edge_type)
        assert reached & alive == subtree & alive
        for one in reached - subtree:
            standing = tree.stand_ins(one, day)
            assert standing
            assert set(standing) <= subtree
        for one in alive:
            assert tree.above(one, day, edge_type) == tree.ancestors(one, day, edge_type)


@given(st.lists(st.tuples(IDS, st.integers(0, 5), st.integers(1, 5)), max_size=6), DAYS)
def test_a_code_used_again_means_its_unit_of_the_day(spans, day):
    """A code may pass from one unit to another; the day says whose it is."""
    units: dict[int, list[ScopeAlias]] = {}
    taken: list[tuple[date, date, int]] = []
    for unit_id, start, length in spans:
        first, last = DAY + timedelta(days=start), DAY + timedelta(days=start + length)
        if all(last <= a or b <= first for a, b, _ in taken):
            taken.append((first, last, unit_id))
            units.setdefault(unit_id, []).append(ScopeAlias("gso:20000", first, last))
    tree = ScopeTree([ScopeUnit(unit_id, aliases=tuple(aliases)) for unit_id, aliases in units.items()])
    owner = next((unit_id for a, b, unit_id in taken if a <= day < b), None)
    assert tree.resolve("gso:20000", day) == owner
    for unit_id in units:
        assert tree.alias(unit_id, "gso", day) == ("gso:20000" if unit_id == owner else None)


@given(trees())
def test_a_tree_survives_its_publication(tree):
    """A tree built from published chunks answers as the one they were made of."""
    chunk = scopes_pb2.ScopeChunk()
    for unit in (tree.unit(n) for n in range(1, 10)):
        if unit is None:
            continue
        sent = chunk.units.add(
            unit_id=unit.unit_id,
            valid_from=_iso(unit.valid_from),
            valid_to=_iso(unit.valid_to),
            stood_for_by=unit.stood_for_by,
        )
        for edge in unit.edges:
            sent.edges.add(
                parent_id=edge.parent_id,
                type=edge.type,
                valid_from=_iso(edge.valid_from),
                valid_to=_iso(edge.valid_to),
            )
    read = ScopeTree.from_chunks([chunk], version=4)
    assert read.version == 4
    assert len(read) == len(tree)
    for n in range(10):
        assert read.unit(n) == tree.unit(n)
        assert read.subtree(n, DAY) == tree.subtree(n, DAY)


def _iso(day):
    return day.isoformat() if day else ""


def _small():
    """Province 1 > district 2 > school 3; office 4 above school 3 by profession; 2 was merged into 5 on 2026-07-01."""
    merged = date(2026, 7, 1)
    return ScopeTree(
        [
            ScopeUnit(1, "province", aliases=(ScopeAlias("gso:49"), ScopeAlias("moet:1"))),
            ScopeUnit(2, "district", valid_to=merged, edges=(ScopeEdge(1),), aliases=(ScopeAlias("gso:502"),)),
            ScopeUnit(5, "commune", valid_from=merged, edges=(ScopeEdge(1),)),
            ScopeUnit(
                3,
                "school",
                edges=(
                    ScopeEdge(2, valid_to=merged),
                    ScopeEdge(5, valid_from=merged),
                    ScopeEdge(4, "professional"),
                ),
            ),
            ScopeUnit(4, "office"),
        ],
        [
            ScopeGrant(1, "an", "guard", 2),
            ScopeGrant(2, "binh", "keeper", 4, edge_type="professional"),
            ScopeGrant(3, "chi", "keeper", 0),
            ScopeGrant(4, "dung", "keeper", 3, valid_from=date(2026, 2, 1), valid_to=date(2026, 3, 1)),
        ],
    )


BEFORE, AFTER = date(2026, 2, 10), date(2026, 8, 1)


def test_a_reform_moves_a_school_on_its_day_and_not_before():
    """As of a day before the merger the old hierarchy still stands."""
    tree = _small()
    assert tree.ancestors(3, BEFORE) == (2, 1)
    assert tree.ancestors(3, AFTER) == (5, 1)
    assert tree.subtree(1, BEFORE) == {1, 2, 3}
    assert tree.subtree(1, AFTER) == {1, 3, 5}
    assert tree.children(1, AFTER) == (5,)


def test_a_grant_follows_its_own_type_of_edge():
    """A professional office reaches its schools by its own edges, not by the administrative ones."""
    tree = _small()
    assert tree.may("binh", {"keeper"}, 3, BEFORE)
    assert not tree.may("binh", {"keeper"}, 1, BEFORE)
    assert tree.may("an", {"guard"}, 3, BEFORE)
    assert not tree.may("an", {"guard"}, 3, AFTER)
    assert not tree.may("an", {"keeper"}, 3, BEFORE)


def test_a_revoked_grant_ends_with_its_day():
    """The first day after is already without it."""
    tree = _small()
    held = [tree.may("dung", ["keeper"], 3, date(2026, *day)) for day in ((1, 31), (2, 1), (2, 28), (3, 1))]
    assert held == [False, True, True, False]


def test_holders_are_named_nearest_first():
    """Who is told first is who stands nearest; who holds a role everywhere comes last."""
    assert _small().holders({"keeper", "guard"}, 3, BEFORE) == [
        ("dung", "keeper", 3),
        ("an", "guard", 2),
        ("binh", "keeper", 4),
        ("chi", "keeper", 0),
    ]


@pytest.mark.parametrize(
    ("ref", "unit_id"),
    [("gso:49", 1), ("moet:1", 1), ("3", 3), ("0", 0), ("99", None), ("gso:99", None), ("", None), ("³", None)],
)
def test_a_reference_is_an_alias_or_a_decimal_id(ref, unit_id):
    """Anything else names nothing."""
    assert _small().resolve(ref, BEFORE) == unit_id


def test_an_unknown_unit_contains_and_holds_nothing():
    """Not even itself."""
    tree = _small()
    assert tree.subtree(99, BEFORE) == frozenset()
    assert not tree.contains(99, 99, BEFORE)
    assert tree.ancestors(99, BEFORE) == ()
    assert tree.may("chi", {"keeper"}, 99, BEFORE)  # Who holds it everywhere may also ask about what is not there.
    assert not tree.may("an", {"guard"}, 99, BEFORE)


def test_units_without_a_label_are_those_of_any_day():
    """Ended ones and such as are to begin among them."""
    tree = ScopeTree(
        [ScopeUnit(1, labels=("trial",)), ScopeUnit(2, valid_to=BEFORE), ScopeUnit(3, valid_from=AFTER), ScopeUnit(4)]
    )
    assert tree.without("trial") == {2, 3, 4}
    assert tree.without("other") == {1, 2, 3, 4}


def _ended():
    """Province 1 > communes 2, 3. School 4 went into 5 and 5 into 6, in 2; 7 into 8 in 2 and 9 in 3; 10 into none.

    Office 11 stands above 6 by profession. School 12 begins in 2027 in commune 3.
    """
    ends, again = date(2026, 3, 1), date(2026, 6, 1)

    def school(unit_id, *edges, **life):
        return ScopeUnit(unit_id, "school", edges=edges, **life)

    return ScopeTree(
        [
            ScopeUnit(1, "province"),
            ScopeUnit(2, "commune", edges=(ScopeEdge(1),)),
            ScopeUnit(3, "commune", edges=(ScopeEdge(1),)),
            school(4, ScopeEdge(3), valid_to=ends, stood_for_by=(5,)),
            school(5, ScopeEdge(2), valid_to=again, stood_for_by=(6,)),
            school(6, ScopeEdge(2), ScopeEdge(11, "professional")),
            school(7, ScopeEdge(2), valid_to=ends, stood_for_by=(8, 9)),
            school(8, ScopeEdge(2)),
            school(9, ScopeEdge(3)),
            school(10, ScopeEdge(2), valid_to=ends, stood_for_by=(2,)),
            ScopeUnit(11, "office"),
            school(12, ScopeEdge(3), valid_from=date(2027, 1, 1)),
        ],
        [
            ScopeGrant(1, "six", "keeper", 6),
            ScopeGrant(2, "eight", "keeper", 8),
            ScopeGrant(3, "two", "keeper", 2),
            ScopeGrant(4, "three", "keeper", 3),
            ScopeGrant(5, "province", "keeper", 1),
            ScopeGrant(6, "office", "keeper", 11, edge_type="professional"),
        ],
    )


@pytest.mark.parametrize(
    ("unit", "subjects"),
    [
        (4, {"six", "two", "province", "office"}),
        (5, {"six", "two", "province", "office"}),
        (7, {"province"}),
        (10, {"two", "province"}),
        (12, {"three", "province"}),
    ],
    ids=["merged twice", "merged", "split over two communes", "dissolved", "yet to begin"],
)
def test_who_reaches_a_unit_that_is_not_alive(unit, subjects):
    """Whoever reaches all that stand for it: the last successor, all parts, the unit it was or will be under."""
    tree = _ended()
    everybody = ("six", "eight", "two", "three", "province", "office")
    assert {one for one in everybody if tree.may(one, ["keeper"], unit, AFTER)} == subjects
    assert {one for one, _, _ in tree.holders(["keeper"], unit, AFTER)} == subjects


def test_a_unit_is_reached_as_it_lay_while_it_lived():
    """Before its end the commune it lay in reaches it, its later successor does not."""
    tree = _ended()
    assert [tree.may(one, ["keeper"], 4, BEFORE) for one in ("three", "six", "two")] == [True, False, False]
    assert 4 not in tree.subtree(2, AFTER)
    assert tree.subtree(3, AFTER) == {3, 9}


def test_the_last_day_of_a_unit_is_the_day_before_its_end():
    """Of one that lives, or is none, it is the day itself."""
    tree = _ended()
    days = [tree.last_day(unit_id, AFTER) for unit_id in (4, 6, 99)]
    assert days == [date(2026, 2, 28), AFTER, AFTER]
    assert tree.last_day(4, BEFORE) == BEFORE
