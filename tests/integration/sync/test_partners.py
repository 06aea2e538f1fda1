"""Partners sign their own tokens: registered, given keys, rotated, suspended; nobody signs for anybody else."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.records.v1 import records_pb2, records_pb2_grpc, units_pb2, units_pb2_grpc
from iocedu.sync.v1 import (
    partner_connections_pb2,
    partners_pb2,
    partners_pb2_grpc,
    quarantine_pb2,
    quarantine_pb2_grpc,
    sync_pb2_grpc,
)

from chassis.errors import Fault, Kind
from chassis.testing import client
from services.sync.clients.grants import Grants
from tests.integration.sync.test_full import DONE, full
from tests.integration.sync.test_quarantine import kept, ward
from tests.integration.sync.world import (
    ACCEPTED,
    ADMINISTRATOR,
    COMMUNE,
    HEAD,
    OFFICER,
    PROVINCE,
    REJECTED,
    SCHOOL_A,
    SCHOOL_B,
    VENDOR,
    World,
    granted,
    pupil,
    push,
    staff_member,
)
from tests.support.signing import Signer
from tests.support.waiting import poll_until


async def stub(
    here: World, subject: str = ADMINISTRATOR, *, token: str = ""
) -> "partners_pb2_grpc.PartnersServiceAsyncStub":
    """PartnersService as somebody calls it."""
    channel = client(here.sync_address, token or here.keys.mint(subject))
    made: partners_pb2_grpc.PartnersServiceAsyncStub = partners_pb2_grpc.PartnersServiceStub(
        await here.stack.enter_async_context(channel)
    )
    return made


async def pushing(here: World, token: str) -> "sync_pb2_grpc.SyncServiceAsyncStub":
    """SyncService as a partner calls it."""
    made: sync_pb2_grpc.SyncServiceAsyncStub = sync_pb2_grpc.SyncServiceStub(
        await here.stack.enter_async_context(client(here.sync_address, token))
    )
    return made


async def registered(here: World, partner_id: str = "edusoft", kid: str = "k1") -> Signer:
    """A partner with one key."""
    department, signer = await stub(here), Signer(partner_id, kid)
    await department.CreatePartner(
        partners_pb2.CreatePartnerRequest(unit=PROVINCE, partner_id=partner_id, display_name=partner_id.title())
    )
    await department.AddPartnerKey(
        partners_pb2.AddPartnerKeyRequest(partner_id=partner_id, kid=kid, public_key=signer.public)
    )
    return signer


async def connected(
    here: World, signer: Signer, *collections: str, unit: str = SCHOOL_A, by: str = ADMINISTRATOR
) -> int:
    """A connection of a partner with a school."""
    request = partner_connections_pb2.ConnectPartnerRequest(
        unit=unit, partner_id=signer.subject, collections=collections or ("pupils",), reason="hợp đồng 12/2026"
    )
    answer = await (await stub(here, by)).ConnectPartner(request)
    assert answer.connection.state == partner_connections_pb2.PARTNER_CONNECTION_STATE_IN_FORCE, (
        "though its grant is on its way"
    )
    return answer.connection.connection_id


async def connections(here: World, *, in_force: bool = False) -> "list[partner_connections_pb2.PartnerConnection]":
    """The connections of the school and the units around it."""
    request = partner_connections_pb2.ListUnitPartnerConnectionsRequest(unit=SCHOOL_A, in_force=in_force)
    return list((await (await stub(here)).ListUnitPartnerConnections(request)).connections)


async def outcome(here: World, token: str) -> str:
    """What a push with a token comes to: OK or the reason of its refusal."""
    try:
        answer = await (await pushing(here, token)).PushRows(push(f"one-{token[-8:]}", pupil("HS1"), source=""))
    except Fault as fault:
        return fault.reason
    return "OK" if list(answer.outcome.states) == [ACCEPTED] else str(answer.outcome)


def becomes(here: World, signer: Signer, reason: str) -> Callable[[], Awaitable[bool]]:
    """Whether asking for itself, the partner hears a reason by now."""

    async def asked() -> bool:
        try:
            await (await stub(here, token=signer.token())).GetPartner(
                partners_pb2.GetPartnerRequest(partner_id=signer.subject)
            )
        except Fault as fault:
            return fault.reason == reason
        return reason == "OK"

    return asked


async def test_all_that_is_wrong_with_a_connection_is_told_at_once(here: World) -> None:
    """Its collections and both days, each by its field."""
    signer = await registered(here)
    request = partner_connections_pb2.ConnectPartnerRequest(
        unit=SCHOOL_A,
        partner_id=signer.subject,
        collections=["pupils", "pupil", "marks"],
        valid_from="2020-01-02",
        valid_to="2020-01-01",
        reason="thử",
    )
    with pytest.raises(Fault) as refused:
        await (await stub(here)).ConnectPartner(request)
    told = {one.field: one.vi for one in refused.value.violations}
    assert set(told) == {"collections", "valid_from", "valid_to"}
    assert "“pupil”, “marks”" in told["collections"]


async def test_a_partner_pushes_with_a_token_it_signed_itself(here: World) -> None:
    """Registered, given a key and connected by the school's head, it pushes under its own id and names no source."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    await connected(here, signer, by=HEAD)
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    answer = await (await pushing(here, signer.token())).PushRows(push("b1", pupil("HS1"), source=""))
    assert list(answer.outcome.states) == [ACCEPTED]
    assert (await here.record("HS1")).source == "edusoft"


async def test_a_key_signs_for_its_partner_and_for_nobody_else(here: World) -> None:
    """Partner A's key under partner B's name is refused, and so are an unknown key and one of A under B's kid."""
    a, b = await registered(here, "edusoft", "k1"), await registered(here, "smartedu", "k2")
    await poll_until(becomes(here, a, "OK"))
    await poll_until(becomes(here, b, "OK"))
    forged = [
        a.token(sub="smartedu"),
        Signer("smartedu", "k2", a.key).token(),
        Signer("smartedu", "k3", b.key).token(),
        a.token(sub=ADMINISTRATOR),
        a.token(sub="service:sync"),
    ]
    for token in forged:
        with pytest.raises(Fault) as refused:
            await (await stub(here, token=token)).ListPartners(partners_pb2.ListPartnersRequest(unit=PROVINCE))
        assert refused.value.reason == "INVALID_TOKEN"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"seconds": 301}, "INVALID_TOKEN"),
        ({"seconds": -1}, "TOKEN_EXPIRED"),
        ({"aud": "another"}, "INVALID_TOKEN"),
        ({"iat": None}, "INVALID_TOKEN"),
    ],
)
async def test_a_token_of_a_partner_lives_five_minutes_at_most(
    here: World, claims: dict[str, int | str | None], reason: str
) -> None:
    """What lives longer, is over, is for somebody else or does not say since when is refused."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    with pytest.raises(Fault) as refused:
        await (await stub(here, token=signer.token(**claims))).GetPartner(  # type: ignore[arg-type]  # claims of any kind
            partners_pb2.GetPartnerRequest(partner_id="edusoft")
        )
    assert refused.value.reason == reason


async def test_keys_are_rotated_without_a_pause(here: World) -> None:
    """The partner adds its next key itself; both hold; the revoked one is refused within seconds, for good."""
    old = await registered(here)
    await poll_until(becomes(here, old, "OK"))
    new = Signer("edusoft", "k2")
    own = await stub(here, token=old.token())
    await own.AddPartnerKey(partners_pb2.AddPartnerKeyRequest(partner_id="edusoft", kid="k2", public_key=new.public))
    await poll_until(becomes(here, new, "OK"))
    assert await becomes(here, old, "OK")()
    own = await stub(here, token=new.token())
    await own.RevokePartnerKey(partners_pb2.RevokePartnerKeyRequest(partner_id="edusoft", kid="k1", reason="đổi khóa"))
    await poll_until(becomes(here, old, "INVALID_TOKEN"))
    assert await becomes(here, new, "OK")()
    with pytest.raises(Fault) as refused:
        await own.AddPartnerKey(
            partners_pb2.AddPartnerKeyRequest(partner_id="edusoft", kid="k1", public_key=old.public)
        )
    assert refused.value.reason == "KID_REUSED"
    listed = (await own.ListPartnerKeys(partners_pb2.ListPartnerKeysRequest(partner_id="edusoft"))).keys
    assert [(key.kid, key.in_force, key.revoked_by) for key in listed] == [("k1", False, "edusoft"), ("k2", True, "")]


async def test_a_key_holds_from_its_day_to_its_end(here: World) -> None:
    """A key may be told of beforehand; it is taken once its time has come, and no longer when that is over."""
    await registered(here)
    signer, begins = Signer("edusoft", "next"), Timestamp()
    begins.FromDatetime(here.clock.now() + timedelta(hours=1))
    ends = Timestamp(seconds=begins.seconds + 3600)
    department = await stub(here)
    request = partners_pb2.AddPartnerKeyRequest(
        partner_id="edusoft", kid="next", public_key=signer.public, valid_from=begins, valid_to=ends
    )
    assert not (await department.AddPartnerKey(request)).key.in_force
    await poll_until(becomes(here, signer, "INVALID_TOKEN"))
    here.clock.advance(timedelta(minutes=61))
    await poll_until(becomes(here, signer, "OK"))
    here.clock.advance(timedelta(minutes=60))
    await poll_until(becomes(here, signer, "INVALID_TOKEN"))


async def test_a_suspended_partner_is_refused_with_any_token_until_it_may_go_on(here: World) -> None:
    """Its own tokens and those an identity provider issued to it end within seconds; what it had comes back."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    department = await stub(here)
    await department.SuspendPartner(partners_pb2.SuspendPartnerRequest(partner_id="edusoft", reason="lộ dữ liệu"))
    await poll_until(becomes(here, signer, "SUBJECT_SUSPENDED"))
    with pytest.raises(Fault) as refused:
        await (await stub(here, "edusoft")).GetPartner(partners_pb2.GetPartnerRequest(partner_id="edusoft"))
    assert refused.value.reason == "SUBJECT_SUSPENDED"
    told = (await department.GetPartner(partners_pb2.GetPartnerRequest(partner_id="edusoft"))).partner
    assert (told.state, told.state_reason, told.state_by) == (2, "lộ dữ liệu", ADMINISTRATOR)
    await department.ResumePartner(partners_pb2.ResumePartnerRequest(partner_id="edusoft"))
    await poll_until(becomes(here, signer, "OK"))


async def test_only_public_keys_that_are_strong_enough_are_taken(here: World) -> None:
    """A private key, a short one, one of another curve and what is none are refused, each with its cause."""
    await registered(here)
    department = await stub(here)
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    other = ec.generate_private_key(ec.SECP384R1())
    for text, cause in (
        (Signer("edusoft", "x").private, "private_key"),
        (Signer("edusoft", "x", weak).public, "key_size"),
        (Signer("edusoft", "x", other).public, "other_curve"),
        ("no key", "unreadable"),
        ('{"kty": "oct", "k": "AAAA"}', "private_key"),
    ):
        with pytest.raises(Fault) as refused:
            await department.AddPartnerKey(
                partners_pb2.AddPartnerKeyRequest(partner_id="edusoft", kid="x", public_key=text)
            )
        assert (refused.value.reason, refused.value.metadata["cause"]) == ("KEY_REFUSED", cause)
    strong = Signer("edusoft", "rsa", rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256")
    await department.AddPartnerKey(
        partners_pb2.AddPartnerKeyRequest(partner_id="edusoft", kid="rsa", public_key=strong.public)
    )
    await poll_until(becomes(here, strong, "OK"))


async def test_a_partner_is_managed_by_itself_and_its_department_alone(here: World) -> None:
    """Others do not even learn that it is there; itself it cannot let go on; an id others act under is not given."""
    a, b = await registered(here, "edusoft"), await registered(here, "smartedu")
    await poll_until(becomes(here, b, "OK"))
    strangers = [await stub(here, token=b.token()), await stub(here, HEAD), await stub(here, OFFICER)]
    for stranger in strangers:
        with pytest.raises(Fault) as refused:
            await stranger.AddPartnerKey(
                partners_pb2.AddPartnerKeyRequest(partner_id="edusoft", kid="x", public_key=a.public)
            )
        assert refused.value.reason == "UNKNOWN_PARTNER"
    with pytest.raises(Fault) as refused:
        await (await stub(here, token=a.token())).ResumePartner(partners_pb2.ResumePartnerRequest(partner_id="edusoft"))
    assert refused.value.reason == "NO_GRANT"
    with pytest.raises(Fault) as refused:
        await (await stub(here)).CreatePartner(
            partners_pb2.CreatePartnerRequest(unit=PROVINCE, partner_id=HEAD, display_name="Giả danh")
        )
    assert refused.value.reason == "PARTNER_EXISTS"


async def test_a_key_acts_as_integrator_whatever_else_its_partner_holds(here: World) -> None:
    """Director and officer of the province by login, by key it manages no other partner and reads nobody unmasked."""
    signer, other = await registered(here), await registered(here, "smartedu", "k2")
    await connected(here, signer)
    for role in ("director", "officer"):
        await granted(here, signer.subject, role, PROVINCE)
    await poll_until(lambda: len(here.scopes.tree.grants_of(signer.subject, here.clock.today())) == 3)
    await poll_until(becomes(here, signer, "OK"))
    await (await pushing(here, signer.token())).PushRows(push("b1", pupil("HS1"), source=""))

    mine = await stub(here, token=signer.token())
    with pytest.raises(Fault) as refused:
        await mine.AddPartnerKey(
            partners_pb2.AddPartnerKeyRequest(partner_id=other.subject, kid="k9", public_key=Signer("x", "k9").public)
        )
    assert refused.value.reason == "UNKNOWN_PARTNER"
    with pytest.raises(Fault) as refused:
        await mine.ListPartners(partners_pb2.ListPartnersRequest(unit=PROVINCE))
    assert refused.value.reason == "NO_GRANT"

    by_key = await here.stack.enter_async_context(client(here.records_address, signer.token()))
    by_login = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(signer.subject)))
    asked = records_pb2.GetRecordRequest(collection="pupils", school=SCHOOL_A, key="HS1", purpose="xem thử")

    async def comes(channel: grpc.aio.Channel, *, masked: bool) -> bool:
        stub: records_pb2_grpc.RecordsServiceAsyncStub = records_pb2_grpc.RecordsServiceStub(channel)
        try:
            return (await stub.GetRecord(asked)).record.masked is masked
        except Fault as fault:
            if fault.reason != "NO_GRANT":
                raise
            return False  # What it may is on its way.

    await poll_until(lambda: comes(by_login, masked=False))
    await poll_until(lambda: comes(by_key, masked=True))
    grants: units_pb2_grpc.GrantsServiceAsyncStub = units_pb2_grpc.GrantsServiceStub(by_key)
    held = (await grants.ListOwnGrants(units_pb2.ListOwnGrantsRequest())).grants
    assert {one.role for one in held} == {"integrator"}


async def test_nobody_registers_a_vendor_that_acts_beyond_the_own_unit(here: World) -> None:
    """With a key of one's own making one would act for all schools it was ever let in to."""
    await granted(here, "giam-doc-xa", "director", COMMUNE)
    await granted(here, "smas", "integrator", SCHOOL_A)
    await poll_until(lambda: here.scopes.tree.grants_of("smas", here.clock.today()))
    commune = await stub(here, "giam-doc-xa")
    with pytest.raises(Fault) as refused:
        await commune.CreatePartner(
            partners_pb2.CreatePartnerRequest(unit=COMMUNE, partner_id=VENDOR, display_name="VnEdu")
        )
    assert refused.value.reason == "PARTNER_EXISTS"
    for department, unit, partner_id in ((commune, COMMUNE, "smas"), (await stub(here), PROVINCE, VENDOR)):
        await department.CreatePartner(
            partners_pb2.CreatePartnerRequest(unit=unit, partner_id=partner_id, display_name="Đã đăng ký")
        )


async def test_a_change_of_what_somebody_else_has_changed_is_refused(here: World) -> None:
    """An update names the etag it read."""
    await registered(here)
    department = await stub(here)
    etag = (await department.GetPartner(partners_pb2.GetPartnerRequest(partner_id="edusoft"))).partner.etag
    request = partners_pb2.UpdatePartnerRequest(partner_id="edusoft", etag=etag)
    request.partner.contact, request.update_mask.paths[:] = "1900 1234", ["contact"]
    assert (await department.UpdatePartner(request)).partner.contact == "1900 1234"
    with pytest.raises(Fault) as refused:
        await department.UpdatePartner(request)
    assert refused.value.reason == "PARTNER_CHANGED"


async def test_a_connection_gives_the_role_and_narrows_it_to_its_collections(here: World) -> None:
    """What it is not for is refused row by row; where it is not connected at all, the call is."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    assert await outcome(here, signer.token()) == "NO_GRANT"
    await connected(here, signer, "pupils", by=HEAD)
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    sync = await pushing(here, signer.token())
    answer = await sync.PushRows(push("b1", pupil("HS1"), staff_member("GV1"), source=""))
    assert list(answer.outcome.states) == [ACCEPTED, REJECTED]
    (problem,) = answer.outcome.problems
    assert (problem.reason, dict(problem.metadata)) == ("COLLECTION_NOT_CONNECTED", {"collection": "staff"})
    with pytest.raises(Fault) as refused:
        await sync.PushRows(push("b2", pupil("HS2", school=SCHOOL_B), unit=SCHOOL_B, source=""))
    assert refused.value.reason == "NO_GRANT"
    await registered(here, "smartedu")
    for source in ("smartedu", "file", "khong-dang-ky"):
        with pytest.raises(Fault) as refused:
            await sync.PushRows(push("b3", pupil("HS2"), source=source))
        assert refused.value.reason == "SOURCE_OF_ANOTHER"


async def test_what_it_is_not_connected_for_a_partner_neither_declares_nor_corrects(here: World) -> None:
    """A declaration would reach all that a source has, and a corrected row would be pushed after all."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    await connected(here, signer, "pupils", by=HEAD)
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    await (await here.sync()).PushRows(push("theirs", staff_member("GV1")))
    sync = await pushing(here, signer.token())
    with pytest.raises(Fault) as refused:
        await sync.PushRows(push("b1", staff_member("GV9"), full_of=full(9, collection="staff"), source=""))
    assert [one.field for one in refused.value.violations] == ["batch.full_of.collection"]
    assert await here.count("full_copy", of="records") == 0
    assert (await sync.PushRows(push("b2", pupil("HS1"), full_of=full(9), source=""))).outcome.full.state == DONE
    await sync.PushRows(push("b3", staff_member("GV2"), source=""))
    (row,) = await kept(here)
    await (await here.sync()).PushRows(push("broken", staff_member("GV3", full_name="")))
    (theirs,) = [one for one in await kept(here) if one.quarantined_row_id != row.quarantined_row_id]
    channel = await here.stack.enter_async_context(client(here.sync_address, signer.token()))
    own: quarantine_pb2_grpc.QuarantineServiceAsyncStub = quarantine_pb2_grpc.QuarantineServiceStub(channel)
    correction = quarantine_pb2.CorrectQuarantinedRowRequest(unit=SCHOOL_A, quarantined_row_id=row.quarantined_row_id)
    correction.values["staff_member.full_name"] = "Lê Văn Bình"
    answer = await own.CorrectQuarantinedRow(correction)
    assert (answer.state, answer.problem.reason) == (REJECTED, "COLLECTION_NOT_CONNECTED")
    foreign = quarantine_pb2.CorrectQuarantinedRowRequest(unit=SCHOOL_A, quarantined_row_id=theirs.quarantined_row_id)
    foreign.values["staff_member.full_name"] = "Lê Văn Bình"
    with pytest.raises(Fault) as refused:
        await own.CorrectQuarantinedRow(foreign)
    assert refused.value.reason == "UNKNOWN_QUARANTINED_ROW", "what others sent is theirs"
    replayed = await own.ReplayQuarantinedRows(quarantine_pb2.ReplayQuarantinedRowsRequest(unit=SCHOOL_A))
    assert (replayed.accepted_count, replayed.remaining_count) == (0, 1)
    assert (await (await ward(here)).CorrectQuarantinedRow(correction)).state == ACCEPTED, "the school's clerk may"


async def test_a_grant_is_worth_nothing_once_its_connection_has_ended(here: World) -> None:
    """Though records could not take it back, or services do not know yet; one that was given otherwise counts."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    await connected(here, signer, "pupils", by=HEAD)
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    async with here.sync_database.transaction() as writes:
        await writes.exec_driver_sql("UPDATE partner_connection SET valid_to = valid_from")
    assert await outcome(here, signer.token()) == "NO_GRANT"
    await granted(here, "edusoft", "integrator", PROVINCE)
    await poll_until(lambda: len(here.scopes.tree.grants_of("edusoft", here.clock.today())) == 2)
    answer = await (await pushing(here, signer.token())).PushRows(push("b1", staff_member("GV1"), source=""))
    assert list(answer.outcome.states) == [ACCEPTED]


async def test_a_grant_given_otherwise_counts_beside_a_connection_and_is_narrowed_by_nothing(here: World) -> None:
    """The department's grant on the province lets it push what the school's connection is not for."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    await connected(here, signer, "pupils", by=HEAD)
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    sync = await pushing(here, signer.token())
    answer = await sync.PushRows(push("b1", staff_member("GV1"), source=""))
    assert [one.reason for one in answer.outcome.problems] == ["COLLECTION_NOT_CONNECTED"]

    await granted(here, "edusoft", "integrator", PROVINCE)
    await poll_until(lambda: len(here.scopes.tree.grants_of("edusoft", here.clock.today())) == 2)

    answer = await sync.PushRows(push("b2", staff_member("GV1"), source=""))
    assert list(answer.outcome.states) == [ACCEPTED]


async def test_a_grant_that_is_being_given_is_narrowed_from_its_first_moment(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services may know the grant before connecting has been answered: its connection is kept by then."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    given, go_on, give = asyncio.Event(), asyncio.Event(), Grants.give

    async def give_and_pause(self: Grants, *args: Any, **kwargs: Any) -> int:
        grant_id = await give(self, *args, **kwargs)
        given.set()
        await go_on.wait()
        return grant_id

    monkeypatch.setattr(Grants, "give", give_and_pause)
    connecting = asyncio.create_task(connected(here, signer, "pupils", by=HEAD))
    await given.wait()
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    answer = await (await pushing(here, signer.token())).PushRows(
        push("b1", pupil("HS1"), staff_member("GV1"), source="")
    )
    go_on.set()
    await connecting
    assert list(answer.outcome.states) == [ACCEPTED, REJECTED]
    assert [one.reason for one in answer.outcome.problems] == ["COLLECTION_NOT_CONNECTED"]


async def test_connecting_that_was_cut_is_completed_by_asking_again_or_by_ending_it(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grant whose answer was lost is narrowed meanwhile, is found again, and can be taken back."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    give = Grants.give

    async def give_and_lose(self: Grants, *args: Any, **kwargs: Any) -> int:
        await give(self, *args, **kwargs)
        raise Fault(Kind.UNAVAILABLE, "UNAVAILABLE", vi="mất trả lời", en="the answer was lost")

    for completed_by in ("asking", "ending"):
        with monkeypatch.context() as cut:
            cut.setattr(Grants, "give", give_and_lose)
            with pytest.raises(Fault) as lost:
                await connected(here, signer, "pupils", by=HEAD)
            assert lost.value.reason == "UNAVAILABLE"
        await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
        (grant,) = here.scopes.tree.grants_of("edusoft", here.clock.today())
        sync, rows = await pushing(here, signer.token()), (pupil(f"HS-{completed_by}"), staff_member("GV1"))
        answer = await sync.PushRows(push(completed_by, *rows, source=""))
        assert list(answer.outcome.states) == [ACCEPTED, REJECTED]
        (told,) = await connections(here, in_force=True)
        assert told.state == partner_connections_pb2.PARTNER_CONNECTION_STATE_WITHOUT_GRANT
        if completed_by == "asking":
            assert await connected(here, signer, "pupils", by=HEAD) == told.connection_id
            (completed,) = await connections(here, in_force=True)
            assert completed.grant_id == grant.grant_id
        await (await stub(here, HEAD)).EndPartnerConnection(
            partner_connections_pb2.EndPartnerConnectionRequest(
                unit=SCHOOL_A, connection_id=told.connection_id, reason="thôi"
            )
        )
        await poll_until(lambda: not here.scopes.tree.grants_of("edusoft", here.clock.today()))


async def test_who_cannot_give_the_role_leaves_no_connection_behind(here: World) -> None:
    """Records refuses a grant beyond the head's own days; another partner can be connected for the same collections."""
    signer, other = await registered(here, "edusoft"), await registered(here, "smartedu")
    last = here.clock.today() + timedelta(days=30)
    await granted(here, "hieu-pho", "head_teacher", SCHOOL_A, valid_to=last.isoformat())
    await poll_until(lambda: here.scopes.tree.grants_of("hieu-pho", here.clock.today()))
    with pytest.raises(Fault) as refused:
        await connected(here, signer, "pupils", by="hieu-pho")
    assert refused.value.reason == "ROLE_NOT_HELD"
    assert await connections(here) == []
    await connected(here, other, "pupils", by=HEAD)


async def test_connecting_again_gives_a_grant_anew_that_was_revoked(here: World) -> None:
    """Who connects is answered a connection that works, not one without grant."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    connection = await connected(here, signer, by=HEAD)
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    await here.revoke("edusoft")
    await poll_until(lambda: not here.scopes.tree.grants_of("edusoft", here.clock.today()))
    assert await connected(here, signer, by=HEAD) == connection
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    (told,) = await connections(here)
    assert told.state == partner_connections_pb2.PARTNER_CONNECTION_STATE_IN_FORCE
    assert await outcome(here, signer.token()) == "OK"


async def test_a_connection_that_is_ended_ends_the_role_and_stays_as_history(here: World) -> None:
    """At once or on a day; who ended it and why is told."""
    signer = await registered(here)
    connection = await connected(here, signer, by=HEAD)
    assert await connected(here, signer, by=HEAD) == connection, "the same terms again are the same connection"
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    head = await stub(here, HEAD)
    day = here.clock.today() + timedelta(days=30)
    request = partner_connections_pb2.EndPartnerConnectionRequest(
        unit=SCHOOL_A, connection_id=connection, valid_to=day.isoformat(), reason="hết hợp đồng"
    )
    assert (
        await head.EndPartnerConnection(request)
    ).connection.state == partner_connections_pb2.PARTNER_CONNECTION_STATE_IN_FORCE
    await poll_until(lambda: not here.scopes.tree.grants_of("edusoft", day))
    assert here.scopes.tree.grants_of("edusoft", day - timedelta(days=1))
    request.valid_to = ""
    assert (
        await head.EndPartnerConnection(request)
    ).connection.state == partner_connections_pb2.PARTNER_CONNECTION_STATE_ENDED
    await poll_until(lambda: not here.scopes.tree.grants_of("edusoft", here.clock.today()))
    (told,) = (
        await head.ListUnitPartnerConnections(partner_connections_pb2.ListUnitPartnerConnectionsRequest(unit=SCHOOL_A))
    ).connections
    assert (told.connected_by, told.ended_by, told.end_reason) == (HEAD, HEAD, "hết hợp đồng")


async def test_a_grant_revoked_in_records_shows_at_its_connection(here: World) -> None:
    """The grant is the truth: without it a connection says so instead of claiming to be in force."""
    signer = await registered(here)
    await connected(here, signer)
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    await here.revoke("edusoft")
    (told,) = (
        await (await stub(here)).ListPartnerConnections(
            partner_connections_pb2.ListPartnerConnectionsRequest(partner_id="edusoft")
        )
    ).connections
    assert told.state == partner_connections_pb2.PARTNER_CONNECTION_STATE_WITHOUT_GRANT


async def test_a_school_is_handed_over_from_one_vendor_to_another_on_a_day(here: World) -> None:
    """From the day on the new one's rows take over and the old one's are refused; saying it twice changes nothing."""
    old, new = await registered(here, "edusoft"), await registered(here, "smartedu")
    await poll_until(becomes(here, old, "OK"))
    await poll_until(becomes(here, new, "OK"))
    connection = await connected(here, old, "pupils")
    with pytest.raises(Fault) as refused:
        await connected(here, new, "pupils", "results")
    assert (refused.value.reason, refused.value.metadata["partner_id"]) == ("ALREADY_CONNECTED", "edusoft")
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    answer = await (await pushing(here, old.token())).PushRows(push("o1", pupil("HS1", version=7), source=""))
    assert list(answer.outcome.states) == [ACCEPTED]
    head = await stub(here, HEAD)
    day = here.clock.today() + timedelta(days=10)
    request = partner_connections_pb2.HandOverPartnerConnectionRequest(
        unit=SCHOOL_A, connection_id=connection, partner_id="smartedu", day=day.isoformat(), reason="đổi phần mềm"
    )
    done = await head.HandOverPartnerConnection(request)
    assert (done.ended.valid_to, done.begun.valid_from, done.handed_over_count) == (day.isoformat(), day.isoformat(), 1)
    assert done.begun.handed_over_from == connection
    again = await head.HandOverPartnerConnection(request)
    assert (again.begun.connection_id, again.ended.valid_to) == (done.begun.connection_id, day.isoformat())
    await poll_until(lambda: here.scopes.tree.grants_of("smartedu", day))
    assert await outcome(here, new.token()) == "NO_GRANT"
    here.clock.advance(timedelta(days=10))
    await poll_until(lambda: not here.scopes.tree.grants_of("edusoft", day))
    answer = await (await pushing(here, new.token())).PushRows(push("n1", pupil("HS1", version=1), source=""))
    assert list(answer.outcome.states) == [ACCEPTED]
    assert await outcome(here, old.token()) == "NO_GRANT"
    assert (await here.record("HS1")).source == "smartedu"
