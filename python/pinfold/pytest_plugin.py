"""What pinfold adds to pytest: ``--pinfold-strays=fail`` makes it an error that a test leaves processes behind.

Off unless asked for, by the option or by ``pinfold_strays`` in the configuration. While it is on, the process that runs the
tests adopts the orphans among its descendants (``PR_SET_CHILD_SUBREAPER``), so that daemons are seen as well. Linux.
"""

from __future__ import annotations

import sys

import pytest

MODES = ("off", "warn", "fail")


class StrayWarning(pytest.PytestWarning):
    """Processes outlived a test, and were ended."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, and its name in the configuration."""
    help = "what becomes of a test that leaves processes behind: off (nobody looks, the default), warn, or fail; they are ended"
    parser.getgroup("pinfold").addoption("--pinfold-strays", choices=MODES, default=None, help=help)
    parser.addini("pinfold_strays", help=help, default="off")


def pytest_configure(config: pytest.Config) -> None:
    """Begins to look, where that was asked for."""
    mode = config.getoption("pinfold_strays") or config.getini("pinfold_strays")
    if mode not in MODES:
        raise pytest.UsageError(f"pinfold_strays is '{mode}', and must be one of: {', '.join(MODES)}")
    if mode == "off":
        return
    if sys.platform != "linux":
        raise pytest.UsageError("--pinfold-strays is for Linux so far: leave it off here")
    if pytest.version_tuple < (8,):
        raise pytest.UsageError("--pinfold-strays needs pytest 8 or later")
    from pinfold._strays import Watcher

    watcher = Watcher(fails=mode == "fail")
    config.pluginmanager.register(watcher, "pinfold-strays")
    config.add_cleanup(watcher.close)
