"""Wherever Python code runs: after a fork, in pools of processes, in threads, in a running loop, at the interpreter's end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import multiprocessing
import os
import subprocess
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pinfold
from conftest import is_alive
from pinfold import Command, Limits, ProcessGroup

HERE = str(Path(__file__).parent)


def in_a_child(act: Callable[[], bool]) -> bool:
    """Whether it is true in a forked child, which ends there and then."""
    # Python 3.12 and later warn of forks in a process with threads, which the waiter of loops without readers has made one.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        code = 2
        try:
            code = 0 if act() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def groups_work() -> bool:
    with ProcessGroup() as group:
        process = group.start(Command("sleep", ["1000"]))
        # Forgotten, and left to the background.
        group.start(Command("sleep", ["1000"]))
        said = group.run(Command("echo", ["child"]))
        alive = len(group.members()) == 2
    return said == "child" and alive and process.wait().cause == "stopped" and not is_alive(process.pid)


async def everything_awaited_works() -> bool:
    async with ProcessGroup() as group, await Command("cat").keep_stdin_open().astart() as process:
        stdin = process.take_stdin()
        await stdin.write_line("hello")
        line = await process.stdout_lines().__anext__()
        return line == "hello" and await group.arun(Command("echo", ["child"])) == "child"


def test_a_forked_child_has_groups_of_its_own() -> None:
    assert groups_work()
    assert in_a_child(groups_work)
    assert in_a_child(lambda: asyncio.run(everything_awaited_works()))
    assert in_a_child(lambda: in_a_child(groups_work))
    assert groups_work()


@pytest.mark.parametrize("isolation", ["cgroup", "subreaper", "process_group"])
def test_a_forked_child_does_not_end_what_is_its_parents(isolation: Any) -> None:
    sleeper = Command("sleep", ["1000"])
    try:
        held: list[Any] = [ProcessGroup(isolation=isolation), sleeper.isolation(isolation).start()]
    except pinfold.Unsupported as error:
        pytest.skip(str(error))
    with held[0] as group, held[1] as alone:
        process = group.start(sleeper)
        both = process.pid, alone.pid

        def leave() -> bool:
            nonlocal group, alone, process
            for each in (alone, process, group):
                each.__exit__(None, None, None)
            held.clear()
            del each, alone, process, group
            gc.collect()
            return all(map(is_alive, both))

        assert in_a_child(leave)
        assert all(map(is_alive, both))
        # They are still the parent's, to the end.
        assert group.members() == [process.pid] and alone.try_wait() is None
    assert not any(map(is_alive, both)) and process.wait().cause == "stopped"


def answer(number: int) -> tuple[int, Any, Any]:
    """What a worker does: all of it travels back."""
    with ProcessGroup() as group:
        result = group.output(Command("sh", ["-c", "echo $1; exit $1", "sh", str(number)]))
        try:
            result.ensure_success()
            error = None
        except pinfold.NonZeroExit as failed:
            error = failed
        return os.getpid(), result, error


def run(command: Command) -> Any:
    return command.output()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes(method: str) -> None:
    Command("true").run()
    context: Any = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        answers = list(pool.map(answer, range(6)))
        assert [result.stdout for _, result, _ in answers] == [f"{number}\n" for number in range(6)]
        assert os.getpid() not in {pid for pid, _, _ in answers}
        assert [None if error is None else error.code for _, _, error in answers] == [None, 1, 2, 3, 4, 5]
        # Commands go the other way, with everything that they have.
        command = Command("sh", ["-c", "ulimit -v; cat"]).stdin_bytes(b"\xffin")
        command = command.limits(Limits(max_memory=1 << 40, enforcement="per_process"))
        assert pool.submit(run, command.encoding("latin1")).result().stdout == f"{1 << 30}\n\xffin"
    if method == "forkserver":
        from multiprocessing import forkserver

        forkserver._forkserver._stop()  # type: ignore[attr-defined]
    if method in ("spawn", "forkserver"):
        from multiprocessing import resource_tracker

        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def test_threads_wait_by_themselves() -> None:
    answers: list[Any] = []

    def work(number: int) -> None:
        answers.append(Command("sh", ["-c", f"sleep 0.02; exit {number}"]).exit_code())
        answers.append(100 + asyncio.run(Command("sh", ["-c", f"exit {number}"]).aexit_code()))

    threads = [threading.Thread(target=work, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [*range(12), *range(100, 112)]


def test_a_run_outlives_the_thread_that_started_it() -> None:
    handles: list[Any] = []
    thread = threading.Thread(target=lambda: handles.append(Command("sleep", ["1000"]).start()))
    thread.start()
    thread.join()
    with handles.pop() as process:
        with pytest.raises(TimeoutError):
            process.wait(0.05)
        assert is_alive(process.pid)


def test_blocking_verbs_work_in_a_running_loop_and_say_nothing(loop: Any) -> None:
    async def main() -> None:
        # As in a notebook, whose cells run in a loop.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert Command("echo", ["here"]).run() == "here"
            with ProcessGroup() as group, group.start(Command("seq", ["3"])) as process:
                assert list(process) == ["1", "2", "3"]
                assert group.run(Command("echo", ["there"])) == "there"
                assert await group.arun(Command("echo", ["both"])) == "both"

    loop(main)


def test_two_loops_use_one_group() -> None:
    with ProcessGroup() as group:
        process = group.start(Command("sh", ["-c", "read line; exit 3"]).keep_stdin_open())

        async def ask() -> list[str]:
            return list(await asyncio.gather(*(group.arun(Command("echo", [str(n)])) for n in range(8))))

        answers: list[Any] = []
        threads = [threading.Thread(target=lambda: answers.append(asyncio.run(ask()))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [[str(number) for number in range(8)]] * 2
        process.take_stdin().close()
        assert process.wait().code == 3


ENDS = [
    "pass",
    "sys.exit(3)",
    "raise LookupError",
    "os._exit(0)",
    "os.kill(os.getpid(), 9)",
    "os.kill(os.getpid(), 15)",
    "os.abort()",
    "import atexit; atexit.register(lambda: print(Command('echo', ['at the end']).run()))",
    "threading.Thread(target=group.wait, daemon=True).start()",
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kept", ["group", "group.start(DEAF)"])
def test_no_end_of_the_interpreter_leaves_anything(
    end: str, kept: str, script: Callable[[str], list[str]], tmp_path: Path
) -> None:
    program = script(f"""
import os, resource, sys, threading
sys.path[:0] = [{HERE!r}]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from pinfold import Command, ProcessGroup
DEAF = Command("sh", ["-c", "trap '' TERM HUP; sleep 1000 & setsid sleep 1000 & echo ready; wait"])
group = ProcessGroup(require="guarded")
handle = group.start(DEAF)
next(handle.stdout_lines())
while len(group.members()) < 3: pass
print(*group.members(), flush=True)
kept = {kept}
if "start" in {kept!r}:
    while len(group.members()) < 6: pass
{end}
""")
    try:
        ProcessGroup(require="guarded").shutdown()
    except pinfold.Unsupported as error:
        pytest.skip(str(error))
    began = time.monotonic()
    ended = subprocess.run(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    members = [int(word) for word in ended.stdout.splitlines()[0].split()]
    assert len(members) >= 3, ended.stderr
    assert "at the end" in ended.stdout or "atexit" not in end
    assert "Fatal Python error" not in ended.stderr or "abort" in end, ended.stderr
    while any(map(is_alive, members)) and time.monotonic() - began < 60:
        time.sleep(0.005)
    assert not any(map(is_alive, members))


def test_importing_it_in_a_thread_of_an_ending_interpreter_is_no_trouble(script: Callable[[str], list[str]]) -> None:
    program = script("""
import threading
def work():
    from pinfold import Command, ProcessGroup
    with ProcessGroup() as group:
        print(group.run(Command("echo", ["done"])))
threading.Thread(target=work).start()
""")
    ended = subprocess.run(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("done\n", "")
