"""The programs in `examples/python`, which are run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[2] / "examples" / "python"

pytestmark = pytest.mark.skipif(not PROGRAMS.exists(), reason="the programs are not beside the tests")


def test_the_program_with_doubles_tests_itself(tmp_path: Path) -> None:
    program = PROGRAMS / "deploy_with_doubles.py"
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
