"""What the edge itself answers when a call does not get through: the same `google.rpc.Status` as the services give.

A REST caller gets it as JSON, a gRPC caller as status and `grpc-status-details-bin`; each in English where the caller
prefers it, else with a sentence in Vietnamese. A browser that opens an address where there is no page gets a page.
"""

import base64
from dataclasses import dataclass
from typing import Any

from google.protobuf import any_pb2, duration_pb2, json_format, message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from gateway.envoy import site
from gateway.envoy.edge import Edge

DOMAIN = "gateway.iocedu"


@dataclass(frozen=True)
class Reply:
    """One refusal of the edge: for HTTP status `status` (and `when`, in CEL) it says `reason` as `code`.

    `becomes` replaces the HTTP status; `grpc_code` is the code for gRPC callers where it differs; `detail` adds what
    Envoy found wrong to the English sentence.
    """

    status: int
    code: code_pb2.Code
    reason: str
    vi: str
    en: str
    when: str = ""
    becomes: int = 0
    grpc_code: code_pb2.Code | None = None
    retry_seconds: int = 0
    detail: bool = False


# How a sentence goes on with what the edge itself says, which is English.
DETAILED = {"vi": "{} Chi tiết: %LOCAL_REPLY_BODY%", "en": "{}: %LOCAL_REPLY_BODY%"}

# Order matters: the first that fits answers.
REPLIES = (
    Reply(
        400,
        code_pb2.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        vi="Yêu cầu không đọc được: kiểm tra tên tham số, kiểu dữ liệu và cú pháp JSON.",
        en="The request cannot be read",
        detail=True,
    ),
    Reply(
        401,
        code_pb2.UNAUTHENTICATED,
        "NO_TOKEN",
        vi="Chưa đăng nhập: yêu cầu không có mã truy cập.",
        en="The request carries no token: send `authorization: Bearer <token>`.",
        when="!('authorization' in request.headers)",
    ),
    Reply(
        401,
        code_pb2.UNAUTHENTICATED,
        "TOKEN_EXPIRED",
        vi="Phiên đăng nhập đã hết hạn. Vui lòng đăng nhập lại.",
        en="The token has expired; get a new one.",
        when="response.code_details.contains('expired')",
    ),
    Reply(
        401,
        code_pb2.UNAUTHENTICATED,
        "UNKNOWN_KEY",
        vi="Khóa ký mã truy cập không có hiệu lực: chưa đăng ký, đã thu hồi, hết hạn, hoặc đối tác đang bị tạm dừng.",
        en="The key that signed the token is not in force: not registered, revoked, out of its time, or its partner is "
        "suspended.",
        when="response.code_details.contains('match_kid')",
    ),
    Reply(
        401,
        code_pb2.UNAUTHENTICATED,
        "INVALID_TOKEN",
        vi="Mã truy cập không hợp lệ. Vui lòng đăng nhập lại.",
        en="The token is not one this centre accepts: its signature, issuer or form is wrong.",
    ),
    # A wrong audience is a wrong token, as the services say too, not a missing right.
    Reply(
        403,
        code_pb2.UNAUTHENTICATED,
        "INVALID_TOKEN",
        vi="Mã truy cập không dành cho hệ thống này. Vui lòng đăng nhập lại.",
        en="The token is for another audience.",
        becomes=401,
    ),
    Reply(
        404,
        code_pb2.NOT_FOUND,
        "UNKNOWN_METHOD",
        vi="Không có địa chỉ này. Danh sách đầy đủ ở /docs.",
        en="There is nothing at this address; /openapi.json lists what there is.",
        grpc_code=code_pb2.UNIMPLEMENTED,
    ),
    Reply(
        413,
        code_pb2.INVALID_ARGUMENT,
        "TOO_LARGE",
        vi="Yêu cầu quá lớn. Hãy chia nhỏ, hoặc gửi dạng NDJSON qua địa chỉ push.",
        en="The request is too large: split it, or send NDJSON to the push address, which streams.",
    ),
    Reply(
        429,
        code_pb2.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
        vi="Quá nhiều yêu cầu trong một giây. Vui lòng chờ rồi thử lại.",
        en="Too many requests per second; wait and try again.",
        retry_seconds=1,
    ),
    Reply(
        431,
        code_pb2.INVALID_ARGUMENT,
        "HEADERS_TOO_LARGE",
        vi="Phần đầu của yêu cầu quá lớn.",
        en="The headers of the request are too large.",
    ),
    *(
        Reply(
            status,
            code_pb2.DEADLINE_EXCEEDED,
            "TIMEOUT",
            vi="Hệ thống trả lời quá chậm. Vui lòng thử lại sau ít phút.",
            en="The service did not answer in time; try again.",
            retry_seconds=2,
        )
        for status in (408, 504)
    ),
    *(
        Reply(
            status,
            code_pb2.UNAVAILABLE,
            "UNAVAILABLE",
            vi="Dịch vụ tạm thời không sẵn sàng. Vui lòng thử lại sau ít phút.",
            en="The service is not available right now; try again.",
            retry_seconds=2,
        )
        for status in (502, 503)
    ),
)


def local_replies(edge: Edge) -> dict[str, Any]:
    """Envoy's `local_reply_config` for all replies."""
    return {
        "mappers": [
            *(_no_page(edge, status) for status in (401, 404)),
            *(
                _mapper(reply, language, over_grpc=over_grpc)
                for reply in REPLIES
                for language in ("en", "vi")
                for over_grpc in (False, True)
            ),
        ]
    }


def _no_page(edge: Edge, status: int) -> dict[str, Any]:
    """What a browser is shown that opens what is no page: it has no token to send, so that is refused first."""
    filters = [
        {"status_code_filter": {"comparison": {"op": "EQ", "value": _runtime(status)}}},
        _header(":method", "GET", inverted=False),
        _header("accept", "text/html", inverted=False),
        _header("authorization", "Bearer", inverted=True),
        _header(":path", "/v1/", inverted=True),
    ]
    return {
        "filter": {"and_filter": {"filters": filters}},
        "status_code": 404,
        "headers_to_add": [_set(name, value) for name, value in site.PROTECTING.items()],
        "body_format_override": {
            "text_format_source": {"filename": str(edge.console / "missing.html")},
            "content_type": "text/html; charset=utf-8",
        },
    }


def _mapper(reply: Reply, language: str, *, over_grpc: bool) -> dict[str, Any]:
    status = _status(reply, language, code=(reply.grpc_code if over_grpc else None) or reply.code)
    filters = [
        {"status_code_filter": {"comparison": {"op": "EQ", "value": _runtime(reply.status)}}},
        _caller(over_grpc=over_grpc),
    ]
    if language == "en":
        filters.append(_header("accept-language", "en", inverted=False))
    if reply.when:
        filters.append(_cel(reply.when))
    mapper: dict[str, Any] = {"filter": {"and_filter": {"filters": filters}}}
    if reply.becomes:
        mapper["status_code"] = reply.becomes
    sentence = f"{status.message}: %LOCAL_REPLY_BODY%" if reply.detail else status.message
    if over_grpc:
        mapper["body_format_override"] = {"text_format_source": {"inline_string": sentence}}
        mapper["headers_to_add"] = [
            _set("grpc-status", str(status.code)),
            _set("grpc-status-details-bin", base64.b64encode(status.SerializeToString()).decode().rstrip("=")),
        ]
    else:
        body = json_format.MessageToDict(status, preserving_proto_field_name=True)
        if reply.detail:
            for said in (each for each in body["details"] if "message" in each):
                said["message"] = DETAILED[language].format(said["message"])
        mapper["body_format_override"] = {
            "json_format": body | {"message": sentence},
            "content_type": "application/json",
        }
        if reply.retry_seconds:
            mapper["headers_to_add"] = [_set("retry-after", str(reply.retry_seconds))]
    return mapper


def _status(reply: Reply, language: str, *, code: code_pb2.Code) -> status_pb2.Status:
    details: list[message.Message] = [
        error_details_pb2.ErrorInfo(reason=reply.reason, domain=DOMAIN),
        error_details_pb2.LocalizedMessage(locale=language, message=reply.en if language == "en" else reply.vi),
    ]
    if reply.retry_seconds:
        details.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=reply.retry_seconds)))
    status = status_pb2.Status(code=int(code), message=reply.en)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _runtime(value: int) -> dict[str, Any]:
    # Envoy wants a name by which the value could be overridden at run time; none of ours is.
    return {"default_value": value, "runtime_key": "iocedu.unused"}


def _caller(*, over_grpc: bool) -> dict[str, Any]:
    # A transcoded call looks like gRPC from then on; only the address it came with tells.
    names_grpc = _header("content-type", "application/grpc", inverted=not over_grpc)
    transcoded = _header("x-envoy-original-path", "/", inverted=over_grpc)
    return {"and_filter" if over_grpc else "or_filter": {"filters": [names_grpc, transcoded]}}


def _header(name: str, prefix: str, *, inverted: bool) -> dict[str, Any]:
    return {
        "header_filter": {
            "header": {
                "name": name,
                "string_match": {"prefix": prefix},
                "invert_match": inverted,
                "treat_missing_header_as_empty": True,
            }
        }
    }


def _cel(expression: str) -> dict[str, Any]:
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                "expression": expression,
            },
        }
    }


def _set(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
