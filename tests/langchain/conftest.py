"""An empty memory on each backend, for everything that LangChain is given."""

from backends import memory, server, url

__all__ = ["memory", "server", "url"]
