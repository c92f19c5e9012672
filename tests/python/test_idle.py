"""Whoever waits burns nothing: a wait that comes again and again without news would keep a processor busy.

A bound on a busy loop, and not a measurement: what this process uses meanwhile, all its threads together.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pinfold import (
    CancelToken,
    Command,
    NonZeroExit,
    Probe,
    ProcessGroup,
    Supervisor,
    Timeout,
    aoutput_all,
    output_all,
    output_as_completed,
    wait_for_port,
)
from pinfold.subprocess import PIPE, Popen

from conftest import Run

WAITS = 0.4
BUSY = 0.1
SLEEPS = Command("sleep", [str(WAITS)])
SILENT = Command("sleep", ["1000"])


@contextmanager
def idle(busy: float = BUSY) -> Iterator[None]:
    wall, used = time.monotonic(), time.process_time()
    yield
    wall, used = time.monotonic() - wall, time.process_time() - used
    assert wall >= WAITS * 0.9, "it did not wait"
    assert used < busy, f"{used:.3f}s of a processor in {wall:.3f}s of waiting"


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody listens at, and that nobody else is given."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def late(wait: Callable[[], object]) -> None:
    with pytest.raises(Timeout):
        wait()


def wait_on_a_handle() -> None:
    with SILENT.start() as process:
        late(lambda: process.wait(WAITS))


def wait_while_it_has_spoken() -> None:
    """What nobody takes from its pipe, and what has come to its end, does not wake anybody."""
    script = f"echo out; echo err >&2; exec >&- 2>&-; exec sleep {WAITS}"
    with Command("sh", ["-c", script]).start() as process:
        process.wait()


def wait_for_input_to_be_taken() -> None:
    with SILENT.keep_stdin_open().start() as process, process.take_stdin() as stdin:
        writer = threading.Thread(target=lambda: pytest.raises(BrokenPipeError, stdin.write, b"x" * (1 << 20)))
        writer.start()
        late(lambda: process.wait(WAITS))
        process.kill()
        writer.join()


def wait_for_lines() -> None:
    with SLEEPS.start() as process:
        assert list(process) == []


def wait_in_several_threads() -> None:
    with SLEEPS.start() as process:
        threads = [threading.Thread(target=wait) for wait in (process.wait, process.output, lambda: list(process), process.profile)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def wait_until(probe: Probe) -> None:
    with SILENT.start() as process:
        late(lambda: process.wait_until(probe, WAITS))


def wait_until_a_port_is_there() -> None:
    with closed_port() as port:
        wait_until(Probe.port("127.0.0.1", port))


def wait_for_a_port_of_nobody() -> None:
    with closed_port() as port:
        late(lambda: Probe.port("127.0.0.1", port).wait(WAITS))


def wait_for_a_group() -> None:
    with ProcessGroup() as group:
        group.start(SILENT)
        late(lambda: group.wait(WAITS))


def wait_for_events_of_a_group() -> None:
    with ProcessGroup() as group:
        group.start(SLEEPS)
        assert next(group.events()).kind == "emptied"


def wait_for_a_suspended_run() -> None:
    with SILENT.start() as process:
        process.suspend()
        late(lambda: process.wait(WAITS))
        process.resume()


def wait_for_what_ignores_its_stop() -> None:
    with Command("sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 1000; done"]).start() as process:
        process.wait_until(Probe.line("ready"), 20)
        assert process.stop(grace=WAITS).signal == 9


def wait_for_supervision() -> None:
    with Supervisor(SILENT, alive=Probe.holds(lambda: True), alive_every=0.1).start() as running:
        late(lambda: running.wait(WAITS))


def wait_for_readiness() -> None:
    with closed_port() as port, Supervisor(SILENT, ready=Probe.port("127.0.0.1", port)).start() as running:
        late(lambda: running.wait_ready(WAITS))


def wait_for_a_pause() -> None:
    with Supervisor(Command("false"), backoff_initial=60, jitter=False).start() as running:
        late(lambda: running.wait(WAITS))


def wait_for_a_token() -> None:
    token = CancelToken()
    threading.Timer(WAITS, token.cancel).start()
    with SILENT.start(cancel=token) as process:
        assert process.wait().cause == "cancelled"


def wait_for_a_run_that_another_group_left() -> None:
    """What the background looks after."""
    with ProcessGroup() as group:
        group.start(SILENT)
        group.start(SLEEPS)
        time.sleep(WAITS)


def retry() -> None:
    with pytest.raises(NonZeroExit):
        Command("false").retry(2, pause=WAITS, on="failure").run()


BLOCKING: dict[str, Callable[[], object]] = {
    "run": SLEEPS.run,
    "retry": retry,
    "pipeline": (SLEEPS | Command("cat")).run,
    "output_all": lambda: output_all([SLEEPS, SLEEPS]),
    "output_all of which one waits": lambda: output_all([SLEEPS, Command("true")], concurrency=1),
    "output_as_completed": lambda: list(output_as_completed([SLEEPS, SLEEPS])),
    "Popen": lambda: Popen(["sleep", str(WAITS)], stdout=PIPE).communicate(),
    "wait_until a line": lambda: wait_until(Probe.line("never")),
    "wait_until a predicate": lambda: wait_until(Probe.holds(lambda: False)),
    "wait_until a file": lambda: wait_until(Probe.file("/nonexistent")),
    **{
        wait.__name__: wait
        for wait in (
            wait_on_a_handle,
            wait_while_it_has_spoken,
            wait_for_input_to_be_taken,
            wait_for_lines,
            wait_in_several_threads,
            wait_until_a_port_is_there,
            wait_for_a_port_of_nobody,
            wait_for_a_group,
            wait_for_events_of_a_group,
            wait_for_a_suspended_run,
            wait_for_what_ignores_its_stop,
            wait_for_supervision,
            wait_for_readiness,
            wait_for_a_pause,
            wait_for_a_token,
            wait_for_a_run_that_another_group_left,
        )
    },
}


@pytest.mark.parametrize("name", BLOCKING)
def test_whoever_blocks_burns_nothing(name: str) -> None:
    with idle():
        BLOCKING[name]()


@pytest.mark.parametrize("isolation", ["best", "process_group", "subreaper"])
def test_nor_by_any_mechanism(isolation: Any) -> None:
    # The shell is gone, and what it left holds the output.
    script = Command("sh", ["-c", f"sleep {WAITS} & exit 0"]).isolation(isolation).strays("wait")
    # Without a cgroup that takes looks at every process of the host, less and less often: some sixty of them.
    with idle(0.6 * WAITS if isolation == "process_group" else BUSY):
        script.output()
    with idle(), ProcessGroup(isolation=isolation) as group:
        group.start(SILENT)
        late(lambda: group.wait(WAITS))


async def alate(awaited: Awaitable[object]) -> None:
    with pytest.raises(Timeout):
        await awaited


async def await_a_handle() -> None:
    async with await SILENT.astart() as process:
        await alate(process.wait(WAITS))


async def await_lines() -> None:
    async with await SLEEPS.astart() as process:
        assert [line async for line in process] == []


async def await_completion() -> None:
    async with output_as_completed([SLEEPS, SLEEPS]) as completion:
        async for _ in completion:
            pass


async def await_a_port() -> None:
    with closed_port() as port:
        async with await SILENT.astart() as process:
            await alate(process.wait_until(Probe.port("127.0.0.1", port), WAITS))


async def await_a_port_of_nobody() -> None:
    with closed_port() as port:
        await alate(wait_for_port("127.0.0.1", port, timeout=WAITS))


async def await_a_group() -> None:
    async with ProcessGroup() as group:
        group.start(SLEEPS)
        events: AsyncIterator[Any] = group.events()
        await group.await_()
        await events.__anext__()


async def await_supervision() -> None:
    async with await Supervisor(SILENT).astart() as running:
        await alate(running.wait(WAITS))


AWAITED: dict[str, Callable[[], Awaitable[object]]] = {
    "arun": lambda: SLEEPS.arun(),
    "aoutput_all": lambda: aoutput_all([SLEEPS, SLEEPS]),
    **{
        wait.__name__: wait
        for wait in (await_a_handle, await_lines, await_completion, await_a_port, await_a_port_of_nobody, await_a_group, await_supervision)
    },
}


@pytest.mark.parametrize("name", AWAITED)
def test_whoever_awaits_burns_nothing(name: str, loop: Run) -> None:
    with idle():
        loop(AWAITED[name])


def test_the_bound_is_broken_by_a_busy_loop() -> None:
    def spin() -> None:
        # Until it has had as much of the processor, however little of it is left for it.
        wall, used = time.monotonic() + WAITS, time.process_time() + BUSY
        while time.monotonic() < wall or time.process_time() < used:
            os.getpid()

    with pytest.raises(AssertionError, match="of a processor"), idle():
        spin()
