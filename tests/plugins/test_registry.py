"""Every state that a plugin can be in, with distributions that are really installed."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from plugins.distributions import Site

from botwire import MissingExtraError, PluginError, UnknownStoreError
from botwire_core.connect import connect
from botwire_core.discovery import allow_list
from botwire_core.plugins import PluginStatus, PluginWarning, Registry
from botwire_core.scopes import Scope
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_langchain.history import BotWireChatHistory

SHIPPED = [
    PluginStatus("core", "botwire", "memory:", "ready"),
    PluginStatus("core", "botwire", "sqlite:", "ready"),
    PluginStatus("core", "botwire", "http:", "ready"),
    PluginStatus("core", "botwire", "https:", "ready"),
    PluginStatus("langchain", "botwire", "langchain: chat_history, byte_store, cache, tools", "ready"),
    PluginStatus("langchain", "botwire", "langchain: middleware", "ready"),
    PluginStatus("langgraph", "botwire", "langgraph: store, checkpointer, cache", "ready"),
    PluginStatus("autogen", "botwire", "autogen: memory, cache, context, tools, save_team, load_team", "ready"),
    PluginStatus(
        "crewai",
        "botwire",
        "crewai: tools, flow_persistence, install",
        "missing",
        "botwire[crewai]",
        "crewai is not installed",
    ),
    PluginStatus("humanloop", "botwire", "humanloop: instrument, prompt_scope, scoped", "ready"),
    PluginStatus(
        "langfuse", "botwire", "langfuse: run_experiment", "missing", "botwire[langfuse]", "langfuse is not installed"
    ),
    PluginStatus(
        "mlflow", "botwire", "mlflow: evaluate, load_prompt", "missing", "botwire[mlflow]", "mlflow is not installed"
    ),
    PluginStatus("opentelemetry", "botwire", "opentelemetry: arm, disarm, outgoing", "ready"),
    PluginStatus("postgres", "botwire", "postgresql:", "ready"),
]
STORE = """
    from botwire_core.stores.dict import DictStore

    def open_url(url, *, timeout=None, token=None):
        return DictStore()

    @hookimpl
    def botwire_stores():
        return [StoreSpec("SCHEME", opens="MODULE:open_url")]
"""
ADAPTER = """
    class Thing:
        pass

    @hookimpl
    def botwire_adapters():
        return [AdapterSpec("FRAMEWORK", provides={"KIND": "MODULE:Thing"})]
"""
BROKEN = {
    "raises when imported": "1 / 0",
    "imports what is not there": "import a_module_that_is_nowhere",
    "leaves the interpreter": "raise SystemExit(3)",
    "has a misspelt hook": "@hookimpl\ndef botwire_storse():\n    return []",
    "has a hook with an unknown argument": "@hookimpl\ndef botwire_stores(config):\n    return []",
    "forgets the marker": "def botwire_stores():\n    return [StoreSpec('acme', opens='a:b')]",
    "has no hook": "x = 1",
    "raises in a hook": "@hookimpl\ndef botwire_adapters():\n    raise RuntimeError('oh dear')",
    "returns nothing": "@hookimpl\ndef botwire_stores():\n    return 7",
    "returns no specs": "@hookimpl\ndef botwire_stores():\n    return [('acme', 'a:b')]",
    "returns the wrong specs": "@hookimpl\ndef botwire_adapters():\n    return [StoreSpec('acme', opens='a:b')]",
    "has a scheme with a colon": "@hookimpl\ndef botwire_stores():\n    return [StoreSpec('acme:', opens='a:b')]",
    "has a target that is none": "@hookimpl\ndef botwire_stores():\n    return [StoreSpec('acme', opens='a.b')]",
}


def store(scheme: str) -> str:
    return STORE.replace("SCHEME", scheme)


def adapter(framework: str, kind: str) -> str:
    return ADAPTER.replace("FRAMEWORK", framework).replace("KIND", kind)


def others(registry: Registry) -> list[PluginStatus]:
    return [row for row in registry.status() if row.distribution != "botwire"]


def test_what_ships_with_botwire_is_ready() -> None:
    assert Registry().status() == SHIPPED
    assert Registry().adapter("langchain", "chat_history") is BotWireChatHistory


def test_an_installed_store_is_found_by_its_scheme(site: Site) -> None:
    site.install("acme", store("acme"))
    assert others(Registry()) == [PluginStatus("acme", "botwire-acme", "acme:", "ready")]
    assert isinstance(Registry().open_store("acme", "acme:x"), DictStore)


def test_an_installed_adapter_is_found_by_framework_and_kind(site: Site) -> None:
    module = site.install("acme", adapter("pydantic-ai", "store"))
    assert others(Registry()) == [PluginStatus("acme", "botwire-acme", "pydantic-ai: store", "ready")]
    assert Registry().adapter("pydantic-ai", "store").__module__ == module


def test_a_plugin_may_be_a_class(site: Site) -> None:
    code = """
    class Plugin:
        @hookimpl
        def botwire_stores(self):
            yield StoreSpec("acme", opens="MODULE:open_url")
    """
    site.install("acme", code, target=":Plugin")
    assert others(Registry()) == [PluginStatus("acme", "botwire-acme", "acme:", "ready")]


# --- missing --------------------------------------------------------------------------------------


def needing(needs: str, code: str) -> str:
    return f"""
    def __getattr__(name):
        {code}

    @hookimpl
    def botwire_adapters():
        provides = {{"tools": "MODULE:AcmeTools"}}
        return [AdapterSpec("acme", provides=provides, needs="{needs}", install="botwire-acme[acme]")]
    """


def test_an_absent_framework_is_missing_and_the_error_says_what_to_install(site: Site) -> None:
    site.install("acme", needing("acme_agents", "import acme_agents.tools"))
    (row,) = others(Registry())
    assert (row.state, row.install, row.reason) == ("missing", "botwire-acme[acme]", "acme-agents is not installed")
    with pytest.raises(MissingExtraError) as caught:
        Registry().adapter("acme", "tools")
    assert str(caught.value) == "AcmeTools needs acme-agents: pip install 'botwire-acme[acme]'"
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_store_whose_driver_is_absent_says_what_to_install(site: Site) -> None:
    code = """
    def open_url(url, *, timeout=None, token=None):
        import acme_driver

    @hookimpl
    def botwire_stores():
        return [StoreSpec("acme", opens="MODULE:open_url", needs="acme_driver", install="botwire-acme")]
    """
    site.install("acme", code)
    assert [row.state for row in others(Registry())] == ["missing"]
    with pytest.raises(
        MissingExtraError, match=r"^a store for acme: URLs needs acme-driver: pip install 'botwire-acme'$"
    ):
        Registry().open_store("acme", "acme:x")


@pytest.mark.parametrize(
    ("needs", "code"),
    [
        ("json", "import something_else_that_is_absent"),
        ("json", "import json.a_part_that_is_absent"),
        ("acme_agents", "raise ImportError('the library is of another architecture', name='acme_agents')"),
    ],
)
def test_any_other_failed_import_is_a_bug_and_shown_whole(site: Site, needs: str, code: str) -> None:
    site.install("acme", needing(needs, code))
    with pytest.raises(ImportError) as caught:
        Registry().adapter("acme", "tools")
    assert not isinstance(caught.value, MissingExtraError)


# --- broken ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_named_and_left_out_and_the_others_go_on(site: Site, code: str) -> None:
    site.install("acme", code)
    site.install("aaa", store("first"))
    site.install("zzz", store("last"))
    registry = Registry()
    with pytest.warns(PluginWarning, match=r"the plugin acme \(botwire-acme\) is broken: \w+: "):
        registry.open_store("first", "first:x")
    registry.open_store("last", "last:x")  # without a second warning, which would be an error here
    assert [(row.name, row.state, row.provides) for row in others(registry)] == [
        ("aaa", "ready", "first:"),
        ("acme", "broken", ""),
        ("zzz", "ready", "last:"),
    ]


def test_the_use_of_a_broken_plugin_raises_from_the_cause(site: Site) -> None:
    site.install("acme", "1 / 0")
    registry = Registry()
    with pytest.warns(PluginWarning), pytest.raises(PluginError, match="is broken: ZeroDivisionError") as caught:
        registry.open_store("acme", "acme:x")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(PluginError, match="update or uninstall botwire-acme"):
        registry.adapter("acme", "tools")


def test_listing_plugins_warns_of_nothing(site: Site) -> None:
    site.install("acme", "1 / 0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = others(Registry())
    assert row.reason == "ZeroDivisionError: division by zero"


def test_an_entry_point_that_names_nothing_is_broken(site: Site) -> None:
    site.install("acme", store("acme"), target=":absent")
    assert [row.state for row in others(Registry())] == ["broken"]


def test_a_target_that_is_not_there_is_an_error_of_the_plugin(site: Site) -> None:
    module = site.install("acme", store("acme").replace("MODULE:open_url", "MODULE:close_url"))
    with pytest.raises(PluginError, match=f"{module} has no close_url"):
        Registry().open_store("acme", "acme:x")


def test_what_is_no_store_is_not_handed_out(site: Site) -> None:
    site.install("acme", store("acme").replace("return DictStore()", "return {}"))
    with pytest.raises(PluginError, match="opened a dict, which is no Store"):
        Registry().open_store("acme", "acme:x")


# --- conflict and choice ----------------------------------------------------------------------------


def test_two_plugins_that_claim_a_scheme_are_both_named(site: Site) -> None:
    site.install("one", store("acme"))
    site.install("two", store("acme"))
    registry = Registry()
    assert [row.state for row in others(registry)] == ["conflict", "conflict"]
    with pytest.raises(PluginError, match=r"acme: URLs is claimed by one \(botwire-one\) and two \(botwire-two\)"):
        registry.open_store("acme", "acme:x")
    chosen = Registry(frozenset({"two"}))
    assert [(row.name, row.state) for row in others(chosen)] == [("two", "ready")]
    assert chosen.open_store("acme", "acme:x")


def test_two_plugins_that_claim_a_kind_of_a_framework_are_both_named(site: Site) -> None:
    site.install("one", adapter("acme", "tools"))
    site.install("two", adapter("acme", "tools"))
    site.install("three", adapter("acme", "store"))
    with pytest.raises(PluginError, match=r"acme: tools is claimed by one \(botwire-one\) and two \(botwire-two\)"):
        Registry().adapter("acme", "tools")
    assert Registry().adapter("acme", "store")


def test_plugins_of_one_name_are_told_apart_by_their_distributions(site: Site) -> None:
    site.install("acme", store("acme"), distribution="acme-botwire")
    module = site.install("acme", store("acme"), distribution="botwire_acme")
    opened = Registry(frozenset({"botwire-acme"})).open_store("acme", "acme:x")
    assert opened
    assert [row.distribution for row in others(Registry(frozenset({"botwire-acme"})))] == ["botwire_acme"]
    assert module in sys.modules


def test_no_plugin_takes_over_a_store_of_the_core(site: Site, tmp_path: Path) -> None:
    site.install("acme", store("sqlite"))
    assert isinstance(connect(f"sqlite:///{tmp_path / 'x.db'}"), SqliteStore)
    (row,) = others(Registry())
    assert (row.state, row.reason) == ("conflict", "sqlite: is claimed by core (botwire) and acme (botwire-acme)")
    assert Registry().status()[: len(SHIPPED)] == SHIPPED


def test_a_shipped_adapter_stands_until_it_is_left_out(site: Site) -> None:
    module = site.install("acme", adapter("langchain", "chat_history"))
    registry = Registry()
    assert [row.state for row in others(registry)] == ["conflict"]
    assert registry.adapter("langchain", "chat_history") is BotWireChatHistory
    assert Registry(frozenset({"acme"})).adapter("langchain", "chat_history").__module__ == module


def test_an_empty_allow_list_leaves_the_stores_of_the_core(site: Site) -> None:
    site.install("acme", store("acme"))
    registry = Registry(frozenset())
    assert registry.status() == [row for row in SHIPPED if row.name == "core"]
    with pytest.raises(UnknownStoreError, match="BOTWIRE_PLUGINS allows only those that it names"):
        registry.open_store("acme", "acme:x")
    with pytest.raises(PluginError, match=r"no plugin provides chat_history for langchain.*BOTWIRE_PLUGINS"):
        registry.adapter("langchain", "chat_history")


def test_a_plugin_that_is_not_allowed_is_not_even_imported(site: Site) -> None:
    module = site.install("acme", store("acme"))
    Registry(frozenset({"langchain"})).status()
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("environ", "allowed"),
    [
        ({}, None),
        ({"BOTWIRE_PLUGINS": ""}, set()),
        ({"BOTWIRE_PLUGINS": " , "}, set()),
        ({"BOTWIRE_PLUGINS": "langchain, Acme_Botwire ,x.y"}, {"langchain", "acme-botwire", "x-y"}),
    ],
)
def test_the_allow_list_is_names_between_commas(environ: dict[str, str], allowed: set[str] | None) -> None:
    assert allow_list(environ) == allowed


# --- unknown ----------------------------------------------------------------------------------------


def test_an_unknown_scheme_names_those_that_are_known(site: Site) -> None:
    site.install("acme", store("acme"))
    known = r"nothing opens 'redis' URLs \(known are acme:, http:, https:, memory:, postgresql:, sqlite:\)"
    with pytest.raises(UnknownStoreError, match=known):
        Registry().open_store("redis", "redis://:secret@host")


def test_a_shipped_store_needs_what_its_extra_brings() -> None:
    code = """
import sys
sys.modules["psycopg"] = None
from botwire import Memory
Memory("a", "postgresql://x/y").get("k")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (
        "MissingExtraError: a store for postgresql: URLs needs psycopg: pip install 'botwire[postgres]'" in run.stderr
    )


def test_an_installed_plugin_cannot_take_over_the_urls_of_a_shipped_one(site: Site) -> None:
    site.install("acme", store("postgresql"))
    assert type(Registry().open_store("postgresql", "postgresql://host/x")).__name__ == "PostgresStore"


def test_an_unknown_adapter_is_an_error_that_says_where_to_look() -> None:
    with pytest.raises(PluginError, match=r"no plugin provides tools for acme .*botwire plugins"):
        Registry().adapter("acme", "tools")


# --- scopes and cost ----------------------------------------------------------------------------------


def test_the_first_plugin_that_knows_the_scope_answers(site: Site) -> None:
    answer = "@hookimpl\ndef botwire_current_scope():\n    return "
    site.install("aaa", answer + "None")
    site.install("bbb", answer + "Scope(variant='prv_1', source='bbb')")
    site.install("ccc", answer + "Scope(variant='prv_2', source='ccc')")
    assert Registry().current_scope() == Scope(variant="prv_1", source="bbb")
    assert Registry(frozenset({"aaa"})).current_scope() is None


def loaded_after(code: str, site: Site) -> set[str]:
    code += "\nimport sys; print(*sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=site.folder, env=environ
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines()[-1].split())


def test_an_embedded_get_reads_no_entry_points_and_loads_no_plugin_machinery(site: Site) -> None:
    module = site.install("acme", "1 / 0")
    loaded = loaded_after("from botwire import Memory; Memory('x').get('k')", site)
    assert "botwire_core.stores.sqlite.store" in loaded
    assert not loaded & {
        module,
        "pluggy",
        "importlib.metadata",
        "botwire_core.plugins",
        "botwire_core.specs",
        "platformdirs",
    }


def test_listing_plugins_loads_no_framework(site: Site) -> None:
    module = site.install("acme", store("acme"))
    loaded = loaded_after("from botwire_core.plugins import registry; registry().status()", site)
    assert module in loaded
    assert not loaded & {"langchain_core", "pydantic", "httpx", "rich", "typer"}


def test_an_adapter_of_ours_is_found_without_reading_entry_points(site: Site) -> None:
    module = site.install("acme", store("acme"))
    loaded = loaded_after("from botwire import BotWireChatHistory", site)
    assert "botwire_langchain.history" in loaded
    assert module not in loaded
