"""What SQLite does not know after `os.fork()`: that it is in another process.

It keeps one record of each file that it has open, with the locks that its connections hold there, and finds that
record by the device and number of the file. A child inherits the records but none of the locks. Its own connections
would count on locks that it does not have: the parent could then throw away the log that the child writes to, and with
it what was acknowledged; and a child that was forked in the middle of a write could never write at all.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from typing import Any

import apsw

__all__ = ["keep_for_ever", "know_files_anew"]

_FSTAT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
_original: Any = None
_in_use: Any = None  # SQLite calls it for as long as the process lives


def know_files_anew() -> None:
    """Let SQLite take every file that this child opens for one that it does not have open.

    Rejected: to close the connections before the fork, since other threads are in the middle of using them; and to
    close them in the child, which would write to what the parent works on.
    """
    global _original, _in_use
    calls = apsw.VFS("botwire-calls", "")  # only a way to reach the table of system calls that all of SQLite uses
    if _original is None:
        address = calls.xGetSystemCall("fstat")
        if address is None:
            return
        _original = _FSTAT(address)
    original, generation = _original, os.getpid()

    def fstat(descriptor: int, found: int) -> int:
        code: int = original(descriptor, found)
        if code == 0:
            device = ctypes.c_uint32.from_address(found)  # st_dev comes first, on Linux as on macOS
            device.value ^= generation
        return code

    _in_use = _FSTAT(fstat)
    calls.xSetSystemCall("fstat", ctypes.cast(_in_use, ctypes.c_void_p).value or 0)
    calls.unregister()


def keep_for_ever(held: Iterable[Any]) -> None:
    """See that some objects are never collected, not even at the end of the interpreter."""
    for one in held:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))
