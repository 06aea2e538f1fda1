"""The gateway's page in docs/ says what the gateway does."""

import re
from pathlib import Path

from google.rpc import code_pb2

from gateway.envoy.edge import Limits
from gateway.envoy.replies import REPLIES

PAGE = (Path(__file__).resolve().parents[3] / "docs/gateway.md").read_text("utf-8")


def test_every_refusal_is_on_the_page_with_its_codes() -> None:
    """Reason, HTTP status and gRPC code, each as callers get them, and none that is not given."""
    told = set(re.findall(r"^\| `([A-Z_]+)` \| (\d+) \| ([A-Z_]+) \|", PAGE, flags=re.MULTILINE))
    given = {
        (reply.reason, str(reply.becomes or reply.status), code_pb2.Code.Name(reply.grpc_code or reply.code))
        for reply in REPLIES
    }
    assert told <= given
    assert {reason for reason, _, _ in told} == {reply.reason for reply in REPLIES}


def test_the_limits_on_the_page_are_the_ones_set() -> None:
    """16 MB, 30 s, two minutes."""
    limits = Limits()
    assert f"{limits.request_bytes // 2**20} MB" in PAGE
    assert f"have {limits.unary_seconds} s" in PAGE
    assert limits.stream_idle_seconds == 120
    assert "every two minutes" in PAGE
