"""The plugin for pytest, in a pytest of its own: what is a stray, what is none, and what becomes of either."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import HEADLESS, is_alive

ENDS = "import os, signal, subprocess, sys, time, pytest\n"
DAEMON = "subprocess.run(['sh', '-c', 'setsid sh -c \"echo \\\\$\\\\$ > pid; exec sleep 100\" & until grep -qs sleep /proc/$(cat pid)/comm; do sleep 0.01; done'])"


class Suite:
    """A suite of tests in a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, source: str, *args: str, configuration: str = "") -> tuple[int, str]:
        (self.folder / "test_it.py").write_text(ENDS + source)
        (self.folder / "pytest.ini").write_text(f"[pytest]\n{configuration}\n")
        words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA"]
        # Installed it is found by its entry point; beside its sources it has to be named.
        words += [] if is_installed() else ["-p", "pinfold.pytest_plugin"]
        done = subprocess.run([*words, *args], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def pid(self) -> int:
        return int((self.folder / "pid").read_text())


def is_installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "pinfold.pytest_plugin" for point in entry_points(group="pytest11"))


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


STRAYS = {
    "child": "open('pid', 'w').write(str(subprocess.Popen(['sleep', '100']).pid))",
    "daemon": DAEMON,
    "deaf": "open('pid', 'w').write(str(subprocess.Popen(['sh', '-c', 'trap \"\" TERM; sleep 100; :']).pid))",
    "headless": f"child = subprocess.Popen([sys.executable, '-S', '-c', {HEADLESS!r}]); open('pid', 'w').write(str(child.pid))\n"
    "    while ') Z ' not in open(f'/proc/{child.pid}/stat').read(): time.sleep(0.002)",
    "fork": "pid = os.fork(); pid or time.sleep(100); open('pid', 'w').write(str(pid))",
}


@pytest.mark.parametrize("kind", STRAYS)
def test_a_stray_fails_its_test_is_named_and_is_ended(suite: Suite, kind: str) -> None:
    source = f"def test_one():\n    {STRAYS[kind]}\n\ndef test_two():\n    pass\n"
    code, said = suite.run(source, "--pinfold-strays=fail", "-W", "ignore::ResourceWarning")
    assert code == 1, said
    assert "outlived this test, and " in said and f"({suite.pid()})" in said, said
    assert "ERROR test_it.py::test_one" in said and "ERROR test_it.py::test_two" not in said, said
    assert not is_alive(suite.pid())


@pytest.mark.parametrize("mark", ["", "reason='known'", "strict=True", "raises=ZeroDivisionError"])
@pytest.mark.parametrize("after", ["", "    request.addfinalizer(lambda: 1 / 0)\n"])
def test_one_of_a_test_that_is_expected_to_fail_is_not_expected(suite: Suite, mark: str, after: str) -> None:
    source = f"@pytest.mark.xfail({mark})\ndef test_one(request):\n{after}    {DAEMON}\n    1 / 0\n"
    code, said = suite.run(source, "--pinfold-strays=fail")
    assert code == 1 and "1 xfailed, 1 error" in said and "ERROR test_it.py::test_one" in said, said
    assert "1 process outlived this test, and was ended: sleep" in said
    assert not is_alive(suite.pid())
    code, said = suite.run(f"@pytest.mark.xfail({mark})\ndef test_one():\n    1 / 0\n", "--pinfold-strays=fail")
    assert code == 0 and "1 xfailed" in said, said
    code, said = suite.run(source.replace(after, ""), "--pinfold-strays=warn")
    assert code == 0 and "1 xfailed, 1 warning" in said, said


def test_one_is_named_by_its_comm(suite: Suite) -> None:
    code, said = suite.run(f"def test_one():\n    {DAEMON}\n", "--pinfold-strays=fail")
    assert code == 1
    assert f"1 process outlived this test, and was ended: sleep ({suite.pid()})" in said, said


def test_a_warning_leaves_the_test_alone(suite: Suite) -> None:
    code, said = suite.run(f"def test_one():\n    {DAEMON}\n", "--pinfold-strays=warn")
    assert code == 0 and "StrayWarning: 1 process outlived this test" in said, said
    assert not is_alive(suite.pid())


def test_nobody_looks_unless_asked(suite: Suite) -> None:
    source = f"def test_one():\n    {DAEMON}\n"
    code, said = suite.run(source)
    assert code == 0 and "outlived" not in said
    assert is_alive(suite.pid())
    os.kill(suite.pid(), 9)
    (suite.folder / "pid").unlink()
    code, said = suite.run(source, configuration="pinfold_strays = fail")
    assert code == 1 and "outlived this test" in said, said
    (suite.folder / "pid").unlink()
    code, said = suite.run(source, "--pinfold-strays=off", configuration="pinfold_strays = fail")
    assert code == 0
    os.kill(suite.pid(), 9)


def test_a_mode_that_does_not_exist_is_refused(suite: Suite) -> None:
    code, said = suite.run("", configuration="pinfold_strays = maybe")
    assert code == 4 and "must be one of: off, warn, fail" in said, said


NONE = """
import multiprocessing
import pinfold

def work(number):
    return number + 1

@pytest.fixture(scope="module")
def server():
    with subprocess.Popen(["sh", "-c", "while :; do sleep 0.01; done"]) as process:
        yield process
        process.kill()

@pytest.fixture
def helper():
    with subprocess.Popen(["sleep", "100"]) as process:
        yield process
        process.kill()

def test_first(server):
    assert server.poll() is None

def test_second(server, helper):
    assert server.poll() is None and helper.poll() is None

def test_ended_but_not_waited_for():
    process = subprocess.Popen(["sleep", "100"])
    process.kill()
    global kept
    kept = process

def test_its_status_is_still_there():
    assert kept.wait() == -9

def test_pool():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(work, [1]) == [2]
        pool.close()
        pool.join()

def test_pinfold():
    assert pinfold.Command("true").exit_code() == 0

def test_orphan_that_ends_in_time():
    subprocess.run(["sh", "-c", "sleep 0.05 &"])
"""


def test_what_is_meant_to_stay_or_has_ended_is_no_stray(suite: Suite) -> None:
    code, said = suite.run(NONE, "--pinfold-strays=fail")
    assert code == 0, said


def test_a_fixture_that_leaves_its_server_is_seen_with_its_last_test(suite: Suite) -> None:
    source = """
@pytest.fixture(scope="module")
def server():
    process = subprocess.Popen(["sleep", "100"])
    open("pid", "w").write(str(process.pid))
    yield process
    process.returncode = 0

def test_first(server):
    pass

def test_last(server):
    pass
"""
    code, said = suite.run(source, "--pinfold-strays=fail")
    assert code == 1 and "ERROR test_it.py::test_last" in said and "ERROR test_it.py::test_first" not in said, said
    assert not is_alive(suite.pid())


def test_a_failure_of_its_own_comes_first_and_the_stray_beside_it(suite: Suite) -> None:
    source = f"""
@pytest.fixture
def broken():
    yield
    raise ValueError("broken")

def test_one(broken):
    {DAEMON}
"""
    code, said = suite.run(source, "--pinfold-strays=fail")
    assert code == 1 and "ValueError: broken" in said and f"sleep ({suite.pid()})" in said, said
    assert not is_alive(suite.pid())


def test_this_process_adopts_orphans_only_while_it_looks(suite: Suite) -> None:
    source = """
import ctypes

def test_one():
    adopts = ctypes.c_int()
    ctypes.CDLL(None).prctl(37, ctypes.byref(adopts), 0, 0, 0)
    open("adopts", "w").write(str(adopts.value))
"""
    for mode, adopts in (("off", "0"), ("fail", "1")):
        suite.run(source, f"--pinfold-strays={mode}")
        assert (suite.folder / "adopts").read_text() == adopts
