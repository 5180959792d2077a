"""What BotWire offers to OpenTelemetry; safe to import without it."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import AdapterSpec, hookimpl

__all__ = ["botwire_adapters"]

# There is no hook for the scope on purpose: baggage comes with requests, so whoever asks all plugins would let
# clients choose the memory. It is read where a service says so, by `arm()`.


@hookimpl
def botwire_adapters() -> Iterable[AdapterSpec]:
    """What reads the scope from the baggage of a request, and what writes it there."""
    return [
        AdapterSpec(
            "opentelemetry",
            provides={
                "arm": "botwire_opentelemetry.receiving:arm",
                "disarm": "botwire_opentelemetry.receiving:disarm",
                "outgoing": "botwire_opentelemetry.sending:outgoing",
            },
            needs="opentelemetry",
            install="botwire[opentelemetry]",
        )
    ]
