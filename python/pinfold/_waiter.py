"""For loops that cannot watch descriptors: one thread that watches for all of them.

It is started with the first such run, and sleeps in the kernel while there is none.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

_Reader = tuple["asyncio.AbstractEventLoop", Callable[[], None]]

_lock = threading.Lock()
_readers: dict[int, _Reader] = {}
# The writing end of the pipe that wakes the thread, and the process that the thread belongs to: none survives a fork.
_wake: tuple[int, int] | None = None


def add_reader(loop: asyncio.AbstractEventLoop, descriptor: int, callback: Callable[[], None]) -> None:
    """Calls back in the loop whenever the descriptor is readable, until it is removed."""
    global _wake
    with _lock:
        if _wake is None or _wake[1] != os.getpid():
            _readers.clear()
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            _wake = writer, os.getpid()
            threading.Thread(target=_work, args=(reader,), name="pinfold-waiter", daemon=True).start()
        _readers[descriptor] = loop, callback
    _rouse()


def remove_reader(descriptor: int) -> None:
    """Calls back no more."""
    with _lock:
        _readers.pop(descriptor, None)
    _rouse()


def _rouse() -> None:
    if _wake is not None:
        try:
            os.write(_wake[0], b"x")
        except BlockingIOError:
            # It is full of such words already.
            pass


def _work(wake: int) -> None:
    # A descriptor that was told of is left out until its loop has had its step.
    told: set[int] = set()
    while True:
        with _lock:
            watched = [descriptor for descriptor in _readers if descriptor not in told]
        poll = select.poll()
        for descriptor in [wake, *watched]:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll():
            if descriptor == wake:
                os.read(wake, 4096)
                continue
            _tell(descriptor, told)


def _tell(descriptor: int, told: set[int]) -> None:
    # Apart from the thread's loop, so that nothing of a run is held by it between two of them.
    with _lock:
        reader = _readers.get(descriptor)
    if reader is None:
        return
    told.add(descriptor)
    loop, callback = reader

    def step() -> None:
        try:
            callback()
        finally:
            told.discard(descriptor)
            _rouse()

    try:
        loop.call_soon_threadsafe(step)
    except RuntimeError:
        # The loop was closed over it.
        told.discard(descriptor)
        remove_reader(descriptor)
