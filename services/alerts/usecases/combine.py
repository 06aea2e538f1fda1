"""Brings together what rules over several kinds of facts look at: once for all facts of a batch, whatever their number.

Who decides about a fact holds that fact and reads those beside it; whoever changes one of these has the fact looked at
once more afterwards. So neither misses the other.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import Fact, Rule
from services.alerts.domain.combining import Key, depth, keys_beside, parts_of
from services.alerts.domain.shapes import KINDS
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.rulebook import Rulebook


async def facts_beside(connection: AsyncConnection, pairs: Iterable[tuple[Rule, Fact]]) -> Mapping[Key, Fact]:
    """The facts that stand beside these for their rules, as far as they are known."""
    keys = {key for rule, fact in pairs if rule.with_kinds for key in keys_beside(rule, fact).values()}
    return await store.known_facts(connection, sorted(keys))


async def look_at_led(connection: AsyncConnection, changed: Sequence[Fact], book: Rulebook, moment: Moment) -> None:
    """Have the facts looked at that rules judge together with those that changed."""
    led = {
        (fact.unit_id, kind, fact.subject)
        for fact in changed
        for kind in book.led_by(fact.kind)
        if any(len(parts_of(fact)) == depth(path, fact.kind) for path in KINDS[kind].subjects)
    }
    if led:
        await store.look_at_led(connection, sorted(led), now=moment.now)
