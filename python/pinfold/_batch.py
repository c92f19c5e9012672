"""Many commands, a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pinfold._errors import ProcessError
from pinfold._loop import drive
from pinfold._native import BytesResult, Command, ProcessResult, batch
from pinfold._verbs import Verbs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import ClassVar

    from typing_extensions import Self

    from pinfold._native import BatchProgress, CancelToken, Pollable
    from pinfold._runner import ProcessRunner
    from pinfold.distributed import RemoteRunner

    OnProgress = Callable[[BatchProgress], object]

__all__ = ["Completed", "Completion", "aoutput_all", "aoutput_all_bytes", "output_all", "output_all_bytes", "output_as_completed"]

# So many results at a time come from the native half: few enough to be nowhere twice, and many enough to cost nothing.
_CHUNK = 256


def output_all(
    commands: Iterable[Command],
    *,
    concurrency: int | None = None,
    fail_fast: bool = False,
    on_progress: OnProgress | None = None,
    cancel: CancelToken | None = None,
    runner: ProcessRunner | RemoteRunner | None = None,
) -> list[ProcessResult | ProcessError]:
    """Runs all of these commands, ``concurrency`` at a time: by default as many as this process may use CPUs. The result or the
    error of each, in their order; a program that fails is a result.

    Commands may come from any iterable, and one is taken when there is room for it. Each has its own timeout, retries, limits and
    container. With ``fail_fast``, and where ``cancel`` is cancelled, what runs is stopped at the first that is no success, and no
    more is started: what was ended or not started for that has a ``Cancelled`` (if the commands have a ``len()``; of others the
    list ends with those that were started). ``on_progress`` is called whenever one has begun or ended; what it, or the iterable,
    raises ends all of them.

    ``runner`` is what runs them in place of this host: a double, a group, or a ``RemoteRunner`` (see ``pinfold.distributed``), which
    has them run elsewhere, as many at a time as that has room for.

    >>> from pinfold import Command, output_all
    >>> results = output_all([Command("echo", ["one"]), Command("false"), Command("no-such-program")], concurrency=2)
    >>> [type(result).__name__ for result in results]
    ['ProcessResult', 'ProcessResult', 'ProcessNotFound']
    >>> results[0].stdout, results[1].code
    ('one\\n', 1)
    """
    return _slots(_begun(commands, False, _CHUNK, concurrency, fail_fast, on_progress, cancel, runner))


def output_all_bytes(
    commands: Iterable[Command],
    *,
    concurrency: int | None = None,
    fail_fast: bool = False,
    on_progress: OnProgress | None = None,
    cancel: CancelToken | None = None,
    runner: ProcessRunner | RemoteRunner | None = None,
) -> list[BytesResult | ProcessError]:
    """:func:`output_all` with standard output as bytes.

    >>> from pinfold import Command, output_all_bytes
    >>> [result.stdout for result in output_all_bytes([Command("printf", ["\\\\377"])])]
    [b'\\xff']
    """
    return _slots(_begun(commands, True, _CHUNK, concurrency, fail_fast, on_progress, cancel, runner))


async def aoutput_all(
    commands: Iterable[Command],
    *,
    concurrency: int | None = None,
    fail_fast: bool = False,
    on_progress: OnProgress | None = None,
    cancel: CancelToken | None = None,
    runner: ProcessRunner | RemoteRunner | None = None,
) -> list[ProcessResult | ProcessError]:
    """:func:`output_all`, awaited.

    >>> import asyncio
    >>> from pinfold import Command, aoutput_all
    >>> [result.stdout for result in asyncio.run(aoutput_all([Command("echo", ["hello"])]))]
    ['hello\\n']
    """
    return await _awaited(_begun(commands, False, _CHUNK, concurrency, fail_fast, on_progress, cancel, runner))


async def aoutput_all_bytes(
    commands: Iterable[Command],
    *,
    concurrency: int | None = None,
    fail_fast: bool = False,
    on_progress: OnProgress | None = None,
    cancel: CancelToken | None = None,
    runner: ProcessRunner | RemoteRunner | None = None,
) -> list[BytesResult | ProcessError]:
    """:func:`output_all_bytes`, awaited.

    >>> import asyncio
    >>> from pinfold import Command, aoutput_all_bytes
    >>> [result.stdout for result in asyncio.run(aoutput_all_bytes([Command("echo", ["hello"])]))]
    [b'hello\\n']
    """
    return await _awaited(_begun(commands, True, _CHUNK, concurrency, fail_fast, on_progress, cancel, runner))


def output_as_completed(
    commands: Iterable[Command],
    *,
    concurrency: int | None = None,
    fail_fast: bool = False,
    on_progress: OnProgress | None = None,
    cancel: CancelToken | None = None,
    runner: ProcessRunner | RemoteRunner | None = None,
) -> Completion:
    """Runs all of these commands as :func:`output_all` does, and gives each as it is completed, by ``for`` or ``async for``.
    Nothing is kept, so they may be as many as one likes.

    Runs go on while the next is waited for. Leaving the ``with`` or ``async with`` block kills what still runs, as does
    forgetting it, and cancelling or interrupting a wait for the next.

    >>> from pinfold import Command, output_as_completed
    >>> commands = (Command("expr", [str(number), "*", "2"]) for number in range(1, 21))
    >>> sum(int(done.ensure_success().stdout) for done in output_as_completed(commands, concurrency=4))
    420
    """
    return Completion(_begun(commands, False, None, concurrency, fail_fast, on_progress, cancel, runner))


class Completed:
    """A command of a batch that has ended.

    >>> from pinfold import Command, output_as_completed
    >>> for it in output_as_completed([Command("echo", ["hello"])]):
    ...     it.index, it.command.program, it.attempts, it.result.stdout
    (0, 'echo', 1, 'hello\\n')
    """

    __slots__ = ("_attempts", "_command", "_index", "_result")

    def __init__(self, index: int, command: Command, attempts: int, result: ProcessResult | ProcessError) -> None:
        self._index = index
        self._command = command
        self._attempts = attempts
        self._result = result

    @property
    def index(self) -> int:
        """Which of the commands it was, counted from 0."""
        return self._index

    @property
    def command(self) -> Command:
        """The command itself."""
        return self._command

    @property
    def attempts(self) -> int:
        """How often it was run, or tried to be."""
        return self._attempts

    @property
    def result(self) -> ProcessResult | ProcessError:
        """What became of the last attempt."""
        return self._result

    @property
    def is_success(self) -> bool:
        """Whether it ended of its own accord with one of its success codes."""
        return isinstance(self._result, ProcessResult) and self._result.is_success

    def ensure_success(self) -> ProcessResult:
        """The result, if it is a success; else raises what ``run()`` would.

        >>> from pinfold import Command, output_as_completed
        >>> [it.ensure_success().stdout for it in output_as_completed([Command("echo", ["hello"])])]
        ['hello\\n']
        """
        if isinstance(self._result, ProcessError):
            raise self._result
        return self._result.ensure_success()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Completed):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Completed.__slots__)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Completed {self._index}: {self._result!r}>"


class Completion:
    """What is completed of a batch, as it comes: see :func:`output_as_completed`.

    >>> from pinfold import Command, output_as_completed
    >>> commands = [Command("sleep", ["1000"]), Command("true")]
    >>> with output_as_completed(commands, concurrency=2) as completion:
    ...     next(completion).index
    1
    """

    __slots__ = ("_batch", "_ready")

    def __init__(self, batch: Pollable) -> None:
        self._batch = batch
        self._ready: Iterator[tuple[Any, ...]] = iter(())

    def close(self) -> None:
        """Kills what still runs.

        >>> from pinfold import Command, output_as_completed
        >>> completion = output_as_completed([Command("sleep", ["1000"])])
        >>> completion.close()
        >>> list(completion)
        []
        """
        self._ready = iter(())
        self._batch.end()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Completed:
        for done in self._ready:
            return Completed(*done)
        self._ready = iter(self._batch.block())
        return Completed(*next(self._ready))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Completed:
        for done in self._ready:
            return Completed(*done)
        self._ready = iter(await drive(self._batch))
        for done in self._ready:
            return Completed(*done)
        raise StopAsyncIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _begun(
    commands: Iterable[Command],
    as_bytes: bool,
    enough: int | None,
    concurrency: int | None,
    fail_fast: bool,
    on_progress: OnProgress | None,
    cancel: CancelToken | None,
    runner: ProcessRunner | RemoteRunner | None,
) -> Pollable:
    if runner is not None and not isinstance(runner, Verbs):
        # Imported only where it is not known yet whether it is one of these.
        from pinfold.distributed import RemoteRunner
        from pinfold.distributed._batch import RemoteBatch

        if isinstance(runner, RemoteRunner):
            far = RemoteBatch(runner, commands, as_bytes, enough, concurrency, fail_fast, on_progress, cancel)
            # It is driven by the same methods.
            return cast("Pollable", far)
    return batch(commands, as_bytes, enough, concurrency, fail_fast, on_progress, cancel, runner)


def _slots(batch: Pollable) -> list[Any]:
    slots: list[Any] = []
    while chunk := batch.block():
        _put(slots, chunk)
    return slots


async def _awaited(batch: Pollable) -> list[Any]:
    slots: list[Any] = []
    while chunk := cast("list[tuple[Any, ...]]", await drive(batch)):
        _put(slots, chunk)
    return slots


def _put(slots: list[Any], chunk: list[tuple[Any, ...]]) -> None:
    for index, _, _, result in chunk:
        if index >= len(slots):
            slots.extend([None] * (index + 1 - len(slots)))
        slots[index] = result
