"""Puts the OpenAPI document together: one operation for each method with a REST face, errors in one shape."""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.interface import Interface, Method, Rest
from gateway.openapi import examples
from gateway.openapi.comments import comments
from gateway.openapi.schemas import Schema, Schemas, rules

_BODY = "google.api.HttpBody"
_STATUS = "google.rpc.Status"
_ABOUT = """REST face of the education operations centre; the same methods are served over gRPC on the same port.

Send `authorization: Bearer <token>` with every call. A unit is named by alias (`gso:48`, `moet:49502001`) or by id. \
64-bit integers are strings in JSON. Lists have `page_size` and `page_token`; streams are NDJSON, one message a line, \
and one that stops without `end` was cut: resume it from the last position. Errors are `google.rpc.Status` with a \
stable `reason` and a sentence in the language of `accept-language`."""
_ERRORS = {
    "400": "The request breaks a rule; `details` names each field.",
    "401": "No token, or one that is not valid (any more).",
    "403": "The caller holds no role on the unit that allows this.",
    "404": "There is no such thing.",
    "429": "Too many requests; try again after `retry_delay`.",
    "503": "Not available right now; try again after `retry_delay`.",
}


def document(interface: Interface) -> dict[str, Any]:
    """The OpenAPI document of all public methods with a REST face."""
    words = comments(interface.files)
    schemas = Schemas(words)
    paths: dict[str, dict[str, Any]] = {}
    tags: dict[str, str] = {}
    for method in interface.public:
        if method.rest is None:
            continue
        tag = method.service.rpartition(".")[2]
        tags[tag] = words.get(method.service, "")
        operation = _operation(method, method.rest, schemas, words)
        paths.setdefault(method.rest.path, {})[method.rest.verb] = operation | {"tags": [tag]}
    # Details of errors travel as `Any`: nothing refers to them, so they are asked for by name.
    for name in (
        _STATUS,
        *(f"google.rpc.{kind}" for kind in ("ErrorInfo", "BadRequest", "RetryInfo", "LocalizedMessage")),
    ):
        schemas.message(interface.message(name))
    return {
        "openapi": "3.1.0",
        "info": {"title": "IOC Edu", "version": metadata.version("iocedu"), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": text} for name, text in sorted(tags.items())],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.found.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(method: Method, rest: Rest, schemas: Schemas, words: Mapping[str, str]) -> dict[str, Any]:
    text = words.get(f"{method.service}.{method.name}", "")
    request: Descriptor = method.descriptor.input_type
    in_path = re.findall(r"{([^}=]+)", rest.path)
    operation: dict[str, Any] = {
        "operationId": f"{method.service.rpartition('.')[2]}_{method.name}",
        "summary": text.partition(". ")[0].rstrip("."),
        "description": "\n\n".join(part for part in (text, _who(method)) if part),
        "parameters": [
            *(_parameter(schemas, request.fields_by_name[name], "path", name) for name in in_path),
            *_query(schemas, request, rest, in_path),
        ],
        "responses": _responses(method, schemas, words.get(method.descriptor.output_type.full_name, "")),
    }
    known = examples.OF_A_DOCUMENT if _is_document(request, rest) else examples.PARAMETERS
    for each in operation["parameters"]:
        if each["name"] in known:
            each["example"] = known[each["name"]]
    if rest.body:
        operation["requestBody"] = {"required": True, "content": _content(schemas, request, rest, in_path)}
    return operation


def _who(method: Method) -> str:
    if method.access.any_subject:
        but = "" if method.access.self_signed else ", but none that a partner signed itself"
        return f"Any valid token suffices{but}."
    where = f"on `{method.access.unit_field}` or above it" if method.access.unit_field else "anywhere"
    where = "on every unit" if method.access.every_unit else where
    text = f"Needs one of the roles {', '.join(f'`{role}`' for role in method.access.roles)}, held {where}."
    return f"{text} Answers can hold personal data." if method.access.reveals_personal_data else text


def _query(schemas: Schemas, request: Descriptor, rest: Rest, in_path: list[str]) -> Iterator[dict[str, Any]]:
    """Whatever is neither in the path nor in the body is a query parameter; fields of a message by dotted name."""
    if rest.body == "*":
        return
    fields = [field for field in request.fields if field.name not in (*in_path, rest.body)]
    for name, field in _dotted(fields):
        yield _parameter(schemas, field, "query", name)


def _dotted(fields: Iterable[FieldDescriptor], inside: str = "") -> Iterator[tuple[str, FieldDescriptor]]:
    for field in fields:
        name = f"{inside}{field.name}"
        if field.message_type is None:
            yield name, field
        elif not field.is_repeated:
            yield from _dotted(field.message_type.fields, f"{name}.")


def _parameter(schemas: Schemas, field: FieldDescriptor, where: str, name: str) -> dict[str, Any]:
    schema = schemas.field(field)
    return {
        "name": name,
        "in": where,
        "required": where == "path" or rules(field).required,
        "description": schema.pop("description", ""),
        "schema": schema,
    }


def _content(schemas: Schemas, request: Descriptor, rest: Rest, in_path: list[str]) -> dict[str, Any]:
    if rest.body == "*":
        return {"application/json": {"schema": schemas.object(request, without=tuple(in_path))}}
    if not _is_document(request, rest):
        return {"application/json": {"schema": schemas.field(request.fields_by_name[rest.body])}}
    # A document: the service reads it itself. Its rows are those of the gRPC push.
    row: Schema = {"type": "object", "additionalProperties": True}
    pushed = request.file.message_types_by_name.get("PushRowsRequest")
    if pushed is not None:
        row = schemas.field(pushed.fields_by_name["rows"])["items"]
    rows: Schema = {"type": "object", "properties": {"rows": {"type": "array", "items": row}}}
    return {
        "application/json": {"schema": rows, "example": {"rows": [examples.ROW]}},
        "application/x-ndjson": {"schema": {"type": "string", "description": "One row a line."}},
    }


def _is_document(request: Descriptor, rest: Rest) -> bool:
    kind = request.fields_by_name[rest.body].message_type if rest.body not in ("", "*") else None
    return kind is not None and kind.full_name == _BODY


def _responses(method: Method, schemas: Schemas, said: str) -> dict[str, Any]:
    answer = _answered(method, schemas)
    text = f"{said} One message a line, until `end`." if method.descriptor.server_streaming else said
    error = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_STATUS}"}}}
    return {
        "200": {"description": text, "content": answer},
        **{status: {"description": words, "content": error} for status, words in _ERRORS.items()},
    }


def _answered(method: Method, schemas: Schemas) -> dict[str, Any]:
    output = method.descriptor.output_type
    name = method.rest.response_body if method.rest else ""
    if not name:
        return {"application/json": {"schema": schemas.message(output)}}
    field = output.fields_by_name[name]
    if field.message_type is not None and field.message_type.full_name == _BODY:
        return {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": schemas.field(field)}}
