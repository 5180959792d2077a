"""`BotWireSaver`: LangGraph's checkpoints, in a memory."""

from __future__ import annotations

import copy
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from botwire_core.adapters import as_memory
from botwire_core.flows import aiterate, arun_flow, iterate, run_flow
from botwire_core.memory import Memory
from botwire_langgraph.reading import CheckpointReader
from botwire_langgraph.serializing import default_serializer
from botwire_langgraph.upkeep import ThreadKeeper
from botwire_langgraph.writing import CheckpointWriter

__all__ = ["BotWireSaver"]


class BotWireSaver(BaseCheckpointSaver[str]):
    """A checkpointer for `graph.compile(checkpointer=...)`, of sync and of async graphs alike, with all it can have.

    A thread is what stands below `threads/` and its id in the memory: `memory.purge("threads/user-42/")` erases it.
    What is JSON is kept as JSON. The value of a channel is kept once for each of its versions, and one that grows at
    its end, as a list of messages does, only by what is new: so a thread grows with its length, not with the square
    of it. Making one does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `langgraph` where it is left out.
        serde: What makes bytes of values, such as an `EncryptedSerializer`; then nothing but metadata is kept as JSON.
            Without it, it is LangGraph's own with those types that it knows as safe, and no pickle: a value of any
            other class comes back as the plain data that it was made of, and a warning is logged. To have your classes
            back, name them: `JsonPlusSerializer(allowed_msgpack_modules=[MyState])`, or `saver.with_allowlist(...)`.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.
    """

    def __init__(self, memory: Memory | str | None = None, *, serde: SerializerProtocol | None = None) -> None:
        super().__init__(serde=serde if serde is not None else default_serializer())
        self.memory = as_memory(memory, "langgraph")
        self._readable = serde is None

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint in one transaction and give the config that names it; one of that id is replaced.

        The checkpoint that the config names is its parent. Of the values of channels those are kept that
        `new_versions` names.
        """
        return run_flow(self.memory.store, self._writer().put(config, checkpoint, metadata, new_versions))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Async twin of `put`."""
        return await arun_flow(self.memory.store, self._writer().put(config, checkpoint, metadata, new_versions))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task wrote after a checkpoint, in one transaction; what is there already stays.

        Writes to the special channels, such as interrupts and errors, are replaced.
        """
        run_flow(self.memory.store, self._writer().put_writes(config, writes, task_id, task_path))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Async twin of `put_writes`."""
        await arun_flow(self.memory.store, self._writer().put_writes(config, writes, task_id, task_path))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Give the checkpoint that a config names, the newest of its thread where it names none; None if there is none.

        Raises:
            StoreCorruptError: what is stored was not written with this serializer, or is damaged.
        """
        return run_flow(self.memory.store, self._reader().get(config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Async twin of `get_tuple`."""
        return await arun_flow(self.memory.store, self._reader().get(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Iterate over checkpoints, newest first; they are fetched by the dozen.

        Args:
            config: Names a thread, with `checkpoint_ns` one namespace of it, else all; None is all threads.
            filter: Members of the metadata that must be equal.
            before: Only checkpoints whose id is below the one that it names.
            limit: At most so many; None for all.
        """
        return iterate(
            self.memory.store.here(self.memory.namespace), self._reader().every(config, filter, before, limit)
        )

    def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Async twin of `list`."""
        return aiterate(
            self.memory.store.here(self.memory.namespace), self._reader().every(config, filter, before, limit)
        )

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread, in one transaction; one that is not there is no error."""
        run_flow(self.memory.store, self._keeper().delete(str(thread_id)))

    async def adelete_thread(self, thread_id: str) -> None:
        """Async twin of `delete_thread`."""
        await arun_flow(self.memory.store, self._keeper().delete(str(thread_id)))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints whose metadata has one of these as its `run_id`, with their writes.

        A graph with delta channels may lose what later checkpoints need, as LangGraph says of this method.
        """
        run_flow(self.memory.store, self._keeper().delete_for_runs(run_ids))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Async twin of `delete_for_runs`."""
        await arun_flow(self.memory.store, self._keeper().delete_for_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with all its checkpoints and writes; neither sees what the other writes from then on.

        Checkpoints that the target has already stay, and those of the same ids are replaced. To fork everything that
        a memory holds at once, whatever its size, use `Memory.fork`.
        """
        run_flow(self.memory.store, self._keeper().copy(str(source_thread_id), str(target_thread_id)))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Async twin of `copy_thread`."""
        await arun_flow(self.memory.store, self._keeper().copy(str(source_thread_id), str(target_thread_id)))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace of some threads ("keep_latest"), or nothing ("delete").

        Checkpoints that the delta channels of the newest are made from stay too.
        """
        run_flow(self.memory.store, self._keeper().prune(thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Async twin of `prune`."""
        await arun_flow(self.memory.store, self._keeper().prune(thread_ids, strategy))

    def get_next_version(self, current: str | int | float | None, channel: None = None) -> str:
        """Give the version of a channel after `current`: a number that rises, and a random one after it.

        Two branches of a thread so never give the same version to two values.
        """
        number = int(current.split(".")[0]) if isinstance(current, str) else int(current or 0)
        return f"{number + 1:032}.{random.random():016}"  # noqa: S311 - tells branches apart, and keeps no secret

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.memory!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return copy.copy(self)  # a handle on the same memory

    def _writer(self) -> CheckpointWriter:
        return CheckpointWriter(self.memory, self.serde, self._readable)

    def _reader(self) -> CheckpointReader:
        return CheckpointReader(self.memory, self.serde)

    def _keeper(self) -> ThreadKeeper:
        return ThreadKeeper(self.memory, self.serde)
