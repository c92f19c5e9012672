"""What this host offers, as records."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pinfold._errors import read_json
from pinfold._native import host_report_json

__all__ = ["CgroupReport", "HostReport", "RegistryReport", "Rung", "host_report"]


@dataclass(frozen=True)
class Rung:
    """One mechanism that can hold a run together, and what it would guarantee here.

    >>> from pinfold import host_report
    >>> worst = host_report().rungs[-1]
    >>> worst.mechanism, worst.guarantee
    ('process_group', 'best_effort')
    """

    mechanism: str
    """Which: ``cgroup_v2``, ``subreaper``, ``pid_namespace`` or ``process_group``."""
    guarantee: str | None
    """What it would guarantee; ``None`` if it cannot be had."""
    lacking: str | None
    """Why it cannot be had."""
    remedy: str | None
    """How it, or more from it, could be had."""


@dataclass(frozen=True)
class CgroupReport:
    """The cgroup v2 hierarchy.

    >>> from pinfold import host_report
    >>> cgroup = host_report().cgroup
    >>> cgroup.place is not None or not cgroup.controllers
    True
    """

    place: str | None
    """The directory that this process is in."""
    controllers: tuple[str, ...]
    """The controllers there are in it; without them runs can be contained and not limited."""
    remedy: str | None
    """How those could be had that limits are made of and that are missing there; ``None`` where none is, or nothing is known."""
    kill: bool
    """Whether all of a cgroup can be killed in one word. Linux 5.14."""


@dataclass(frozen=True)
class RegistryReport:
    """The registry of owners, by which ``tracked()`` and ``cleanup()`` find them.

    >>> from pinfold import host_report
    >>> registry = host_report().registry
    >>> registry.lacking is not None or registry.directory is not None
    True
    """

    directory: str | None
    """Its directory."""
    lacking: str | None
    """Why nothing can be noted there."""


@dataclass(frozen=True)
class HostReport:
    """What this host offers to this process; as text it is what ``pinfold doctor`` prints.

    >>> from pinfold import host_report
    >>> report = host_report()
    >>> report.best in [rung.mechanism for rung in report.rungs]
    True
    """

    kernel: str | None
    """The kernel's release."""
    spawn_route: str
    """How processes are made: ``clone3``, ``clone`` or ``fork``."""
    rungs: tuple[Rung, ...]
    """Every mechanism of this platform, in the order in which they are tried; the last but one only on request."""
    best: str
    """The mechanism that a run gets which asks for nothing."""
    cgroup: CgroupReport
    """The cgroup v2 hierarchy."""
    guard_built: bool
    """Whether this build holds the guard's program, which is the keeper's too."""
    pidfds: bool
    """Whether processes have handles."""
    user_namespaces_lacking: str | None
    """Why there can be no user namespaces; ``None`` where nothing is known to forbid them."""
    registry: RegistryReport
    """The registry of owners."""
    _text: str = field(repr=False, compare=False)

    @property
    def guarantee(self) -> str:
        """What a run is guaranteed that asks for nothing."""
        return next(rung.guarantee for rung in self.rungs if rung.mechanism == self.best and rung.guarantee is not None)

    @property
    def contains(self) -> bool:
        """Whether there is anything better than a process group."""
        return any(rung.guarantee is not None for rung in self.rungs if rung.mechanism != "process_group")

    def to_json(self) -> str:
        """Itself as JSON, which ``from_json`` reads.

        >>> from pinfold import HostReport, host_report
        >>> report = host_report()
        >>> HostReport.from_json(report.to_json()) == report
        True
        """
        facts = asdict(self)
        return json.dumps({"text": facts.pop("_text"), **facts})

    @staticmethod
    def from_json(json: str | bytes) -> HostReport:
        """What ``to_json`` wrote. Raises ``InvalidInput`` for anything else."""
        return read_json(json, _report)

    def __str__(self) -> str:
        return self._text


def _report(said: dict[str, Any]) -> HostReport:
    facts = {**said}
    cgroup = {**facts.pop("cgroup")}
    cgroup["controllers"] = tuple(cgroup["controllers"])
    return HostReport(
        rungs=tuple(Rung(**rung) for rung in facts.pop("rungs")),
        cgroup=CgroupReport(**cgroup),
        registry=RegistryReport(**facts.pop("registry")),
        _text=facts.pop("text"),
        **facts,
    )


def host_report() -> HostReport:
    """Looks at this host, and tries what only trying tells: it starts a few processes, which end at once.

    >>> from pinfold import host_report
    >>> report = host_report()
    >>> report.best in [rung.mechanism for rung in report.rungs if rung.guarantee]
    True
    """
    said, text = host_report_json()
    return _report({**json.loads(said), "text": text})
