"""What ships with BotWire, as a table of names, and how a name becomes what it stands for.

It loads nothing, so that opening a store of ours pays for no plugin machinery and reads no entry points.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from botwire_core.errors import PluginError

__all__ = ["SCOPE_PROVIDERS", "SHIPPED_PLUGINS", "SHIPPED_STORES", "load_target"]

SHIPPED_STORES: Final = {
    "memory": "botwire_core.stores.dict:open_url",
    "sqlite": "botwire_core.stores.sqlite:open_url",
    "http": "botwire_core.stores.http.store:open_url",
    "https": "botwire_core.stores.http.store:open_url",
}
"""The stores of the core: which function opens the URLs of a scheme. No plugin can take one of these over."""

SHIPPED_PLUGINS: Final = {
    "langchain": "botwire_langchain.plugin",
    "langgraph": "botwire_langgraph.plugin",
    "autogen": "botwire_autogen.plugin",
    "crewai": "botwire_crewai.plugin",
    "humanloop": "botwire_humanloop.plugin",
    "langfuse": "botwire_langfuse.plugin",
    "mlflow": "botwire_mlflow.plugin",
    "opentelemetry": "botwire_opentelemetry.plugin",
    "postgres": "botwire_postgres.plugin",
}
"""The plugin modules of this distribution, by name; `pyproject.toml` declares them as entry points too."""

SCOPE_PROVIDERS: Final[dict[str, str]] = {
    "humanloop": "botwire_humanloop.plugin:botwire_current_scope",
    "langfuse": "botwire_langfuse.plugin:botwire_current_scope",
}
"""By the top-level import name of a framework, the function that tells the scope once that framework is loaded."""


def load_target(target: str) -> Any:
    """The object that "module:name" names.

    Raises:
        PluginError: the module has no such name. What its import raises is passed on as it is.
    """
    module_name, _, name = target.partition(":")
    module = import_module(module_name)
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise PluginError(
            f"{module_name} has no {name}", hint=f'the plugin that names "{target}" has to be corrected'
        ) from error
