"""The edge's own refusals have the shape of the services'."""

import base64
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from gateway.envoy.edge import CONSOLE, Edge
from gateway.envoy.replies import REPLIES, local_replies

EDGE = Edge(listen="127.0.0.1:0", backends={}, jwks="/keys.json", issuer="https://i")
NO_PAGE = 2  # For a browser, by the two statuses with which what is no page is refused.
MAPPERS = local_replies(EDGE)["mappers"][NO_PAGE:]


def test_each_refusal_is_told_in_both_languages_and_both_protocols() -> None:
    """Four renderings each, and none without a reason."""
    assert len(MAPPERS) == 4 * len(REPLIES)
    assert all(reply.reason.isupper() and reply.vi and reply.en for reply in REPLIES)


@pytest.mark.parametrize("mapper", MAPPERS)
def test_every_rendering_is_a_status_with_error_info_and_a_sentence(mapper: dict[str, Any]) -> None:
    """Reason and domain for programs, a sentence for people, under 4 kB."""
    override = mapper["body_format_override"]
    if "json_format" in override:
        status = json_format.ParseDict(override["json_format"], status_pb2.Status())
    else:
        headers = {each["header"]["key"]: each["header"]["value"] for each in mapper["headers_to_add"]}
        encoded = headers["grpc-status-details-bin"]
        status = status_pb2.Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
        assert headers["grpc-status"] == str(status.code)
        assert len(encoded) < 4096
    info, text = error_details_pb2.ErrorInfo(), error_details_pb2.LocalizedMessage()
    assert status.code
    assert status.details[0].Unpack(info)
    assert info.domain == "gateway.iocedu"
    assert status.details[1].Unpack(text)
    assert text.locale in ("vi", "en")
    assert text.message


def test_the_page_for_what_is_no_page_can_be_read_by_the_edge_and_leads_home() -> None:
    """A percent sign would be read as a variable, and the edge would not start."""
    text = (CONSOLE / "missing.html").read_text("utf-8")
    assert "%" not in text
    assert 'href="/"' in text


def test_a_rate_limit_is_exhaustion_and_says_when_to_come_back() -> None:
    """RESOURCE_EXHAUSTED, not UNAVAILABLE: a client must slow down, not try another server."""
    limited = next(reply for reply in REPLIES if reply.status == 429)
    assert (limited.code, limited.retry_seconds) == (8, 1)


def test_an_unknown_method_is_404_for_rest_and_unimplemented_for_grpc() -> None:
    """Each protocol hears it in its own words."""
    unknown = next(reply for reply in REPLIES if reply.status == 404)
    assert (unknown.code, unknown.grpc_code) == (5, 12)
