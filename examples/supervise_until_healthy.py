"""Keeps a worker running until it is healthy, and tells what happens on the way. The worker needs three attempts.

    python examples/supervise_until_healthy.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from pinfold import Command, Probe, Supervisor

WORKER = """
echo attempt >> attempts
if [ "$(wc -l < attempts)" -lt 3 ]; then
    echo "not this time" >&2
    exit 1
fi
touch healthy
exec sleep 1000
"""


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        supervisor = Supervisor(
            Command("sh", ["-c", WORKER]).cwd(directory),
            restart="on_crash",
            max_restarts=5,
            backoff_initial=0.05,
            max_backoff=1.0,
            ready=Probe.file(Path(directory) / "healthy"),
            ready_within=30,
        )
        async with await supervisor.astart() as running:
            async for event in running:
                if event.kind == "ended" and event.outcome is not None:
                    print(f"it ended: {event.outcome}")
                elif event.kind == "restarting" and event.seconds is not None:
                    print(f"run {event.number} begins after a pause")
                elif event.kind == "ready":
                    print("it is healthy")
                    break
            outcome = await running.stop()
        print(f"{outcome.stopped} after {outcome.restarts} restarts")


if __name__ == "__main__":
    asyncio.run(main())
