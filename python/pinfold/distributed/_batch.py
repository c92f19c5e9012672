"""A batch whose commands run elsewhere. It is driven as the native ones are: by steps, and by one descriptor that says when."""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from pinfold import _errors
from pinfold._native import BatchProgress, Command
from pinfold.distributed._wire import ordered, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from types import FrameType

    from pinfold._native import CancelToken
    from pinfold.distributed import RemoteRunner

__all__ = ["RemoteBatch"]

# Seconds after which those that are to stop are told again, and how wide the runner is is asked again.
_AGAIN = 1.0
_WIDTH = 2.0
# For which the end of what is left behind is waited for.
_PATIENCE = 30.0

_WHY = {
    "failed": "was not started: another of its batch failed",
    "cancelled": "was not started: its batch was cancelled",
}


class RemoteBatch:
    """As many orders are out as may be; answers are lists of what has ended, and an empty one at the end."""

    def __init__(
        self,
        runner: RemoteRunner,
        commands: Iterable[Command],
        as_bytes: bool,
        enough: int | None,
        concurrency: int | None,
        fail_fast: bool,
        on_progress: Callable[[BatchProgress], object] | None,
        cancel: CancelToken | None,
    ) -> None:
        if concurrency is not None and concurrency < 1:
            raise _errors.InvalidInput(f"concurrency: a batch of which {concurrency} may run at a time runs nothing")
        try:
            self._total: int | None = len(commands)  # type: ignore[arg-type]
        except TypeError:
            self._total = None
        self._commands = iter(commands)
        self._runner = runner
        self._as_bytes = as_bytes
        self._enough = enough
        self._concurrency = concurrency
        self._fail_fast = fail_fast
        self._on_progress = on_progress
        self._cancel = cancel
        self._wide = (0, 0.0)
        self._out: dict[Future[str], tuple[int, Command]] = {}
        self._came: deque[Future[str]] = deque()
        self._ready: list[tuple[int, Command | None, int, Any]] = []
        self._taken = self._done = self._failed = 0
        # Why no more are taken: "exhausted", "failed" or "cancelled".
        self._closed: str | None = None
        self._told_at = float("-inf")
        self._over = False
        self._raised: BaseException | None = None
        self._bell: _Bell | None = _Bell(cancel)
        # After a fork, the copy in the child ends nothing.
        self._maker = os.getpid()

    def advance(self) -> float | None:
        """Takes the steps that can be taken without waiting: `None` if there is an answer, else the seconds after which to come
        again, negative if only when it is told to."""
        try:
            self._work()
        except BaseException as error:
            # What the callbacks, the iterable or the runner raise ends all of them.
            self._raised = error
            self.end()
            return None
        if self._over or (len(self._ready) >= self._enough if self._enough is not None else self._ready):
            return None
        if self._closed in _WHY:
            return max(0.0, self._told_at + _AGAIN - time.monotonic())
        return _WIDTH if self._concurrency is None and self._closed is None else -1.0

    def fileno(self) -> int:
        """The descriptor that is readable when there is a step to take."""
        return self._rings().fileno()

    def result(self) -> list[tuple[int, Command | None, int, Any]]:
        """The answer."""
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised
        ready, self._ready = self._ready, []
        if not ready and self._over:
            self._close_bell()
            if self._closed in _WHY and self._enough is not None and self._total is not None:
                # They have slots too, where it is known how many there are.
                why, self._closed = _WHY[self._closed], "exhausted"
                for command in self._commands:
                    error = _errors.Cancelled(f"{command.program}: {why}", program=command.program)
                    ready.append((self._taken, None, 0, error))
                    self._taken += 1
        return ready

    def block(self) -> list[tuple[int, Command | None, int, Any]]:
        """Waits for an answer on this thread."""
        try:
            while (left := self.advance()) is not None:
                self._rest(left)
        except BaseException:
            self.end()
            raise
        return self.result()

    def end(self) -> None:
        """Has all stopped that are out, and returns when nothing is left of them."""
        self._closed, self._over = "exhausted", True
        self._ready.clear()
        deadline = time.monotonic() + _PATIENCE
        while self._out and (now := time.monotonic()) < deadline:
            self._runner.stop(list(self._out))
            self._take(now + _AGAIN)
            # Whoever was interrupted may have been told of them already.
            self._out = {answer: sent for answer, sent in self._out.items() if not answer.done()}
        if self._out:
            said = "%d commands were told to stop elsewhere, and it is not known whether they did"
            logging.getLogger("pinfold").warning(said, len(self._out))
            self._out.clear()
        self._close_bell()

    def _take(self, until: float) -> None:
        """Lets answers come until then, and has no use for them."""
        while self._out and (now := time.monotonic()) < until:
            self._rest(until - now)
            self._rings().quieten()
            while self._came:
                self._out.pop(self._came.popleft(), None)

    def _rest(self, left: float) -> None:
        # Signal handlers are run meanwhile, and what they raise comes out of it.
        select.select([self._rings()], [], [], None if left < 0 else left)

    def _rings(self) -> _Bell:
        if self._bell is None:
            self._bell = _Bell(self._cancel)
        return self._bell

    def _close_bell(self) -> None:
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.close()

    def __del__(self) -> None:
        # One that is forgotten is not waited for.
        if getattr(self, "_bell", None) is not None:
            if self._out and os.getpid() == self._maker:
                self._runner.stop(list(self._out))
            self._close_bell()

    def _work(self) -> None:
        if self._over:
            return
        bell = self._rings()
        bell.quieten()
        changed = False
        while self._came:
            answer = self._came.popleft()
            index, command = self._out.pop(answer)
            attempts, slot = settled(answer, command)
            self._ready.append((index, command, attempts, slot))
            self._done += 1
            changed = True
            if isinstance(slot, _errors.ProcessError) or not slot.is_success:
                self._failed += 1
                if self._fail_fast:
                    self._stop("failed")
        if self._cancel is not None and self._cancel.is_cancelled:
            self._stop("cancelled")
        while self._closed is None and len(self._out) < self._room():
            changed |= self._send(bell)
        now = time.monotonic()
        if self._closed in _WHY and self._out and now >= self._told_at + _AGAIN:
            self._told_at = now
            self._runner.stop(list(self._out))
        self._over = self._closed is not None and not self._out
        if changed and self._on_progress is not None:
            self._on_progress(BatchProgress._of(self._done, self._failed, len(self._out), self._total))

    def _send(self, bell: _Bell) -> bool:
        """Sends the next order, if there is one."""
        try:
            command = next(self._commands)
        except StopIteration:
            self._closed = "exhausted"
            return False
        # What is not typed can give anything.
        if not isinstance(command, Command):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a batch runs commands, and there is a {type(command).__name__} among them")
        came = self._came

        # It holds the batch by nothing, so that one that is forgotten goes away.
        def arrived(answer: Future[str]) -> None:
            came.append(answer)
            bell.ring()

        order = ordered(command, self._as_bytes)
        with _Undisturbed():
            # An interrupt in between would leave an order out of which nobody knows.
            answer = self._runner.submit(order)
            self._out[answer] = (self._taken, command)
            self._taken += 1
            answer.add_done_callback(arrived)
        return True

    def _room(self) -> int:
        if self._concurrency is not None:
            return self._concurrency
        wide, asked_at = self._wide
        now = time.monotonic()
        if wide == 0 or now >= asked_at + _WIDTH:
            wide = max(1, self._runner.width())
            self._wide = (wide, now)
        return wide

    def _stop(self, why: str) -> None:
        if self._closed in (None, "exhausted") and (self._out or self._closed is None):
            self._closed = why
            self._told_at = float("-inf")


class _Undisturbed:
    """Puts off what SIGINT does in Python until its block is over. Other threads are never interrupted."""

    def __enter__(self) -> None:
        self._noted: tuple[int, FrameType | None] | None = None
        here = threading.current_thread() is threading.main_thread()
        handler = signal.getsignal(signal.SIGINT) if here else None
        self._handler = handler if callable(handler) else None
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted = (number, frame)

    def __exit__(self, *_: object) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            if self._noted is not None:
                self._handler(*self._noted)


class _Bell:
    """A descriptor that other threads make readable, and the word of a token."""

    def __init__(self, cancel: CancelToken | None) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._cancel = cancel
        self._set = select.epoll()
        self._set.register(self._reader, select.EPOLLIN)
        if cancel is not None:
            self._set.register(cancel, select.EPOLLIN)
        self._open = True
        self._mutex = threading.Lock()

    def fileno(self) -> int:
        return self._set.fileno()

    def ring(self) -> None:
        with self._mutex:
            if self._open:
                try:
                    os.write(self._writer, b".")
                except BlockingIOError:
                    pass

    def quieten(self) -> None:
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            pass
        if self._cancel is not None and self._cancel.is_cancelled:
            # It tells of itself for good, and once is enough.
            self._set.unregister(self._cancel)
            self._cancel = None

    def close(self) -> None:
        with self._mutex:
            if self._open:
                self._open = False
                self._set.close()
                os.close(self._reader)
                os.close(self._writer)
