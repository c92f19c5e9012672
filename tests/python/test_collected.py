"""Cycles through callbacks: what nobody can reach any more is collected, and its processes are ended with it."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from conftest import is_alive
from pinfold import Command, Probe, ProcessGroup, Supervisor

SLEEPER = Command("sleep", ["1000"])


class App:
    """Keeps what calls it back."""

    kept: Any = None
    pid: int | None = None

    def told(self, *_: object) -> None:
        """Of an event."""

    def asked(self, *_: object) -> bool:
        return False

    def supervise(self, **rules: Any) -> None:
        self.kept = Supervisor(SLEEPER, **rules).start()
        while self.pid is None:
            self.pid = self.kept.status.pid

    def start(self) -> None:
        self.kept = SLEEPER.start(on_event=self.told)
        self.pid = self.kept.pid

    def start_in_group(self) -> None:
        group = ProcessGroup()
        self.kept = group, group.start(SLEEPER, on_event=self.told)
        self.pid = self.kept[1].pid

    def keep(self, kept: Any) -> None:
        self.kept = kept


WAYS: dict[str, Callable[[App], object]] = {
    "on_event": App.start,
    "on_event in a group": App.start_in_group,
    "stop_when": lambda app: app.supervise(stop_when=app.asked),
    "ready": lambda app: app.supervise(ready=Probe.holds(app.asked)),
    "alive": lambda app: app.supervise(alive=Probe.any(Probe.holds(app.asked).named("it"), Probe.file("/"))),
    "supervisor": lambda app: app.keep(Supervisor(SLEEPER, stop_when=app.asked, ready=Probe.line(app.asked))),
    "holds": lambda app: app.keep(Probe.holds(app.asked)),
    "line": lambda app: app.keep(Probe.line(app.asked).interval(1).attempt(1)),
    "prompt": lambda app: app.keep(Probe.prompt(app.asked)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_cycle_is_collected(way: str) -> None:
    app = App()
    told = weakref.ref(app)
    WAYS[way](app)
    pid = app.pid
    # It is not while somebody has it.
    gc.collect()
    assert pid is None or is_alive(pid)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        del app
        gc.collect()
    assert told() is None
    assert pid is None or not is_alive(pid)
    assert any("forgotten" in str(warning.message) for warning in said) == (pid is not None)


def test_what_is_called_back_is_not_collected_before_its_time() -> None:
    told: list[str] = []

    class Ear:
        def hear(self, event: Any) -> None:
            told.append(event.kind)

        def hold(self) -> bool:
            gc.collect()
            return True

    with Command("sh", ["-c", "echo out; read line"]).keep_stdin_open().start(on_event=Ear().hear) as process:
        gc.collect()
        process.wait_until(Probe.all(Probe.holds(Ear().hold), Probe.line(lambda line: line == "out")), timeout=10)
        process.take_stdin().write_line("")
        process.wait()
    assert told[0] == "started" and told[-1] == "ended"
    with Supervisor(SLEEPER, ready=Probe.holds(Ear().hold)).start() as running:
        gc.collect()
        running.wait_ready(timeout=10)
