"""`prompt_scope` and `@scoped`: memory that belongs to the version of a prompt, outside of evaluations too."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from botwire_core.errors import InvalidValueError, ScopeError
from botwire_core.records import record, replace
from botwire_core.scopes import Scope
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.current import current_scope, scope_here
from botwire_core.scopes.policy import policy_here, policy_with
from botwire_humanloop.contexts import text_or_none
from botwire_humanloop.decorated import stands_for
from botwire_humanloop.known_runs import SOURCE
from botwire_humanloop.versions import version_of_file, version_of_kernel

__all__ = ["PromptScope", "prompt_scope", "scoped"]

F = TypeVar("F", bound=Callable[..., Any])


@record
class _Prompt:
    """How the version of a prompt is found: from what is given, or else by asking the client."""

    client: Any
    path: str | None
    environment: str | None
    version_id: str | None
    variant: str | None
    version: Mapping[str, Any] | None
    file: Path | None

    def __post_init__(self) -> None:
        given = [name for name in ("version_id", "variant", "version", "file") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InvalidValueError(f"{' and '.join(given)} name the version twice", hint="give one of them")
        if self.path is None and self.file is None:
            raise InvalidValueError("path: it is missing", hint='name the prompt: path="support/answer"')
        if not given and self.client is None:
            raise InvalidValueError(
                "without a client nothing tells the version", hint="give version_id=, variant=, version= or file="
            )


class PromptScope:
    """A block that runs in the scope of one version of a prompt; made by `prompt_scope`.

    Enter it with `async with` where the client is an asynchronous one.
    """

    def __init__(self, prompt: _Prompt) -> None:
        self._prompt = prompt
        self._ways_out = ExitStack()

    def __enter__(self) -> Scope:
        here = current_scope()
        found = _known_here(self._prompt, here)
        if found is None:
            if inspect.iscoroutinefunction(self._prompt.client.files.retrieve_by_path):
                raise InvalidValueError("the client is asynchronous", hint="write `async with prompt_scope(...)`")
            found = _in_answer(self._prompt, _ask(self._prompt))
        return self._enter(here, found)

    async def __aenter__(self) -> Scope:
        here = current_scope()
        found = _known_here(self._prompt, here)
        if found is None:
            if inspect.iscoroutinefunction(self._prompt.client.files.retrieve_by_path):
                answer = await cast("Awaitable[Any]", _ask(self._prompt))
            else:
                answer = await asyncio.to_thread(_ask, self._prompt)
            found = _in_answer(self._prompt, answer)
        return self._enter(here, found)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ways_out.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ways_out.close()

    def _enter(self, here: Scope | None, found: Scope) -> Scope:
        outer = here or Scope()
        given = {name: getattr(found, name) for name in Scope.__match_args__ if getattr(found, name) is not None}
        # What is compared around this block stays what is compared: a prompt used inside of it is not another variant.
        place = replace(outer, **{**given, "variant": outer.variant or found.variant})
        if place.run_id is not None:
            self._ways_out.enter_context(scope(place))
        else:
            # Live traffic, and no run: other threads of the process go on working as they do.
            self._ways_out.enter_context(policy_here(policy_with(isolation="version")))
            self._ways_out.callback(scope_here.reset, scope_here.set(place))
        return place


def prompt_scope(
    client: Any = None,
    *,
    path: str | None = None,
    environment: str | None = None,
    version_id: str | None = None,
    variant: str | None = None,
    version: Mapping[str, Any] | None = None,
    file: str | Path | None = None,
) -> PromptScope:
    """Run a block in the scope of one version of a prompt, which is found once, and give that `Scope`.

    Pass its `prompt_version` on to `client.prompts.call(version_id=...)`, so that the version whose memory is used
    is the one that is called, whatever is deployed meanwhile. Outside of a run memory is isolated by version, unless
    a `scope_policy` block says otherwise. Inside an evaluation the version evaluated stays the variant, and is the
    one that is given for its path.

    Args:
        client: A client of Humanloop, synchronous or, for `async with`, asynchronous; not needed where the version is
            given in one of the last four arguments.
        path: The path of the prompt.
        environment: Whose deployed version to take; the default one's where it is left out.
        version_id: The version itself; nothing is asked then.
        variant: A name for a prompt that has no version on Humanloop.
        version: What defines such a prompt, as JSON; its digest names the version.
        file: A `.prompt` file; the digest of its text names the version.

    Raises:
        InvalidValueError: the arguments name no version, or name it twice.
        ScopeError: Humanloop answers without a version.
    """
    return PromptScope(_prompt(client, path, environment, version_id, variant, version, file))


def scoped(
    client: Any = None,
    *,
    path: str | None = None,
    environment: str | None = None,
    version_id: str | None = None,
    variant: str | None = None,
    version: Mapping[str, Any] | None = None,
    file: str | Path | None = None,
) -> Callable[[F], F]:
    """Decorate a function so that each call runs in a `prompt_scope`; see there for the arguments and errors.

    It goes above Humanloop's `@prompt` and `@flow`, and the SDK evaluates the result as it does theirs. Where a
    variant is known already, as inside an evaluation, nothing is asked.
    """
    prompt = _prompt(client, path, environment, version_id, variant, version, file)

    def decorate(function: F) -> F:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def in_prompt_async(*args: Any, **kwargs: Any) -> Any:
                if _has_variant(current_scope()):
                    return await function(*args, **kwargs)
                async with PromptScope(prompt):
                    return await function(*args, **kwargs)

            return cast("F", stands_for(in_prompt_async, function))

        @functools.wraps(function)
        def in_prompt(*args: Any, **kwargs: Any) -> Any:
            if _has_variant(current_scope()):
                return function(*args, **kwargs)
            with PromptScope(prompt):
                return function(*args, **kwargs)

        return cast("F", stands_for(in_prompt, function))

    return decorate


def _prompt(
    client: Any,
    path: str | None,
    environment: str | None,
    version_id: str | None,
    variant: str | None,
    version: Mapping[str, Any] | None,
    file: str | Path | None,
) -> _Prompt:
    return _Prompt(client, path, environment, version_id, variant, version, None if file is None else Path(file))


def _has_variant(here: Scope | None) -> bool:
    return here is not None and here.variant is not None


def _known_here(prompt: _Prompt, here: Scope | None) -> Scope | None:
    """The prompt's part of a scope, where nobody has to be asked for it."""
    name = prompt.path
    found = Scope(prompt_path=name, environment=prompt.environment, source=SOURCE)
    if prompt.version_id is not None:
        return replace(found, variant=prompt.version_id, prompt_version=prompt.version_id)
    if prompt.variant is not None:
        return replace(found, variant=prompt.variant)
    if prompt.file is not None:
        return replace(found, variant=version_of_file(prompt.file), prompt_path=name or str(prompt.file))
    if prompt.version is not None:
        return replace(found, variant=version_of_kernel(name or "prompt", prompt.version))
    if here is not None and here.run_id is not None and here.prompt_path == name and here.prompt_version is not None:
        return replace(found, variant=here.variant, prompt_version=here.prompt_version)
    return None


def _ask(prompt: _Prompt) -> Any:
    given = {} if prompt.environment is None else {"environment": prompt.environment}
    return prompt.client.files.retrieve_by_path(path=prompt.path, **given)


def _in_answer(prompt: _Prompt, answer: Any) -> Scope:
    version = text_or_none(getattr(answer, "version_id", None))
    if version is None:
        raise ScopeError(
            f"Humanloop tells no version of {prompt.path!r}", hint="name it with version_id=, or with variant="
        )
    return Scope(
        variant=version,
        prompt_id=text_or_none(getattr(answer, "id", None)),
        prompt_path=prompt.path,
        prompt_version=version,
        environment=prompt.environment,
        source=SOURCE,
    )
