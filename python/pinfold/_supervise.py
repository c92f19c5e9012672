"""The live handles of what is supervised in the background, in both manners."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from pinfold._errors import Timeout, late
from pinfold._loop import drive
from pinfold._manner import only_blocks, only_is_awaited
from pinfold._native import Flow
from pinfold._starting import Starting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from pinfold._handle import Seconds, Signal
    from pinfold._native import (
        Pollable,
        Supervised,
        SupervisionEvent,
        SupervisionOutcome,
        SupervisionStatus,
        Supervisor,
    )

__all__ = ["AsyncRunningSupervisor", "RunningSupervisor"]


def start(supervisor: Supervisor) -> Starting[AsyncRunningSupervisor]:
    """Starts it: that does not wait, but is awaited as everything else is."""

    async def astart() -> AsyncRunningSupervisor:
        return AsyncRunningSupervisor(supervisor._launch())

    return Starting(astart())


class _Live:
    """What is supervised, without the waiting."""

    __slots__ = ("__weakref__", "_maker", "_supervised")

    def __init__(self, supervised: Supervised) -> None:
        self._supervised = supervised
        # A forked child has a copy of this, and nothing goes on there.
        self._maker = os.getpid()

    def _is_mine(self) -> bool:
        return self._maker == os.getpid()

    @property
    def program(self) -> str:
        """The program as the command named it."""
        return self._supervised.program

    @property
    def status(self) -> SupervisionStatus:
        """How it stands."""
        return self._supervised.status

    def restart(self) -> None:
        """Has it run anew, without waiting for that: what runs is stopped first, and a pause is over at once. That is counted
        against no bound.

        >>> from pinfold import Command, Supervisor
        >>> with Supervisor(Command("sleep", ["1000"]), backoff_initial=0.01).start() as run:
        ...     run.wait_ready(timeout=10)
        ...     run.restart()
        """
        self._supervised.restart()

    def signal(self, signal: Signal) -> None:
        """Sends a signal, by name or number, to the program of the run that goes on.

        >>> from pinfold import Command, Supervisor
        >>> with Supervisor(Command("sleep", ["1000"]), backoff_initial=0.01).start() as run:
        ...     run.wait_ready(timeout=10)
        ...     run.signal("hup")
        """
        self._supervised.signal(signal)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.program!r}: {self.status.phase}>"

    def __del__(self, warn: Any = warnings.warn) -> None:
        # Without it, its start failed.
        supervised = getattr(self, "_supervised", None)
        if supervised is None or not self._is_mine() or supervised.is_over():
            return
        warn(f"{self!r} was forgotten, and is killed", ResourceWarning, source=self, stacklevel=2)
        supervised.end()


class RunningSupervisor(_Live):
    """A command that is supervised in the background, with methods that block where they wait.

    Leaving its ``with`` block ends supervision and what runs, by the command's stop rule, or at once if an exception is the
    reason. Several threads may use it.

    >>> from pinfold import Command, Supervisor
    >>> with Supervisor(Command("sh", ["-c", "exit 3"]), max_restarts=1, backoff_initial=0.01).start() as running:
    ...     [event.kind for event in running]
    ['started', 'ready', 'ended', 'restarting', 'started', 'ready', 'ended', 'stopped']
    """

    __slots__ = ()

    def wait(self, timeout: Seconds | None = None) -> SupervisionOutcome:
        """Waits for the end of supervision. Raises ``Timeout`` after so long without; it goes on then.

        >>> from pinfold import Command, Supervisor
        >>> with Supervisor(Command("true")).start() as run:
        ...     run.wait(timeout=10).restarts
        0
        """
        outcome: SupervisionOutcome | None = self._supervised.wait(timeout).block()
        if outcome is None:
            raise late(self.program, "its supervision has not ended", timeout or 0)
        return outcome

    def wait_ready(self, timeout: Seconds | None = None) -> None:
        """Waits until a run is ready; it may have ended again when this returns.

        Raises ``Timeout`` after so long without, ``NotReady`` if supervision has ended, and what it failed by if it has failed.

        >>> from pinfold import Command, Supervisor
        >>> with Supervisor(Command("sleep", ["1000"]), backoff_initial=0.01).start() as run:
        ...     run.wait_ready(timeout=10)
        """
        if self._supervised.ready(timeout).block() is None:
            raise _not_ready(self, timeout)

    def stop(self, *, signal: Signal | None = None, grace: Seconds | None = None) -> SupervisionOutcome:
        """Ends supervision and what runs, and waits for that: by the command's stop rule, or by another signal or grace.

        >>> from pinfold import Command, Supervisor
        >>> with Supervisor(Command("sleep", ["1000"]), backoff_initial=0.01).start() as run:
        ...     run.wait_ready(timeout=10)
        ...     run.stop(grace=10).stopped
        'stopped'
        """
        self._supervised.stop(signal, grace)
        return self.wait()

    def events(self) -> Flow[SupervisionEvent]:
        """All that happens, to the end of supervision, from the first on that is still kept (the last 1024 are).

        >>> from pinfold import Command, Supervisor
        >>> with Supervisor(Command("true")).start() as run:
        ...     [event.kind for event in run.events()][-1]
        'stopped'
        """
        return Flow(self, self._supervised.events(), True)

    def __iter__(self) -> Flow[SupervisionEvent]:
        return self.events()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None and self._is_mine():
                # How it ended is for who asks: an exception out of the block would hide that it was left.
                self._supervised.stop()
                self._supervised.over().block()
        finally:
            self._supervised.end()


class AsyncRunningSupervisor(_Live):
    """A command that is supervised in the background, with methods that are awaited; in asyncio or trio.

    Leaving its ``async with`` block ends supervision and what runs, by the command's stop rule, or at once if an exception, a
    cancellation among them, is the reason.

    >>> import asyncio
    >>> from pinfold import Command, Supervisor
    >>> async def main():
    ...     async with await Supervisor(Command("sleep", ["60"])).astart() as running:
    ...         await running.wait_ready(timeout=10)
    ...         outcome = await running.stop()
    ...         return outcome.stopped
    >>> asyncio.run(main())
    'stopped'
    """

    __slots__ = ()

    async def wait(self, timeout: Seconds | None = None) -> SupervisionOutcome:
        """Waits for the end of supervision. Raises ``Timeout`` after so long without; it goes on then."""
        outcome: SupervisionOutcome | None = await drive(self._supervised.wait(timeout))
        if outcome is None:
            raise late(self.program, "its supervision has not ended", timeout or 0)
        return outcome

    async def wait_ready(self, timeout: Seconds | None = None) -> None:
        """Waits until a run is ready; it may have ended again when this returns.

        Raises ``Timeout`` after so long without, ``NotReady`` if supervision has ended, and what it failed by if it has failed.
        """
        if await drive(self._supervised.ready(timeout)) is None:
            raise _not_ready(self, timeout)

    async def stop(self, *, signal: Signal | None = None, grace: Seconds | None = None) -> SupervisionOutcome:
        """Ends supervision and what runs, and waits for that: by the command's stop rule, or by another signal or grace."""
        self._supervised.stop(signal, grace)
        return await self.wait()

    def events(self) -> AsyncIterator[SupervisionEvent]:
        """All that happens, to the end of supervision, from the first on that is still kept (the last 1024 are)."""
        return _Events(self._supervised.events(), self)

    def __aiter__(self) -> AsyncIterator[SupervisionEvent]:
        return self.events()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._is_mine():
                self._supervised.stop()
                await drive(self._supervised.over())
        finally:
            self._supervised.end()


class _Events:
    """Events, singly; it needs no closing, as an async generator would."""

    __slots__ = ("_events", "_live", "_machine")

    def __init__(self, machine: Pollable, live: AsyncRunningSupervisor) -> None:
        self._machine = machine
        # A handle that is forgotten ends supervision, and it is not while somebody listens.
        self._live = live
        self._events: Iterator[SupervisionEvent] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SupervisionEvent:
        for event in self._events:
            return event
        batch: list[SupervisionEvent] = await drive(self._machine)
        if not batch:
            raise StopAsyncIteration
        self._events = iter(batch)
        return next(self._events)


def _not_ready(live: _Live, timeout: Seconds | None) -> Timeout:
    seconds = timeout if isinstance(timeout, (int, float)) or timeout is None else timeout.total_seconds()
    message = f"{live.program}: was not ready after {seconds:g}s, and is {live.status.phase} now"
    return Timeout(message, program=live.program, timeout_seconds=seconds)


only_blocks(RunningSupervisor, "start it by astart()")
only_is_awaited(AsyncRunningSupervisor, "start it by start()")
