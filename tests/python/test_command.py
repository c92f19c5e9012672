"""Commands: what they take, what they say of themselves, how they travel."""

from __future__ import annotations

import copy
import os
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pinfold
from pinfold import Command, InvalidInput


def test_arguments_arrive_to_the_byte() -> None:
    given: list[Any] = [b"\xff\xfe", os.fsdecode(b"caf\xe9"), Path("/a b"), "ä", ""]
    written = Command("printf", ["%s\\0", *given]).output_bytes().stdout
    assert written.split(b"\0")[:-1] == [b"\xff\xfe", b"caf\xe9", b"/a b", "ä".encode(), b""]


def test_a_program_and_its_directory_are_paths_too(tmp_path: Path) -> None:
    program = tmp_path / os.fsdecode(b"t\xf6\xf6l")
    program.write_text("#!/bin/sh\npwd\n")
    program.chmod(0o755)
    assert Command(program).cwd(tmp_path).run() == str(tmp_path)
    assert Command(os.fsencode(program)).cwd(os.fsencode(tmp_path)).run() == str(tmp_path)


def test_the_environment_is_what_was_said() -> None:
    mixed: dict[Any, Any] = {"B": "2", b"C": b"\xff"}
    command = Command("env").env_clear().env("A", "1").envs(mixed).env_remove("A")
    assert sorted(command.output_bytes().stdout.split()) == [b"B=2", b"C=\xff"]
    os.environ["PINFOLD_TEST"] = "kept"
    try:
        said = Command("env").inherit_env(["PINFOLD_TEST"]).envs([("D", "4")]).run()
        assert sorted(said.split()) == ["D=4", "PINFOLD_TEST=kept"]
    finally:
        del os.environ["PINFOLD_TEST"]


ANY: Any = Command


@pytest.mark.parametrize("wrong", [
    lambda: ANY(1),
    lambda: ANY("x", "one word"),
    lambda: ANY("x").args(b"x"),
    lambda: ANY("x").arg(None),
    lambda: ANY("x").timeout("1"),
    lambda: ANY("x").stdin_bytes("text"),
    lambda: ANY("x").stdin_text(b"bytes"),
    lambda: ANY("x").timeout(True),
    lambda: ANY("x").max_memory(True),
    lambda: ANY("x").max_memory(1.5),
    lambda: ANY("x").groups("12"),
    lambda: ANY("x").groups(12),
    lambda: ANY("x").groups([1, "2"]),
    lambda: ANY("x").timeout(),
])  # fmt: skip
def test_what_is_of_the_wrong_type_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        wrong()


def test_what_others_take_is_told_what_to_write_here(tmp_path: Path) -> None:
    for words in (["ls", "-l"], ("ls", "-l")):
        with pytest.raises(TypeError, match=r"list of their own: write Command\(\"ls\", \[\"-l\"\]\), or Command\(words\[0\]"):
            ANY(words)
        assert Command(words[0], words[1:]).arguments == ["-l"]
    with pytest.raises(TypeError, match=r"not NoneType; its arguments are a list of their own: write Command\(\"ls\", \[\"-l\"\]\)$"):
        ANY(None)
    for one in ("-l", b"-l", 3):
        with pytest.raises(TypeError, match=r"expected a sequence of arguments, not one (str|bytes|int); write \[argument\] for one"):
            ANY("ls", one)
    at = tmp_path / "file"
    with at.open("w") as file:
        for start in (ANY("x"), ANY("x") | ANY("y")):
            with pytest.raises(TypeError, match=r'not TextIOWrapper; write stdout\(Path\("FILE"\)\), with append=True to add'):
                start.stdout(file)
            with pytest.raises(TypeError, match=r"not TextIOWrapper; write stdin_file\(path\), or stdin_bytes\(file.read\(\)\)"):
                start.stdin_file(file)
        with pytest.raises(TypeError, match=r'not TextIOWrapper; write stderr\(Path\("FILE"\)\).* pinfold.subprocess'):
            ANY("x").stderr(file)


@pytest.mark.parametrize("start", [ANY("x"), ANY("x") | ANY("y")])
def test_text_and_bytes_to_feed_name_each_other(start: Any) -> None:
    for verb, wrong, said in [
        ("stdin_text", b"x", "expected str, not bytes; stdin_bytes takes bytes"),
        ("stdin_text", 1, "expected str, not int"),
        ("stdin_bytes", "x", "expected bytes, not str; stdin_text takes str"),
        ("stdin_bytes", 1, "expected bytes, not int"),
    ]:
        with pytest.raises(TypeError) as caught:
            getattr(start, verb)(wrong)
        assert str(caught.value).endswith(said), caught.value


@pytest.mark.parametrize("wrong", [
    lambda command: command.timeout(-1),
    lambda command: command.timeout(float("nan")),
    lambda command: command.timeout(timedelta(seconds=-1)),
    lambda command: command.timeout_signal("no-such"),
    lambda command: command.timeout_signal(0),
    lambda command: command.stdout("somewhere"),
    lambda command: command.stdout("stdout"),
    lambda command: command.stdout("pipe", append=True),
    lambda command: command.encoding("utf-9"),
    lambda command: command.isolation("none"),
    lambda command: command.require("all"),
    lambda command: command.rlimit("no-such", 1),
    lambda command: command.rlimit("nofile", -2),
    lambda command: command.io_priority("idle", 3),
    lambda command: command.retry(0),
    lambda command: command.strays("stop"),
    lambda command: command.output_limit(on_overflow="explode"),
    lambda command: command.output_limit(),
    lambda command: command.output_limit(on_overflow="error"),
    lambda command: command.output_limit(max_bytes=-1),
    lambda command: command.output_limit(max_lines=1 << 64),
    lambda command: command.keep(-1),
    lambda command: command.uid(-1),
    lambda command: command.gid(1 << 32),
    lambda command: command.groups([0, -1]),
    lambda command: command.umask(-1),
    lambda command: command.affinity([-1]),
    lambda command: command.max_memory(-1),
    lambda command: command.max_processes(-1),
    lambda command: command.cpu_weight(-1),
    lambda command: command.cpus([-1]),
    lambda command: command.retry(-1),
    lambda command: pinfold.Limits(max_memory=-1),
    lambda command: pinfold.Limits(cpus=[1, -1]),
    lambda command: pinfold.IoLimit("/dev/sda", read_bytes=-1),
])  # fmt: skip
def test_what_cannot_be_meant_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        wrong(Command("x"))
    assert isinstance(caught.value, ValueError)
    assert str(caught.value)


@pytest.mark.parametrize("unclear", [
    "{}",
    '{"prog": "x"}',
    '{"program": "x", "limitz": {"memory_max_bytes": 1}}',
    '{"program": "x", "limits": {"max_memory": 1}}',
    '{"program": "x", "process": {"sandbocks": {}}}',
    '{"program": "x", "process": {"sandbox": {"no_netwerk": true}}}',
    '{"program": "x", "env": {"clean": true}}',
])  # fmt: skip
def test_json_that_names_no_program_or_a_setting_that_is_none_is_refused(unclear: str) -> None:
    with pytest.raises(InvalidInput, match="missing field `program`|unknown field"):
        Command.from_json(unclear)
    with pytest.raises(InvalidInput):
        pinfold.Pipeline.from_json(f'{{"stages": [{unclear}]}}')


def test_what_is_refused_is_named() -> None:
    with pytest.raises(TypeError, match="variable 'A': expected str, bytes or a path, not int"):
        ANY("x").env("A", 1)
    for pairs in ({"A": "1", "B": 2}, [("A", "1"), ("B", 2)]):
        with pytest.raises(TypeError, match="variable 'B': expected str, bytes or a path, not int"):
            ANY("x").envs(pairs)
    with pytest.raises(TypeError, match="expected pairs of a name and a value"):
        ANY("x").envs(["A=1"])
    with pytest.raises(TypeError, match="name of a variable: expected str, bytes or a path, not int"):
        ANY("x").env(1, "1")
    with pytest.raises(TypeError, match="expected a sequence of whole numbers, not str"):
        ANY("x").groups("12")
    with pytest.raises(TypeError, match="expected a whole number, not str"):
        ANY("x").groups(["12"])
    with pytest.raises(InvalidInput, match="-1 is out of range: from 0 to 4294967295"):
        Command("x").uid(-1)
    with pytest.raises(InvalidInput, match="an output limit of neither bytes nor lines bounds nothing"):
        Command("x").output_limit()


def test_containers_and_guarantees_have_the_names_that_runs_and_the_tool_have_for_them() -> None:
    command: Any = Command("true")
    for given, meant in [("cgroup_v2", "cgroup"), ("pid-namespace", "pid_namespace"), ("process-group", "process_group")]:
        assert command.isolation(given) == command.isolation(meant) != command, given
    for given, meant in [("best-effort", "best_effort"), ("while-owner-lives", "while_owner_lives")]:
        assert command.require(given) == command.require(meant) != command, given


def test_no_timeout_is_a_timeout_too() -> None:
    command = Command("echo", ["hello"])
    assert command.timeout(None) == command == command.timeout(1).idle_timeout(2).timeout(None).idle_timeout(None)
    pipeline = command | Command("cat")
    assert pipeline.timeout(None) == pipeline == pipeline.timeout(1).timeout(None)


def everything() -> Command:
    return (
        Command("tool", ["-x", b"\xff"])
        .arg0("other")
        .cwd("/tmp")
        .env("SECRET", "word")
        .env_remove("B")
        .stdin_bytes(b"\xff\0")
        .stdout(Path("/tmp/log"), append=True)
        .stderr("stdout")
        .timeout(timedelta(seconds=1.5))
        .idle_timeout(2)
        .timeout_grace(0.25)
        .timeout_signal("int")
        .success_codes([0, 3])
        .retry(3, pause=0.1, on=7)
        .strays("wait")
        .output_limit(max_bytes=10, on_overflow="error")
        .keep(5)
        .line_rule(split_bare_cr=True)
        .encoding("latin1")
        .isolation("process_group")
        .require("best_effort")
        .kill_on_parent_death()
        .user("nobody")
        .umask(0o22)
        .nice(3)
        .affinity([0])
        .io_priority("best_effort", 2)
        .oom_score_adj(5)
        .rlimit("nofile", 10, None)
        .max_memory(1 << 20)
        .max_processes(5)
        .cpu_quota(0.5)
    )


def test_a_command_is_plain_data() -> None:
    command = everything()
    assert command == everything() and hash(command) == hash(everything())
    assert command != command.arg("more") and command != "tool"
    for again in (pickle.loads(pickle.dumps(command)), copy.deepcopy(command), Command.from_json(command.to_json())):
        assert again == command
        assert again.program == "tool" and again.arguments == ["-x", os.fsdecode(b"\xff")]
    with pytest.raises(InvalidInput):
        Command.from_json("{}}")
    with pytest.raises(AttributeError):
        command.program = "other"  # type: ignore[misc]


def test_a_builder_leaves_what_it_was_called_on_alone() -> None:
    base = Command("echo")
    one, two = base.arg("1"), base.arg("2")
    assert (base.arguments, one.arguments, two.arguments) == ([], ["1"], ["2"])


def test_a_repr_holds_no_secret() -> None:
    assert repr(everything()) == "<Command 'tool' with 2 arguments>"
    assert "word" not in repr(everything()) and "word" in everything().to_json()
    assert repr(Command("x")) == "<Command 'x'>" and repr(Command("x", ["y"])) == "<Command 'x' with 1 argument>"


def test_files_and_streams_go_where_they_were_sent(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Command("echo", ["one"]).stdout(log).run()
    Command("echo", ["two"]).stdout(log, append=True).run()
    assert log.read_text() == "one\ntwo\n"
    assert Command("cat").stdin_file(log).run() == "one\ntwo"
    both = Command("sh", ["-c", "echo out; echo err >&2; echo out"]).stderr("stdout").output()
    assert (both.stdout, both.stderr) == ("out\nerr\nout\n", "")
    assert Command("sh", ["-c", "echo x; exit 3"]).stdout("null").exit_code() == 3


def test_what_a_process_is_given_it_has() -> None:
    script = "umask; ulimit -Sn; ulimit -Hn; nice; echo $0"
    said = Command("sh", ["-c", script]).umask(0o27).rlimit("nofile", 64, 128).nice(5).run().split()
    assert said == ["0027", "64", "128", "5", "sh"]
    assert Command("sh", ["-c", "ulimit -Sn; ulimit -Hn"]).rlimit("nofile", 64).run().split() == ["64", "64"]
    assert Command("sh", ["-c", "ps -o args= -p $$ || cat /proc/$$/cmdline"]).arg0("renamed").run().startswith("renamed")


def test_a_plan_is_explained_without_a_run() -> None:
    assert "timeout" in Command("sh").timeout(3).explain()
    assert Command("sh").resolve_program().endswith("/sh")
