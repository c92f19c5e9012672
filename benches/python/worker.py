"""A worker of the benches in Python: does what it is asked, in a process that does nothing else, and tells how long that took.

A request is a line of words divided by tabs (`VERB WAY TIMES PROGRAM ARGUMENTS..`), the answer a line of nanoseconds and bytes.
What a way needs is imported when it is first asked for, and never while the clock runs.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

_held: list[Any] = []
_loops: dict[str, asyncio.AbstractEventLoop] = {}


def _on(way: str, main: Callable[[], Awaitable[Any]]) -> Any:
    """Runs it on a loop that stays, so that its making is no part of the measure."""
    name = "uvloop" if way.endswith("uvloop") else "asyncio"
    if name not in _loops:
        if name == "uvloop":
            import uvloop

            _loops[name] = uvloop.new_event_loop()
        else:
            _loops[name] = asyncio.new_event_loop()
    asyncio.set_event_loop(_loops[name])

    async def timed() -> int:
        begun = time.perf_counter_ns()
        await main()
        return time.perf_counter_ns() - begun

    return _loops[name].run_until_complete(timed())


def _timed(main: Callable[[], Any]) -> int:
    begun = time.perf_counter_ns()
    main()
    return time.perf_counter_ns() - begun


def _repeated(times: int, once: Callable[[], Any]) -> int:
    def main() -> None:
        for _ in range(times):
            once()

    return _timed(main)


def _awaited(way: str, times: int, once: Callable[[], Awaitable[Any]]) -> int:
    async def main() -> None:
        for _ in range(times):
            await once()

    return int(_on(way, main))


async def _communicate(words: list[str], **options: Any) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **options
    )
    out, _ = await process.communicate()
    return out


def _output_once(way: str, words: list[str]) -> Callable[[], Any]:
    """One program run and its output returned, by whatever way; awaitable where the way is."""
    library = way.split()[0]
    if library == "pinfold":
        from pinfold import Command

        command = Command(words[0], words[1:])
        return command.output if way == "pinfold" else command.aoutput
    if library == "twin":
        from pinfold import subprocess as twin

        return lambda: twin.run(words, capture_output=True)
    if library == "processkit":
        import processkit

        command = processkit.Command(words[0], words[1:])
        return command.output if way == "processkit" else command.aoutput
    if library == "running-process":
        from running_process import RunningProcess

        return lambda: RunningProcess.run(words, capture_output=True)
    if library == "subprocess":
        return lambda: subprocess.run(words, capture_output=True)
    return lambda: _communicate(words)


def _is_async(way: str) -> bool:
    return way.split()[0] in ("asyncio", "uvloop") or " " in way


def output(way: str, times: int, words: list[str]) -> tuple[int, int]:
    once = _output_once(way, words)
    return (_awaited(way, times, once) if _is_async(way) else _repeated(times, once)), 0


def many(way: str, times: int, words: list[str]) -> tuple[int, int]:
    once = _output_once(way, words)

    async def main() -> None:
        await asyncio.gather(*(once() for _ in range(times)))

    return _on(way, main), 0


def lines(way: str, times: int, words: list[str]) -> tuple[int, int]:
    seen = 0
    expected = int(words[1])
    if way in ("pinfold", "pinfold batches"):
        from pinfold import Command

        def main() -> None:
            nonlocal seen
            with Command(words[0], words[1:]).start() as process:
                if way == "pinfold":
                    for _ in process:
                        seen += 1
                else:
                    for batch in process.line_batches():
                        seen += len(batch)

        took = _timed(main)
    elif way.startswith("pinfold"):
        from pinfold import Command

        async def amain() -> None:
            nonlocal seen
            async with await Command(words[0], words[1:]).astart() as process:
                if "batches" in way:
                    async for batch in process.line_batches():
                        seen += len(batch)
                else:
                    async for _ in process.stdout_lines():
                        seen += 1

        took = _on(way, amain)
    elif way.startswith("processkit"):
        import processkit

        async def amain() -> None:
            nonlocal seen
            async with await processkit.Command(words[0], words[1:]).astart() as process:
                async for _ in process.stdout_lines():
                    seen += 1

        took = _on(way, amain)
    elif way == "running-process":
        from running_process import RunningProcess

        def main() -> None:
            nonlocal seen
            for out, _, _ in RunningProcess(words).stream_iter(60):
                seen += isinstance(out, str)

        took = _timed(main)
    elif way in ("subprocess", "twin"):
        import pinfold.subprocess

        module: Any = subprocess if way == "subprocess" else pinfold.subprocess

        def main() -> None:
            nonlocal seen
            with module.Popen(words, stdout=subprocess.PIPE, text=True) as process:
                for _ in process.stdout:
                    seen += 1

        took = _timed(main)
    else:

        async def amain() -> None:
            nonlocal seen
            process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
            assert process.stdout is not None
            async for _ in process.stdout:
                seen += 1
            await process.wait()

        took = _on(way, amain)
    if seen != expected:
        raise SystemExit(f"{way}: {seen} lines, and not {expected}")
    return took, 0


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def capture(way: str, times: int, words: list[str]) -> tuple[int, int]:
    size = int(words.pop(0))
    if way == "pinfold":
        from pinfold import Command

        command = Command(words[0], words[1:])

        def main() -> None:
            result = command.output_bytes()
            # Text is made of standard error only when it is asked for.
            _held[:] = [result.stdout, result]
    elif way == "processkit":
        import processkit

        other = processkit.Command(words[0], words[1:])

        def main() -> None:
            _held[:] = [other.output_bytes().stdout]
    elif way == "running-process":
        from running_process import RunningProcess

        def main() -> None:
            _held[:] = [RunningProcess.run(words, capture_output=True, text=False).stdout]
    else:
        import pinfold.subprocess

        module: Any = subprocess if way == "subprocess" else pinfold.subprocess

        def main() -> None:
            result = module.run(words, capture_output=True)
            _held[:] = [result.stdout, result]

    took = _timed(main)
    if len(_held[0]) != size:
        raise SystemExit(f"{way}: {len(_held[0])} bytes, and not {size}")
    return took, _peak()


def stdin(way: str, times: int, words: list[str]) -> tuple[int, int]:
    data = b"x" * times
    if way == "pinfold":
        from pinfold import Command

        command = Command(words[0], words[1:]).stdin_bytes(data)
        took = _timed(command.exit_code)
    elif way == "processkit":
        import processkit

        other = processkit.Command(words[0], words[1:])
        took = _timed(lambda: other.stdin_bytes(data).exit_code())
    elif way == "running-process":
        from running_process import RunningProcess

        took = _timed(lambda: RunningProcess.run(words, input=data, text=False, capture_output=True))
    else:
        import pinfold.subprocess

        module: Any = subprocess if way == "subprocess" else pinfold.subprocess
        took = _timed(lambda: module.run(words, input=data))
    return took, _peak()


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def handles(way: str, times: int, words: list[str]) -> tuple[int, int]:
    """The memory of so many live ones, by the growth of this process: of one of them, if there is more than one."""
    if way == "pinfold":
        from pinfold import Command

        command = Command(words[0], words[1:])

        def start() -> Any:
            return command.start()

        def end(process: Any) -> None:
            process.kill()
    else:

        def start() -> Any:
            return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def end(process: Any) -> None:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

    # Each holds several descriptors.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    end(start())
    before = _resident()
    begun = time.perf_counter_ns()
    held = [start() for _ in range(times)]
    took = time.perf_counter_ns() - begun
    grown = _resident() - before
    for process in held:
        end(process)
    return took, max(grown, 1)


def serve() -> None:
    verbs = {"output": output, "many": many, "lines": lines, "capture": capture, "stdin": stdin, "handles": handles}
    for line in sys.stdin:
        verb, *words = line.rstrip("\n").split("\t")
        if verb == "touch":
            # Not zeros: those would be mapped and never made.
            _held.append(bytearray(b"\1") * int(words[0]))
            took, size = 0, 0
        else:
            way, times, *rest = words
            took, size = verbs[verb](way, int(times), rest)
        print(took, size, flush=True)


if __name__ == "__main__":
    serve()
