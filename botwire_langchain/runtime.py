"""Tools whose memory depends on the run: which user it is for, as the agent's runtime tells."""

# Annotations are objects here and not text: langchain-core 1.4 and older see no runtime that text names.

from collections.abc import Callable
from typing import Any

from langchain.tools import ToolRuntime

from botwire_core.adapters import as_memory
from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory

__all__ = ["bind_to_runtime", "memory_of_run"]


def memory_of_run(found: Memory | str | None) -> Memory:
    """Give the memory that a function found for a run; never a default one, which all users would share.

    Raises:
        InvalidNamespaceError: it found a name that breaks a rule.
        InvalidValueError: it found none.
    """
    if found is None:
        raise InvalidValueError(
            "memory: the function found none for this run",
            hint="let it raise, or give a name, where the runtime does not say whose memory it is",
        )
    return as_memory(found, "")


def bind_to_runtime(
    memory_of: Callable[[ToolRuntime[Any, Any]], Memory | str],
) -> Callable[[Callable[..., Any], Callable[..., Any]], tuple[Any, Any]]:
    """Give what turns an action and its async twin into functions of a tool, with the memory that a runtime has."""

    def bind(action: Callable[..., Any], async_action: Callable[..., Any]) -> tuple[Any, Any]:
        # LangChain knows by the annotation that `runtime` is its to give, and hides it from the model.
        def run(*arguments: str, runtime: ToolRuntime[Any, Any], **named: str) -> Any:
            return action(memory_of_run(memory_of(runtime)), *arguments, **named)

        async def arun(*arguments: str, runtime: ToolRuntime[Any, Any], **named: str) -> Any:
            return await async_action(memory_of_run(memory_of(runtime)), *arguments, **named)

        return run, arun

    return bind
