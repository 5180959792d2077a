"""The retriever finds what was remembered, in both colours, and the registry finds the retriever."""

import asyncio
from pathlib import Path

import pytest
from memory_retriever.retriever import MemoryRetriever

from botwire import Memory
from botwire_core.plugins import registry


@pytest.fixture
def retriever(tmp_path: Path) -> MemoryRetriever:
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    memory = Memory("shop", url)
    memory.set("faq/returns", "Returns are free within thirty days.")
    memory.set("faq/shipping", {"question": "How long does shipping take?", "answer": "Two days."})
    memory.set("orders/7", "Returns desk: order 7")
    return MemoryRetriever(namespace="shop", url=url, prefix="faq/")


def test_it_finds_entries_by_their_words(retriever: MemoryRetriever) -> None:
    (document,) = retriever.invoke("are returns free")
    assert document.id == "faq/returns"
    assert document.page_content == "Returns are free within thirty days."
    assert document.metadata == {"key": "faq/returns", "version": 1}


def test_it_does_so_asynchronously_too(retriever: MemoryRetriever) -> None:
    (document,) = asyncio.run(retriever.ainvoke("shipping"))
    assert "Two days." in document.page_content


def test_the_registry_finds_it() -> None:
    assert registry().adapter("langchain", "retriever") is MemoryRetriever
