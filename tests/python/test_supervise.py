"""Commands that are kept running: to the end, and by live handles, in both manners."""

from __future__ import annotations

import asyncio
import pickle
import signal
import threading
import time
from pathlib import Path

import pytest

from pinfold import (
    Cancelled,
    CancelToken,
    Command,
    InvalidInput,
    NotReady,
    PastRun,
    Probe,
    ProcessNotFound,
    ProcessResult,
    RunningSupervisor,
    SupervisionOutcome,
    Supervisor,
    Timeout,
)

from pinfold._loop import sleep

from conftest import Run, children, is_alive

FAILS = Command("sh", ["-c", "echo $$; exit 3"])
SLEEPS = Command("sh", ["-c", "echo listening; exec sleep 1000"])


def quick(command: Command, **rules: object) -> Supervisor:
    """With pauses that take no time."""
    return Supervisor(command, backoff_initial=0.001, jitter=False, **rules)  # type: ignore[arg-type]


def third_time(tmp_path: Path) -> Command:
    """Fails twice, and then succeeds."""
    return Command("sh", ["-c", "echo x >> runs; test $(wc -l < runs) -ge 3 || exit 1; echo at last"]).cwd(tmp_path)


def test_it_is_restarted_until_its_policy_is_satisfied(loop: Run, tmp_path: Path) -> None:
    def check(outcome: SupervisionOutcome) -> None:
        assert (outcome.restarts, outcome.stopped, outcome.storm_pauses) == (2, "policy_satisfied", 0)
        assert outcome.final_result is not None and outcome.final_result.stdout == "at last\n"
        assert [past.outcome.code for past in outcome.history if past.outcome] == [1, 1, 0]
        assert [past.number for past in outcome.history] == [1, 2, 3]

    check(quick(third_time(tmp_path), max_restarts=5).run())
    (tmp_path / "runs").unlink()

    async def main() -> SupervisionOutcome:
        return await quick(third_time(tmp_path), max_restarts=5).arun()

    check(loop(main))


@pytest.mark.parametrize(
    ("rules", "stopped", "restarts"),
    [
        ({"max_restarts": 2}, "restarts_exhausted", 2),
        ({"restart": "never"}, "policy_satisfied", 0),
        ({"restart": "always", "max_restarts": 1}, "restarts_exhausted", 1),
        ({"stop_when": lambda result: result.code == 3}, "predicate", 0),
        ({"restart": "never", "ready": Probe.file("/nothing"), "ready_within": 0.01}, "unhealthy", 0),
    ],
)
def test_how_it_ends(rules: dict[str, object], stopped: str, restarts: int) -> None:
    command = SLEEPS if "ready" in rules else FAILS
    outcome = quick(command, **rules).run()
    assert (outcome.stopped, outcome.restarts) == (stopped, restarts)


def test_storms_make_long_pauses() -> None:
    rules = {"max_restarts": 6, "storm_pause": 0.002, "failure_threshold": 2, "failure_decay": 1000}
    assert quick(FAILS, **rules).run().storm_pauses == 2


def test_outcomes_travel_as_plain_data() -> None:
    outcome = quick(FAILS, max_restarts=1, history=1).run()
    assert len(outcome.history) == 1
    for copy in (pickle.loads(pickle.dumps(outcome)), SupervisionOutcome.from_json(outcome.to_json())):
        assert copy == outcome and copy.final_result == outcome.final_result
    past = outcome.history[0]
    assert pickle.loads(pickle.dumps(past)) == past == PastRun.from_json(past.to_json())
    assert past.outcome is not None and past.outcome.code == 3 and past.reason is None


def test_what_cannot_be_meant_is_refused_at_once() -> None:
    for rules in (
        {"restart": "sometimes"},
        {"backoff_factor": 0.5},
        {"failure_threshold": 1.0},
        {"storm_pause": 1, "failure_decay": 0},
        {"ready_within": 1},
        {"alive_every": 1},
        {"alive": Probe.line("x")},
        {"alive": Probe.file("/"), "alive_failures": 0},
        {"restart_window": 10},
    ):
        with pytest.raises(InvalidInput):
            Supervisor(FAILS, **rules)
    with pytest.raises(InvalidInput, match="retried"):
        Supervisor(FAILS.retry(2))
    with pytest.raises(TypeError):
        Supervisor(FAILS, stop_when=3)  # type: ignore[arg-type]
    with pytest.raises(ProcessNotFound):
        Supervisor(Command("no-such-program")).run()


def test_what_a_stop_condition_raises_ends_supervision(loop: Run) -> None:
    def broken(result: ProcessResult) -> bool:
        raise KeyError(result.code)

    supervisor = quick(FAILS, stop_when=broken)
    with pytest.raises(KeyError, match="3"):
        supervisor.run()
    with supervisor.start() as running, pytest.raises(KeyError, match="3"):
        running.wait()

    async def main() -> None:
        with pytest.raises(KeyError):
            await supervisor.arun()
        with pytest.raises(TypeError, match="awaited"):
            await quick(FAILS, stop_when=lambda result: asyncio.sleep(0)).arun()

    loop(main)


def test_a_health_check_that_raises_has_failed() -> None:
    def refused() -> bool:
        raise ConnectionError("nobody there")

    supervisor = quick(SLEEPS, ready=Probe.line("listening"), alive=Probe.holds(refused), alive_every=0.01,
                       alive_failures=2, max_restarts=1)
    with supervisor.start() as running:
        events = list(running)
        outcome = running.wait()
    assert outcome.stopped == "restarts_exhausted" and outcome.history[-1].reason == "unhealthy"
    unhealthy = [event for event in events if event.kind == "unhealthy"]
    assert [(event.failures, event.ending) for event in unhealthy] == [(1, False), (2, True)] * 2
    assert unhealthy[0].reason == "a condition: it raised ConnectionError: nobody there"


def test_an_interrupt_in_a_health_check_is_none_of_its_failures() -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    before = children()
    with pytest.raises(KeyboardInterrupt):
        quick(SLEEPS, ready=Probe.holds(interrupted)).run()
    assert children() == before


def test_a_live_handle_tells_what_happens_and_is_told(loop: Run) -> None:
    def stopped(outcome: SupervisionOutcome) -> None:
        assert (outcome.stopped, outcome.restarts, outcome.restarts_asked) == ("stopped", 0, 1)
        assert [past.reason for past in outcome.history] == ["restart", "stop"]

    supervisor = quick(SLEEPS, ready=Probe.line("listening"))
    with supervisor.start() as running:
        running.wait_ready(timeout=10)
        status = running.status
        assert status.phase == "up" and status.pid is not None and is_alive(status.pid)
        assert status.running_seconds is not None and status.running_seconds < 1000 and status.runs == 1
        events = iter(running)
        assert [next(events).kind for _ in range(2)] == ["started", "ready"]
        running.restart()
        assert [next(events).kind for _ in range(3)] == ["stopping", "ended", "restarting"]
        assert next(events).pid != status.pid
        with pytest.raises(TimeoutError):
            running.wait(timeout=0.01)
        stopped(running.stop())
        assert [event.kind for event in events][-2:] == ["ended", "stopped"]
        assert running.status.phase == "over" and running.wait() == running.wait()
        with pytest.raises(NotReady):
            running.wait_ready(timeout=10)

    async def main() -> None:
        async with await supervisor.astart() as running:
            await running.wait_ready(timeout=10)
            pid = running.status.pid
            events = aiter(running)
            assert [(await anext(events)).kind for _ in range(2)] == ["started", "ready"]
            running.restart()
            assert [(await anext(events)).kind for _ in range(3)] == ["stopping", "ended", "restarting"]
            assert (await anext(events)).pid != pid
            with pytest.raises(TimeoutError):
                await running.wait(timeout=0.01)
            stopped(await running.stop())
            assert [event.kind async for event in events][-2:] == ["ended", "stopped"]

    loop(main)


def test_a_signal_reaches_the_program(tmp_path: Path) -> None:
    script = "trap 'echo hup; exit 0' HUP; echo ready; while :; do sleep 0.01; done"
    with quick(Command("sh", ["-c", script]), ready=Probe.line("ready")).start() as running:
        running.wait_ready(timeout=10)
        running.signal("hup")
        outcome = running.wait(timeout=10)
        assert outcome.final_result is not None and "hup" in outcome.final_result.stdout


def test_a_change_of_a_file_restarts_it(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("1")
    with quick(Command("sleep", ["1000"]), watch=[config], debounce=0).start() as running:
        running.wait_ready(timeout=10)
        events = iter(running)
        assert next(events).kind == "started" and next(events).kind == "ready"
        config.write_text("2")
        changed = next(events)
        assert (changed.kind, changed.path) == ("changed", str(config))
        assert next(events).reason == "change"


def test_a_wait_for_readiness_is_late_and_supervision_goes_on(loop: Run) -> None:
    supervisor = quick(SLEEPS, ready=Probe.line("never"), ready_within=1000)
    with supervisor.start() as running:
        with pytest.raises(Timeout, match=r"sh: was not ready after 0.02s, and is (due|starting) now"):
            running.wait_ready(timeout=0.02)

    async def main() -> None:
        async with await supervisor.astart() as running:
            with pytest.raises(Timeout):
                await running.wait_ready(timeout=0.02)

    loop(main)


def test_leaving_the_block_ends_all_of_it(aio: Run) -> None:
    pids = []
    with pytest.raises(KeyError), quick(SLEEPS).start() as running:
        running.wait_ready(timeout=10)
        pids.append(running.status.pid)
        raise KeyError
    # What failed is told to who asks, and not by leaving.
    with Supervisor(Command("no-such-program")).start() as lost:
        assert [event.kind for event in lost] == ["failed"]
    with pytest.raises(ProcessNotFound):
        lost.wait()

    async def main() -> None:
        async def supervised() -> None:
            async with await quick(SLEEPS).astart() as running:
                await running.wait_ready(timeout=10)
                pids.append(running.status.pid)
                ready.set()
                await running.wait()

        ready = asyncio.Event()
        task = asyncio.ensure_future(supervised())
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_alive(pids[-1] or 0)

    aio(main)
    assert len(pids) == 2 and not any(is_alive(pid or 0) for pid in pids)


def test_a_cancelled_supervision_is_empty_before_that_propagates(aio: Run) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(quick(SLEEPS).arun())
        while children() == before:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = children()
    aio(main)
    assert children() == before


def test_a_signal_ends_blocking_supervision() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = children()
    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            # However late, it comes in here.
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            quick(SLEEPS).run()
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert children() == before


def test_a_token_ends_it() -> None:
    token = CancelToken()
    threading.Timer(0.02, token.cancel).start()
    with pytest.raises(Cancelled):
        quick(SLEEPS, cancel=token).run()


def test_a_forgotten_handle_kills_what_runs() -> None:
    running = quick(SLEEPS).start()
    running.wait_ready(timeout=10)
    pid = running.status.pid or 0
    with pytest.warns(ResourceWarning, match="was forgotten"):
        del running
    assert not is_alive(pid)


@pytest.mark.parametrize("probe", ["ready", "line", "alive"])
def test_others_look_and_stop_while_a_predicate_is_asked(probe: str, loop: Run) -> None:
    """One who asks for its status has it at once; a loop would stand still meanwhile."""
    asked, go_on = threading.Event(), threading.Event()

    def holds(*_: object) -> bool:
        asked.set()
        return go_on.wait(20)

    rules: dict[str, object] = {
        "ready": {"ready": Probe.holds(holds)},
        "line": {"ready": Probe.line(holds)},
        "alive": {"alive": Probe.holds(holds), "alive_every": 0.001},
    }[probe]  # type: ignore[assignment]
    with quick(SLEEPS, **rules).start() as running:
        assert asked.wait(20)
        phase = running.status.phase
        assert phase == ("up" if probe == "alive" else "starting") and running.status.pid is not None
        assert next(running.events()).kind == "started"
        with pytest.raises(Timeout):
            running.wait(0.001)
        running.signal("cont")
        pid = running.status.pid
        # From another thread; what runs is told at once, and the end is told once supervision goes on.
        stopper = threading.Thread(target=running.stop)
        stopper.start()
        while running.status.phase != "stopping" or is_alive(pid):
            time.sleep(0.001)
        assert not go_on.is_set()
        go_on.set()
        stopper.join(20)
        assert running.wait(20).stopped == "stopped"

    async def main() -> str:
        asked.clear()
        go_on.clear()
        async with quick(SLEEPS, **rules).astart() as running:
            while not asked.is_set():
                await sleep(0.001)
            assert running.status.phase == phase
            go_on.set()
            return (await running.stop()).stopped

    assert loop(main) == "stopped"


def test_a_predicate_of_a_probe_may_look_at_its_own_supervision() -> None:
    seen: list[str] = []
    live: list[RunningSupervisor] = []

    def holds() -> bool:
        if live:
            seen.append(live[0].status.phase)
        return bool(live)

    with quick(SLEEPS, ready=Probe.holds(holds).interval(0.001)).start() as running:
        live.append(running)
        running.wait_ready(20)
        live.clear()
    assert seen and set(seen) == {"starting"}
