"""`served` in a script of one's own: what it started is gone when the block ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

SCRIPT = """
from botwire_core.protocol import Get
from botwire_core.stores.dict import DictStore
from botwire_core.stores.http import HttpStore
from botwire_server.testing import served

for _ in range(4):
    with served(DictStore()) as url:
        store = HttpStore(url)
        store.run(Get("space", "key"))
        store.close()
"""


def test_a_script_that_ends_right_after_the_block_ends_well(scale: Callable[[int], int]) -> None:
    for _ in range(max(3, scale(20))):
        result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
        assert (result.returncode, result.stderr) == (0, "")
