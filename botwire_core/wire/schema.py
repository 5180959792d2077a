"""The wire as an OpenAPI 3.1 document: ops and results by the shapes that read and write them, routes by a table."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

from botwire_core import diff, protocol, results
from botwire_core.names import MAX_NAMESPACE_CHARACTERS
from botwire_core.scopes import ops as scopes
from botwire_core.wire.annotations import structure_of
from botwire_core.wire.ops import OP_TYPES, STREAM_TYPES
from botwire_core.wire.problems import Problem, problem
from botwire_core.wire.results import result_shape
from botwire_core.wire.routes import paths
from botwire_core.wire.structures import ENCODED

__all__ = ["openapi"]

_REF: Final = "#/components/schemas/"
_DESCRIPTION: Final = (
    "Key-value memory for AI agents, with forks, time travel, diff and merge. Times are epoch seconds in UTC, sizes "
    "bytes. Every error is a problem (RFC 9457) with a code, and keeps the member detail of the first service."
)


def openapi() -> dict[str, Any]:
    """The document: every route, every op that `POST /v1/ops` takes, and what each of them gives."""
    schemas = _fixed()
    kind: Any
    for kind in (*OP_TYPES.values(), *STREAM_TYPES.values()):
        schemas[kind.__name__] = _op_schema(kind)
    for kind in OP_TYPES.values():
        schemas[f"ResultOf{kind.__name__}"] = result_shape(kind).schema()
    _complete(schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "BotWire", "version": version("botwire"), "description": _DESCRIPTION},
        "paths": paths(),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "botwire token create"}},
        },
        # A server on this machine alone lets everybody in, as long as it has no token.
        "security": [{"token": []}, {}],
    }


def _op_schema(kind: Any) -> dict[str, Any]:
    found = structure_of(kind, strict=True).definition()
    found["description"] = " ".join((kind.__doc__ or "").split())
    if kind in OP_TYPES.values():
        found["x-result"] = {"$ref": f"{_REF}ResultOf{kind.__name__}"}
    return found


def _fixed() -> dict[str, Any]:
    """What no record stands for."""
    value = {
        "type": "object",
        "properties": {"value": {}, "encoding": {"enum": ["base64", None]}},
        "required": ["value"],
    }
    problem_schema: dict[str, Any] = _shape_of_problem(problem(500, "code", "title", "detail"))
    return {
        "Namespace": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_:@~+-][A-Za-z0-9._:@~+-]*$",
            "minLength": 1,
            "maxLength": MAX_NAMESPACE_CHARACTERS,
        },
        "Value": {**value, **ENCODED},
        "Missing": {"type": "object", "properties": {"missing": {"const": True}}, "required": ["missing"]},
        "ValueOrMissing": {"anyOf": [{"$ref": f"{_REF}Value"}, {"$ref": f"{_REF}Missing"}]},
        "Op": _one_of(OP_TYPES),
        "ExportOp": _one_of({name: kind for name, kind in STREAM_TYPES.items() if name.startswith("export")}),
        "Problem": problem_schema,
        "Outcome": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"result": {}, "more": {"const": True, "description": "a page of a longer list"}},
                    "required": ["result"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"error": {"$ref": f"{_REF}Problem"}},
                    "required": ["error"],
                    "additionalProperties": False,
                },
            ]
        },
        "Ops": {
            "type": "object",
            "properties": {
                "ops": {"type": "array", "items": {"$ref": f"{_REF}Op"}, "minItems": 1, "maxItems": 1000},
                "atomic": {"type": "boolean", "default": False},
            },
            "required": ["ops"],
            "additionalProperties": False,
        },
        "Outcomes": {
            "type": "object",
            "properties": {"results": {"type": "array", "items": {"$ref": f"{_REF}Outcome"}}},
            "required": ["results"],
        },
    }


def _shape_of_problem(sample: Problem) -> dict[str, Any]:
    kinds = {str: "string", int: "integer", bool: "boolean"}
    properties: dict[str, Any] = {name: {"type": kinds[type(one)]} for name, one in sample.members.items()}
    required = list(properties)
    properties |= {
        "index": {"type": "integer", "description": "of the op in the list"},
        "key": {"type": ["string", "null"]},
        "version": {"type": ["integer", "null"], "description": "that stands there now; 0 where nothing does"},
        "retry_after": {"type": "number", "description": "seconds"},
        "quota": {"type": "string", "enum": ["", "writes", "bytes", "forks"]},
        "oldest": {"type": ["integer", "null"], "description": "the oldest revision that is kept"},
    }
    return {"type": "object", "properties": properties, "required": required}


def _one_of(kinds: Any) -> dict[str, Any]:
    mapping = {name: f"{_REF}{kind.__name__}" for name, kind in kinds.items()}
    return {
        "oneOf": [{"$ref": target} for target in mapping.values()],
        "discriminator": {"propertyName": "op", "mapping": mapping},
    }


def _complete(schemas: dict[str, Any]) -> None:
    """Add the records that something refers to."""
    records = {**vars(protocol), **vars(results), **vars(diff), **vars(scopes)}
    left = list(schemas.values())
    while left:
        for name in _referred(left.pop()):
            if name not in schemas:
                schemas[name] = structure_of(records[name], strict=False).definition()
                left.append(schemas[name])


def _referred(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_REF)
        for one in schema.values():
            yield from _referred(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from _referred(one)
