"""Moving the bytes of a `pinfold.subprocess.Popen` while its run goes on.

The pipes are this process's own, as the standard library has them, and the engine knows nothing of them. So whoever waits for a
pipe waits for the run as well: what outlives the program is stopped then, and cannot hold the pipe open for ever.
"""

from __future__ import annotations

import fcntl
import io
import os
import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

    from typing_extensions import Buffer

    from pinfold._native import Run

__all__ = ["Exchange", "OutputPipe"]

# What a pipe takes as it comes from the kernel, and what an unprivileged user may have it take.
_SMALL, _LARGE = 1 << 16, 1 << 20


class _Watch:
    """Descriptors that are waited for together with the end of a run."""

    def __init__(self, run: Run) -> None:
        self._poll = select.poll()
        self._end = run.wait()
        self._until: float | None = None
        self._is_over = False
        self._advance(first=True)

    def add(self, descriptor: int, events: int) -> None:
        self._poll.register(descriptor, events)

    def remove(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)

    def _advance(self, first: bool = False) -> None:
        left = self._end.advance()
        if left is None:
            if not first:
                self._poll.unregister(self._end.fileno())
            self._is_over, self._until = True, None
            return
        if first:
            self._poll.register(self._end.fileno(), select.POLLIN)
        self._until = None if left < 0 else time.monotonic() + left

    def wait(self, until: float | None = None) -> list[int]:
        """The descriptors that are ready; none of them once that time has come."""
        while True:
            times = [at for at in (until, self._until) if at is not None]
            # Rounded up, so that the time has come when it is over.
            left = max(0, -int(-(min(times) - time.monotonic()) * 1000 // 1)) if times else None
            ready = [descriptor for descriptor, _ in self._poll.poll(left)]
            end = None if self._is_over else self._end.fileno()
            now = time.monotonic()
            if end in ready or (self._until is not None and self._until <= now):
                self._advance()
            others = [descriptor for descriptor in ready if descriptor != end]
            if others or (until is not None and until <= now):
                return others


class OutputPipe(io.FileIO):
    """Our end of a pipe that a program writes to, as a file."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "rb")
        self.run: Run | None = None
        """Whose it is, once there is one."""
        self._watch: _Watch | None = None

    def _await(self) -> None:
        # Who made it non-blocking asks, and does not wait.
        if self.run is None or not os.get_blocking(self.fileno()):
            return
        if self._watch is None:
            self._watch = _Watch(self.run)
            self._watch.add(self.fileno(), select.POLLIN)
        self._watch.wait()

    def readinto(self, buffer: Buffer, /) -> int:
        self._await()
        # None if it would block, whatever the type says.
        return super().readinto(buffer)

    def read(self, size: int | None = -1, /) -> bytes | Any:
        if size is None or size < 0:
            return self.readall()
        self._await()
        return super().read(size)

    def readall(self) -> bytes | Any:
        chunks: list[bytes] = []
        while chunk := self.read(_LARGE):
            chunks.append(chunk)
        # Without anything, what would block is told apart from the end.
        return b"".join(chunks) if chunks else chunk


class Exchange:
    """What is fed to a program and what it writes, moved at the same time; it can be left and taken up again."""

    def __init__(self, run: Run, stdin: IO[Any] | None, outputs: list[IO[Any] | None], data: bytes | None) -> None:
        self._watch = _Watch(run)
        self._stdin = stdin
        self._outputs = outputs
        self._chunks: list[list[bytes]] = [[], []]
        self._left = memoryview(b"" if data is None else data).cast("B")
        self._handlers: dict[int, Callable[[int], bool]] = {}
        for output, chunks in zip(outputs, self._chunks, strict=True):
            if output is not None and not output.closed:
                self._register(output.fileno(), select.POLLIN, self._reader(output, chunks))
        if stdin is not None and not stdin.closed:
            self._register(stdin.fileno(), select.POLLOUT, self._write)

    def _register(self, descriptor: int, events: int, handler: Callable[[int], bool]) -> None:
        self._watch.add(descriptor, events)
        self._handlers[descriptor] = handler

    def _reader(self, output: IO[Any], chunks: list[bytes]) -> Callable[[int], bool]:
        size = _SMALL

        def read(descriptor: int) -> bool:
            nonlocal size
            chunk = os.read(descriptor, size)
            chunks.append(chunk)
            if len(chunk) == _SMALL == size:
                size = _LARGE
                _grow(descriptor)
            if not chunk:
                output.close()
            return bool(chunk)

        return read

    def _write(self, descriptor: int) -> bool:
        assert self._stdin is not None
        # What it takes at once is written at once; a blocking pipe would take a page at a time.
        was_blocking = os.get_blocking(descriptor)
        os.set_blocking(descriptor, False)
        try:
            self._left = self._left[os.write(descriptor, self._left[:_LARGE]) :]
            is_open = len(self._left) > 0
        except BlockingIOError:
            is_open = True
        except BrokenPipeError:
            is_open = False
        finally:
            os.set_blocking(descriptor, was_blocking)
        if not is_open:
            _close_quietly(self._stdin)
        return is_open

    def go_on(self, until: float | None) -> bool:
        """Moves all of it, or as much as there is time for: whether that was all."""
        while self._handlers:
            for descriptor in self._watch.wait(until):
                # One handler may have closed what another waits for.
                handler = self._handlers.get(descriptor)
                if handler is not None and not handler(descriptor):
                    del self._handlers[descriptor]
                    self._watch.remove(descriptor)
            if self._handlers and until is not None and until <= time.monotonic():
                return False
        return True

    def moved(self) -> tuple[bytes | None, bytes | None]:
        """What has come on each stream; nothing of one that is not a pipe or has not said anything yet."""
        out, err = (b"".join(chunks) if chunks else None for chunks in self._chunks)
        return out, err

    def whole(self) -> tuple[bytes | None, bytes | None]:
        """What came on each stream that is a pipe."""
        pairs = zip(self._outputs, self._chunks, strict=True)
        out, err = (None if output is None else b"".join(chunks) for output, chunks in pairs)
        return out, err


def _grow(descriptor: int) -> None:
    """Asks for a larger pipe; what is not granted is no error."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _LARGE)
    except (AttributeError, OSError):
        pass


def _close_quietly(stdin: IO[Any]) -> None:
    try:
        stdin.close()
    except BrokenPipeError:
        pass
