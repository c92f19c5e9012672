"""The live handle that blocks where it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinfold._errors import late
from pinfold._handle import Finished, Handle
from pinfold._json_lines import JsonLines
from pinfold._manner import only_blocks
from pinfold._native import BytesResult, Flow, Outcome, OutputEvent, Probe, ProcessResult, RunProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from pinfold._handle import Seconds, Signal, Stream
    from pinfold._native import Run

__all__ = ["ProcessStdin", "RunningProcess"]

# Bytes of lines that are made at a time where they are taken singly.
_FEW = 8192


class ProcessStdin:
    """Writes to a run's standard input. Output is read meanwhile, so that the two cannot wait for each other.

    >>> from pinfold import Command
    >>> with Command("cat").keep_stdin_open().start() as process, process.take_stdin() as stdin:
    ...     stdin.write_line("hello")
    ...     next(process.stdout_lines())
    'hello'
    """

    __slots__ = ("_process", "_run")

    def __init__(self, process: RunningProcess, run: Run) -> None:
        # A handle that is forgotten kills its run, and it is not while somebody writes to it.
        self._process = process
        self._run = run

    def write(self, data: bytes | str) -> None:
        """Writes all of it; text as UTF-8. Raises ``BrokenPipeError`` once the program has stopped reading.

        >>> from pinfold import Command
        >>> with Command("cat").keep_stdin_open().start() as process:
        ...     stdin = process.take_stdin()
        ...     stdin.write(b"he")
        ...     stdin.write("llo\\n")
        ...     next(process.lines())
        'hello'
        """
        if not (self._run.feed(data) and self._run.fed(0).block()):
            raise BrokenPipeError(f"{self._run.program} reads no more")

    def write_line(self, line: str) -> None:
        """Writes a line and its line break.

        >>> from pinfold import Command
        >>> with Command("cat").keep_stdin_open().start() as process:
        ...     stdin = process.take_stdin()
        ...     stdin.write_line("hello")
        ...     next(process.lines())
        'hello'
        """
        self.write(line + "\n")

    def flush(self) -> None:
        """Waits until the pipe has everything; a write has done so already.

        >>> from pinfold import Command
        >>> with Command("cat").keep_stdin_open().start() as process:
        ...     stdin = process.take_stdin()
        ...     stdin.write_line("hello")
        ...     stdin.flush()
        """
        if not self._run.fed(0).block():
            raise BrokenPipeError(f"{self._run.program} reads no more")

    def close(self) -> None:
        """Ends the stream. It can be called again.

        >>> from pinfold import Command
        >>> with Command("cat").keep_stdin_open().start() as process:
        ...     stdin = process.take_stdin()
        ...     stdin.close()
        ...     process.wait(timeout=10).code
        0
        """
        self._run.end_of_input()

    def __enter__(self) -> ProcessStdin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RunningProcess(Handle):
    """A started command.

    The run moves while one of its methods waits, so that a timeout, a stop and the output of the other stream are dealt with
    whatever is being waited for. Waiting can be repeated and done by several threads. Output stays readable after the end, and
    a stream can be opened at any time: it starts with what is retained.

    Leaving its ``with`` block stops all of the run by the command's stop rule, or kills it at once if an exception is the
    reason. A handle that is forgotten kills its run too, with a ``ResourceWarning``;
    but a program whose output was read to its end has a quarter of a second to end by itself.

    >>> from pinfold import Command
    >>> with Command("sh", ["-c", "echo listening; sleep 60"]).start() as server:
    ...     next(server.stdout_lines())
    'listening'
    """

    __slots__ = ()

    def wait(self, timeout: Seconds | None = None) -> Outcome:
        """Waits for the end of all of it. Raises ``Timeout`` after so long without; then it is left running.

        >>> from pinfold import Command
        >>> with Command("sh", ["-c", "exit 3"]).start() as process:
        ...     process.wait(timeout=10).code
        3
        """
        outcome: Outcome | None = self._run.wait(timeout).block()
        if outcome is None:
            raise late(self.program, "has not ended", timeout or 0)
        return outcome

    def finish(self) -> Finished:
        """Waits for the end of all of it, and gives what is retained of standard error.

        >>> from pinfold import Command
        >>> with Command("sh", ["-c", "echo out; echo err >&2"]).start() as process:
        ...     lines = list(process)
        ...     process.finish().stderr
        'err\\n'
        """
        result = self.output()
        return Finished(result.outcome, result.stderr)

    def output(self) -> ProcessResult:
        """Waits for the end, and gives what is retained of the output.

        >>> from pinfold import Command
        >>> with Command("echo", ["hello"]).start() as process:
        ...     process.output().stdout
        'hello\\n'
        """
        result: ProcessResult = self._run.output().block()
        return result

    def output_bytes(self) -> BytesResult:
        """``output()`` with standard output as bytes.

        >>> from pinfold import Command
        >>> with Command("echo", ["hello"]).start() as process:
        ...     process.output_bytes().stdout
        b'hello\\n'
        """
        result: BytesResult = self._run.output_bytes().block()
        return result

    def wait_until(self, probe: Probe | Callable[[], object], timeout: Seconds) -> None:
        """Waits until a probe, or a predicate, holds of it, or of the world while it runs. It is left alone whatever comes of it.

        Raises ``Timeout`` after so long without, and ``NotReady`` as soon as it has ended, with its outcome.

        >>> from pinfold import Command, Probe
        >>> with Command("sh", ["-c", "echo listening; exec sleep 1000"]).start() as process:
        ...     process.wait_until(Probe.line("listening"), timeout=10)
        """
        if not isinstance(probe, Probe):
            probe = Probe.holds(probe)
        self._run.wait_until(probe, timeout).block()

    def stop(self, *, signal: Signal | None = None, grace: Seconds | None = None) -> Outcome:
        """Stops all of it and waits for the end: by the command's stop rule, or by another signal or grace.

        >>> from pinfold import Command
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     process.stop(signal="int", grace=10).signal
        2
        """
        self._run.stop(signal, grace)
        return self.wait()

    def shutdown(self, grace_seconds: Seconds | None = None) -> Outcome:
        """``stop()`` with this grace.

        >>> from pinfold import Command
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     process.shutdown(grace_seconds=10).signal
        15
        """
        return self.stop(grace=grace_seconds)

    def kill(self) -> Outcome:
        """Kills all of it and waits until it is gone.

        >>> from pinfold import Command
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     process.kill().signal
        9
        """
        return self.stop(grace=0)

    def line_batches(self, stream: Stream = "stdout") -> Flow[list[str]]:
        """The lines of a stream as they come, in lists: the fastest way to read many.

        >>> from pinfold import Command
        >>> with Command("seq", ["3"]).start() as process:
        ...     [line for batch in process.line_batches() for line in batch]
        ['1', '2', '3']
        """
        return Flow(self, self._run.lines(stream), False)

    def lines(self, stream: Stream = "stdout") -> Flow[str]:
        """The lines of a stream as they come, without their line breaks.

        >>> from pinfold import Command
        >>> with Command("seq", ["3"]).start() as process:
        ...     list(process.lines("stdout"))
        ['1', '2', '3']
        """
        return Flow(self, self._run.lines(stream, _FEW), True)

    def stdout_lines(self) -> Flow[str]:
        """The lines of standard output.

        >>> from pinfold import Command
        >>> with Command("seq", ["3"]).start() as process:
        ...     list(process.stdout_lines())
        ['1', '2', '3']
        """
        return self.lines("stdout")

    def stderr_lines(self) -> Flow[str]:
        """The lines of standard error.

        >>> from pinfold import Command
        >>> with Command("sh", ["-c", "echo err >&2"]).start() as process:
        ...     list(process.stderr_lines())
        ['err']
        """
        return self.lines("stderr")

    def json_lines(self, stream: Stream = "stdout") -> Iterator[Any]:
        """The lines of a stream as the JSON values that they are (NDJSON), as ``json.loads`` gives them; empty lines are passed over.

        A line that is no JSON raises ``UnexpectedOutput`` with its ``line_number``; the next one comes after that all the same.

        >>> from pinfold import Command
        >>> with Command("printf", [r'{"a": 1}\\n\\n[2, 3]\\n']).start() as process:
        ...     list(process.json_lines())
        [{'a': 1}, [2, 3]]
        """
        return JsonLines(self, self.lines(stream))

    def chunks(self, stream: Stream = "stdout") -> Flow[bytes]:
        """The bytes of a stream as they come, up to 1 MiB at a time.

        >>> from pinfold import Command
        >>> with Command("seq", ["3"]).start() as process:
        ...     b"".join(process.chunks())
        b'1\\n2\\n3\\n'
        """
        return Flow(self, self._run.chunks(stream), False)

    def output_events(self) -> Flow[OutputEvent]:
        """The lines of both streams as they come, in the order in which they were read; so do those that came before this was called.

        What a program writes to both at once is read at once, and then those of standard output are first.

        >>> from pinfold import Command
        >>> with Command("sh", ["-c", "echo one; echo two >&2"]).start() as process:
        ...     sorted((event.text, event.is_stderr) for event in process.output_events())
        [('one', False), ('two', True)]
        """
        return Flow(self, self._run.events(only_lines=True), True)

    def events(self) -> Flow[OutputEvent]:
        """All that happens: the start, the lines of both streams in the order in which they come, the end.

        >>> from pinfold import Command
        >>> with Command("echo", ["hello"]).start() as process:
        ...     [event.kind for event in process.events()]
        ['started', 'line', 'ended']
        """
        return Flow(self, self._run.events(), True)

    def profile(self, every_seconds: Seconds = 0.1) -> RunProfile:
        """Waits for the end, looks at what it uses now and then, and gives what it used: exactly, by the kernel's accounting.

        >>> from pinfold import Command
        >>> with Command("sleep", ["0.05"]).start() as process:
        ...     process.profile(every_seconds=0.01).code
        0
        """
        profile: RunProfile = self._run.profile(every_seconds).block()
        return profile

    def take_stdin(self) -> ProcessStdin:
        """Its standard input, for a command that keeps it open. Raises ``InvalidInput`` for one that does not.

        >>> from pinfold import Command
        >>> with Command("cat").keep_stdin_open().start() as process, process.take_stdin() as stdin:
        ...     stdin.write_line("hello")
        ...     next(process.lines())
        'hello'
        """
        self._run.feed(b"")
        return ProcessStdin(self, self._run)

    def __iter__(self) -> Flow[str]:
        return self.lines("stdout")

    def __enter__(self) -> RunningProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None and self._is_mine():
                self.stop()
        finally:
            self._run.end()


only_blocks(RunningProcess, "start it by astart()")
only_blocks(ProcessStdin, "take it from what astart() gives")
