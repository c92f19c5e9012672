"""This host as a runner, and what counts as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pinfold._native import AnyRunner
from pinfold._verbs import Verbs

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing_extensions import Unpack

    from pinfold._async import AsyncRunningProcess
    from pinfold._native import BytesResult, Command, ProcessResult
    from pinfold._sync import RunningProcess
    from pinfold._verbs import Options, StartOptions

__all__ = ["ProcessRunner", "Runner"]


class Runner(Verbs):
    """This host: the runner that really starts processes. Code that takes a runner takes a double in its tests.

    >>> from pinfold import Command, ProcessRunner, Runner
    >>> from pinfold.testing import Reply, ScriptedRunner
    >>> def head(runner: ProcessRunner) -> str:
    ...     return runner.run(Command("git", ["rev-parse", "HEAD"]))
    >>> head(ScriptedRunner().on(["git", "rev-parse"], Reply.ok("deadbeef\\n")))
    'deadbeef'
    >>> Runner().run(Command("echo", ["hello"]))
    'hello'
    """

    __slots__ = ()

    def _any(self) -> AnyRunner:
        return AnyRunner.here()

    def __repr__(self) -> str:
        return "<Runner: this host>"


@runtime_checkable
class ProcessRunner(Protocol):
    """What can run commands, for annotations: this host, every double, a group, and whatever else has the verbs.

    ``isinstance`` looks at the names of the verbs alone, and those are a command's and a client's, too; type checkers see more.

    >>> from pinfold import ProcessRunner, Runner
    >>> isinstance(Runner(), ProcessRunner)
    True
    """

    __slots__ = ()

    def run(self, command: Command, /, **options: Unpack[Options]) -> str:
        """Runs it and returns its standard output without the line breaks at its end. It has to succeed."""
        ...

    async def arun(self, command: Command, /, **options: Unpack[Options]) -> str:
        """``run()``, awaited."""
        ...

    def output(self, command: Command, /, **options: Unpack[Options]) -> ProcessResult:
        """Runs it and returns its output as text and how it ended. A failure of the program or a timeout is data."""
        ...

    async def aoutput(self, command: Command, /, **options: Unpack[Options]) -> ProcessResult:
        """``output()``, awaited."""
        ...

    def output_bytes(self, command: Command, /, **options: Unpack[Options]) -> BytesResult:
        """``output()`` with standard output as bytes."""
        ...

    async def aoutput_bytes(self, command: Command, /, **options: Unpack[Options]) -> BytesResult:
        """``output_bytes()``, awaited."""
        ...

    def output_json(self, command: Command, /, **options: Unpack[Options]) -> Any:
        """Runs it and reads its standard output as one JSON value. It has to succeed."""
        ...

    async def aoutput_json(self, command: Command, /, **options: Unpack[Options]) -> Any:
        """``output_json()``, awaited."""
        ...

    def exit_code(self, command: Command, /, **options: Unpack[Options]) -> int:
        """Runs it and returns its exit code, whatever that is."""
        ...

    async def aexit_code(self, command: Command, /, **options: Unpack[Options]) -> int:
        """``exit_code()``, awaited."""
        ...

    def probe(self, command: Command, /, **options: Unpack[Options]) -> bool:
        """Runs it as a question: 0 is ``True``, 1 is ``False``, and everything else raises."""
        ...

    async def aprobe(self, command: Command, /, **options: Unpack[Options]) -> bool:
        """``probe()``, awaited."""
        ...

    def first_line(self, command: Command, /, **options: Unpack[StartOptions]) -> str:
        """Runs it until it has written one line, returns that and stops it."""
        ...

    async def afirst_line(self, command: Command, /, **options: Unpack[StartOptions]) -> str:
        """``first_line()``, awaited."""
        ...

    def start(self, command: Command, /, **options: Unpack[StartOptions]) -> RunningProcess:
        """Starts it and returns a live handle that blocks where it waits."""
        ...

    def astart(self, command: Command, /, **options: Unpack[StartOptions]) -> Coroutine[Any, Any, AsyncRunningProcess]:
        """Starts it and returns a live handle whose methods are awaited."""
        ...
