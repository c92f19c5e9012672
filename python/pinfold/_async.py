"""The live handle whose methods are awaited: the names are those of the blocking one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pinfold._errors import late
from pinfold._handle import Finished, Handle
from pinfold._json_lines import AsyncJsonLines
from pinfold._loop import drive
from pinfold._manner import only_is_awaited
from pinfold._native import (
    BytesResult,
    CancelToken,
    Command,
    Outcome,
    OutputEvent,
    Pipeline,
    Probe,
    ProcessResult,
    RunProfile,
)
from pinfold._starting import Starting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from pinfold._handle import Seconds, Signal, Stream
    from pinfold._native import Pollable, Run
    from pinfold._runner import ProcessRunner
    from pinfold._verbs import OnEvent

_T = TypeVar("_T")

__all__ = ["AsyncProcessStdin", "AsyncRunningProcess"]


def start(
    command: Command | Pipeline,
    cancel: CancelToken | None,
    on_event: OnEvent | None = None,
    runner: ProcessRunner | None = None,
) -> Starting[AsyncRunningProcess]:
    """Starts it: that does not wait, but is awaited as everything else is."""

    async def astart() -> AsyncRunningProcess:
        return AsyncRunningProcess(command._launch(cancel, on_event, runner))

    return Starting(astart())


class _Batches:
    """What comes of a stream, in pieces. It can be dropped at any point, and needs no closing: an async generator would."""

    __slots__ = ("_busy", "_machine", "_process")

    def __init__(self, machine: Pollable, process: AsyncRunningProcess) -> None:
        self._machine = machine
        # A handle that is forgotten kills its run, and it is not while somebody reads.
        self._process = process
        self._busy = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._busy:
            raise RuntimeError("another task waits for the next of this; each can have an iterator of its own")
        self._busy = True
        try:
            piece = await drive(self._machine)
        finally:
            self._busy = False
        if not piece:
            raise StopAsyncIteration
        return piece


class _Singly(Generic[_T]):
    """What comes in batches, singly: most is there already when it is asked for."""

    __slots__ = ("_batches", "_ready", "_run")

    def __init__(self, machine: Pollable, process: AsyncRunningProcess, run: Run) -> None:
        self._batches = _Batches(machine, process)
        self._ready: Iterator[_T] = iter(())
        # For `wait_for_line`, which says how it ended.
        self._run = run

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T:
        for item in self._ready:
            return item
        return await self._more()

    async def _more(self) -> _T:
        self._ready = iter(await self._batches.__anext__())
        return next(self._ready)


class AsyncProcessStdin:
    """Writes to a run's standard input. Output is read meanwhile, so that the two cannot wait for each other.

    >>> import asyncio
    >>> from pinfold import Command
    >>> async def main():
    ...     async with await Command("sort").keep_stdin_open().astart() as process:
    ...         async with process.take_stdin() as stdin:
    ...             await stdin.write_line("b")
    ...             await stdin.write("a\\n")
    ...         return [line async for line in process]
    >>> asyncio.run(main())
    ['a', 'b']
    """

    __slots__ = ("_process", "_run")

    def __init__(self, process: AsyncRunningProcess, run: Run) -> None:
        self._process = process
        self._run = run

    async def write(self, data: bytes | str) -> None:
        """Writes all of it; text as UTF-8. Raises ``BrokenPipeError`` once the program has stopped reading."""
        if not (self._run.feed(data) and await drive(self._run.fed(0))):
            raise BrokenPipeError(f"{self._run.program} reads no more")

    async def write_line(self, line: str) -> None:
        """Writes a line and its line break."""
        await self.write(line + "\n")

    async def flush(self) -> None:
        """Waits until the pipe has everything; a write has done so already."""
        if not await drive(self._run.fed(0)):
            raise BrokenPipeError(f"{self._run.program} reads no more")

    async def close(self) -> None:
        """Ends the stream. It can be called again."""
        self._run.end_of_input()

    async def __aenter__(self) -> AsyncProcessStdin:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._run.end_of_input()


class _Killed:
    """A kill that has begun; awaited, it is over."""

    __slots__ = ("_process",)

    def __init__(self, process: AsyncRunningProcess) -> None:
        self._process = process

    def __await__(self) -> Generator[Any, Any, Outcome]:
        return self._process.wait().__await__()


class AsyncRunningProcess(Handle):
    """A started command, in asyncio or trio.

    The run moves while one of its methods is awaited. Whatever is awaited can be cancelled, and nothing is lost by it; several
    tasks may await at once. Output stays readable after the end, and a stream can be opened at any time: it starts with what is
    retained.

    Leaving its ``async with`` block stops all of the run by the command's stop rule, or kills it at once if an exception, a
    cancellation among them, is the reason. A handle that is forgotten kills its run too, with a ``ResourceWarning``;
    but a program whose output was read to its end has a quarter of a second to end by itself.

    >>> import asyncio
    >>> from pinfold import Command
    >>> async def main():
    ...     async with await Command("seq", ["3"]).astart() as process:
    ...         return [int(line) async for line in process]
    >>> asyncio.run(main())
    [1, 2, 3]
    """

    __slots__ = ()

    async def wait(self, timeout: Seconds | None = None) -> Outcome:
        """Waits for the end of all of it. Raises ``Timeout`` after so long without; then it is left running."""
        outcome: Outcome | None = await drive(self._run.wait(timeout))
        if outcome is None:
            raise late(self.program, "has not ended", timeout or 0)
        return outcome

    async def finish(self) -> Finished:
        """Waits for the end of all of it, and gives what is retained of standard error."""
        result = await self.output()
        return Finished(result.outcome, result.stderr)

    async def output(self) -> ProcessResult:
        """Waits for the end, and gives what is retained of the output."""
        result: ProcessResult = await drive(self._run.output())
        return result

    async def output_bytes(self) -> BytesResult:
        """``output()`` with standard output as bytes."""
        result: BytesResult = await drive(self._run.output_bytes())
        return result

    async def wait_until(self, probe: Probe | Callable[[], object], timeout: Seconds) -> None:
        """Waits until a probe, or a predicate, which may be async, holds of it, or of the world while it runs. It is left alone
        whatever comes of it.

        Raises ``Timeout`` after so long without, and ``NotReady`` as soon as it has ended, with its outcome.
        """
        if isinstance(probe, Probe):
            await drive(self._run.wait_until(probe, timeout))
        else:
            from pinfold._probe import until_of

            await until_of(self._run, probe, timeout)

    async def stop(self, *, signal: Signal | None = None, grace: Seconds | None = None) -> Outcome:
        """Stops all of it and waits for the end: by the command's stop rule, or by another signal or grace."""
        self._run.stop(signal, grace)
        return await self.wait()

    async def shutdown(self, grace_seconds: Seconds | None = None) -> Outcome:
        """``stop()`` with this grace."""
        return await self.stop(grace=grace_seconds)

    def kill(self) -> _Killed:
        """Kills all of it, at once; awaiting that waits until it is gone, and gives how it ended."""
        self._run.stop(None, 0)
        return _Killed(self)

    def line_batches(self, stream: Stream = "stdout") -> AsyncIterator[list[str]]:
        """The lines of a stream as they come, in lists: the fastest way to read many."""
        return _Batches(self._run.lines(stream), self)

    def lines(self, stream: Stream = "stdout") -> AsyncIterator[str]:
        """The lines of a stream as they come, without their line breaks."""
        return _Singly(self._run.lines(stream), self, self._run)

    def stdout_lines(self) -> AsyncIterator[str]:
        """The lines of standard output."""
        return self.lines("stdout")

    def stderr_lines(self) -> AsyncIterator[str]:
        """The lines of standard error."""
        return self.lines("stderr")

    def json_lines(self, stream: Stream = "stdout") -> AsyncIterator[Any]:
        """The lines of a stream as the JSON values that they are (NDJSON), as ``json.loads`` gives them; empty lines are passed over.

        A line that is no JSON raises ``UnexpectedOutput`` with its ``line_number``; the next one comes after that all the same.
        """
        return AsyncJsonLines(self, self.lines(stream))

    def chunks(self, stream: Stream = "stdout") -> AsyncIterator[bytes]:
        """The bytes of a stream as they come, up to 1 MiB at a time."""
        return _Batches(self._run.chunks(stream), self)

    def output_events(self) -> AsyncIterator[OutputEvent]:
        """The lines of both streams as they come, in the order in which they were read; so do those that came before this was called.

        What a program writes to both at once is read at once, and then those of standard output are first.
        """
        return _Singly(self._run.events(only_lines=True), self, self._run)

    def events(self) -> AsyncIterator[OutputEvent]:
        """All that happens: the start, the lines of both streams in the order in which they come, the end."""
        return _Singly(self._run.events(), self, self._run)

    async def profile(self, every_seconds: Seconds = 0.1) -> RunProfile:
        """Waits for the end, looks at what it uses now and then, and gives what it used: exactly, by the kernel's accounting."""
        profile: RunProfile = await drive(self._run.profile(every_seconds))
        return profile

    def take_stdin(self) -> AsyncProcessStdin:
        """Its standard input, for a command that keeps it open. Raises ``InvalidInput`` for one that does not."""
        self._run.feed(b"")
        return AsyncProcessStdin(self, self._run)

    def __aiter__(self) -> AsyncIterator[str]:
        return self.lines("stdout")

    async def __aenter__(self) -> AsyncRunningProcess:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._is_mine():
                await self.stop()
        finally:
            self._run.end()


only_is_awaited(AsyncRunningProcess, "start it by start()")
only_is_awaited(AsyncProcessStdin, "take it from what start() gives")
