"""What the owners on this host have, seen from outside, as records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pinfold._loop import drive
from pinfold._native import cleanup_json, signal_tracked, stop_tracked, tracked_json

if TYPE_CHECKING:
    from pinfold._handle import Seconds, Signal

__all__ = [
    "LeftOver",
    "Skipped",
    "Stopped",
    "Tracked",
    "TrackedMember",
    "TrackedOwner",
    "TrackedRun",
    "cleanup",
    "tracked",
]


@dataclass(frozen=True)
class TrackedMember:
    """A process in a run of an owner.

    >>> import os
    >>> from pinfold import Command, tracked
    >>> with Command("sleep", ["1000"]).start() as process:
    ...     mine = next(owner for owner in tracked().owners if owner.pid == os.getpid())
    ...     member = mine.runs[0].members[0]
    >>> member.name, member.pid == process.pid
    ('sleep', True)
    """

    pid: int
    """Its pid."""
    name: str
    """What its program is called, in at most 15 bytes."""
    state: str
    """What it is doing: ``running``, ``sleeping``, ``stopped``, ..."""
    age_seconds: float
    """How long it has been there."""
    cpu_seconds: float
    """Its time on CPUs."""


@dataclass(frozen=True)
class Stopped:
    """What stopping an owner's runs came to.

    >>> import os
    >>> from pinfold import Command, tracked
    >>> with Command("sleep", ["1000"]).start() as process:
    ...     mine = next(owner for owner in tracked().owners if owner.pid == os.getpid())
    ...     stopped = mine.stop(grace=10)
    >>> [member.name for member in stopped.members], stopped.left
    (['sleep'], ())
    """

    members: tuple[TrackedMember, ...]
    """Who was there when it began."""
    killed: bool
    """Whether grace ended before they did."""
    left: tuple[TrackedMember, ...]
    """Who is still there: what this user may not signal, or what the kernel keeps from ending."""


@dataclass(frozen=True)
class _Target:
    """What an owner has, or one run of it, to act on."""

    def _named(self) -> tuple[int, str | None]:
        raise NotImplementedError

    def signal(self, signal: Signal) -> tuple[TrackedMember, ...]:
        """Sends a signal to everything that runs there now, and waits for nothing: who was there.

        >>> import os
        >>> from pinfold import Command, tracked
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     mine = next(owner for owner in tracked().owners if owner.pid == os.getpid())
        ...     _ = mine.signal("usr1")
        ...     process.wait(timeout=10).signal
        10
        """
        pid, run = self._named()
        return _members(json.loads(signal_tracked(pid, run, signal)))

    def stop(self, *, signal: Signal | None = None, grace: Seconds | None = None) -> Stopped:
        """Stops everything that runs there now: a signal, grace, and a kill of what is left. The owner itself is not signalled,
        and learns of it as of any end.

        >>> import os
        >>> from pinfold import Command, tracked
        >>> with Command("sleep", ["1000"]).start() as process:
        ...     mine = next(owner for owner in tracked().owners if owner.pid == os.getpid())
        ...     mine.stop(grace=10).left
        ()
        """
        pid, run = self._named()
        return _stopped(json.loads(stop_tracked(pid, run, signal, grace).block()))

    async def astop(self, *, signal: Signal | None = None, grace: Seconds | None = None) -> Stopped:
        """``stop()``, awaited."""
        pid, run = self._named()
        return _stopped(json.loads(await drive(stop_tracked(pid, run, signal, grace))))


@dataclass(frozen=True)
class TrackedRun(_Target):
    """A run, or part of one: what lives in one container.

    >>> import os
    >>> from pinfold import Command, tracked
    >>> with Command("sleep", ["1000"]).start() as process:
    ...     mine = next(owner for owner in tracked().owners if owner.pid == os.getpid())
    ...     run = mine.runs[0]
    ...     _ = run.stop()
    ...     process.wait().signal
    15
    """

    owner: int
    """The pid of its owner."""
    id: str
    """What it is called among the runs of its owner."""
    mechanism: str
    """What holds it together."""
    members: tuple[TrackedMember, ...]
    """Who lives in it."""

    def _named(self) -> tuple[int, str | None]:
        return self.owner, self.id


@dataclass(frozen=True)
class TrackedOwner(_Target):
    """A process that has runs.

    >>> import os
    >>> from pinfold import Command, tracked
    >>> with Command("sleep", ["1000"]).start() as process:
    ...     mine = next(owner for owner in tracked().owners if owner.pid == os.getpid())
    ...     [member.name for member in mine.signal("KILL")]
    ['sleep']
    """

    pid: int
    """Its pid."""
    start: int
    """When it was started, in clock ticks since the system's start: with the pid, an identity."""
    name: str
    """What its program is called, in at most 15 bytes."""
    age_seconds: float
    """How long it has been there."""
    runs: tuple[TrackedRun, ...]
    """Those of its runs in which something lives."""

    def _named(self) -> tuple[int, str | None]:
        return self.pid, None


@dataclass(frozen=True)
class Skipped:
    """A file of the registry that was not believed, or that nothing is done about.

    >>> from pinfold import tracked
    >>> [skipped.why for skipped in tracked().skipped if not skipped.why]
    []
    """

    path: str
    """The file."""
    why: str
    """Why, in words."""


@dataclass(frozen=True)
class Tracked:
    """The living owners of this user.

    >>> import os
    >>> from pinfold import tracked
    >>> os.path.isdir(tracked().registry)
    True
    """

    registry: str
    """The directory that was read."""
    owners: tuple[TrackedOwner, ...]
    """In the order of their pids."""
    skipped: tuple[Skipped, ...]
    """What was not believed."""


@dataclass(frozen=True)
class LeftOver:
    """Something that a dead owner left.

    >>> from pinfold import cleanup
    >>> {left.fate for left in cleanup(dry_run=True)} <= {"found", "skipped", "failed"}
    True
    """

    owner: int | None
    """The owner that was; ``None`` where that cannot be told."""
    thing: str
    """What it is: ``entry`` (a file of the registry), ``cgroup``, ``keeper`` or ``process_group``."""
    path: str
    """The file or directory; that of the registry where it is a process."""
    members: tuple[TrackedMember, ...]
    """Who lived in it when it was found."""
    fate: str
    """What became of it: ``found`` (this was only to look), ``cleared``, ``skipped`` (nobody's to clear from here) or ``failed``."""
    why: str | None
    """Why it was skipped, or failed."""


def tracked() -> Tracked:
    """The living owners of this user, this process among them if it has runs, and what runs in their containers.

    Raises ``Unsupported`` where the registry is turned off or has no place.

    >>> import os
    >>> from pinfold import Command, tracked
    >>> with Command("sleep", ["1000"]).start() as process:
    ...     mine = [owner for owner in tracked().owners if owner.pid == os.getpid()]
    ...     [member.name for run in mine[0].runs for member in run.members]
    ['sleep']
    """
    facts = json.loads(tracked_json())
    return Tracked(
        registry=facts["registry"],
        owners=tuple(_owner(owner) for owner in facts["owners"]),
        skipped=tuple(Skipped(**skipped) for skipped in facts["skipped"]),
    )


def cleanup(*, dry_run: bool = False, owner: int | None = None) -> list[LeftOver]:
    """Finds what dead owners of this user left, and clears it unless ``dry_run``; with ``owner``, what the owner of that pid left.

    >>> from pinfold import cleanup
    >>> all(left.fate in ("found", "skipped", "failed") for left in cleanup(dry_run=True))
    True
    """
    return [_left(left) for left in json.loads(cleanup_json(dry_run, owner))]


def _members(found: list[dict[str, Any]]) -> tuple[TrackedMember, ...]:
    return tuple(TrackedMember(**member) for member in found)


def _owner(owner: dict[str, Any]) -> TrackedOwner:
    runs = tuple(
        TrackedRun(owner=owner["pid"], id=run["id"], mechanism=run["mechanism"], members=_members(run["members"]))
        for run in owner.pop("runs")
    )
    return TrackedOwner(runs=runs, **owner)


def _stopped(stopped: dict[str, Any]) -> Stopped:
    return Stopped(
        members=_members(stopped["members"]), killed=stopped["killed"], left=_members(stopped["left"])
    )


def _left(left: dict[str, Any]) -> LeftOver:
    # What became of it is a word, or a word and why.
    became: str | dict[str, str] = left.pop("fate")
    fate, why = (became, None) if isinstance(became, str) else next(iter(became.items()))
    return LeftOver(members=_members(left.pop("members")), fate=fate, why=why, **left)
