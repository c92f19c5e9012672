"""The standard library's ``subprocess``, with whatever it starts held together: change one import, and nothing else.

>>> from pinfold import subprocess
>>> subprocess.run(["echo", "hello"], capture_output=True, text=True, check=True).stdout
'hello\\n'

Names, signatures and types are the standard library's, results and exceptions are its very classes, and ``Popen`` is a subclass
of its ``Popen``. Each process lives in a container as a :class:`pinfold.Command`'s does, which changes the following, on purpose:

- A process has ended when all of it has: what the program leaves behind, daemons too, has a tenth of a second to finish and is
  then stopped. So nothing can hold a pipe open for ever, and nothing is left once there is a ``returncode``.
- ``Popen.kill()`` kills all of it, and with it what a timeout of ``run`` or ``call`` ends. ``terminate()`` and ``send_signal()``
  go to the program alone, as ever.
- What still runs when this process ends, however it ends, ends with it. A ``Popen`` that is forgotten before is left running.
- ``pid`` need not be a child of this process: wait through the ``Popen``. Where its status was taken by ``os.wait`` or the like,
  ``pinfold.StatusLost`` is raised; the standard library takes such a process to have succeeded.
- ``preexec_fn`` is refused with ``pinfold.Unsupported``: nothing of Python's can run safely between fork and exec.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import time
import warnings
from subprocess import (
    DEVNULL,
    PIPE,
    STDOUT,
    CalledProcessError,
    CompletedProcess,
    SubprocessError,
    TimeoutExpired,
    list2cmdline,
)
from typing import TYPE_CHECKING, AnyStr

from pinfold._errors import PermissionDenied, ProcessError, ProcessNotFound, StatusLost, Unsupported
from pinfold._exchange import Exchange, OutputPipe
from pinfold._native import Command

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import Popen, call, check_call, check_output, getoutput, getstatusoutput, run
    from typing import IO, Any

    from pinfold._native import Outcome, Run

__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "CalledProcessError",
    "CompletedProcess",
    "Popen",
    "SubprocessError",
    "TimeoutExpired",
    "call",
    "check_call",
    "check_output",
    "getoutput",
    "getstatusoutput",
    "list2cmdline",
    "run",
]

# Runs whose `Popen` was forgotten, until they are seen to have ended.
_forgotten: list[Run] = []
# They are the parent's to see the end of, and not a forked child's.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forgotten.clear)


class _Popen(subprocess.Popen[AnyStr]):
    """The standard library's ``Popen``, of a process that is held together with all that it starts.

    >>> from pinfold.subprocess import PIPE, Popen
    >>> with Popen(["cat"], stdin=PIPE, stdout=PIPE, text=True) as process:
    ...     process.communicate("hello")
    ('hello', None)
    """

    # Starting, waiting and signalling are those methods of the standard library's class that begin with an underscore; what is
    # made of them (pipes, text, timeouts, the context) is left to it. Its tests are ours, so that a change there is noticed.
    _run: Run
    _maker: int
    _exchange: Exchange | None = None

    def _execute_child(
        self,
        args: Any,
        executable: Any,
        preexec_fn: Any,
        close_fds: bool,
        pass_fds: Any,
        cwd: Any,
        env: Any,
        startupinfo: Any,
        creationflags: Any,
        shell: bool,
        p2cread: int,
        p2cwrite: int,
        c2pread: int,
        c2pwrite: int,
        errread: int,
        errwrite: int,
        restore_signals: bool,
        gid: int | None,
        gids: list[int] | None,
        uid: int | None,
        umask: int,
        start_new_session: bool,
        process_group: int = -1,
    ) -> None:
        if preexec_fn is not None:
            raise Unsupported(
                "preexec_fn: nothing of Python's can run safely between fork and exec; use start_new_session, process_group, "
                "user, group, extra_groups, umask or cwd, or pinfold.Command for limits, priorities and a sandbox",
                operation="preexec_fn",
            )
        words = _words(args, shell)
        if shell and executable:
            words[0] = executable
        program = words[0] if executable is None else executable
        sys.audit("subprocess.Popen", program, words, cwd, env)
        _sweep()
        command = Command(program, words[1:]).arg0(words[0])
        command = command.inherit_stdin().stdout("inherit").stderr("inherit")
        if cwd is not None:
            command = command.cwd(cwd)
        if env is not None:
            command = command.env_clear().envs(env)
        if uid is not None:
            command = command.uid(uid)
        if gid is not None:
            command = command.gid(gid)
        if gids is not None:
            command = command.groups(gids)
        if umask >= 0:
            command = command.umask(umask)
        if start_new_session:
            command = command.setsid()
        ends = [(ours, number) for number, ours in enumerate((p2cread, c2pwrite, errwrite)) if ours != -1]
        ends += [(int(number), int(number)) for number in pass_fds if number > 2]
        pipes = self._watched()
        try:
            self._run = command._launch_given(
                ends,
                pass_descriptors=not close_fds,
                keep_ignored_signals=not restore_signals,
                process_group=None if process_group < 0 else process_group,
            )
        except ProcessError as error:
            raise _standard(error, program, cwd) from error
        finally:
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]
        for pipe in pipes:
            pipe.run = self._run
        self._maker = os.getpid()
        self._child_created = True
        self.pid = self._run.pid

    def _watched(self) -> list[OutputPipe]:
        """Puts pipes that keep the run going in the place of those that were made for its output."""
        pipes: list[OutputPipe] = []
        for name in ("stdout", "stderr"):
            plain: Any = getattr(self, name)
            if plain is None:
                continue
            pipe = OutputPipe(os.dup(plain.fileno()))
            pipes.append(pipe)
            stream: Any = pipe
            if not isinstance(plain, io.FileIO):
                stream = io.BufferedReader(pipe, 1 << 16)
            if isinstance(plain, io.TextIOWrapper):
                stream = io.TextIOWrapper(stream, encoding=plain.encoding, errors=plain.errors)
            setattr(self, name, stream)
            plain.close()
        return pipes

    def _ended(self, outcome: Outcome) -> int:
        if outcome.code is not None:
            self.returncode = code = outcome.code
        elif outcome.signal is not None:
            self.returncode = code = -outcome.signal
        else:
            what = "other code of this process has taken its status, or SIGCHLD is ignored"
            raise StatusLost(f"{self._run.program}: {what}", program=self._run.program)
        return code

    def _internal_poll(self, _deadstate: int | None = None) -> int | None:
        if self.returncode is None:
            outcome = self._run.try_wait()
            if outcome is not None:
                self._ended(outcome)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is not None:
            return int(self.returncode)
        outcome: Outcome | None = self._run.wait(None if timeout is None else max(timeout, 0)).block()
        if outcome is None:
            raise TimeoutExpired(self.args, timeout or 0)
        return self._ended(outcome)

    def _communicate(self, input: Any, endtime: float | None, orig_timeout: float | None) -> tuple[Any, Any]:
        exchange = self._exchange
        if exchange is None:
            if self.stdin is not None and not self.stdin.closed:
                _settle(self.stdin, close=not input)
            # A stream knows its encoding where it is one of text.
            data = input.encode(self.stdin.encoding, self.stdin.errors) if self._is_text() and input is not None else input  # type: ignore[union-attr]
            exchange = self._exchange = Exchange(self._run, self.stdin, [self.stdout, self.stderr], data)
        # The standard library counts its time by this clock as well.
        if not exchange.go_on(endtime):
            out, err = exchange.moved()
            raise TimeoutExpired(self.args, orig_timeout or 0, output=out, stderr=err)
        self.wait(timeout=None if endtime is None else endtime - time.monotonic())
        whole = zip(exchange.whole(), (self.stdout, self.stderr), strict=True)
        said = [_text(data, stream) if self._is_text() and data is not None else data for data, stream in whole]
        return said[0], said[1]

    def _is_text(self) -> bool:
        return bool(getattr(self, "text_mode", False))

    def send_signal(self, sig: int) -> None:
        """Sends a signal to the program alone; nothing happens once all of it has ended."""
        if self.poll() is not None or sig == 0:
            return
        try:
            self._run.signal(sig, False)
        except ProcessNotFound:
            # It has ended, and something that it left behind has not yet.
            pass
        except PermissionDenied as error:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM)) from error

    def kill(self) -> None:
        """Kills all of it; :meth:`wait` says when that is done."""
        if self.poll() is None:
            self._run.stop(signal.SIGKILL, 0)

    # Names of the module may be gone by the time that this is called.
    def __del__(
        self,
        _maxsize: int = sys.maxsize,
        _warn: Any = warnings.warn,
        _kept: list[Run] = _forgotten,
        _getpid: Callable[[], int] = os.getpid,
    ) -> None:
        run = getattr(self, "_run", None)
        if run is None or self.returncode is not None or self._maker != _getpid():
            return
        _warn(f"subprocess {self.pid} is still running", ResourceWarning, source=self)
        if run.try_wait() is None:
            _kept.append(run)


def _words(args: Any, shell: bool) -> list[Any]:
    """A command line as a list, the program first."""
    if isinstance(args, os.PathLike):
        if shell:
            raise TypeError("path-like args is not allowed when shell is true")
        words: list[Any] = [args]
    else:
        words = [args] if isinstance(args, (str, bytes)) else list(args)
    return ["/bin/sh", "-c", *words] if shell else words


def _sweep() -> None:
    """Lets go of forgotten runs that have ended by now."""
    _forgotten[:] = [run for run in _forgotten if run.try_wait() is None]


def _standard(error: ProcessError, program: Any, cwd: Any) -> Exception:
    """What the standard library would have raised."""
    number = error.errno
    if number is not None:
        if error._fields.get("blames_program"):  # pyright: ignore[reportPrivateUsage]
            return OSError(number, os.strerror(number), program)
        if cwd is not None and not (os.path.isdir(cwd) and os.access(cwd, os.X_OK)):
            return OSError(number, os.strerror(number), cwd)
        return OSError(number, os.strerror(number))
    return ValueError(error.message) if isinstance(error, ValueError) else error


def _settle(stdin: IO[Any], close: bool) -> None:
    try:
        stdin.flush()
        if close:
            stdin.close()
    except BrokenPipeError:
        pass


def _text(data: bytes, stream: Any) -> str:
    return data.decode(stream.encoding, stream.errors).replace("\r\n", "\n").replace("\r", "\n")


# To type checkers these are the standard library's, since they have its signatures and no more; overloads of a constructor
# are not inherited.
if not TYPE_CHECKING:
    Popen = _Popen
    Popen.__name__ = Popen.__qualname__ = "Popen"

    def run(*popenargs, input=None, capture_output=False, timeout=None, check=False, **kwargs):
        """Runs a command to its end, and all that it has started: ``subprocess.run`` in all else.

        >>> from pinfold import subprocess
        >>> subprocess.run("sleep 60 & echo done", shell=True, capture_output=True).stdout
        b'done\\n'
        """
        if input is not None:
            if kwargs.get("stdin") is not None:
                raise ValueError("stdin and input arguments may not both be used.")
            kwargs["stdin"] = PIPE
        if capture_output:
            if kwargs.get("stdout") is not None or kwargs.get("stderr") is not None:
                raise ValueError("stdout and stderr arguments may not be used with capture_output.")
            kwargs["stdout"] = kwargs["stderr"] = PIPE
        with Popen(*popenargs, **kwargs) as process:
            try:
                stdout, stderr = process.communicate(input, timeout=timeout)
            except BaseException:
                # The context does not wait for what ^C has ended.
                process.kill()
                process._wait(None)
                raise
            code = process.poll()
        if check and code:
            raise CalledProcessError(code, process.args, output=stdout, stderr=stderr)
        return CompletedProcess(process.args, code, stdout, stderr)

    def call(*popenargs, timeout=None, **kwargs):
        """Runs a command to its end, and gives its exit code.

        >>> from pinfold import subprocess
        >>> subprocess.call(["sh", "-c", "exit 3"])
        3
        """
        with Popen(*popenargs, **kwargs) as process:
            try:
                return process.wait(timeout=timeout)
            except BaseException:
                process.kill()
                process._wait(None)
                raise

    def check_call(*popenargs, **kwargs):
        """Runs a command to its end, and raises ``CalledProcessError`` unless its exit code is 0.

        >>> from pinfold import subprocess
        >>> subprocess.check_call(["true"])
        0
        """
        code = call(*popenargs, **kwargs)
        if code:
            raise CalledProcessError(code, kwargs.get("args") or popenargs[0])
        return 0

    def check_output(*popenargs, timeout=None, **kwargs):
        """Runs a command to its end, which has to be 0, and gives what it wrote.

        >>> from pinfold import subprocess
        >>> subprocess.check_output(["echo", "hello"], text=True)
        'hello\\n'
        """
        for name in ("stdout", "check"):
            if name in kwargs:
                raise ValueError(f"{name} argument not allowed, it will be overridden.")
        if "input" in kwargs and kwargs["input"] is None:
            # Nothing to read, and not what this process would read.
            is_text = any(kwargs.get(name) for name in ("universal_newlines", "text", "encoding", "errors"))
            kwargs["input"] = "" if is_text else b""
        return run(*popenargs, stdout=PIPE, timeout=timeout, check=True, **kwargs).stdout

    def getstatusoutput(cmd, *, encoding=None, errors=None):
        """The exit code of a shell's command line and what it wrote on both streams, without the last line break.

        >>> from pinfold import subprocess
        >>> subprocess.getstatusoutput("echo hello; exit 3")
        (3, 'hello')
        """
        done = run(cmd, shell=True, text=True, stdout=PIPE, stderr=STDOUT, encoding=encoding, errors=errors)
        return done.returncode, done.stdout[:-1] if done.stdout.endswith("\n") else done.stdout

    def getoutput(cmd, *, encoding=None, errors=None):
        """What a shell's command line wrote on both streams, without the last line break.

        >>> from pinfold import subprocess
        >>> subprocess.getoutput("echo hello")
        'hello'
        """
        return getstatusoutput(cmd, encoding=encoding, errors=errors)[1]
