"""What a run used and how that grew, and all that happens in it as one stream."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

import pinfold
from pinfold import AsyncRunningProcess, Command, OutputEvent, ProcessGroup, RunningProcess, RunProfile

# It allocates, then burns, and so does a child of it, which is gone by the end.
BURN = """
import subprocess, sys, time
held = b"x" * (48 << 20)
if len(sys.argv) > 1:
    subprocess.run([sys.executable, "-S", "-c", sys.argv[1]])
while time.process_time() < 0.2: pass
"""
PROGRAM = Command(sys.executable, ["-S", "-c", BURN, BURN])


def check(profile: RunProfile) -> None:
    assert profile.code == 0 and profile.signal is None and not profile.timed_out
    assert profile.outcome.exited_zero and profile.duration_seconds == profile.outcome.duration_seconds
    # By the kernel's account: what the child used is in it.
    assert 0.4 <= profile.cpu_time_seconds < 20
    # The kernel cannot tell what is smaller than we have been.
    assert profile.peak_memory_bytes is None or profile.peak_memory_bytes >= 48 << 20
    assert profile.avg_cpu_cores == pytest.approx(profile.cpu_time_seconds / profile.duration_seconds)
    timeline = profile.timeline
    assert profile.samples == len(timeline) > 3
    for before, after in zip(timeline, timeline[1:]):
        assert before.elapsed_seconds < after.elapsed_seconds
        assert before.cpu_time_seconds <= after.cpu_time_seconds <= profile.cpu_time_seconds + 0.02
    assert max(sample.process_count for sample in timeline) >= 2
    assert pickle.loads(pickle.dumps(profile)) == profile == RunProfile.from_json(profile.to_json())
    assert "samples" in repr(profile) and "Sample(" in repr(timeline[0])


def test_a_profile_is_exact_in_both_manners(loop: Any) -> None:
    with PROGRAM.start() as process:
        check(process.profile(0.01))
        # It has ended, and there is nothing to look at any more.
        assert process.profile(timedelta(seconds=1)).samples == 0

    async def main() -> RunProfile:
        async with await PROGRAM.astart() as process:
            return await process.profile(every_seconds=0.01)

    check(loop(main))


def test_peak_memory_is_no_sample(script: Callable[[str], list[str]]) -> None:
    # It is there for a moment, between two looks; a small process of its own is what the kernel tells it from.
    program = script("""
from pinfold import Command
with Command("sh", ["-c", "head -c 60000000 /dev/zero | tail -n 1 | wc -c; sleep 0.02"]).start() as process:
    profile = process.profile(1000)
print(profile.samples, profile.peak_memory_bytes)
""")
    # By way of a shell, whose child does not begin with the figure of this process.
    small = ["sh", "-c", '"$@"; exit', "sh", *program]
    said = subprocess.run(small, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert int(said[0]) <= 1 and said[1] != "None" and int(said[1]) >= 60_000_000


def test_looking_does_not_keep_output_from_being_read() -> None:
    with Command("seq", ["200000"]).start() as process:
        assert process.profile(0.001).code == 0
        assert sum(1 for _ in process) == 200_000
        for wrong in (0, -1):
            with pytest.raises(pinfold.InvalidInput):
                process.profile(wrong)


def test_how_a_profile_ended_is_told() -> None:
    with Command("sleep", ["1000"]).timeout(0.05).start() as process:
        profile = process.profile(0.01)
        assert profile.timed_out and profile.signal == 15 and profile.code is None
    with ProcessGroup() as group:
        assert group.start(Command("sh", ["-c", "exit 3"])).profile().code == 3


# It goes on when it is answered, since two streams have no order but that in which they are read.
TALKER = Command("sh", ["-c", "echo one; read go; echo two >&2; read go; echo three; exit 3"]).keep_stdin_open()
LINES = [("stdout", "one"), ("stderr", "two"), ("stdout", "three")]


def answered(process: RunningProcess, events: Iterator[OutputEvent]) -> Iterator[OutputEvent]:
    stdin = process.take_stdin()
    for event in events:
        yield event
        if event.text in ("one", "two"):
            stdin.write_line("go")


async def aanswered(process: AsyncRunningProcess, events: AsyncIterator[OutputEvent]) -> list[OutputEvent]:
    stdin, told = process.take_stdin(), []
    async for event in events:
        told.append(event)
        if event.text in ("one", "two"):
            await stdin.write_line("go")
    return told


def test_all_that_happens_is_one_stream(loop: Any) -> None:
    async def main() -> list[OutputEvent]:
        async with await TALKER.astart() as process:
            return await aanswered(process, process.events())

    with TALKER.start() as process:
        both = [list(answered(process, process.events())), loop(main)]
        # Told again, one stream comes after the other.
        assert sorted(map(repr, both[0])) == sorted(map(repr, process.events()))
    for events in both:
        assert [event.kind for event in events] == ["started", "line", "line", "line", "ended"]
        assert [(event.stream, event.text) for event in events[1:4]] == LINES
        assert [event.is_stderr for event in events] == [False, False, True, False, False]
        assert events[0].pid and events[0].text == "" and events[0].stream is None
        assert events[-1].outcome is not None and events[-1].outcome.code == 3
        # What was written may be secret.
        assert "one" not in repr(events[1:4])


def test_the_lines_of_both_streams_are_one_stream(loop: Any) -> None:
    async def main() -> list[OutputEvent]:
        async with await TALKER.astart() as process:
            return await aanswered(process, process.output_events())

    with TALKER.start() as process:
        for events in (list(answered(process, process.output_events())), loop(main)):
            assert [(event.stream, event.text) for event in events] == LINES
            assert events == [OutputEvent(stream, text) for stream, text in LINES]  # type: ignore[arg-type]
    assert OutputEvent("stdout", "x") != OutputEvent("stderr", "x") and OutputEvent("stdout", "x") != "x"
    with pytest.raises(pinfold.InvalidInput):
        OutputEvent("other", "x")  # type: ignore[arg-type]


def test_many_lines_of_both_are_all_there(loop: Any) -> None:
    command = Command("sh", ["-c", "seq 30000 & seq 30000 >&2; wait"])

    async def main() -> list[OutputEvent]:
        async with await command.astart() as process:
            return [event async for event in process.output_events()]

    for events in (list(command.start().output_events()), loop(main)):
        for stderr in (False, True):
            numbers = [int(event.text) for event in events if event.is_stderr == stderr]
            assert numbers == list(range(1, 30_001))
