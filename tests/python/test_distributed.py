"""Batches whose commands run elsewhere, by runners of one's own: the one of the page on it among them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from pinfold import (
    BatchProgress,
    BytesResult,
    Cancelled,
    CancelToken,
    Command,
    InvalidInput,
    NonZeroExit,
    ProcessNotFound,
    ProcessResult,
    aoutput_all,
    output_all,
    output_all_bytes,
    output_as_completed,
)
from pinfold.distributed import RemoteFailure, RemoteRunner, perform
from pinfold.distributed._batch import RemoteBatch

from conftest import Run, is_alive

PAGE = Path(__file__).parents[2] / "docs" / "python" / "distributed.md"
FAILS = Command("sh", ["-c", "echo why >&2; exit 3"])


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.005)


class Threads(RemoteRunner):
    """Elsewhere is a thread for each, which can be told to be of no use."""

    def __init__(self, width: int = 2) -> None:
        self._width = width
        self.tokens: dict[Future[str], CancelToken] = {}
        self.most = 0
        self.lock = threading.Lock()
        self.at_work = 0

    def answer(self, order: str, token: CancelToken) -> str:
        return perform(order, token)

    def submit(self, order: str, /) -> Future[str]:
        answer: Future[str] = Future()
        self.tokens[answer] = token = CancelToken()

        def work() -> None:
            with self.lock:
                self.at_work += 1
                self.most = max(self.most, self.at_work)
            said: str | BaseException
            try:
                said = self.answer(order, token)
            except BaseException as error:
                said = error
            with self.lock:
                self.at_work -= 1
            if isinstance(said, BaseException):
                answer.set_exception(said)
            else:
                answer.set_result(said)

        threading.Thread(target=work, daemon=True).start()
        return answer

    def stop(self, answers: Sequence[Future[str]], /) -> None:
        for answer in answers:
            self.tokens[answer].cancel()

    def width(self) -> int:
        return self._width


class Gathered(Threads):
    """The first of them wait until they are so many."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__(width)
        self.first = threading.Barrier(count)
        self.numbers = itertools.count()

    def answer(self, order: str, token: CancelToken) -> str:
        if next(self.numbers) < self.first.parties:
            self.first.wait(60)
        return super().answer(order, token)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The runner of the page. What is at the other end has the package that is tested here."""
    if not PAGE.exists():
        pytest.skip("the page is not beside the tests")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(os.path.abspath, sys.path)))
    (source,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(source.partition("\n# Here")[0], names)
    return lambda *words, **options: names["ShellRunner"](*words, python=sys.executable, **options)


def test_the_runner_of_the_page_is_one(shell: Callable[..., Any], loop: Run) -> None:
    runner = shell("sh", "-c", width=3)
    commands = [Command("echo", ["it's", "$HOME"]), FAILS, Command("no-such-program"), Command("sleep", ["1000"]).timeout(0.02)]

    def check(slots: list[Any]) -> None:
        one, fails, lost, late = slots
        assert one.stdout == "it's $HOME\n" and one.outcome.mechanism == Command("true").output().outcome.mechanism
        assert (fails.code, fails.stderr) == (3, "why\n") and isinstance(lost, ProcessNotFound) and late.timed_out

    check(output_all(commands, runner=runner))
    (fed,) = output_all_bytes([Command("cat").stdin_bytes(b"\xff\0")], runner=runner)
    assert isinstance(fed, BytesResult) and fed.stdout == b"\xff\0"

    async def main() -> None:
        check(list(await aoutput_all(commands, runner=runner)))

    loop(main)
    # What is not pinfold at the other end is a failure of the way there, and no result.
    (slot,) = output_all([Command("echo", ["--secret"])], runner=shell("false"))
    assert isinstance(slot, RemoteFailure) and isinstance(slot.__cause__, NonZeroExit)
    assert "secret" not in str(slot)
    (slot,) = output_all([Command("echo")], runner=shell("echo"))
    assert isinstance(slot, RemoteFailure) and "no answer of pinfold's" in str(slot)


def test_a_cancelled_batch_is_stopped_at_the_other_end(shell: Callable[..., Any], tmp_path: Path) -> None:
    pids, token = tmp_path / "pids", CancelToken()
    pids.touch()
    script = f"sleep 1000 & echo begun; echo $$ $! >> {pids}; wait"

    def began() -> list[int]:
        return [int(pid) for pid in pids.read_text().split()]

    def cancel() -> None:
        until(lambda: len(began()) == 4)
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    slots = output_all([Command("sh", ["-c", script])] * 3, runner=shell("sh", "-c", width=2), cancel=token)
    assert not any(map(is_alive, began()))
    thread.join()
    assert all(isinstance(slot, Cancelled) for slot in slots)
    # The answers still come, with what was written until then.
    assert [getattr(slot, "stdout", None) for slot in slots] == ["begun\n", "begun\n", None]


def test_a_token_is_heard_at_once_and_by_nobody_who_looks_for_it() -> None:
    runner, token = Threads(), CancelToken()
    batch = RemoteBatch(runner, [Command("sleep", ["1000"])], False, None, 1, False, None, token)
    # Nothing but a word wakes it.
    assert batch.advance() == -1
    assert select.select([batch], [], [], 0)[0] == []
    token.cancel()
    assert select.select([batch], [], [], 60)[0] == [batch]
    wakes = 0
    while batch.advance() is not None:
        select.select([batch], [], [], 60)
        wakes += 1
    # It was told once: a token that went on telling would wake whoever waits for what it stopped all the time.
    assert wakes < 50
    ((_, _, _, slot),) = batch.result()
    assert isinstance(slot, Cancelled)
    batch.end()


def test_a_connection_that_breaks_leaves_nothing_at_the_other_end(
    shell: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other end is nobody's child of ours: it is reached through two pipes that have names, as by a network.
    to, back, pid = tmp_path / "to", tmp_path / "back", tmp_path / "pid"
    os.mkfifo(to)
    os.mkfifo(back)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(os.path.abspath, sys.path)))
    with subprocess.Popen(f"exec {sys.executable} -m pinfold.distributed < {to} > {back} 2>&1", shell=True) as far:
        slots: list[Any] = []
        # Its last word is a command line for the other end, which is there already.
        link = shell("sh", "-c", f"cat {back} & exec cat > {to}")
        command = Command("sh", ["-c", f"sleep 1000 & echo $! > {pid}.new; mv {pid}.new {pid}; wait"])
        batch = threading.Thread(target=lambda: slots.extend(output_all([command], runner=link)))
        batch.start()
        until(pid.exists)
        os.kill(_writer_of(to), signal.SIGKILL)
        try:
            assert far.wait(60) is not None
        finally:
            far.kill()
        batch.join(60)
    assert not is_alive(int(pid.read_text()))
    assert isinstance(slots[0], RemoteFailure) and slots[0].program == "sh"


def _writer_of(pipe: Path) -> int:
    """The process that has `cat` write there."""
    for entry in Path("/proc").iterdir():
        try:
            if os.readlink(entry / "fd" / "1") == str(pipe) and (entry / "comm").read_text() == "cat\n":
                return int(entry.name)
        except OSError:
            pass
    raise AssertionError("nobody writes there")


def test_no_more_are_out_than_it_is_wide_and_all_are_told(loop: Run) -> None:
    runner, told = Threads(3), list[BatchProgress]()
    commands = [Command("echo", [str(number)]) for number in range(40)]
    results = output_all(iter(commands), runner=runner, on_progress=told.append)
    assert [isinstance(result, ProcessResult) and result.stdout for result in results] == [f"{n}\n" for n in range(40)]
    assert runner.most <= 3 and max(progress.running for progress in told) == 3
    assert (told[-1].done, told[-1].failed, told[-1].running, told[-1].total) == (40, 0, 0, None)
    wider = Gathered(3, 7)
    assert max(done.index for done in output_as_completed(commands, runner=wider, concurrency=7)) == 39
    assert wider.most == 7

    async def main() -> None:
        taken = set()
        async with output_as_completed((Command("echo") for _ in iter(int, 1)), runner=Threads(4)) as batch:
            async for done in batch:
                taken.add(done.index)
                if len(taken) == 20:
                    break
        assert len(taken) == 20

    loop(main)
    assert output_all([], runner=runner) == [] and list(output_as_completed([], runner=runner)) == []


def test_the_first_failure_ends_all_where_it_is_to() -> None:
    commands = [Command("sleep", ["1000"]), FAILS, *[Command("true")] * 5]
    slots = output_all(commands, runner=Threads(2), fail_fast=True)
    assert isinstance(slots[1], ProcessResult) and slots[1].code == 3
    others = [*slots[:1], *slots[2:]]
    assert len(slots) == 7 and all(isinstance(slot, Cancelled) for slot in others)
    assert "another of its batch failed" in str(slots[-1])


class Useless(Threads):
    def __init__(self, said: str | BaseException) -> None:
        super().__init__(2)
        self.said = said

    def answer(self, order: str, token: CancelToken) -> str:
        if isinstance(self.said, BaseException):
            raise self.said
        return self.said


USELESS = ["", "null", "[]", "{}", '{"attempts": 1}', '{"attempts": 1, "result": {}}', '{"attempts": 1, "result": 7}', "\ud800",
           '{"attempts": 1, "error": {"is": "make", "message": "", "fields": {}}}', ConnectionError("gone"), SystemExit(3),
           '{"attempts": 1, "result": {"is": "ProcessResult", "rest": {}, "stdout": "", "stderr": ""}}',
           '{"attempts": 1, "error": {"is": "NonZeroExit", "message": "", "fields": []}}']  # fmt: skip


@pytest.mark.parametrize("said", USELESS, ids=repr)
def test_what_is_no_answer_is_a_failure_of_the_runner(said: Any) -> None:
    slots = output_all([Command("one"), Command("two")], runner=Useless(said))
    assert [type(slot) for slot in slots] == [RemoteFailure, RemoteFailure]
    assert isinstance(slots[1], RemoteFailure) and slots[1].program == "two" and slots[1].__cause__ is not None


def test_what_is_no_order_is_refused() -> None:
    for order in ("", "{}", "null", "[1]", '{"pinfold": "0.0.0-other", "bytes": false, "command": {}}'):
        with pytest.raises(InvalidInput):
            perform(order)
    with pytest.raises(InvalidInput, match="the same version on both sides"):
        perform('{"pinfold": "0.0.0-other", "bytes": false, "command": {}}')
    with subprocess.Popen(
        [sys.executable, "-m", "pinfold.distributed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as far:
        out, said = far.communicate(b"hello\n", timeout=60)
    assert (far.returncode, out) == (2, b"") and b"no order of pinfold's" in said


def test_an_order_is_a_line_and_so_is_its_answer() -> None:
    orders: list[str] = []

    class Seen(Threads):
        def answer(self, order: str, token: CancelToken) -> str:
            orders.append(order)
            answer = perform(order, token)
            orders.append(answer)
            return answer

    (result,) = output_all([Command("printf", ["a\\nb\\n"])], runner=Seen())
    assert isinstance(result, ProcessResult) and result.stdout == "a\nb\n"
    order, answer = orders
    assert "\n" not in order + answer and order.isascii() and answer.isascii()
    assert json.loads(order)["command"]["program"] == "printf" and json.loads(answer)["attempts"] == 1


def test_what_others_raise_ends_a_batch_and_stops_what_is_out() -> None:
    class Full(Threads):
        def submit(self, order: str, /) -> Future[str]:
            if len(self.tokens) == 2:
                raise OSError("no room")
            return super().submit(order)

    runner: Threads = Full(5)
    with pytest.raises(OSError, match="no room"):
        output_all([Command("sleep", ["1000"])] * 5, runner=runner)
    assert len(runner.tokens) == 2 and all(answer.done() for answer in runner.tokens)

    def commands() -> Any:
        yield Command("sleep", ["1000"])
        yield "sleep"

    runner = Threads(5)
    with pytest.raises(TypeError, match="there is a str among them"):
        output_all(commands(), runner=runner)
    assert all(answer.done() for answer in runner.tokens)
    with pytest.raises(ZeroDivisionError):
        output_all([Command("sleep", ["1000"])] * 2, runner=runner, on_progress=lambda _: 1 // 0)
    with pytest.raises(InvalidInput, match="may run at a time runs nothing"):
        output_all([Command("true")], runner=runner, concurrency=0)
    assert all(answer.done() for answer in runner.tokens)


def test_leaving_it_and_cancelling_a_wait_stop_what_is_out() -> None:
    runner = Threads(3)
    with output_as_completed([Command("true"), *[Command("sleep", ["1000"])] * 5], runner=runner, concurrency=3) as batch:
        assert next(batch).index == 0
    assert all(answer.done() for answer in runner.tokens)
    runner = Threads(3)

    async def main() -> None:
        waits = asyncio.ensure_future(aoutput_all([Command("sleep", ["1000"])] * 5, runner=runner))
        while len(runner.tokens) < 3:
            await asyncio.sleep(0.005)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits

    asyncio.run(main())
    assert len(runner.tokens) == 3 and all(answer.done() for answer in runner.tokens)


def test_an_interrupt_ends_it() -> None:
    runner = Threads(2)

    def interrupt() -> None:
        until(lambda: runner.at_work == 2)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        output_all([Command("sleep", ["1000"])] * 4, runner=runner)
    thread.join()
    assert len(runner.tokens) == 2 and all(answer.done() for answer in runner.tokens)


def test_an_interrupt_in_the_middle_of_sending_leaves_nothing_out() -> None:
    class Interrupted(Threads):
        def submit(self, order: str, /) -> Future[str]:
            answer = super().submit(order)
            signal.raise_signal(signal.SIGINT)
            return answer

    runner, handler = Interrupted(), signal.getsignal(signal.SIGINT)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        output_all([Command("sleep", ["1000"])] * 4, runner=runner)
    assert len(runner.tokens) == 1 and all(answer.done() for answer in runner.tokens)
    assert time.monotonic() - began < 100 and signal.getsignal(signal.SIGINT) is handler
