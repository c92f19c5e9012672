"""What type checkers make of the package: nothing here is run. A promise that is broken is an error of theirs, and so is a mistake
that they no longer see."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

import pinfold
from pinfold import (
    AsyncRunningProcess,
    AsyncRunningSupervisor,
    BytesResult,
    CliClient,
    Command,
    GroupEvent,
    Outcome,
    Pipeline,
    Probe,
    ProcessError,
    ProcessGroup,
    ProcessResult,
    ProcessRunner,
    Runner,
    RunningProcess,
    Supervisor,
    subprocess,
)
from pinfold.testing import RecordReplayRunner, Reply, ScriptedRunner


def verbs(command: Command) -> None:
    assert_type(command.run(), str)
    assert_type(command.output(), ProcessResult)
    assert_type(command.output().stdout, str)
    assert_type(command.output().code, int | None)
    assert_type(command.output_bytes(), BytesResult)
    assert_type(command.output_bytes().stdout, bytes)
    assert_type(command.output_bytes().stderr, str)
    assert_type(command.output_json(), Any)
    assert_type(command.exit_code(), int)
    assert_type(command.probe(), bool)
    assert_type(command.first_line(), str)
    assert_type(command.start(), RunningProcess)
    assert_type(command.output().outcome, Outcome)


async def awaited_verbs(command: Command) -> None:
    assert_type(await command.arun(), str)
    assert_type(await command.aoutput(), ProcessResult)
    assert_type(await command.aoutput_bytes(), BytesResult)
    assert_type(await command.aexit_code(), int)
    assert_type(await command.aprobe(), bool)
    assert_type(await command.afirst_line(), str)
    assert_type(await command.astart(), AsyncRunningProcess)
    async with command.astart() as process:
        assert_type(process, AsyncRunningProcess)
    async with Runner().astart(command) as process:
        assert_type(process, AsyncRunningProcess)
    async with CliClient("git").astart(["status"]) as process:
        assert_type(process, AsyncRunningProcess)
    async with (command | command).astart() as process:
        assert_type(process, AsyncRunningProcess)
    async with Supervisor(command).astart() as running:
        assert_type(running, AsyncRunningSupervisor)
    async with await command.astart() as process:
        assert_type(process, AsyncRunningProcess)
        async for line in process:
            assert_type(line, str)
        assert_type(process.lines(), AsyncIterator[str])
        assert_type(process.json_lines(), AsyncIterator[Any])
        assert_type(process.line_batches(), AsyncIterator[list[str]])
        assert_type(await process.wait(), Outcome)
        # The handle may be killed without waiting, and the end be awaited or not.
        assert_type(await process.kill(), Outcome)


def handles(command: Command) -> None:
    with command.start() as process:
        assert_type(process, RunningProcess)
        for line in process:
            assert_type(line, str)
        chunks = process.chunks("stderr")
        assert_type(next(chunks), bytes)
        iterator: Iterator[bytes] = chunks
        assert_type(list(iterator), list[bytes])
        # It can be let go of early.
        chunks.close()
        assert_type(process.json_lines(), Iterator[Any])
        assert_type(process.pid, int)
        with process.take_stdin() as stdin:
            stdin.write(b"bytes")
            stdin.write("text")
        assert_type(process.wait(timeout=timedelta(seconds=1)), Outcome)


def manners(command: Command) -> None:
    # Whatever the system takes for a path or a word, and both manners of naming a time.
    Command(Path("/bin/true"), ["text", b"bytes", Path("path")]).cwd(os.curdir).env("name", b"value").timeout(1)
    assert_type(command.timeout(timedelta(seconds=1)), Command)
    assert_type(command | command, Pipeline)
    assert_type((b"in" | (command | command)).run(), str)
    Command(3)  # type: ignore[arg-type]
    command.timeout("soon")  # type: ignore[arg-type]
    command.stdout("nowhere")  # type: ignore[arg-type]
    command.isolation("stronger")  # type: ignore[arg-type]
    command.run(print)  # type: ignore[call-arg]
    command.program = "other"  # type: ignore[misc]


def runners(runner: ProcessRunner, command: Command, tmp: Path) -> None:
    assert_type(runner.run(command), str)
    assert_type(runner.output(command, on_line=print), ProcessResult)
    every: list[ProcessRunner] = [
        Runner(),
        ProcessGroup(),
        ScriptedRunner().on(["git"], Reply.ok("x")),
        RecordReplayRunner.replay(tmp / "tape"),
    ]
    assert_type(every[0].probe(command), bool)
    runner.run("git")  # type: ignore[arg-type]
    runner.run(command, online=print)  # type: ignore[call-arg]
    runner.first_line(command, on_line=print)  # type: ignore[call-arg]
    assert_type(CliClient("git").run(["status"]), str)


async def together(command: Command) -> None:
    with ProcessGroup(max_memory=1 << 30) as group:
        assert_type(group.start(command), RunningProcess)
        for event in group.events():
            assert_type(event, GroupEvent)
    async with ProcessGroup() as group:
        assert_type(group, ProcessGroup)
        async for event in group.events():
            assert_type(event, GroupEvent)
    assert_type(pinfold.output_all([command]), list[ProcessResult | ProcessError])
    assert_type(await pinfold.aoutput_all_bytes([command]), list[BytesResult | ProcessError])
    assert_type(Supervisor(command, ready=Probe.port("localhost", 80)).run().final_result, ProcessResult | None)


def failures(command: Command) -> None:
    try:
        command.run()
    except pinfold.NonZeroExit as error:
        assert_type(error.returncode, int)
        assert_type(error.program, str | None)
        assert_type(error.result, ProcessResult | BytesResult | None)
    except pinfold.ProcessNotFound as error:
        as_of_the_system: FileNotFoundError = error
        assert_type(as_of_the_system.errno, int | None)


def what_failures_hold(command: Command) -> None:
    try:
        command.run()
    except pinfold.NonZeroExit as error:
        assert_type(error.stdout, str | bytes | None)
        assert_type(error.output, str | bytes | None)
        assert_type(error.stderr, str | None)
        assert_type(pinfold.NonZeroExit.from_json(error.to_json()), pinfold.NonZeroExit)
    except pinfold.Timeout as error:
        assert_type(error.stderr, str | None)
        assert_type(error.ended_run, bool)


def standard() -> None:
    assert_type(subprocess.run(["true"], text=True), subprocess.CompletedProcess[str])
    assert_type(subprocess.run(["true"]), subprocess.CompletedProcess[bytes])
    assert_type(subprocess.check_output(["true"]), bytes)
    assert_type(subprocess.Popen(["true"], text=True), subprocess.Popen[str])
