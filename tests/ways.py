"""Ways in which code calls a function: those that hand a context on, and those that lose it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def same_thread(function: Callable[[], Any]) -> Any:
    return function()


def coroutine(function: Callable[[], Any]) -> Any:
    async def run() -> Any:
        return function()

    return asyncio.run(run())


def task(function: Callable[[], Any]) -> Any:
    async def run() -> Any:
        async def inner() -> Any:
            return function()

        return await asyncio.create_task(inner())

    return asyncio.run(run())


def to_thread(function: Callable[[], Any]) -> Any:
    async def run() -> Any:
        return await asyncio.to_thread(function)

    return asyncio.run(run())


def copied_context(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.copy_context().run, function).result()


def new_pool(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def executor_of_loop(function: Callable[[], Any]) -> Any:
    async def run() -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, function)

    return asyncio.run(run())
