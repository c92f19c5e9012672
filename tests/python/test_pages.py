"""The pages that are sessions at the prompt, run: the blocks of a page are one session, and it answers what they say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def session(page: Path) -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return "\n".join(block for block in blocks if block.startswith(">>> "))


SESSIONS = {str(page.relative_to(DOCS)): text for page in sorted(DOCS.rglob("*.md")) if (text := session(page))}


@pytest.mark.parametrize("page", SESSIONS)
def test_a_page_is_true(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(SESSIONS[page], {}, page, page, 0)
    assert len(test.examples) > 5
    assert not doctest.DocTestRunner().run(test).failed


@pytest.mark.skipif(not DOCS.exists(), reason="the pages are not beside the tests")
def test_there_are_sessions() -> None:
    assert "python/groups.md" in SESSIONS
