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
# A descriptor that was told of is left out until its loop has had its step.
_told: set[int] = set()
# The ends of the pipe that wakes the thread, where it was started: the thread reads, and the others write.
_wake: tuple[int, int] | None = None


def add_reader(loop: asyncio.AbstractEventLoop, descriptor: int, callback: Callable[[], None]) -> None:
    """Calls back in the loop whenever the descriptor is readable, until it is removed."""
    global _wake
    with _lock:
        if _wake is None:
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            _wake = reader, writer
            threading.Thread(target=_work, args=(reader,), name="pinfold-waiter", daemon=True).start()
        left = _forget(descriptor)
        _readers[descriptor] = loop, callback
    _rouse()
    # What that lets go of may end runs, and come back here.
    del left


def remove_reader(descriptor: int) -> None:
    """Calls back no more."""
    with _lock:
        left = _forget(descriptor)
    _rouse()
    del left


def _forget(descriptor: int) -> list[_Reader]:
    """Takes out who waits for it, and whoever will not be called any more: a loop that was closed over a run does not say so."""
    closed = [other for other, (loop, _) in _readers.items() if other == descriptor or loop.is_closed()]
    # The number may come to mean another descriptor, which nobody was told of.
    _told.difference_update(closed, (descriptor,))
    return [_readers.pop(other) for other in closed]


def _rouse() -> None:
    if _wake is not None:
        try:
            os.write(_wake[1], b"x")
        except BlockingIOError:
            # It is full of such words already.
            pass


def _work(wake: int) -> None:
    while True:
        with _lock:
            watched = [descriptor for descriptor in _readers if descriptor not in _told]
        poll = select.poll()
        for descriptor in [wake, *watched]:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll():
            if descriptor == wake:
                os.read(wake, 4096)
                continue
            _tell(descriptor)


def _tell(descriptor: int) -> None:
    # Apart from the thread's loop, so that nothing of a run is held by it between two of them.
    with _lock:
        reader = _readers.get(descriptor)
        if reader is None:
            return
        _told.add(descriptor)
    loop, callback = reader

    def step() -> None:
        with _lock:
            # It may have been removed since, and the number be another's.
            if _readers.get(descriptor) is not reader:
                return
        try:
            callback()
        finally:
            with _lock:
                if _readers.get(descriptor) is reader:
                    _told.discard(descriptor)
            _rouse()

    try:
        loop.call_soon_threadsafe(step)
    except RuntimeError:
        # The loop was closed over it.
        remove_reader(descriptor)


def _begin_anew() -> None:
    """In a forked child: the thread has not come along, and whoever had the lock may not have either."""
    global _lock, _wake
    _lock = threading.Lock()
    ends, _wake = _wake, None
    _readers.clear()
    _told.clear()
    for end in ends or ():
        os.close(end)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
