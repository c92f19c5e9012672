"""The Python pages, as programs: the blocks of a page run one after the other in an empty directory, as in the interactive
interpreter of asyncio, where `await` is known outside of functions."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "python"


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_is_true(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert blocks
    names: dict[str, object] = {"__name__": "page"}

    async def run() -> None:
        for block in blocks:
            # So that a failure names the line of the page.
            source = "\n" * text.count("\n", 0, block.start(1)) + block[1]
            code = compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            pending = eval(code, names)
            if inspect.isawaitable(pending):
                await pending

    asyncio.run(run())


@pytest.mark.skipif(not PAGES.exists(), reason="the pages are not beside the tests")
def test_there_are_pages() -> None:
    assert {"batches", "pipelines", "supervision", "waiting"} <= {page.stem for page in PAGES.glob("*.md")}
