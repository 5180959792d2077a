"""The contracts, put together from their parts."""

from __future__ import annotations

from botwire_core.testing.stores.changes import ChangesContract
from botwire_core.testing.stores.compare import CompareContract
from botwire_core.testing.stores.conflicts import ConflictContract
from botwire_core.testing.stores.erasure import ErasureContract
from botwire_core.testing.stores.expiry import ExpiryContract
from botwire_core.testing.stores.families import FamilyContract
from botwire_core.testing.stores.forks import ForkContract
from botwire_core.testing.stores.keeping import KeepingContract
from botwire_core.testing.stores.keys import KeyContract
from botwire_core.testing.stores.lineages import LineageContract
from botwire_core.testing.stores.listing import ListingContract
from botwire_core.testing.stores.logs import LogContract
from botwire_core.testing.stores.merging import MergeContract
from botwire_core.testing.stores.past import PastContract
from botwire_core.testing.stores.quotas import QuotaContract
from botwire_core.testing.stores.replaying import ReplayContract
from botwire_core.testing.stores.search import SearchContract
from botwire_core.testing.stores.serving import ServingContract
from botwire_core.testing.stores.sharing import SharingContract
from botwire_core.testing.stores.tokens import TokenContract
from botwire_core.testing.stores.transactions import TransactionContract
from botwire_core.testing.stores.transfer import TransferContract
from botwire_core.testing.stores.values import ValueContract
from botwire_core.testing.stores.writes import WriteContract

__all__ = ["HistoryContract", "ServiceContract", "StoreContract"]


class StoreContract(
    ValueContract,
    KeyContract,
    WriteContract,
    ListingContract,
    LogContract,
    ExpiryContract,
    SearchContract,
    TransactionContract,
    SharingContract,
):
    """What every store does. Subclass it, and define the fixture `store`: fresh, empty, turned by `clock`.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, clock):
            return MyStore(clock=clock)
    """


class HistoryContract(
    ForkContract,
    LineageContract,
    PastContract,
    KeepingContract,
    CompareContract,
    MergeContract,
    ConflictContract,
    ChangesContract,
    TransferContract,
    FamilyContract,
    ErasureContract,
):
    """What a store does besides that names "history" in its features."""


class ServiceContract(ServingContract, ReplayContract, QuotaContract, TokenContract):
    """What a store does besides that names "service" in its features; it names "history" too."""
