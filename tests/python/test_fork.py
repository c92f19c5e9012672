"""What a forked child has of its parent's: it can look at it, and neither end it nor take anything from it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import pinfold
import pinfold.subprocess
from conftest import is_alive
from pinfold import AsyncRunningProcess, Command, ProcessGroup, RunningProcess, RunningSupervisor, Supervisor
from pinfold.subprocess import PIPE, Popen
from pinfold.subprocess import run as run_as_subprocess

SPEAKS_LATER = "read line; echo $line; echo two; read line; exit 3"


def in_a_child(act: Callable[[], object], seconds: float = 20) -> None:
    """Does so in a forked child, which has to come to its end in time; what it says there is an assertion of ours."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        said = b"it got nowhere"
        try:
            act()
            said = b""
        except BaseException as error:
            said = f"{type(error).__name__}: {error}".encode()
        finally:
            os.write(writer, said)
            os._exit(0)
    os.close(writer)
    until = time.monotonic() + seconds
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reader)
            pytest.fail("the child hangs")
        time.sleep(0.005)
    with os.fdopen(reader) as end:
        words = end.read()
    assert not words, words


def refused(act: Callable[[], object]) -> None:
    with pytest.raises(pinfold.Unsupported, match=f"belongs to process {os.getppid()}"):
        act()


def _await(awaited: Callable[[], Any]) -> None:
    async def main() -> None:
        await awaited()

    asyncio.run(main())


LOOKS: dict[str, Callable[[RunningProcess], object]] = {
    "wait": lambda process: process.wait(0.01),
    "wait for ever": lambda process: process.wait(),
    "try_wait": lambda process: [process.try_wait() for _ in range(4)],
    "output": lambda process: process.output(),
    "lines": lambda process: list(process),
    "line_batches": lambda process: list(process.line_batches()),
    "chunks": lambda process: list(process.chunks()),
    "events": lambda process: list(process.events()),
    "profile": lambda process: process.profile(),
    "wait_until": lambda process: process.wait_until(pinfold.Probe.line("two"), timeout=5),
    "write": lambda process: process.take_stdin().write_line("child"),
    "kill": lambda process: process.kill(),
    "stop": lambda process: process.stop(signal="int", grace=1),
    "signal": lambda process: process.signal("term"),
    "signal one": lambda process: process.signal("term", to_all=False),
    "suspend": lambda process: process.suspend(),
    "resume": lambda process: process.resume(),
    "limits": lambda process: process.set_limits(pinfold.Limits(max_processes=1)),
}


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("isolation", ["best", "process_group"])
def test_a_child_is_refused_and_its_parents_run_goes_on(name: str, isolation: Any) -> None:
    command = Command("sh", ["-c", SPEAKS_LATER]).keep_stdin_open().isolation(isolation)
    with command.start() as process:
        in_a_child(lambda: refused(lambda: LOOKS[name](process)))
        with process.take_stdin() as stdin:
            stdin.write_line("one")
            lines = process.lines()
            assert [next(lines), next(lines)] == ["one", "two"]
            # It has written; what it wrote is in nobody's hands but the parent's.
            in_a_child(lambda: process.members())
            stdin.write_line("")
        assert process.wait(10).code == 3 and process.output().stdout == "one\ntwo\n"


def test_a_look_of_the_child_takes_nothing_away() -> None:
    with Command("sh", ["-c", "echo one; read line; echo two"]).keep_stdin_open().start() as process:
        while not (process.try_wait() is None and process.stdout_line_count):
            time.sleep(0.001)
        lines = process.lines()
        held = process.line_batches()

        def act() -> None:
            # What was read before the fork is the child's too.
            assert next(process.lines()) == "one"
            assert next(lines) == "one"
            assert next(held) == ["one"]
            refused(lambda: next(lines))
            refused(lambda: next(held))

        in_a_child(act)
        process.take_stdin().write_line("")
        assert list(lines) == ["one", "two"] and [line for batch in held for line in batch] == ["one", "two"]


def test_what_had_ended_before_the_fork_is_known_to_the_child() -> None:
    with Command("sh", ["-c", "echo out; exit 3"]).start() as process:
        process.wait()

        def act() -> None:
            assert process.wait().code == 3 and process.try_wait() is not None
            assert list(process) == ["out"] and process.output().stdout == "out\n"
            assert [event.kind for event in process.events()] == ["started", "line", "ended"]

        in_a_child(act)


def test_an_awaited_handle_refuses_too() -> None:
    async def main() -> AsyncRunningProcess:
        return await Command("sh", ["-c", SPEAKS_LATER]).keep_stdin_open().astart()

    process = asyncio.run(main())

    async def read_all() -> None:
        async for _ in process:
            pass

    in_a_child(lambda: refused(lambda: _await(process.wait)))
    in_a_child(lambda: refused(lambda: _await(process.output)))
    in_a_child(lambda: refused(lambda: _await(read_all)))

    async def kill() -> None:
        await process.kill()

    in_a_child(lambda: refused(lambda: _await(kill)))

    async def finish() -> None:
        async with process:
            async with process.take_stdin() as stdin:
                await stdin.write_line("one")
                await stdin.write_line("")
            assert (await process.output()).stdout == "one\ntwo\n"

    asyncio.run(finish())


GROUPS: dict[str, Callable[[ProcessGroup], object]] = {
    "kill_all": lambda group: group.kill_all(),
    "stop": lambda group: group.shutdown(),
    "signal": lambda group: group.signal("term"),
    "suspend": lambda group: group.suspend(),
    "resume": lambda group: group.resume(),
    "wait": lambda group: group.wait(timeout=0.01),
    "start": lambda group: group.start(Command("true")),
    "run": lambda group: group.run(Command("true")),
    "adopt": lambda group: group.adopt(os.getpid()),
    "nest": lambda group: group.group(),
}


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("isolation", ["best", "process_group"])
def test_a_group_refuses_a_child(name: str, isolation: Any) -> None:
    with ProcessGroup(isolation=None if isolation == "best" else isolation) as group:
        process = group.start(Command("sleep", ["1000"]))
        in_a_child(lambda: refused(lambda: GROUPS[name](group)))
        assert group.members() == [process.pid] and process.try_wait() is None
        # It can still be stopped.
        group.signal("usr1")
        assert process.wait(10).signal == signal.SIGUSR1


def test_a_child_that_uses_subprocess_leaves_what_its_parent_forgot() -> None:
    process = Popen(["sleep", "1000"])
    pid, held = process.pid, Popen(["sh", "-c", "read line; exit 7"], stdin=PIPE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del process
        gc.collect()

    def act() -> None:
        for _ in range(4):
            assert run_as_subprocess(["true"], check=True).returncode == 0
            assert is_alive(pid)
            time.sleep(0.15)

    def poll() -> None:
        for _ in range(4):
            refused(held.poll)
            time.sleep(0.05)

    try:
        in_a_child(act)
        in_a_child(poll)
        in_a_child(lambda: refused(lambda: held.wait(0.1)))
        in_a_child(lambda: refused(held.kill))
        assert is_alive(pid) and held.poll() is None
        held.communicate(b"\n")
        assert held.returncode == 7
    finally:
        os.kill(pid, signal.SIGKILL)
        while pinfold.subprocess._forgotten:
            run_as_subprocess(["true"])


SUPERVISED: dict[str, Callable[[list[RunningSupervisor]], object]] = {
    "exit": lambda _: None,
    "del": lambda held: (held.pop() and None, gc.collect()),
    "with": lambda held: held[0].__exit__(None, None, None),
    "raising": lambda held: held[0].__exit__(ValueError, ValueError(), None),
    "wait": lambda held: refused(lambda: held[0].wait()),
    "wait_ready": lambda held: refused(lambda: held[0].wait_ready()),
    "stop": lambda held: refused(lambda: held[0].stop()),
    "signal": lambda held: refused(lambda: held[0].signal("term")),
    "restart": lambda held: refused(lambda: held[0].restart()),
    "events": lambda held: refused(lambda: list(held[0].events())),
    "status": lambda held: held[0].status,
}


@pytest.mark.parametrize("name", SUPERVISED)
def test_supervision_stays_the_parents(name: str) -> None:
    running = Supervisor(Command("sleep", ["1000"])).start()
    held = [running]
    with running:
        running.wait_ready(timeout=10)
        pid = running.status.pid
        assert pid is not None
        del running
        in_a_child(lambda: SUPERVISED[name](held))
        assert is_alive(pid) and held[0].status.pid == pid
        assert held[0].stop().restarts == 0


def test_a_child_that_inherits_supervision_ends() -> None:
    script = """if True:
        import os, sys
        from pinfold import Command, Supervisor
        running = Supervisor(Command("sleep", ["1000"])).start()
        running.wait_ready(timeout=10)
        pid = os.fork()
        if pid == 0:
            sys.exit(0)
        os.waitpid(pid, 0)
        print(running.status.phase, running.stop().restarts)
    """
    result = Command(sys.executable, ["-Wignore", "-c", script]).timeout(20).output()
    assert (result.stdout, result.stderr) == ("up 0\n", "")


def test_a_token_that_a_child_cancels_is_the_childs_alone() -> None:
    token = pinfold.CancelToken()
    with Command("sleep", ["1000"]).start(cancel=token.child()) as process:

        def act() -> None:
            inner = token.child()
            threading.Timer(0.05, token.cancel).start()
            for cancel in (token, inner):
                # By a copy of what its parent waits for, too.
                with pytest.raises(pinfold.Cancelled):
                    Command("sleep", ["1000"]).run(cancel=cancel)
            assert token.is_cancelled

        with pytest.raises(pinfold.Timeout):
            process.wait(0.001)
        in_a_child(act)
        before = time.process_time()
        with pytest.raises(pinfold.Timeout):
            process.wait(0.4)
        assert time.process_time() - before < 0.1, "its parent is woken for ever"
        assert not token.is_cancelled
        token.cancel()
        assert process.wait(20).cause == "cancelled"
