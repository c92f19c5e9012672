#!/usr/bin/python3
"""Limits and the sandbox in Python, where the kernel has every controller: what ``tests/python`` can only see refused.

It runs in the emulated machines, as a test program there does: ``limits.py --exact NAME``. Plain Python, since nothing but the
interpreter and the package is there, and short, since everything takes ten times as long.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "site"))

import pinfold
from pinfold import Command, Limits, ProcessGroup, Sandbox

MIB = 1 << 20
FIXTURE = Command(os.environ["PINFOLD_FIXTURE"]).timeout(60)


def fixture(*arguments: str) -> Command:
    return FIXTURE.args(arguments)


def test_memory() -> None:
    greedy = fixture("alloc", "128M").limits(Limits(max_memory=32 * MIB, max_swap=0))
    for result in (greedy.output(), asyncio.run(greedy.aoutput())):
        assert result.signal == 9, result
        assert result.limits_hit.out_of_memory and result.limits_hit.oom_kills == 1, result.limits_hit
        assert "for want of memory" in str(result.outcome), str(result.outcome)
        peak = result.usage.peak_memory_bytes
        assert peak is not None and 16 * MIB < peak <= 33 * MIB, peak
    modest = fixture("alloc", "8M").limits(Limits(max_memory=32 * MIB)).output()
    assert modest.is_success and not modest.limits_hit.out_of_memory, modest


def refused(group: ProcessGroup) -> None:
    """One more process is one too many. Before Linux 6.11 the kernel counts that nowhere in the group."""
    try:
        group.start(fixture("sleep", "60"))
    except pinfold.ResourceLimit as error:
        assert "pids.max" in str(error), error
    else:
        raise AssertionError("a process was started above the limit")


def test_processes() -> None:
    forking = Command("/bin/sh", ["-c", "for i in 1 2 3 4 5 6; do sleep 60 & done; wait"]).max_processes(4)
    result = forking.timeout(3).timeout_grace(0).output()
    assert result.limits_hit.processes, result.limits_hit
    with ProcessGroup(max_processes=3) as group:
        handles = [group.start(fixture("sleep", "60")) for _ in range(3)]
        refused(group)
        stats = group.stats()
        assert stats.active_process_count == 3, stats
        group.set_limits(Limits(max_processes=4))
        handles.append(group.start(fixture("sleep", "60")))
        refused(group)
    assert all(handle.wait().signal for handle in handles)


def test_processor() -> None:
    result = fixture("burn", "1").cpu_quota(0.2).timeout(2).timeout_grace(0).output()
    assert result.timed_out, result
    used = result.usage.cpu_time_seconds
    assert used is not None and used < 0.8, used
    assert (result.limits_hit.throttled_seconds or 0) > 0, result.limits_hit


def test_live() -> None:
    with ProcessGroup(limits=Limits(max_memory=32 * MIB, max_swap=0)) as group:
        events = group.events()
        assert group.output(fixture("alloc", "64M")).signal == 9
        assert group.limits_hit.out_of_memory
        assert "out_of_memory" in {next(events).kind, next(events).kind}
        group.set_limits(Limits(max_memory=256 * MIB, max_swap=0))
        handle = group.start(fixture("alloc", "64M", "--hold"))
        assert next(iter(handle.stdout_lines())).startswith("peak ")
        stats = group.stats()
        assert stats.memory_bytes is not None and stats.memory_bytes >= 64 * MIB, stats
        assert stats.active_process_count == 1 and (stats.total_cpu_time_seconds or 0) > 0, stats
        # The memory that is used already counts for the next limit, which is below it.
        group.set_limits(Limits(max_memory=32 * MIB, max_swap=0))
        assert handle.wait().signal == 9 and handle.wait().limits_hit.out_of_memory


def test_sandbox() -> None:
    made = f"/tmp/made-{os.getpid()}"
    held = Sandbox().no_network().private_tmp().deny_syscalls(["ptrace"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempt = fixture("attempt", f"connect=127.0.0.1:{server.getsockname()[1]}", f"create={made}")
        assert attempt.run().splitlines() == ["connect ok", "create ok"]
        os.remove(made)
        said = attempt.sandbox(held).limits(Limits(max_memory=64 * MIB, max_processes=16)).run().splitlines()
    assert said == ["connect ECONNREFUSED", "create ok"] and not os.path.exists(made), said
    greedy = fixture("alloc", "128M").sandbox(held).limits(Limits(max_memory=32 * MIB, max_swap=0)).output()
    assert greedy.limits_hit.out_of_memory, greedy
    # All of it, or by its word nothing: this kernel has a Landlock that is too old for it.
    try:
        fixture("exit", "0").sandbox(Sandbox.untrusted()).run()
    except pinfold.Unsupported as error:
        assert "Landlock" in str(error), error


def main(arguments: list[str]) -> int:
    wanted = [argument for argument in arguments if not argument.startswith("-")]
    tests: dict[str, Callable[[], None]] = {
        name: test for name, test in globals().items() if name.startswith("test_")
    }
    if not wanted or not all(name in tests for name in wanted):
        print(f"which test? there are {', '.join(tests)}", file=sys.stderr)
        return 2
    for name in wanted:
        tests[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
