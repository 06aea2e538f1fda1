"""The OpenAPI description says what the protos say."""

from typing import Any

import pytest

from gateway.interface import load
from gateway.openapi import document

INTERFACE = load()
DOCUMENT = document(INTERFACE)


def _operation(path: str, verb: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][verb]
    return found


def _parameters(path: str, verb: str = "get") -> dict[str, Any]:
    return {each["name"]: each for each in _operation(path, verb)["parameters"]}


def test_every_method_with_a_rest_face_is_there_once() -> None:
    """One operation a method, under its own id."""
    ids = [each["operationId"] for verbs in DOCUMENT["paths"].values() for each in verbs.values()]
    assert sorted(ids) == sorted({f"{m.service.rpartition('.')[2]}_{m.name}" for m in INTERFACE.public if m.rest})


def test_comments_become_descriptions() -> None:
    """What the proto's author wrote is what the integrator reads, with who may call it."""
    text = _operation("/v1/units/{unit}/indicators")["description"]
    assert text.startswith("Computes indicators for a unit")
    assert "`head_teacher`" in text
    assert "held on `unit` or above it" in text


def test_an_answer_is_described_by_its_own_message() -> None:
    """What comes back is said in the words of the proto."""
    answer = _operation("/v1/units/{unit}/push", "post")["responses"]["200"]
    assert answer["description"] == "Says what became of each row of a document."
    watched = _operation("/v1/units/{unit}/indicators:watch")["responses"]["200"]
    assert watched["description"].endswith("One message a line, until `end`.")


def test_path_and_query_parameters_carry_their_rules() -> None:
    """A client generated from it refuses what the service would refuse."""
    found = _parameters("/v1/units/{unit}/indicators")
    assert found["unit"]["in"] == "path"
    assert found["unit"]["required"] is True
    assert found["unit"]["schema"] == {"type": "string", "minLength": 1, "maxLength": 64}
    assert found["dimensions"]["schema"]["maxItems"] == 4
    assert found["school_year"]["schema"] == {"type": "integer", "format": "int32", "minimum": 0, "maximum": 2100}
    assert found["hierarchy_as_of"]["schema"]["pattern"].startswith("^([0-9]{4}")


def test_fields_of_a_nested_message_are_dotted_query_parameters() -> None:
    """Beside a document, what it is travels in the query."""
    found = _parameters("/v1/units/{unit}/push", "post")
    batch = {"batch.batch_id", "batch.source", "batch.backfill"}
    of = ("school", "school_year", "collection", "version", "declaration_id", "batch_count")
    batch |= {f"batch.full_of.{name}" for name in of}
    assert {"unit", "profile", "validate_only", "atomic", *batch} == set(found)
    assert [name for name, each in found.items() if each["required"]] == ["unit"]
    assert found["unit"]["example"].startswith("moet:")
    content = _operation("/v1/units/{unit}/push", "post")["requestBody"]["content"]
    assert set(content) == {"application/json", "application/x-ndjson"}
    assert content["application/json"]["schema"]["properties"]["rows"]["items"] == {
        "$ref": "#/components/schemas/iocedu.records.v1.Row"
    }


def test_a_body_that_is_the_rest_of_the_message_leaves_out_what_is_in_the_path() -> None:
    """`body: *` does not ask for the unit twice."""
    schema = _operation("/v1/units/{unit}/alerts/{alert_id}:acknowledge", "post")["requestBody"]["content"]
    assert set(schema["application/json"]["schema"]["properties"]) == {"note", "etag", "due_time"}
    created = _operation("/v1/grants", "post")["requestBody"]["content"]["application/json"]["schema"]
    assert created["$ref"] == "#/components/schemas/iocedu.records.v1.Grant"


@pytest.mark.parametrize(
    ("message", "field", "expected"),
    [
        ("iocedu.alerts.v1.Alert", "alert_id", {"type": "string", "format": "int64"}),
        ("iocedu.alerts.v1.Alert", "create_time", {"type": "string", "format": "date-time"}),
        ("iocedu.alerts.v1.Alert", "facts", {"type": "object", "additionalProperties": {"type": "string"}}),
        ("iocedu.reporting.v1.Figure", "value", {"type": "number"}),
        ("iocedu.alerts.v1.Alert", "state", {"$ref": "#/components/schemas/iocedu.alerts.v1.AlertState"}),
    ],
)
def test_fields_are_described_as_they_travel_in_json(message: str, field: str, expected: dict[str, Any]) -> None:
    """64-bit integers are strings, instants are RFC 3339, enums are names."""
    schema = DOCUMENT["components"]["schemas"][message]["properties"][field]
    assert expected.items() <= schema.items()
    assert schema["description"]


def test_the_error_shape_and_its_details_are_described() -> None:
    """Every operation answers errors as google.rpc.Status; the kinds of details are there to read."""
    schemas = DOCUMENT["components"]["schemas"]
    kinds = {"google.rpc.Status", "google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.RetryInfo"}
    assert kinds <= set(schemas)
    for verbs in DOCUMENT["paths"].values():
        for each in verbs.values():
            error = each["responses"]["403"]["content"]["application/json"]["schema"]
            assert error == {"$ref": "#/components/schemas/google.rpc.Status"}
