"""The tour, on: running many, supervising, waiting until a child is ready, pipelines, deadlines, a tool wrapped, doubles, the log."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import is_alive
from pinfold import (
    CliClient,
    Command,
    NonZeroExit,
    ProcessGroup,
    ProcessResult,
    ProcessRunner,
    Runner,
    Supervisor,
    output_all,
    wait_for,
    wait_for_line,
    wait_for_port,
)
from pinfold.testing import RecordingRunner, RecordReplayRunner, Reply, ScriptedRunner

PROGRAMS = {
    "convert": 'test "$1" != 7.png && echo "$1 becomes $2"',
    "my-server": 'echo "listening on $2"; echo x >> starts; test "$(wc -l < starts)" -ge 3 && exit 0; exit 1',
    "my-lasting-server": "echo booting; echo listening on 8080; exec sleep 1000",
    "git": """case "$*" in
"log --format=%an") printf "Grace\\nAda\\nGrace\\n";;
"rev-parse HEAD") echo deadbeef; echo x >> runs;;
"diff --quiet") exit 1;;
*) exit 128;;
esac""",
    "long-job": "echo $$ > pid.new; mv pid.new pid; sleep 1000 & wait",
}


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins, on the path."""
    place = tmp_path / "bin"
    place.mkdir()
    for name, source in PROGRAMS.items():
        (place / name).write_text(f"#!/bin/sh\n{source}\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


def test_running_many_at_once() -> None:
    cmds = [Command("convert", [f"{i}.png", f"{i}.jpg"]) for i in range(200)]
    results = output_all(cmds, concurrency=8)
    failed = sum(not (isinstance(r, ProcessResult) and r.is_success) for r in results)
    assert failed == 1 and len(results) == 200
    assert isinstance(results[199], ProcessResult) and results[199].stdout == "199.png becomes 199.jpg\n"


def test_supervising_a_child() -> None:
    def supervisor() -> Supervisor:
        return Supervisor(
            Command("my-server", ["--port", "8080"]),
            restart="on_crash",
            max_restarts=5,
            backoff_initial=0.02, backoff_factor=2.0, max_backoff=30.0,
            stop_when=lambda r: r.code == 0,
        )

    outcome = supervisor().run()
    assert (outcome.restarts, outcome.stopped) == (2, "predicate")
    Path("starts").unlink()
    outcome = asyncio.run(supervisor().arun())
    assert (outcome.restarts, outcome.stopped) == (2, "predicate")


def test_waiting_for_a_child_to_be_ready() -> None:
    async def main() -> None:
        answered = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = answered.sockets[0].getsockname()[1]
        healthy = iter([False, True])

        def health_check() -> bool:
            return next(healthy)

        proc = await Command("my-lasting-server").astart()
        lines = proc.stdout_lines()
        await wait_for_line(lines, lambda l: "listening on" in l, timeout=10)  # noqa: E741
        await wait_for_port("127.0.0.1", port, timeout=10)
        await wait_for(lambda: health_check(), timeout=10, interval=0.1)
        with pytest.raises(TimeoutError):
            await wait_for(lambda: False, timeout=0.01)
        assert is_alive(proc.pid)
        await proc.kill()
        answered.close()
        await answered.wait_closed()

    asyncio.run(main())


def test_pipelines_without_a_shell() -> None:
    authors = (
        Command("git", ["log", "--format=%an"])
        | Command("sort")
        | Command("uniq", ["-c"])
    ).run()
    assert [line.split() for line in authors.splitlines()] == [["1", "Ada"], ["2", "Grace"]]
    assert (Command("yes") | Command("head", ["-1"])).timeout(10).run() == "y"


def test_a_deadline_of_asyncio_ends_the_tree() -> None:
    async def main() -> None:
        job = asyncio.ensure_future(Command("long-job").aoutput())
        while not Path("pid").exists():
            await asyncio.sleep(0.002)
        pid = int(Path("pid").read_text())
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(job, 0.01)
        assert job.cancelled() and not is_alive(pid)
        Path("pid").unlink()
        # One of its own is no exception, but part of the result.
        result = await Command("long-job").timeout(0.05).aoutput()
        assert result.timed_out and not result.is_success

    asyncio.run(main())


def test_every_signal_that_has_a_name() -> None:
    for name, number in {"term": 15, "kill": 9, "int": 2, "hup": 1, "quit": 3, "usr1": 10, "usr2": 12}.items():
        with ProcessGroup() as group:
            sleeper = group.start(Command("sleep", ["1000"]))
            group.signal(name)
            assert sleeper.wait(timeout=10).signal == number


def test_a_tool_is_wrapped() -> None:
    git = CliClient("git", default_timeout=30.0)
    assert git.run(["rev-parse", "HEAD"]) == "deadbeef"
    assert git.probe(["diff", "--quiet"]) is False
    assert git.output(["bisect"]).code == 128
    with pytest.raises(NonZeroExit):
        git.run(["bisect"])
    assert asyncio.run(git.arun(["rev-parse", "HEAD"])) == "deadbeef"


def head(runner: ProcessRunner) -> str:
    return runner.run(Command("git", ["rev-parse", "HEAD"]))


def test_nothing_is_started_by_a_double() -> None:
    scripted = ScriptedRunner()
    scripted.on(["git", "rev-parse"], Reply.ok("deadbeef"))
    assert scripted.run(Command("git", ["rev-parse", "HEAD"])) == "deadbeef"
    assert head(scripted) == "deadbeef" and not Path("runs").exists()
    assert head(Runner()) == "deadbeef" and Path("runs").exists()


def test_what_was_run_is_noted_or_played_again() -> None:
    spy = RecordingRunner(Runner())
    assert head(spy) == "deadbeef"
    assert [call.args for call in spy.calls()] == [["rev-parse", "HEAD"]]
    tape = RecordReplayRunner.record("tape.jsonl")
    assert head(tape) == "deadbeef"
    tape.save()
    ran = Path("runs").read_text()
    assert head(RecordReplayRunner.replay("tape.jsonl")) == "deadbeef"
    assert Path("runs").read_text() == ran


def test_the_log_says_what_ran_and_no_argument() -> None:
    source = """
import logging
from pinfold import Command, enable_logging

logging.basicConfig(level=logging.DEBUG)
enable_logging()
enable_logging()
Command("git", ["rev-parse", "HEAD"]).run()
"""
    said = subprocess.run([sys.executable, "-c", source], stderr=subprocess.PIPE, text=True, check=True).stderr
    started, ended = said.splitlines()
    assert re.match(r"DEBUG:pinfold:started .*program=git pid=\d+ mechanism=\w+", started)
    assert re.match(r"DEBUG:pinfold:ended .*program=git .*code=0", ended)
    assert "rev-parse" not in said
