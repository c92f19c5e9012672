"""Fixtures for pytest: a scripted runner, and a cassette of each test's own."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinfold.testing import RecordReplayRunner, ScriptedRunner

MODES = ("replay", "record", "refresh")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, and its name in the configuration."""
    help = (
        "what the fixture cassette does: replay (run nothing, the default), refresh (run and record what is not recorded),"
        " or record (run and record everything)"
    )
    parser.getgroup("pinfold").addoption("--pinfold-cassettes", choices=MODES, default=None, help=help)
    parser.addini("pinfold_cassettes", help=help, default="replay")


def _mode(config: pytest.Config) -> str:
    mode: str = config.getoption("pinfold_cassettes") or config.getini("pinfold_cassettes")
    if mode not in MODES:
        raise pytest.UsageError(f"pinfold_cassettes is '{mode}', and must be one of: {', '.join(MODES)}")
    return mode


def pytest_configure(config: pytest.Config) -> None:
    """Refuses a mode that there is not, before anything is run."""
    _mode(config)


def _place(node: pytest.Item) -> Path:
    """Beside the test's file: ``cassettes/test_file/test_name.jsonl``, with classes and parameters in the name."""
    whole = ".".join(node.nodeid.split("::")[1:]) or node.name
    name = re.sub(r"[^\w.=\[\]-]+", "-", whole)[:120]
    if name != whole:
        # Others may look the same by now.
        name += "-" + hashlib.sha256(whole.encode()).hexdigest()[:8]
    return node.path.parent / "cassettes" / node.path.stem / f"{name}.jsonl"


@pytest.fixture
def scripted_runner() -> ScriptedRunner:
    """A ``pinfold.testing.ScriptedRunner`` without rules."""
    from pinfold.testing import ScriptedRunner

    return ScriptedRunner()


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Iterator[RecordReplayRunner]:
    """A ``pinfold.testing.RecordReplayRunner`` of this test's own: its file is ``cassettes/<file>/<test>.jsonl`` beside the test's
    file. It replays, unless ``--pinfold-cassettes`` or ``pinfold_cassettes`` in the configuration says otherwise."""
    from pinfold.testing import RecordReplayRunner

    mode, path = _mode(request.config), _place(request.node)
    if mode == "replay" and not path.exists():
        record = f"pytest --pinfold-cassettes=refresh '{request.node.nodeid}'"
        pytest.fail(f"{path} is not recorded yet; record it: {record}", pytrace=False)
    cassette = RecordReplayRunner(mode, path)
    yield cassette
    if mode != "replay":
        # A test that ran nothing is one that can be replayed.
        cassette.save()
