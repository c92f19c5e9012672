"""What pinfold raises.

Each class is also the standard library's where that has one, so that existing ``except`` clauses keep working. An exception
says what failed, at which program, why and what to do; it never holds arguments or environment values. It can be pickled, and
is equal to another that says the same.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pinfold._native import BytesResult, Outcome, ProcessResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from typing_extensions import Self

_T = TypeVar("_T")

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
    def stdout(self) -> str | bytes | None:
        """What came on standard output: ``str``, or ``bytes`` where the verb was asked for bytes; ``None`` without a run."""
        return None if self.result is None else self.result.stdout

    @stdout.setter
    def stdout(self, value: object) -> None:
        raise AttributeError("what was captured cannot be changed")

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended, where there was a run."""
        return None if self.result is None else self.result.outcome

    def to_json(self) -> str:
        """Itself as JSON, with the output of its run, which ``from_json`` reads. Its ``__cause__`` is not in it.

        >>> from pinfold import Command, ProcessError
        >>> try:
        ...     Command("sh", ["-c", "exit 3"]).run()
        ... except ProcessError as error:
        ...     again = ProcessError.from_json(error.to_json())
        >>> type(again).__name__, again.code
        ('NonZeroExit', 3)
        """
        from pinfold._wire import error_said

        return json.dumps(error_said(self))  # pyright: ignore[reportArgumentType]

    @classmethod
    def from_json(cls, json: str | bytes) -> Self:
        """What ``to_json`` wrote, of this class or of one derived from it. Raises ``InvalidInput`` for anything else."""
        from pinfold._wire import error

        made = read_json(json, error)
        if not isinstance(made, cls):
            raise InvalidInput(f"this is the JSON of a {type(made).__name__}, and of no {cls.__name__}")
        return made

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
    output: str | bytes | None
    """The same as ``stdout``."""
    stderr: str | None
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


class Timeout(_Ended, subprocess.TimeoutExpired, TimeoutError):  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]
    """A timeout of its own ended it; or it was waited for longer than was to be, and goes on: ``ended_run`` tells the two apart.
    Also a ``TimeoutError`` and a ``subprocess.TimeoutExpired``.

    >>> from pinfold import Command, Timeout
    >>> try:
    ...     Command("sleep", ["1000"]).timeout(0.05).run()
    ... except Timeout as error:
    ...     error.timeout, isinstance(error, TimeoutError)
    (0.05, True)
    >>> with Command("sleep", ["1000"]).start() as process:
    ...     try:
    ...         process.wait(timeout=0.05)
    ...     except Timeout as error:
    ...         error.ended_run, process.try_wait()
    (False, None)
    """

    timeout: float
    """The timeout in seconds, by the standard library's name for it."""

    def __init__(self, message: str = "", *, timeout_seconds: float | None = None, **fields: Any) -> None:
        super().__init__(message, timeout_seconds=timeout_seconds, **fields)
        self.timeout_seconds = timeout_seconds
        self.timeout = timeout_seconds or 0.0

    @property
    def ended_run(self) -> bool:
        """Whether it has ended the run, which is in ``result`` then. Waiting for too long ends nothing."""
        return self.result is not None


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

    line_number: int | None
    """Which line of a stream of values it is, counted from 1; ``None`` where it is about all of the output."""

    def __init__(self, message: str = "", *, line_number: int | None = None, **fields: Any) -> None:
        super().__init__(message, line_number=line_number, **fields)
        self.line_number = line_number


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

    # The number where the system gave none: nothing was asked of it, since the search had told already.
    _number: ClassVar[int | None] = None

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        if self.errno is None:
            self.errno = self._number
        filename: str | None = fields.get("filename")
        self.filename: str | None = self.program if filename is None else filename
        self.strerror: str | None = None if self.errno is None else os.strerror(self.errno)


class ProcessNotFound(_NotStarted, FileNotFoundError):
    """There is no such program, or what it needs to be executed is not there. Also a ``FileNotFoundError``.

    >>> import errno
    >>> from pinfold import Command, ProcessNotFound
    >>> try:
    ...     Command("no-such-program").run()
    ... except ProcessNotFound as error:
    ...     error.program, isinstance(error, FileNotFoundError), error.errno == errno.ENOENT
    ('no-such-program', True, True)

    It is raised for the directory to start in, for a file to read or write, and for the interpreter that a script names in its
    first line (``#!``), too. ``filename`` is what is not there, and differs from ``program`` then:

    >>> try:
    ...     Command("pwd").cwd("/no/such/directory").run()
    ... except ProcessNotFound as error:
    ...     error.program, error.filename
    ('pwd', '/no/such/directory')
    """

    filename: str | None
    """What is not there: ``program``, or the path of something else that it needs."""

    _number = errno.ENOENT


class PermissionDenied(_NotStarted, PermissionError):
    """It cannot be executed, or a privilege that it asks for was refused. Also a ``PermissionError``. ``filename`` says of what, as
    that of ``ProcessNotFound`` does.

    >>> from pinfold import Command, PermissionDenied
    >>> try:
    ...     Command("/etc/passwd").run()
    ... except PermissionDenied as error:
    ...     isinstance(error, PermissionError), error.strerror
    (True, 'Permission denied')
    """

    _number = errno.EACCES


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


def read_json(text: str | bytes, make: Callable[[Any], _T]) -> _T:
    """What can be made of JSON; ``InvalidInput`` if it is none, or not of that."""
    try:
        return make(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else error
        raise InvalidInput(f"not such JSON: {why}") from error


def late(program: str | None, what: str, timeout: float | timedelta) -> Timeout:
    """What is raised when something was waited for too long; ``what`` reads after the program's name."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else float(timeout)
    message = f"{what} within {seconds:g}s"
    return Timeout(f"{program}: {message}" if program else message, program=program, timeout_seconds=seconds)


def _rebuilt(cls: type[ProcessError], message: str, fields: dict[str, Any]) -> ProcessError:
    return cls(message, **fields)
