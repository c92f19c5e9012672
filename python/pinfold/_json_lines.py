"""Lines as the JSON values that they are: NDJSON, JSON Lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pinfold._errors import UnexpectedOutput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from typing_extensions import Self

    from pinfold._handle import Handle

__all__ = ["AsyncJsonLines", "JsonLines"]


class JsonLines:
    """Each line that is not empty as a value. One that is no JSON raises, and the next is the next."""

    __slots__ = ("_lines", "_process")

    def __init__(self, process: Handle, lines: Iterator[str]) -> None:
        # Whoever has lines to come has use for the run.
        self._process = process
        self._lines = enumerate(lines, 1)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        for number, line in self._lines:
            if not _is_empty(line):
                return _value(line, number, self._process)
        raise StopIteration


class AsyncJsonLines:
    """The same, awaited."""

    __slots__ = ("_lines", "_number", "_process")

    def __init__(self, process: Handle, lines: AsyncIterator[str]) -> None:
        self._process = process
        self._lines = lines
        self._number = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            line = await self._lines.__anext__()
            self._number += 1
            if not _is_empty(line):
                return _value(line, self._number, self._process)


def _is_empty(line: str) -> bool:
    return not line or line.isspace()


def _value(line: str, number: int, process: Handle) -> Any:
    try:
        return json.loads(line)
    # Depth and digits beyond what Python reads are the program's doing, too.
    except (ValueError, RecursionError) as error:
        # What the line says stays with its cause.
        why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        message = f"{process.program}: wrote no JSON on line {number}: {why}"
        raise UnexpectedOutput(message, program=process.program, line_number=number) from error
