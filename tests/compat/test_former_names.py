"""What code for BotWire 0.2 imports: it is there, or says what became of it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import botwire
import botwire.errors
import botwire_langchain.history
from botwire import former
from botwire_core import errors

REMOVED = sorted(former.FORMER_NAMES)
PLACES = {
    "Channel": ["botwire", "botwire.channel"],
    "register": ["botwire", "botwire.registration"],
    "ensure_registered": ["botwire.registration"],
    **{name: ["botwire", "botwire.errors"] for name in REMOVED if name[0].isupper() and name != "Channel"},
}


def test_every_name_that_the_first_sdk_showed_is_accounted_for() -> None:
    shown = {
        "Memory", "Channel", "register", "BotWireError", "RegistrationRequired", "ChannelNotFound", "PostFailed",
        "PaymentRequired", "RateLimited", "InvalidType", "BotWireChatHistory",
    }  # fmt: skip
    assert shown <= {*botwire.__all__, "BotWireChatHistory", *former.FORMER_NAMES, *former.FORMER_ALIASES}


@pytest.mark.parametrize(("name", "module"), [(name, module) for name in PLACES for module in PLACES[name]])
def test_importing_what_is_gone_tells_what_became_of_it(name: str, module: str) -> None:
    with pytest.raises(former.RemovedError, match=rf"^{name} was a part of BotWire 0\.2 and is gone: ") as raised:
        getattr(importlib.import_module(module), name)
    assert raised.value.hint
    assert isinstance(raised.value, ImportError)
    assert isinstance(raised.value, botwire.BotWireError)


@pytest.mark.parametrize("code", ["from botwire import Channel", "from botwire.channel import Channel"])
def test_the_explanation_of_channels_is_what_a_user_sees(code: str) -> None:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = result.stderr.splitlines()[-1]
    assert "Channel was a part of BotWire 0.2 and is gone: agents no longer post to channels of a service" in last
    assert '.append("log", entry)' in last


def test_calling_register_tells_that_nothing_has_to_be_registered() -> None:
    with pytest.raises(ImportError, match=r"no registration.*leave out the call"):
        botwire.register("my-agent", accept_terms=True)


def test_the_old_name_of_a_used_up_quota_still_catches_it() -> None:
    assert botwire.RateLimited is botwire.errors.RateLimited is errors.QuotaExceededError
    with pytest.raises(botwire.RateLimited) as raised:
        raise errors.QuotaExceededError("used up", retry_after=3.0)
    assert raised.value.retry_after == 3.0


def test_the_errors_are_where_the_first_sdk_had_them() -> None:
    assert {name: getattr(botwire.errors, name) for name in botwire.errors.__all__} == {
        name: getattr(errors, name) for name in errors.__all__
    }


@pytest.mark.parametrize("module", ["botwire", "botwire.langchain", "botwire.memory"])
def test_the_chat_history_is_where_the_guides_had_it(module: str) -> None:
    assert importlib.import_module(module).BotWireChatHistory is botwire_langchain.history.BotWireChatHistory


@pytest.mark.parametrize("module", ["botwire.crewai", "botwire.memory"])
def test_the_tools_for_crews_are_where_the_guides_had_them(module: str) -> None:
    assert callable(importlib.import_module(module).memory_tools)


@pytest.mark.parametrize("module", ["botwire.langchain", "botwire.memory", "botwire.errors", "botwire.channel"])
def test_a_name_that_never_was_is_an_attribute_error(module: str) -> None:
    found = importlib.import_module(module)
    assert not hasattr(found, "no_such_name")


def test_the_first_three_arguments_of_memory_are_those_of_the_first_sdk() -> None:
    memory = botwire.Memory("my-agent", "http://127.0.0.1:9", 5.0)
    assert repr(memory) == "Memory('my-agent', 'http://127.0.0.1:9')"
    assert repr(botwire.Memory("my-agent", base_url="http://127.0.0.1:9", timeout=5)) == repr(memory)
