"""Several commands in one container, in both manners of waiting."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from pinfold._errors import late
from pinfold._loop import drive
from pinfold._native import Group, GroupEvent, GroupStats, Limits, LimitsHit, MemberInfo, Sandbox, StopReport
from pinfold._verbs import Verbs

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Literal

    from typing_extensions import Self

    from pinfold._handle import Seconds, Signal
    from pinfold._native import AnyRunner, Pollable

    Isolation = Literal["best", "cgroup", "pid_namespace", "subreaper", "process_group"]
    Guarantee = Literal["kernel", "guarded", "while_owner_lives", "best_effort"]

__all__ = ["GroupEvents", "ProcessGroup"]


class GroupEvents:
    """What happens to a group from here on, with ``for`` or ``async for``; it ends with the group, and does not keep it. Threads
    that share it get each event once.

    >>> from pinfold import Command, ProcessGroup
    >>> with ProcessGroup() as group:
    ...     events = group.events()
    ...     group.run(Command("echo", ["done"]))
    ...     next(events)
    'done'
    GroupEvent(kind='emptied', count=None)
    >>> list(events)
    []
    """

    __slots__ = ("_busy", "_machine")

    def __init__(self, machine: Pollable) -> None:
        self._machine = machine
        self._busy = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> GroupEvent:
        event: GroupEvent | None = self._machine.block()
        if event is None:
            raise StopIteration
        return event

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> GroupEvent:
        if self._busy:
            raise RuntimeError("another task waits for the next of this; each can have an iterator of its own")
        self._busy = True
        try:
            event: GroupEvent | None = await drive(self._machine)
        finally:
            self._busy = False
        if event is None:
            raise StopAsyncIteration
        return event


class ProcessGroup(Verbs):
    """A container that several commands share: it is signalled, suspended, measured, limited and stopped as one.

    Every verb of a command is one of the group too, with the command as its argument. Each run has a handle and an end of its
    own; a handle that is forgotten leaves its run to the group. One group serves both manners: what waits has an awaitable twin,
    whose name begins with ``a``, and the group is a context manager for ``with`` and for ``async with``.

    Leaving the block stops all of the group as ``shutdown()`` does, or kills it at once if an exception, a cancellation or ^C
    among them, is the reason; in any case nothing of it is left when the block has been left. A group that is forgotten kills
    what is in it too, with a ``ResourceWarning``.

    ``max_memory`` (bytes), ``max_processes`` and ``cpu_quota`` (CPUs), and all that ``limits`` has besides, bound all of it
    together; where the kernel cannot hold it to them, the group is refused (``ResourceLimit``). ``sandbox`` shuts off each
    command of it. ``shutdown_signal`` and ``shutdown_grace`` (seconds) are how it is stopped; with ``escalate_to_kill=False``
    ``stop()`` gives up after the grace instead of killing, and only the end of the block kills. ``isolation`` names the
    container, ``require`` the guarantee that it has to give (see ``Command``). ``take_over_cgroup`` lets limits move other
    processes of our own cgroup aside, for the main program of a container or of a service.

    >>> from pinfold import Command, ProcessGroup
    >>> with ProcessGroup() as group:
    ...     server = group.start(Command("sleep", ["1000"]))
    ...     client = group.start(Command("sleep", ["1000"]))
    ...     len(group.members()), group.run(Command("echo", ["inside"]))
    (2, 'inside')
    >>> server.wait().cause
    'stopped'
    """

    __slots__ = ("__weakref__", "_closed", "_group", "_maker")

    def __init__(
        self,
        *,
        max_memory: int | None = None,
        max_processes: int | None = None,
        cpu_quota: float | None = None,
        limits: Limits | None = None,
        sandbox: Sandbox | None = None,
        shutdown_grace: Seconds | None = None,
        shutdown_signal: Signal | None = None,
        escalate_to_kill: bool = True,
        isolation: Isolation | None = None,
        require: Guarantee | None = None,
        take_over_cgroup: bool = False,
    ) -> None:
        self._closed = False
        # A forked child has a copy of this, and is not to end what is its parent's.
        self._maker = os.getpid()
        named = {"max_memory": max_memory, "max_processes": max_processes, "cpu_quota": cpu_quota}
        given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        if given:
            limits = (Limits() if limits is None else limits).replace(**given)
        self._group = Group(
            limits=limits,
            sandbox=sandbox,
            signal=shutdown_signal,
            grace=shutdown_grace,
            escalates=escalate_to_kill,
            isolation=isolation,
            require=require,
            take_over=take_over_cgroup,
            outer=None,
        )

    def group(
        self,
        *,
        limits: Limits | None = None,
        sandbox: Sandbox | None = None,
        shutdown_grace: Seconds | None = None,
        shutdown_signal: Signal | None = None,
        escalate_to_kill: bool = True,
    ) -> ProcessGroup:
        """A group inside this one: whatever is done to this one is done to that as well, and it ends with this one.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as outer, outer.group() as inner:
        ...     process = inner.start(Command("sleep", ["1000"]))
        ...     outer.members() == inner.members() == [process.pid]
        True
        """
        inner = ProcessGroup.__new__(ProcessGroup)
        inner._closed = False
        inner._maker = os.getpid()
        inner._group = Group(
            limits=limits,
            sandbox=sandbox,
            signal=shutdown_signal,
            grace=shutdown_grace,
            escalates=escalate_to_kill,
            isolation=None,
            require=None,
            take_over=False,
            outer=self._group,
        )
        return inner

    def _any(self) -> AnyRunner:
        return self._group.runner()

    @property
    def mechanism(self) -> str:
        """What holds it together: ``cgroup_v2``, ``subreaper``, ``process_group``, ..."""
        return self._group.mechanism

    @property
    def guarantee(self) -> str:
        """What that is good for: ``kernel``, ``guarded``, ``while_owner_lives`` or ``best_effort``."""
        return self._group.guarantee

    def members(self) -> list[int]:
        """The pids of all processes in it, those of nested groups included.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("sleep", ["1000"]))
        ...     group.members() == [process.pid]
        True
        """
        return self._group.members

    def members_info(self) -> list[MemberInfo]:
        """Each of them as the kernel tells of it; who ends meanwhile is left out.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("sleep", ["1000"]))
        ...     [(member.pid == process.pid, member.name) for member in group.members_info()]
        [(True, 'sleep')]
        """
        return self._group.members_info

    @property
    def is_empty(self) -> bool:
        """Whether no process lives in it."""
        return self._group.is_empty

    @property
    def is_suspended(self) -> bool:
        """Whether it is suspended."""
        return self._group.is_suspended

    @property
    def is_closed(self) -> bool:
        """Whether it has ended: nothing can be started in it any more."""
        return self._closed

    @property
    def limits_hit(self) -> LimitsHit:
        """Which of its limits it has run into so far."""
        return self._group.limits_hit

    def stats(self) -> GroupStats:
        """What it uses and has used, by the kernel's own accounting; what has ended is counted too.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("sleep", ["1000"]))
        ...     group.stats().active_process_count
        1
        """
        return self._group.stats

    def signal(self, signal: Signal) -> None:
        """Sends a signal, by name or number, to all of it.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("sleep", ["1000"]))
        ...     group.signal("usr1")
        ...     process.wait(timeout=10).signal
        10
        """
        self._group.signal(signal)

    def suspend(self) -> None:
        """Stops all of it from running, until :meth:`resume`. Until then nothing can be started in it.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("sleep", ["1000"]))
        ...     group.suspend()
        ...     group.is_suspended
        True
        """
        self._group.suspend()

    def resume(self) -> None:
        """Lets it run again.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("sleep", ["1000"]))
        ...     group.suspend()
        ...     group.resume()
        ...     group.is_suspended
        False
        """
        self._group.resume()

    def set_limits(self, limits: Limits) -> None:
        """Changes its limits to these: what they do not name has no limit of ours any more. Raises ``Unsupported`` for a memory
        limit if the group began without one and has been used, since what it took before is not counted.

        >>> from pinfold import Limits, ProcessGroup, ResourceLimit
        >>> with ProcessGroup() as group:
        ...     try:
        ...         group.set_limits(Limits(cpu_weight=10))
        ...     except ResourceLimit as error:
        ...         reason = str(error)
        """
        self._group.set_limits(limits)

    def adopt(self, pid: int) -> None:
        """Takes in a process that others have started: from here on it is a member, and what it starts from here on too. Raises
        ``Unsupported`` where the group is no cgroup.

        >>> import subprocess
        >>> from pinfold import ProcessGroup, Unsupported
        >>> with subprocess.Popen(["sleep", "1000"]) as stranger, ProcessGroup() as group:
        ...     try:
        ...         group.adopt(stranger.pid)
        ...         _ = group.kill_all()
        ...     except Unsupported:
        ...         stranger.kill()
        >>> stranger.returncode
        -9
        """
        self._group.adopt(pid)

    def events(self) -> GroupEvents:
        """What happens to it from now on: that it is empty, that a limit was hit.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     events = group.events()
        ...     _ = group.run(Command("true"))
        ...     next(events).kind
        'emptied'
        """
        return GroupEvents(self._group.events())

    def wait(self, timeout: Seconds | None = None) -> None:
        """Waits until no process lives in it. Raises ``Timeout`` after so long without; then it is left running.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("true"))
        ...     group.wait(timeout=10)
        ...     group.is_empty
        True
        """
        self._emptied(self._group.wait(timeout).block(), timeout)

    async def await_(self, timeout: Seconds | None = None) -> None:
        """``wait()``, awaited."""
        self._emptied(await drive(self._group.wait(timeout)), timeout)

    def _emptied(self, empty: bool, timeout: Seconds | None) -> None:
        if not empty:
            raise late(None, f"{len(self.members())} processes of the group have not ended", timeout or 0)

    def stop(
        self, grace: Seconds | None = None, *, signal: Signal | None = None, escalate: bool | None = None
    ) -> StopReport:
        """Stops all of it and waits until it is gone: by the rule that the group was made with, or by parts of another. The
        group can be used again.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("sleep", ["1000"]))
        ...     report = group.stop()
        ...     report.members_before, report.members_after, report.escalated
        (1, 0, False)
        """
        report: StopReport = self._group.stop(signal, grace, escalate).block()
        return report

    async def astop(
        self, grace: Seconds | None = None, *, signal: Signal | None = None, escalate: bool | None = None
    ) -> StopReport:
        """``stop()``, awaited. Cancelling that leaves what does not obey the signal alive."""
        report: StopReport = await drive(self._group.stop(signal, grace, escalate))
        return report

    def kill_all(self) -> StopReport:
        """Kills all of it and waits until the kernel says that it is gone. The group can be used again.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("sleep", ["1000"]))
        ...     _ = group.kill_all()
        ...     process.wait().signal
        9
        """
        report: StopReport = self._group.stop(None, 0, True).block()
        return report

    async def akill_all(self) -> StopReport:
        """``kill_all()``, awaited."""
        report: StopReport = await drive(self._group.stop(None, 0, True))
        return report

    def shutdown(self, grace_seconds: Seconds | None = None) -> StopReport:
        """``stop()``, for good: whatever is left then is killed, and nothing can be started in it any more.

        >>> from pinfold import Command, ProcessGroup
        >>> with ProcessGroup() as group:
        ...     process = group.start(Command("sleep", ["1000"]))
        ...     group.shutdown(grace_seconds=10).members_after
        0
        """
        try:
            return self.stop(grace_seconds)
        finally:
            self._end()

    async def ashutdown(self, grace_seconds: Seconds | None = None) -> StopReport:
        """``shutdown()``, awaited. Cancelling that kills all of it first."""
        try:
            return await self.astop(grace_seconds)
        finally:
            self._end()

    def _is_mine(self) -> bool:
        return self._maker == os.getpid()

    def _end(self) -> None:
        self._closed = True
        self._group.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and not self._closed and self._is_mine():
            self.shutdown()
        else:
            self._end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self._closed and self._is_mine():
            await self.ashutdown()
        else:
            self._end()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self.members())} processes"
        return f"<ProcessGroup in {self.mechanism}: {state}>"

    def __del__(self, warn: Any = warnings.warn) -> None:
        # Without a group, making it failed.
        group = getattr(self, "_group", None)
        if group is None or self._closed or not self._is_mine():
            return
        if not group.is_empty:
            warn(f"{self!r} was forgotten, and is killed", ResourceWarning, source=self, stacklevel=2)
        group.end()
