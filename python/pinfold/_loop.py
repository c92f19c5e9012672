"""Waiting on the loop that the user runs: the one descriptor of a native machine is watched, and nothing else is needed.

Works under asyncio, whatever its loop, and under trio. Neither is imported: one that runs us has been. Where a loop cannot watch
descriptors, one thread of ``pinfold._waiter`` does so for all runs.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from types import ModuleType

    from pinfold._native import Pollable


async def drive(machine: Pollable) -> Any:
    """Drives a machine to its answer. If the task is cancelled, what was started for the machine alone is gone before that
    propagates."""
    loop, trio = _where()
    done = False
    try:
        left = machine.advance()
        if left is None:
            # What never waits must not keep others from running.
            await (_Yield() if trio is None else trio.lowlevel.checkpoint())
        elif trio is not None:
            await _on_trio(machine, left, trio)
        elif loop is not None:
            await _OnAsyncio(machine, loop).run(left)
        done = True
    finally:
        if not done:
            machine.end()
    return machine.result()


async def sleep(seconds: float) -> None:
    """Lets others have their turn for so long."""
    loop, trio = _where()
    if trio is not None:
        await trio.sleep(seconds)
    elif seconds == float("inf"):
        # Not a time that every loop can count to.
        assert loop is not None
        await loop.create_future()
    else:
        await sys.modules["asyncio"].sleep(seconds)


async def race(one: Callable[[], Awaitable[Any]], other: Callable[[], Awaitable[Any]]) -> tuple[int, Any]:
    """Awaits the first of two to have an answer: which, counted from 0, and the answer; the other is cancelled."""
    _, trio = _where()
    if trio is not None:
        return await _race_on_trio(one, other, trio)
    aio = sys.modules["asyncio"]
    tasks = [aio.ensure_future(one()), aio.ensure_future(other())]
    try:
        await aio.wait(tasks, return_when=aio.FIRST_COMPLETED)
    finally:
        late = [task for task in tasks if not task.done()]
        for task in late:
            task.cancel()
        if late:
            await aio.wait(late)
    first = 1 if tasks[0] in late else 0
    return first, tasks[first].result()


async def _race_on_trio(
    one: Callable[[], Awaitable[Any]], other: Callable[[], Awaitable[Any]], trio: ModuleType
) -> tuple[int, Any]:
    ended: list[tuple[int, Any, Exception | None]] = []

    async def run(index: int, start: Callable[[], Awaitable[Any]]) -> None:
        try:
            ended.append((index, await start(), None))
        except Exception as error:
            # Raised by the nursery it would come in a group.
            ended.append((index, None, error))
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, 0, one)
        nursery.start_soon(run, 1, other)
    first, answer, error = min(ended, key=lambda each: each[0])
    if error is not None:
        raise error
    return first, answer


def _where() -> tuple[asyncio.AbstractEventLoop | None, ModuleType | None]:
    """The loop or the trio that runs the current task."""
    aio = sys.modules.get("asyncio")
    loop = aio._get_running_loop() if aio is not None else None
    # Trio can be a guest of asyncio's loop, and the other way round: whose task this is decides.
    if loop is not None and aio is not None and aio.current_task(loop) is not None:
        return loop, None
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            pass
        else:
            return None, trio
    if loop is not None:
        return loop, None
    raise RuntimeError("no asyncio or trio event loop is running here; the blocking verbs have no 'a' in front")


class _Yield:
    """Lets the others have a turn, in asyncio's own way."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def _on_trio(machine: Pollable, left: float | None, trio: ModuleType) -> None:
    descriptor = machine.fileno()
    while left is not None:
        if left < 0:
            await trio.lowlevel.wait_readable(descriptor)
        else:
            with trio.move_on_after(left):
                await trio.lowlevel.wait_readable(descriptor)
        left = machine.advance()


class _OnAsyncio:
    """A machine whose steps are callbacks of the loop: the task itself is woken once, at the end."""

    __slots__ = ("_done", "_loop", "_machine", "_timer")

    def __init__(self, machine: Pollable, loop: asyncio.AbstractEventLoop) -> None:
        self._machine = machine
        self._loop = loop
        self._done = loop.create_future()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, left: float) -> None:
        descriptor = self._machine.fileno()
        try:
            self._loop.add_reader(descriptor, self._step)
        except NotImplementedError:
            from pinfold import _waiter

            _waiter.add_reader(self._loop, descriptor, self._step)
            forget: Any = _waiter.remove_reader
        else:
            forget = self._loop.remove_reader
        try:
            self._arm(left)
            await self._done
        finally:
            forget(descriptor)
            if self._timer is not None:
                self._timer.cancel()

    def _step(self) -> None:
        if self._done.done():
            return
        try:
            left = self._machine.advance()
        except BaseException as error:
            self._done.set_exception(error)
            return
        if left is None:
            self._done.set_result(None)
        else:
            self._arm(left)

    def _arm(self, left: float) -> None:
        """Comes again at the deadline. A timer that is early does no harm: it is armed anew."""
        if left < 0:
            return
        timer, at = self._timer, self._loop.time() + left
        if timer is None or at < timer.when():
            if timer is not None:
                timer.cancel()
            self._timer = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._step()
