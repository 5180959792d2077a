"""The examples in the docstrings of the core, each on a memory of its own."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import botwire_core
from botwire_core.memory import Memory
from botwire_core.stores.dict import DictStore

MODULES = [
    module.name
    for module in pkgutil.walk_packages(botwire_core.__path__, "botwire_core.")
    if not module.name.startswith("botwire_core.testing")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_give_what_they_say(name: str) -> None:
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)):
        example.globs.setdefault("memory", Memory("demo", store=DictStore()))
        result = doctest.DocTestRunner(verbose=False).run(example)
        assert result.failed == 0


def test_nearly_every_method_of_memory_shows_an_example() -> None:
    names = [name for name in dir(Memory) if not name.startswith("_") and callable(getattr(Memory, name))]
    own = [name for name in names if not (name.startswith("a") and name[1:] in names)]
    without = {name for name in own if ">>>" not in (getattr(Memory, name).__doc__ or "")}
    assert without <= {"close", "keys", "snapshots", "delete_snapshot", "purge", "retention", "set_retention"}
