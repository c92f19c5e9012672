"""A judge of programs that nobody vouches for: each is shut off from files, network and other processes, has so much memory, time
and output and no more, and what becomes of it is told.

    python examples/limited_sandbox.py
"""

from __future__ import annotations

import sys

from pinfold import Command, LimitRefused, Limits, OutputTooLarge, ProcessError, ProcessResult, Sandbox

# What somebody handed in. Each is to say the sum of the numbers on its standard input.
PROGRAMS = {
    "honest": "sum=0; while read -r number; do sum=$((sum + number)); done; echo $sum",
    "wrong": "echo 41",
    "nosy": 'cat "$1"',
    "untidy": "echo 42 | tee /var/tmp/answer",
    "greedy": "tail -n 1 /dev/zero",
    "endless": "while :; do :; done",
    "chatty": "while :; do echo 42; done",
}

# What they may use: all of a program's processes together, where this host has controllers for that.
TOGETHER = Limits(max_memory=256 << 20, max_processes=32)
EACH = Limits(max_memory=256 << 20, enforcement="per_process")


def judge(script: str, limits: Limits) -> ProcessResult:
    command = (
        Command("sh", ["-c", script, "program", __file__])
        # Secrets are in the environment more often than not.
        .env_clear()
        .stdin_text("19\n23\n")
        .sandbox(Sandbox.untrusted())
        .limits(limits)
        .timeout(5)
        .timeout_grace(0)
        .output_limit(max_bytes=64 << 10, on_overflow="error")
    )
    return command.output()


def main() -> int:
    limits = TOGETHER
    # Nothing is ever run with less than was asked for. Whether less will do is for this program to decide, and to say.
    try:
        judge("exit", limits)
    except LimitRefused as error:
        print(f"no limits on a program as a whole here, but on each process of it:\n  {error}")
        limits = EACH
    except ProcessError:
        pass
    for name, script in PROGRAMS.items():
        try:
            result = judge(script, limits)
        except OutputTooLarge as error:
            print(f"{name}: rejected: {error}")
            continue
        except ProcessError as error:
            # It was not run, so that nothing can be said of it: no user namespaces, say, or a kernel without Landlock.
            print(f"this host cannot shut off programs: {error}")
            return 2
        if result.timed_out:
            print(f"{name}: rejected: {result.outcome}")
        elif not result.is_success:
            print(f"{name}: rejected: {result.outcome} ({result.stderr.strip()})")
        elif result.stdout.strip() != "42":
            print(f"{name}: rejected: says {result.stdout.strip()}")
        else:
            print(f"{name}: accepted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
