"""Batches on a Dask cluster. Needs the extra ``pinfold[dask]``, here and on the workers."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Literal

try:
    import distributed
except ImportError as _missing:
    raise ImportError(
        "pinfold.distributed.dask needs the package 'distributed', which is not installed: pip install 'pinfold[dask]'",
        name="distributed",
    ) from _missing

from pinfold._errors import InvalidInput
from pinfold._native import CancelToken
from pinfold.distributed import RemoteRunner, perform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

__all__ = ["DaskRunner", "WorkerLost"]


class WorkerLost(Exception):
    """The worker that ran a command died, or was taken away, and the command was not to be run again.

    >>> from pinfold.distributed import RemoteFailure
    >>> def to_look_into(slots):
    ...     "Those of which nobody knows whether they have run."
    ...     lost = (RemoteFailure, WorkerLost)
    ...     return [at for at, slot in enumerate(slots) if (type(slot), type(getattr(slot, "__cause__", None))) == lost]
    >>> to_look_into([])
    []
    """


class DaskRunner(RemoteRunner):
    """Runs the commands of batches on the workers of a Dask cluster, as many at a time as those have threads.

    Each worker contains what it runs: a command that is stopped, and one whose worker is killed, leaves nothing behind there.
    A command is stopped when its batch ends early, and when nobody waits for it any more: when its client has gone, too.

    A worker can die, and Dask then has others do its work. ``worker_lost`` says what that means for a command:

    - ``"rerun"`` (the default): it is run again, as Dask does with every task: also one whose worker died after its end,
      before its result was fetched. When as many workers have died of it as the scheduler tolerates
      (``distributed.scheduler.allowed-failures``, 3), its slot has a ``RemoteFailure`` caused by Dask's ``KilledWorker``.
    - ``"error"``: a command that has begun is not begun again, and its slot has a ``RemoteFailure`` caused by
      :class:`WorkerLost`. What had not begun yet is run elsewhere. It costs three questions to the scheduler for each command.

    >>> import distributed
    >>> from pinfold import Command, output_all
    >>> cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None)
    >>> with cluster, distributed.Client(cluster) as client:
    ...     results = output_all([Command("echo", ["one"]), Command("echo", ["two"])], runner=DaskRunner(client))
    >>> [result.stdout for result in results]
    ['one\\n', 'two\\n']

    ``workers``, ``resources`` and ``priority`` are those of Dask's ``Client.submit``. The client has to be a blocking one, which
    serves the awaited verbs as well. The workers have to have the same version of pinfold.
    """

    __slots__ = ("_client", "_ids", "_once", "_options")

    def __init__(
        self,
        client: distributed.Client,
        *,
        worker_lost: Literal["rerun", "error"] = "rerun",
        workers: str | Sequence[str] | None = None,
        resources: dict[str, float] | None = None,
        priority: int = 0,
    ) -> None:
        if worker_lost not in ("rerun", "error"):
            raise InvalidInput(f"worker_lost is 'rerun' or 'error', not {worker_lost!r}")
        if client.asynchronous:
            raise InvalidInput("an asynchronous client cannot be used here: make one without asynchronous=True")
        # Much of it is without types.
        self._client: Any = client
        self._once = worker_lost == "error"
        self._options: dict[str, Any] = {"workers": workers, "resources": resources, "priority": priority}
        self._ids: dict[Future[str], str] = {}
        client.register_plugin(_Watch(), name="pinfold")

    def submit(self, order: str, /) -> Future[str]:
        """Submits a task that carries it out."""
        key = f"pinfold-{uuid.uuid4().hex}"
        task = self._client.submit(_carry_out, order, key, self._once, key=key, pure=False, retries=0, **self._options)
        answer = asyncio.run_coroutine_threadsafe(self._fetched(task, key), self._loop())
        self._ids[answer] = key
        answer.add_done_callback(lambda answer: self._ids.pop(answer, None))
        return answer

    def stop(self, answers: Sequence[Future[str]], /) -> None:
        """Has all workers told which of theirs are to stop."""
        keys = [key for answer in answers if (key := self._ids.get(answer)) is not None]
        asyncio.run_coroutine_threadsafe(self._tell(keys), self._loop())

    def width(self) -> int:
        """How many threads the workers have."""
        return sum(self._client.nthreads().values())

    def __repr__(self) -> str:
        return f"<DaskRunner on {self._client!r}>"

    def _loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = self._client.loop.asyncio_loop
        return loop

    async def _fetched(self, task: Any, key: str) -> str:
        """The answer, once it is here."""
        try:
            answer: str = await self._client.gather(task, asynchronous=True)
            return answer
        finally:
            task.release()
            if self._once:
                await self._client.scheduler.event_clear(name=key)

    async def _tell(self, keys: list[str]) -> None:
        # A worker that is not there needs not be told.
        await self._client.run(_stop, keys, on_error="ignore")


# What follows is on the workers.

_mutex = threading.Lock()
_running: dict[str, CancelToken] = {}
# Those that ended because nobody waits for them here, and those that were told to stop, begun or not.
_dropped: set[str] = set()
_stopped: OrderedDict[str, None] = OrderedDict()
_REMEMBERED = 10_000


def _carry_out(order: str, key: str, once: bool) -> str:
    if once:
        # Whoever runs it again finds this: it is taken back when the answer has arrived.
        made: Callable[[str], Any] = distributed.Event
        begun = made(key)
        if begun.is_set():
            raise WorkerLost("its worker died while it ran, or before its result was fetched")
        begun.set()
    token = CancelToken()
    with _mutex:
        _running[key] = token
        if key in _stopped:
            token.cancel()
    try:
        answer = perform(order, token)
        with _mutex:
            dropped = key in _dropped
        if dropped:
            # It was stopped because this worker closes: that is no result of it.
            raise distributed.Reschedule
        return answer
    finally:
        with _mutex:
            del _running[key]
            _dropped.discard(key)


def _stop(keys: list[str]) -> None:
    with _mutex:
        for key in keys:
            _stopped[key] = None
            if key in _running:
                _running[key].cancel()
        while len(_stopped) > _REMEMBERED:
            _stopped.popitem(last=False)


def _drop(key: object) -> None:
    with _mutex:
        if isinstance(key, str) and key in _running and key not in _stopped:
            _dropped.add(key)
            _running[key].cancel()


class _Watch(distributed.WorkerPlugin):
    """Has stopped what the scheduler has no more use for, and everything when the worker closes."""

    idempotent = True

    def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
        if finish in ("cancelled", "released", "forgotten"):
            _drop(key)

    def teardown(self, worker: distributed.Worker) -> None:
        for key in list(_running):
            _drop(key)
