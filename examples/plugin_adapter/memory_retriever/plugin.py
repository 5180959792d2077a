"""Declares the retriever; safe to import without LangChain."""

from botwire_core.hookspecs import AdapterSpec, hookimpl


@hookimpl
def botwire_adapters() -> list[AdapterSpec]:
    return [
        AdapterSpec(
            "langchain",
            provides={"retriever": "memory_retriever.retriever:MemoryRetriever"},
            needs="langchain_core",
            install="botwire-memory-retriever[langchain]",
        )
    ]
