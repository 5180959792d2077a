"""Scopes for those who write a provider or ask which one holds: `botwire.scopes.arm(provider)`."""

from botwire_core.scopes import Scope
from botwire_core.scopes.blocks import bind, scope
from botwire_core.scopes.current import arm, current_scope, disarm
from botwire_core.scopes.leaks import Leak, find_leaks
from botwire_core.scopes.naming import scoped_name
from botwire_core.scopes.policy import ScopePolicy, current_policy, scope_policy
from botwire_core.scopes.report import MemoryReport, RunColumn
from botwire_core.scopes.upkeep import collect, promote, scoped_namespaces

__all__ = [
    "Leak",
    "MemoryReport",
    "RunColumn",
    "Scope",
    "ScopePolicy",
    "arm",
    "bind",
    "collect",
    "current_policy",
    "current_scope",
    "disarm",
    "find_leaks",
    "promote",
    "scope",
    "scope_policy",
    "scoped_name",
    "scoped_namespaces",
]
