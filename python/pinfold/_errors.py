"""What pinfold raises.

Each class is also the standard library's where that has one, so that existing ``except`` clauses keep working. An exception
says what failed, at which program, why and what to do; it never holds arguments or environment values. It can be pickled, and
is equal to another that says the same.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any

from pinfold._native import BytesResult, Outcome, ProcessResult

__all__ = [
    "Cancelled",
    "InvalidInput",
    "NoReply",
    "LimitRefused",
    "NonZeroExit",
    "NotReady",
    "OutputTooLarge",
    "PermissionDenied",
    "ProcessError",
    "ProcessNotFound",
    "ResourceLimit",
    "Signalled",
    "SpawnFailed",
    "StatusLost",
    "StreamFailed",
    "Timeout",
    "UnexpectedOutput",
    "Unsupported",
]


class ProcessError(Exception):
    """A run that did not go as asked: the base of all that pinfold raises.

    >>> from pinfold import Command, ProcessError
    >>> try:
    ...     Command("no-such-program").run()
    ... except ProcessError as error:
    ...     print(type(error).__name__, error.program)
    ProcessNotFound no-such-program
    """

    message: str
    """What failed and why, with what to do about it where that is known."""
    program: str | None
    """The program's name as the command has it."""
    hint: str | None
    """What to do about it, where that is known; the message ends with it."""
    stage: int | None
    """The stage of a pipeline that it is about, counted from 0; ``None`` for a single command."""
    result: ProcessResult | BytesResult | None
    """The run's output up to the failure and how it ended, where there was a run."""

    def __init__(
        self,
        message: str = "",
        *,
        program: str | None = None,
        hint: str | None = None,
        errno: int | None = None,
        stage: int | None = None,
        result: ProcessResult | BytesResult | None = None,
        **fields: Any,
    ) -> None:
        # Not that of the next class: those of the standard library's want their own arguments.
        Exception.__init__(self, message)
        self.message = message
        self.program = program
        self.hint = hint
        self.result = result
        self.errno = errno
        self.stage = stage
        self._fields = {"program": program, "hint": hint, "errno": errno, "stage": stage, "result": result, **fields}

    @property
    def code(self) -> int | None:
        """The exit code, where the run ended with one."""
        return None if self.result is None else self.result.code

    @property
    def stdout(self) -> Any:
        """What came on standard output: ``str``, or ``bytes`` where the verb was asked for bytes; ``None`` without a run."""
        return None if self.result is None else self.result.stdout

    @stdout.setter
    def stdout(self, value: object) -> None:
        raise AttributeError("what was captured cannot be changed")

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended, where there was a run."""
        return None if self.result is None else self.result.outcome

    def __str__(self) -> str:
        return self.message

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProcessError):
            return NotImplemented
        same = type(self) is type(other) and self.message == other.message
        return same and self._fields == other._fields

    def __hash__(self) -> int:
        return hash((type(self), self.message))

    def __reduce__(self) -> tuple[Any, ...]:
        notes: list[str] | None = getattr(self, "__notes__", None)
        state = None if notes is None else {"__notes__": notes}
        return _rebuilt, (type(self), self.message, self._fields), state


class _Ended(ProcessError):
    """A run that has ended, and not well; by the standard library's names too."""

    cmd: str | None
    """The program; its arguments may be secret."""
    output: Any
    """The same as ``stdout``."""
    stderr: Any
    """What came on standard error, as ``str``; ``None`` without a run."""

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.cmd = self.program
        self.output = self.stdout
        self.stderr = None if self.result is None else self.result.stderr


class NonZeroExit(_Ended, subprocess.CalledProcessError):
    """It ended with a code that is not a success. Also a ``subprocess.CalledProcessError``.

    >>> import subprocess
    >>> from pinfold import Command
    >>> try:
    ...     Command("sh", ["-c", "echo why >&2; exit 3"]).run()
    ... except subprocess.CalledProcessError as error:
    ...     error.returncode, error.stderr
    (3, 'why\\n')
    """

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.returncode: int = -1 if self.code is None else self.code


class Signalled(_Ended, subprocess.CalledProcessError):
    """A signal ended it. Also a ``subprocess.CalledProcessError``, with the negative signal as its code.

    >>> from pinfold import Command, Signalled
    >>> try:
    ...     Command("sh", ["-c", "kill -TERM $$"]).run()
    ... except Signalled as error:
    ...     error.signal, error.returncode
    (15, -15)
    """

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.returncode: int = -(self.signal or 0)

    @property
    def signal(self) -> int | None:
        """The number of the signal."""
        return None if self.result is None else self.result.signal


class Timeout(_Ended, subprocess.TimeoutExpired, TimeoutError):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A timeout of its own ended it. Also a ``TimeoutError`` and a ``subprocess.TimeoutExpired``.

    >>> from pinfold import Command, Timeout
    >>> try:
    ...     Command("sleep", ["1000"]).timeout(0.05).run()
    ... except Timeout as error:
    ...     error.timeout, isinstance(error, TimeoutError)
    (0.05, True)
    """

    timeout: float
    """The timeout in seconds, by the standard library's name for it."""

    def __init__(self, message: str = "", *, timeout_seconds: float | None = None, **fields: Any) -> None:
        super().__init__(message, timeout_seconds=timeout_seconds, **fields)
        self.timeout_seconds = timeout_seconds
        self.timeout = timeout_seconds or 0.0


class NotReady(_Ended):
    """What was waited for did not come before the run had ended.

    >>> from pinfold import Command, NotReady, Probe
    >>> try:
    ...     with Command("echo", ["goodbye"]).start() as process:
    ...         process.wait_until(Probe.line("ready"), timeout=10)
    ... except NotReady as error:
    ...     error.program, error.code
    ('echo', 0)
    """


class Cancelled(_Ended):
    """A cancellation token ended it, or kept it from being started.

    >>> from pinfold import CancelToken, Cancelled, Command
    >>> token = CancelToken()
    >>> token.cancel()
    >>> try:
    ...     Command("sleep", ["1000"]).run(cancel=token)
    ... except Cancelled as error:
    ...     print("it was not even started")
    it was not even started
    """


class OutputTooLarge(_Ended):
    """It gave more output than its limit, and the limit says that this is an error.

    >>> from pinfold import Command, OutputTooLarge
    >>> try:
    ...     Command("yes").output_limit(max_lines=10, on_overflow="error").run()
    ... except OutputTooLarge as error:
    ...     error.max_lines, error.total_lines > 10
    (10, True)
    """

    def __init__(
        self,
        message: str = "",
        *,
        max_bytes: int | None = None,
        max_lines: int | None = None,
        total_bytes: int = 0,
        total_lines: int = 0,
        **fields: Any,
    ) -> None:
        limits = {"max_bytes": max_bytes, "max_lines": max_lines}
        super().__init__(message, total_bytes=total_bytes, total_lines=total_lines, **limits, **fields)
        self.max_bytes = max_bytes
        self.max_lines = max_lines
        self.total_bytes = total_bytes
        self.total_lines = total_lines


class UnexpectedOutput(_Ended, ValueError):
    """Its output is not what the verb asked for: not JSON, not even a line.

    >>> from pinfold import Command, UnexpectedOutput
    >>> try:
    ...     Command("echo", ["no JSON"]).output_json()
    ... except UnexpectedOutput as error:
    ...     error.stdout
    'no JSON\\n'
    """


class StatusLost(_Ended):
    """Its status was taken by other code of this process.

    >>> import signal
    >>> from pinfold import StatusLost, subprocess
    >>> before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    >>> try:
    ...     code = subprocess.run(["true"]).returncode
    ... except StatusLost:
    ...     code = None
    ... finally:
    ...     _ = signal.signal(signal.SIGCHLD, before)
    >>> code in (0, None)
    True
    """


class _NotStarted(ProcessError):
    """What is an error of the operating system too."""

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.filename: str | None = self.program
        self.strerror: str | None = None if self.errno is None else os.strerror(self.errno)


class ProcessNotFound(_NotStarted, FileNotFoundError):
    """There is no such program, or what it needs to be executed is not there. Also a ``FileNotFoundError``.

    >>> from pinfold import Command, ProcessNotFound
    >>> try:
    ...     Command("no-such-program").run()
    ... except ProcessNotFound as error:
    ...     error.program, isinstance(error, FileNotFoundError)
    ('no-such-program', True)
    """


class PermissionDenied(_NotStarted, PermissionError):
    """It cannot be executed, or a privilege that it asks for was refused. Also a ``PermissionError``.

    >>> from pinfold import Command, PermissionDenied
    >>> try:
    ...     Command("/etc/passwd").run()
    ... except PermissionDenied as error:
    ...     isinstance(error, PermissionError)
    True
    """


class SpawnFailed(_NotStarted, OSError):
    """It could not be started for another reason. Also an ``OSError``.

    >>> from pinfold import Command, SpawnFailed
    >>> from pinfold.testing import Reply, ScriptedRunner
    >>> runner = ScriptedRunner().fallback(Reply.refused("spawn", "its interpreter cannot be mapped"))
    >>> try:
    ...     runner.run(Command("make"))
    ... except SpawnFailed as error:
    ...     print(error)
    make: its interpreter cannot be mapped
    """


class StreamFailed(_NotStarted, OSError):
    """Reading or writing its streams failed. Also an ``OSError``.

    >>> from pinfold import Command, StreamFailed
    >>> from pinfold.testing import Reply, ScriptedRunner
    >>> runner = ScriptedRunner().fallback(Reply.refused("io", "its output cannot be read"))
    >>> try:
    ...     runner.run(Command("make"))
    ... except StreamFailed as error:
    ...     print(error)
    make: its output cannot be read
    """


class ResourceLimit(ProcessError):
    """A resource ran out, or a limit cannot be had on this host.

    >>> from pinfold import Command, ResourceLimit
    >>> from pinfold.testing import Reply, ScriptedRunner
    >>> runner = ScriptedRunner().fallback(Reply.refused("resource_limit", "no process can be had"))
    >>> try:
    ...     runner.run(Command("make"))
    ... except ResourceLimit as error:
    ...     print(error)
    make: no process can be had
    """


class InvalidInput(ProcessError, ValueError):
    """The command contradicts itself, or holds a value that cannot be meant: nothing was started. Also a ``ValueError``.

    >>> from pinfold import Command, InvalidInput
    >>> try:
    ...     Command("echo", ["a\\0b"]).run()
    ... except InvalidInput as error:
    ...     isinstance(error, ValueError)
    True
    """


class NoReply(ProcessError):
    """A double has no reply to this command: no rule of a scripted runner matches it, or no recording of a cassette.

    >>> from pinfold import Command, NoReply
    >>> from pinfold.testing import ScriptedRunner
    >>> try:
    ...     ScriptedRunner().run(Command("git", ["push"]))
    ... except NoReply as error:
    ...     error.program
    'git'
    """


class Unsupported(ProcessError):
    """This host or this build cannot do what the command asks for: nothing was started.

    >>> from pinfold import Command, Unsupported
    >>> try:
    ...     Command("true").isolation("process_group").require("kernel").run()
    ... except Unsupported as error:
    ...     print(error)
    true: the guarantee kernel was required, and process_group guarantees best_effort; require less, or nothing
    """

    def __init__(self, message: str = "", *, operation: str = "", **fields: Any) -> None:
        super().__init__(message, operation=operation, **fields)
        self.operation = operation


class LimitRefused(ResourceLimit, Unsupported):
    """This host cannot hold a run or a group to a limit that it was given: nothing was started. Also ``Unsupported``.

    >>> from pinfold import Command, LimitRefused
    >>> limited = Command("echo", ["held to it"]).max_memory(1 << 28)
    >>> try:
    ...     said = limited.run()
    ... except LimitRefused as error:
    ...     said = error.hint
    >>> said == "held to it" or "cgroup" in said
    True
    """


_BY_KIND: dict[str, type[ProcessError]] = {
    "not_found": ProcessNotFound,
    "permission_denied": PermissionDenied,
    "invalid_input": InvalidInput,
    "unsupported": Unsupported,
    "resource_limit": ResourceLimit,
    "limits": LimitRefused,
    "spawn": SpawnFailed,
    "non_zero_exit": NonZeroExit,
    "signalled": Signalled,
    "timeout": Timeout,
    "cancelled": Cancelled,
    "output_too_large": OutputTooLarge,
    "unexpected_output": UnexpectedOutput,
    "status_lost": StatusLost,
    "not_ready": NotReady,
    "io": StreamFailed,
    "no_reply": NoReply,
}


def make(kind: str, message: str, program: str | None, **fields: Any) -> ProcessError:
    """The exception for an error of the engine."""
    return _BY_KIND.get(kind, ProcessError)(message, program=program, **fields)


def _rebuilt(cls: type[ProcessError], message: str, fields: dict[str, Any]) -> ProcessError:
    return cls(message, **fields)
