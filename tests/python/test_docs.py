"""The pages of the documentation, run: each block of Python is a program of its own, and prints what its comments say."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if page.exists()]


def blocks() -> list[tuple[str, str]]:
    """Every block of Python, and where it stands."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            if match[1].startswith(">>> "):
                # Those of a session at the prompt are for `test_pages.py`.
                continue
            line = text.count("\n", 0, match.start()) + 1
            found.append((f"{page.relative_to(ROOT)}:{line}", match[1]))
    return found


def promised(source: str) -> list[str]:
    return [match[1] for match in re.finditer(r"^ *print\(.*\)  # (.*)$", source, re.MULTILINE)]


BLOCKS = blocks()


def test_there_are_blocks_and_every_print_says_what_it_prints() -> None:
    assert len(BLOCKS) > 10 or not (ROOT / "docs").exists()
    for where, source in BLOCKS:
        assert source.count("print(") == len(promised(source)), where


@pytest.mark.parametrize(("where", "source"), BLOCKS, ids=[where for where, _ in BLOCKS])
def test_a_block_prints_what_it_says(where: str, source: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONWARNINGS": "error", "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), where
    # What a loop prints, it prints more than once.
    lines = [line for line, _ in itertools.groupby(done.stdout.splitlines())]
    assert lines == promised(source), where
