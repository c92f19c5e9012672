"""The tour, on: running many, supervising, waiting until a child is ready, pipelines. Word for word, in our names."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from conftest import is_alive
from pinfold import (
    Command,
    ProcessResult,
    Supervisor,
    output_all,
    wait_for,
    wait_for_line,
    wait_for_port,
)

PROGRAMS = {
    "convert": 'test "$1" != 7.png && echo "$1 becomes $2"',
    "my-server": 'echo "listening on $2"; echo x >> starts; test "$(wc -l < starts)" -ge 3 && exit 0; exit 1',
    "my-lasting-server": "echo booting; echo listening on 8080; exec sleep 1000",
    "git": 'test "$*" = "log --format=%an" && printf "Grace\\nAda\\nGrace\\n"',
}


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins, on the path."""
    place = tmp_path / "bin"
    place.mkdir()
    for name, source in PROGRAMS.items():
        (place / name).write_text(f"#!/bin/sh\n{source}\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


def test_running_many_at_once() -> None:
    cmds = [Command("convert", [f"{i}.png", f"{i}.jpg"]) for i in range(200)]
    results = output_all(cmds, concurrency=8)
    failed = sum(not (isinstance(r, ProcessResult) and r.is_success) for r in results)
    assert failed == 1 and len(results) == 200
    assert isinstance(results[199], ProcessResult) and results[199].stdout == "199.png becomes 199.jpg\n"


def test_supervising_a_child() -> None:
    def supervisor() -> Supervisor:
        return Supervisor(
            Command("my-server", ["--port", "8080"]),
            restart="on_crash",
            max_restarts=5,
            backoff_initial=0.02, backoff_factor=2.0, max_backoff=30.0,
            stop_when=lambda r: r.code == 0,
        )

    outcome = supervisor().run()
    assert (outcome.restarts, outcome.stopped) == (2, "predicate")
    Path("starts").unlink()
    outcome = asyncio.run(supervisor().arun())
    assert (outcome.restarts, outcome.stopped) == (2, "predicate")




def test_waiting_for_a_child_to_be_ready() -> None:
    async def main() -> None:
        answered = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = answered.sockets[0].getsockname()[1]
        healthy = iter([False, True])

        def health_check() -> bool:
            return next(healthy)

        proc = await Command("my-lasting-server").astart()
        lines = proc.stdout_lines()
        await wait_for_line(lines, lambda l: "listening on" in l, timeout=10)  # noqa: E741
        await wait_for_port("127.0.0.1", port, timeout=10)
        await wait_for(lambda: health_check(), timeout=10, interval=0.1)
        with pytest.raises(TimeoutError):
            await wait_for(lambda: False, timeout=0.01)
        assert is_alive(proc.pid)
        await proc.kill()
        answered.close()
        await answered.wait_closed()

    asyncio.run(main())


def test_pipelines_without_a_shell() -> None:
    authors = (
        Command("git", ["log", "--format=%an"])
        | Command("sort")
        | Command("uniq", ["-c"])
    ).run()
    assert [line.split() for line in authors.splitlines()] == [["1", "Ada"], ["2", "Grace"]]
    assert (Command("yes") | Command("head", ["-1"])).timeout(10).run() == "y"
