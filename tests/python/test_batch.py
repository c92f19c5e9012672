"""Many commands, a few at a time."""

from __future__ import annotations

import asyncio
import resource
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinfold import (
    BatchProgress,
    BytesResult,
    Cancelled,
    CancelToken,
    Command,
    Completed,
    InvalidInput,
    ProcessNotFound,
    ProcessResult,
    aoutput_all,
    aoutput_all_bytes,
    output_all,
    output_all_bytes,
    output_as_completed,
)

from conftest import Run, children, is_alive

SLEEPS = Command("sleep", ["1000"]).timeout_grace(0)
FAILS = Command("sh", ["-c", "exit 3"])


def echo(word: object) -> Command:
    return Command("echo", [str(word)])


def test_every_command_has_its_slot_in_both_manners(loop: Run) -> None:
    commands = [echo(1), FAILS, Command("no-such-program"), Command("sleep", ["1000"]).timeout(0.02), echo(5)]

    def check(results: list[object]) -> None:
        one, fails, lost, late, five = results
        assert isinstance(one, ProcessResult) and one.stdout == "1\n"
        assert isinstance(fails, ProcessResult) and fails.code == 3
        assert isinstance(lost, ProcessNotFound)
        assert isinstance(late, ProcessResult) and late.timed_out
        assert isinstance(five, ProcessResult) and five.stdout == "5\n"

    check(list(output_all(commands)))
    for concurrency in (1, 3, 100):
        check(list(output_all(iter(commands), concurrency=concurrency)))
    (result,) = output_all_bytes([Command("printf", [r"\377"])])
    assert isinstance(result, BytesResult) and result.stdout == b"\xff"
    assert output_all([]) == []

    async def main() -> None:
        check(list(await aoutput_all(commands, concurrency=2)))
        (result,) = await aoutput_all_bytes([Command("printf", [r"\377"])])
        assert isinstance(result, BytesResult) and result.stdout == b"\xff"

    loop(main)


def test_results_come_as_they_are_completed(loop: Run, tmp_path: Path) -> None:
    def commands() -> Iterator[Command]:
        yield Command("sh", ["-c", "until test -e go; do sleep 0.01; done"]).cwd(tmp_path)
        yield echo("second")
        yield FAILS.retry(2, pause=0)
        # There is room for another, since that has ended.
        (tmp_path / "go").touch()

    def check(all: list[Completed]) -> None:
        assert [done.index for done in all] == [1, 2, 0]
        assert [(done.attempts, done.is_success) for done in all] == [(1, True), (2, False), (1, True)]
        assert all[0].command == echo("second")

    check(list(output_as_completed(commands(), concurrency=2)))
    (tmp_path / "go").unlink()

    async def main() -> list[Completed]:
        return [done async for done in output_as_completed(commands(), concurrency=2)]

    check(loop(main))


def test_commands_are_taken_as_there_is_room_for_them() -> None:
    taken = []
    before = children()

    def commands() -> Iterator[Command]:
        for number in range(100):
            # However fast they are: all that were begun have ended, when more are taken.
            while any(is_alive(pid) for pid in children().keys() - before.keys()):
                time.sleep(0.001)
            taken.append(number)
            yield echo(number)

    with output_as_completed(commands(), concurrency=3) as results:
        assert next(results).result
        assert len(taken) <= 6
        assert len(list(results)) == 99


def test_it_fails_fast(tmp_path: Path) -> None:
    def results(sized: bool) -> list[str]:
        commands = [SLEEPS, FAILS, SLEEPS, echo(4)]
        all = output_all(commands if sized else iter(commands), concurrency=2, fail_fast=True)
        return [type(result).__name__ for result in all]

    before = children()
    assert results(sized=True) == ["Cancelled", "ProcessResult", "Cancelled", "Cancelled"]
    assert children() == before
    assert results(sized=False) in (
        ["Cancelled", "ProcessResult"],
        ["Cancelled", "ProcessResult", "Cancelled"],
    )
    last = output_all([FAILS, echo(2)], concurrency=1, fail_fast=True)[1]
    assert isinstance(last, Cancelled) and str(last).startswith("echo: was not started: another of its batch failed")


def test_a_token_ends_all_of_them() -> None:
    token = CancelToken()
    threading.Timer(0.05, token.cancel).start()
    assert [type(result) for result in output_all([SLEEPS] * 5, concurrency=2, cancel=token)] == [Cancelled] * 5


def test_progress_is_told() -> None:
    told: list[BatchProgress] = []
    output_all([echo(1), FAILS, echo(3)], concurrency=1, on_progress=told.append)
    last = told[-1]
    assert (last.done, last.failed, last.running, last.total) == (3, 1, 0, 3)
    assert repr(last) == "<BatchProgress: 3 of 3 done, 1 failed, 0 running>"
    assert [each.done for each in told] == sorted(each.done for each in told)
    told.clear()
    output_all(iter([echo(1)]), on_progress=told.append)
    assert told[-1].total is None and told[-1] == told[-1]


def test_what_python_raises_ends_the_batch(loop: Run) -> None:
    def broken() -> Iterator[Command]:
        yield SLEEPS
        raise KeyError("what")

    def mixed() -> list[Command]:
        return [SLEEPS, "sleep 1000"]  # type: ignore[list-item]

    def progress(progress: BatchProgress) -> None:
        raise KeyError("what")

    before = children()
    for attempt in (
        lambda: output_all(broken(), concurrency=2),
        lambda: output_all([SLEEPS], on_progress=progress),
        lambda: list(output_as_completed(broken(), concurrency=2)),
    ):
        with pytest.raises(KeyError, match="what"):
            attempt()
        assert children() == before
    with pytest.raises(TypeError, match="there is a str among them"):
        output_all(mixed())
    with pytest.raises(TypeError):
        output_all(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        output_all([SLEEPS], concurrency=0)
    with pytest.raises(InvalidInput, match="concurrency: -1 is out of range"):
        output_all([SLEEPS], concurrency=-1)

    async def main() -> None:
        with pytest.raises(KeyError, match="what"):
            await aoutput_all(broken(), concurrency=2)
        with pytest.raises(KeyError, match="what"):
            async for _ in output_as_completed(broken(), concurrency=2):
                pass

    loop(main)
    assert children() == before


def test_leaving_it_kills_what_runs(aio: Run) -> None:
    before = children()
    with output_as_completed([echo(1), SLEEPS, SLEEPS], concurrency=3) as results:
        assert next(results).index == 0
        assert len(children()) == len(before) + 2
    assert children() == before
    for done in output_as_completed([echo(1), SLEEPS], concurrency=2):
        assert done.index == 0
        break
    assert children() == before

    async def main() -> None:
        async with output_as_completed([echo(1), SLEEPS], concurrency=2) as results:
            assert (await anext(aiter(results))).index == 0
        assert children() == before
        for batch in (aoutput_all([SLEEPS] * 3, concurrency=3), anext(output_as_completed([SLEEPS]))):
            task = asyncio.ensure_future(batch)
            while children() == before:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert children() == before

    aio(main)


def test_an_interrupt_ends_all_of_them() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = children()
    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            # However late, it comes in here.
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            output_all([SLEEPS] * 3, concurrency=3)
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert children() == before


def test_many_need_neither_descriptors_nor_memory_of_their_own() -> None:
    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def run(count: int) -> None:
        done = sum(done.is_success for done in output_as_completed((Command("true") for _ in range(count)), concurrency=8))
        assert done == count

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    run(200)
    before = peak()
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        run(1000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert peak() - before < 4 << 10
