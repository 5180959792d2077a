"""LangChain's own suites for stores, caches and tools, on every backend."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import (
    AsyncCacheTestSuite,
    BaseStoreAsyncTests,
    BaseStoreSyncTests,
    SyncCacheTestSuite,
    ToolsIntegrationTests,
)
from langchain_tests.unit_tests import ToolsUnitTests

from botwire import Memory
from botwire_langchain.cache import BotWireCache
from botwire_langchain.store import BotWireByteStore
from botwire_langchain.tools import memory_tools


class TestByteStore(BaseStoreSyncTests[bytes]):
    @pytest.fixture
    def kv_store(self, memory: Memory) -> BotWireByteStore:
        return BotWireByteStore(memory)

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return b"\xff\0", b'{"kept":["as","JSON"]}', b'{"kept": "as bytes"}'


class TestByteStoreAsync(BaseStoreAsyncTests[bytes]):
    @pytest.fixture
    async def kv_store(self, memory: Memory) -> BotWireByteStore:
        return BotWireByteStore(memory)

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return b"\xff\0", b'{"kept":["as","JSON"]}', b'{"kept": "as bytes"}'


class TestCache(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self, memory: Memory) -> BotWireCache:
        return BotWireCache(memory, ttl=3600)


class TestCacheAsync(AsyncCacheTestSuite):
    @pytest.fixture
    async def cache(self, memory: Memory) -> BotWireCache:
        return BotWireCache(memory)


class OneTool:
    """What the suites for tools ask for; a subclass says which tool, and how it is called."""

    name: str
    arguments: dict[str, Any]
    memory: Memory

    @pytest.fixture(autouse=True)
    def opened(self, memory: Memory) -> None:
        memory.set("user:ana", "lives in Porto")
        self.memory = memory

    @property
    def tool_constructor(self) -> BaseTool:
        (tool,) = (tool for tool in memory_tools(self.memory, forget=True) if tool.name == self.name)
        return tool

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return self.arguments


class Remember(OneTool):
    name, arguments = "remember", {"key": "user:ana", "value": "lives in Lisbon"}


class Recall(OneTool):
    name, arguments = "recall", {"key": "user:ana"}


class ListMemory(OneTool):
    name, arguments = "list_memory", {"prefix": "user:"}


class Forget(OneTool):
    name, arguments = "forget", {"key": "user:ana"}


class TestRememberUnits(Remember, ToolsUnitTests): ...


class TestRemember(Remember, ToolsIntegrationTests): ...


class TestRecallUnits(Recall, ToolsUnitTests): ...


class TestRecall(Recall, ToolsIntegrationTests): ...


class TestListMemoryUnits(ListMemory, ToolsUnitTests): ...


class TestListMemory(ListMemory, ToolsIntegrationTests): ...


class TestForgetUnits(Forget, ToolsUnitTests): ...


class TestForget(Forget, ToolsIntegrationTests): ...
