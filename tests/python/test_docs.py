"""The pages and the programs that show how it is used: what they say is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parents[2]
PAGES = sorted((HERE / "docs" / "python").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(not PAGES, reason="the project's own pages are not beside the tests")


@pytest.fixture
def quiet_log() -> Any:
    """A page may set up the log of the whole process."""
    import logging

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet_log: None) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    names: dict[str, Any] = {"__name__": "page"}
    blocks = list(BLOCK.finditer(text))
    assert blocks, "a page without code needs no place here"
    for block in blocks:
        # With as many empty lines before it as there are in the page, so that a traceback has the page's own lines.
        line = text.count("\n", 0, block.start(1))
        code = compile("\n" * line + block.group(1), str(page), "exec")
        exec(code, names)


def test_the_program_with_doubles_tests_itself(tmp_path: Path) -> None:
    program = HERE / "examples" / "python" / "deploy_with_doubles.py"
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
