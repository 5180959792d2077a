"""Scopes for those who write a provider or ask which one holds: `botwire.scopes.arm(provider)`."""

from botwire_core.scopes import Scope
from botwire_core.scopes.blocks import bind, scope
from botwire_core.scopes.current import arm, current_scope, disarm
from botwire_core.scopes.naming import scoped_name
from botwire_core.scopes.policy import ScopePolicy, current_policy, scope_policy

__all__ = [
    "Scope",
    "ScopePolicy",
    "arm",
    "bind",
    "current_policy",
    "current_scope",
    "disarm",
    "scope",
    "scope_policy",
    "scoped_name",
]
