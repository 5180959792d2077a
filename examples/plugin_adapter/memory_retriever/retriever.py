"""`MemoryRetriever`: finds entries of a memory by their words, and gives them to a chain as documents."""

import json
from typing import Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from botwire_core.memory import Memory
from botwire_core.results import Entry


class MemoryRetriever(BaseRetriever):
    """The entries of a namespace that match the question best, best first."""

    namespace: str
    url: str | None = None
    prefix: str = ""
    limit: int = 4

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        memory = Memory(self.namespace, self.url)
        return [_document(entry) for entry in memory.search(self.prefix, words=query, limit=self.limit)]

    async def _aget_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        memory = Memory(self.namespace, self.url)
        return [_document(entry) for entry in await memory.asearch(self.prefix, words=query, limit=self.limit)]


def _document(entry: Entry) -> Document:
    text = entry.value if isinstance(entry.value, str) else json.dumps(entry.value, ensure_ascii=False, default=repr)
    return Document(text, id=entry.key, metadata={"key": entry.key, "version": entry.version})
