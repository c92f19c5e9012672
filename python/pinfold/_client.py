"""A program that is called again and again: its defaults are said once, and each call says its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinfold._native import Command
from pinfold._runner import Runner
from pinfold._starting import Starting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Unpack

    from pinfold._async import AsyncRunningProcess
    from pinfold._handle import Seconds, Text
    from pinfold._native import BytesResult, ProcessResult
    from pinfold._runner import ProcessRunner
    from pinfold._sync import RunningProcess
    from pinfold._verbs import Options, StartOptions

__all__ = ["CliClient"]


class CliClient:
    """A program with defaults, over any runner; this host unless one is given. The verbs take its arguments, and the options
    of a :class:`Runner`'s.

    ``program`` is a name or path, or a :class:`Command` where all calls have more in common than the defaults can say.

    >>> from pinfold import CliClient
    >>> from pinfold.testing import Reply, ScriptedRunner
    >>> script = ScriptedRunner().on(["git", "rev-parse"], Reply.ok("deadbeef\\n")).on(["git", "diff"], Reply.exits(1))
    >>> git = CliClient("git", default_timeout=30, default_env={"GIT_TERMINAL_PROMPT": "0"}, runner=script)
    >>> git.run(["rev-parse", "HEAD"])
    'deadbeef'
    >>> git.probe(["diff", "--quiet"])
    False
    """

    __slots__ = ("_defaults", "_runner")

    def __init__(
        self,
        program: Text | Command,
        *,
        default_timeout: Seconds | None = None,
        default_env: Mapping[str, Text] | None = None,
        default_env_remove: Iterable[Text] = (),
        default_cwd: Text | None = None,
        runner: ProcessRunner | None = None,
    ) -> None:
        defaults = program if isinstance(program, Command) else Command(program)
        if default_timeout is not None:
            defaults = defaults.timeout(default_timeout)
        if default_env is not None:
            defaults = defaults.envs(default_env)
        if isinstance(default_env_remove, (str, bytes)):
            raise TypeError(f"default_env_remove: expected names, not one {type(default_env_remove).__name__}")
        for name in default_env_remove:
            defaults = defaults.env_remove(name)
        if default_cwd is not None:
            defaults = defaults.cwd(default_cwd)
        self._defaults = defaults
        self._runner: ProcessRunner = Runner() if runner is None else runner

    @property
    def program(self) -> str:
        """The program as it was named."""
        return self._defaults.program

    @property
    def runner(self) -> ProcessRunner:
        """The runner behind it."""
        return self._runner

    def command(self, args: Iterable[Text] = ()) -> Command:
        """The command of a call, to be changed further and given to the runner.

        >>> from pinfold import CliClient
        >>> CliClient("git", default_timeout=30).command(["status"]).arguments
        ['status']
        """
        return self._defaults.args(args)

    def __repr__(self) -> str:
        return f"<CliClient {self.program!r} by {self._runner!r}>"

    def run(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> str:
        """``Runner.run()`` with these arguments.

        >>> from pinfold import CliClient
        >>> CliClient("echo").run(["hello"])
        'hello'
        """
        return self._runner.run(self.command(args), **options)

    async def arun(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> str:
        """``run()``, awaited."""
        return await self._runner.arun(self.command(args), **options)

    def output(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> ProcessResult:
        """``Runner.output()`` with these arguments.

        >>> from pinfold import CliClient
        >>> CliClient("sh").output(["-c", "exit 3"]).code
        3
        """
        return self._runner.output(self.command(args), **options)

    async def aoutput(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> ProcessResult:
        """``output()``, awaited."""
        return await self._runner.aoutput(self.command(args), **options)

    def output_bytes(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> BytesResult:
        """``Runner.output_bytes()`` with these arguments.

        >>> from pinfold import CliClient
        >>> CliClient("echo").output_bytes(["hello"]).stdout
        b'hello\\n'
        """
        return self._runner.output_bytes(self.command(args), **options)

    async def aoutput_bytes(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> BytesResult:
        """``output_bytes()``, awaited."""
        return await self._runner.aoutput_bytes(self.command(args), **options)

    def output_json(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> Any:
        """``Runner.output_json()`` with these arguments.

        >>> from pinfold import CliClient
        >>> CliClient("echo").output_json(["[1, 2]"])
        [1, 2]
        """
        return self._runner.output_json(self.command(args), **options)

    async def aoutput_json(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> Any:
        """``output_json()``, awaited."""
        return await self._runner.aoutput_json(self.command(args), **options)

    def exit_code(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> int:
        """``Runner.exit_code()`` with these arguments.

        >>> from pinfold import CliClient
        >>> CliClient("sh").exit_code(["-c", "exit 3"])
        3
        """
        return self._runner.exit_code(self.command(args), **options)

    async def aexit_code(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> int:
        """``exit_code()``, awaited."""
        return await self._runner.aexit_code(self.command(args), **options)

    def probe(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> bool:
        """``Runner.probe()`` with these arguments.

        >>> from pinfold import CliClient
        >>> CliClient("test").probe(["-d", "/"])
        True
        """
        return self._runner.probe(self.command(args), **options)

    async def aprobe(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> bool:
        """``probe()``, awaited."""
        return await self._runner.aprobe(self.command(args), **options)

    def run_json(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> Any:
        """Another name of ``output_json()``.

        >>> from pinfold import CliClient
        >>> CliClient("echo").run_json(["[1, 2]"])
        [1, 2]
        """
        return self.output_json(args, **options)

    async def arun_json(self, args: Iterable[Text] = (), **options: Unpack[Options]) -> Any:
        """Another name of ``aoutput_json()``."""
        return await self.aoutput_json(args, **options)

    def first_line(self, args: Iterable[Text] = (), **options: Unpack[StartOptions]) -> str:
        """``Runner.first_line()`` with these arguments.

        >>> from pinfold import CliClient
        >>> CliClient("yes").first_line()
        'y'
        """
        return self._runner.first_line(self.command(args), **options)

    async def afirst_line(self, args: Iterable[Text] = (), **options: Unpack[StartOptions]) -> str:
        """``first_line()``, awaited."""
        return await self._runner.afirst_line(self.command(args), **options)

    def start(self, args: Iterable[Text] = (), **options: Unpack[StartOptions]) -> RunningProcess:
        """``Runner.start()`` with these arguments.

        >>> from pinfold import CliClient
        >>> with CliClient("seq").start(["3"]) as process:
        ...     list(process)
        ['1', '2', '3']
        """
        return self._runner.start(self.command(args), **options)

    def astart(self, args: Iterable[Text] = (), **options: Unpack[StartOptions]) -> Starting[AsyncRunningProcess]:
        """``start()``, awaited; ``async with`` enters the handle as well."""

        async def astart() -> AsyncRunningProcess:
            return await self._runner.astart(self.command(args), **options)

        return Starting(astart())
