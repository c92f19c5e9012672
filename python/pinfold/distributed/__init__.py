"""Batches beyond one machine: the seam for runners whose commands run elsewhere.

What travels is plain data: an order there, an answer back, each a line of JSON. A :class:`RemoteRunner` sends orders; on the other
side :func:`perform` runs the command, contained as any other, and makes the answer. ``pinfold.distributed.dask`` is such a runner.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Future
from typing import TYPE_CHECKING

from pinfold.distributed._wire import RemoteFailure, perform

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RemoteFailure", "RemoteRunner", "perform"]


class RemoteRunner(ABC):
    """Runs the commands of batches elsewhere: ``output_all(commands, runner=..)`` and its kin take one.

    Whoever derives from it says how an order gets to a place where :func:`perform` is called with it, and how the answer comes
    back. The batch decides all else: how many orders are out, in which order results are told, when all of it is to stop.

    >>> from concurrent.futures import Future, ThreadPoolExecutor
    >>> from pinfold import CancelToken, Command, output_all
    >>> from pinfold.distributed import RemoteRunner, perform
    >>> class Threads(RemoteRunner):
    ...     "Elsewhere is a thread of this process."
    ...     def __init__(self):
    ...         self._pool, self._tokens = ThreadPoolExecutor(2), {}
    ...     def submit(self, order):
    ...         token = CancelToken()
    ...         answer = self._pool.submit(perform, order, token)
    ...         self._tokens[answer] = token
    ...         return answer
    ...     def stop(self, answers):
    ...         for answer in answers:
    ...             self._tokens[answer].cancel()
    ...     def width(self):
    ...         return 2
    >>> [result.stdout for result in output_all([Command("echo", ["one"]), Command("echo", ["two"])], runner=Threads())]
    ['one\\n', 'two\\n']
    """

    __slots__ = ()

    @abstractmethod
    def submit(self, order: str, /) -> Future[str]:
        """Sends an order, without waiting for it, and returns its answer to come.

        An answer is what ``perform()`` returned. Where none can come any more the future has an exception instead: the command's
        slot then holds a :class:`RemoteFailure` caused by it. Whatever this raises itself ends the batch.
        """

    @abstractmethod
    def stop(self, answers: Sequence[Future[str]], /) -> None:
        """Has these commands stopped where they run, without waiting for it: the token is cancelled that ``perform()`` was given.

        Their answers still come, each when nothing of its command is left. It is called again for those that have not, every
        second: an order may have been on its way.
        """

    @abstractmethod
    def width(self) -> int:
        """How many orders are out at a time, unless the batch has a ``concurrency`` of its own. Asked every few seconds, as
        machines may come and go; with less than 1 it is 1."""
