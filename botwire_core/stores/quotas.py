"""What root namespaces use, counted in the store itself, and the refusal of what would be too much.

The count of a root and its forks is a row of the reserved namespace `.quotas`, changed in the transaction of what it
counts, so that any number of servers agree. It is kept by the root's name, with the ids of the roots that had it: who
drops a namespace and makes it anew goes on from where he was.

Bytes are counted as they change. What changes without a write, by expiry or a drop, can only make the count too high:
nothing is refused before it was counted from scratch, and that is done once a day too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar, cast

from botwire_core import protocol as p
from botwire_core.clock import from_microseconds
from botwire_core.errors import QuotaExceededError
from botwire_core.protocol import Op
from botwire_core.records import record, replace
from botwire_core.results import Retention
from botwire_core.service import Quota, Usage
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.reserved import is_reserved
from botwire_core.stores.spaces import Space
from botwire_core.stores.tally import Tally, counting
from botwire_core.stores.usage import count_bytes, count_forks, kept_until

__all__ = ["QUOTAS", "Account", "Accounts"]

R = TypeVar("R")

QUOTAS: Final = ".quotas"
_DAY: Final = 86_400_000_000  # microseconds

_WRITE_ROWS: Final[frozenset[type]] = frozenset(
    {p.Set, p.Delete, p.SetMany, p.DeleteMany, p.Append, p.Increment, p.Expire, p.Clear}
    | {p.Restore, p.Transact, p.Import}
)
_MAKE_NO_FORKS: Final = _WRITE_ROWS | {p.Merge, p.Snapshot, p.DeleteSnapshot, p.Drop, p.Purge, p.SetRetention}


@record
class Account:
    """What the roots of one name and their forks use."""

    name: str
    day: int
    """Days since 1970, UTC: the one that `writes` are of."""
    writes: int = 0
    bytes: int | None = None
    """None where nobody has asked yet; else never less than what there is."""
    counted: int = -1
    """The day of the last count from scratch."""
    exact_until: int = 0
    """Until when `bytes` is exact, in microseconds since the epoch."""
    roots: tuple[int, ...] = ()


class Accounts:
    """The accounts that the requests of one commit use; what has changed is stored by `commit`."""

    def __init__(self, store: HistoryPrimitives) -> None:
        self._store = store
        self._rows = store.reserved(QUOTAS)
        self._stored: dict[str, Account] = {}
        self._accounts: dict[str, Account] = {}
        self._kept_until: dict[int, int] = {}
        self.last: Account | None = None
        """The account that an op was run for last."""

    def load(self, namespaces: Iterable[str]) -> None:
        """Look in one step at the accounts of namespaces, as far as they can be known before their ops are run."""
        self._rows.load(self._names_of(namespaces))

    def _names_of(self, namespaces: Iterable[str]) -> Iterator[str]:
        for namespace in dict.fromkeys(namespaces):
            space = self._store.find(namespace)
            yield namespace if space is None else self._root_name(space)

    # --- running --------------------------------------------------------------------------------------------

    def look_at(self, op: Op[Any]) -> Space | None:
        """The namespace of an op as it is; its account is the `last` one then."""
        namespace = getattr(op, "namespace", None)
        space = self._store.find(namespace) if isinstance(namespace, str) and not is_reserved(namespace) else None
        self.last = None if space is None else self._account_of(space)
        return space

    def run(self, op: Op[R], quota: Quota) -> R:
        """Run an op that writes, and count it.

        Raises:
            QuotaExceededError: it would be too much; it was undone.
        """
        before = self.look_at(op)
        return self.undoing(lambda: self._run(op, quota, before))

    def undoing(self, run: Callable[[], R]) -> R:
        """Run something as a part that is undone where it raises, and what was counted of it with it."""
        before, account = dict(self._accounts), self.last
        try:
            with self._store.exclusive():
                return run()
        except BaseException as error:
            self._accounts, self.last = before, account
            self._kept_until.clear()
            if isinstance(error, QuotaExceededError) and error.quota == "bytes" and account is not None:
                self._use(self._exact(account))  # so that the next refusal needs no count
            raise

    def _run(self, op: Op[R], quota: Quota, before: Space | None) -> R:
        store = self._store
        rows_only = type(op) in _WRITE_ROWS
        forks = 0 if self.last is None else self._forks_of(op, self.last)
        if not rows_only:
            self._kept_until.clear()
        tally = Tally(store.moment(), self._kept_until_of if quota.bytes is not None else None)
        token = counting.set(tally)
        try:
            result = store.run(op)
        finally:
            counting.reset(token)
        if not rows_only:
            self._kept_until.clear()
        if before is None:
            before = tally.space or self.look_at(op)
        if before is not None:
            self._use(self._charged(op, result, self._account_of(before), tally, quota, forks))
        return result

    def commit(self) -> None:
        """Store what has changed."""
        for name, account in self._accounts.items():
            stored = self._stored.get(name)
            if account == stored:
                continue
            # A day longer than it counts for; by then the bytes are counted from scratch anyhow.
            expires = (account.day + 2) * _DAY
            if stored is None or (stored.day, stored.roots) != (account.day, account.roots):
                for root in account.roots:
                    self._rows.put(f"#{root}", name, expires)
            self._rows.put(name, _numbers_of(account), expires)
        self._rows.commit()

    # --- accounts -------------------------------------------------------------------------------------------

    def usage(self, account: Account) -> Usage:
        """What an account uses, as users see it; forks are not counted."""
        left = (account.day + 1) * _DAY - self._store.moment()
        return Usage(account.name, account.writes, left / 1_000_000, account.bytes)

    def counted(self, namespace: str) -> Usage:
        """What the root of a namespace and all its forks use, counted from scratch."""
        space = self._store.find(namespace)
        account = self._account(namespace) if space is None else self._account_of(space)
        size, _ = count_bytes(self._store, account.roots)
        return replace(self.usage(account), bytes=size, forks=count_forks(self._store, account.roots))

    def _account_of(self, space: Space) -> Account:
        account = self._account(self._root_name(space))
        root = space.lineage[-1].space
        if root not in account.roots:
            alive = tuple(id for id in account.roots if self._store.space_of(id) is not None)
            account = replace(account, roots=(*alive, root))
        self._accounts[account.name] = account
        return account

    def _account(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is not None:
            return account
        today = self._store.moment() // _DAY
        row = self._rows.row(name)
        if row is None:
            return Account(name, today)
        day, writes, size, counted, until, roots = cast("list[Any]", row.value)
        account = self._stored[name] = Account(name, day, writes, size, counted, until, tuple(roots))
        if day < today:
            return replace(account, day=today, writes=0)
        # Not back: a clock that goes back over midnight gives nothing. One that was days ahead is not waited for.
        return replace(account, day=today) if day > today + 1 else account

    def _root_name(self, space: Space) -> str:
        if len(space.lineage) == 1 and space.name is not None:
            return space.name
        id = space.lineage[-1].space
        root = self._store.space_of(id)
        if root is not None and root.name is not None:
            return root.name
        known = self._rows.row(f"#{id}")
        return f"#{id}" if known is None else str(known.value)

    def _use(self, account: Account) -> None:
        self._accounts[account.name] = self.last = account

    # --- counting -------------------------------------------------------------------------------------------

    def _charged(
        self, op: Op[Any], result: Any, account: Account, tally: Tally, quota: Quota, forks_before: int
    ) -> Account:
        """An account with what an op has written."""
        writes = tally.writes + (result if type(op) is p.ImportFamily else 0)
        limit = quota.writes_per_day
        if limit is not None and writes and account.writes + writes > limit:
            raise self._too_many_writes(account, limit)
        account = replace(account, writes=account.writes + writes)
        forks = self._forks_of(op, account)
        if quota.forks is not None and forks > max(quota.forks, forks_before):
            raise QuotaExceededError(
                f"{account.name!r} has all of the {quota.forks:,} forks that it may have",
                hint="drop() some that are not needed; with a ttl they go by themselves",
                quota="forks",
            )
        if quota.bytes is not None:
            # A fork of the past brings back what had counted for nothing any more.
            past = forks > forks_before and not (type(op) is p.Fork and op.at is None)
            account = self._with_bytes(op, account, tally, quota.bytes, past or type(op) is p.ImportFamily)
        return account

    def _with_bytes(self, op: Op[Any], account: Account, tally: Tally, limit: int, unseen: bool) -> Account:
        if type(op) is p.SetRetention and not _within(op.retention, Retention()):
            raise QuotaExceededError(
                f"{account.name!r} has a limit of bytes, and keeps no more of the past than usual",
                hint="snapshot() keeps a moment, and counts",
                quota="bytes",
            )
        if account.bytes is None or account.counted < account.day or unseen:
            account = self._counted(account)
        else:
            until = account.exact_until if type(op) in _WRITE_ROWS else 0
            account = replace(
                account,
                bytes=max(0, account.bytes + tally.bytes),
                exact_until=min(until, until if tally.first_end is None else tally.first_end),
            )
        if (tally.bytes > 0 or unseen) and cast(int, account.bytes) > limit:
            account = self._exact(account)
            if cast(int, account.bytes) > limit:
                raise QuotaExceededError(
                    f"{account.name!r} may hold {limit:,} bytes, and would have {account.bytes:,}",
                    hint="delete what is not needed; shorter values are taken too",
                    quota="bytes",
                )
        return account

    def _exact(self, account: Account) -> Account:
        return account if account.exact_until > self._store.moment() else self._counted(account)

    def _counted(self, account: Account) -> Account:
        size, until = count_bytes(self._store, account.roots)
        return replace(account, bytes=size, counted=account.day, exact_until=until)

    def _kept_until_of(self, space: Space) -> int:
        if space.id not in self._kept_until:
            self._kept_until[space.id] = kept_until(self._store, space)
        return self._kept_until[space.id]

    def _forks_of(self, op: Op[Any], account: Account) -> int:
        """How many forks an account has; 0 for an op that makes none."""
        return 0 if type(op) in _MAKE_NO_FORKS else count_forks(self._store, account.roots)

    def _too_many_writes(self, account: Account, limit: int) -> QuotaExceededError:
        left = self.usage(account).resets_in
        at = from_microseconds((account.day + 1) * _DAY)
        return QuotaExceededError(
            f"{account.name!r} and its forks have had the {limit:,} writes of this day",
            hint=f"there are more from {at:%Y-%m-%d %H:%M} UTC on; reading and deleting go on",
            retry_after=left,
            quota="writes",
        )


def _numbers_of(one: Account) -> list[Any]:
    return [one.day, one.writes, one.bytes, one.counted, one.exact_until, list(one.roots)]


def _within(retention: Retention, limit: Retention) -> bool:
    return retention.versions <= limit.versions and retention.deleted_for <= limit.deleted_for
