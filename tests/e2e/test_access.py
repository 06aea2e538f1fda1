"""Deny by default: every method refuses who may not call it. The cases come from the protos, none by hand."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from tests.e2e.world import DIRECTOR, FAR, PROVINCE, SCHOOL, STRANGER, World, give
from tests.support.methods import Method, methods
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

Metadata = tuple[tuple[str, str], ...]
ALL = list(methods())
PUBLIC = [method for method in ALL if method.public]
WITH_ROLES = [method for method in PUBLIC if not method.access.any_subject]
OF_EVERY_UNIT = [method for method in PUBLIC if method.access.every_unit]
OF_A_UNIT = [method for method in WITH_ROLES if method.access.unit_field]
INTERNAL = [method for method in ALL if not method.public]


async def refusal(world: World, method: Method, token: str | None, *, unit: str = SCHOOL) -> tuple[str, str]:
    """Call a method as a client does and return (status code, reason); ("OK", "") when it answered."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    call = _stream if method.descriptor.client_streaming else _send
    try:
        await call(world, method, method.request(unit), metadata)
    except grpc.RpcError as error:
        return error.code().name, reason(error)
    return "OK", ""


async def _send(world: World, method: Method, request: Message, metadata: Metadata) -> None:
    streamed = method.descriptor.server_streaming
    factory: Any = world.channel.unary_stream if streamed else world.channel.unary_unary
    call = factory(method.path, request_serializer=_serialized)
    running = call(request, metadata=metadata, timeout=60)
    if streamed:
        await running.read()
        running.cancel()
    else:
        await running


async def _stream(world: World, method: Method, request: Message, metadata: Metadata) -> None:
    """By the blocking client: the asynchronous one loses the status of a stream that is refused while it writes."""

    def stream() -> None:
        with grpc.insecure_channel(world.fleet.gateway) as channel:
            streamed = method.descriptor.server_streaming
            factory: Any = channel.stream_stream if streamed else channel.stream_unary
            call = factory(method.path, request_serializer=_serialized)
            answer = call(iter([request]), metadata=metadata, timeout=60)
            if streamed:
                next(answer)

    await asyncio.to_thread(stream)


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def reason(error: Any) -> str:
    """The stable reason of an error."""
    trailers: Any = error.trailing_metadata() or ()
    raw: Any = next((value for key, value in trailers if key == "grpc-status-details-bin"), b"")
    info = error_details_pb2.ErrorInfo()
    for detail in status_pb2.Status.FromString(raw).details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def ids(cases: list[Method]) -> list[str]:
    """Names of the cases."""
    return [method.full_name.removeprefix("iocedu.") for method in cases]


def test_every_method_says_who_may_call_it() -> None:
    """A method without the option could be called by nobody, which is never meant."""
    silent = [m.full_name for m in ALL if not (m.access.roles or m.access.any_subject or m.access.services)]

    assert silent == []


@pytest.mark.parametrize("method", PUBLIC, ids=ids(PUBLIC))
async def test_without_a_token_nothing_answers(world: World, method: Method) -> None:
    """No token, no call."""
    code, _ = await refusal(world, method, None)

    assert code == "UNAUTHENTICATED"


@pytest.mark.parametrize("method", PUBLIC, ids=ids(PUBLIC))
async def test_an_expired_token_is_refused(world: World, method: Method) -> None:
    """What was true an hour ago is not enough."""
    token = world.fleet.issuer.mint(DIRECTOR, lifetime=timedelta(hours=-1))

    code, _ = await refusal(world, method, token)

    assert code == "UNAUTHENTICATED"


@pytest.mark.parametrize("method", PUBLIC, ids=ids(PUBLIC))
async def test_a_token_of_another_signer_is_refused(world: World, method: Method, tmp_path: Any) -> None:
    """A well-formed token whose key nobody published proves nothing."""
    from deploy.local.issuer import Issuer  # noqa: PLC0415  only here a second issuer is made

    code, _ = await refusal(world, method, Issuer(tmp_path).mint(DIRECTOR))

    assert code == "UNAUTHENTICATED"


@pytest.mark.parametrize("method", WITH_ROLES, ids=ids(WITH_ROLES))
async def test_who_holds_no_grant_is_refused(world: World, method: Method) -> None:
    """A valid token says who, not what one may."""
    assert await refusal(world, method, world.token(STRANGER)) == ("PERMISSION_DENIED", "NO_GRANT")


@pytest.mark.parametrize("method", OF_A_UNIT, ids=ids(OF_A_UNIT))
async def test_a_role_on_another_unit_does_not_count(world: World, method: Method) -> None:
    """Whoever holds the role on one school may not use it on another, nor on what is above both."""
    subject = f"elsewhere-{method.access.roles[0]}"
    await give(world, [(subject, method.access.roles[0], FAR)])
    own = {"NO_GRANT"}

    async def known() -> bool:
        return (await refusal(world, method, world.token(subject), unit=FAR))[1] not in own

    await poll_until(known)
    for unit in (SCHOOL, PROVINCE):
        assert await refusal(world, method, world.token(subject), unit=unit) == ("PERMISSION_DENIED", "NO_GRANT")


@pytest.mark.parametrize("method", OF_EVERY_UNIT, ids=ids(OF_EVERY_UNIT))
async def test_a_role_on_one_unit_does_not_reach_them_all(world: World, method: Method) -> None:
    """What reaches beyond one unit is for who holds the role on every unit, not on a school or the province."""
    subject = f"only-one-{method.access.roles[0]}"
    await give(world, [(subject, method.access.roles[0], SCHOOL), (subject, method.access.roles[0], PROVINCE)])

    async def known() -> bool:
        return len((await world.get("/v1/me/grants", subject)).get("grants", [])) == 2

    await poll_until(known)
    assert await refusal(world, method, world.token(subject)) == ("PERMISSION_DENIED", "NO_GRANT")


@pytest.mark.parametrize("method", OF_A_UNIT, ids=ids(OF_A_UNIT))
async def test_a_revoked_grant_stops_working_at_once(world: World, method: Method) -> None:
    """Within seconds no service accepts it any more."""
    subject = f"revoked-{method.full_name.rsplit('.', 1)[1]}-{time.monotonic_ns()}"
    granted = await give(world, [(subject, method.access.roles[0], SCHOOL)])

    async def allowed() -> bool:
        return (await refusal(world, method, world.token(subject)))[1] != "NO_GRANT"

    await poll_until(allowed)
    await world.post(f"/v1/grants/{granted[0]}:revoke", "admin", {})

    async def refused() -> bool:
        return await refusal(world, method, world.token(subject)) == ("PERMISSION_DENIED", "NO_GRANT")

    await poll_until(refused)


@pytest.mark.parametrize("method", INTERNAL, ids=ids(INTERNAL))
async def test_what_is_between_services_is_not_reachable_from_outside(world: World, method: Method) -> None:
    """The gateway knows no such method, whoever asks."""
    code, _ = await refusal(world, method, world.token("admin"))

    assert code == "UNIMPLEMENTED"


async def test_a_caller_may_not_pretend_to_be_a_service(world: World) -> None:
    """Only a service's own key makes a service; its name in a person's token does not."""
    method = next(method for method in ALL if method.full_name.endswith("ListChanges"))
    token = world.token("service:reporting")

    assert await refusal(world, method, token) == ("UNAUTHENTICATED", "INVALID_TOKEN")
