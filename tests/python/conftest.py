"""What the tests share: each runs under every loop that it is written for, and leaves neither processes nor descriptors."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pinfold import Command

Run = Callable[[Callable[[], Awaitable[Any]]], Any]


def _on_asyncio(main: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await main()

    return asyncio.run(run())


def _on_uvloop(main: Callable[[], Awaitable[Any]]) -> Any:
    uvloop = pytest.importorskip("uvloop")

    async def run() -> Any:
        return await main()

    # `uvloop.run` is deprecated where asyncio takes a factory itself, and the other way round.
    loop = uvloop.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(run())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


def _on_trio(main: Callable[[], Awaitable[Any]]) -> Any:
    trio = pytest.importorskip("trio")
    return trio.run(main)


class _NoReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch descriptors for others."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError

    def remove_reader(self, fd: Any) -> bool:
        raise NotImplementedError


def _without_readers(main: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await main()

    loop = _NoReaders()
    try:
        return loop.run_until_complete(run())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


LOOPS: dict[str, Run] = {
    "asyncio": _on_asyncio,
    "uvloop": _on_uvloop,
    "trio": _on_trio,
    "thread": _without_readers,
}


# What is the same under every Python: the second loop of asyncio's, the manner without one's own descriptors, what is written.
_LEFT_OUT_OF_LOOPS = {"uvloop", "thread"}
_LEFT_OUT_OF_FILES = {"test_dask.py", "test_docs.py", "test_examples.py", "test_pages.py", "test_reference.py"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--short", action="store_true", help="leaves out what a second Python has little to say to")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--short"):
        return

    def is_left_out(item: pytest.Item) -> bool:
        chosen = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        return item.path.name in _LEFT_OUT_OF_FILES or not _LEFT_OUT_OF_LOOPS.isdisjoint({chosen.get("loop"), chosen.get("aio")})

    config.hook.pytest_deselected(items=[item for item in items if is_left_out(item)])
    items[:] = [item for item in items if not is_left_out(item)]


@pytest.fixture(params=list(LOOPS))
def loop(request: pytest.FixtureRequest) -> Run:
    """Runs an async function to its end, under each of the loops."""
    return LOOPS[request.param]


@pytest.fixture(params=["asyncio", "uvloop", "thread"])
def aio(request: pytest.FixtureRequest) -> Run:
    """The same, for what is asyncio's alone."""
    return LOOPS[request.param]


def children(pid: int | str = "self") -> dict[int, str]:
    """The children of a process, by name."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            theirs = (task / "children").read_text().split()
        except OSError:
            # The thread has ended meanwhile.
            continue
        for child in theirs:
            try:
                found[int(child)] = Path(f"/proc/{child}/comm").read_text().strip()
            except OSError:
                pass
    return found


def descriptors() -> dict[str, int]:
    """How many descriptors of each kind are open."""
    kinds: dict[str, int] = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            kind = os.readlink(f"/proc/self/fd/{entry}").split(":")
        except OSError:
            continue
        # Cgroups are kept for the next runs, as directories and files.
        if kind[0] in ("pipe", "socket"):
            kinds[kind[0]] = kinds.get(kind[0], 0) + 1
        elif kind[0] == "anon_inode":
            kinds[kind[1]] = kinds.get(kind[1], 0) + 1
    return kinds


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """What this process has once and for all is made by the first run, and by the first loop of a kind."""
    # Whatever is started in the background ignores ^C, and no test of it would ever end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # So it is with ^\ there, and with what hangs up below `nohup`.
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for name, run in LOOPS.items():
        if name not in ("uvloop", "trio") or importlib.util.find_spec(name) is not None:
            run(Command("true").arun)


@pytest.fixture(autouse=True)
def nothing_is_left(warm: None) -> Iterator[None]:
    gc.collect()
    before = children(), descriptors()
    yield
    gc.collect()
    # What was left to the background is let go there.
    deadline = time.monotonic() + 30
    while (more := _more_than(before)) != ({}, {}) and time.monotonic() < deadline:
        time.sleep(0.002)
    assert more == ({}, {})


def _more_than(before: tuple[dict[int, str], dict[str, int]]) -> tuple[dict[int, str], dict[str, int]]:
    """The children and descriptors that have come since. Helpers that `multiprocessing` keeps may go at any time."""
    born = {pid: name for pid, name in children().items() if pid not in before[0]}
    opened = {kind: count - before[1].get(kind, 0) for kind, count in descriptors().items()}
    return born, {kind: count for kind, count in opened.items() if count > 0}


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], list[str]]:
    """Writes a Python program, and gives the words that run it."""

    def written(source: str) -> list[str]:
        path = tmp_path / "script.py"
        path.write_text(source)
        return [sys.executable, str(path)]

    return written


# A program whose first thread has ended, which is a zombie by its state, and whose other one goes on.
HEADLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] not in "ZX" or int(fields[17]) > 1
    except OSError:
        return False
