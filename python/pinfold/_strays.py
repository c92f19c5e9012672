"""Which processes a test has left behind: what the plugin for pytest looks for, and ends.

A process is known by its pid and the time of its start. What was there before a test is no stray, nor is what a fixture of a wider
scope has started, until that fixture is torn down, nor the helpers that pinfold and `multiprocessing` keep for the whole process.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from typing import Any, NamedTuple

import pytest

from pinfold.pytest_plugin import StrayWarning

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37
# What is about to end when its test ends is given so many seconds to do so.
_MOMENT = 0.2


class Process(NamedTuple):
    """A process that cannot come to mean another."""

    pid: int
    started: int


class Seen(NamedTuple):
    """What is to know of one."""

    comm: str
    parent: int
    is_zombie: bool


def _look(pid: int) -> tuple[Process, Seen] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            head, _, tail = file.read().rpartition(b")")
    except OSError:
        return None
    fields = tail.split()
    comm = head.partition(b"(")[2].decode(errors="backslashreplace")
    # The state is that of its first thread, and a process lives until its last one has ended.
    is_zombie = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    return Process(pid, int(fields[19])), Seen(comm, int(fields[1]), is_zombie)


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found.update(map(int, file.read().split()))
    except OSError:
        # It has ended meanwhile; its children are somebody else's by now.
        pass
    return found


def _look_below() -> dict[Process, Seen]:
    found: dict[Process, Seen] = {}
    open_ = list(_children(os.getpid()))
    while open_:
        pid = open_.pop()
        seen = _look(pid)
        if seen is not None and seen[0] not in found:
            found[seen[0]] = seen[1]
            open_ += _children(pid)
    return found


def descendants() -> dict[Process, Seen]:
    """All descendants of this process, those of its ended children too if it adopts orphans."""
    # The kernel may pass over some while others end (proc(5)); two looks that agree have passed over none.
    before = _look_below()
    while True:
        now = _look_below()
        if now.keys() == before.keys():
            return now
        before = now


def _helpers() -> set[int]:
    """The pids of what `multiprocessing` keeps for the whole process."""
    found: set[int] = set()
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    if tracker is not None:
        found.add(getattr(tracker._resource_tracker, "_pid", None) or 0)
    server = sys.modules.get("multiprocessing.forkserver")
    if server is not None:
        found.add(getattr(server._forkserver, "_forkserver_pid", None) or 0)
    return found


def _waited_for() -> set[int]:
    """The pids whose status somebody in this process still means to ask for, as far as can be told."""
    # One that is being made, or whose program could not be started, has no pid.
    opened: list[Any] = [item for item in gc.get_objects() if isinstance(item, subprocess.Popen)]
    found = {item.pid for item in opened if isinstance(getattr(item, "pid", None), int)}
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        found |= {child.pid for child in processes._children}
    return found


def _end(strays: dict[Process, Seen]) -> None:
    """Kills them, and returns when they are dead."""
    handles: dict[Process, int] = {}
    for stray in strays:
        try:
            handle = os.pidfd_open(stray.pid)
        except OSError:
            continue
        seen = _look(stray.pid)
        if seen is not None and seen[0] == stray:
            handles[stray] = handle
        else:
            os.close(handle)
    for handle in handles.values():
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except OSError:
            pass
    for handle in handles.values():
        _await([handle], 5)
        os.close(handle)


def _await(handles: list[int], seconds: float) -> None:
    until = time.monotonic() + seconds
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    left = set(handles)
    while left and (rest := until - time.monotonic()) > 0:
        for handle, _ in poll.poll(rest * 1000):
            poll.unregister(handle)
            left.discard(handle)


# What a test has left.
_LEFT = pytest.StashKey[str]()


class Watcher:
    """The plugin while it is at work."""

    def __init__(self, *, fails: bool) -> None:
        self._fails = fails
        self._libc = ctypes.CDLL(None, use_errno=True)
        was = ctypes.c_int(0)
        self._libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(was), 0, 0, 0)
        self._adopted_before = was.value
        if self._libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise pytest.UsageError("--pinfold-strays: this process cannot adopt orphans here (PR_SET_CHILD_SUBREAPER)")
        self._pid = os.getpid()
        self._known = set(descendants())
        # What fixtures of a wider scope have started.
        self._kept: dict[Any, set[Process]] = {}

    def close(self) -> None:
        """Leaves this process as it was."""
        if self._pid == os.getpid():
            self._libc.prctl(_PR_SET_CHILD_SUBREAPER, self._adopted_before, 0, 0, 0)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, object, object]:
        """Sees what a fixture starts that outlives one test."""
        if fixturedef.scope == "function":
            return (yield)
        before = set(descendants())
        try:
            return (yield)
        finally:
            self._kept[fixturedef] = set(descendants()) - before

    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        """What it has started is to be gone with it."""
        self._kept.pop(fixturedef, None)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """What is there before a test is not its; and what a fixture has started is that fixture's for as long as it is there."""
        self._known = set(descendants()).difference(*self._kept.values())
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """After all else: what is there now and was not before, is no process that anybody keeps."""
        try:
            result = yield
        except BaseException as error:
            # A test that fails already is told so by that; what it left is named beside it.
            said = self._clear()
            if said is not None:
                item.stash[_LEFT] = said
                item.add_report_section("teardown", "pinfold", said)
                if sys.version_info >= (3, 11):
                    error.add_note(said)
            raise
        said = self._clear()
        if said is not None:
            if self._fails:
                item.stash[_LEFT] = said
                pytest.fail(said, pytrace=False)
            item.warn(StrayWarning(said))
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A test that is expected to fail is not expected to leave anything: ``xfail`` forgives its teardown as well."""
        report = yield
        if self._fails and call.when == "teardown" and _LEFT in item.stash:
            report.outcome = "failed"
            vars(report).pop("wasxfail", None)
        return report

    def _clear(self) -> str | None:
        """Ends what is left, and says what that was."""
        if os.getpid() != self._pid:
            # A copy of this process that a test forked and that has come to this end of it.
            return None
        strays = self._strays()
        if strays:
            handles: list[int] = []
            for stray in strays:
                try:
                    handles.append(os.pidfd_open(stray.pid))
                except OSError:
                    pass
            _await(handles, _MOMENT)
            for handle in handles:
                os.close(handle)
            strays = self._strays()
        _end(strays)
        self._reap()
        if not strays:
            return None
        names = ", ".join(f"{seen.comm} ({stray.pid})" for stray, seen in sorted(strays.items()))
        plural = "es" if len(strays) > 1 else ""
        return f"{len(strays)} process{plural} outlived this test, and {'were' if plural else 'was'} ended: {names}"

    def _strays(self) -> dict[Process, Seen]:
        now = descendants()
        by_pid = {process.pid: process for process in now}
        kept = self._known.union(*self._kept.values())
        helpers = _helpers()

        def is_kept(process: Process) -> bool:
            while True:
                seen = now[process]
                if process in kept or process.pid in helpers or seen.comm == "pinfold-guard":
                    return True
                if seen.parent not in by_pid:
                    return False
                process = by_pid[seen.parent]

        return {process: seen for process, seen in now.items() if not seen.is_zombie and not is_kept(process)}

    def _reap(self) -> None:
        """Takes the status of adopted orphans that have ended, which nobody else will."""
        ended = [it.pid for it, seen in descendants().items() if seen.is_zombie and seen.parent == self._pid]
        if not ended:
            return
        for pid in set(ended) - _waited_for():
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
