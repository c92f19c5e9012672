"""The thread that watches for loops which cannot: loops that are closed over a run, and forks."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from typing import Any

from conftest import _NoReaders
from pinfold import Command, _waiter
from test_fork import in_a_child


def started() -> asyncio.AbstractEventLoop:
    """A loop that was closed over a run that is waited for."""
    loop = _NoReaders()
    process = loop.run_until_complete(Command("sleep", ["1000"]).astart())
    task = loop.create_task(process.wait())
    for _ in range(3):
        loop.run_until_complete(asyncio.sleep(0.01))
    assert _waiter._readers and not task.done()
    loop.close()
    # Asyncio says of it that it was destroyed, to the log.
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    process.kill()
    process._run.end()
    return loop


def test_a_loop_that_was_closed_over_a_run_is_forgotten() -> None:
    loop = weakref.ref(started())
    _waiter.remove_reader(-1)
    gc.collect()
    assert loop() is None and not _waiter._readers


def test_a_number_that_comes_to_mean_another_descriptor_is_watched() -> None:
    told = threading.Event()

    class Loop:
        """One that takes steps and never comes to them, or at once."""

        def __init__(self, steps: bool) -> None:
            self.steps, self.asked = steps, threading.Event()

        def is_closed(self) -> bool:
            return False

        def call_soon_threadsafe(self, step: Any) -> None:
            self.asked.set()
            if self.steps:
                step()

    reader, writer = os.pipe()
    os.write(writer, b"x")
    deaf: Any = Loop(steps=False)
    _waiter.add_reader(deaf, reader, lambda: None)
    assert deaf.asked.wait(10)
    _waiter.remove_reader(reader)

    def hear() -> None:
        _waiter.remove_reader(reader)
        told.set()

    hearing: Any = Loop(steps=True)
    _waiter.add_reader(hearing, reader, hear)
    assert told.wait(10)
    assert not _waiter._readers and not _waiter._told
    os.close(reader)
    os.close(writer)


def test_a_step_of_one_that_was_removed_is_none() -> None:
    steps: list[Any] = []
    called: list[str] = []
    asked = threading.Event()

    class Loop:
        def is_closed(self) -> bool:
            return False

        def call_soon_threadsafe(self, step: Any) -> None:
            steps.append(step)
            asked.set()

    reader, writer = os.pipe()
    os.write(writer, b"x")
    loop: Any = Loop()
    _waiter.add_reader(loop, reader, lambda: called.append("old"))
    assert asked.wait(10)
    _waiter.add_reader(loop, reader, lambda: called.append("new"))
    steps[0]()
    assert called == []
    _waiter.remove_reader(reader)
    os.close(reader)
    os.close(writer)


def test_a_child_that_was_forked_while_the_lock_was_held_can_wait() -> None:
    def wait() -> None:
        loop = _NoReaders()
        assert loop.run_until_complete(Command("echo", ["child"]).arun()) == "child"
        loop.close()

    wait()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with _waiter._lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        in_a_child(wait)
    finally:
        done.set()
        thread.join()
    wait()
