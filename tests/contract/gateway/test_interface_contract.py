"""What the gateway promises to whoever builds on it: a valid description, and errors that never arrive empty."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.rpc import error_details_pb2
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from gateway.interface import load
from gateway.openapi import document

INTERFACE = load()
DOCUMENT = document(INTERFACE)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


@pytest.mark.parametrize("name", sorted(error_details_pb2.DESCRIPTOR.message_types_by_name))
def test_every_type_of_error_detail_is_in_the_descriptor_set(name: str) -> None:
    """A detail whose type the edge does not know would reach a REST caller as an empty body."""
    assert INTERFACE.message(f"google.rpc.{name}").full_name == f"google.rpc.{name}"


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_is_valid_json_schema(name: str) -> None:
    """OpenAPI 3.1 schemas are JSON Schema 2020-12."""
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


def test_every_reference_leads_somewhere() -> None:
    """A generator of clients finds each schema it is sent to, and no schema is there for nothing."""
    found = set(_references(DOCUMENT))
    schemas = DOCUMENT["components"]["schemas"]
    assert found == {f"#/components/schemas/{name}" for name in schemas if f"#/components/schemas/{name}" in found}
    unused = {name for name in schemas if f"#/components/schemas/{name}" not in found}
    assert unused <= {
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
        "google.rpc.RetryInfo",
        "google.rpc.LocalizedMessage",
    }


def test_every_operation_declares_what_its_path_names_and_says_what_it_does() -> None:
    """Parameters in the path are declared once, and nothing is undocumented."""
    for path, verbs in DOCUMENT["paths"].items():
        for verb, operation in verbs.items():
            declared = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
            assert sorted(declared) == sorted(part.split("}")[0] for part in path.split("{")[1:]), (verb, path)
            names = [(each["in"], each["name"]) for each in operation["parameters"]]
            assert len(names) == len(set(names)), (verb, path)
            assert operation["summary"], (verb, path)
            assert all(each["description"] for each in operation["parameters"]), (verb, path)


def test_public_methods_without_a_rest_face_are_the_known_ones() -> None:
    """Leaving REST out is a decision: typed batches and two-way streams are for gRPC."""
    assert {method.name for method in INTERFACE.public if method.rest is None} == {"PushRows", "StreamRows"}
