"""Threads that share what there is, and really run at once where the interpreter has no lock over all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pinfold import CancelToken, Cancelled, Command, ProcessGroup, output_as_completed
from pinfold.testing import RecordingRunner, Reply

THREADS = 8


def together(work: Callable[[int], Any]) -> list[Any]:
    """What each of the threads came to, which begin at once; what one of them raises is raised."""
    barrier = threading.Barrier(THREADS)
    answers: list[Any] = [None] * THREADS
    raised: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            answers[number] = work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return answers


def test_each_runs_its_own() -> None:
    def work(number: int) -> list[str]:
        return [Command("echo", [f"{number}.{turn}"]).run() for turn in range(20)]

    assert together(work) == [[f"{number}.{turn}" for turn in range(20)] for number in range(THREADS)]


def test_all_read_one_run() -> None:
    whole = [str(number) for number in range(1, 20_001)]
    with Command("seq", ["20000"]).start() as process:

        def work(number: int) -> Any:
            if number % 4 == 0:
                return list(process.lines())
            if number % 4 == 1:
                return b"".join(process.chunks()).decode().splitlines()
            if number % 4 == 2:
                return [event.text for event in process.output_events()]
            process.wait()
            return process.output().stdout.splitlines()

        assert all(answer == whole for answer in together(work))
        assert process.stdout_line_count == 20_000


def test_one_iterator_gives_each_line_to_one_of_them() -> None:
    commands = (Command("echo", [str(number)]) for number in range(100))
    lock = threading.Lock()
    with output_as_completed(commands, concurrency=4) as completion:

        def work(_: int) -> list[int]:
            taken: list[int] = []
            while True:
                # An iterator is for one thread at a time, as any generator is.
                with lock:
                    completed = next(completion, None)
                if completed is None:
                    return taken
                taken.append(completed.index)

        taken = together(work)
    assert sorted(index for indices in taken for index in indices) == list(range(100))


def test_one_iterator_gives_each_event_of_a_group_to_one_of_them() -> None:
    rounds, heard = 50, threading.Semaphore(0)
    with ProcessGroup() as group:
        shared = group.events()

        def work(number: int) -> int:
            if number == 0:
                for _ in range(rounds):
                    # What is over before anybody looks is told once for several of them.
                    group.run(Command("true"))
                    assert heard.acquire(timeout=20)
                group.shutdown()
                return 0
            taken = 0
            for event in shared:
                assert event.kind == "emptied"
                heard.release()
                taken += 1
            return taken

        assert sum(together(work)) == rounds
        assert list(shared) == []


def test_all_use_one_group() -> None:
    with ProcessGroup() as group:

        def work(number: int) -> int:
            process = group.start(Command("sleep", ["1000"]))
            assert process.pid in group.members() and group.stats().active_process_count >= 1
            assert group.run(Command("echo", [str(number)])) == str(number)
            return process.pid

        pids = together(work)
        assert sorted(group.members()) == sorted(pids)
        report = together(lambda number: group.stop() if number == 0 else group.wait())[0]
        assert group.is_empty and report.members_after == 0


def test_one_of_them_ends_what_all_wait_for() -> None:
    token = CancelToken()

    def work(number: int) -> str:
        if number == 0:
            token.cancel()
            return "cancelled"
        try:
            Command("sleep", ["1000"]).run(cancel=token.child())
        except Cancelled:
            return "cancelled"
        return "left alone"

    assert together(work) == ["cancelled"] * THREADS


def test_a_spy_notes_what_all_of_them_run() -> None:
    spy = RecordingRunner.replying(Reply.ok("fine"))
    together(lambda number: [spy.run(Command("git", [str(number), str(turn)])) for turn in range(50)])
    calls = sorted((int(call.args[0]), int(call.args[1])) for call in spy.calls())
    assert calls == [(number, turn) for number in range(THREADS) for turn in range(50)]


def test_a_command_and_its_result_are_shared_as_values() -> None:
    command = Command("echo", ["hello"]).env("NAME", "value")
    result = command.output()
    copies = together(lambda number: [(command.env("N", str(number)), Command.from_json(command.to_json()), result.to_json())])
    assert len({answer[0][0] for answer in copies}) == THREADS
    assert all(answer[0][1] == command and answer[0][2] == copies[0][0][2] for answer in copies)
