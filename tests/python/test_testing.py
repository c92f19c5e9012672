"""Doubles: scripted runners, spies, cassettes, dry runs, and the code that takes any of them."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pinfold
from pinfold import CancelToken, CliClient, Command, ProcessRunner, Runner
from pinfold.testing import DryRunner, Invocation, RecordingRunner, RecordReplayRunner, Reply, ScriptedRunner

GIT = Command("git", ["rev-parse", "HEAD"])


def runners(tmp_path: Path) -> list[ProcessRunner]:
    script = ScriptedRunner().fallback(Reply.ok("done\n"))
    return [
        Runner(),
        script,
        RecordingRunner(script),
        RecordReplayRunner.record(tmp_path / "tape.jsonl", script),
        DryRunner(lambda command, plan: None),
    ]


def test_all_of_them_are_process_runners(tmp_path: Path) -> None:
    for runner in runners(tmp_path):
        assert isinstance(runner, ProcessRunner)
        assert runner.run(Command("echo", ["done"])) in ("done", "")
        assert repr(runner).startswith("<" + type(runner).__name__)
    assert not isinstance(object(), ProcessRunner)


def test_the_verbs_of_a_runner_are_those_of_a_command(loop: Any) -> None:
    script = (
        ScriptedRunner()
        .on(["text"], Reply.ok("hello\n").with_stderr("note\n"))
        .on(["json"], Reply.ok('{"a": [1]}'))
        .on(["no"], Reply.exits(1))
        .on(["endless"], Reply.pending().with_stdout("ready\nmore\n"))
    )

    def check(answers: dict[str, Any]) -> None:
        assert answers["run"] == "hello" and answers["exit_code"] == 1 and answers["probe"] is False
        output = answers["output"]
        assert (output.stdout, output.stderr, output.mechanism) == ("hello\n", "note\n", "scripted")
        assert answers["output_bytes"].stdout == b"hello\n"
        assert answers["output_json"] == answers["run_json"] == {"a": [1]} and answers["first_line"] == "ready"

    commands = {
        "run": "text",
        "output": "text",
        "output_bytes": "text",
        "output_json": "json",
        "run_json": "json",
        "exit_code": "no",
        "probe": "no",
        "first_line": "endless",
    }
    check({verb: getattr(script, verb)(Command(program)) for verb, program in commands.items()})

    async def main() -> None:
        check({verb: await getattr(script, f"a{verb}")(Command(program)) for verb, program in commands.items()})
        async with await script.astart(Command("endless")) as process:
            lines = aiter(process)
            assert [await anext(lines), await anext(lines)] == ["ready", "more"]
        assert (await process.wait()).cause == "stopped"

    loop(main)


def test_real_ones_do_the_same(loop: Any) -> None:
    assert Runner().run(Command("echo", ["hello"])) == "hello"
    with Runner().start(Command("echo", ["hello"])) as process:
        assert list(process) == ["hello"]

    async def main() -> None:
        assert await Runner().arun(Command("echo", ["hello"])) == "hello"
        assert await Runner().afirst_line(Command("yes")) == "y"
        async with await Runner().astart(Command("echo", ["hello"])) as process:
            assert [line async for line in process] == ["hello"]

    loop(main)


def test_rules_are_tried_in_their_order() -> None:
    runner = ScriptedRunner()
    runner.on(["git", "rev-parse"], Reply.ok("deadbeef"))
    # The words of a user who does not chain.
    assert runner.run(GIT) == "deadbeef"
    assert runner.run(Command("/usr/bin/git", ["rev-parse"])) == "deadbeef"
    with pytest.raises(pinfold.NoReply, match="no reply of this scripted runner matches it; it has 1 rule"):
        runner.run(Command("git", ["secret"]))
    runner.sequence(["git"], [Reply.ok("1"), Reply.ok(b"2")]).when(lambda c: c.program == "git", Reply.ok("when"))
    runner.answering(lambda c: Reply.ok(c.arguments[-1]) if c.program == "echo" else None).fallback(Reply.not_found())
    other = Command("git", ["push"])
    assert [runner.run(other) for _ in range(4)] == ["1", "2", "when", "when"]
    assert runner.run(Command("echo", ["a", "b"])) == "b"
    with pytest.raises(FileNotFoundError):
        runner.run(Command("make"))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply.fail(3, "no\n"), pinfold.NonZeroExit),
        (Reply.fail(), pinfold.NonZeroExit),
        (Reply.timeout(), pinfold.Timeout),
        (Reply.signalled("SEGV"), pinfold.Signalled),
        (Reply.signalled(9), pinfold.Signalled),
        (Reply.not_found(), pinfold.ProcessNotFound),
        (Reply.refused("permission_denied", "may not be executed"), pinfold.PermissionDenied),
        (Reply.refused("resource_limit", "finds no memory"), pinfold.ResourceLimit),
        (Reply.refused("unsupported", "needs another kernel"), pinfold.Unsupported),
        (Reply.refused("spawn", "is broken"), pinfold.SpawnFailed),
        (Reply.refused("io", "has no disk"), pinfold.StreamFailed),
        (Reply.refused("invalid_input", "contradicts itself"), pinfold.InvalidInput),
    ],
)
def test_what_a_reply_raises(reply: Reply, expected: type[Exception]) -> None:
    with pytest.raises(expected, match="^tool: "):
        ScriptedRunner().fallback(reply).run(Command("tool"))


def test_replies_are_refused_that_cannot_be_meant() -> None:
    with pytest.raises(pinfold.InvalidInput, match="is no kind of refusal; use one of: permission_denied"):
        Reply.refused("tired", "is tired")  # type: ignore[arg-type]
    with pytest.raises(pinfold.InvalidInput, match="is no stream"):
        Reply.ok().writes("stdlog", "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected lines, not one str"):
        Reply.lines("one")
    with pytest.raises(TypeError, match="not one str"):
        ScriptedRunner().on("git", Reply.ok())
    with pytest.raises(TypeError):
        ScriptedRunner().fallback("deadbeef")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="first_line.. does not wait for the end, and has no use for on_line"):
        ScriptedRunner().fallback(Reply.ok()).first_line(GIT, on_line=print)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="timeout"):
        Runner().run(GIT, timeout=3)  # type: ignore[call-arg]


def test_a_double_is_held_to_the_rules_of_its_command(loop: Any) -> None:
    script = (
        ScriptedRunner()
        .on(["job"], Reply.ok("late\n").after(3600))
        .on(["quiet"], Reply.ok("a\n").after_pause(timedelta(hours=1)))
        .on(["loud"], Reply.ok("x" * 5000))
        .on(["latin"], Reply.ok(b"caf\xe9\n"))
        .on(["stubborn"], Reply.pending().ignoring("TERM"))
    )
    with pytest.raises(pinfold.Timeout) as timeout:
        script.run(Command("job").timeout(0.01))
    assert timeout.value.timeout_seconds == 0.01
    result = script.output(Command("quiet").idle_timeout(0.01))
    assert (result.cause, result.stdout) == ("idle_timeout", "a\n")
    with pytest.raises(pinfold.OutputTooLarge):
        script.run(Command("loud").output_limit(max_bytes=100, on_overflow="error"))
    assert script.run(Command("loud").output_limit(max_bytes=100)) == "x" * 100
    assert script.run(Command("latin").encoding("latin1")) == "café"
    assert script.output(Command("stubborn").timeout(0.01).timeout_grace(0.01)).signal == 9

    async def main() -> None:
        with pytest.raises(pinfold.Timeout):
            await script.arun(Command("job").timeout(0.01))
        result = await script.aoutput(Command("stubborn").timeout(0.01).timeout_grace(0.01))
        assert (result.signal, result.cause) == (9, "timeout")

    loop(main)


def test_a_handle_of_a_double_works_like_a_real_one() -> None:
    draining = Reply.ok("draining\n")
    server = Reply.lines(["starting", "ready"], pause=0.005).after_pause(3600).on_signal("TERM", draining)
    talker = Reply.ok().after_line().with_stdout("got it\n").after_input().with_stdout("bye\n")
    script = ScriptedRunner().on(["server"], server).on(["talker"], talker)
    with script.start(Command("server")) as process:
        assert "ready" in iter(process)
        assert process.try_wait() is None and process.mechanism == "scripted" and process.pid > 1_000_000_000
        outcome = process.stop()
    assert (outcome.cause, outcome.code) == ("stopped", 0)
    assert process.output().stdout == "starting\nready\ndraining\n"
    assert (process.stdout_line_count, process.members()) == (3, [])

    with script.start(Command("talker").keep_stdin_open()) as process, process.take_stdin() as stdin:
        lines = iter(process)
        with pytest.raises(TimeoutError):
            process.wait(timeout=0.01)
        stdin.write_line("hello")
        assert next(lines) == "got it"
        stdin.close()
        assert list(lines) == ["bye"] and process.wait().exited_zero
    assert script.inputs() == [b"hello\n"]

    with script.start(Command("server")) as process:
        assert process.kill().signal == 9
    with pytest.warns(ResourceWarning, match="was forgotten"):
        script.start(Command("server"))
        gc.collect()


def test_a_handle_that_is_awaited_does_too(loop: Any) -> None:
    talker = Reply.ok().after_line().with_stdout("got it\n").after_input()
    script = ScriptedRunner().on(["talker"], talker).on(["server"], Reply.pending())

    async def main() -> None:
        command = Command("talker").keep_stdin_open()
        async with await script.astart(command) as process, process.take_stdin() as stdin:
            await stdin.write_line("hello")
            assert await anext(aiter(process)) == "got it"
            await stdin.close()
            assert (await process.wait()).exited_zero
        async with await script.astart(Command("server")) as process:
            assert (await process.kill()).signal == 9

    loop(main)


def test_a_token_ends_a_double(loop: Any) -> None:
    script = ScriptedRunner().fallback(Reply.pending())
    for runner in (script, RecordingRunner(script)):
        token = CancelToken()
        timer = threading.Timer(0.02, token.cancel)
        timer.start()
        with pytest.raises(pinfold.Cancelled):
            runner.run(GIT, cancel=token)
        timer.join()
        with pytest.raises(pinfold.Cancelled, match="before it was started"):
            runner.start(GIT, cancel=token)

    async def main() -> None:
        token = CancelToken()
        process = await script.astart(GIT, cancel=token)
        token.cancel()
        assert (await process.wait()).cause == "cancelled"

    loop(main)


def test_a_task_that_is_cancelled_ends_a_double(aio: Any) -> None:
    events: list[str] = []

    async def main() -> None:
        script = ScriptedRunner().fallback(Reply.pending())
        task = asyncio.ensure_future(script.arun(GIT, on_event=lambda event: events.append(event.kind)))
        while not events:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    aio(main)
    assert events == ["started", "stopping", "ended"]


def boom(*_: Any) -> Any:
    raise LookupError("boom")


@pytest.mark.parametrize("rule", ["when", "answering", "dry"])
def test_what_a_rule_raises_is_raised_as_it_is(loop: Any, rule: str) -> None:
    runner: ProcessRunner = {
        "when": ScriptedRunner().when(boom, Reply.ok()),
        "answering": ScriptedRunner().answering(boom),
        "dry": DryRunner(boom),
    }[rule]
    true = Command("true").retry(3, pause=0)
    for call in (runner.run, runner.output, runner.probe, runner.first_line, runner.start):
        with pytest.raises(LookupError, match="^'?boom'?$") as caught:
            call(true)
        assert "boom" in str(caught.traceback[-1].frame.code.name)

    async def main() -> None:
        for call in (runner.arun, runner.afirst_line, runner.astart):
            with pytest.raises(LookupError, match="boom"):
                await call(true)

    loop(main)


def test_an_answer_that_is_none_is_refused() -> None:
    runner = ScriptedRunner().answering(lambda command: "text")  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match="expected a Reply or None, not str"):
        runner.run(GIT)


def test_rules_are_asked_on_the_thread_that_calls(loop: Any) -> None:
    threads: list[threading.Thread] = []

    def note(_: object) -> bool:
        threads.append(threading.current_thread())
        return True

    runner = ScriptedRunner().when(note, Reply.ok())
    runner.run(GIT)

    async def main() -> None:
        await runner.arun(GIT)

    loop(main)
    mine = threading.Thread(target=runner.run, args=(GIT,))
    mine.start()
    mine.join()
    assert threads == [threading.main_thread()] * 2 + [mine]


def test_a_runner_serves_many_threads_and_its_rules_may_run_others() -> None:
    inner = ScriptedRunner().fallback(Reply.ok("inner\n"))
    runner = ScriptedRunner().answering(lambda command: Reply.ok(inner.run(command)))
    answers: list[str] = []

    def work() -> None:
        answers.extend(runner.run(Command("x").arg(str(number))) for number in range(50))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["inner"] * 400


def test_a_spy_tells_what_was_asked_for() -> None:
    spy = RecordingRunner.replying(Reply.ok("ok"))
    with pytest.raises(AssertionError, match="and none was"):
        spy.only_call()
    spy.run(Command("rsync", ["--delete", "--rsh=ssh", "--", "--not"]).cwd("/tmp").env("A", "1").env_remove("B"))
    call = spy.only_call()
    assert (call.program, call.args, call.cwd) == ("rsync", ["--delete", "--rsh=ssh", "--", "--not"], "/tmp")
    assert call.env == {"A": "1", "B": None} and call.has_stdin is False
    assert call.has_flag("--delete") and call.has_flag("--rsh") and not call.has_flag("--not")
    assert repr(call) == "Invocation(program='rsync', args=['--delete', '--rsh=ssh', '--', '--not'])"
    spy.run(Command("cat").stdin_text("x"))
    assert spy.calls()[0] == call != spy.calls()[1] and spy.calls()[1].has_stdin
    with pytest.raises(AssertionError, match="one command was to be run, and 2 were: rsync, cat"):
        spy.only_call()
    spy.clear()
    assert spy.calls() == [] and isinstance(call, Invocation)


def test_spies_stand_before_any_of_ours() -> None:
    spy = RecordingRunner()
    assert spy.run(Command("echo", ["real"])) == "real" and spy.only_call().args == ["real"]
    assert isinstance(spy.inner, Runner)
    outer = RecordingRunner(spy)
    with pytest.raises(pinfold.ProcessNotFound):
        outer.run(Command("/no/such/program"))
    assert outer.only_call() == spy.calls()[-1]

    class Theirs:
        pass

    with pytest.raises(TypeError, match="expected one of pinfold's runners, or something derived from one, not Theirs"):
        RecordingRunner(Theirs())  # type: ignore[arg-type]


def test_retries_are_calls_and_a_judge_decides(loop: Any) -> None:
    spy = RecordingRunner.replying(Reply.fail(75, "busy\n"))
    asked: list[Any] = []

    def judge(result: Any) -> bool:
        asked.append(result)
        return len(asked) < 3

    patient = GIT.retry(9, pause=0, on="timeout")
    assert spy.exit_code(patient, retry_if=judge) == 75
    assert len(spy.calls()) == len(asked) == 3
    assert {type(result) for result in asked} == {pinfold.ProcessResult} and asked[0].stderr == "busy\n"

    asked.clear()
    missing = ScriptedRunner().fallback(Reply.not_found())
    with pytest.raises(pinfold.ProcessNotFound):
        missing.run(patient, retry_if=judge)
    assert [type(result) for result in asked] == [pinfold.ProcessNotFound] * 3

    with pytest.raises(LookupError, match="boom"):
        spy.run(patient, retry_if=boom)

    async def main() -> None:
        asked.clear()
        with pytest.raises(pinfold.NonZeroExit):
            await spy.arun(patient, retry_if=judge)
        assert len(asked) == 3
        with pytest.raises(LookupError, match="boom"):
            await spy.arun(patient, retry_if=boom)

    loop(main)


def test_a_real_run_is_recorded_and_replayed(tmp_path: Path, loop: Any) -> None:
    path = tmp_path / "deep" / "shell.jsonl"
    command = Command("sh", ["-c", "echo out; echo err >&2; exit 7"]).env("SECRET_TOKEN", "swordfish")
    live = RecordReplayRunner.record(path).output(command)
    tape = RecordReplayRunner.replay(path)
    assert (len(tape), tape.unused, tape.path, tape.mode) == (1, 1, str(path), "replay")
    again = tape.output(command)
    assert again.outcome == live.outcome and (again.stdout, again.stderr) == ("out\n", "err\n")
    assert tape.unused == 0
    with pytest.raises(pinfold.NoReply, match="was replayed already"):
        tape.run(command)
    assert "swordfish" not in path.read_text()
    lenient = RecordReplayRunner.replay(path).lenient()
    assert [lenient.exit_code(command.cwd("/")) for _ in range(3)] == [7, 7, 7]

    async def main() -> None:
        tape = RecordReplayRunner.replay(path)
        assert await tape.aexit_code(command) == 7
        with pytest.raises(pinfold.NoReply):
            await tape.arun(Command("sh", ["-c", "echo secret"]))

    loop(main)


def test_modes_of_a_cassette(tmp_path: Path) -> None:
    path = tmp_path / "tool.jsonl"
    with pytest.raises(pinfold.StreamFailed, match="there is no such file"):
        RecordReplayRunner.replay(path)
    old = ScriptedRunner().fallback(Reply.ok("old"))
    assert RecordReplayRunner.refresh(path, old).run(GIT) == "old"
    spy = RecordingRunner.replying(Reply.ok("new"))
    refresh = RecordReplayRunner.refresh(path, spy)
    assert refresh.run(GIT) == "old" and refresh.run(Command("more")) == "new"
    assert spy.only_call().program == "more"
    assert RecordReplayRunner.record(path, spy).run(GIT) == "new"
    assert RecordReplayRunner.replay(path).run(GIT) == "new"
    path.write_text("something else\n")
    with pytest.raises(pinfold.InvalidInput, match="it is no cassette"):
        RecordReplayRunner.replay(path)
    with pytest.raises(pinfold.InvalidInput, match="'rewind' is no mode of a cassette; use one of: replay, record"):
        RecordReplayRunner("rewind", path)
    empty = RecordReplayRunner.record(tmp_path / "empty.jsonl")
    empty.save()
    assert len(RecordReplayRunner.replay(empty.path)) == 0 and empty


def test_secrets_are_redacted_before_they_are_stored(tmp_path: Path) -> None:
    path = tmp_path / "tool.jsonl"
    script = ScriptedRunner().fallback(Reply.ok("key ghp_abc is fine\n"))
    command = Command("tool", ["--password=hunter2"]).envs({"LANG": "C", "API_KEY": "geheim!"})

    def tape(mode: str) -> RecordReplayRunner:
        return RecordReplayRunner(mode, path, script).redact("ghp_*", "TOKEN").redact("password=*").keep_env("LANG")

    assert tape("record").run(command) == "key ghp_abc is fine"
    text = path.read_text()
    assert not any(secret in text for secret in ("hunter2", "ghp_abc", "geheim"))
    assert '"LANG":"C"' in text
    assert tape("replay").run(command.env("API_KEY", "another")) == "key TOKEN is fine"


def test_a_dry_run_says_what_it_would_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said: list[tuple[Command, str]] = []
    dry = DryRunner(lambda command, plan: said.append((command, plan)))
    command = Command("rm", ["-r", "everything"]).stdout(tmp_path / "log")
    assert dry.output(command).stdout == "" and not (tmp_path / "log").exists()
    assert said[0][0] == command and '"rm" "-r" "everything"' in said[0][1]
    with pytest.raises(pinfold.ProcessNotFound):
        dry.run(Command("no-such-program"))
    DryRunner().run(Command("true", ["x"]))
    err = capsys.readouterr().err
    assert err.startswith("would run true\n    ") and '"true" "x"' in err


def test_a_client_says_its_defaults_each_time(loop: Any) -> None:
    spy = RecordingRunner(ScriptedRunner().on(["git", "diff"], Reply.exits(1)).fallback(Reply.ok('{"a": 1}\n')))
    git = CliClient(
        "git",
        default_timeout=timedelta(seconds=30),
        default_env={"GIT_TERMINAL_PROMPT": "0"},
        default_env_remove=["GIT_DIR"],
        default_cwd="/repo",
        runner=spy,
    )
    assert git.run(["log"]) == '{"a": 1}' and git.probe(["diff"]) is False and git.exit_code(["diff"]) == 1
    assert git.output(["log"]).is_success and git.output_bytes().stdout == b'{"a": 1}\n'
    assert git.output_json(["x"]) == git.run_json(["x"]) == {"a": 1} and git.first_line(["x"]) == '{"a": 1}'
    with git.start(["x"]) as process:
        assert list(process) == ['{"a": 1}']
    for call in spy.calls():
        assert (call.program, call.cwd, call.env) == ("git", "/repo", {"GIT_TERMINAL_PROMPT": "0", "GIT_DIR": None})
    assert git.command(["log"]) == git.command().arg("log") and git.program == "git" and git.runner is spy

    async def main() -> None:
        assert await git.arun(["log"]) == '{"a": 1}' and await git.aprobe(["diff"]) is False
        assert await git.aexit_code(["diff"]) == 1 and (await git.aoutput(["log"])).is_success
        assert (await git.aoutput_bytes()).stdout == b'{"a": 1}\n' and await git.afirst_line() == '{"a": 1}'
        assert await git.aoutput_json() == await git.arun_json() == {"a": 1}
        async with await git.astart() as process:
            assert [line async for line in process] == ['{"a": 1}']

    loop(main)


def test_a_client_of_this_host() -> None:
    shell = CliClient(Command("sh", ["-c"]).success_codes([3]), default_timeout=30, default_env={"NAME": "world"})
    assert shell.run(["echo hello $NAME; exit 3"]) == "hello world"
    with pytest.raises(pinfold.Timeout):
        CliClient(Command("sh", ["-c"]), default_timeout=0.05).run(["sleep 60"])
    with pytest.raises(TypeError, match="default_env_remove: expected names, not one str"):
        CliClient("git", default_env_remove="GIT_DIR")
    # Nothing of it is in how it is shown.
    assert repr(CliClient("git", default_env={"TOKEN": "geheim"})) == "<CliClient 'git' by <Runner: this host>>"


def test_a_runner_of_ones_own_serves_a_client() -> None:
    class Own(ScriptedRunner):
        def run(self, command: Command, **options: Any) -> str:
            return "own " + super().run(command, **options)

    own: ProcessRunner = Own().fallback(Reply.ok("reply"))
    assert CliClient("git", runner=own).run([]) == "own reply"


def test_doubles_are_freed() -> None:
    class Rule:
        def __call__(self, _: object) -> bool:
            return True

    rule = Rule()
    runner = ScriptedRunner().when(rule, Reply.ok())
    runner.run(GIT)
    gone = weakref.ref(rule)
    del rule, runner
    gc.collect()
    assert gone() is None


def test_no_reply_travels(roundtrip: Callable[[Any], Any]) -> None:
    with pytest.raises(pinfold.NoReply) as caught:
        ScriptedRunner().run(Command("tool", ["secret"]))
    error = caught.value
    assert roundtrip(error) == error and "secret" not in str(error) and error.program == "tool"
    assert error.hint == "add one with on() or fallback()"


@pytest.fixture(params=range(2, 6))
def roundtrip(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    import pickle

    return lambda value: pickle.loads(pickle.dumps(value, protocol=request.param))


def test_a_group_is_a_runner_and_can_stand_behind_a_spy() -> None:
    events: list[str] = []
    with pinfold.ProcessGroup() as group:
        runner: ProcessRunner = group
        assert isinstance(runner, ProcessRunner)
        spy = RecordingRunner(runner)
        with spy.start(Command("sleep", ["60"]), on_event=lambda event: events.append(event.kind)) as process:
            assert process.pid in group.members() and not process.owns_group
        assert CliClient("echo", runner=group).run(["inside"]) == "inside"
        assert spy.only_call().args == ["60"]
    assert events == ["started", "stopping", "ended"]
