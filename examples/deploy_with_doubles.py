"""A small deployment tool and its tests, which start no process.

    python deploy_with_doubles.py --dry-run v1.2     # says what it would run
    pytest deploy_with_doubles.py                    # tests it by doubles

The tool takes the runner that it runs everything by. Its tests give it a scripted runner with a spy before it: what the programs
do is said by the tests, and what the tool asked for is looked at afterwards.
"""

from __future__ import annotations

import argparse
import sys

from pinfold import CliClient, Command, NonZeroExit, ProcessError, ProcessRunner, Runner, Timeout
from pinfold.testing import DryRunner, RecordingRunner, Reply, ScriptedRunner


class DeployError(Exception):
    """What is told to whoever deploys."""


def deploy(tag: str, runner: ProcessRunner, *, wait: bool = True) -> str:
    """Builds a tag, copies it to the server, and waits until that serves it, unless told not to; returns the commit."""
    git = CliClient("git", default_timeout=30, default_env={"GIT_TERMINAL_PROMPT": "0"}, runner=runner)
    if not git.probe(["diff", "--quiet"]):
        raise DeployError("there are changes that are not committed")
    commit = git.run(["rev-parse", tag])
    try:
        runner.run(Command("make", ["dist"]).env("VERSION", tag).idle_timeout(60))
    except NonZeroExit as error:
        raise DeployError(f"the build failed: {(error.stderr or '').strip()}") from error
    # Networks come back.
    runner.run(Command("rsync", ["--delete", "dist/", "web:/srv/site/"]).retry(3, pause=0.01))
    if not wait:
        return commit
    # It follows the server's log until a line says so, and is stopped then.
    with runner.start(Command("ssh", ["web", "tail -f /var/log/site.log"]).timeout(10)) as log:
        if not any(f"serving {tag}" in line for line in log):
            raise DeployError("the server does not serve it")
    return commit


def main() -> int:
    """The tool itself."""
    parser = argparse.ArgumentParser(description="Deploys a tag.")
    parser.add_argument("tag")
    parser.add_argument("--dry-run", action="store_true", help="say what would be run, and run nothing")
    args = parser.parse_args()
    try:
        if args.dry_run:
            deploy(args.tag, DryRunner(), wait=False)
        else:
            print(f"deployed {deploy(args.tag, Runner())}")
    except (DeployError, ProcessError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    return 0


# The tests.


def server() -> ScriptedRunner:
    """A world in which all goes well; what a test says before comes first."""
    log = Reply.lines(["restarting", "serving v1.2"], pause=0.01).after_pause(3600)
    return ScriptedRunner().on(["git", "rev-parse"], Reply.ok("deadbeef\n")).on(["ssh", "web"], log).fallback(Reply.ok())


def test_all_goes_well() -> None:
    spy = RecordingRunner(server())
    assert deploy("v1.2", spy) == "deadbeef"
    assert [call.program for call in spy.calls()] == ["git", "git", "make", "rsync", "ssh"]
    build, copy = spy.calls()[2:4]
    assert build.env == {"VERSION": "v1.2"} and copy.has_flag("--delete")


def test_changes_are_not_deployed() -> None:
    spy = RecordingRunner(ScriptedRunner().on(["git", "diff"], Reply.exits(1)))
    assert fails(spy) == "there are changes that are not committed"
    assert spy.only_call().args == ["diff", "--quiet"]


def test_a_build_that_fails_says_why() -> None:
    runner = ScriptedRunner().on(["make"], Reply.fail(2, "no rule to make dist\n")).fallback(Reply.ok())
    assert fails(runner) == "the build failed: no rule to make dist"


def test_a_network_that_comes_back_is_no_failure() -> None:
    lost = Reply.fail(255, "connection lost\n")
    spy = RecordingRunner(server().sequence(["rsync"], [lost, lost, Reply.ok()]))
    assert deploy("v1.2", spy) == "deadbeef"
    assert sum(call.program == "rsync" for call in spy.calls()) == 3


def test_a_server_that_never_serves_it() -> None:
    runner = ScriptedRunner().on(["ssh"], Reply.ok("restarting\ncrashed\n")).fallback(Reply.ok())
    assert fails(runner) == "the server does not serve it"


def test_a_git_that_hangs_is_ended_by_its_timeout() -> None:
    # The timeout is the tool's own; that it is over at once is the double's doing.
    runner = ScriptedRunner().on(["git"], Reply.timeout())
    try:
        deploy("v1.2", runner)
    except Timeout as error:
        assert error.program == "git"
    else:
        raise AssertionError("it did not time out")


def fails(runner: ProcessRunner) -> str:
    """What the tool says when it fails."""
    try:
        deploy("v1.2", runner)
    except DeployError as error:
        return str(error)
    raise AssertionError("it did not fail")


if __name__ == "__main__":
    sys.exit(main())
