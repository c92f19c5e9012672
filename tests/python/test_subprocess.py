"""`pinfold.subprocess` held against the standard library's: the same calls, and the same to see.

What is different on purpose, containment above all, is at the end.
"""

from __future__ import annotations

import errno
import gc
import io
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pinfold
import pinfold.subprocess
from conftest import is_alive

Modules = Any
Case = Callable[[Modules], Any]

CASES: dict[str, Case] = {}


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


def cases(name: str, *calls: Case) -> None:
    for number, call in enumerate(calls):
        CASES[f"{name}-{number}"] = call


def seen(call: Case, module: Modules) -> Any:
    """All that can be seen of a call: what it gives, or what it raises."""
    try:
        value = call(module)
    except subprocess.TimeoutExpired as error:
        # The standard library tells what was left of a timeout after its first part.
        return type(error), error.cmd, math.ceil(error.timeout), error.output, error.stderr
    except Exception as error:
        fields = {name: getattr(error, name, None) for name in ("cmd", "returncode", "output", "stderr", "timeout", "filename")}
        # Before 3.13 the standard library says of a file that there is none.
        args = error.args[:2] if isinstance(error, OSError) and error.filename is None else error.args
        return type(error), args, str(error), fields
    return type(value), repr(value)


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


BOTH = sh("echo out; echo err >&2; exit 3")
# Every byte, and every way to end a line.
BYTES = [sys.executable, "-c", r"import os; os.write(1, bytes(range(256))); os.write(2, b'a\rb\r\nc\n')"]

cases(
    "run",
    lambda m: m.run(["true"]),
    lambda m: m.run(["false"]),
    lambda m: m.run(BOTH, capture_output=True),
    lambda m: m.run(BOTH, capture_output=True, check=True),
    lambda m: m.run(BOTH, stdout=m.PIPE),
    lambda m: m.run(BOTH, stderr=m.PIPE, stdout=m.DEVNULL),
    lambda m: m.run(BOTH, stdout=m.PIPE, stderr=m.STDOUT),
    lambda m: m.run(BOTH, stdout=m.DEVNULL, stderr=m.STDOUT),
    lambda m: m.run(sh("echo out; echo err >&2 2>/dev/null"), stdout=m.PIPE, text=True),
    lambda m: m.run(sh("kill -9 $$")),
    lambda m: m.run(sh("kill -TERM $$"), check=True),
    lambda m: m.run("echo $0 $1; exit 4", shell=True, capture_output=True),
    lambda m: m.run(["echo $0 $1", "zero", "one"], shell=True, capture_output=True),
    lambda m: m.run(["echo $0"], shell=True, executable="/bin/bash", capture_output=True),
    lambda m: m.run(b"echo bytes", shell=True, capture_output=True),
    lambda m: m.run("true"),
    lambda m: m.run(Path("/bin/echo"), capture_output=True),
    lambda m: m.run(Path("/bin/echo"), shell=True),
    lambda m: m.run([Path("/bin/echo"), b"\xff", "\udcff", Path("x")], capture_output=True),
    lambda m: m.run(("printf", "%s|", "a b", "", "c"), capture_output=True),
    lambda m: m.run(["name", "-c", "echo $0"], executable="/bin/sh", capture_output=True),
    lambda m: m.run(args=["echo", "by name"], capture_output=True),
)
cases(
    "input",
    lambda m: m.run(["cat"], input=b"in", capture_output=True),
    lambda m: m.run(["cat"], input="in", capture_output=True, text=True),
    lambda m: m.run(["cat"], input=bytearray(b"in"), capture_output=True),
    lambda m: m.run(["cat"], input=memoryview(b"in"), capture_output=True),
    lambda m: m.run(["cat"], input=b"", capture_output=True),
    lambda m: m.run(["cat"], input=b"in", stdout=m.PIPE, timeout=30),
    lambda m: m.run(["cat"], stdin=m.DEVNULL, capture_output=True),
    lambda m: m.run(["cat"], input=b"in", stdin=m.PIPE),
    lambda m: m.run(["true"], capture_output=True, stdout=m.PIPE),
    lambda m: m.run(["cat"], input="text and no bytes", stdout=m.PIPE, timeout=30),
    lambda m: m.run(["true"], input=b"x" * (1 << 20)),
    lambda m: m.run(["true"], input=b"x" * (1 << 20), capture_output=True),
    lambda m: m.run(["wc", "-c"], input=b"x" * (3 << 20), capture_output=True),
    lambda m: m.run(["cat"], input=b"line\n" * (1 << 18), capture_output=True).stdout.count(b"\n"),
)
cases(
    "text",
    lambda m: m.run(BYTES, capture_output=True),
    lambda m: m.run(BYTES, capture_output=True, text=True),
    lambda m: m.run(BYTES, capture_output=True, encoding="latin-1"),
    lambda m: m.run(BYTES, capture_output=True, encoding="latin-1", timeout=30),
    lambda m: m.run(BYTES, stdout=m.PIPE, stderr=m.DEVNULL, encoding="latin-1"),
    lambda m: m.run(BYTES, capture_output=True, errors="replace"),
    lambda m: m.run(BYTES, capture_output=True, errors="backslashreplace", encoding="ascii"),
    lambda m: m.run(BYTES, capture_output=True, errors="surrogateescape", universal_newlines=True),
    lambda m: m.run(["cat"], input="\udcff ä", capture_output=True, encoding="utf-8", errors="surrogateescape"),
    lambda m: m.run(["cat"], input="ä\r\nö\r", capture_output=True, encoding="utf-16"),
    lambda m: m.run(["true"], text=True, universal_newlines=False),
)
cases(
    "not started",
    lambda m: m.run(["no-such-program"]),
    lambda m: m.run(["./no-such-program"]),
    lambda m: m.run(["/no/such/program"], capture_output=True),
    lambda m: m.run(["/etc/passwd"]),
    lambda m: m.run(["/"]),
    lambda m: m.run(["true"], cwd="/no/such/directory"),
    lambda m: m.run(["true"], cwd="/etc/passwd"),
    lambda m: m.run(["no-such-program"], cwd="/"),
    lambda m: m.run(["true"], executable="/no/such/program"),
    lambda m: m.run("exit 3", shell=True, executable="/no/such/shell"),
    lambda m: m.run([]),
    lambda m: m.run(["true"], bufsize="one"),
    lambda m: m.run(["true"], stdout="pipe"),
    lambda m: m.run(["true"], no_such_option=1),
    lambda m: m.run(["true"], startupinfo=object()),
    lambda m: m.run(["true"], creationflags=1),
    lambda m: m.run(["true"], user="no-such-user"),
    lambda m: m.run(["true"], group="no-such-group"),
    lambda m: m.run(["true"], extra_groups=["no-such-group"]),
    lambda m: m.run(["true"], pass_fds=[999]),
    lambda m: m.run(["true"], process_group=999_999),
    lambda m: m.run(["printf", "%s", "x" * (1 << 18)]),
)
SHOW = sh('echo "$A|$B|$PATH"; pwd; umask; ulimit -n')
cases(
    "surroundings",
    lambda m: m.run(SHOW, capture_output=True),
    lambda m: m.run(SHOW, capture_output=True, env={"A": "1", "PATH": os.environ["PATH"]}),
    lambda m: m.run(SHOW, capture_output=True, env={b"A": b"\xff", "B": "\udcfe", "PATH": "/bin:/usr/bin"}),
    lambda m: m.run(["/usr/bin/env"], capture_output=True, env={}),
    lambda m: m.run(["env"], capture_output=True, env={"PATH": "/no/such:/usr/bin:/bin"}),
    lambda m: m.run(["env"], env={"PATH": "/no/such"}),
    lambda m: m.run(SHOW, capture_output=True, cwd="/"),
    lambda m: m.run(SHOW, capture_output=True, cwd=Path("/usr")),
    lambda m: m.run(SHOW, capture_output=True, cwd=b"/usr"),
    lambda m: m.run(["./sh", "-c", "pwd"], capture_output=True, cwd="/bin"),
    lambda m: m.run(SHOW, capture_output=True, umask=0o077),
    lambda m: m.run(SHOW, capture_output=True, umask=0),
    lambda m: m.run(["grep", "SigIgn", "/proc/self/status"], capture_output=True),
    lambda m: m.run(["grep", "SigIgn", "/proc/self/status"], capture_output=True, restore_signals=False),
    lambda m: m.run(["grep", "SigBlk", "/proc/self/status"], capture_output=True),
)
cases(
    "verbs",
    lambda m: m.call(["false"]),
    lambda m: m.call(BOTH, stdout=m.DEVNULL, stderr=m.DEVNULL),
    lambda m: m.check_call(["true"]),
    lambda m: m.check_call(["false"]),
    lambda m: m.check_call(args=sh("exit 9")),
    lambda m: m.check_output(["echo", "out"]),
    lambda m: m.check_output(["echo", "out"], text=True),
    lambda m: m.check_output(BOTH, stderr=m.STDOUT),
    lambda m: m.check_output(["cat"], input=b"in"),
    lambda m: m.check_output(["cat"], input=None),
    lambda m: m.check_output(["cat"], input=None, text=True),
    lambda m: m.check_output(["true"], stdout=m.PIPE),
    lambda m: m.getoutput("echo out; echo err >&2"),
    lambda m: m.getstatusoutput("printf 'a\\n\\n'; exit 5"),
    lambda m: m.getstatusoutput("kill -9 $$"),
    lambda m: m.list2cmdline(["a b", "c"]),
)
LATE = "echo early; echo err >&2; exec sleep 100"
cases(
    "timeouts",
    lambda m: m.run(LATE, shell=True, capture_output=True, timeout=1),
    lambda m: m.run(LATE, shell=True, capture_output=True, text=True, timeout=1),
    lambda m: m.run(LATE, shell=True, stdout=m.PIPE, stderr=m.DEVNULL, timeout=1),
    lambda m: m.run(["sleep", "100"], timeout=0.1),
    lambda m: m.run(["sleep", "100"], timeout=0, capture_output=True),
    lambda m: m.run(["sleep", "100"], timeout=-1),
    lambda m: m.call(["sleep", "100"], timeout=0.1),
    lambda m: m.check_output(["sleep", "100"], timeout=0.1),
    lambda m: m.run(["sleep", "100"], input=b"x" * (1 << 20), timeout=0.1),
)


@case
def popen_is_waited_for(m: Modules) -> Any:
    process = m.Popen(sh("read line; exit 3"), stdin=m.PIPE)
    running = process.poll(), process.returncode, type(process.pid), process.args, type(process.stdin), repr(process)
    process.stdin.close()
    return running, process.wait(), process.wait(0), process.poll(), process.returncode, repr(process)


@case
def popen_times_out_and_goes_on(m: Modules) -> Any:
    with m.Popen(["cat"], stdin=m.PIPE, stdout=m.PIPE) as process:
        try:
            process.wait(timeout=0.05)
        except m.TimeoutExpired as error:
            first = str(error)
        process.stdin.write(b"in")
        return first, process.communicate(timeout=30), process.returncode


@case
def communicate_can_be_taken_up_again(m: Modules) -> Any:
    said: list[Any] = []
    script = "read a; echo got $a; read b; echo then $b; until test -e go; do sleep 0.01; done; echo end"
    with (
        tempfile.TemporaryDirectory() as place,
        m.Popen(sh(script), stdin=m.PIPE, stdout=m.PIPE, stderr=m.PIPE, text=True, cwd=place) as process,
    ):
        try:
            process.communicate("one\ntwo\n", timeout=1)
        except m.TimeoutExpired as error:
            said.append((error.output, error.stderr, error.timeout))
        try:
            process.communicate("more")
        except ValueError as error:
            said.append(str(error))
        Path(place, "go").touch()
        return said, process.communicate(), process.stdin.closed, process.stdout.closed


@case
def a_stream_is_read_before_communicate(m: Modules) -> Any:
    with m.Popen(["seq", "5"], stdout=m.PIPE, text=True) as process:
        return process.stdout.readline(), process.communicate()


@case
def streams_are_of_the_same_kinds(m: Modules) -> Any:
    def kind(stream: Any) -> Any:
        bases = (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.FileIO)
        return next(base for base in bases if isinstance(stream, base)), stream.readable(), stream.writable()

    kinds = []
    for options in ({}, {"bufsize": 0}, {"text": True}, {"text": True, "bufsize": 1}):
        with m.Popen(["cat"], stdin=m.PIPE, stdout=m.PIPE, stderr=m.PIPE, **options) as process:
            kinds.append([kind(stream) for stream in (process.stdin, process.stdout, process.stderr)])
            kinds.append([getattr(process.stdout, name, None) for name in ("encoding", "errors", "newlines")])
    return kinds


@case
def a_prompt_is_answered(m: Modules) -> Any:
    with m.Popen(sh("echo name; read n; echo hello $n"), stdin=m.PIPE, stdout=m.PIPE, text=True, bufsize=1) as process:
        prompt = process.stdout.readline()
        process.stdin.write("you\n")
        return prompt, process.stdout.read(), process.wait()


@case
def raw_streams_are_read_as_they_come(m: Modules) -> Any:
    with m.Popen(sh("printf ab; read x; printf cd"), stdin=m.PIPE, stdout=m.PIPE, bufsize=0) as process:
        first = process.stdout.read(10)
        process.stdin.write(b"\n")
        buffer = bytearray(10)
        return first, process.stdout.readinto(buffer), bytes(buffer), process.stdout.read(), process.stdout.read(1)


@case
def a_stream_that_does_not_block_says_so(m: Modules) -> Any:
    with m.Popen(sh("read x; echo out"), stdin=m.PIPE, stdout=m.PIPE, bufsize=0) as process:
        os.set_blocking(process.stdout.fileno(), False)
        nothing = process.stdout.read(10), process.stdout.read()
        process.stdin.close()
        select.select([process.stdout], [], [])
        return nothing, process.stdout.read(10), process.wait()


@case
def a_pipeline_of_two(m: Modules) -> Any:
    with m.Popen(["seq", "100000"], stdout=m.PIPE) as one:
        with m.Popen(["tail", "-n1"], stdin=one.stdout, stdout=m.PIPE) as two:
            one.stdout.close()
            return two.communicate(), one.wait(), two.returncode


@case
def files_and_descriptors_are_streams(m: Modules) -> Any:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as into:
        into.write(b"in\n")
        into.seek(0)
        code = m.call(sh("cat; echo err >&2"), stdin=into, stdout=out, stderr=out.fileno())
        out.seek(0)
        return code, out.read()


@case
def descriptors_are_passed_and_others_are_not(m: Modules) -> Any:
    reader, writer = os.pipe()
    other, ours = os.pipe()
    os.set_inheritable(other, True)
    try:
        words = [sys.executable, "-c", f"import os; os.write({writer}, b'beside'); os.fstat({other})"]
        said = m.run(words, pass_fds=[writer], stderr=m.PIPE)
        kept = m.run(words, close_fds=False, pass_fds=(), stderr=m.PIPE)
        both = m.run(words, pass_fds=[writer, other], stderr=m.PIPE)
        inheritable = os.get_inheritable(writer), os.get_inheritable(other)
        return said, kept, both, os.read(reader, 100), inheritable
    finally:
        for descriptor in (reader, writer, other, ours):
            os.close(descriptor)


@case
def sessions_and_groups(m: Modules) -> Any:
    def seen_by(**options: Any) -> Any:
        script = "set -- $(cat /proc/$$/stat); echo $1 $5 $6"
        said = m.run(sh(script), capture_output=True, text=True, **options).stdout
        pid, group, session = map(int, said.split())
        return group == pid, session == pid, group == os.getpgrp(), session == os.getsid(0)

    options: list[dict[str, Any]] = [{}, {"start_new_session": True}]
    if sys.version_info >= (3, 11):
        options += [{"process_group": 0}, {"process_group": os.getpgrp()}]
    return [seen_by(**each) for each in options]


@case
def users_and_groups(m: Modules) -> Any:
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    options: list[dict[str, Any]] = [{"user": 65534}, {"group": 12}, {"extra_groups": [5, 6]}, {"user": "nobody", "group": "tty"}]
    return [m.run(["id"], capture_output=True, text=True, **each) for each in options]


@case
def signals_go_to_the_program(m: Modules) -> Any:
    codes = []
    for act in ("terminate", "kill"):
        with m.Popen(["sleep", "100"]) as process:
            getattr(process, act)()
        codes.append(process.returncode)
        process.send_signal(signal.SIGTERM)
    with m.Popen(["sleep", "100"]) as process:
        process.send_signal(0)
        process.send_signal(signal.SIGINT)
    return [*codes, process.returncode]


@case
def a_subclass_is_a_subclass(m: Modules) -> Any:
    class Mine(m.Popen):  # type: ignore[misc]
        pass

    with Mine(["true"]) as process:
        pass
    return isinstance(process, subprocess.Popen), process.returncode, m.Popen[str].__args__


@pytest.mark.parametrize("name", CASES)
def test_the_same_is_seen(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected, given = seen(CASES[name], subprocess), seen(CASES[name], pinfold.subprocess)
    assert given == expected


def test_the_names_are_those_of_the_standard_library() -> None:
    assert set(subprocess.__all__) <= set(pinfold.subprocess.__all__)
    for name in ("CompletedProcess", "CalledProcessError", "TimeoutExpired", "SubprocessError", "PIPE", "STDOUT", "DEVNULL"):
        assert getattr(pinfold.subprocess, name) is getattr(subprocess, name)


def test_every_function_explains_itself() -> None:
    for name in pinfold.subprocess.__all__:
        value = getattr(pinfold.subprocess, name)
        assert value.__doc__ or value is getattr(subprocess, name)


def test_what_runs_between_fork_and_exec_is_refused() -> None:
    with pytest.raises(pinfold.Unsupported, match="start_new_session") as caught:
        pinfold.subprocess.run(["true"], preexec_fn=os.setsid)
    assert caught.value.operation == "preexec_fn"


# A daemon of its own session, which holds the output of the program open, and says who it is.
DAEMON = "setsid sh -c 'echo $$; exec sleep 100' & read x; exit 0"


@pytest.mark.parametrize("options", [{"stdout": -1}, {"stdout": -1, "stderr": -1}, {"stdout": -1, "timeout": 30}])
def test_nothing_is_left_of_a_run_and_nothing_holds_its_pipe_open(options: dict[str, Any], tmp_path: Path) -> None:
    begun = time.monotonic()
    script = "setsid sh -c 'echo $$; : >told; exec sleep 100' & until [ -e told ]; do sleep 0.01; done"
    done = pinfold.subprocess.run(sh(script), cwd=tmp_path, **options)
    assert time.monotonic() - begun < 60
    assert not is_alive(int(done.stdout))


def test_whoever_reads_the_pipe_alone_is_not_held_up_either() -> None:
    with pinfold.subprocess.Popen(sh(DAEMON), stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        daemon = int(process.stdout.readline())
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait() == 0
        assert not is_alive(daemon)


def test_a_kill_is_of_all_of_it() -> None:
    with pinfold.subprocess.Popen(sh("sleep 100 & echo $!; wait"), stdout=-1) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert not is_alive(child)


def test_a_timeout_ends_all_of_it_whoever_holds_the_pipe() -> None:
    begun = time.monotonic()
    # Time enough for its first word.
    for timeout in (1, 4, 16):
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            pinfold.subprocess.run("sleep 100 & echo $!; wait", shell=True, stdout=-1, timeout=timeout)
        if caught.value.output:
            break
    assert time.monotonic() - begun < 60
    assert not is_alive(int(caught.value.output))


@pytest.mark.parametrize("verb", ["run", "call", "check_call", "check_output"])
def test_what_interrupts_it_finds_all_of_it_gone(verb: str, tmp_path: Path) -> None:
    at = tmp_path / "pids"
    source = f"sleep 100 & echo $$ $! > {at}.new; mv {at}.new {at}; wait"

    def interrupt() -> None:
        until = time.monotonic() + 60
        while not at.exists() and time.monotonic() < until:
            time.sleep(0.002)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            getattr(pinfold.subprocess, verb)(sh(source))
        except KeyboardInterrupt:
            left = [pid for pid in at.read_text().split() if is_alive(int(pid))]
        gc.collect()
    thread.join()
    assert not left and not told


def test_several_threads_may_wait() -> None:
    process = pinfold.subprocess.Popen(["cat"], stdin=-1)
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(process.wait())) for _ in range(3)]
    for thread in threads:
        thread.start()
    process.communicate(b"")
    for thread in threads:
        thread.join()
    assert codes == [0, 0, 0]


def test_one_that_is_forgotten_is_left_running_with_a_warning() -> None:
    process = pinfold.subprocess.Popen(["sleep", "100"])
    run = process._run  # type: ignore[attr-defined]
    with pytest.warns(ResourceWarning, match=f"subprocess {run.pid} is still running"):
        del process
        gc.collect()
    assert is_alive(run.pid)
    run.end()
    pinfold.subprocess.run(["true"])
    assert not pinfold.subprocess._forgotten


def test_what_runs_at_the_end_of_this_process_ends_with_it(script: Callable[[str], list[str]]) -> None:
    words = script(
        """
import sys, warnings
from pinfold import subprocess
warnings.simplefilter("ignore")
kept = subprocess.Popen(["sleep", "100"], start_new_session=True)
print(kept.pid, subprocess.Popen(["sleep", "100"]).pid)
"""
    )
    said = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
    assert said.stderr == ""
    assert not any(is_alive(int(pid)) for pid in said.stdout.split())


def test_a_forked_copy_leaves_it_alone() -> None:
    with pinfold.subprocess.Popen(["cat"], stdin=-1, stdout=-1) as process:
        pid = os.fork()
        if pid == 0:
            try:
                del process
                gc.collect()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        assert process.communicate(b"still here")[0] == b"still here"


def test_a_status_that_others_have_taken_is_no_success() -> None:
    process = pinfold.subprocess.Popen(sh("exit 3"))
    if process._run.mechanism != "cgroup_v2":  # type: ignore[attr-defined]
        process.wait()
        pytest.skip("here it is no child of ours, and nobody can take it")
    os.waitpid(process.pid, 0)
    # Some kernels keep it for whoever has a handle of the process.
    try:
        assert process.wait() == 3
    except pinfold.StatusLost:
        process.returncode = 3


def test_a_descriptor_that_cannot_be_had_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def dup(number: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("pinfold.subprocess.os.dup", dup)
    with pytest.raises(OSError, match="Too many open files"):
        pinfold.subprocess.Popen(["sleep", "100"], stdout=-1)


def test_a_gigabyte_does_not_stop_the_other_stream() -> None:
    script = "head -c 300000000 /dev/zero; echo err >&2"
    done = pinfold.subprocess.run(sh(script), capture_output=True)
    assert (len(done.stdout), done.stderr) == (300_000_000, b"err\n")
