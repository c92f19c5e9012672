"""What comes of a run as it comes: shared by threads, of handles that nobody else keeps, and past what a signal handler raises."""

from __future__ import annotations

import gc
import os
import signal
import sys
import sysconfig
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Run
from pinfold import Command, Supervisor
from test_threads import together

SLOW = Command("sh", ["-c", "for number in 1 2 3; do echo $number; sleep 0.05; done"])
SLOW_LINES = ["1", "2", "3"]

STREAMS: dict[str, Callable[[Any], Any]] = {
    "iter": iter,
    "lines": lambda process: process.lines(),
    "stdout_lines": lambda process: process.stdout_lines(),
    "line_batches": lambda process: process.line_batches(),
    "chunks": lambda process: process.chunks(),
    "events": lambda process: process.events(),
    "output_events": lambda process: process.output_events(),
}


def lines_of(pieces: list[Any]) -> list[str]:
    """The lines, whatever they came as."""
    lines: list[str] = []
    for piece in pieces:
        if isinstance(piece, list):
            lines += piece
        elif isinstance(piece, str):
            lines.append(piece)
        elif isinstance(piece, bytes):
            lines += piece.decode().splitlines()
        elif piece.kind == "line":
            lines.append(piece.text)
    return lines


def read_by_all(shared: Iterator[Any]) -> list[Any]:
    """What the threads got of it, all in all."""
    return [piece for part in together(lambda _: list(shared)) for piece in part]


@pytest.mark.parametrize("name", STREAMS)
def test_threads_share_one_and_each_piece_goes_to_one_of_them(name: str) -> None:
    whole = [str(number) for number in range(1, 3001)]
    for _ in range(20):
        with Command("seq", ["3000"]).start() as process:
            shared = STREAMS[name](process)
            pieces = read_by_all(shared)
            if name != "chunks":
                assert sorted(lines_of(pieces), key=int) == whole
            assert sum(map(len, lines_of(pieces))) == sum(map(len, whole))


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="without the lock, such an iterator drops what its other threads have got when one of them comes to its end",
)
def test_whoever_lets_go_of_it_does_not_take_it_from_those_who_wait() -> None:
    # CPython's `iter(call, sentinel)` drops what it calls while other threads are in it.
    for _ in range(30):
        with Command("seq", ["2000"]).start() as process:
            batches: Iterator[list[str]] = iter(process._run.lines("stdout", 256).block, [])
            assert len(lines_of(read_by_all(batches))) == 2000


# The stream ends a moment before the run does, and a handle that is forgotten then gives it that moment.
unforgotten = pytest.mark.filterwarnings("error::ResourceWarning", "error::pytest.PytestUnraisableExceptionWarning")


@unforgotten
@pytest.mark.parametrize("name", STREAMS)
def test_a_handle_lives_as_long_as_what_comes_of_it(name: str) -> None:
    assert lines_of(list(STREAMS[name](SLOW.start()))) == SLOW_LINES
    # Not longer.
    process = Command("sleep", ["1000"]).start()
    pid, flow, told = process.pid, STREAMS[name](process), weakref.ref(process)
    del process
    assert told() is not None
    with pytest.warns(ResourceWarning, match="was forgotten"):
        del flow
    assert told() is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@unforgotten
@pytest.mark.parametrize("name", [name for name in STREAMS if name != "iter"])
def test_so_does_one_that_is_awaited(aio: Run, name: str) -> None:
    async def main() -> list[Any]:
        return [piece async for piece in STREAMS[name](await SLOW.astart())]

    assert lines_of(aio(main)) == SLOW_LINES

    async def itself() -> list[str]:
        return [line async for line in await SLOW.astart()]

    assert aio(itself) == SLOW_LINES


@unforgotten
def test_what_ends_soon_after_its_output_is_not_killed(aio: Run, tmp_path: Path) -> None:
    at = tmp_path / "ended"
    command = Command("sh", ["-c", 'echo one; exec >&-; sleep 0.05; echo "$1"; echo ended > "$1"', "sh", at])
    assert list(command.start()) == ["one"]
    assert at.read_text() == "ended\n"
    at.unlink()

    async def main() -> list[str]:
        return [line async for line in await command.astart()]

    assert aio(main) == ["one"]
    assert at.read_text() == "ended\n"


def test_what_goes_on_after_its_output_is_killed_with_a_warning() -> None:
    process = Command("sh", ["-c", "echo one; exec >&- 2>&-; sleep 1000"]).start()
    pid = process.pid
    assert list(process) == ["one"]
    with pytest.warns(ResourceWarning, match="was forgotten"):
        del process
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_so_does_its_standard_input(aio: Run) -> None:
    command = Command("sh", ["-c", "read line; echo $line > \"$1\"", "sh", os.devnull]).keep_stdin_open()
    stdin = command.start().take_stdin()
    stdin.write_line("hello")
    process = weakref.ref(stdin._process)
    assert process() is not None
    assert stdin._process.wait(10).code == 0
    del stdin

    async def main() -> int | None:
        stdin = (await command.astart()).take_stdin()
        await stdin.write_line("hello")
        return (await stdin._process.wait(10)).code

    assert aio(main) == 0


@pytest.mark.filterwarnings("ignore:.*was forgotten.*:ResourceWarning")
def test_supervision_lives_as_long_as_its_events(aio: Run) -> None:
    supervisor = Supervisor(Command("sh", ["-c", "sleep 0.05; exit 0"]))
    kinds = ["started", "ready", "ended", "stopped"]
    assert [event.kind for event in supervisor.start().events()] == kinds
    assert [event.kind for event in supervisor.start()] == kinds

    async def main() -> list[str]:
        return [event.kind async for event in await supervisor.astart()]

    assert aio(main) == kinds


class Raised(Exception):
    """By a signal handler."""


@pytest.fixture
def handled() -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Has SIGUSR1 call something."""
    calls: list[Callable[[], Any]] = []

    def handle(*_: object) -> None:
        calls[-1]()

    before = signal.signal(signal.SIGUSR1, handle)
    yield calls.append
    signal.signal(signal.SIGUSR1, before)
    calls.clear()


def kick() -> None:
    os.kill(os.getpid(), signal.SIGUSR1)


@pytest.mark.parametrize("name", STREAMS)
def test_what_a_signal_handler_raises_loses_nothing(name: str, handled: Callable[[Any], None]) -> None:
    def fail() -> None:
        raise Raised

    handled(fail)
    command = Command("sh", ["-c", "echo one; read line; echo two"]).keep_stdin_open()
    with command.start() as process:
        flow: Any = STREAMS[name](process)
        came: list[Any] = []
        timer = threading.Timer(0.1, kick)
        with pytest.raises(Raised):
            while True:
                came.append(next(flow))
                # Nothing else comes, so that it waits when it is disturbed.
                if lines_of(came):
                    timer.start()
        timer.join()
        process.take_stdin().write_line("")
        came += flow
        assert lines_of(came) == ["one", "two"]
        assert list(flow) == []


def test_a_signal_handler_that_reads_the_same_is_refused(handled: Callable[[Any], None]) -> None:
    with Command("sh", ["-c", "echo; exec sleep 1000"]).start() as process:
        flow = process.stderr_lines()
        handled(lambda: next(flow))

        def kick_who_waits() -> None:
            # Only who waits for the other stream has read that line.
            while process.stdout_line_count == 0:
                time.sleep(0.002)
            kick()

        thread = threading.Thread(target=kick_who_waits)
        thread.start()
        with pytest.raises(RuntimeError, match="waits for the next of this already"):
            next(flow)
        thread.join()


def test_closing_one_lets_go_of_the_handle() -> None:
    process = Command("seq", ["3"]).start()
    flow, told = process.lines(), weakref.ref(process)
    assert next(flow) == "1"
    process.wait()
    del process
    flow.close()
    flow.close()
    assert told() is None and list(flow) == []


def test_a_cycle_through_one_is_collected() -> None:
    class Holder:
        def __init__(self) -> None:
            self.process = Command("sleep", ["1000"]).start()
            self.lines = self.process.lines()
            self.me = self

    holder = Holder()
    told, pid = weakref.ref(holder), holder.process.pid
    del holder
    with pytest.warns(ResourceWarning):
        gc.collect()
    assert told() is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_does_not_wait_for_a_thread_that_it_has_not() -> None:
    script = """if True:
        import os, sys, threading, time
        from pinfold import Command
        process = Command("sh", ["-c", "echo; exec sleep 1000"]).start()
        lines = process.stderr_lines()
        thread = threading.Thread(target=lambda: list(lines))
        thread.start()
        # Only who waits for the other stream has read that line.
        while process.stdout_line_count == 0:
            time.sleep(0.002)
        pid = os.fork()
        if pid == 0:
            try:
                next(lines)
            except RuntimeError as error:
                print("refused:", "waits for this" in str(error), flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        process.kill()
        thread.join()
    """
    result = Command(sys.executable, ["-Wignore", "-c", script]).timeout(60).output()
    assert (result.stdout, result.stderr, result.code) == ("refused: True\n", "", 0)
