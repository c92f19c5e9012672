"""A worker in Python: does what is measured in a process of its own, and says how long that took.

A request is a line of words divided by tabs: what, by which way, how often, and a program with its arguments. The answer is a
line: nanoseconds, and a number of bytes. ``benches/src/server.rs`` asks.
"""

import asyncio
import gc
import importlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from pinfold import Command, output_all

HELD = []


def figure(name):
    """A figure of this process from ``/proc/self/status``, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(name + ":"))


def forget_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def timed(work):
    begun = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - begun, 0


def repeated(count, work):
    def works():
        for _ in range(count):
            work()

    return timed(works)


def on_loop(name, main):
    """How long a coroutine takes, on a loop that is there before."""
    if name == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        begun = time.perf_counter_ns()
        loop.run_until_complete(main())
        return time.perf_counter_ns() - begun, 0
    finally:
        loop.close()


def peer(name):
    """A module that is there before the time begins."""
    return sys.modules[name]


def expect(what, holds):
    if not holds:
        raise AssertionError(f"{what} is not what it should be")


def output(way, count, argv):
    """The output of a program as text, one run after another."""
    if way == "ours":
        command = Command(argv[0], argv[1:])
        return repeated(count, lambda: expect("output", command.output().is_success))
    if way == "subprocess":
        return repeated(
            count, lambda: expect("output", subprocess.run(argv, capture_output=True).returncode == 0)
        )
    if way == "processkit-py":
        command = peer("processkit").Command(argv[0], argv[1:])
        return repeated(count, lambda: expect("output", command.output().is_success))
    return repeated(
        count, lambda: expect("output", peer("running_process").RunningProcess.run(argv, capture_output=True).returncode == 0)
    )


async def by_asyncio(argv):
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe)
    await process.communicate()
    expect("output", process.returncode == 0)


def awaited(way, argv):
    """The name of a loop, and what makes a coroutine of one run."""
    whose, _, loop = way.partition(" on ")
    if whose == "asyncio":
        return loop, lambda: by_asyncio(argv)
    if whose == "processkit-py":
        return loop, peer("processkit").Command(argv[0], argv[1:]).aoutput
    return loop, Command(argv[0], argv[1:]).aoutput


def aoutput(way, count, argv):
    """The same, awaited one after another."""
    loop, run = awaited(way, argv)

    async def main():
        for _ in range(count):
            await run()

    return on_loop(loop, main)


def many(way, count, argv):
    """The same, all at once."""
    loop, run = awaited(way, argv)

    async def main():
        await asyncio.gather(*(run() for _ in range(count)))

    return on_loop(loop, main)


def batch(way, count, argv):
    """So many outputs, eight at a time."""
    width = 8
    if way == "ours":
        commands = [Command(argv[0], argv[1:])] * count
        return timed(
            lambda: expect("outputs", all(end.is_success for end in output_all(commands, concurrency=width)))
        )
    if way == "processkit-py":
        commands = [peer("processkit").Command(argv[0], argv[1:])] * count
        run = peer("processkit").output_all
        return timed(lambda: expect("outputs", all(end.is_success for end in run(commands, concurrency=width))))

    def run(_):
        return subprocess.run(argv, capture_output=True).returncode

    def pooled():
        with ThreadPoolExecutor(width) as pool:
            expect("outputs", not any(pool.map(run, range(count))))

    return timed(pooled)


def lines(way, count, argv):
    """Lines of a program as they come."""
    seen = 0
    if way == "ours":
        begun = time.perf_counter_ns()
        with Command(argv[0], argv[1:]).start() as process:
            for _ in process:
                seen += 1
        took = time.perf_counter_ns() - begun
    elif way == "Popen":
        begun = time.perf_counter_ns()
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            for _ in process.stdout:
                seen += 1
        took = time.perf_counter_ns() - begun
    else:
        begun = time.perf_counter_ns()
        process = peer("running_process").RunningProcess(argv)
        for _ in process.line_iter(timeout=60):
            seen += 1
        process.wait()
        took = time.perf_counter_ns() - begun
    expect("the number of lines", seen == count)
    return took, 0


def alines(way, count, argv):
    """Lines of a program as they come, awaited."""
    seen = 0

    async def main():
        nonlocal seen
        if way == "ours":
            async with await Command(argv[0], argv[1:]).astart() as process:
                async for _ in process:
                    seen += 1
        elif way == "batches":
            async with await Command(argv[0], argv[1:]).astart() as process:
                async for batch in process.line_batches():
                    seen += len(batch)
        elif way == "asyncio":
            process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE)
            async for _ in process.stdout:
                seen += 1
            await process.wait()
        else:
            process = await peer("processkit").Command(argv[0], argv[1:]).astart()
            async for _ in process.stdout_lines():
                seen += 1
            await process.afinish()

    answer = on_loop("asyncio", main)
    expect("the number of lines", seen == count)
    return answer


def capture(way, count, argv):
    """Much output as bytes, and the most memory that came with it."""
    gc.collect()
    before = figure("VmRSS")
    forget_peak()
    begun = time.perf_counter_ns()
    if way == "ours":
        stdout = Command(argv[0], argv[1:]).output_bytes().stdout
    elif way == "stdout":
        stdout = subprocess.run(argv, stdout=subprocess.PIPE).stdout
    elif way == "both":
        stdout = subprocess.run(argv, capture_output=True).stdout
    elif way == "processkit-py":
        stdout = peer("processkit").Command(argv[0], argv[1:]).output_bytes().stdout
    else:
        stdout = peer("running_process").RunningProcess.run(argv, capture_output=True, text=False).stdout
    took = time.perf_counter_ns() - begun
    # One of the peers takes the last line break off.
    missing = 1 if way == "running-process" else 0
    expect("the output", type(stdout) is bytes and len(stdout) == count - missing)
    return took, figure("VmHWM") - before


def feed(way, count, argv):
    """Much input, and the most memory that came with it."""
    data = b"x" * count
    before = figure("VmRSS")
    forget_peak()
    begun = time.perf_counter_ns()
    if way == "ours":
        stdout = Command(argv[0], argv[1:]).stdin_bytes(data).run()
    elif way == "subprocess":
        stdout = subprocess.run(argv, input=data, stdout=subprocess.PIPE).stdout
    elif way == "processkit-py":
        stdout = peer("processkit").Command(argv[0], argv[1:]).stdin_bytes(data).run()
    else:
        stdout = peer("running_process").RunningProcess.run(argv, input=data, capture_output=True, text=False).stdout
    took = time.perf_counter_ns() - begun
    expect("what was read", int(stdout) == count)
    # Never nothing: that would be no figure.
    return took, max(figure("VmHWM") - before, 1)


def handles(way, count, argv):
    """Memory of this process for each of so many live handles of a program that waits for its input."""
    live = []

    def start():
        pipe = subprocess.PIPE
        if way == "ours":
            live.append(Command(argv[0], argv[1:]).keep_stdin_open().start())
        elif way == "subprocess":
            live.append(subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe))
        elif way == "processkit-py":
            live.append(peer("processkit").Command(argv[0], argv[1:]).keep_stdin_open().start())
        else:
            live.append(peer("running_process").RunningProcess(argv, stdin=pipe, capture=True))

    def end():
        for handle in live:
            handle.kill()
            if way != "ours":
                getattr(handle, "wait", None) and handle.wait()
        for handle in live:
            for stream in ("stdin", "stdout", "stderr"):
                close = getattr(getattr(handle, stream, None), "close", None)
                close and close()
        live.clear()
        gc.collect()

    # What the first one takes is there for all.
    start()
    end()
    before = figure("VmRSS")
    begun = time.perf_counter_ns()
    for _ in range(count):
        start()
    took = time.perf_counter_ns() - begun
    after = figure("VmRSS")
    end()
    return took, max((after - before) // count, 1)


VERBS = {
    verb.__name__: verb for verb in (output, aoutput, many, batch, lines, alines, capture, feed, handles)
}


def answer(words):
    if words[0] == "touch":
        # Not zeros: those would be mapped and never made.
        HELD.append(b"\1" * int(words[1]))
        return 0, 0
    verb, way, count, *argv = words
    module = way.partition(" on ")[0].removesuffix("-py").replace("-", "_")
    if module in ("processkit", "running_process"):
        importlib.import_module(module)
    return VERBS[verb](way, int(count), argv)


def main():
    for request in sys.stdin:
        print(*answer(request.rstrip("\n").split("\t")), flush=True)


if __name__ == "__main__":
    main()
