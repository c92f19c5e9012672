"""What is said to whoever enters a handle of one manner in the other.

Python's own words say that it cannot be done, and not what can. Type checkers are told nothing of this, and neither are
``hasattr`` and ``isinstance``: the handle is no context manager of the other manner.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

__all__ = ["only_blocks", "only_is_awaited"]


class _WrongManner(TypeError, AttributeError):
    """Raised by ``with`` it is the ``TypeError`` that Python would raise; whoever just looks is told that nothing is there."""


class _Refusal:
    __slots__ = ("_instead",)

    def __init__(self, instead: str) -> None:
        self._instead = instead

    def __get__(self, handle: object, cls: type[Any]) -> NoReturn:
        raise _WrongManner(f"{cls.__name__} {self._instead}")


def _refuse(cls: type[Any], enter: str, leave: str, instead: str) -> None:
    # Of the two, that which is looked for first: with both it would pass for a context manager.
    setattr(cls, leave if sys.version_info >= (3, 14) else enter, _Refusal(instead))


def only_blocks(cls: type[Any], instead: str) -> None:
    """Has ``async with`` on it say what to write."""
    _refuse(cls, "__aenter__", "__aexit__", f"blocks, and is entered by 'with'; for 'async with', {instead}")


def only_is_awaited(cls: type[Any], instead: str) -> None:
    """Has ``with`` on it say what to write."""
    _refuse(cls, "__enter__", "__exit__", f"is awaited, and entered by 'async with'; for 'with', {instead}")
