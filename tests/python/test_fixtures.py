"""The fixtures that pytest is given, in a pytest of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinfold.testing import RecordReplayRunner

pytest_plugins = ["pytester"]

SUITE = """
import pytest
from pinfold import Command

def test_scripted(scripted_runner):
    from pinfold.testing import Reply

    scripted_runner.on(["git"], Reply.ok("deadbeef"))
    assert scripted_runner.run(Command("git", ["rev-parse"])) == "deadbeef"

def test_fresh(scripted_runner):
    import pinfold

    with pytest.raises(pinfold.NoReply):
        scripted_runner.run(Command("git", ["rev-parse"]))

class TestShell:
    @pytest.mark.parametrize("word", ["one", "a/b", "a b"])
    def test_echo(self, cassette, word):
        cassette.redact("token-*", "TOKEN")
        assert cassette.run(Command("sh", ["-c", "echo $$ >> ran; echo " + word])) == word
        assert cassette.unused == 0

def test_nothing(cassette):
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_it=SUITE)
    return pytester


def run(suite: pytest.Pytester, *args: str) -> pytest.RunResult:
    # By name, since a package that is being developed has no entry points.
    return suite.runpytest_subprocess("-p", "pinfold._fixtures", "-p", "no:cacheprovider", "-W", "error", *args)


def starts(suite: pytest.Pytester) -> int:
    ran = suite.path / "ran"
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def test_cassettes_are_recorded_replayed_and_refreshed(suite: pytest.Pytester) -> None:
    run(suite, "--pinfold-cassettes=record").assert_outcomes(passed=6)
    assert starts(suite) == 3
    folder = suite.path / "cassettes" / "test_it"
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 4 and names[-1] == "test_nothing.jsonl" and "TestShell.test_echo[one].jsonl" in names
    # Names that would be the same are told apart.
    assert sum(name.startswith("TestShell.test_echo[a-b]-") for name in names) == 2

    run(suite).assert_outcomes(passed=6)
    assert starts(suite) == 3, "it was replayed"

    (folder / "TestShell.test_echo[one].jsonl").unlink()
    run(suite, "--pinfold-cassettes=refresh").assert_outcomes(passed=6)
    assert starts(suite) == 4, "what was missing was run"
    run(suite, "--pinfold-cassettes=record").assert_outcomes(passed=6)
    assert starts(suite) == 7
    assert len(RecordReplayRunner.replay(folder / "TestShell.test_echo[one].jsonl")) == 1


def test_what_is_not_recorded_says_how_to_record_it(suite: pytest.Pytester) -> None:
    result = run(suite, "-k", "nothing or scripted")
    result.assert_outcomes(passed=1, errors=1, deselected=4)
    result.stdout.fnmatch_lines(["*cassettes/test_it/test_nothing.jsonl is not recorded yet; record it: pytest --pinfold-cassettes=refresh 'test_it.py::test_nothing'"])


def test_the_configuration_has_it_too(suite: pytest.Pytester) -> None:
    suite.makeini("[pytest]\npinfold_cassettes = refresh\n")
    run(suite).assert_outcomes(passed=6)
    run(suite, "--pinfold-cassettes=replay").assert_outcomes(passed=6)
    assert starts(suite) == 3
    suite.makeini("[pytest]\npinfold_cassettes = rewind\n")
    result = run(suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*pinfold_cassettes is 'rewind', and must be one of: replay, record, refresh"])


def test_a_suite_that_has_no_use_for_them_imports_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import sys\ndef test_it():\n    assert 'pinfold.testing' not in sys.modules\n")
    run(pytester).assert_outcomes(passed=1)


def test_they_are_found_where_the_package_is_installed() -> None:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        points = distribution("pinfold").entry_points
    except PackageNotFoundError:
        text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
        assert '"pinfold._fixtures" = "pinfold._fixtures"' in text
    else:
        assert any(point.group == "pytest11" and point.value == "pinfold._fixtures" for point in points)
