"""The verbs of whatever runs commands, in both manners: each takes the command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pinfold._loop import drive
from pinfold._native import AnyRunner
from pinfold._starting import Starting

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypedDict

    from typing_extensions import Unpack

    from pinfold._async import AsyncRunningProcess
    from pinfold._errors import ProcessError
    from pinfold._handle import Stream
    from pinfold._native import BytesResult, CancelToken, Command, ProcessResult, RunEvent
    from pinfold._sync import RunningProcess

    OnEvent = Callable[[RunEvent], object]
    OnLine = Callable[[Stream, str], object]
    RetryIf = Callable[[ProcessResult | ProcessError], object]

    class StartOptions(TypedDict, total=False):
        """What every verb can be told besides its command."""

        cancel: CancelToken | None
        on_event: OnEvent | None

    class VerbOptions(StartOptions, total=False):
        """What those can be told that wait for the end."""

        on_line: OnLine | None
        retry_if: RetryIf | None

    # Short, since each verb has it.
    Options = VerbOptions

__all__ = ["Verbs"]


class Verbs:
    """What can run commands: the verbs of a :class:`Command`, with the command as their argument.

    The options are those of the command's own verbs: ``cancel`` (a ``CancelToken`` that ends the run), ``on_event`` (called with
    each ``RunEvent``), and for those that wait for the end ``on_line`` (called with the stream's name and each line) and
    ``retry_if`` (called with the result of an attempt, or the exception if there was none: whether to try again, for commands
    that have a retry rule). All of them are called on the thread that waits; what one of them raises ends the run, and is raised.
    """

    __slots__ = ()

    def _any(self) -> AnyRunner:
        """Its native half."""
        raise NotImplementedError

    @staticmethod
    def _behind(runner: object) -> AnyRunner:
        """That of a runner that is to stand behind another one; this host if none is named. It has to be ours, since handles
        are."""
        if runner is None:
            return AnyRunner.here()
        if isinstance(runner, Verbs):
            return runner._any()
        # Whoever has made one has imported it.
        remote = sys.modules.get("pinfold.distributed")
        if remote is not None and isinstance(runner, remote.RemoteRunner):
            raise TypeError(f"{type(runner).__name__} has whole commands run elsewhere: it is a runner for batches alone")
        what = "expected one of pinfold's runners, or something derived from one"
        raise TypeError(f"{what}, not {type(runner).__name__}")

    def run(self, command: Command, **options: Unpack[Options]) -> str:
        """Runs it and returns its standard output without the line breaks at its end. It has to succeed.

        >>> from pinfold import Command, Runner
        >>> Runner().run(Command("echo", ["hello"]))
        'hello'
        """
        answer: str = self._any().verb("run", command, **options).block()
        return answer

    async def arun(self, command: Command, **options: Unpack[Options]) -> str:
        """``run()``, awaited."""
        answer: str = await drive(self._any().verb("run", command, **options))
        return answer

    def output(self, command: Command, **options: Unpack[Options]) -> ProcessResult:
        """Runs it and returns its output as text and how it ended. A failure of the program or a timeout is data.

        >>> from pinfold import Command, Runner
        >>> Runner().output(Command("sh", ["-c", "exit 3"])).code
        3
        """
        answer: ProcessResult = self._any().verb("output", command, **options).block()
        return answer

    async def aoutput(self, command: Command, **options: Unpack[Options]) -> ProcessResult:
        """``output()``, awaited."""
        answer: ProcessResult = await drive(self._any().verb("output", command, **options))
        return answer

    def output_bytes(self, command: Command, **options: Unpack[Options]) -> BytesResult:
        """``output()`` with standard output as bytes.

        >>> from pinfold import Command, Runner
        >>> Runner().output_bytes(Command("echo", ["hello"])).stdout
        b'hello\\n'
        """
        answer: BytesResult = self._any().verb("output_bytes", command, **options).block()
        return answer

    async def aoutput_bytes(self, command: Command, **options: Unpack[Options]) -> BytesResult:
        """``output_bytes()``, awaited."""
        answer: BytesResult = await drive(self._any().verb("output_bytes", command, **options))
        return answer

    def output_json(self, command: Command, **options: Unpack[Options]) -> Any:
        """Runs it and reads its standard output as one JSON value. It has to succeed.

        >>> from pinfold import Command, Runner
        >>> Runner().output_json(Command("echo", ["[1, 2]"]))
        [1, 2]
        """
        return self._any().verb("output_json", command, **options).block()

    async def aoutput_json(self, command: Command, **options: Unpack[Options]) -> Any:
        """``output_json()``, awaited."""
        return await drive(self._any().verb("output_json", command, **options))

    def exit_code(self, command: Command, **options: Unpack[Options]) -> int:
        """Runs it and returns its exit code, whatever that is.

        >>> from pinfold import Command, Runner
        >>> Runner().exit_code(Command("false"))
        1
        """
        answer: int = self._any().verb("exit_code", command, **options).block()
        return answer

    async def aexit_code(self, command: Command, **options: Unpack[Options]) -> int:
        """``exit_code()``, awaited."""
        answer: int = await drive(self._any().verb("exit_code", command, **options))
        return answer

    def probe(self, command: Command, **options: Unpack[Options]) -> bool:
        """Runs it as a question: 0 is ``True``, 1 is ``False``, and everything else raises.

        >>> from pinfold import Command, Runner
        >>> Runner().probe(Command("test", ["-d", "/"]))
        True
        """
        answer: bool = self._any().verb("probe", command, **options).block()
        return answer

    async def aprobe(self, command: Command, **options: Unpack[Options]) -> bool:
        """``probe()``, awaited."""
        answer: bool = await drive(self._any().verb("probe", command, **options))
        return answer

    def run_json(self, command: Command, **options: Unpack[Options]) -> Any:
        """Another name of ``output_json()``.

        >>> from pinfold import Command, Runner
        >>> Runner().run_json(Command("echo", ["[1, 2]"]))
        [1, 2]
        """
        return self.output_json(command, **options)

    async def arun_json(self, command: Command, **options: Unpack[Options]) -> Any:
        """Another name of ``aoutput_json()``."""
        return await self.aoutput_json(command, **options)

    def first_line(self, command: Command, **options: Unpack[StartOptions]) -> str:
        """Runs it until it has written one line, returns that and stops it.

        >>> from pinfold import Command, Runner
        >>> Runner().first_line(Command("yes"))
        'y'
        """
        answer: str = self._any().verb("first_line", command, **options).block()
        return answer

    async def afirst_line(self, command: Command, **options: Unpack[StartOptions]) -> str:
        """``first_line()``, awaited."""
        answer: str = await drive(self._any().verb("first_line", command, **options))
        return answer

    def start(self, command: Command, **options: Unpack[StartOptions]) -> RunningProcess:
        """Starts it and returns a live handle that blocks where it waits.

        >>> from pinfold import Command, Runner
        >>> with Runner().start(Command("seq", ["3"])) as process:
        ...     list(process)
        ['1', '2', '3']
        """
        from pinfold._sync import RunningProcess

        return RunningProcess(self._any().launch(command, **options))

    def astart(self, command: Command, **options: Unpack[StartOptions]) -> Starting[AsyncRunningProcess]:
        """Starts it and returns a live handle whose methods are awaited; ``async with`` enters that as well."""
        from pinfold._async import AsyncRunningProcess

        async def astart() -> AsyncRunningProcess:
            return AsyncRunningProcess(self._any().launch(command, **options))

        return Starting(astart())
