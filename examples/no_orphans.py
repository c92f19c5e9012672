"""A test environment of several services that goes with whoever started it: at the end of a block, by an error in the middle of
it, and even when the owner itself is killed and can do nothing any more.

    python examples/no_orphans.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from pinfold import Command, ProcessGroup

# As services are: it starts a helper that goes its own way, in a session of its own, where a shell's ^C and a signal to the
# process group do not reach it; and it would rather not end.
SERVICE = "trap '' TERM; setsid sleep 600 & echo $$ $!; wait; exec sleep 600"


def environment() -> ProcessGroup:
    """The group of the environment. On a host that could let something get away this is an error, and not a weaker promise."""
    return ProcessGroup(require="guarded", shutdown_grace=0.1)


def start(group: ProcessGroup) -> list[int]:
    """The services in the group; each says its own pid and that of its helper."""
    pids: list[int] = []
    for name in ("database", "worker"):
        # The handle may be forgotten: the run is left to the group.
        service = group.start(Command("sh", ["-c", SERVICE, name]))
        pids += [int(pid) for pid in next(service.stdout_lines()).split()]
    return pids


def living(pids: list[int]) -> int:
    """How many of them live. One that has ended and whose parent has not asked yet is a zombie."""

    def lives(pid: int) -> bool:
        try:
            return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return False

    return sum(map(lives, pids))


def main() -> None:
    with environment() as group:
        pids = start(group)
        print(f"{living(pids)} processes live")
    # Asked to end, given a moment, killed.
    print(f"the block left: {living(pids)} of {len(pids)} live")

    try:
        with environment() as group:
            pids = start(group)
            raise RuntimeError("the tests found something")
    except RuntimeError as error:
        print(f"an error ({error}): {living(pids)} of {len(pids)} live")

    # The owner is a program of its own, started without pinfold, and killed: nothing of its own code runs after that.
    with subprocess.Popen([sys.executable, __file__, "own"], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        owner.kill()
    # A guard beside the group sees it, and does the rest.
    deadline = time.monotonic() + 10
    while living(pids) and time.monotonic() < deadline:
        time.sleep(0.001)
    print(f"the owner killed: {living(pids)} of {len(pids)} live")


def own() -> None:
    """The owner that is killed: it says whom it has started, and waits for that."""
    with environment() as group:
        print(*start(group), flush=True)
        group.wait()


if __name__ == "__main__":
    own() if sys.argv[1:] == ["own"] else main()
