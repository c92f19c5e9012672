"""What the blocking and the async handle share: all that takes no waiting."""

from __future__ import annotations

import json
import os
import warnings
from typing import TYPE_CHECKING, Any

from pinfold._errors import read_json
from pinfold._native import Limits, LimitsHit, Outcome, Usage

if TYPE_CHECKING:
    import os
    from datetime import timedelta
    from typing import ClassVar, Literal

    from typing_extensions import Self

    from pinfold._native import Run

    Stream = Literal["stdout", "stderr"]
    Seconds = float | timedelta
    Signal = str | int
    Text = str | bytes | os.PathLike[str] | os.PathLike[bytes]

__all__ = ["Finished", "Handle"]


class Finished:
    """How a run ended, and what it wrote to standard error; its standard output was streamed.

    >>> from pinfold import Command
    >>> with Command("sh", ["-c", "echo out; echo err >&2; exit 3"]).start() as process:
    ...     lines = list(process)
    ...     finished = process.finish()
    >>> lines, finished.code, finished.stderr
    (['out'], 3, 'err\\n')
    """

    __slots__ = ("_outcome", "_stderr")

    def __init__(self, outcome: Outcome, stderr: str) -> None:
        self._outcome = outcome
        self._stderr = stderr

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return self._outcome

    @property
    def stderr(self) -> str:
        """What is retained of its standard error."""
        return self._stderr

    @property
    def code(self) -> int | None:
        """The exit code; ``None`` if a signal ended it."""
        return self.outcome.code

    @property
    def signal(self) -> int | None:
        """The number of the signal that ended it; ``None`` if it returned a code."""
        return self.outcome.signal

    @property
    def timed_out(self) -> bool:
        """Whether one of its timeouts ended it."""
        return self.outcome.timed_out

    @property
    def exited_zero(self) -> bool:
        """Whether it ended of its own accord with code 0."""
        return self.outcome.exited_zero

    def to_json(self) -> str:
        """Itself as JSON, which ``from_json`` reads."""
        return json.dumps({"outcome": json.loads(self._outcome.to_json()), "stderr": self._stderr})

    @classmethod
    def from_json(cls, json: str | bytes) -> Self:
        """What ``to_json`` wrote. Raises ``InvalidInput`` for anything else."""
        return read_json(json, cls._said)

    @classmethod
    def _said(cls, said: dict[str, Any]) -> Self:
        stderr = said["stderr"]
        if not isinstance(stderr, str):
            raise TypeError("stderr is no text")
        return cls(Outcome.from_json(json.dumps(said["outcome"])), stderr)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Finished):
            return NotImplemented
        return self.outcome == other.outcome and self.stderr == other.stderr

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Finished: {self.outcome}>"


class Handle:
    """A live run, without the waiting."""

    __slots__ = ("__weakref__", "_maker", "_run")

    def __init__(self, run: Run) -> None:
        self._run = run
        # A forked child has a copy of this, and is not to end what is its parent's.
        self._maker = os.getpid()

    def _is_mine(self) -> bool:
        return self._maker == os.getpid()

    @property
    def pid(self) -> int:
        """The program's pid. Good for showing: signals go through :meth:`signal`, which cannot hit another process."""
        return self._run.pid

    @property
    def program(self) -> str:
        """The program as the command named it."""
        return self._run.program

    @property
    def owns_group(self) -> bool:
        """Whether the run has a container of its own; one that was started in a group has not."""
        return self._run.owns_group

    @property
    def mechanism(self) -> str:
        """What holds the run together: ``cgroup_v2``, ``process_group``, ..."""
        return self._run.mechanism

    @property
    def guarantee(self) -> str:
        """What that is good for: ``kernel``, ``guarded``, ``while_owner_lives`` or ``best_effort``."""
        return self._run.guarantee

    @property
    def elapsed_seconds(self) -> float:
        """Since the start; for a run that has ended, until its end."""
        return self._run.elapsed_seconds

    @property
    def usage(self) -> Usage:
        """What it has used so far."""
        return self._run.usage

    @property
    def cpu_time_seconds(self) -> float:
        """Its time on CPUs so far."""
        return self._run.usage.cpu_time_seconds

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most memory of it so far, where the kernel knows it."""
        return self._run.usage.peak_memory_bytes

    @property
    def limits_hit(self) -> LimitsHit:
        """Which of its limits it has run into so far."""
        return self._run.limits_hit

    @property
    def stdout_line_count(self) -> int:
        """Lines seen on standard output so far; 0 if it is not captured."""
        seen = self._run.stdout_seen
        return 0 if seen is None else seen.lines

    @property
    def stderr_line_count(self) -> int:
        """Lines seen on standard error so far; 0 if it is not captured."""
        seen = self._run.stderr_seen
        return 0 if seen is None else seen.lines

    @property
    def stdout_byte_count(self) -> int:
        """Bytes seen on standard output so far; 0 if it is not captured."""
        seen = self._run.stdout_seen
        return 0 if seen is None else seen.bytes

    @property
    def stderr_byte_count(self) -> int:
        """Bytes seen on standard error so far; 0 if it is not captured."""
        seen = self._run.stderr_seen
        return 0 if seen is None else seen.bytes

    def members(self) -> list[int]:
        """The pids of all processes of the run.

        >>> from pinfold import Command
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     process.members() == [process.pid]
        True
        """
        return self._run.members

    def signal(self, signal: Signal, *, to_all: bool = True) -> None:
        """Sends a signal, by name or number, to every process of the run, or to the program alone.

        >>> from pinfold import Command
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     process.signal("usr1")
        ...     process.wait(timeout=10).signal
        10
        """
        self._run.signal(signal, to_all)

    def suspend(self) -> None:
        """Stops every process of the run from running, until :meth:`resume`.

        >>> from pinfold import Command
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     process.suspend()
        ...     process.resume()
        """
        self._run.suspend()

    def resume(self) -> None:
        """Lets it run again.

        >>> from pinfold import Command
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     process.suspend()
        ...     process.resume()
        """
        self._run.resume()

    def set_limits(self, limits: Limits) -> None:
        """Changes its limits to these, while it runs: what they do not name has no limit of ours any more.

        >>> from pinfold import Command, Limits, ResourceLimit
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     try:
        ...         process.set_limits(Limits(cpu_weight=10))
        ...     except ResourceLimit as error:
        ...         reason = str(error)
        """
        self._run.set_limits(limits)

    def try_wait(self) -> Outcome | None:
        """How it ended, if it has; without waiting.

        >>> from pinfold import Command
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     process.try_wait() is None
        True
        """
        return self._run.try_wait()

    def __repr__(self) -> str:
        state = "ended" if self._run.has_ended() else "running"
        return f"<{type(self).__name__} of {self.program!r}: {self.pid}, {state}>"

    def __del__(self, warn: Any = warnings.warn) -> None:
        # Without a run, its start failed.
        run = getattr(self, "_run", None)
        if run is None or not self._is_mine() or run.has_ended():
            return
        if not run.owns_group:
            # It is in the hands of its group, which ends it.
            if run.try_wait() is None:
                run.leave()
            return
        # Its output ends before it does, and whoever has read that has no reason to wait for more.
        if run.ends_by_itself():
            return
        warn(f"{self!r} was forgotten, and is killed", ResourceWarning, source=self, stacklevel=2)
        run.end()
