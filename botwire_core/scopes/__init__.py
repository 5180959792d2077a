"""Which experiment the code runs in, and which fork of a memory that makes it work on."""

from botwire_core.scopes.scope import Scope

__all__ = ["Scope"]
