"""`memory_tools`: what an agent remembers, recalls, lists and forgets with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.tools import StructuredTool, ToolException

from botwire_core.adapters import as_memory
from botwire_core.errors import MissingExtraError
from botwire_core.memory import Memory
from botwire_core.remembering.actions import Action, Answer, memory_actions, what_is_wrong
from botwire_core.remembering.showing import MAX_BYTES, MAX_ITEMS

if TYPE_CHECKING:
    from langchain.tools import ToolRuntime
    from pydantic import ValidationError
    from pydantic.v1 import ValidationError as OldValidationError

__all__ = ["MemoryOfRuntime", "memory_tools"]

MemoryOfRuntime: TypeAlias = "Callable[[ToolRuntime[Any, Any]], Memory | str]"
"""Gives the memory, or the name of the namespace, that a run of an agent has."""

DEFAULT_NAMESPACE = "langchain-memory"


def memory_tools(
    memory: Memory | str | MemoryOfRuntime | None = None,
    *,
    forget: bool = False,
    ttl: float | None = None,
    max_items: int = MAX_ITEMS,
    max_bytes: int = MAX_BYTES,
) -> list[StructuredTool]:
    """Make the tools `remember`, `recall` and `list_memory`, and `forget` where it is asked for.

    They answer with JSON text. A mistake that the model can correct is an answer too, marked as an error; a store
    that is down or damaged raises. What is remembered is text; other values that stand in the memory are shown as
    JSON. Making them does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `langchain-memory` where it is left out. Or a function that
            is given the `ToolRuntime` of each call and gives one of the two, such as
            `lambda runtime: f"user-{runtime.context.user_id}"`; the model never sees or chooses it.
        forget: Whether the model may delete.
        ttl: Seconds until what is remembered is gone; None keeps it.
        max_items: How many keys an answer lists at most.
        max_bytes: How many bytes of a value or of keys an answer shows at most; more is cut, and marked.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.
        InvalidValueError: `ttl`, `max_items` or `max_bytes` is not a number above 0.
        MissingExtraError: `memory` is a function, and `langchain`, which has `ToolRuntime`, is not installed.

    >>> remember, recall, list_memory = memory_tools(Memory("doctest", "memory:doctest"))
    >>> remember.invoke({"key": "user:ana", "value": "lives in Porto"})
    '{"remembered": "user:ana", "version": 1}'
    >>> list_memory.invoke({"prefix": "user:"})
    '{"keys": ["user:ana"], "truncated": false}'
    """
    actions = memory_actions(forget=forget, ttl=ttl, max_items=max_items, max_bytes=max_bytes)
    bind = _binder(memory)
    return [_tool(action, *bind(*_both(action))) for action in actions]


def _tool(action: Action, run: Callable[..., Any], arun: Callable[..., Any]) -> StructuredTool:
    return StructuredTool.from_function(
        run,
        arun,
        action.name,
        action.description,
        args_schema=action.arguments,
        handle_tool_error=True,
        handle_validation_error=_what_is_wrong,
    )


def _both(action: Action) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def act(memory: Memory, *arguments: str, **named: str) -> str:
        return _told(action.run(memory, *arguments, **named))

    async def aact(memory: Memory, *arguments: str, **named: str) -> str:
        return _told(await action.arun(memory, *arguments, **named))

    return act, aact


def _told(answer: Answer) -> str:
    if answer.mistake is not None:
        raise ToolException(answer.text) from answer.mistake
    return answer.text


def _binder(memory: Memory | str | MemoryOfRuntime | None) -> Callable[..., tuple[Any, Any]]:
    if callable(memory):
        try:
            from botwire_langchain.runtime import bind_to_runtime
        except ModuleNotFoundError as error:
            if error.name != "langchain":
                raise
            raise MissingExtraError(
                "tools that know the runtime need langchain: pip install 'langchain>=1.2.10'"
            ) from error
        return bind_to_runtime(memory)
    opened = as_memory(memory, DEFAULT_NAMESPACE)

    def bind(action: Callable[..., Any], async_action: Callable[..., Any]) -> tuple[Any, Any]:
        def run(*arguments: str, **named: str) -> Any:
            return action(opened, *arguments, **named)

        async def arun(*arguments: str, **named: str) -> Any:
            return await async_action(opened, *arguments, **named)

        return run, arun

    return bind


def _what_is_wrong(error: ValidationError | OldValidationError) -> str:
    # LangChain's own text says only that something was invalid.
    return what_is_wrong(error.errors())
