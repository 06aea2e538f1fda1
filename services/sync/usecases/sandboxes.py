"""Partners' sandboxes opened and emptied, and what came into them judged.

Records makes the units and is emptied first: it alone knows which schools may be. What is pushed in between is answered
like the rest and stored again when it is repeated.
"""

from dataclasses import replace

from chassis.scope_tree import ScopeTree
from services.sync.clients.sandboxes import Sandboxes
from services.sync.convert.conformance import declared
from services.sync.domain.batches import Origin, Trial
from services.sync.domain.conformance import Finding, Material, Requirement, judge_all
from services.sync.domain.partners import SANDBOX, PartnerKey
from services.sync.store import declarations
from services.sync.store import partners as partner_store
from services.sync.store import sandboxes as store
from services.sync.store.sandboxes import Sandbox
from services.sync.usecases import partner_refusals as refusals
from services.sync.usecases.intake import Intake
from services.sync.usecases.partners import Partners, permitted


async def open_sandbox(partners: Partners, sandboxes: Sandboxes, partner_id: str, *, caller: str) -> Sandbox:
    """Open the sandbox of a partner, or give the one that is open."""
    async with partners.database.connection() as reads:
        await permitted(partners, reads, partner_id, caller=caller)
        present = await store.sandbox_of(reads, partner_id)
    if present is not None:
        return await named(partners, sandboxes, present)
    made = await sandboxes.open(partner_id)
    one = Sandbox(
        partner_id,
        made.unit_id,
        tuple(school.unit_id for school in made.schools),
        tuple(school.alias for school in made.schools),
        0,
        None,
        partners.clock.now(),
        {school.unit_id: school.name for school in made.schools},
    )
    async with partners.database.transaction() as writes:
        await store.keep(writes, one)
    return one


async def named(partners: Partners, sandboxes: Sandboxes, one: Sandbox) -> Sandbox:
    """A sandbox with the names of its schools, where these are so new that the tree of units has not brought them."""
    if all(partners.scopes.tree.unit(school_id) for school_id in one.school_ids):
        return one
    made = await sandboxes.open(one.partner_id)
    return replace(one, names={school.unit_id: school.name for school in made.schools})


async def the_sandbox(partners: Partners, partner_id: str, *, caller: str) -> Sandbox:
    """The sandbox of a partner; raises NO_SANDBOX."""
    async with partners.database.connection() as reads:
        await permitted(partners, reads, partner_id, caller=caller)
        found = await store.sandbox_of(reads, partner_id)
    if found is None:
        raise refusals.no_sandbox(partner_id)
    return found


async def reset_sandbox(
    partners: Partners, sandboxes: Sandboxes, partner_id: str, *, caller: str
) -> tuple[Sandbox, int]:
    """Empty the sandbox of a partner; returns it with how many records are gone. Raises NO_SANDBOX."""
    found = await the_sandbox(partners, partner_id, caller=caller)
    removed = await sandboxes.reset(partner_id)
    async with partners.database.transaction() as writes:
        return await store.empty(writes, found, now=partners.clock.now()), removed


async def check(
    partners: Partners, requirements: tuple[Requirement, ...], partner_id: str, *, caller: str
) -> tuple[list[Finding], int]:
    """What a partner's client does right and wrong, and over how many pushes. Raises NO_SANDBOX."""
    found = await the_sandbox(partners, partner_id, caller=caller)
    async with partners.database.connection() as reads:
        pushes = await store.pushes(reads, found.unit_id)
        keys = await partner_store.keys_of(reads, partner_id)
        told = await declarations.of_schools(reads, found.school_ids)
    material = Material(
        pushes, _rotated(keys), [declared(one.source, one.full_of, one.state, one.outcome) for one in told]
    )
    return judge_all(requirements, material), len(material.sent)


def _rotated(keys: list[PartnerKey]) -> list[str]:
    """Keys whose end came while another held already."""
    ended = [(one, one.revoke_time or one.valid_to) for one in keys]
    return [
        one.kid
        for one, end in ended
        if end is not None
        and any(other.kid != one.kid and other.valid_from <= end and other.may_hold(end) for other in keys)
    ]


async def on_trial(intake: Intake, origin: Origin, *, self_signed: bool, uploaded_by: str = "") -> Origin:
    """The batch, marked where it is for a sandbox: it is kept to be judged, and new after each reset.

    A file that a person uploaded (`uploaded_by`) says nothing of the partner's client.
    """
    tree, today = intake.scopes.tree, intake.clock.today()
    if not is_sandbox(tree, origin.unit_id):
        return origin
    async with intake.database.connection() as reads:
        found = await store.around(reads, [origin.unit_id, *tree.ancestors(origin.unit_id, today)])
    if not found:
        return origin
    judged = uploaded_by in ("", found.partner_id)
    return origin.tried(Trial(found.unit_id, found.reset_count, self_signed, bool(uploaded_by), judged))


def is_sandbox(tree: ScopeTree, unit_id: int) -> bool:
    """Whether a unit is of a sandbox."""
    unit = tree.unit(unit_id)
    return unit is not None and SANDBOX in unit.labels
