"""What a grant covers: rows A3 and A11, and its spelling."""

from __future__ import annotations

import pytest

from botwire_core.errors import InvalidNamespaceError, InvalidValueError
from botwire_core.grants import covers, grant_from_text, grant_to_text
from botwire_core.service import Grant


@pytest.mark.parametrize(
    ("pattern", "namespace", "expected"),
    [
        ("user", "user", True),
        ("user", "user2", False),
        ("user", "User", False),
        ("user", "user.x", False),
        ("user", "user:x", False),
        ("user", "use", False),
        ("user", "xuser", False),
        ("user", "user@v1", False),
        ("user.*", "user.x", True),
        ("user.*", "user.x.y", True),
        ("user.*", "user.x:y", True),
        ("user.*", "user.x@v1", True),
        ("user.*", "user", False),
        ("user.*", "user.", False),
        ("user.*", "user2", False),
        ("user.*", "user2.x", False),
        ("user.*", "User.x", False),
        ("user.*", "user:x", False),
        ("user.*", "a.user.x", False),
        ("user:*", "user:x", True),
        ("user:*", "user.x", False),
        ("a.b.*", "a.b.c", True),
        ("a.b.*", "a.bc", False),
        ("a.b.*", "a.c", False),
        ("*", "anything@at~all", True),
    ],
)
def test_a3_a_grant_covers_an_exact_name_or_whole_components(pattern: str, namespace: str, expected: bool) -> None:
    assert covers(pattern, namespace) is expected


@pytest.mark.parametrize("pattern", ["", "user*", "us*er", "*.x", "**", ".*", ".tokens", "user.**", "a/b", "user@*"])
def test_a3_a_pattern_that_ends_inside_of_a_component_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidNamespaceError):
        Grant(pattern, frozenset({"read"}))


@pytest.mark.parametrize(
    ("text", "pattern", "verbs", "shown"),
    [
        ("support:write,read", "support", {"read", "write"}, "support:read,write"),
        ("user:ada:read", "user:ada", {"read"}, "user:ada:read"),
        ("user:*:read", "user:*", {"read"}, "user:*:read"),
        ("*:all", "*", {"read", "write", "delete", "fork", "history"}, "*:all"),
        ("a:all,admin", "a", {"read", "write", "delete", "fork", "history", "admin"}, "a:all,admin"),
        ("a:admin", "a", {"admin"}, "a:admin"),
    ],
)
def test_a_grant_is_spelled_as_a_pattern_and_verbs(text: str, pattern: str, verbs: set[str], shown: str) -> None:
    grant = grant_from_text(text)
    assert grant == Grant(pattern, frozenset(verbs))
    assert grant_to_text(grant) == shown
    assert grant_from_text(shown) == grant


@pytest.mark.parametrize("text", ["", "support", "support:", ":read", "support:reed", "support:read,", "support:READ"])
def test_a_grant_without_verbs_that_exist_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is no grant"):
        grant_from_text(text)
