"""Live handles, blocking and awaited."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

import pytest

import pinfold
from conftest import is_alive
from pinfold import Command, Supervisor

TALKER = Command("sh", ["-c", "echo one; echo err >&2; echo two; exit 3"])


def test_a_handle_iterates_and_waits_as_often_as_it_is_asked() -> None:
    with TALKER.start() as process:
        assert list(process) == ["one", "two"]
        assert list(process.stderr_lines()) == ["err"]
        assert process.wait().code == process.wait().code == 3
        # What was streamed is still there.
        assert list(process.stdout_lines()) == ["one", "two"]
        assert process.output().stdout == "one\ntwo\n" and process.output_bytes().stdout == b"one\ntwo\n"
        assert process.finish().stderr == "err\n" and process.finish().code == 3
        assert (process.stdout_line_count, process.stderr_byte_count) == (2, 4)
        assert b"".join(process.chunks()) == b"one\ntwo\n"
        assert [line for batch in process.line_batches() for line in batch] == ["one", "two"]
        assert process.try_wait() == process.wait()
        assert "ended" in repr(process)


def test_an_async_handle_does_the_same(loop: Any) -> None:
    async def main() -> None:
        async with await TALKER.astart() as process:
            assert [line async for line in process] == ["one", "two"]
            assert [line async for line in process.stderr_lines()] == ["err"]
            assert (await process.wait()).code == (await process.wait()).code == 3
            assert [line async for line in process.stdout_lines()] == ["one", "two"]
            assert (await process.output()).stdout == "one\ntwo\n"
            assert (await process.output_bytes()).stdout == b"one\ntwo\n"
            assert (await process.finish()).stderr == "err\n"
            assert b"".join([chunk async for chunk in process.chunks()]) == b"one\ntwo\n"
            assert [line async for batch in process.line_batches() for line in batch] == ["one", "two"]

    loop(main)


def starters() -> dict[str, Any]:
    """Whatever starts something that says `hello` and stays."""
    said = Command("sh", ["-c", "echo hello; exec sleep 1000"])
    return {
        "command": said.astart,
        "pipeline": (Command("true") | said).astart,
        "runner": lambda: pinfold.Runner().astart(said),
        "client": lambda: pinfold.CliClient("sh").astart(["-c", "echo hello; exec sleep 1000"]),
        "supervisor": pinfold.Supervisor(said).astart,
    }


@pytest.mark.parametrize("kind", starters())
def test_a_start_is_awaited_or_entered(kind: str, loop: Any) -> None:
    start = starters()[kind]

    async def main() -> list[Any]:
        async with start() as first:
            assert not repr(first).endswith("ended>")
        async with await start() as second:
            pass
        # Whoever wants a coroutine has one.
        return [type(first), type(second)]

    one, two = loop(main)
    assert one is two and one in (pinfold.AsyncRunningProcess, pinfold.AsyncRunningSupervisor)


def test_a_start_is_a_coroutine_to_whoever_wants_one(aio: Any, loop: Any) -> None:
    process = loop(Command("true").astart)
    assert isinstance(process, pinfold.AsyncRunningProcess)
    process.kill()

    async def main() -> None:
        one = asyncio.create_task(Command("true").astart())
        several = await asyncio.gather(one, Command("true").astart())
        assert [(await process.wait()).code for process in several] == [0, 0]

    aio(main)


def test_a_start_that_nobody_awaits_starts_nothing_and_is_told(tmp_path: Any) -> None:
    with pytest.warns(RuntimeWarning, match="astart.* was never awaited"):
        Command("touch", [tmp_path / "made"]).astart()
        gc.collect()
    Command("touch", [tmp_path / "made"]).astart().close()
    assert not (tmp_path / "made").exists()


def test_a_start_that_fails_fails_in_the_block_too(loop: Any) -> None:
    async def main() -> None:
        with pytest.raises(pinfold.ProcessNotFound):
            async with Command("no-such-program").astart():
                raise AssertionError("it was entered")
        with pytest.raises(LookupError):
            async with Command("sleep", ["1000"]).astart() as process:
                raise LookupError
        assert (await process.wait()).signal == 9

    loop(main)


NDJSON = '{"a": 1}\\n\\n \\t\\n[2,\\n3\\n"\\303\\251"\\nno\\nnull\\n{"last": 12345678901234567890}'
# A line each: what it is, or the number of one that is none.
VALUES: list[Any] = [{"a": 1}, ("bad", 4), 3, "\xe9", ("bad", 7), None, {"last": 12345678901234567890}]


def told(error: pinfold.UnexpectedOutput) -> tuple[str, int | None]:
    assert isinstance(error, ValueError) and error.program == "printf" and error.result is None
    assert str(error).startswith(f"printf: wrote no JSON on line {error.line_number}: ") and error.__cause__ is not None
    again = pinfold.ProcessError.from_json(error.to_json())
    assert again == error and isinstance(again, pinfold.UnexpectedOutput) and again.line_number == error.line_number
    return "bad", error.line_number


def test_each_loop_reads_for_itself_and_one_that_is_kept_goes_on() -> None:
    with Command("seq", ["4"]).start() as process:
        kept = iter(process)
        assert [next(kept), next(kept)] == ["1", "2"]
        assert list(process) == ["1", "2", "3", "4"]
        assert list(kept) == ["3", "4"]


def test_lines_are_values_and_one_that_is_none_is_told_with_its_number() -> None:
    with Command("printf", [NDJSON]).start() as process:
        values, found = process.json_lines(), []
        while True:
            try:
                found.append(next(values))
            except pinfold.UnexpectedOutput as error:
                found.append(told(error))
            except StopIteration:
                break
        assert found == VALUES
        assert next(values, "over") == "over"
    with Command("sh", ["-c", "echo 1 >&2; echo 2"]).start() as process:
        assert list(process.json_lines("stderr")) == [1]
    # It keeps what it reads of.
    kept: Any = Command("printf", ["1\\n2\\n"]).start().json_lines()
    gc.collect()
    assert list(kept) == [1, 2] and kept._process.wait().code == 0


def test_lines_are_values_when_they_are_awaited(loop: Any) -> None:
    async def main() -> None:
        async with Command("printf", [NDJSON]).astart() as process:
            values, found = process.json_lines(), []
            while True:
                try:
                    found.append(await values.__anext__())
                except pinfold.UnexpectedOutput as error:
                    found.append(told(error))
                except StopAsyncIteration:
                    break
            assert found == VALUES
        kept: Any = (await Command("printf", ["1\\n2\\n"]).astart()).json_lines()
        gc.collect()
        assert [value async for value in kept] == [1, 2] and (await kept._process.wait()).code == 0

    loop(main)


@pytest.mark.parametrize("line", ["'[' * 200000", "'1' * 100000"])
def test_a_value_that_is_beyond_python_is_told_too(line: str) -> None:
    if line.startswith("'1'") and not hasattr(sys, "get_int_max_str_digits"):
        pytest.skip("this Python reads numbers of any length")
    with Command(sys.executable, ["-c", f"print({line}); print(2)"]).start() as process:
        values = process.json_lines()
        with pytest.raises(pinfold.UnexpectedOutput, match="on line 1: ") as caught:
            next(values)
        assert caught.value.line_number == 1 and list(values) == [2]


def test_values_come_while_the_program_runs() -> None:
    with Command("sh", ["-c", "echo 1; read word; echo $word; sleep 1000"]).keep_stdin_open().start() as process:
        values = process.json_lines()
        assert next(values) == 1
        process.take_stdin().write_line('{"a":2}')
        assert next(values) == {"a": 2}


def test_many_lines_are_all_there(loop: Any) -> None:
    expected = [str(number) for number in range(1, 50_001)]
    with Command("seq", ["50000"]).start() as process:
        assert list(process) == expected

    async def main() -> None:
        async with await Command("seq", ["50000"]).astart() as process:
            assert [line async for line in process] == expected

    loop(main)


def test_a_conversation(loop: Any) -> None:
    command = Command("sh", ["-c", "while read line; do echo got $line; done"]).keep_stdin_open()
    with command.start() as process, process.take_stdin() as stdin:
        lines = process.stdout_lines()
        for word in ("one", "two"):
            stdin.write_line(word)
            assert next(lines) == f"got {word}"
        stdin.close()
        assert next(lines, None) is None and process.wait().exited_zero
        with pytest.raises(BrokenPipeError):
            stdin.write(b"late")

    async def main() -> None:
        async with await command.astart() as process, process.take_stdin() as stdin:
            lines = process.stdout_lines()
            for word in ("one", "two"):
                await stdin.write_line(word)
                assert await lines.__anext__() == f"got {word}"
            await stdin.close()
            assert (await process.wait()).exited_zero
            assert [line async for line in lines] == []

    loop(main)
    with TALKER.start() as process, pytest.raises(pinfold.InvalidInput):
        process.take_stdin()


def test_events_that_are_asked_for_late_are_in_order() -> None:
    said = [(str(turn), turn % 2 == 1) for turn in range(6)]
    command = Command("sh", ["-c", "while read word; do echo $word; read word; echo $word >&2; done"]).keep_stdin_open()
    with command.start() as process:
        with process.take_stdin() as stdin:
            for turn, (word, _) in enumerate(said):
                stdin.write_line(word)
                while process.stdout_line_count + process.stderr_line_count <= turn:
                    process.try_wait()
        assert [(event.text, event.is_stderr) for event in process.output_events()] == said
        assert process.wait().exited_zero
        # Whoever comes later still sees the same.
        assert [(event.text, event.is_stderr) for event in process.output_events()] == said


def test_waiting_for_so_long_leaves_it_running(loop: Any) -> None:
    with Command("sleep", ["1000"]).start() as process:
        with pytest.raises(TimeoutError):
            process.wait(timeout=0.01)
        assert process.try_wait() is None and is_alive(process.pid)
        assert process.kill().signal == 9
        assert not is_alive(process.pid)

    async def main() -> None:
        async with await Command("sleep", ["1000"]).astart() as process:
            with pytest.raises(TimeoutError):
                await process.wait(timeout=0.01)
            assert is_alive(process.pid)
            assert (await process.kill()).signal == 9

    loop(main)


TREE = Command("sh", ["-c", "sleep 1000 & setsid sleep 1000 & echo $!; wait"])


def test_leaving_the_block_ends_all_of_it(loop: Any) -> None:
    with TREE.start() as process:
        stray = int(next(process.stdout_lines()))
        pid = process.pid
        assert is_alive(stray)
    assert not is_alive(stray) and not is_alive(pid)

    with pytest.raises(LookupError), TREE.timeout_grace(1000).start() as process:
        stray = int(next(process.stdout_lines()))
        raise LookupError
    assert not is_alive(stray)

    async def main() -> int:
        async with await TREE.astart() as process:
            lines = process.stdout_lines()
            return int(await lines.__anext__())

    assert not is_alive(loop(main))


def test_a_forgotten_handle_says_so_and_ends_its_run() -> None:
    process = TREE.start()
    stray = int(next(process.stdout_lines()))
    with pytest.warns(ResourceWarning, match="forgotten"):
        del process
        gc.collect()
    assert not is_alive(stray)


def test_signals_and_pauses() -> None:
    with Command("sleep", ["1000"]).start() as process:
        assert process.pid in process.members() and process.mechanism and process.guarantee
        process.suspend()
        process.resume()
        assert process.elapsed_seconds > 0 and process.cpu_time_seconds >= 0
        process.signal("term")
        assert process.wait().signal == 15
        with pytest.raises(pinfold.ProcessNotFound):
            process.signal(15)
    with Command("sh", ["-c", "trap 'exit 5' TERM; echo; while :; do sleep 0.01; done"]).start() as process:
        next(process.stdout_lines())
        outcome = process.stop()
        assert (outcome.code, outcome.cause) == (5, "stopped")


def test_several_threads_wait_for_one_run() -> None:
    with Command("sh", ["-c", "read line; echo $line; exit 3"]).keep_stdin_open().start() as process:
        answers: list[Any] = []
        threads = [threading.Thread(target=lambda: answers.append(process.wait().code)) for _ in range(4)]
        threads += [threading.Thread(target=lambda: answers.append(list(process))) for _ in range(2)]
        for thread in threads:
            thread.start()
        process.take_stdin().write_line("go")
        for thread in threads:
            thread.join()
        assert answers.count(3) == 4 and answers.count(["go"]) == 2


def test_several_tasks_wait_for_one_run(aio: Any) -> None:
    async def main() -> None:
        command = Command("sh", ["-c", "read line; echo $line; exit 3"]).keep_stdin_open()
        async with await command.astart() as process:

            async def read() -> list[str]:
                return [line async for line in process]

            waiting = [asyncio.ensure_future(process.wait()) for _ in range(3)]
            reading = [asyncio.ensure_future(read()) for _ in range(2)]
            await asyncio.sleep(0)
            await process.take_stdin().write_line("go")
            assert [outcome.code for outcome in await asyncio.gather(*waiting)] == [3, 3, 3]
            assert await asyncio.gather(*reading) == [["go"], ["go"]]

    aio(main)


def test_a_handle_that_is_entered_in_the_other_manner_says_what_to_write(aio: Any) -> None:
    async def main() -> None:
        command, supervised = Command("cat").keep_stdin_open(), Supervisor(Command("sleep", ["1000"]))
        never = command.astart()
        with command.start() as run, supervised.start() as running:
            for handle, name in [(run, "start it by astart()"), (run.take_stdin(), "astart() gives"), (running, "by astart()")]:
                with pytest.raises(TypeError) as caught:
                    async with handle:  # type: ignore[attr-defined]
                        pass
                text = str(caught.value)
                assert text.startswith(f"{type(handle).__name__} blocks, and is entered by 'with'; ") and text.endswith(name)
                assert not isinstance(handle, AbstractAsyncContextManager) and isinstance(handle, AbstractContextManager)
                assert not hasattr(handle, "__aenter__") and not hasattr(type(handle), "__aexit__")
        async with command.astart() as arun, supervised.astart() as arunning:
            awaited: list[tuple[Any, str]] = [
                (arun, "by start()"), (arun.take_stdin(), "start() gives"), (arunning, "by start()"), (never, "in place of astart()"),
            ]  # fmt: skip
            for handle, name in awaited:
                with pytest.raises(TypeError) as caught, handle:
                    pass
                text = str(caught.value)
                assert text.startswith(f"{type(handle).__name__} is awaited, and entered by 'async with'; ") and text.endswith(name)
                assert isinstance(handle, AbstractAsyncContextManager) and not isinstance(handle, AbstractContextManager)
                assert not hasattr(handle, "__enter__") and not hasattr(type(handle), "__exit__")
        never.close()

    aio(main)
