"""The programs in `examples/`, as a reader would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pinfold import Command, ProcessError, Sandbox

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXT = "the cat and the dog and the bird"

# What they are called with, their exit code, and what they say.
KNOWN: dict[str, tuple[list[str], int, list[str]]] = {
    "ready_server.py": ([], 0, ["hello from the server", "it is gone: True"]),
    "supervise_until_healthy.py": (
        [],
        0,
        [
            "it ended: exited with code 1",
            "run 2 begins after a pause",
            "it ended: exited with code 1",
            "run 3 begins after a pause",
            "it is healthy",
            "stopped after 2 restarts",
        ],
    ),
    "batch_with_progress.py": (
        ["20", "2"],
        1,
        ["command 7 failed after 2 attempts: 7 is unlucky", "19 of 20 succeeded"],
    ),
    "no_orphans.py": (
        [],
        0,
        [
            "4 processes live",
            "the block left: 0 of 4 live",
            "an error (the tests found something): 0 of 4 live",
            "the owner killed: 0 of 4 live",
        ],
    ),
    "pipeline.py": (["text"], 0, ["3 the", "2 and", "1 bird", "stage 2 failed: false, code 1"]),
}


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not beside the tests")
@pytest.mark.parametrize("name", sorted(KNOWN))
def test_an_example_does_what_it_says(name: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(TEXT)
    args, code, lines = KNOWN[name]
    result = Command(sys.executable, [str(EXAMPLES / name), *args]).cwd(tmp_path).timeout(120).output()
    assert [line.strip() for line in result.stdout.splitlines()] == lines, result.stderr
    assert (result.code, result.stderr) == (code, "")
    assert not result.strays


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not beside the tests")
def test_what_nobody_vouches_for_is_shut_off_and_limited() -> None:
    result = Command(sys.executable, [str(EXAMPLES / "limited_sandbox.py")]).timeout(60).output()
    lines = result.stdout.splitlines()
    # What the host is asked for here is what the example asks for, but for the limits, for which it has another way.
    try:
        Command("sh", ["-c", "exit"]).sandbox(Sandbox.untrusted()).run()
    except ProcessError as refused:
        assert (result.code, lines[-1]) == (2, f"this host cannot shut off programs: {refused}"), result.stderr
        return
    verdicts = dict(line.split(": ", 1) for line in lines[-7:])
    assert verdicts["honest"] == "accepted"
    assert verdicts["wrong"] == "rejected: says 41"
    for name in ("nosy", "untidy", "greedy"):
        assert verdicts[name].startswith("rejected: exited with code 1"), verdicts
    assert "timed out" in verdicts["endless"] and "wrote more than 65536 bytes" in verdicts["chatty"], verdicts
    assert (result.code, result.stderr) == (0, "")


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not beside the tests")
def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*KNOWN, "deploy_with_doubles.py", "limited_sandbox.py"}


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not beside the tests")
def test_the_program_with_doubles_tests_itself(tmp_path: Path) -> None:
    program = EXAMPLES / "deploy_with_doubles.py"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(program)]
    run = subprocess.run(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert "6 passed" in run.stdout, run.stdout

    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "make", "rsync"):
        (programs / name).write_text("#!/bin/sh\ntouch ran\n")
        (programs / name).chmod(0o755)
    dry = subprocess.run(
        [sys.executable, str(program), "--dry-run", "v1"],
        cwd=tmp_path,
        env={**os.environ, "PATH": str(programs)},
        capture_output=True,
        text=True,
    )
    said = [line for line in dry.stderr.splitlines() if not line.startswith(" ")]
    assert said == ["would run git", "would run git", "would run make", "would run rsync"], dry.stderr
    assert dry.returncode == 0 and not (tmp_path / "ran").exists()
