"""Any runner, wherever one can be named: verbs of commands and pipelines, supervision, batches."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pinfold import (
    BytesResult,
    Cancelled,
    CancelToken,
    Command,
    NoReply,
    Pipeline,
    ProcessGroup,
    ProcessResult,
    Supervisor,
    aoutput_all,
    aoutput_all_bytes,
    output_all,
    output_all_bytes,
    output_as_completed,
)
from pinfold.testing import DryRunner, RecordingRunner, RecordReplayRunner, Reply, ScriptedRunner

from conftest import Run

TOOL = Command("no-such-tool", ["--version"])


def scripted(_: Path) -> Any:
    return ScriptedRunner().on(["no-such-tool"], Reply.ok("1.2.3\n"))


def recording(_: Path) -> Any:
    return RecordingRunner(scripted(_))


def cassette(place: Path) -> Any:
    path = place / "cassette.jsonl"
    RecordReplayRunner.record(path, scripted(place)).run(TOOL)
    # Over one that has no reply: what comes is replayed.
    return RecordReplayRunner.replay(path).lenient()


RUNNERS = {"scripted": scripted, "recording": recording, "cassette": cassette}


@pytest.fixture(params=list(RUNNERS))
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return RUNNERS[request.param](tmp_path)


def checked(result: object) -> None:
    assert isinstance(result, (ProcessResult, BytesResult)), result
    assert result.outcome.mechanism == "scripted"
    assert result.stdout in ("1.2.3\n", b"1.2.3\n")


# A pipeline of one that the runner knows and nothing else: its stages are launched by the runner one by one.
PIPED = Pipeline([TOOL, TOOL])


@pytest.mark.parametrize("what", [TOOL, PIPED], ids=["command", "pipeline"])
def test_commands_and_pipelines(runner: Any, what: Command | Pipeline, loop: Run) -> None:
    checked(what.output(runner=runner))
    checked(what.output_bytes(runner=runner))
    assert what.run(runner=runner) == what.first_line(runner=runner) == "1.2.3"
    assert what.exit_code(runner=runner) == 0 and what.probe(runner=runner)
    with what.start(runner=runner) as process:
        assert list(process) == ["1.2.3"]

    async def main() -> None:
        checked(await what.aoutput(runner=runner))
        assert await what.arun(runner=runner) == await what.afirst_line(runner=runner) == "1.2.3"
        async with await what.astart(runner=runner) as process:
            assert [line async for line in process] == ["1.2.3"]

    loop(main)


def test_supervision(runner: Any, loop: Run) -> None:
    kept = Supervisor(TOOL, restart="always", max_restarts=3, backoff_initial=0, runner=runner)
    outcome = kept.run()
    assert (outcome.restarts, outcome.stopped) == (3, "restarts_exhausted")
    checked(outcome.final_result)
    with kept.start() as running:
        assert running.wait().restarts == 3

    async def main() -> None:
        assert (await kept.arun()).restarts == 3

    loop(main)


def test_batches(runner: Any, loop: Run) -> None:
    for result in (*output_all([TOOL] * 5, runner=runner), *output_all_bytes([TOOL] * 5, runner=runner)):
        checked(result)
    assert sorted(done.index for done in output_as_completed([TOOL] * 5, runner=runner)) == [0, 1, 2, 3, 4]

    async def main() -> None:
        for result in (*await aoutput_all([TOOL] * 5, runner=runner), *await aoutput_all_bytes([TOOL] * 5, runner=runner)):
            checked(result)
        async for done in output_as_completed([TOOL] * 5, runner=runner):
            checked(done.result)

    loop(main)


def test_a_spy_sees_each_stage_restart_and_command() -> None:
    spy = RecordingRunner.replying(Reply.ok("1\n"))
    (Command("one") | Command("two")).run(runner=spy)
    Supervisor(Command("three"), restart="always", max_restarts=1, backoff_initial=0, runner=spy).run()
    output_all([Command("four"), Command("five")], runner=spy, concurrency=1)
    assert [call.program for call in spy.calls()] == ["one", "two", "three", "three", "four", "five"]


def test_a_dry_run_starts_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    dry = DryRunner(lambda command, plan: told.append(command.program))
    touch = Command("touch", [str(tmp_path / "there")])
    assert touch.run(runner=dry) == (touch | Command("cat")).run(runner=dry) == ""
    assert Supervisor(touch, runner=dry).run().stopped == "policy_satisfied"
    (result,) = output_all([touch], runner=dry)
    assert isinstance(result, ProcessResult) and result.is_success
    assert told == ["touch", "touch", "cat", "touch", "touch"] and not (tmp_path / "there").exists()


def test_a_group_is_a_runner_of_all_of_them() -> None:
    # The one of cgroup v2 is the last line.
    command = Command("tail", ["-n1", "/proc/self/cgroup"])
    piped = command | Command("cat")
    with ProcessGroup() as group:
        if group.mechanism != "cgroup_v2":
            pytest.skip("only a cgroup shows in which group a process is")
        place = str(Path(group.run(command)).parent)
        runs = [command.run(runner=group), piped.run(runner=group)]
        runs += [result.stdout for result in output_all([command], runner=group) if isinstance(result, ProcessResult)]
        final = Supervisor(command, runner=group).run().final_result
        assert final is not None
        for run in (*runs, final.stdout):
            assert run.startswith(place + "/")
        for run in (command.run(), piped.run()):
            assert not run.startswith(place + "/")


def test_what_its_functions_raise_ends_a_batch_and_is_raised() -> None:
    def choose(command: Command) -> Reply:
        if command.arguments == ["3"]:
            raise LookupError("no third")
        return Reply.ok()

    runner = ScriptedRunner().answering(choose)
    with pytest.raises(LookupError, match="no third"):
        output_all([Command("tool", [str(number)]) for number in range(6)], runner=runner, concurrency=2)
    with pytest.raises(LookupError):
        list(output_as_completed([Command("tool", ["3"])], runner=runner))


def test_a_double_without_a_reply_and_a_token_mean_in_a_batch_what_they_mean_elsewhere() -> None:
    runner = ScriptedRunner().on(["known"], Reply.ok()).on(["endless"], Reply.pending())
    known, unknown = output_all([Command("known"), Command("unknown")], runner=runner)
    assert isinstance(known, ProcessResult) and isinstance(unknown, NoReply)
    token = CancelToken()
    slots = output_all(
        [Command("endless")] * 3, runner=runner, concurrency=2, cancel=token, on_progress=lambda _: token.cancel()
    )
    assert len(slots) == 3 and all(isinstance(slot, Cancelled) for slot in slots)


@pytest.mark.parametrize("runner", [object(), "runner", Command("true"), ScriptedRunner], ids=repr)
def test_what_is_no_runner_is_refused(runner: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: Command("true").run(runner=runner),
        lambda: Command("true").start(runner=runner),
        lambda: (Command("true") | Command("true")).run(runner=runner),
        lambda: Supervisor(Command("true"), runner=runner),
        lambda: output_all([Command("true")], runner=runner),
        lambda: output_as_completed([Command("true")], runner=runner),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="expected one of pinfold's runners"):
            call()


def test_a_hundred_thousand_scripted_commands_take_no_memory_each() -> None:
    runner = ScriptedRunner().on(["tool"], Reply.ok("done\n"))

    def some(count: int) -> int:
        commands = (Command("tool", [str(number)]) for number in range(count))
        return sum(done.is_success for done in output_as_completed(commands, runner=runner, concurrency=64))

    assert some(5_000) == 5_000
    gc.collect()
    before = resident()
    assert some(100_000) == 100_000
    gc.collect()
    assert resident() - before <= 8 << 20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
