"""Commands joined by pipes: what they come to, who is blamed, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import pickle
import signal
from pathlib import Path

import pytest

from pinfold import (
    Cancelled,
    CancelToken,
    Command,
    InvalidInput,
    NonZeroExit,
    Pipeline,
    Probe,
    ProcessNotFound,
    ProcessResult,
    Stage,
    Timeout,
)

from conftest import Run, children, is_alive

SORT = Command("sort")
UPPER = Command("tr", ["a-z", "A-Z"])
SLEEPS = Command("sh", ["-c", "sleep 1000 & sleep 1000"])


def test_every_verb_in_both_manners(loop: Run) -> None:
    words = Command("printf", ["b\\na\\n"]) | SORT
    json = Command("echo", ['{"a": 1}']) | Command("cat")
    quiet = Command("echo", ["x"]) | Command("grep", ["-q", "y"])
    expected = ("a\nb", "a\nb\n", b"a\nb\n", {"a": 1}, 1, False, "a")
    blocking = (
        words.run(), words.output().stdout, words.output_bytes().stdout, json.output_json(), quiet.exit_code(),
        quiet.probe(), (words | UPPER | Command("cat")).first_line().lower(),
    )
    assert blocking == expected

    async def main() -> tuple[object, ...]:
        return (
            await words.arun(), (await words.aoutput()).stdout, (await words.aoutput_bytes()).stdout,
            await json.arun_json(), await quiet.aexit_code(), await quiet.aprobe(), await words.afirst_line(),
        )

    assert loop(main) == expected


def test_what_can_be_joined(tmp_path: Path) -> None:
    assert Command("echo", ["x"]).pipe(UPPER).pipe(Command("cat") | Command("cat")).run() == "X"
    assert len((Command("a") | (Command("b") | Command("c")) | Command("d")).stages) == 4
    for data in (b"b\na\n", bytearray(b"b\na\n"), memoryview(b"b\na\n")):
        assert (data | SORT).run() == "a\nb" and (data | (SORT | UPPER)).run() == "A\nB"
    source, sink = tmp_path / "source", tmp_path / "sink"
    source.write_text("b\na\n")
    result = (source | SORT | sink).output()
    assert result.is_success and result.stdout == "" and sink.read_text() == "a\nb\n"
    (source | SORT).stdout(sink, append=True).run()
    assert sink.read_text() == "a\nb\n" * 2
    assert Pipeline([SORT, UPPER]).stdin_text("b\na\n").run() == "A\nB"
    assert Pipeline([SORT]).stdin_file(source).run() == "a\nb"
    for wrong in (lambda: SORT | "file", lambda: "text" | SORT, lambda: SORT | b"x", lambda: SORT | 3, lambda: 3 | SORT):  # type: ignore[operator]
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        SORT.pipe("file")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Pipeline(["sort"])  # type: ignore[list-item]
    with pytest.raises(InvalidInput):
        Pipeline([]).run()


def test_the_first_that_fails_is_blamed() -> None:
    fails = Command("sh", ["-c", "cat; echo why >&2; exit 3"])
    result = (b"in" | fails | Command("sh", ["-c", "cat; exit 4"])).output()
    assert (result.stdout, result.stderr, result.code, result.program, result.failed_stage) == ("in", "why\n", 3, "sh", 0)
    assert [(stage.outcome.code, stage.is_clean) for stage in result.stages] == [(3, False), (4, False)]
    assert (result.stages[0].stderr, result.stages[0].stderr_bytes) == ("why\n", b"why\n")
    with pytest.raises(NonZeroExit, match=r"sh \(stage 1 of 2\): exited with code 3") as error:
        (fails | Command("cat")).run()
    assert error.value.stage == 0 and pickle.loads(pickle.dumps(error.value)) == error.value
    with pytest.raises(ProcessNotFound, match=r"no-such-program \(stage 2 of 2\)") as lost:
        (Command("yes") | Command("no-such-program")).run()
    assert lost.value.stage == 1
    assert Command("true").output().stages == [] and Command("true").output().failed_stage is None


def test_a_stage_can_be_unchecked_or_end_early() -> None:
    assert (Command("yes") | Command("head", ["-n1"])).run() == "y"
    finds_nothing = b"a\n" | Command("grep", ["b"])
    assert (finds_nothing | Command("cat")).output().code == 1
    assert ((b"a\n" | Command("grep", ["b"]).unchecked()) | Command("wc", ["-l"])).run().strip() == "0"
    both = Command("sh", ["-c", "echo out; echo err >&2"]).stderr("stdout") | SORT
    assert both.run() == "err\nout"


def test_standard_error_is_decoded_as_its_stage_says() -> None:
    latin = Command("sh", ["-c", r"printf '\351' >&2; exit 1"]).stderr_encoding("latin1")
    assert (latin | Command("cat")).output().stderr == "é" == (latin | Command("cat")).output_bytes().stderr


def test_it_is_plain_data() -> None:
    pipeline = (b"x" | SORT | UPPER).timeout(5).timeout_signal("int").timeout_grace(1).retry(2, on="timeout")
    for copy in (pickle.loads(pickle.dumps(pipeline)), Pipeline.from_json(pipeline.to_json())):
        assert copy == pipeline and copy.run() == "X"
    assert pipeline != pipeline.timeout(6)
    assert repr(pipeline) == "<Pipeline 'sort' | 'tr'>"
    result = pipeline.output()
    assert pickle.loads(pickle.dumps(result)) == result == ProcessResult.from_json(result.to_json())
    stage = result.stages[0]
    assert Stage.from_json(stage.to_json()) == stage == pickle.loads(pickle.dumps(stage))


def test_a_timeout_ends_all_of_it() -> None:
    before = children()
    chain = (Command("yes") | SLEEPS | Command("cat")).timeout(0.1).timeout_grace(0)
    result = chain.output()
    assert result.timed_out and result.code is None
    with pytest.raises(Timeout) as error:
        chain.run()
    assert error.value.timeout_seconds == 0.1 and error.value.stage is not None
    assert children() == before


def test_a_live_handle_feeds_the_first_and_reads_the_last(loop: Run) -> None:
    chain = (Command("cat") | UPPER).keep_stdin_open()
    with chain.start() as process, process.take_stdin() as stdin:
        stdin.write_line("hello")
        stdin.close()
        assert list(process) == ["HELLO"]
        assert process.output().stdout == "HELLO\n" and process.wait().exited_zero
        process.wait_until(Probe.line("HELLO"), 10)

    async def main() -> list[str]:
        async with await chain.astart() as process:
            stdin = process.take_stdin()
            await stdin.write_line("hello")
            await stdin.close()
            return [line async for line in process]

    assert loop(main) == ["HELLO"]
    with (SLEEPS | SLEEPS).start() as process:
        pids = process.members()
        assert len(pids) >= 2
    assert not any(is_alive(pid) for pid in pids)


def test_lines_are_told_and_a_token_ends_it() -> None:
    lines: list[tuple[str, str]] = []
    (b"b\na\n" | SORT | UPPER).run(on_line=lambda stream, line: lines.append((stream, line)))
    assert lines == [("stdout", "A"), ("stdout", "B")]
    token = CancelToken()
    with pytest.raises(Cancelled):
        (Command("echo", ["go"]) | Command("sh", ["-c", "cat; exec sleep 1000"])).run(
            on_line=lambda *_: token.cancel(), cancel=token
        )


def test_cancelling_and_interrupting_leave_nothing(aio: Run) -> None:
    before = children()

    async def main() -> None:
        task = asyncio.ensure_future((Command("yes") | SLEEPS).aoutput())
        while children() == before:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children() == before

    aio(main)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            # However late, it comes in here.
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            (Command("yes") | SLEEPS).run()
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert children() == before
