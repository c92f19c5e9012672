"""Whatever ends a wait ends the tree first: ^C, cancellation, an exception."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import is_alive
from pinfold import Command, Supervisor


def tree(at: Path) -> Command:
    """A shell, a child of it, and one that has left its session; the pids are in the file once all are there."""
    source = "sleep 1000 & one=$!; setsid sleep 1000 & echo $$ $one $! > \"$1.new\"; mv \"$1.new\" \"$1\"; wait"
    return Command("sh", ["-c", source, "sh", at])


def pids(at: Path) -> list[int]:
    deadline = time.monotonic() + 60
    while not at.exists():
        assert time.monotonic() < deadline, "the tree was not made"
        time.sleep(0.002)
    return [int(word) for word in at.read_text().split()]


def test_a_forgotten_await_is_told_by_the_name_of_the_verb() -> None:
    one, two = Command("true"), Command("true") | Command("true")
    supervisor: Any = Supervisor(Command("true"))
    for verb in ("arun", "aoutput", "aoutput_bytes", "aoutput_json", "arun_json", "aexit_code", "aprobe", "afirst_line"):
        for whose in (one, two):
            with pytest.warns(RuntimeWarning, match=f"^coroutine '{type(whose).__name__}.{verb}' was never awaited"):
                getattr(whose, verb)()
    with pytest.warns(RuntimeWarning, match="^coroutine 'Supervisor.arun' was never awaited"):
        supervisor.arun()


def test_cancelling_a_task_ends_the_tree_first(aio: Any, tmp_path: Path) -> None:
    async def main() -> None:
        at = tmp_path / "pids"
        for verb in ("arun", "aoutput", "aoutput_bytes", "aexit_code", "aprobe", "afirst_line"):
            task = asyncio.ensure_future(getattr(tree(at), verb)())
            while not at.exists():
                await asyncio.sleep(0.002)
            members = pids(at)
            assert all(map(is_alive, members))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not any(map(is_alive, members)), verb
            at.unlink()

    aio(main)


def test_a_timeout_of_asyncio_is_a_cancellation(aio: Any) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(Command("sleep", ["1000"]).arun(), 0.05)

    aio(main)


def test_a_scope_of_trio_is_too(tmp_path: Path) -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        at = tmp_path / "pids"
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tree(at).aoutput)
                while not at.exists():
                    await trio.sleep(0.002)
                members = pids(at)
                scope.cancel()
        assert scope.cancelled_caught and not any(map(is_alive, members))
        with trio.CancelScope() as scope:
            async with await Command("sleep", ["1000"]).astart() as process:
                scope.deadline = trio.current_time() + 0.05
                await process.wait()
        assert scope.cancelled_caught and not is_alive(process.pid)

    trio.run(main)


def test_cancelling_a_wait_leaves_the_run_to_its_handle(aio: Any) -> None:
    async def main() -> None:
        async with await Command("sleep", ["1000"]).astart() as process:
            task = asyncio.ensure_future(process.wait())
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert is_alive(process.pid)
        assert not is_alive(process.pid)

    aio(main)


def test_cancelling_a_block_ends_the_tree_first(aio: Any, tmp_path: Path) -> None:
    async def main() -> None:
        at = tmp_path / "pids"

        async def block() -> None:
            async with await tree(at).timeout_grace(1000).astart() as process:
                await process.wait()

        task = asyncio.ensure_future(block())
        while not at.exists():
            await asyncio.sleep(0.002)
        members = pids(at)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not any(map(is_alive, members))

    aio(main)


VERBS = ["run()", "output()", "output_bytes()", "exit_code()", "probe()", "first_line()"]
WAITS = ["start().wait()", "start().output()", "start().finish()"]


@pytest.mark.parametrize("call", VERBS + WAITS)
def test_an_interrupt_ends_the_tree_before_it_propagates(call: str, script: Callable[[str], list[str]], tmp_path: Path) -> None:
    at = tmp_path / "pids"
    inside = f"tree(at).{call}"
    if call in WAITS:
        inside = f"with tree(at).timeout_grace(1000).start() as process: process.{call.partition('.')[2]}"
    program = script(f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from pathlib import Path
from test_cancel import is_alive, pids, tree
at = Path({str(at)!r})
try:
    {inside}
except KeyboardInterrupt:
    print("interrupted", [is_alive(pid) for pid in pids(at)])
""")
    began = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    try:
        members = pids(at)
        sent = time.monotonic()
        began.send_signal(signal.SIGINT)
        said, _ = began.communicate(timeout=60)
        assert said == "interrupted [False, False, False]\n"
        # It did not wait for the grace.
        assert time.monotonic() - sent < 60
        assert not any(map(is_alive, members))
    finally:
        began.kill()
        began.wait()


def test_a_handler_that_does_not_raise_lets_a_verb_go_on() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert Command("sh", ["-c", "sleep 0.2; echo done"]).run() == "done"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rung == [signal.SIGALRM]


def test_an_interrupt_is_heard_beside_a_program_that_writes_without_end() -> None:
    """There is always something to read, so that the main thread seldom sleeps in the kernel, where a signal would wake it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    chatty = Command("sh", ["-c", "while :; do echo x; done"]).timeout(60)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(8):
            with pytest.raises(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                chatty.run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_other_threads_go_on_meanwhile(tmp_path: Path) -> None:
    import threading

    begun, counted = tmp_path / "begun", tmp_path / "counted"

    def count() -> None:
        while not begun.exists():
            time.sleep(0.001)
        for _ in range(100):
            time.sleep(0.0001)
        counted.touch()

    thread = threading.Thread(target=count)
    thread.start()
    # It ends by what the other thread does meanwhile.
    Command("sh", ["-c", "touch begun; until test -e counted; do sleep 0.01; done"]).cwd(tmp_path).timeout(60).run()
    thread.join()


def test_it_works_after_a_fork() -> None:
    Command("true").run()
    pid = os.fork()
    if pid == 0:
        ok = Command("echo", ["child"]).run() == "child"
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert Command("echo", ["parent"]).run() == "parent"


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)", "pass"])
def test_no_end_of_the_owner_leaves_anything(end: str, script: Callable[[str], list[str]], tmp_path: Path) -> None:
    at = tmp_path / "pids"
    program = script(f"""
import os, sys
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from pathlib import Path
from test_cancel import pids, tree
at = Path({str(at)!r})
process = tree(at).start()
pids(at)
{end}
""")
    subprocess.run(program, stderr=subprocess.DEVNULL, timeout=60)
    members = pids(at)
    deadline = time.monotonic() + 60
    while any(map(is_alive, members)) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not any(map(is_alive, members))
