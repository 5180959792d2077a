"""The OpenAPI document: valid, whole, and of one mind with what reads and writes the wire."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from wire.strategies import FEW, JSON, ops, results

from botwire_core import errors
from botwire_core.errors import InvalidKeyError, InvalidNamespaceError, InvalidValueError
from botwire_core.wire.ops import OP_TYPES, STREAM_TYPES, op_from_json, op_to_json, stream_to_json
from botwire_core.wire.problems import problem_of
from botwire_core.wire.results import result_to_json
from botwire_core.wire.schema import openapi

DOCUMENT = openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}})


def test_the_document_is_valid_openapi_and_plain_json() -> None:
    OpenAPIV31SpecValidator(json.loads(json.dumps(DOCUMENT))).validate()
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    text = json.dumps(DOCUMENT)
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert referred == SCHEMAS.keys() - {"Import", "ImportFamily"}  # they come as a query


def test_every_op_is_one_that_a_list_or_a_stream_takes() -> None:
    assert SCHEMAS["Op"]["discriminator"]["mapping"].keys() == OP_TYPES.keys()
    assert len(SCHEMAS["Op"]["oneOf"]) == len(OP_TYPES)
    assert SCHEMAS["ExportOp"]["discriminator"]["mapping"].keys() == {"export_all", "export_family"}
    for kind in (*OP_TYPES.values(), *STREAM_TYPES.values()):
        assert SCHEMAS[kind.__name__]["description"]


@pytest.mark.parametrize("kind", OP_TYPES.values(), ids=OP_TYPES)
@FEW
@given(data=st.data())
def test_what_is_written_of_an_op_is_as_the_schema_says(kind: type[Any], data: st.DataObject) -> None:
    members = op_to_json(data.draw(ops(kind)))
    assert not list(validator(kind.__name__).iter_errors(members))


@pytest.mark.parametrize("kind", OP_TYPES.values(), ids=OP_TYPES)
@FEW
@given(data=st.data())
def test_what_the_schema_lets_pass_is_read(kind: type[Any], data: st.DataObject) -> None:
    members = op_to_json(data.draw(ops(kind)))
    members[data.draw(st.sampled_from([*members, *SCHEMAS[kind.__name__]["properties"], "more"]))] = data.draw(JSON)
    valid = not list(validator("Op").iter_errors(members))
    try:
        op_from_json(members)
    except (InvalidValueError, InvalidKeyError, InvalidNamespaceError) as error:
        # To JSON Schema 1.0 is an integer.
        assert not valid or "is not an integer" in error.message or "is neither a number" in error.message


@pytest.mark.parametrize("kind", STREAM_TYPES.values(), ids=STREAM_TYPES)
@FEW
@given(data=st.data())
def test_what_is_written_of_a_stream_is_as_the_schema_says(kind: type[Any], data: st.DataObject) -> None:
    validator(kind.__name__).validate(stream_to_json(data.draw(ops(kind))))


@pytest.mark.parametrize("kind", OP_TYPES.values(), ids=OP_TYPES)
@FEW
@given(data=st.data())
def test_what_is_written_of_a_result_is_as_the_schema_says(kind: type[Any], data: st.DataObject) -> None:
    written = result_to_json(kind, data.draw(results(kind)))
    assert not list(validator(f"ResultOf{kind.__name__}").iter_errors(written))
    validator("Outcome").validate({"result": written})


@pytest.mark.parametrize("name", errors.__all__)
def test_every_problem_is_as_the_schema_says(name: str) -> None:
    validator("Problem").validate(problem_of(getattr(errors, name)("what happened", hint="x"), "request-1").members)


def test_every_route_answers_with_problems() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method in operations.keys() & {"get", "put", "post", "delete"}:
            assert "default" in operations[method]["responses"], (method, path)
            assert operations[method]["summary"]
