"""Limits: as values, and as what the kernel holds runs and groups to, or refuses.

Whether the kernel can is found out by asking: where it cannot, the tests of real limits are skipped with its own reason, and those
of the refusal run instead.
"""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import pytest

import pinfold
from pinfold import Command, IoLimit, Limits, ProcessGroup

ECHO = Command("echo", ["within"])


def lacking(limits: Limits) -> str:
    """Why a run cannot be held to these here; empty if it can."""
    try:
        ECHO.limits(limits).run()
    except pinfold.LimitRefused as error:
        return str(error)
    return ""


NO_MEMORY = lacking(Limits(max_memory=1 << 30))
NO_PROCESSES = lacking(Limits(max_processes=100))
NO_CPU = lacking(Limits(cpu_quota=1.0))
real_memory = pytest.mark.skipif(bool(NO_MEMORY), reason=NO_MEMORY)
real_processes = pytest.mark.skipif(bool(NO_PROCESSES), reason=NO_PROCESSES)
real_cpu = pytest.mark.skipif(bool(NO_CPU), reason=NO_CPU)

ALL = Limits(
    max_memory=1 << 30,
    memory_high=1 << 29,
    max_swap=0,
    max_processes=64,
    cpu_quota=0.5,
    cpu_weight=200,
    cpus=[0],
    io_weight=50,
    io=[IoLimit((8, 0), read_bytes=1 << 20), IoLimit("/dev/sda", write_operations=9)],
    enforcement="per_process",
)


def test_limits_are_values() -> None:
    limits: Any
    for limits in (ALL, Limits(), *ALL.io):
        assert pickle.loads(pickle.dumps(limits)) == limits == copy.deepcopy(limits)
        assert type(limits).from_json(limits.to_json()) == limits
        assert eval(repr(limits), {"Limits": Limits, "IoLimit": IoLimit}) == limits
    assert ALL != Limits() and bool(ALL) and not Limits() and not Limits(enforcement="per_process")
    assert (ALL.max_memory, ALL.cpu_quota, ALL.cpus, ALL.enforcement) == (1 << 30, 0.5, [0], "per_process")
    assert [limit.device for limit in ALL.io] == [(8, 0), "/dev/sda"]
    with pytest.raises(AttributeError):
        ALL.max_memory = 1  # type: ignore[misc]


def test_others_are_made_of_them() -> None:
    limits = Limits(max_memory=5, max_processes=6)
    assert limits.replace(max_processes=None, cpu_quota=1) == Limits(max_memory=5, cpu_quota=1.0)
    assert ALL.replace() == ALL and limits == Limits(max_memory=5, max_processes=6)
    if sys.version_info >= (3, 13):
        assert copy.replace(limits, max_memory=7) == Limits(max_memory=7, max_processes=6)
    wrong: Any = {"max_memories": 7}
    with pytest.raises(TypeError):
        limits.replace(**wrong)


def test_they_are_those_of_a_command() -> None:
    command = Command("x").limits(Limits(max_memory=5, max_processes=6))
    assert command == Command("x").max_memory(5).max_processes(6)
    assert command.limits(Limits(cpu_quota=1)) == Command("x").cpu_quota(1)


@pytest.mark.parametrize("wrong", [{"max_memory": 0}, {"max_processes": 0}, {"cpu_quota": 0.0}, {"cpu_quota": float("nan")},
                                   {"cpu_weight": 0}, {"io_weight": 20_000}, {"cpus": []}, {"cpus": [9999]},
                                   {"io": [IoLimit((8, 0))]}])  # fmt: skip
def test_what_no_kernel_could_keep_is_refused(wrong: Any) -> None:
    with pytest.raises(pinfold.InvalidInput):
        ECHO.limits(Limits(**wrong)).run()
    with pytest.raises(pinfold.InvalidInput):
        ProcessGroup(limits=Limits(**wrong))
    with ProcessGroup() as group, pytest.raises(pinfold.InvalidInput):
        group.set_limits(Limits(**wrong))


@pytest.mark.parametrize("wrong", [{"max_memory": "1"}, {"max_memory": 1.5}, {"cpus": 1}, {"io": ["/dev/sda"]}])
def test_what_is_of_the_wrong_type_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        Limits(**wrong)


def test_what_cannot_be_had_is_refused_and_says_why(loop: Any) -> None:
    given: Any
    for why, given in ((NO_MEMORY, {"max_memory": 1 << 30}), (NO_PROCESSES, {"max_processes": 64}), (NO_CPU, {"cpu_quota": 1.0})):
        if not why:
            continue
        calls: list[Any] = [
            lambda given=given: ProcessGroup(**given),
            lambda given=given: ProcessGroup(limits=Limits(**given)),
            ECHO.limits(Limits(**given)).run,
            ECHO.limits(Limits(**given)).start,
            lambda given=given: loop(ECHO.limits(Limits(**given)).aoutput),
        ]
        for call in calls:
            # Whoever expects either is right: a limit cannot be had, and this host does not support it.
            with pytest.raises(pinfold.ResourceLimit) as caught:
                call()
            error: Any = caught.value
            assert isinstance(error, pinfold.LimitRefused) and isinstance(error, pinfold.Unsupported)
            assert "limits" in error.operation and error.hint and error.hint in str(error)
            # What it advises is Python.
            assert "::" not in str(error) + error.hint
            assert pickle.loads(pickle.dumps(error)) == error
        with ProcessGroup() as group, pytest.raises(pinfold.ResourceLimit):
            group.set_limits(Limits(**given))
        with Command("sleep", ["1000"]).start() as process, pytest.raises(pinfold.ResourceLimit):
            process.set_limits(Limits(**given))


def test_limits_of_each_process_need_no_controller() -> None:
    said = Command("sh", ["-c", "ulimit -v"]).limits(Limits(max_memory=1 << 30, enforcement="per_process")).run()
    assert said == str((1 << 30) // 1024)
    with pytest.raises(pinfold.ResourceLimit):
        ECHO.limits(Limits(cpu_quota=1, enforcement="per_process")).run()
    with pytest.raises(pinfold.InvalidInput):
        ProcessGroup(limits=Limits(max_memory=1 << 30, enforcement="per_process"))


def test_what_is_not_limited_hits_nothing() -> None:
    with ProcessGroup() as group:
        assert not group.limits_hit.out_of_memory and group.limits_hit.oom_kills is None
        assert not group.run(ECHO) == "" and not group.output(ECHO).limits_hit.out_of_memory


GREEDY = Command(sys.executable, ["-S", "-c", "import sys; held = bytearray(int(sys.argv[1])); print(len(held))"])


@real_memory
def test_what_takes_too_much_memory_is_killed_and_told_of() -> None:
    result = GREEDY.arg(str(1 << 29)).limits(Limits(max_memory=64 << 20, max_swap=0)).output()
    assert result.signal == 9 and result.limits_hit.out_of_memory
    with ProcessGroup(max_memory=64 << 20, limits=Limits(max_swap=0)) as group:
        events = group.events()
        assert group.output(GREEDY.arg(str(1 << 29))).signal == 9
        assert group.limits_hit.out_of_memory
        assert "out_of_memory" in {next(events).kind, next(events).kind}
        assert group.run(GREEDY.arg(str(1 << 20))) == str(1 << 20)
        peak = group.stats().peak_memory_bytes
        assert peak is None or 1 << 20 < peak <= 64 << 20
        group.set_limits(Limits(max_memory=1 << 30, max_swap=0))
        assert group.run(GREEDY.arg(str(128 << 20))) == str(128 << 20)


@real_processes
def test_there_are_no_more_processes_than_allowed() -> None:
    fork = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait"
    with ProcessGroup(max_processes=4) as group:
        group.output(Command("sh", ["-c", f"({fork}) 2>/dev/null"]).timeout(2))
        stats = group.stats()
        assert stats.peak_process_count is None or stats.peak_process_count <= 4
    assert Command("sh", ["-c", fork]).max_processes(4).timeout(2).output().limits_hit.processes


@real_cpu
def test_no_more_cpu_is_used_than_allowed() -> None:
    burn = Command(sys.executable, ["-S", "-c", "while True: pass"]).timeout(1).timeout_grace(0)
    # So little that it is held back on a busy machine too.
    result = burn.cpu_quota(0.05).output()
    assert result.usage.cpu_time_seconds < 0.5
    assert (result.limits_hit.throttled_seconds or 0) > 0
