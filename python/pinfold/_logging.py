"""What happens to runs, on the logger ``pinfold`` of Python's own logging."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from pinfold._native import on_every_event

if TYPE_CHECKING:
    from pinfold._native import RunEvent

__all__ = ["enable_logging"]

_logger = logging.getLogger("pinfold")
_lock = threading.Lock()
_enabled = False


def enable_logging() -> None:
    """Has what happens to all runs of this process written to the logger ``pinfold``, from now on: those of commands, groups and
    doubles. It can be called again, and makes no difference then; off is a matter of the logger's level.

    ``started``, and ``ended`` of its own accord, are of the level ``DEBUG``; ``stopping``, ``retrying`` and ``restarted`` are
    ``INFO``; ``not_started``, ``limit_hit`` and what ended by a timeout, an output limit or a signal is ``WARNING``. Each record
    has what it says as attributes too, with ``pinfold_`` in front: ``record.pinfold_program``, ``record.pinfold_run``. No argument,
    environment variable or output is ever among it.

    >>> import logging, sys
    >>> from pinfold import Command, enable_logging
    >>> logger, handler = logging.getLogger("pinfold"), logging.StreamHandler(sys.stdout)
    >>> handler.setFormatter(logging.Formatter("%(levelname)s %(pinfold_program)s: %(pinfold_event)s"))
    >>> logger.addHandler(handler)
    >>> logger.setLevel(logging.DEBUG)
    >>> enable_logging()
    >>> Command("true").run()
    DEBUG true: started
    DEBUG true: ended
    ''
    >>> logger.setLevel(logging.NOTSET)
    >>> logger.removeHandler(handler)
    """
    global _enabled
    with _lock:
        if not _enabled:
            on_every_event(_log)
            _enabled = True


def _level(event: RunEvent) -> int:
    outcome = event.outcome
    if outcome is not None:
        as_meant = outcome.cause in ("stopped", "cancelled") or (outcome.cause == "itself" and outcome.code is not None)
        return logging.DEBUG if as_meant else logging.WARNING
    return {"started": logging.DEBUG, "not_started": logging.WARNING, "limit_hit": logging.WARNING}.get(event.kind, logging.INFO)


def _log(event: RunEvent) -> None:
    level = _level(event)
    if not _logger.isEnabledFor(level):
        return
    facts = event.facts()
    said = " ".join(f"{name}={value}" for name, value in facts.items() if name != "event" and value is not None)
    _logger.log(level, "%s %s", event.kind.replace("_", " "), said, extra={f"pinfold_{k}": v for k, v in facts.items()})
