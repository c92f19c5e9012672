"""Runs many commands, a few at a time, and shows how far it is.

    python examples/batch_with_progress.py [how many] [how many at a time]
"""

from __future__ import annotations

import sys

from pinfold import BatchProgress, Command, ProcessError, output_as_completed


def show(progress: BatchProgress) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress.done} done, {progress.failed} failed, {progress.running} running", end="", file=sys.stderr)


def main(count: int = 200, concurrency: int = 4) -> int:
    # A command is made when there is room for it, so there may be any number.
    commands = (
        Command("sh", ["-c", 'test $(($1 % 50)) -ne 7 || { echo "$1 is unlucky" >&2; exit 1; }', "sh", str(number)])
        .timeout(30)
        .retry(2, pause=0.01)
        for number in range(count)
    )
    failed = 0
    with output_as_completed(commands, concurrency=concurrency, on_progress=show) as batch:
        for done in batch:
            if done.is_success:
                continue
            failed += 1
            why = done.result if isinstance(done.result, ProcessError) else done.result.stderr.strip()
            print(f"command {done.index} failed after {done.attempts} attempts: {why}")
    print(f"{count - failed} of {count} succeeded")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
