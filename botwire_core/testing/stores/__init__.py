"""The contracts of a store: what every one does, and what one with a past does besides."""

from botwire_core.testing.stores.contracts import HistoryContract, ServiceContract, StoreContract

__all__ = ["HistoryContract", "ServiceContract", "StoreContract"]
