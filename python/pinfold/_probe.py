"""Waiting for something to be so, awaited. What blocks instead are :meth:`Probe.wait` and the handle's ``wait_until``."""

from __future__ import annotations

from inspect import isawaitable
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from pinfold._errors import InvalidInput, NotReady, Timeout
from pinfold._loop import drive, race, sleep
from pinfold._native import Probe

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Awaitable, Callable
    from re import Pattern
    from typing import NoReturn

    from pinfold._handle import Seconds
    from pinfold._native import Run

    Condition = Callable[[], object] | Callable[[], Awaitable[object]]
    OfLine = str | Pattern[str] | Callable[[str], object] | Callable[[str], Awaitable[object]]
    Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]

__all__ = ["wait_for", "wait_for_file", "wait_for_http", "wait_for_line", "wait_for_port", "wait_for_unix"]


async def wait_for(condition: Probe | Condition, timeout: Seconds, interval: Seconds | None = None) -> None:
    """Waits until a :class:`Probe` holds, or a predicate, which may be async; it is asked again every ``interval`` seconds, 0.05
    unless told otherwise.

    Raises ``Timeout``, which is a ``TimeoutError``, after so long without; nothing is ended by that. An async predicate that has
    not answered by then is cancelled. What a predicate raises is raised. If it is about a run, wait on its handle
    (``wait_until``): that ends with the run.

    >>> import asyncio
    >>> from pinfold import Probe, wait_for
    >>> asyncio.run(wait_for(Probe.file("/etc/passwd"), timeout=10))
    >>> asyncio.run(wait_for(lambda: True, timeout=10, interval=0.1))
    """
    if isinstance(condition, Probe):
        probe = condition if interval is None else condition.interval(interval)
        await drive(probe._waiting(timeout))
    else:
        await _until(condition, timeout, interval, None)


async def wait_for_port(host: str, port: int, timeout: Seconds, interval: Seconds | None = None) -> None:
    """Waits until somebody listens at a TCP port: ``wait_for(Probe.port(host, port), ...)``.

    >>> import asyncio
    >>> import socket
    >>> from pinfold import wait_for_port
    >>> server = socket.create_server(("127.0.0.1", 0))
    >>> asyncio.run(wait_for_port("127.0.0.1", server.getsockname()[1], timeout=10))
    >>> server.close()
    """
    await wait_for(Probe.port(host, port), timeout, interval)


async def wait_for_unix(path: Path, timeout: Seconds, interval: Seconds | None = None) -> None:
    """Waits until somebody listens at a Unix stream socket: ``wait_for(Probe.unix(path), ...)``.

    >>> import asyncio
    >>> import socket
    >>> import tempfile
    >>> from pinfold import wait_for_unix
    >>> with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as server:
    ...     server.bind(f"{directory}/socket")
    ...     server.listen()
    ...     asyncio.run(wait_for_unix(f"{directory}/socket", timeout=10))
    """
    await wait_for(Probe.unix(path), timeout, interval)


async def wait_for_http(
    url: str, timeout: Seconds, interval: Seconds | None = None, *, status: int | range | None = None
) -> None:
    """Waits until a URL answers a GET with a good status: ``wait_for(Probe.http(url, status=status), ...)``.

    >>> import asyncio
    >>> import sys
    >>> from pinfold import Command, wait_for_http
    >>> source = "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler)"
    >>> source += "; print(s.server_port, flush=True); s.serve_forever()"
    >>> async def main():
    ...     async with await Command(sys.executable, ["-c", source]).stderr("null").astart() as server:
    ...         port = await anext(server.lines())
    ...         await wait_for_http(f"http://127.0.0.1:{port}/", timeout=30)
    ...         return "it answers"
    >>> asyncio.run(main())
    'it answers'
    """
    await wait_for(Probe.http(url, status=status), timeout, interval)


async def wait_for_file(
    path: Path, timeout: Seconds, interval: Seconds | None = None, *, filled: bool = False
) -> None:
    """Waits until a file is there, and with ``filled`` is not empty: ``wait_for(Probe.file(path), ...)``.

    >>> import asyncio
    >>> from pinfold import wait_for_file
    >>> asyncio.run(wait_for_file("/dev/null", timeout=10))
    """
    await wait_for(Probe.file(path, filled=filled), timeout, interval)


async def wait_for_line(lines: AsyncIterable[str], condition: OfLine, timeout: Seconds) -> str:
    """Reads lines until one has this text in it, or this compiled pattern is found in it, or this predicate, which may be async,
    holds of it: that line. The lines after it can be read on.

    Raises ``Timeout`` after so long without, and ``NotReady`` if they end before. To wait without reading them away, there is
    ``process.wait_until(Probe.line(...), timeout)``.

    >>> import asyncio
    >>> from pinfold import Command, wait_for_line
    >>> async def main():
    ...     async with await Command("sh", ["-c", "echo booting; echo ready; sleep 60"]).astart() as server:
    ...         return await wait_for_line(server.stdout_lines(), lambda line: line == "ready", timeout=10)
    >>> asyncio.run(main())
    'ready'
    """
    if not hasattr(lines, "__aiter__"):
        raise TypeError("these lines do not come async; on a blocking handle use wait_until(Probe.line(...), timeout)")
    holds = _of_line(condition)
    seconds = _seconds("timeout", timeout)
    end = monotonic() + seconds

    async def found() -> str | None:
        async for line in lines:
            answer = holds(line)
            if await answer if isawaitable(answer) else answer:
                return line
        return None

    first, line = await race(found, lambda: sleep(seconds))
    if first != 0:
        _late("a line", seconds, "none was it")
    if line is None:
        run = cast("Run | None", getattr(lines, "_run", None))
        if run is None:
            raise NotReady("the lines have ended while one was still awaited")
        await _ended(run, "a line: none was it", max(end - monotonic(), 0.0))
    return cast("str", line)


async def until_of(run: Run, condition: Condition, timeout: Seconds) -> None:
    """Waits until a predicate holds, while a run goes on."""
    await _until(condition, timeout, None, run)


async def _until(condition: Condition, timeout: Seconds, interval: Seconds | None, run: Run | None) -> None:
    if not callable(condition):
        raise TypeError(f"expected a Probe or a callable, not {type(condition).__name__}")
    seconds = _seconds("timeout", timeout)
    # Without a pause nobody else would have a turn.
    pause = 0.05 if interval is None else max(_seconds("interval", interval), 0.001)
    end = monotonic() + seconds

    async def rest(seconds: float) -> bool:
        """Whether the run has ended meanwhile."""
        if run is None:
            await sleep(seconds)
            return False
        return await drive(run.wait(seconds)) is not None

    while True:
        asked = condition()
        left = max(end - monotonic(), 0.0)
        if isawaitable(asked):
            pending = asked
            first, answer = await race(lambda: _awaited(pending), lambda: rest(left))
            if first != 0:
                if answer and run is not None:
                    await _ended(run, "a condition: it has not answered", left)
                _late("a condition", seconds, "it has not answered")
        else:
            answer = asked
            await sleep(0)
        if answer:
            return
        left = end - monotonic()
        if left <= 0:
            _late("a condition", seconds, "it does not hold")
        if await rest(min(pause, left)) and run is not None:
            await _ended(run, "a condition: it does not hold", left)


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


async def _ended(run: Run, what: str, patience: float) -> NoReturn:
    """The run has ended first, or its output has."""
    outcome = await drive(run.wait(patience))
    if outcome is None:
        raise NotReady(f"{run.program}: its output ended before it was ready: {what}", program=run.program)
    result = await drive(run.output())
    said = [line for line in result.stderr.splitlines() if line.strip()]
    hint = f"it last wrote: {said[-1].strip()}" if said else None
    message = f"{run.program}: {outcome} before it was ready: {what}"
    message = message if hint is None else f"{message}; {hint}"
    raise NotReady(message, program=run.program, hint=hint, result=result)


def _late(what: str, seconds: float, why: str) -> NoReturn:
    raise Timeout(f"not ready after {seconds:g}s: {what}: {why}", timeout_seconds=seconds)


def _seconds(name: str, time: Seconds) -> float:
    seconds = time if isinstance(time, (int, float)) else time.total_seconds()
    if not seconds >= 0:
        raise InvalidInput(f"{name}: {seconds} seconds is no time to wait; it is 0 or more")
    try:
        return float(seconds)
    except OverflowError:
        # A time that is too long to be counted is as good as none that ever ends.
        return float("inf")


def _of_line(condition: OfLine) -> Callable[[str], object]:
    if isinstance(condition, str):
        return lambda line: condition in line
    return cast("Callable[[str], object]", getattr(condition, "search", condition))
