"""No statement of an op that looks at a few keys reads a whole namespace, whichever plan PostgreSQL takes for it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from with_postgres.plans import Plan, Statement, explained, taken_down
from with_postgres.servers import Database

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_postgres.schema import qualified
from botwire_postgres.url import open_url

KEYS, SMALL = 20_000, 500
FEW = 300  # rows that a step may look at; a page is 100 keys
VALUE = encode({"text": "x" * 150})

# Most namespaces are small, so an index by revisions looks as good as one by keys, and in the large one is not.
FILL = """INSERT INTO versions
    (space, revision, place, version, gone, created, updated, previous, codec, key, author, value)
    SELECT s.id, n + 2, 0, 1, NULL, s.created, s.created, 0, 1,
    'user' || lpad((n / 100)::text, 5, '0') || ':fact-' || lpad((n % 100)::text, 3, '0'), NULL, '{}'
    FROM spaces s CROSS JOIN generate_series(0, 19999) AS n WHERE s.name = 'large' OR n < 5"""


KEY = "user00001:fact-042"
OPS: dict[str, p.Op[object]] = {
    "get": p.Get("large", KEY),
    "get from a fork": p.Get("fork-1", KEY),
    "get_many": p.GetMany("large", tuple(f"user00001:fact-{number:03}" for number in range(100))),
    "list a prefix": p.ListKeys("large", "user00001:", limit=100),
    "list the first": p.ListKeys("large", limit=100),
    "list after a key": p.ListKeys("large", after=KEY, limit=100),
    "list the last": p.ListEntries("large", limit=100, reverse=True),
    "list a prefix of a fork": p.ListKeys("fork-1", "user00001:", limit=100),
    "set": p.Set("large", KEY, VALUE),
    "set in a fork": p.Set("fork-1", KEY, VALUE),
    "set many": p.SetMany("large", ((KEY, VALUE), ("user00001:fact-043", VALUE))),
    "increment": p.Increment("large", "visits"),
    "append": p.Append("large", "chat", (VALUE,)),
    "read a log": p.ReadLog("large", "chat", last=10),
    "delete": p.Delete("large", "user00001:fact-044"),
    "fork": p.Fork("large", "explained"),
    "watch": p.ListChanges("large", since=KEYS - 50),
    "history": p.GetHistory("large", KEY),
}


@pytest.fixture(scope="module")
def schema(fresh_schema: Callable[..., str], postgres: Database) -> str:
    """Of a store with one large namespace, three forks of it, and many small ones."""
    url = fresh_schema()
    name = parse_qs(urlsplit(url).query)["schema"][0]
    store = open_url(url)
    for namespace in ["large", *(f"small-{number}" for number in range(SMALL))]:
        store.run(p.Set(namespace, "first", VALUE))
    postgres.execute(qualified(FILL, name))
    for table in ("versions", "spaces"):
        postgres.execute(f"ANALYZE {name}.{table}")
    for number in range(3):
        store.run(p.Fork("large", f"fork-{number}"))
    assert len(store.run(p.ListKeys("large"))) == KEYS + 1
    store.close()
    return name


@pytest.fixture(scope="module")
def plans(schema: str, postgres: Database) -> list[Plan]:
    """Of the statements of each op, for its values and for all values."""
    return list(explained(postgres.url, schema, taken_down(postgres.url, schema, OPS)))


def test_no_plan_of_an_op_on_few_keys_reads_a_namespace(plans: list[Plan]) -> None:
    assert {plan.statement.op for plan in plans} >= {"get", "set", "list a prefix", "append", "watch"}
    assert not [(plan.statement.op, plan.mode, plan.rows, plan.text) for plan in plans if plan.rows > FEW]


def test_control_a_plan_that_reads_a_namespace_is_seen(plans: list[Plan], schema: str, postgres: Database) -> None:
    listing = next(plan.statement for plan in plans if plan.statement.op == "list a prefix")
    tempting = listing.text.replace("revision + 0 <=", "revision <=")
    assert tempting != listing.text
    found = explained(postgres.url, schema, [Statement("control", tempting, listing.values)])
    assert max(plan.rows for plan in found) >= KEYS
