"""Contract tests for the authors of stores and adapters, and the clock that they turn.

Subclass a contract in a test module of your own, and pytest collects it:

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, clock):
            return MyStore(clock=clock)
"""

import pytest

# Rewriting what is not imported yet: a failing assert in a contract then shows its values to the author.
pytest.register_assert_rewrite("botwire_core.testing.chat_history", "botwire_core.testing.stores")

from botwire_core.testing.clock import ManualClock  # noqa: E402
from botwire_core.testing.contract import Contract  # noqa: E402
from botwire_core.testing.stores import HistoryContract, ServiceContract, StoreContract  # noqa: E402

__all__ = ["Contract", "HistoryContract", "ManualClock", "ServiceContract", "StoreContract"]
