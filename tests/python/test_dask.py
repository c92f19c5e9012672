"""Batches on a Dask cluster: of several processes, of which some are killed."""

from __future__ import annotations

import asyncio
import multiprocessing.resource_tracker
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.config
import pytest
from distributed import Client, LocalCluster

from pinfold import (
    BatchProgress,
    BytesResult,
    Cancelled,
    CancelToken,
    Command,
    InvalidInput,
    ProcessNotFound,
    ProcessResult,
    aoutput_all,
    output_all,
    output_all_bytes,
    output_as_completed,
)
from pinfold.distributed import RemoteFailure
from pinfold.distributed.dask import DaskRunner, WorkerLost

WORKERS, THREADS = 3, 2

# Much of it is without types.
make_cluster: Callable[..., Any] = LocalCluster
make_client: Callable[..., Any] = Client


@pytest.fixture(scope="session", autouse=True)
def tracker() -> None:
    """Multiprocessing has one such process for all that it spawns."""
    multiprocessing.resource_tracker.ensure_running()


@pytest.fixture
def client() -> Iterator[Any]:
    """A cluster of several processes, which are begun again when they are killed."""
    with (
        dask.config.set({"distributed.worker.daemon": True, "distributed.scheduler.allowed-failures": 3}),
        make_cluster(
            n_workers=WORKERS, threads_per_worker=THREADS, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        make_client(cluster) as client,
    ):
        yield client


def until(holds: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


def marked(mark: str) -> list[int]:
    """The living processes that have it in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"MARK={mark}\0".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            pass
    return found


class Work:
    """Commands that note their begin and their worker, and begin a tree that is to be ended: of the first of them, until they
    are let go."""

    def __init__(self, place: Path, count: int, held: int) -> None:
        self.mark = uuid.uuid4().hex
        self.log, self.gate = place / "log", place / "gate"
        self.log.touch()
        script = """
            echo "$1" >> "$LOG"
            if [ "$2" = held ]; then
                (trap '' TERM HUP INT; sleep 1000) &
                setsid sleep 1000 &
                while ! [ -e "$GATE" ]; do sleep 0.02; done
            fi
            echo "$1"
        """
        self.commands = [
            Command("sh", ["-c", script, "sh", str(number), "held" if number < held else "free"])
            .env("MARK", self.mark)
            .env("LOG", str(self.log))
            .env("GATE", str(self.gate))
            .timeout_grace(0.2)
            for number in range(count)
        ]

    def begun(self) -> Counter[int]:
        return Counter(int(line) for line in self.log.read_text().split())

    def let_go(self) -> None:
        self.gate.touch()

    def on(self, client: Any) -> dict[int, int]:
        """The worker of each of their processes, by pid: the owner whose mark of ours is in the environment of its program."""
        workers = set(client.run(os.getpid).values())
        return {pid: worker for pid in marked(self.mark) if (worker := _owner(pid, workers)) is not None}


def _owner(pid: int, workers: set[int]) -> int | None:
    while pid > 1 and pid not in workers:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return None
    return pid if pid in workers else None


def kill_one_in_the_middle(client: Any, work: Work) -> int:
    """Kills a worker while it runs some, and lets the others go: how many it ran."""
    until(lambda: len(work.begun()) == WORKERS * THREADS)
    until(lambda: set(work.on(client).values()) == set(client.run(os.getpid).values()))
    on = work.on(client)
    victim = on[next(iter(on))]
    ran = sum(_parent_is(pid, victim, set(on)) for pid, worker in on.items() if worker == victim)
    os.kill(victim, signal.SIGKILL)
    # What was below it is gone, while the rest goes on.
    theirs = [pid for pid, worker in on.items() if worker == victim]
    until(lambda: not set(theirs) & set(marked(work.mark)))
    return ran


def _parent_is(pid: int, worker: int, others: set[int]) -> bool:
    """Whether it is the first of its tree."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) not in others
    except OSError:
        return False


def test_what_is_run_elsewhere_has_the_results_that_it_would_have_here(client: Any) -> None:
    commands = [
        Command("sh", ["-c", "echo out; echo err >&2; exit 3"]),
        Command("no-such-program"),
        Command("sleep", ["1000"]).timeout(0.05),
        Command("cat").stdin_bytes(b"\xff\0fed"),
        Command("yes").output_limit(max_bytes=10, on_overflow="error"),
        Command("false").retry(3, pause=0),
    ]
    runner = DaskRunner(client)
    here, there = output_all(commands), output_all(commands, runner=runner)
    assert [type(slot) for slot in there] == [type(slot) for slot in here]
    for ours, theirs in zip(here, there):
        if isinstance(ours, ProcessResult):
            assert isinstance(theirs, ProcessResult)
            assert (theirs.stdout, theirs.stderr, theirs.code) == (ours.stdout, ours.stderr, ours.code)
            assert theirs.timed_out == ours.timed_out and theirs.outcome.mechanism == ours.outcome.mechanism
        else:
            assert str(theirs).split(":")[0] == str(ours).split(":")[0]
    assert isinstance(there[1], ProcessNotFound) and there[1] == here[1]
    fed = output_all_bytes([commands[3]], runner=runner)[0]
    assert isinstance(fed, BytesResult) and fed.stdout == b"\xff\0fed"
    (done,) = output_as_completed(commands[5:], runner=runner)
    assert done.attempts == 3 and done.command == commands[5]

    async def main() -> None:
        again = await aoutput_all(commands[:1], runner=runner)
        assert isinstance(again[0], ProcessResult) and again[0].code == 3
        async with output_as_completed((Command("echo", [str(n)]) for n in range(30)), runner=runner) as batch:
            assert {done.index async for done in batch} == set(range(30))

    asyncio.run(main())


def test_nothing_is_lost_or_left_behind_when_a_worker_is_killed(client: Any, tmp_path: Path) -> None:
    work = Work(tmp_path, 60, WORKERS * THREADS)
    told: list[BatchProgress] = []
    slots: list[object] = []
    batch = threading.Thread(
        target=lambda: slots.extend(output_all(work.commands, runner=DaskRunner(client), on_progress=told.append))
    )
    batch.start()
    ran = kill_one_in_the_middle(client, work)
    work.let_go()
    batch.join(60)
    results = [slot for slot in slots if isinstance(slot, ProcessResult) and slot.is_success]
    assert [result.stdout for result in results] == [f"{number}\n" for number in range(60)]
    # Those that the worker ran were begun again, and no others.
    again = [number for number, begins in work.begun().items() if begins > 1]
    assert len(again) == ran == THREADS and max(work.begun().values()) == 2
    assert (told[-1].done, told[-1].failed, told[-1].total) == (60, 0, 60)
    until(lambda: not marked(work.mark))


def test_what_a_dead_worker_ran_is_told_where_it_is_not_to_run_again(client: Any, tmp_path: Path) -> None:
    work = Work(tmp_path, 60, WORKERS * THREADS)
    runner = DaskRunner(client, worker_lost="error")
    slots: list[object] = []
    # More are out than run: those that wait at the dead worker have not begun, and are run elsewhere.
    batch = threading.Thread(
        target=lambda: slots.extend(output_all(work.commands, runner=runner, concurrency=3 * WORKERS * THREADS))
    )
    batch.start()
    ran = kill_one_in_the_middle(client, work)
    work.let_go()
    batch.join(60)
    lost = [index for index, slot in enumerate(slots) if isinstance(slot, RemoteFailure)]
    assert len(slots) == 60 and len(lost) == ran == THREADS
    assert all(isinstance(slots[index].__cause__, WorkerLost) for index in lost)  # type: ignore[attr-defined]
    others = [(index, slot) for index, slot in enumerate(slots) if index not in lost]
    assert all(isinstance(slot, ProcessResult) and slot.stdout == f"{index}\n" for index, slot in others)
    assert max(work.begun().values()) == 1 and len(work.begun()) == 60
    until(lambda: not marked(work.mark))


def test_a_worker_that_is_taken_away_leaves_nothing_and_no_false_result(client: Any, tmp_path: Path) -> None:
    work = Work(tmp_path, 30, WORKERS * THREADS)
    slots: list[object] = []
    batch = threading.Thread(target=lambda: slots.extend(output_all(work.commands, runner=DaskRunner(client))))
    batch.start()
    until(lambda: len(work.begun()) == WORKERS * THREADS)
    pids = client.run(os.getpid)
    address = next(iter(pids))
    until(lambda: pids[address] in work.on(client).values())
    theirs = [pid for pid, worker in work.on(client).items() if worker == pids[address]]
    client.retire_workers([address])
    until(lambda: not set(theirs) & set(marked(work.mark)))
    work.let_go()
    batch.join(60)
    # That it was stopped there is no result of a command.
    assert [getattr(slot, "stdout", slot) for slot in slots] == [f"{number}\n" for number in range(30)]
    until(lambda: not marked(work.mark))


def test_a_command_of_which_workers_die_is_told_at_last(client: Any) -> None:
    client.run_on_scheduler(_tolerate_none)
    pids = client.run(os.getpid)
    slots: list[object] = []
    batch = threading.Thread(
        target=lambda: slots.extend(output_all([Command("sleep", ["1000"]).env("MARK", "killed")], runner=DaskRunner(client)))
    )
    batch.start()
    until(lambda: len(marked("killed")) == 1)
    victim = _owner(marked("killed")[0], set(pids.values()))
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    batch.join(60)
    (slot,) = slots
    assert isinstance(slot, RemoteFailure) and type(slot.__cause__).__name__ == "KilledWorker"
    assert slot.program == "sleep" and "1000" not in str(slot)
    until(lambda: not marked("killed"))


def _tolerate_none(dask_scheduler: object) -> None:
    dask_scheduler.allowed_failures = 0  # type: ignore[attr-defined]


def test_a_cancelled_batch_is_over_when_its_trees_are_gone(client: Any, tmp_path: Path) -> None:
    work = Work(tmp_path, 40, 40)
    token = CancelToken()
    slots: list[object] = []

    def run() -> None:
        slots.extend(output_all(work.commands, runner=DaskRunner(client), cancel=token, concurrency=12))
        slots.append(marked(work.mark))

    batch = threading.Thread(target=run)
    batch.start()
    until(lambda: len(work.begun()) == WORKERS * THREADS)
    token.cancel()
    batch.join(60)
    assert slots.pop() == []
    assert len(slots) == 40 and all(isinstance(slot, Cancelled) for slot in slots)
    # What had begun was stopped by its own stop rule, and says so.
    assert sum(isinstance(slot, Cancelled) and slot.result is not None for slot in slots) == WORKERS * THREADS
    assert set(work.begun()) == set(range(WORKERS * THREADS))


def test_leaving_a_batch_empties_the_workers(client: Any, tmp_path: Path) -> None:
    work = Work(tmp_path, 6, 5)
    with output_as_completed(work.commands, runner=DaskRunner(client), concurrency=6) as batch:
        assert next(batch).index == 5
        until(lambda: len(work.begun()) == 6)
    assert not marked(work.mark)


def test_what_nobody_waits_for_any_more_is_stopped(client: Any, tmp_path: Path, script: Callable[[str], list[str]]) -> None:
    work = Work(tmp_path, 4, 4)
    (tmp_path / "commands").write_text("\n".join(command.to_json() for command in work.commands))
    words = script(
        """
import sys
from distributed import Client
from pinfold import Command, output_all
from pinfold.distributed.dask import DaskRunner
commands = [Command.from_json(line) for line in open(sys.argv[2])]
with Client(sys.argv[1]) as client:
    output_all(commands, runner=DaskRunner(client))
"""
    )
    address = client.scheduler.address
    with subprocess.Popen([*words, address, str(tmp_path / "commands")]) as other:
        until(lambda: len(work.begun()) == 4)
        other.kill()
    until(lambda: not marked(work.mark))
    # The workers live, and have room again.
    assert len(client.nthreads()) == WORKERS
    results = output_all([Command("echo")] * 12, runner=DaskRunner(client))
    assert all(isinstance(result, ProcessResult) and result.is_success for result in results)


def test_what_cannot_be_meant_is_refused(client: Any) -> None:
    with pytest.raises(InvalidInput, match="'rerun' or 'error'"):
        DaskRunner(client, worker_lost="never")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="elsewhere"):
        (Command("echo") | Command("cat")).run(runner=DaskRunner(client))  # type: ignore[arg-type]


def test_without_the_extra_it_says_what_to_install() -> None:
    script = """
import sys
import pinfold, pinfold.distributed
assert "distributed" not in sys.modules
sys.modules["distributed"] = None
try:
    import pinfold.distributed.dask
except ImportError as error:
    print(error.name, error)
"""
    said = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said.startswith("distributed ") and "pip install 'pinfold[dask]'" in said
