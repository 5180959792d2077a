"""What a URL of PostgreSQL may say, without a server to reach."""

from __future__ import annotations

import time

import pytest

from botwire import StoreUnavailableError, UnknownStoreError
from botwire_core.protocol import Get
from botwire_postgres.url import open_url

NOWHERE = "postgresql://127.0.0.1:1/memory"


REFUSED = """
pool=0 pool=1001 pool=many prepared=maybe timeout=0 timeout=-1 timeout=soon timeout=nan timeout=86401 timeout=+
schema= schema=Upper schema=a;b sslmod=require
"""


@pytest.mark.parametrize("option", [*REFUSED.split(), f"schema={64 * 'a'}"])
def test_an_option_that_cannot_be_is_refused(option: str) -> None:
    with pytest.raises(UnknownStoreError):
        open_url(f"{NOWHERE}?{option}")


@pytest.mark.parametrize(("url", "argument"), [(f"{NOWHERE}?timeout=0.2", None), (f"{NOWHERE}?timeout=30", 0.2)])
def test_an_op_ends_by_the_timeout_of_the_url_unless_one_is_given(url: str, argument: float | None) -> None:
    began = time.monotonic()
    store = open_url(url, timeout=argument)
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1/memory cannot be reached"):
        store.run(Get("space", "key"))
    assert time.monotonic() - began < 5
    store.close()
