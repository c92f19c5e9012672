"""What this host offers, and what owners on it have."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pinfold
from conftest import is_alive
from pinfold import Command, cleanup, host_report, tracked


def test_the_report_says_what_a_run_gets() -> None:
    report = host_report()
    outcome = Command("true").output().outcome
    assert (report.best, report.guarantee) == (outcome.mechanism, outcome.guarantee)
    assert [rung.mechanism for rung in report.rungs] == ["cgroup_v2", "subreaper", "pid_namespace", "process_group"]
    for rung in report.rungs:
        assert (rung.guarantee is None) == (rung.lacking is not None)
        assert rung.mechanism in str(report)
    assert report.contains == (report.best != "process_group")
    assert report.kernel == os.uname().release and report.spawn_route in ("clone3", "clone", "fork")
    assert isinstance(report.cgroup.controllers, tuple)
    assert pickle.loads(pickle.dumps(report)) == report == host_report()
    assert hash(report) == hash(host_report())
    again = pinfold.HostReport.from_json(report.to_json())
    assert again == report and str(again) == str(report) and hash(again) == hash(report)
    for wrong in ("", "{}", "3", report.to_json().replace('"pidfds"', '"pid_fds"')):
        with pytest.raises(pinfold.InvalidInput, match="not such JSON"):
            pinfold.HostReport.from_json(wrong)


@pytest.fixture
def owner(script: Callable[[str], list[str]], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with two runs, of which one does not obey."""
    program = script("""
import sys
from pinfold import Command
one = Command("sleep", ["1000"]).start()
two = Command("sh", ["-c", "trap '' TERM; echo ready; exec sleep 1000"]).start()
next(two.stdout_lines())
print(one.pid, two.pid, flush=True)
print(one.wait().cause, two.wait().cause, flush=True)
sys.stdin.read()
""")
    began = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield began
    finally:
        began.kill()
        began.wait()
        assert began.stdin is not None and began.stdout is not None
        began.stdin.close()
        began.stdout.close()


def runs_of(pid: int) -> Any:
    [found] = [owner for owner in tracked().owners if owner.pid == pid]
    return found


def test_an_owner_is_seen_and_stopped_from_outside(owner: Any, loop: Any) -> None:
    one, two = map(int, owner.stdout.readline().split())
    found = runs_of(owner.pid)
    assert found.name.startswith("python") and found.age_seconds >= 0 and found.start > 0
    by_pid = {run.members[0].pid: run for run in found.runs}
    assert set(by_pid) == {one, two}
    assert [member.name for member in by_pid[one].members] == ["sleep"]
    assert pickle.loads(pickle.dumps(found)) == found

    async def main() -> Any:
        return await by_pid[one].astop()

    stopped = loop(main)
    assert [member.pid for member in stopped.members] == [one] and not stopped.killed and not stopped.left
    assert [member.pid for member in found.signal("usr1")] in ([two], [])
    stopped = found.stop(grace=0.05)
    assert not stopped.left and not is_alive(one) and not is_alive(two)
    # The owner lives on, and learns of it as of any end.
    assert owner.poll() is None and len(owner.stdout.readline().split()) == 2
    assert not runs_of(owner.pid).runs
    with pytest.raises(pinfold.ProcessNotFound):
        dataclasses.replace(by_pid[one], id="no-such-run").stop()


def test_what_is_no_owner_is_not_acted_on() -> None:
    nobody = pinfold.TrackedOwner(pid=1 << 22, start=1, name="x", age_seconds=0, runs=())
    with pytest.raises(pinfold.ProcessNotFound):
        nobody.stop()
    with pytest.raises(pinfold.ProcessNotFound):
        nobody.signal("term")
    with pytest.raises(pinfold.InvalidInput):
        pinfold.TrackedOwner(pid=0, start=1, name="x", age_seconds=0, runs=()).stop()
    with pytest.raises(pinfold.InvalidInput):
        cleanup(owner=-1)


def test_what_a_killed_owner_left_is_found_and_cleared(script: Callable[[str], list[str]]) -> None:
    # In a process group there is no guard, so that something is left indeed.
    program = script("""
import os
from pinfold import Command
run = Command("sleep", ["1000"]).isolation("process_group").start()
print(run.pid, flush=True)
os.kill(os.getpid(), 9)
""")
    began = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    said, _ = began.communicate(timeout=30)
    pid = int(said)
    try:
        assert is_alive(pid)
        found = cleanup(dry_run=True, owner=began.pid)
        if not found:
            pytest.skip("the registry holds no process groups here")
        assert {left.fate for left in found} == {"found"} and is_alive(pid)
        cleared = cleanup(owner=began.pid)
        assert {left.fate for left in cleared} == {"cleared"} and not is_alive(pid)
        assert pid in [member.pid for left in cleared for member in left.members]
        assert cleanup(owner=began.pid) == []
        assert pickle.loads(pickle.dumps(cleared)) == cleared
    finally:
        if is_alive(pid):
            os.kill(pid, 9)
        deadline = time.monotonic() + 10
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.002)


def test_a_registry_that_is_turned_off_is_no_silence(script: Callable[[str], list[str]]) -> None:
    program = script("""
import pinfold
try:
    pinfold.tracked()
except pinfold.Unsupported as error:
    print("PINFOLD_REGISTRY" in str(error))
""")
    environment = {**os.environ, "PINFOLD_REGISTRY": "none"}
    assert subprocess.run(program, env=environment, stdout=subprocess.PIPE, text=True).stdout == "True\n"
