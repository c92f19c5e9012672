"""A tour: what the users of other packages of this kind are used to write, word for word in our names, as far as it is here.

The programs are stand-ins on a path of the test's own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from conftest import is_alive
from pinfold import (
    Command,
    NonZeroExit,
    PermissionDenied,
    ProcessError,
    ProcessGroup,
    ProcessNotFound,
    ProcessResult,
    ResourceLimit,
    Signalled,
    Timeout,
    Unsupported,
)

PROGRAMS = {
    "dev-server": "echo listening; sleep 1000 & setsid sleep 1000 & wait",
    "worker": "exec sleep 1000",
    "daemonish": "exec sleep 1000",
    "my-server": "trap 'echo reloaded' HUP; echo ready; while :; do sleep 0.005; done",
    "my-build": "echo compiling; echo linking; echo done",
    "untrusted-tool": "env; exec sleep 1000",
    "long-job": "echo $$ > pid.new; mv pid.new pid; sleep 1000 & wait",
    "adder": "while read a plus b; do echo $((a + b)); done",
    "helper": "id -u; id -g; id -G; ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/self/stat",
}


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-ins, on the path."""
    place = tmp_path / "bin"
    place.mkdir()
    for name, source in PROGRAMS.items():
        (place / name).write_text(f"#!/bin/sh\n{source}\n")
        (place / name).chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return place


def test_success_and_text() -> None:
    version = Command(sys.executable, ["--version"]).run()
    assert version.startswith("Python 3.")


def test_the_verbs_of_the_table() -> None:
    assert Command("my-build").run() == "compiling\nlinking\ndone"
    assert Command("my-build").output().stdout == "compiling\nlinking\ndone\n"
    assert Command("my-build").output_bytes().stdout == b"compiling\nlinking\ndone\n"
    assert Command("sh", ["-c", "exit 4"]).exit_code() == 4
    assert Command("sh", ["-c", "exit 1"]).probe() is False
    with Command("my-build").start() as process:
        assert list(process.stdout_lines()) == ["compiling", "linking", "done"]


def test_a_quick_start() -> None:
    result = Command("sh", ["-c", "echo deadbeef; exit 3"]).output()
    assert isinstance(result, ProcessResult)
    assert (result.stdout.strip(), result.code, result.is_success) == ("deadbeef", 3, False)
    assert Command("sort").stdin_text("banana\napple\n").run() == "apple\nbanana"
    with ProcessGroup() as group:
        group.start(Command("dev-server"))
        assert group.members()


def test_a_quick_start_awaited() -> None:
    async def main() -> list[str]:
        result = await Command("echo", ["HEAD"]).aoutput()
        assert result.stdout == "HEAD\n"
        said = []
        async with await Command("my-build", ["--watch"]).astart() as proc:
            async for line in proc.stdout_lines():
                said.append(line)
        async with ProcessGroup() as group:
            await group.astart(Command("dev-server"))
            assert group.members()
        assert group.is_empty
        return said

    assert asyncio.run(main()) == ["compiling", "linking", "done"]


def test_a_tree_is_contained() -> None:
    with ProcessGroup() as group:
        server = group.start(Command("dev-server"))
        group.start(Command("worker"))
        assert next(server.stdout_lines()) == "listening"
        assert group.mechanism in ("cgroup_v2", "subreaper", "pid_namespace", "process_group")
        members = group.members()
        assert len(members) >= 2
    # Grandchildren included, on every mechanism that knows of them.
    if group.mechanism != "process_group":
        assert not any(map(is_alive, members))


def test_a_tool_is_bounded_or_refused() -> None:
    tool = Command("untrusted-tool").env_clear().inherit_env(["PATH"]).output_limit(max_bytes=8 * 1024 * 1024)
    try:
        with ProcessGroup(max_memory=512 * 1024 * 1024, max_processes=64, cpu_quota=1.0) as group:
            group.start(tool)
            assert group.stats().active_process_count == 1
    except ResourceLimit as error:
        assert "limits cannot be enforced" in str(error)
    with ProcessGroup() as group, group.start(tool) as proc:
        assert next(proc.stdout_lines()).startswith("P")
        stats = group.stats()
        assert stats.active_process_count == 1
        assert stats.peak_memory_bytes is None or stats.peak_memory_bytes > 0
        assert stats.total_cpu_time_seconds is None or stats.total_cpu_time_seconds >= 0


def test_a_tree_is_signalled_and_paused() -> None:
    with ProcessGroup() as group:
        lines = group.start(Command("my-server")).stdout_lines()
        assert next(lines) == "ready"
        group.signal("hup")
        assert next(lines) == "reloaded"
        group.suspend()
        group.resume()
        group.signal("hup")
        assert next(lines) == "reloaded"


def test_the_environment_and_privileges() -> None:
    said = Command("env").inherit_env(["PATH", "HOME", "LANG"]).run()
    assert {line.partition("=")[0] for line in said.splitlines()} <= {"PATH", "HOME", "LANG"}
    # Who is not us may not enter our directories; what everybody has, everybody may execute.
    command = Command("sh", ["-c", PROGRAMS["helper"]]).gid(1000).groups([1000]).uid(1000).setsid()
    if os.geteuid() == 0:
        uid, gid, groups = command.run().splitlines()[:3]
        assert (uid, gid, groups) == ("1000", "1000", "1000")
    else:
        with pytest.raises(PermissionDenied):
            command.run()
    Command("helper").create_no_window().run()
    try:
        with Command("daemonish").kill_on_parent_death().start() as proc:
            assert proc.guarantee in ("guarded", "kernel")
    except Unsupported as error:
        assert "guarded" in str(error)


def test_an_awaited_run_is_cancelled(tmp_path: Path) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(Command("long-job").aoutput())
        while not (tmp_path / "pid").exists():
            await asyncio.sleep(0.002)
        pid = int((tmp_path / "pid").read_text())
        assert is_alive(pid)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_alive(pid)

    asyncio.run(main())


def test_a_conversation() -> None:
    async def main() -> None:
        proc = await Command("adder").keep_stdin_open().astart()
        stdin = proc.take_stdin()
        await stdin.write_line("2 + 2")
        assert await anext(proc.stdout_lines()) == "4"
        await stdin.close()
        finished = await proc.finish()
        assert finished.exited_zero and finished.outcome.code == 0 and finished.stderr == ""

    asyncio.run(main())


def test_errors_are_the_standard_librarys_too() -> None:
    with pytest.raises(FileNotFoundError) as missing:
        Command("no-such-tool").run()
    assert isinstance(missing.value, ProcessNotFound) and isinstance(missing.value, ProcessError)
    with pytest.raises(TimeoutError) as late:
        Command("worker").timeout(0.05).run()
    assert isinstance(late.value, Timeout) and late.value.timeout_seconds == 0.05
    with pytest.raises(PermissionError):
        Command("/etc/passwd").run()
    with pytest.raises(NonZeroExit) as failed:
        Command("sh", ["-c", "echo why >&2; exit 3"]).run()
    assert (failed.value.program, failed.value.code, failed.value.stderr) == ("sh", 3, "why\n")
    with pytest.raises(Signalled) as killed:
        Command("sh", ["-c", "kill -9 $$"]).run()
    assert killed.value.signal == 9


def test_a_handle_as_it_is_known() -> None:
    async def main() -> None:
        async with await Command("my-build").astart() as proc:
            assert proc.pid and proc.elapsed_seconds >= 0 and proc.owns_group
            events = [event async for event in proc.output_events()]
            assert [(event.stream, event.is_stderr, event.text) for event in events] == [
                ("stdout", False, "compiling"),
                ("stdout", False, "linking"),
                ("stdout", False, "done"),
            ]
            outcome = await proc.wait()
            assert (outcome.code, outcome.signal, outcome.timed_out, outcome.exited_zero) == (0, None, False, True)
            profile = await proc.profile(every_seconds=0.05)
            assert profile.cpu_time_seconds >= 0 and profile.avg_cpu_cores >= 0
            assert proc.stdout_line_count == 3 and proc.stderr_line_count == 0
            await proc.shutdown(grace_seconds=1)
            proc.kill()

    asyncio.run(main())
