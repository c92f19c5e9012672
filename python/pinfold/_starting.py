"""A start that is awaited, or entered: one value for both spellings."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pinfold._manner import only_is_awaited

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

_H = TypeVar("_H", bound="AbstractAsyncContextManager[Any]", covariant=True)

__all__ = ["Starting"]


class Starting(Coroutine[Any, Any, _H], Generic[_H]):
    """What ``astart()`` gives: awaited it is the live handle, and ``async with`` starts and enters that in one.

    It is a coroutine for whatever takes one, as ``asyncio.create_task`` does, and like one it does nothing before.

    >>> import asyncio
    >>> from pinfold import Command
    >>> async def main():
    ...     async with Command("seq", ["3"]).astart() as process:
    ...         return [int(line) async for line in process]
    >>> asyncio.run(main())
    [1, 2, 3]
    """

    __slots__ = ("_coroutine", "_handle")

    def __init__(self, coroutine: Coroutine[Any, Any, _H]) -> None:
        # Python warns of one that is never awaited.
        self._coroutine = coroutine

    def send(self, value: Any, /) -> Any:
        """A step of it, as of any coroutine."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Raises within it, as in any coroutine."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Has it never begin."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, _H]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> _H:
        self._handle = await self._coroutine
        await self._handle.__aenter__()
        return self._handle

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._handle.__aexit__(kind, error, trace)


only_is_awaited(Starting, "write start() in place of astart()")
