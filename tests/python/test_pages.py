"""The pages on Python: their blocks are run, and say what they say."""

from __future__ import annotations

import doctest
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("python-*.md"))


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """A page may set up the log of the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_true(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    assert len(blocks) > 2
    names: dict[str, Any] = {}
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        if ">>> " in block.group(1):
            test = doctest.DocTestParser().get_doctest(block.group(1), names, page.name, str(page), line)
            # What one block has named, the next one knows.
            test.globs = names
            assert not doctest.DocTestRunner().run(test, clear_globs=False).failed
        else:
            # With as many empty lines before it as there are in the page, so that a traceback has the page's own.
            exec(compile("\n" * line + block.group(1), str(page), "exec"), names)


def test_there_are_pages() -> None:
    if not (Path(__file__).parents[2] / "docs").exists():
        pytest.skip("the pages are not beside the tests")
    assert PAGES
