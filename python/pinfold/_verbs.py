"""The verbs of whatever runs commands, in both manners: each takes the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinfold._loop import drive

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from pinfold._async import AsyncRunningProcess
    from pinfold._native import BytesResult, CancelToken, Command, Pollable, ProcessResult, Run
    from pinfold._sync import RunningProcess

    OnLine = Callable[[Literal["stdout", "stderr"], str], object]

__all__ = ["Verbs"]


class Verbs:
    """What can run commands: the verbs of a :class:`Command`, with the command as their argument."""

    __slots__ = ()

    def _verb(self, name: str, command: Command, on_line: OnLine | None, cancel: CancelToken | None) -> Pollable:
        raise NotImplementedError

    def _launch(self, command: Command, cancel: CancelToken | None) -> Run:
        raise NotImplementedError

    def run(self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None) -> str:
        """``Command.run()``, here."""
        answer: str = self._verb("run", command, on_line, cancel).block()
        return answer

    async def arun(self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None) -> str:
        """``run()``, awaited."""
        answer: str = await drive(self._verb("run", command, on_line, cancel))
        return answer

    def output(
        self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None
    ) -> ProcessResult:
        """``Command.output()``, here."""
        answer: ProcessResult = self._verb("output", command, on_line, cancel).block()
        return answer

    async def aoutput(
        self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None
    ) -> ProcessResult:
        """``output()``, awaited."""
        answer: ProcessResult = await drive(self._verb("output", command, on_line, cancel))
        return answer

    def output_bytes(
        self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None
    ) -> BytesResult:
        """``Command.output_bytes()``, here."""
        answer: BytesResult = self._verb("output_bytes", command, on_line, cancel).block()
        return answer

    async def aoutput_bytes(
        self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None
    ) -> BytesResult:
        """``output_bytes()``, awaited."""
        answer: BytesResult = await drive(self._verb("output_bytes", command, on_line, cancel))
        return answer

    def output_json(self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None) -> Any:
        """``Command.output_json()``, here."""
        return self._verb("output_json", command, on_line, cancel).block()

    async def aoutput_json(
        self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None
    ) -> Any:
        """``output_json()``, awaited."""
        return await drive(self._verb("output_json", command, on_line, cancel))

    def exit_code(self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None) -> int:
        """``Command.exit_code()``, here."""
        answer: int = self._verb("exit_code", command, on_line, cancel).block()
        return answer

    async def aexit_code(
        self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None
    ) -> int:
        """``exit_code()``, awaited."""
        answer: int = await drive(self._verb("exit_code", command, on_line, cancel))
        return answer

    def probe(self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None) -> bool:
        """``Command.probe()``, here."""
        answer: bool = self._verb("probe", command, on_line, cancel).block()
        return answer

    async def aprobe(
        self, command: Command, *, on_line: OnLine | None = None, cancel: CancelToken | None = None
    ) -> bool:
        """``probe()``, awaited."""
        answer: bool = await drive(self._verb("probe", command, on_line, cancel))
        return answer

    def first_line(self, command: Command, *, cancel: CancelToken | None = None) -> str:
        """``Command.first_line()``, here."""
        answer: str = self._verb("first_line", command, None, cancel).block()
        return answer

    async def afirst_line(self, command: Command, *, cancel: CancelToken | None = None) -> str:
        """``first_line()``, awaited."""
        answer: str = await drive(self._verb("first_line", command, None, cancel))
        return answer

    def start(self, command: Command, *, cancel: CancelToken | None = None) -> RunningProcess:
        """Starts it here, and returns a live handle that blocks where it waits."""
        from pinfold._sync import RunningProcess

        return RunningProcess(self._launch(command, cancel))

    async def astart(self, command: Command, *, cancel: CancelToken | None = None) -> AsyncRunningProcess:
        """Starts it here, and returns a live handle whose methods are awaited."""
        from pinfold._async import AsyncRunningProcess

        return AsyncRunningProcess(self._launch(command, cancel))
