"""The verbs that wait for the end, blocking and awaited."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pinfold
from pinfold import CancelToken, Command

VERBS: list[tuple[str, Command, Any]] = [
    ("run", Command("printf", ["one\\r\\ntwo\\n\\n"]), "one\r\ntwo"),
    ("exit_code", Command("sh", ["-c", "exit 7"]), 7),
    ("probe", Command("true"), True),
    ("probe", Command("false"), False),
    ("output_json", Command("echo", ['{"a": [1, 12345678901234567890]}']), {"a": [1, 12345678901234567890]}),
    ("run_json", Command("echo", ["null"]), None),
    ("first_line", Command("yes"), "y"),
]


@pytest.mark.parametrize(("verb", "command", "answer"), VERBS)
def test_a_verb_answers(verb: str, command: Command, answer: Any) -> None:
    assert getattr(command, verb)() == answer


@pytest.mark.parametrize(("verb", "command", "answer"), VERBS)
def test_its_twin_answers_the_same_in_every_loop(verb: str, command: Command, answer: Any, loop: Any) -> None:
    assert loop(getattr(command, f"a{verb}")) == answer


def test_output_is_what_was_written() -> None:
    result = Command("sh", ["-c", "printf 'a\\r\\nb\\n'; sleep 0.05; echo err >&2; exit 3"]).output()
    assert (result.stdout, result.stderr, result.code) == ("a\r\nb\n", "err\n", 3)
    assert result.combined == "a\r\nb\nerr\n"
    assert not (result.is_success or result.timed_out or result.truncated) and result.signal is None
    assert result.program == "sh" and 0.05 < result.duration_seconds < 10
    assert result.outcome.code == 3 and result.cause == "itself"
    assert result.stdout_seen is not None and (result.stdout_seen.bytes, result.stdout_seen.lines) == (5, 2)


def test_bytes_are_bytes(loop: Any) -> None:
    command = Command("printf", ["\\377\\n"])
    for result in (command.output_bytes(), loop(command.aoutput_bytes)):
        assert result.stdout == b"\xff\n" and result.stderr == "" and result.combined == b"\xff\n"
    assert command.output().stdout == "\N{REPLACEMENT CHARACTER}\n"
    assert command.encoding("latin1").run() == "\xff"


def test_much_output_is_all_there() -> None:
    size = 40 << 20
    result = Command("sh", ["-c", f"head -c {size} /dev/zero | tr '\\0' x"]).output_bytes()
    assert len(result.stdout) == size and result.stdout.count(b"x") == size


def test_much_input_is_fed_while_output_is_read(loop: Any) -> None:
    data = b"0123456789abcdef" * (1 << 18)
    command = Command("cat").stdin_bytes(data)
    assert command.output_bytes().stdout == data
    assert loop(command.aoutput_bytes).stdout == data
    assert Command("cat").stdin_bytes(memoryview(data)[:4]).run() == "0123"
    changing = bytearray(b"before")
    command = Command("cat").stdin_bytes(changing)
    changing[:] = b"after!"
    assert command.run() == "before"
    assert Command("head", ["-c", "1"]).stdin_bytes(data).run() == "0"


@pytest.mark.parametrize("way", ["drop_oldest", "drop_newest"])
@pytest.mark.parametrize("most", range(1, 12))
def test_a_bound_makes_no_character_that_was_not_written(way: Any, most: int, loop: Any) -> None:
    text = "a\N{EURO SIGN}\xe9\N{GRINNING FACE}z"
    data = text.encode()
    kept = data[-most:] if way == "drop_oldest" else data[:most]
    wanted = kept.decode(errors="ignore")
    command = Command("sh", ["-c", f"printf %s '{text}'; printf %s '{text}' >&2"]).output_limit(max_bytes=most, on_overflow=way)
    result = command.output()
    assert (result.stdout, result.stderr, result.combined) == (wanted, wanted, wanted * 2)
    assert (command.run(), loop(command.arun)) == (wanted, wanted)
    raw = command.output_bytes()
    assert (raw.stdout, raw.stderr_bytes, raw.stderr) == (kept, kept, wanted)
    for again in (pickle.loads(pickle.dumps(raw)), pinfold.BytesResult.from_json(raw.to_json())):
        assert (again.stdout, again.stderr) == (kept, wanted)
    stage = (command | Command("cat")).output().stages[0]
    assert stage.stderr == wanted
    # What it has written so is its own.
    assert Command("printf", [r"\251ab\342\202"]).output_limit(max_bytes=5, on_overflow=way).run() == "\ufffdab\ufffd"


def test_a_stray_is_ended_and_told_of() -> None:
    result = Command("sh", ["-c", "sleep 1000 & echo $!"]).output()
    assert result.is_success and result.strays.count == 1 and bool(result.strays)
    assert [stray.name for stray in result.strays.some] == ["sleep"]


def test_who_is_ended_with_the_program_is_told() -> None:
    command = Command("sh", ["-c", "sleep 1000 & echo $!; wait"])
    token = CancelToken()
    with pytest.raises(pinfold.Cancelled, match="1 other process was ended with it") as caught:
        command.output(cancel=token, on_line=lambda *_: token.cancel())
    result = caught.value.result
    assert isinstance(result, pinfold.ProcessResult) and not result.strays
    with_it = result.outcome.ended_with
    assert with_it is not None and with_it.count == 1 and bool(with_it) and repr(with_it) == "EndedWith(count=1)"
    assert [stray.pid for stray in with_it.some] == [int(result.stdout)]
    assert pickle.loads(pickle.dumps(with_it)) == with_it == pinfold.EndedWith.from_json(with_it.to_json())
    alone = Command("sleep", ["1000"]).timeout(0.05).output().ended_with
    assert alone is not None and not alone and alone.some == []
    assert Command("true").output().ended_with is None


FAILURES: list[tuple[str, Command, type[BaseException], dict[str, Any]]] = [
    ("run", Command("sh", ["-c", "echo out; echo why >&2; exit 3"]), pinfold.NonZeroExit,
     {"program": "sh", "code": 3, "stdout": "out\n", "stderr": "why\n", "returncode": 3, "cmd": "sh", "output": "out\n"}),
    ("run", Command("sh", ["-c", "kill -9 $$"]), pinfold.Signalled, {"signal": 9, "returncode": -9, "code": None}),
    ("run", Command("sleep", ["60"]).timeout(0.05), pinfold.Timeout,
     {"timeout_seconds": 0.05, "timeout": 0.05, "cmd": "sleep", "output": "", "stderr": ""}),
    ("exit_code", Command("sleep", ["60"]).idle_timeout(0.05), pinfold.Timeout, {"timeout_seconds": 0.05}),
    ("output", Command("no-such-program-anywhere"), pinfold.ProcessNotFound,
     {"program": "no-such-program-anywhere", "filename": "no-such-program-anywhere", "result": None}),
    ("output", Command("/etc/passwd"), pinfold.PermissionDenied, {"program": "/etc/passwd"}),
    ("output", Command("yes").output_limit(max_bytes=100, on_overflow="error"), pinfold.OutputTooLarge,
     {"max_bytes": 100, "max_lines": None}),
    ("output", Command("cat").keep_stdin_open(), pinfold.InvalidInput, {"program": "cat"}),
    ("probe", Command("sh", ["-c", "exit 2"]), pinfold.NonZeroExit, {"code": 2}),
    ("output_json", Command("echo", ["[1"]), pinfold.UnexpectedOutput, {"stdout": "[1\n", "code": 0}),
    ("first_line", Command("true"), pinfold.UnexpectedOutput, {"code": 0}),
    ("output_bytes", Command("yes").output_limit(max_bytes=4, on_overflow="error"), pinfold.OutputTooLarge,
     {"stdout": b"y\ny\n"}),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "command", "kind", "fields"), FAILURES)
def test_a_failure_is_an_exception_with_fields(verb: str, command: Command, kind: Any, fields: Any, loop: Any) -> None:
    for call in (getattr(command, verb), lambda: loop(getattr(command, f"a{verb}"))):
        with pytest.raises(kind) as caught:
            call()
        error: Any = caught.value
        assert isinstance(error, pinfold.ProcessError)
        assert {name: getattr(error, name) for name in fields} == fields
        for again in (pickle.loads(pickle.dumps(error)), pinfold.ProcessError.from_json(error.to_json())):
            assert type(again) is type(error) and again == error
            assert hash(again) == hash(error) and str(again) == str(error)
            assert {name: getattr(again, name) for name in fields} == fields
        assert kind.from_json(error.to_json().encode()) == error


def test_exceptions_are_the_standard_librarys_too() -> None:
    with pytest.raises(FileNotFoundError) as missing:
        Command("no-such-program-anywhere").run()
    assert "no-such-program-anywhere" in str(missing.value)
    with pytest.raises(subprocess.CalledProcessError, match="exited with code 3"):
        Command("sh", ["-c", "exit 3"]).run()
    with pytest.raises(subprocess.TimeoutExpired):
        Command("sleep", ["60"]).timeout(0.01).run()
    with pytest.raises(TimeoutError):
        Command("sleep", ["60"]).timeout(0.01).run()
    with pytest.raises(PermissionError):
        Command("/etc/passwd").run()


def test_an_error_of_the_system_has_its_number_and_names_what_it_is_about(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    missing = str(tmp_path / "missing")

    def script_of(name: str, first: str) -> Path:
        at = tmp_path / name
        at.write_bytes(f"#!{first}\necho\n".encode())
        at.chmod(0o755)
        return at

    script, refused, crlf = script_of("script", missing), script_of("refused", str(plain)), script_of("crlf", "/bin/sh\r")
    nested = script_of("nested", str(script))
    wanted: list[tuple[Command, int, str]] = [
        (Command("no-such-program-anywhere"), errno.ENOENT, "no-such-program-anywhere"),
        (Command("/no/such/program"), errno.ENOENT, "/no/such/program"),
        (Command(plain), errno.EACCES, str(plain)),
        (Command("true").cwd(missing), errno.ENOENT, missing),
        (Command("no-such-program-anywhere").cwd(missing), errno.ENOENT, missing),
        (Command("./tool").cwd(missing), errno.ENOENT, missing),
        (Command("true").cwd(plain), errno.ENOTDIR, str(plain)),
        (Command("cat").stdin_file(missing), errno.ENOENT, missing),
        (Command("echo").stdout(Path(missing) / "file"), errno.ENOENT, f"{missing}/file"),
        (Command(script), errno.ENOENT, missing),
        (Command("script").env("PATH", str(tmp_path)), errno.ENOENT, missing),
        (Command("./script").cwd(tmp_path), errno.ENOENT, missing),
        # It is not looked at from where it cannot be started.
        (Command(script).cwd(missing), errno.ENOENT, missing),
        (Command("script").env("PATH", str(tmp_path)).cwd(plain), errno.ENOTDIR, str(plain)),
        # The interpreter's own is not there.
        (Command(nested), errno.ENOENT, missing),
        (Command(refused), errno.EACCES, str(plain)),
        # A carriage return is the script's fault.
        (Command(crlf), errno.ENOENT, str(crlf)),
    ]
    for command, number, name in wanted:
        with pytest.raises(OSError) as caught:
            command.run()
        error = caught.value
        assert (error.errno, error.filename, error.strerror) == (number, name, os.strerror(number)), repr(error)
        again = pickle.loads(pickle.dumps(error))
        assert (again.errno, again.filename, again.strerror) == (number, name, os.strerror(number)) and again == error


def test_a_timeout_says_whether_it_has_ended_the_run(loop: Any) -> None:
    with pytest.raises(pinfold.Timeout) as caught:
        Command("sleep", ["60"]).timeout(0.01).run()
    assert caught.value.ended_run and caught.value.result is not None
    with Command("sleep", ["60"]).start() as process:
        process_: Any = process
        waits: list[tuple[float, Any]] = [
            (0.01, lambda: process_.wait(timeout=0.01)),
            (0.01, lambda: process_.wait(timeout=timedelta(milliseconds=10))),
            (0.02, lambda: process_.wait_until(lambda: False, timeout=0.02)),
        ]
        for seconds, wait in waits:
            with pytest.raises(pinfold.Timeout, match="sleep: .*(0.01s|20ms)") as late:
                wait()
            assert isinstance(late.value, (subprocess.TimeoutExpired, TimeoutError))
            assert (late.value.program, late.value.cmd, late.value.timeout) == ("sleep", "sleep", seconds)
            assert not late.value.ended_run and process.try_wait() is None
    with pytest.raises(pinfold.Timeout) as nowhere:
        pinfold.Probe.file("/no/such/file").wait(timeout=0.01)
    assert not nowhere.value.ended_run

    async def main() -> None:
        async with await Command("sleep", ["60"]).astart() as process:
            with pytest.raises(pinfold.Timeout, match="sleep: has not ended within 0.01s") as late:
                await process.wait(timeout=0.01)
            assert (late.value.program, late.value.timeout_seconds, late.value.ended_run) == ("sleep", 0.01, False)

    loop(main)


def test_json_of_an_exception_is_read_as_that_alone() -> None:
    with pytest.raises(pinfold.NonZeroExit) as caught:
        Command("sh", ["-c", "printf 'caf\\351' >&2; exit 3", b"\xff"]).stderr_encoding("latin1").output_bytes().ensure_success()
    error = caught.value
    if sys.version_info >= (3, 11):
        error.add_note("on the third host")
    again = pinfold.NonZeroExit.from_json(error.to_json())
    assert again == error and again.stderr == "caf\xe9" and again.stdout == b""
    assert getattr(again, "__notes__", None) == getattr(error, "__notes__", None)
    with pytest.raises(pinfold.InvalidInput, match="the JSON of a NonZeroExit, and of no Timeout"):
        pinfold.Timeout.from_json(error.to_json())
    wrong: Any
    for wrong in ("", "[]", "{}", '{"is": "SystemExit", "message": "", "fields": {}}', '{"is": "Timeout", "message": ""}', "3",
                  '{"is": 3, "message": "", "fields": {}}', '{"is": "Timeout", "message": "", "fields": {}, "result": {"is": "x"}}'):
        with pytest.raises(pinfold.InvalidInput, match="not such JSON"):
            pinfold.ProcessError.from_json(wrong)

    class Own(pinfold.ProcessError):
        pass

    with pytest.raises(TypeError, match="Own is no exception of pinfold's own"):
        Own("of somebody").to_json()


def test_how_a_streamed_run_ended_travels() -> None:
    with Command("sh", ["-c", "echo err >&2; exit 3"]).start() as process:
        finished = process.finish()
    for again in (pickle.loads(pickle.dumps(finished)), pinfold.Finished.from_json(finished.to_json())):
        assert again == finished and (again.code, again.stderr) == (3, "err\n")
    for wrong in ("", "{}", '{"outcome": {}, "stderr": ""}', finished.to_json().replace('"err\\n"', "3")):
        with pytest.raises(pinfold.InvalidInput):
            pinfold.Finished.from_json(wrong)


def test_no_argument_is_in_an_error() -> None:
    with pytest.raises(pinfold.ProcessError) as caught:
        Command("sh", ["-c", "exit 3", "hunter2"]).env("TOKEN", "hunter2").run()
    assert "hunter2" not in str(caught.value) + repr(caught.value)


def test_a_result_can_be_asked_for_success_later() -> None:
    result = Command("sh", ["-c", "exit 3"]).output()
    with pytest.raises(pinfold.NonZeroExit) as caught:
        result.ensure_success()
    assert caught.value.result is result
    fine = Command("sh", ["-c", "exit 3"]).success_codes([3]).output()
    assert fine.ensure_success() is fine and fine.is_success and not fine.exited_zero


@pytest.mark.parametrize("verb", ["output", "output_bytes"])
def test_results_travel(verb: str) -> None:
    result = getattr(Command("sh", ["-c", "printf 'a\\377'; echo err >&2; sleep 1000 & exit 3"]), verb)()
    for again in (pickle.loads(pickle.dumps(result)), type(result).from_json(result.to_json())):
        assert again == result and again.combined == result.combined and again.outcome == result.outcome
        assert (again.stdout, again.stderr, again.code) == (result.stdout, result.stderr, 3)
    for part in (result.outcome, result.usage, result.strays, result.strays.some[0], result.limits_hit, result.stdout_seen):
        assert pickle.loads(pickle.dumps(part)) == part == type(part).from_json(part.to_json())
        assert repr(part) and part != "other"
    assert "err" not in repr(result).replace("stderr", "")


def test_lines_are_told_as_they_come(loop: Any) -> None:
    command = Command("sh", ["-c", "echo one; echo two >&2; sleep 0.02; echo three"])
    for call in (command.run, lambda **more: loop(lambda: command.arun(**more))):
        told: list[tuple[str, str]] = []
        call(on_line=lambda stream, line: told.append((stream, line)))
        assert sorted(told) == [("stderr", "two"), ("stdout", "one"), ("stdout", "three")]


def test_what_a_listener_raises_ends_the_run(loop: Any) -> None:
    command = Command("sh", ["-c", "echo one; sleep 1000"])

    def told(stream: str, line: str) -> None:
        raise LookupError(line)

    for call in (command.run, lambda **more: loop(lambda: command.arun(**more))):
        begin = time.monotonic()
        with pytest.raises(LookupError, match="one"):
            call(on_line=told)
        assert time.monotonic() - begin < 100


def test_a_token_ends_it(loop: Any) -> None:
    token = CancelToken()
    child = token.child()
    command = Command("sh", ["-c", "echo ready; exec sleep 1000"])
    with pytest.raises(pinfold.Cancelled) as caught:
        command.run(on_line=lambda *_: token.cancel(), cancel=child)
    assert caught.value.stdout == "ready\n" and child.is_cancelled
    with pytest.raises(pinfold.Cancelled):
        loop(lambda: command.aoutput(cancel=token))


def test_it_is_tried_again() -> None:
    command = Command("sh", ["-c", "exit 3"]).retry(3, pause=0.01, factor=1)
    begin = time.monotonic()
    assert command.exit_code() == 3
    assert time.monotonic() - begin >= 0.02


def test_no_loop_is_no_place_for_a_twin() -> None:
    coroutine = Command("true").arun()
    with pytest.raises(RuntimeError, match="event loop"):
        coroutine.send(None)
