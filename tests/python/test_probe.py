"""Waiting for something to be so: by itself and beside a run, blocking and under every loop."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import re
import signal
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pinfold import (
    Command,
    InvalidInput,
    NotReady,
    Probe,
    ProcessError,
    Timeout,
    Unsupported,
    wait_for,
    wait_for_file,
    wait_for_http,
    wait_for_line,
    wait_for_port,
    wait_for_unix,
)

from conftest import Run, is_alive

SERVER = Command("sh", ["-c", "echo booting; echo listening on 80; exec sleep 1000"])
DIES = Command("sh", ["-c", "echo out; echo no space left >&2; exit 3"])


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def server() -> Iterator[str]:
    """Answers 503 twice, and then 204."""

    class Handler(http.server.BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self) -> None:
            Handler.asked += 1
            self.send_response(503 if Handler.asked <= 2 else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/health"
        finally:
            server.shutdown()
            thread.join()


def test_what_is_there_is_waited_for_by_blocking(listener: socket.socket, server: str, tmp_path: Path) -> None:
    port = listener.getsockname()[1]
    Probe.port("127.0.0.1", port).wait(10)
    Probe.http(server, status=503).wait(timedelta(seconds=10))
    Probe.http(server).interval(0.001).wait(10)
    Probe.http(server, status=range(200, 205)).wait(10)
    path = tmp_path / "file"
    path.touch()
    Probe.file(path).wait(10)
    with pytest.raises(Timeout, match="it is empty"):
        Probe.file(path, filled=True).wait(0.01)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
        unix.listen()
        Probe.unix(tmp_path / "socket").wait(10)
    Probe.command(Command("true")).wait(10)
    Probe.all(Probe.file("/"), Probe.any(Probe.file("/nothing"), Probe.holds(lambda: True))).wait(10)


def test_a_wait_that_takes_too_long_says_why(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(TimeoutError, match=rf"not ready after 200ms: tcp://127.0.0.1:{port}: connection refused") as error:
        Probe.port("127.0.0.1", port).wait(0.2)
    assert isinstance(error.value, Timeout) and error.value.timeout_seconds == 0.2
    with pytest.raises(Timeout, match="not ready after 10ms: the door: it does not hold"):
        Probe.holds(lambda: False).named("the door").wait(0.01)


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(Unsupported, match="TLS"):
        Probe.http("https://localhost/")
    with pytest.raises(InvalidInput):
        Probe.http("nonsense")
    with pytest.raises(InvalidInput, match="42 is no status"):
        Probe.http("http://localhost/", status=42)
    with pytest.raises(InvalidInput, match="range of statuses"):
        Probe.http("http://localhost/", status=range(200, 300, 2))
    with pytest.raises(InvalidInput, match="no time to wait"):
        Probe.file("/").wait(-1)
    with pytest.raises(InvalidInput, match="of a run"):
        Probe.line("ready").wait(1)
    with pytest.raises(TypeError):
        Probe.holds(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Probe.line(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Probe.all(3)  # type: ignore[arg-type]

    async def ready() -> bool:
        return True

    with pytest.raises(TypeError, match="can only be awaited"):
        Probe.holds(ready).wait(1)


def test_what_a_predicate_raises_is_raised() -> None:
    asked = []

    def broken() -> bool:
        asked.append(1)
        raise KeyError("what")

    with pytest.raises(KeyError, match="what"):
        Probe.holds(broken).wait(10)
    with SERVER.start() as process, pytest.raises(KeyError):
        process.wait_until(broken, 10)
    with SERVER.start() as process, pytest.raises(ZeroDivisionError):
        process.wait_until(Probe.line(lambda line: 1 // 0 == len(line)), 10)
    assert len(asked) == 2


def test_a_handle_waits_for_its_output_and_lives_on() -> None:
    with SERVER.start() as process:
        process.wait_until(Probe.line("listening"), 10)
        process.wait_until(Probe.line(re.compile(r"on \d+$"), stream="stdout"), 10)
        # Conditions may look at the run that they are of.
        process.wait_until(lambda: process.stdout_line_count == 2, 10)
        process.wait_until(Probe.line(lambda line: line == "booting" and process.try_wait() is None), 10)
        with pytest.raises(Timeout, match="2 lines have come, all of them others"):
            process.wait_until(Probe.line("never"), 0.02)
        assert is_alive(process.pid)
        assert next(process.stdout_lines()) == "booting"
    with Command("sh", ["-c", "printf 'name: '; exec sleep 1000"]).start() as process:
        process.wait_until(Probe.prompt(lambda text: text.endswith(": ")), 10)


def test_the_end_of_a_run_is_the_end_of_the_wait(loop: Run) -> None:
    def check(error: NotReady) -> None:
        assert error.code == 3 and error.stdout == "out\n" and error.program == "sh"
        assert str(error).startswith("sh: exited with code 3 before it was ready: ") and str(error).endswith("it last wrote: no space left")

    began = time.monotonic()
    with DIES.start() as process, pytest.raises(NotReady) as error:
        process.wait_until(Probe.file("/nothing"), 1000)
    check(error.value)

    async def never() -> bool:
        await asyncio.sleep(1000) if asyncio_runs() else await trio_sleeps()
        return True

    async def main() -> None:
        for probe in (Probe.file("/nothing"), lambda: False, never):
            async with await DIES.astart() as process:
                with pytest.raises(NotReady) as error:
                    await process.wait_until(probe, 1000)
                check(error.value)
        async with await DIES.astart() as process:
            with pytest.raises(NotReady) as error:
                await wait_for_line(process.stdout_lines(), "never", 1000)
            check(error.value)

    loop(main)
    assert time.monotonic() - began < 100


def asyncio_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def trio_sleeps() -> None:
    import trio

    await trio.sleep(1000)


def test_everything_is_awaited_under_every_loop(
    loop: Run, listener: socket.socket, server: str, tmp_path: Path
) -> None:
    asked: list[int] = []

    def third_time() -> bool:
        asked.append(1)
        return len(asked) >= 3

    async def later() -> bool:
        return third_time()

    async def main() -> str:
        await wait_for_port("127.0.0.1", listener.getsockname()[1], timeout=10)
        await wait_for_http(server, timeout=10, interval=0.001)
        await wait_for_file(tmp_path, timeout=10)
        await wait_for(lambda: third_time(), timeout=10, interval=0.001)
        asked.clear()
        await wait_for(later, timeout=timedelta(seconds=10), interval=timedelta(milliseconds=1))
        await wait_for(Probe.file("/"), timeout=10)
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(tmp_path / f"socket-{time.monotonic_ns()}"))
            unix.listen()
            await wait_for_unix(unix.getsockname(), timeout=10)
        async with await SERVER.astart() as process:
            await process.wait_until(Probe.line("listening"), 10)
            await process.wait_until(lambda: process.stdout_line_count == 2, 10)
            await process.wait_until(later, 10)
            lines = process.stdout_lines()
            assert await wait_for_line(lines, lambda line: "boot" in line, timeout=10) == "booting"
            return await wait_for_line(lines, re.compile("^listening"), timeout=10)

    assert loop(main) == "listening on 80"
    assert len(asked) == 4


def test_what_is_late_is_a_timeout_and_ends_nothing(loop: Run) -> None:
    async def answers(value: bool) -> bool:
        return value

    async def never() -> bool:
        await asyncio.sleep(1000) if asyncio_runs() else await trio_sleeps()
        return True

    async def main() -> None:
        conditions: list[tuple[Any, str]] = [
            (lambda: False, "it does not hold"),
            (lambda: answers(False), "it does not hold"),
            (never, "it has not answered"),
            (Probe.file("/nothing"), "no such file"),
        ]
        for condition, why in conditions:
            with pytest.raises(TimeoutError, match=f"not ready after (0.2s|200ms): .*: {why}"):
                await wait_for(condition, 0.2, 0.001)
        async with await SERVER.astart() as process:
            lines = process.stdout_lines()
            # There is nothing that could still come.
            await process.wait_until(lambda: process.stdout_line_count == 2, 60)
            with pytest.raises(Timeout, match="not ready after 0.05s: a line"):
                await wait_for_line(lines, "never", timeout=0.05)
            for condition in (lambda: False, never, Probe.line("never")):
                with pytest.raises(Timeout):
                    await process.wait_until(condition, 0.02)
            assert is_alive(process.pid)
            # The stream is whole: what was read stays read, and nothing else is lost.
            assert process.stdout_line_count == 2

    loop(main)


def test_predicates_raise_where_they_are_awaited(loop: Run) -> None:
    async def broken() -> bool:
        raise KeyError("what")

    async def late() -> bool:
        raise TimeoutError("of its own")

    async def main() -> None:
        with pytest.raises(KeyError, match="what"):
            await wait_for(broken, 10)
        with pytest.raises(TimeoutError, match="of its own"):
            await wait_for(late, 10)
        with pytest.raises(InvalidInput):
            await wait_for(lambda: True, -1)
        with pytest.raises(TypeError):
            await wait_for(3, 1)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="wait_until"):
            await wait_for_line([], "x", 1)  # type: ignore[arg-type]
        with SERVER.start() as process, pytest.raises(TypeError, match="wait_until"):
            await wait_for_line(process.stdout_lines(), "x", 1)  # type: ignore[arg-type]

    loop(main)


def test_lines_of_anybody_are_taken(loop: Run) -> None:
    async def lines() -> AsyncGenerator[str, None]:
        for line in ("one", "two"):
            yield line

    async def is_two(line: str) -> bool:
        return line == "two"

    async def main() -> str:
        with pytest.raises(NotReady, match="have ended"):
            await wait_for_line(lines(), "three", 10)
        async with contextlib.aclosing(lines()) as them:
            return await wait_for_line(them, is_two, 10)

    assert loop(main) == "two"


def test_a_cancelled_wait_leaves_nothing(aio: Run) -> None:
    async def main() -> None:
        async with await SERVER.astart() as process:
            for wait in (
                wait_for(Probe.file("/nothing"), 1000),
                wait_for(lambda: False, 1000),
                wait_for(lambda: asyncio.sleep(1000), 1000),
                wait_for_line(process.stderr_lines(), "x", 1000),
                process.wait_until(Probe.line("never"), 1000),
                process.wait_until(lambda: asyncio.sleep(1000), 1000),
            ):
                task = asyncio.ensure_future(wait)
                await asyncio.sleep(0.01)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert is_alive(process.pid)
            assert len(asyncio.all_tasks()) == 1

    aio(main)


def test_trio_cancels_a_wait_too() -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        async with await SERVER.astart() as process:
            for wait in (
                lambda: wait_for(Probe.file("/nothing"), 1000),
                lambda: wait_for(lambda: trio.sleep(1000), 1000),
                lambda: process.wait_until(lambda: trio.sleep(1000), 1000),
                lambda: wait_for_line(process.stderr_lines(), "x", 1000),
            ):
                with trio.move_on_after(0.01) as scope:
                    await wait()
                assert scope.cancelled_caught
            assert is_alive(process.pid)

    trio.run(main)


@pytest.mark.parametrize("wait", [
    lambda process: Probe.file("/nothing").wait(1000),
    lambda process: process.wait_until(Probe.line("never"), 1000),
])
def test_a_signal_ends_a_blocking_wait(wait: Callable[[Any], None]) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with SERVER.start() as process:
            with pytest.raises(KeyboardInterrupt):
                # However late, it comes in here.
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                wait(process)
            assert is_alive(process.pid)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_two_threads_wait_while_a_third_looks_on() -> None:
    script = "for n in 1 2 3 4 5 6 7 8; do echo $n; read line; done; exec sleep 1000"
    with Command("sh", ["-c", script]).keep_stdin_open().start() as process, process.take_stdin() as stdin:
        failures: list[ProcessError] = []

        def wait() -> None:
            try:
                process.wait_until(Probe.line(lambda line: line == "8" and process.elapsed_seconds > 0), 60)
            except ProcessError as error:
                failures.append(error)

        threads = [threading.Thread(target=wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(8):
            stdin.write_line("")
        for thread in threads:
            thread.join()
        assert not failures
