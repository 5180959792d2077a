"""H14: requests made from the description of the wire, good ones and bad ones; replies that keep to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from botwire_core.stores.sqlite import SqliteStore
from botwire_core.wire.schema import openapi
from botwire_server.config import ServerConfig
from botwire_server.testing import served

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("application/x-ndjson")
def as_lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


SCHEMA = schemathesis.openapi.from_dict(openapi())
OPERATIONS = [
    operation.ok()
    for operation in SCHEMA.get_all_operations()
    if operation.ok().path != "/v1/watch"  # it never ends; test_http_watch.py has it
]


ASKED = [
    (operation, mode)
    for operation in OPERATIONS
    for mode in GenerationMode
    # Where nothing is asked with, nothing can be asked wrongly.
    if mode is GenerationMode.POSITIVE or operation.body or list(operation.iter_parameters())
]


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = SqliteStore(tmp_path_factory.mktemp("schema") / "memory.db", durability="normal")
    with served(store, ServerConfig(body_seconds=5)) as url:
        yield url
    store.close()


@pytest.mark.parametrize(
    ("operation", "mode"),
    [pytest.param(operation, mode, id=f"{operation.label} {mode.value}") for operation, mode in ASKED],
)
def test_h14_replies_keep_to_the_description_and_none_is_a_5xx(
    patient: str, operation: schemathesis.APIOperation, mode: GenerationMode, scale: Callable[[int], int]
) -> None:
    count = -(-scale(2000) // len(ASKED))

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        reply = case.call(base_url=patient, timeout=20)
        case.validate_response(reply, checks=CHECKS)

    run()
