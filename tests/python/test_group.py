"""Groups: who is in them, what becomes of all of it at once, and when."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pinfold
from conftest import HEADLESS, is_alive
from pinfold import CancelToken, Command, ProcessGroup, Sandbox, tracked
from test_cancel import pids, tree

SLEEPER = Command("sleep", ["1000"])
# Three processes: one of them has left its session.
TREE = Command("sh", ["-c", "sleep 1000 & setsid sh -c 'echo $$; exec sleep 1000' & wait"])
DEAF = Command("sh", ["-c", "trap '' TERM; echo ready; exec sleep 1000"])


def available() -> list[Any]:
    found: list[Any] = [None]
    isolation: Any
    for isolation in ("cgroup", "subreaper", "process_group"):
        try:
            with ProcessGroup(isolation=isolation):
                pass
        except pinfold.Unsupported:
            continue
        found.append(isolation)
    return found


ISOLATIONS = available()


@pytest.fixture(params=ISOLATIONS, ids=str)
def isolation(request: pytest.FixtureRequest) -> Any:
    """Each container that a group can have here."""
    return request.param


def test_it_holds_what_is_started_in_it_and_nothing_is_left_behind(isolation: Any) -> None:
    with ProcessGroup(isolation=isolation) as group:
        assert group.is_empty and not group.members()
        one, two = group.start(SLEEPER), group.start(TREE)
        stray = int(next(two.stdout_lines()))
        escapes = group.mechanism == "process_group"
        assert {one.pid, two.pid} <= set(group.members())
        assert len(group.members()) == (3 if escapes else 4)
        assert group.mechanism == one.mechanism and group.guarantee == one.guarantee
        assert not one.owns_group and group.stats().active_process_count == len(group.members())
        members = group.members()
    assert not any(map(is_alive, members))
    assert is_alive(stray) == escapes
    if escapes:
        subprocess.run(["kill", "-9", str(stray)], check=True)
    assert one.wait().cause == two.wait().cause == "stopped"
    assert group.is_closed and group.is_empty and "closed" in repr(group)
    with pytest.raises(pinfold.Unsupported, match="ended"):
        group.run(Command("true"))


def test_a_forgotten_handle_leaves_its_run_to_the_group(isolation: Any, tmp_path: Path) -> None:
    done = tmp_path / "done"
    with ProcessGroup(isolation=isolation) as group:
        # More than any pipe holds, for nobody to read.
        group.start(Command("sh", ["-c", f"head -c 4000000 /dev/zero; echo > {done}; exec sleep 1000"]))
        gc.collect()
        deadline = time.monotonic() + 10
        while not done.exists():
            assert time.monotonic() < deadline, "nobody reads what it writes"
            time.sleep(0.002)
        [pid] = group.members()
        assert is_alive(pid)
    assert not is_alive(pid)


def test_what_is_forgotten_while_it_is_read_is_read_to_its_end() -> None:
    with ProcessGroup() as group:
        lines = group.start(Command("seq", ["100000"])).stdout_lines()
        gc.collect()
        assert [int(line) for line in lines] == list(range(1, 100_001))


VERBS = [("run", "one"), ("exit_code", 0), ("probe", True), ("output_json", {"a": 1}), ("first_line", "one")]


@pytest.mark.parametrize(("verb", "answer"), VERBS)
def test_its_verbs_are_those_of_a_command(verb: str, answer: Any, loop: Any) -> None:
    command = Command("echo", ['{"a": 1}' if verb == "output_json" else "one"])
    with ProcessGroup() as group:
        assert getattr(group, verb)(command) == answer
        assert loop(lambda: getattr(group, f"a{verb}")(command)) == answer
        assert group.output(command).mechanism == group.mechanism
        assert loop(lambda: group.aoutput_bytes(command)).stdout == group.output_bytes(command).stdout


def test_a_verb_in_it_hears_and_obeys(loop: Any) -> None:
    command = Command("sh", ["-c", "echo ready; exec sleep 1000"])
    with ProcessGroup() as group:
        for call in (group.run, lambda *args, **more: loop(lambda: group.arun(*args, **more))):
            token = CancelToken()
            told: list[tuple[str, str]] = []

            def heard(stream: str, line: str, token: CancelToken = token, told: Any = told) -> None:
                told.append((stream, line))
                token.cancel()

            with pytest.raises(pinfold.Cancelled):
                call(command, on_line=heard, cancel=token.child())
            assert told == [("stdout", "ready")]
            with pytest.raises(pinfold.NonZeroExit):
                call(Command("false"))
        assert group.is_empty
        child = (token := CancelToken()).child()
        process = group.start(SLEEPER, cancel=child)
        token.cancel()
        assert process.wait().cause == "cancelled"


def test_both_manners_in_one_group(loop: Any) -> None:
    async def main() -> None:
        async with ProcessGroup(shutdown_grace=30) as group:
            process = await group.astart(TREE)
            stray = int(await process.stdout_lines().__anext__())
            blocking = group.start(SLEEPER)
            assert set(group.members()) >= {process.pid, blocking.pid, stray}
            blocking.signal("kill")
            assert blocking.wait().signal == 9
            report = await group.astop()
            assert (report.members_before, report.members_after, report.escalated) == (3, 0, False)
            assert (await process.wait()).cause == "stopped"
            await group.await_(10)
            # It can be used again.
            assert await group.arun(Command("echo", ["again"])) == "again"
            await group.astart(SLEEPER)
            [left] = group.members()
        assert not is_alive(left) and not is_alive(stray)

    loop(main)


def test_waiting_for_it(loop: Any) -> None:
    async def main() -> None:
        async with ProcessGroup() as group:
            process = await group.astart(Command("cat").keep_stdin_open())
            with pytest.raises(TimeoutError):
                group.wait(0.01)
            with pytest.raises(TimeoutError):
                await group.await_(timeout=0.01)
            await process.take_stdin().close()
            await process.wait()
            await group.await_()
            group.wait(10)

    loop(main)


def test_killed_means_gone(isolation: Any, loop: Any) -> None:
    with ProcessGroup(isolation=isolation) as group:
        for kill in (group.kill_all, lambda: loop(group.akill_all)):
            process = group.start(DEAF)
            next(process.stdout_lines())
            members = group.members()
            report = kill()
            assert (report.members_before, report.members_after) == (len(members), 0)
            assert not any(map(is_alive, members)) and not group.members()
            assert process.wait().signal == 9
        assert group.kill_all().members_before == 0


def test_those_who_do_not_obey_are_killed_or_spared() -> None:
    with ProcessGroup(shutdown_grace=0.05) as group:
        process = group.start(DEAF)
        next(process.stdout_lines())
        spared = group.stop(escalate=False)
        assert spared.members_after > 0 and not spared.escalated and process.try_wait() is None
        # Without a grace too: it is asked, and not waited for.
        assert group.stop(0, escalate=False).members_after > 0 and process.try_wait() is None
        report = group.stop()
        assert report.escalated and report.members_after == 0 and report.duration_seconds >= 0.05
        assert process.wait().signal == 9
    with ProcessGroup(shutdown_grace=0.05, escalate_to_kill=False) as group:
        process = group.start(DEAF)
        next(process.stdout_lines())
        assert group.stop().members_after > 0
        members = group.members()
    # Leaving the block leaves nobody, obedient or not.
    assert not any(map(is_alive, members))


def test_how_it_is_stopped_can_be_said() -> None:
    trap = "trap 'exit 7' INT; echo ready; while :; do sleep 0.01; done"
    with ProcessGroup(shutdown_signal="int") as group:
        process = group.start(Command("sh", ["-c", trap]))
        next(process.stdout_lines())
        report = group.shutdown(30)
        assert report.members_after == 0 and group.is_closed
        assert process.wait().code == 7
        assert group.shutdown().members_before == 0
    with ProcessGroup() as group:
        process = group.start(Command("sh", ["-c", trap]))
        next(process.stdout_lines())
        group.stop(30, signal=signal.SIGINT)
        assert process.wait().code == 7


@pytest.mark.parametrize("name", ["term", "kill", "int", "hup", "quit", "usr1", "usr2", signal.SIGALRM, 10])
def test_a_signal_reaches_all_of_it(name: Any) -> None:
    with ProcessGroup() as group:
        # The core of `quit` is none of ours.
        both = [group.start(SLEEPER.rlimit("core", 0)) for _ in range(2)]
        group.signal(name)
        number = getattr(signal, f"SIG{name.upper()}") if isinstance(name, str) else name
        assert [process.wait().signal for process in both] == [number, number]
        with pytest.raises(pinfold.InvalidInput):
            group.signal("no-such")


def test_a_suspended_group_takes_no_start(isolation: Any) -> None:
    ticker = Command("sh", ["-c", "while :; do echo tick; sleep 0.005; done"])
    with ProcessGroup(isolation=isolation) as group:
        lines = group.start(ticker).stdout_lines()
        next(lines)
        group.suspend()
        assert group.is_suspended
        with pytest.raises(pinfold.Unsupported, match="suspended"):
            group.start(SLEEPER)
        group.resume()
        assert not group.is_suspended and next(lines) == "tick"
        group.start(SLEEPER)
        group.suspend()
        assert group.stop().members_after == 0


def test_its_members_are_told(isolation: Any) -> None:
    with ProcessGroup(isolation=isolation) as group:
        process = group.start(SLEEPER)
        process.signal("stop")
        deadline = time.monotonic() + 10
        while group.members_info()[0].state != "stopped" and time.monotonic() < deadline:
            time.sleep(0.001)
        [member] = group.members_info()
        assert (member.pid, member.name, member.state) == (process.pid, "sleep", "stopped")
        assert member.ppid > 0 and member.started_seconds > 0
        assert pickle.loads(pickle.dumps(member)) == member == type(member).from_json(member.to_json())
        assert "sleep" in repr(member)


def test_what_it_used_is_told_with_the_dead() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    with ProcessGroup() as group:
        before = group.stats()
        group.run(Command(sys.executable, ["-S", "-c", burn]))
        stats = group.stats()
        assert stats.active_process_count == before.active_process_count == 0
        if group.mechanism == "cgroup_v2":
            assert stats.total_cpu_time_seconds is not None and before.total_cpu_time_seconds is not None
            assert 0.3 <= stats.total_cpu_time_seconds - before.total_cpu_time_seconds < 5
            assert stats.user_seconds is not None and stats.system_seconds is not None
        assert pickle.loads(pickle.dumps(stats)) == stats == type(stats).from_json(stats.to_json())
        assert stats != before and "processes" in repr(stats)
    with ProcessGroup(isolation="process_group") as group:
        # Nobody counts there, so nothing is told.
        assert group.stats().total_cpu_time_seconds is None and group.stats().peak_memory_bytes is None


def test_groups_in_groups() -> None:
    with ProcessGroup() as outer:
        inner = outer.group(shutdown_grace=0.05)
        one, two = outer.start(SLEEPER), inner.start(SLEEPER)
        assert set(outer.members()) == {one.pid, two.pid} and inner.members() == [two.pid]
        inner.stop()
        assert outer.members() == [one.pid]
        with outer.group() as another:
            three = another.start(SLEEPER)
        assert three.wait().cause == "stopped" and outer.members() == [one.pid]
        four = inner.start(SLEEPER)
    assert four.wait().cause == "stopped"
    with pytest.raises(pinfold.Unsupported):
        inner.start(SLEEPER)


def test_what_others_started_can_be_taken_in(isolation: Any) -> None:
    other = subprocess.Popen(["sleep", "1000"])
    try:
        with ProcessGroup(isolation=isolation) as group:
            for wrong in (0, -1, 1 << 40):
                with pytest.raises(pinfold.InvalidInput):
                    group.adopt(wrong)
            if group.mechanism != "cgroup_v2":
                with pytest.raises(pinfold.Unsupported):
                    group.adopt(other.pid)
                return
            group.adopt(other.pid)
            assert group.members() == [other.pid]
        assert other.wait(10) == -9 or other.returncode == -15
    finally:
        other.kill()
        other.wait()


def test_events_are_told_in_both_manners(isolation: Any, loop: Any) -> None:
    async def main() -> list[Any]:
        told = []
        group = ProcessGroup(isolation=isolation)
        events = group.events()
        await group.arun(Command("true"))
        told.append(await events.__anext__())
        process = await group.astart(SLEEPER)
        process.signal("kill")
        await process.wait()
        told.append(await events.__anext__())
        group.shutdown()
        # Nothing comes any more.
        told += [event async for event in events]
        return told

    told = loop(main)
    assert [(event.kind, event.count) for event in told] == [("emptied", None)] * 2
    assert pickle.loads(pickle.dumps(told)) == told and told[0].to_json()
    with ProcessGroup(isolation=isolation) as group:
        heard: list[Any] = []
        thread = threading.Thread(target=lambda events: heard.extend(events), args=[group.events()])
        thread.start()
        group.run(Command("true"))
    # The end of the group is the end of the iteration, in whatever thread.
    thread.join(10)
    assert not thread.is_alive() and {event.kind for event in heard} == {"emptied"}


def test_a_sandbox_is_that_of_all_in_it(tmp_path: Path) -> None:
    sandbox = Sandbox().deny_syscalls(["mkdir", "mkdirat"])
    command = Command("mkdir", [tmp_path / "made"])
    with ProcessGroup(sandbox=sandbox) as group:
        assert not group.output(command).is_success and not group.group().output(command).is_success
        with pytest.raises(pinfold.InvalidInput, match="sandbox"):
            group.run(command.sandbox(Sandbox().no_outside_signals()))
    assert command.output().is_success


@pytest.mark.parametrize("wrong", [{"isolation": "none"}, {"require": "all"}, {"shutdown_grace": -1},
                                   {"shutdown_signal": "no-such"}])  # fmt: skip
def test_what_cannot_be_meant_is_refused(wrong: Any) -> None:
    with pytest.raises(pinfold.InvalidInput):
        ProcessGroup(**wrong)


def test_what_is_of_the_wrong_type_is_refused() -> None:
    wrong: Any
    for wrong in ({"limits": 3}, {"max_memory": "much"}, {"sandbox": "untrusted"}):
        with pytest.raises(TypeError):
            ProcessGroup(**wrong)
    with ProcessGroup() as group, pytest.raises(TypeError):
        group.run("echo")  # type: ignore[arg-type]


def test_a_guarantee_can_be_required() -> None:
    with pytest.raises(pinfold.Unsupported):
        ProcessGroup(isolation="process_group", require="guarded")
    with ProcessGroup(require="best_effort") as group:
        assert group.run(Command("echo", ["held"])) == "held"


def test_an_exception_empties_it_at_once(loop: Any) -> None:
    members: list[int] = []
    begun = time.monotonic()
    with pytest.raises(LookupError), ProcessGroup(shutdown_grace=1000) as group:
        process = group.start(DEAF)
        next(process.stdout_lines())
        members += group.members()
        raise LookupError
    assert members and not any(map(is_alive, members))

    async def main() -> None:
        async with ProcessGroup(shutdown_grace=1000) as group:
            process = await group.astart(DEAF)
            await process.stdout_lines().__anext__()
            members[:] = group.members()
            raise LookupError

    with pytest.raises(LookupError):
        loop(main)
    assert members and not any(map(is_alive, members)) and time.monotonic() - begun < 100


@pytest.mark.parametrize("where", ["await group.await_()", "await group.arun(tree)", "await group.astop()"])
def test_a_cancellation_empties_it_first(where: str, aio: Any, tmp_path: Path) -> None:
    async def main() -> None:
        at, members = tmp_path / "pids", []

        async def block() -> None:
            async with ProcessGroup(shutdown_grace=1000) as group:
                deaf = await group.astart(DEAF)
                await deaf.stdout_lines().__anext__()
                if where == "await group.arun(tree)":
                    await group.arun(tree(at))
                await group.astart(tree(at))
                while not at.exists():
                    await asyncio.sleep(0.002)
                await (group.astop() if "astop" in where else group.await_())

        task = asyncio.ensure_future(block())
        while not at.exists():
            await asyncio.sleep(0.002)
        members = pids(at)
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not any(map(is_alive, members))

    aio(main)


def test_a_scope_of_trio_is_a_cancellation(tmp_path: Path) -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        at = tmp_path / "pids"
        with trio.CancelScope() as scope:
            async with ProcessGroup(shutdown_grace=1000) as group:
                await group.astart(tree(at))
                while not at.exists():
                    await trio.sleep(0.002)
                scope.cancel()
                await group.await_()
        assert scope.cancelled_caught and not any(map(is_alive, pids(at)))

    trio.run(main)


@pytest.mark.parametrize("call", ["group.wait()", "group.run(tree(at))", "next(group.events())", "group.stop()", "pass"])
def test_an_interrupt_empties_it_before_it_propagates(
    call: str, script: Callable[[str], list[str]], tmp_path: Path
) -> None:
    at = tmp_path / "pids"
    program = script(f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from pathlib import Path
from pinfold import ProcessGroup
from test_cancel import is_alive, pids, tree
from test_group import DEAF
at = Path({str(at)!r})
try:
    with ProcessGroup(shutdown_grace=1000) as group:
        deaf = group.start(DEAF)
        next(deaf.stdout_lines())
        if {call!r} != "group.run(tree(at))":
            handle = group.start(tree(at))
            pids(at)
        print("waiting", flush=True)
        {call}
except KeyboardInterrupt:
    print("interrupted", [is_alive(pid) for pid in pids(at)])
""")
    began = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    try:
        assert began.stdout is not None and began.stdout.readline() == "waiting\n"
        members = pids(at)
        time.sleep(0.02)
        began.send_signal(signal.SIGINT)
        said, _ = began.communicate(timeout=30)
        assert said == "interrupted [False, False, False]\n"
        assert not any(map(is_alive, members))
    finally:
        began.kill()
        began.wait()


def test_a_forgotten_group_says_so_and_ends_what_is_in_it(isolation: Any) -> None:
    group = ProcessGroup(isolation=isolation)
    process = group.start(SLEEPER)
    with pytest.warns(ResourceWarning, match="forgotten"):
        del group
        gc.collect()
    assert not is_alive(process.pid) and process.wait().signal == 9
    # There is nothing to say of one that nobody lives in.
    group = ProcessGroup(isolation=isolation)
    group.run(Command("true"))
    del group
    gc.collect()


def test_many_threads_share_it() -> None:
    answers: list[str] = []
    with ProcessGroup() as group:

        def work(number: int) -> None:
            answers.append(group.run(Command("echo", [str(number)])))

        threads = [threading.Thread(target=work, args=[number]) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert group.is_empty
    assert sorted(map(int, answers)) == list(range(16))


def test_a_process_lives_as_long_as_one_of_its_threads(isolation: Any) -> None:
    with ProcessGroup(isolation=isolation) as group:
        process = group.start(Command(sys.executable, ["-S", "-c", HEADLESS]))
        assert next(process.stdout_lines()) == "ready"
        deadline = time.monotonic() + 10
        while [member.state for member in group.members_info()] != ["zombie"]:
            assert time.monotonic() < deadline, group.members_info()
            time.sleep(0.002)
        assert group.members() == [process.pid] and not group.is_empty
        assert group.stop().members_before == 1
        assert process.wait().cause == "stopped"
    assert not is_alive(process.pid)


def test_what_is_suspended_is_stopped_from_outside_without_a_kill(isolation: Any) -> None:
    with ProcessGroup(isolation=isolation) as group:
        process = group.start(SLEEPER)
        group.suspend()
        [mine] = [owner for owner in tracked().owners if owner.pid == os.getpid()]
        stopped = mine.stop(grace=20)
        assert not stopped.killed and not stopped.left and [member.pid for member in stopped.members] == [process.pid]
        assert process.wait().signal == signal.SIGTERM
