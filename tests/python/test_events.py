"""Seeing what runs: events, the log, and what is counted."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import pinfold
from pinfold import Command, RunEvent, Runner, enable_logging, metrics
from pinfold.testing import RecordingRunner, Reply, ScriptedRunner

from conftest import is_alive

FAILS = Command("sh", ["-c", "exit 3", "argument"]).env("NAME", "variable")


def test_a_run_is_told_from_its_start_to_its_end(loop: Any) -> None:
    events: list[RunEvent] = []
    assert FAILS.exit_code(on_event=events.append) == 3
    assert [event.kind for event in events] == ["started", "ended"]
    started, ended = events
    assert started.run == ended.run > 0 and started.pid == ended.pid and started.program == "sh"
    assert started.mechanism is not None and started.guarantee is not None and started.outcome is None
    assert ended.outcome is not None and ended.outcome.code == 3 and ended.cause == "itself"

    async def main() -> None:
        events.clear()
        await FAILS.aexit_code(on_event=events.append)
        async with await Command("sleep", ["60"]).astart(on_event=events.append) as process:
            await process.stop()
        await Command("yes").afirst_line(on_event=events.append)

    loop(main)
    kinds = [event.kind for event in events]
    assert kinds == ["started", "ended", "started", "stopping", "ended", "started", "stopping", "ended"]
    stopping = events[3]
    assert (stopping.cause, stopping.signal) == ("stopped", 15)
    assert stopping.grace_seconds is not None and stopping.grace_seconds > 0


def test_a_listener_may_use_its_run(loop: Any) -> None:
    used: list[Any] = []
    box: list[Any] = []

    def listen(event: RunEvent) -> None:
        if box:
            # What nobody has any more may be of the same run, and goes away here.
            box[0].pop("lines", None)
            gc.collect()
            used.append((event.kind, box[0]["process"].usage.user_seconds))

    with Command("sh", ["-c", "echo ready; exec sleep 1000"]).start(on_event=listen) as process:
        lines = process.stdout_lines()
        assert next(lines) == "ready"
        box.append({"process": process, "lines": lines})
        del lines
        assert process.stop().cause == "stopped"
    box.clear()

    async def main() -> None:
        async with await Command("sh", ["-c", "echo ready; exec sleep 1000"]).astart(on_event=listen) as process:
            lines = process.stdout_lines()
            assert await anext(lines) == "ready"
            box.append({"process": process, "lines": lines})
            del lines
            assert (await process.stop()).cause == "stopped"

    loop(main)
    box.clear()
    assert [kind for kind, *_ in used] == ["stopping", "ended"] * 2


def test_every_kind_of_event() -> None:
    events: list[RunEvent] = []
    script = ScriptedRunner().sequence(["tool"], [Reply.fail(1), Reply.ok("long line\n")])
    command = Command("tool").retry(2, pause=0.001).output_limit(max_bytes=3)
    RecordingRunner(script).run(command, on_event=events.append)
    with pytest.raises(pinfold.NoReply):
        script.run(Command("tool"), on_event=events.append)
    with pytest.raises(pinfold.ProcessNotFound):
        Command("/no/such/program").start(on_event=events.append)
    kinds = "started ended retrying started limit_hit ended not_started not_started".split()
    assert [event.kind for event in events] == kinds
    facts = [event.facts() for event in events]
    assert all(event["event"] == kind for event, kind in zip(facts, kinds, strict=True))
    assert (facts[2]["attempt"], facts[2]["pause_seconds"]) == (2, 0.001) == (events[2].attempt, events[2].pause_seconds)
    assert facts[4]["limit"] == events[4].limit == "stdout"
    assert [event["error_kind"] for event in facts[6:]] == ["no_reply", "not_found"]
    assert events[7].pid is None and events[7].run == 0 and "pid" not in facts[7]
    assert repr(events[7]) == "<RunEvent not_started: '/no/such/program': not_found>"
    assert repr(events[2]) == "<RunEvent retrying: 'tool'>" and "exit" in repr(events[1])


def test_an_event_is_plain_data_without_secrets() -> None:
    events: list[RunEvent] = []
    FAILS.exit_code(on_event=events.append)
    for event in events:
        assert pickle.loads(pickle.dumps(event)) == event == RunEvent.from_json(event.to_json())
        for said in (event.to_json(), repr(event), str(event.facts())):
            assert not any(secret in said for secret in ("argument", "variable", "NAME"))


def test_listeners_are_called_on_the_thread_that_waits() -> None:
    threads: list[threading.Thread] = []

    def note(*_: object) -> None:
        threads.append(threading.current_thread())

    def work() -> None:
        Command("echo", ["line"]).run(on_event=note, on_line=note)

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert threads == [threading.main_thread()] * 3 + [thread] * 3


def boom(_: RunEvent) -> None:
    raise LookupError("boom")


def test_what_a_listener_raises_ends_the_run_and_is_raised(loop: Any) -> None:
    sleep = Command("sleep", ["60"])
    for call in (sleep.run, sleep.first_line, sleep.start):
        with pytest.raises(LookupError, match="boom"):
            call(on_event=boom)

    async def main() -> None:
        for call in (sleep.arun, sleep.afirst_line, sleep.astart):
            with pytest.raises(LookupError, match="boom"):
                await call(on_event=boom)

    loop(main)


def test_what_is_raised_later_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_value))
    seen: list[str] = []

    def late(event: RunEvent) -> None:
        seen.append(event.kind)
        if event.kind != "started":
            raise LookupError(event.kind)

    with Command("sleep", ["60"]).start(on_event=late) as process:
        process.stop()
    assert seen == ["started", "stopping", "ended"]
    assert [str(error) for error in reported] == ["stopping", "ended"]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    enable_logging()
    with caplog.at_level(logging.DEBUG, logger="pinfold"):
        yield caplog


def test_the_log_has_every_run_once_and_no_secret(log: pytest.LogCaptureFixture, loop: Any) -> None:
    enable_logging()
    FAILS.exit_code()
    with pytest.raises(pinfold.ProcessNotFound):
        Runner().run(Command("/no/such/program"))
    ScriptedRunner().fallback(Reply.pending()).output(Command("tool").timeout(0.001))

    async def main() -> None:
        await Command("true").arun()

    loop(main)
    records = [record for record in log.records if record.name == "pinfold"]
    assert [(record.levelname, record.pinfold_event) for record in records] == [  # type: ignore[attr-defined]
        ("DEBUG", "started"),
        ("DEBUG", "ended"),
        ("WARNING", "not_started"),
        ("DEBUG", "started"),
        ("INFO", "stopping"),
        ("WARNING", "ended"),
        ("DEBUG", "started"),
        ("DEBUG", "ended"),
    ]
    said = records[1].getMessage()
    assert said.startswith("ended run=") and " program=sh pid=" in said and "cause=itself code=3" in said
    assert records[1].pinfold_code == 3 and records[1].pinfold_program == "sh"  # type: ignore[attr-defined]
    text = "".join(str(vars(record)) for record in records)
    assert not any(secret in text for secret in ("argument", "variable", "NAME"))


def test_the_log_is_silent_by_its_level(log: pytest.LogCaptureFixture) -> None:
    logging.getLogger("pinfold").setLevel(logging.WARNING)
    Command("true").run()
    assert not [record for record in log.records if record.name == "pinfold"]


def test_a_handler_that_fails_costs_no_run() -> None:
    source = """
import logging, sys, pinfold

class Bad(logging.Handler):
    def emit(self, record):
        raise LookupError(record.pinfold_event)

logging.getLogger("pinfold").addHandler(Bad())
logging.getLogger("pinfold").setLevel(logging.DEBUG)
pinfold.enable_logging()
sys.unraisablehook = lambda report: print("reported", report.exc_value)
print(pinfold.Command("echo", ["fine"]).run())
# Runs that are ended while the interpreter goes have nobody to be told to.
process = pinfold.Command("sleep", ["60"]).start()
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", source], capture_output=True, text=True, timeout=60)
    lines = run.stdout.splitlines()
    assert lines[:3] == ["reported started", "reported ended", "fine"], run.stderr
    assert run.returncode == 0 and "panicked" not in run.stderr


def test_logging_is_not_imported_unless_it_is_used() -> None:
    source = "import sys, pinfold; pinfold.Command('true').run(); assert 'logging' not in sys.modules"
    subprocess.run([sys.executable, "-c", source], check=True)


class Raised(BaseException):
    """What a signal handler raises, as it does `KeyboardInterrupt`."""


@pytest.mark.parametrize("call", ["run", "start", "wait", "arun"])
@pytest.mark.parametrize("event", ["started", "ended"])
def test_the_log_swallows_no_interrupt(call: str, event: str, caplog: pytest.LogCaptureFixture) -> None:
    class Interrupting(logging.Handler):
        """A signal comes in the midst of what is called for the log."""

        def emit(self, record: logging.LogRecord) -> None:
            if getattr(record, "pinfold_event", None) == event and not told:
                told.append(record.pinfold_pid)  # type: ignore[attr-defined]
                signal.raise_signal(signal.SIGUSR1)

    def interrupt(*_: object) -> None:
        raise Raised

    enable_logging()
    told: list[int] = []
    command = Command("sleep", ["1000" if event == "started" else "0"])
    logger, handler, before = logging.getLogger("pinfold"), Interrupting(), signal.signal(signal.SIGUSR1, interrupt)
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.DEBUG, "pinfold"), pytest.raises(Raised):
            if call == "run":
                command.run()
            elif call == "arun":
                asyncio.run(command.arun())
            else:
                with command.start() as process:
                    # Without the end of a `with` block being what is interrupted.
                    process.wait() if call == "wait" or event == "ended" else None
                    pytest.fail("it was not raised")
    finally:
        logger.removeHandler(handler)
        signal.signal(signal.SIGUSR1, before)
    assert not is_alive(told[0])


def test_what_is_counted() -> None:
    before = metrics()
    Command("echo", ["four"]).run()
    FAILS.output()
    ScriptedRunner().fallback(Reply.timeout()).output(Command("tool"))
    with pytest.raises(pinfold.ProcessNotFound):
        Command("/no/such/program").run()
    with Command("sleep", ["60"]).start() as process:
        assert metrics().running == before.running + 1
        process.kill()
    after = metrics()

    def more(name: str, *key: Any) -> int:
        one, other = getattr(after, name), getattr(before, name)
        return int(one[key[0]] - other[key[0]] if key else one - other)

    assert sum(after.started.values()) - sum(before.started.values()) == 4
    assert more("started", "scripted") == 1 and more("not_started") == 1 and more("kills") == 1
    assert more("ended", ("itself", "exited_zero")) == more("ended", ("itself", "exited_non_zero")) == 1
    assert more("ended", ("timeout", "signalled")) == more("ended", ("stopped", "signalled")) == 1
    assert more("output_bytes", "stdout") == 5 and after.running == before.running
    assert sum(after.durations.values()) - sum(before.durations.values()) == 4
    assert max(after.durations) == float("inf") and after.duration_seconds > before.duration_seconds
    text = str(after)
    assert f"pinfold_runs_not_started_total {after.not_started}\n" in text
    assert repr(after).startswith("<Metrics: ")
    assert (after.retries, after.restarts, after.strays, after.stops) >= (0, 0, 0, 0)
    assert set(after.limit_hits) == {"stdout", "stderr", "memory", "processes"}
