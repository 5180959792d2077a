"""An empty memory on each backend, for everything that LangGraph is given."""

from backends import memory, server, url

__all__ = ["memory", "server", "url"]
