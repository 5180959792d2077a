"""Prompts of MLflow's registry, in the one version that an evaluation is about."""

from __future__ import annotations

from typing import Any, Final

import mlflow

from botwire_core.scopes.current import current_scope

__all__ = ["SOURCE", "load_prompt", "pinned"]

SOURCE: Final = "mlflow"
_SCHEME: Final = "prompts:/"


def load_prompt(name_or_uri: str, version: str | int | None = None, **options: Any) -> Any:
    """Load a prompt as `mlflow.genai.load_prompt` does, and give its `PromptVersion`.

    Where an evaluation is about a prompt of this name, an alias or a bare name gives the version that is evaluated,
    wherever the alias points to by now. A version that is named is the one that is loaded.

    Args:
        name_or_uri: "answer", "prompts:/answer@production" or "prompts:/answer/2".
        version: The number of the version, where the name is bare.
        options: All else that MLflow takes.
    """
    here = current_scope()
    if (
        version is None
        and here is not None
        and here.source == SOURCE
        and here.prompt_version is not None
        and here.prompt_path == _name_without_version(name_or_uri)
    ):
        return mlflow.genai.load_prompt(here.prompt_path, version=here.prompt_version, **options)
    return mlflow.genai.load_prompt(name_or_uri, version=version, **options)


def pinned(prompt: Any) -> Any:
    """The version that a prompt is at this moment: an alias is looked up now, past every cache."""
    return mlflow.genai.load_prompt(prompt, cache_ttl_seconds=0) if isinstance(prompt, str) else prompt


def _name_without_version(name_or_uri: str) -> str | None:
    """The name of the prompt, None where a version is named."""
    name = name_or_uri.removeprefix(_SCHEME)
    if name != name_or_uri and "/" in name:
        return None
    return name.partition("@")[0]
