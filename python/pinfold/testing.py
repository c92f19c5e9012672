"""Doubles for tests: runners that start nothing, or that watch what is started.

Code that takes a runner can be given any of them. What they give passes through the same machine as a real child, so that
timeouts, limits, decoding and streams act on it as they do in earnest. They can be stacked: a spy before a cassette over a
scripted runner is a runner.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pinfold._native import AnyRunner, Invocation, Reply, Script, Spy, Tape
from pinfold._runner import Runner
from pinfold._verbs import Verbs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Self

    from pinfold._handle import Text
    from pinfold._native import Command
    from pinfold._runner import ProcessRunner

__all__ = ["DryRunner", "Invocation", "RecordReplayRunner", "RecordingRunner", "Reply", "ScriptedRunner"]


class ScriptedRunner(Verbs):
    """A runner that starts nothing, and replies to each command by the first of its rules that has a reply to it.

    A command that none of them has a reply to is an error, ``NoReply``, which names the program and never its arguments. Each
    method that adds a rule returns the runner itself.

    >>> from pinfold import Command, NonZeroExit
    >>> from pinfold.testing import Reply, ScriptedRunner
    >>> runner = ScriptedRunner()
    >>> runner.on(["git", "rev-parse"], Reply.ok("deadbeef\\n")).on(["git", "push"], Reply.fail(128, "fatal: no remote\\n"))
    <ScriptedRunner with 2 rules>
    >>> runner.run(Command("git", ["rev-parse", "HEAD"]))
    'deadbeef'
    >>> runner.exit_code(Command("git", ["push"]))
    128
    """

    __slots__ = ("_count", "_script")

    def __init__(self) -> None:
        self._script = Script()
        self._count = 0

    def _any(self) -> AnyRunner:
        return self._script.runner()

    def _counted(self) -> Self:
        self._count += 1
        return self

    def on(self, prefix: Iterable[Text], reply: Reply) -> Self:
        """Replies so to commands that begin with this program and these arguments. A program without a slash stands for the
        files of that name too: ``git`` for ``/usr/bin/git``.

        >>> from pinfold import Command
        >>> from pinfold.testing import Reply, ScriptedRunner
        >>> runner = ScriptedRunner().on(["git", "rev-parse"], Reply.ok("deadbeef\\n"))
        >>> runner.run(Command("git", ["rev-parse", "HEAD"]))
        'deadbeef'
        """
        self._script.on(prefix, reply)
        return self._counted()

    def when(self, predicate: Callable[[Command], object], reply: Reply) -> Self:
        """Replies so to commands of which this holds. What it raises is raised by the verb.

        >>> from pinfold import Command
        >>> from pinfold.testing import Reply, ScriptedRunner
        >>> runner = ScriptedRunner().when(lambda command: "--help" in command.arguments, Reply.ok("usage\\n"))
        >>> runner.run(Command("tool", ["--help"]))
        'usage'
        """
        self._script.when(predicate, reply)
        return self._counted()

    def sequence(self, prefix: Iterable[Text], replies: Iterable[Reply]) -> Self:
        """Replies to commands that begin so with each of these once, in order. After the last of them the rule is used up, and
        later rules have their turn.

        >>> from pinfold import Command
        >>> from pinfold.testing import Reply, ScriptedRunner
        >>> runner = ScriptedRunner().sequence(["fetch"], [Reply.fail(1, "no route\\n"), Reply.ok("fetched\\n")])
        >>> runner.run(Command("fetch").retry(2, pause=0))
        'fetched'
        """
        self._script.sequence(prefix, list(replies))
        return self._counted()

    def answering(self, answer: Callable[[Command], Reply | None]) -> Self:
        """Replies with what this makes of the command, where it makes something of it. What it raises is raised by the verb.

        >>> from pinfold import Command
        >>> from pinfold.testing import Reply, ScriptedRunner
        >>> runner = ScriptedRunner().answering(lambda command: Reply.ok(" ".join(command.arguments)))
        >>> runner.run(Command("anything", ["a", "b"]))
        'a b'
        """
        self._script.answering(answer)
        return self._counted()

    def fallback(self, reply: Reply) -> Self:
        """Replies so to whatever no rule has a reply to.

        >>> from pinfold import Command
        >>> from pinfold.testing import Reply, ScriptedRunner
        >>> ScriptedRunner().fallback(Reply.fail(2, "no such thing")).exit_code(Command("make"))
        2
        """
        self._script.fallback(reply)
        return self

    def inputs(self) -> list[bytes]:
        """What was read on standard input by each run that was given one, in the order of their starts; of those that still
        run, so far.

        >>> from pinfold import Command
        >>> from pinfold.testing import Reply, ScriptedRunner
        >>> runner = ScriptedRunner().on(["mail"], Reply.ok().after_input())
        >>> runner.run(Command("mail", ["ann"]).stdin_text("hello\\n"))
        ''
        >>> runner.inputs()
        [b'hello\\n']
        """
        return self._script.inputs

    def __repr__(self) -> str:
        return f"<ScriptedRunner with {self._count} {'rule' if self._count == 1 else 'rules'}>"


class RecordingRunner(Verbs):
    """A spy: it notes each command, and has another runner run it; this host, unless one is given.

    >>> from pinfold import Command
    >>> from pinfold.testing import RecordingRunner, Reply
    >>> spy = RecordingRunner.replying(Reply.ok())
    >>> spy.run(Command("git", ["push", "--force"]))
    ''
    >>> call = spy.only_call()
    >>> call.program, call.has_flag("--force")
    ('git', True)
    """

    __slots__ = ("_inner", "_spy")

    def __init__(self, runner: ProcessRunner | None = None) -> None:
        self._inner: ProcessRunner = Runner() if runner is None else runner
        self._spy = Spy(self._behind(runner))

    @classmethod
    def replying(cls, reply: Reply) -> Self:
        """A spy that starts nothing, and replies so to whatever it is asked to run."""
        return cls(ScriptedRunner().fallback(reply))

    def _any(self) -> AnyRunner:
        return self._spy.runner()

    @property
    def inner(self) -> ProcessRunner:
        """The runner behind it."""
        return self._inner

    def calls(self) -> list[Invocation]:
        """What it was asked to run, in order; what could not be started is among it.

        >>> from pinfold import Command
        >>> from pinfold.testing import RecordingRunner, Reply
        >>> spy = RecordingRunner.replying(Reply.ok(""))
        >>> _ = spy.run(Command("git", ["push"]))
        >>> [(call.program, call.args) for call in spy.calls()]
        [('git', ['push'])]
        """
        return self._spy.calls

    def only_call(self) -> Invocation:
        """The one command that it was asked to run. Raises ``AssertionError``, with the programs, if there was none, or more
        than one."""
        calls = self.calls()
        if not calls:
            raise AssertionError("one command was to be run, and none was")
        if len(calls) > 1:
            programs = ", ".join(call.program for call in calls)
            raise AssertionError(f"one command was to be run, and {len(calls)} were: {programs}")
        return calls[0]

    def clear(self) -> None:
        """Forgets what it has noted.

        >>> from pinfold import Command
        >>> from pinfold.testing import RecordingRunner, Reply
        >>> spy = RecordingRunner.replying(Reply.ok(""))
        >>> _ = spy.run(Command("git", ["push"]))
        >>> spy.clear()
        >>> spy.calls()
        []
        """
        self._spy.clear()

    def __repr__(self) -> str:
        return f"<RecordingRunner of {len(self.calls())} calls before {self._inner!r}>"


class RecordReplayRunner(Verbs):
    """A cassette: it replays recorded runs, and records what it may.

    A recording holds what the program wrote on its captured streams, in order, and its whole outcome: code or signal, why it
    ended, how long it took. It is replayed at once, whatever that was, and passes through the same machine as a real child.

    The file is for people to read, to compare and to commit: JSON lines. Values of environment variables are never stored,
    unless ``keep_env()`` names them; where such a value of six bytes or more stands in arguments, input or output, ``$NAME`` is
    stored instead. What else is secret is for ``redact()``. Recordings of equal commands are replayed in the order in which they
    were made, each once; ``lenient()`` changes that. What is not recorded is an error, ``NoReply``.

    What is recorded is run by ``runner``, or by this host. Methods that change it return the cassette itself.

    >>> import os, tempfile
    >>> from pinfold import Command
    >>> from pinfold.testing import RecordReplayRunner
    >>> path = os.path.join(tempfile.mkdtemp(), "shell.jsonl")
    >>> command = Command("sh", ["-c", "echo token-1234; exit 3"])
    >>> RecordReplayRunner.record(path).redact("token-*", "TOKEN").output(command).stdout
    'token-1234\\n'
    >>> replayed = RecordReplayRunner.replay(path).redact("token-*", "TOKEN").output(command)
    >>> replayed.stdout, replayed.code
    ('TOKEN\\n', 3)
    """

    __slots__ = ("_mode", "_tape")

    def __init__(self, mode: str, path: Text, runner: ProcessRunner | None = None) -> None:
        self._mode = mode
        self._tape = Tape(mode, path, self._behind(runner))

    @classmethod
    def replay(cls, path: Text) -> Self:
        """Replays what is recorded there, and runs nothing. Raises ``StreamFailed`` if the file is not there or cannot be read,
        ``InvalidInput`` if it is no cassette."""
        return cls("replay", path)

    @classmethod
    def refresh(cls, path: Text, runner: ProcessRunner | None = None) -> Self:
        """Replays what is recorded there, and runs and records what is not.

        >>> import os
        >>> import tempfile
        >>> from pinfold import Command
        >>> from pinfold.testing import RecordReplayRunner, Reply, ScriptedRunner
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = os.path.join(directory, "cassette.jsonl")
        ...     runner = RecordReplayRunner.refresh(path, ScriptedRunner().fallback(Reply.ok("once")))
        ...     runner.run(Command("expensive")), runner.run(Command("expensive"))
        ('once', 'once')
        """
        return cls("refresh", path, runner)

    @classmethod
    def record(cls, path: Text, runner: ProcessRunner | None = None) -> Self:
        """Runs and records everything, in place of older recordings of the same commands. What is recorded of others stays."""
        return cls("record", path, runner)

    def _any(self) -> AnyRunner:
        return self._tape.runner()

    def lenient(self) -> Self:
        """Knows a command again by its program and arguments alone, and replays the last recording of it as often as it is
        asked for. Otherwise the directory, the environment as far as the command says it, standard input and where output
        goes have to be the same, and each recording is replayed once.

        >>> import os
        >>> import tempfile
        >>> from pinfold.testing import RecordReplayRunner
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = os.path.join(directory, "cassette.jsonl")
        ...     runner = RecordReplayRunner.record(path).lenient()
        ...     runner.mode
        'record'
        """
        self._tape.lenient()
        return self

    def keep_env(self, *names: Text) -> Self:
        """Stores and compares the values of these environment variables.

        >>> import os
        >>> import tempfile
        >>> from pinfold import Command
        >>> from pinfold.testing import RecordReplayRunner
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = os.path.join(directory, "cassette.jsonl")
        ...     runner = RecordReplayRunner.record(path).keep_env("LANG")
        ...     runner.run(Command("echo", ["hello"]).env("LANG", "C"))
        'hello'
        """
        for name in names:
            self._tape.keep_env(name)
        return self

    def redact(self, pattern: str, replacement: str = "***") -> Self:
        """Replaces this in arguments, the directory, input and output, before they are compared or stored. A ``*`` stands for
        anything but blanks and quotes: ``ghp_*``, ``password=*``, ``://*@``."""
        self._tape.redact(pattern, replacement)
        return self

    @property
    def mode(self) -> str:
        """``replay``, ``refresh`` or ``record``."""
        return self._mode

    @property
    def path(self) -> str:
        """Its file."""
        return self._tape.path

    @property
    def unused(self) -> int:
        """How many of its recordings were not replayed yet, and were not made just now: at the end of a test, what the code no
        longer runs."""
        return self._tape.unused

    def __len__(self) -> int:
        return self._tape.length

    def __bool__(self) -> bool:
        # It is there, whether something is recorded on it or not.
        return True

    def save(self) -> None:
        """Makes sure that there is a file, even if nothing was recorded. Recordings are stored as their runs end, and need no
        saving.

        >>> import os
        >>> import tempfile
        >>> from pinfold import Command
        >>> from pinfold.testing import RecordReplayRunner
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = os.path.join(directory, "cassette.jsonl")
        ...     runner = RecordReplayRunner.record(path)
        ...     _ = runner.run(Command("echo", ["hello"]))
        ...     runner.save()
        ...     RecordReplayRunner.replay(path).run(Command("echo", ["hello"]))
        'hello'
        """
        self._tape.save()

    def __repr__(self) -> str:
        return f"<RecordReplayRunner of {len(self)} recordings, to {self._mode}: {self.path}>"


class DryRunner(Verbs):
    """A runner that plans each command as this host would run it, says so, and starts nothing: every run succeeds at once and
    writes nothing. What this host could not start is refused with the same error as in earnest.

    It is said on ``sys.stderr``, or to ``tell``, which is called with the command and its plan as text. The plan shows the
    arguments.

    >>> from pinfold import Command
    >>> from pinfold.testing import DryRunner
    >>> said = []
    >>> DryRunner(lambda command, plan: said.append(plan)).run(Command("rm", ["-r", "everything"]))
    ''
    >>> '"rm" "-r" "everything"' in said[0]
    True
    """

    __slots__ = ("_runner",)

    def __init__(self, tell: Callable[[Command, str], object] | None = None) -> None:
        self._runner = AnyRunner.dry(_say if tell is None else tell)

    def _any(self) -> AnyRunner:
        return self._runner

    def __repr__(self) -> str:
        return "<DryRunner>"


def _say(command: Command, plan: str) -> None:
    stream: Any = sys.stderr
    # There is none in a program without a console.
    if stream is not None:
        lines = "".join(f"    {line}\n" for line in plan.splitlines())
        stream.write(f"would run {command.program}\n{lines}")
