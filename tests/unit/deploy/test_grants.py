"""When a token that was asked for may be printed."""

import httpx
import pytest

from deploy.local import grants

FORBIDDEN, FINE = httpx.codes.FORBIDDEN, httpx.codes.OK


@pytest.mark.parametrize(("role", "services"), [("officer", 5), ("integrator", 2)])
def test_a_grant_is_waited_for_in_every_service_that_the_role_may_call(role: str, services: int) -> None:
    """Each hears of it in its own time; where a role may do nothing of the kind nothing is waited for."""
    asked: dict[str, int] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        asked[request.url.path] = count = asked.get(request.url.path, 0) + 1
        return httpx.Response(FINE if count > 2 else FORBIDDEN)

    with httpx.Client(base_url="http://gateway", transport=httpx.MockTransport(answer)) as client:
        grants.wait_until_known(client, "token", role=role, unit="gso:48")
    assert list(asked.values()) == [3] * services
    assert {"/v1/units/gso:48", "/v1/units/gso:48/coverage"} <= asked.keys()
