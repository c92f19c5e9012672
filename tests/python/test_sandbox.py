"""The sandbox: as a value, and as what the kernel keeps programs from."""

from __future__ import annotations

import pickle
import socket
from pathlib import Path
from typing import Any

import pytest

import pinfold
from pinfold import Command, Sandbox


def lacking(sandbox: Sandbox) -> str:
    try:
        Command("true").sandbox(sandbox).run()
    except (pinfold.Unsupported, pinfold.PermissionDenied) as error:
        return str(error)
    return ""


NO_PATHS = lacking(Sandbox().read_only("/"))
NO_NAMESPACES = lacking(Sandbox().no_network())
NO_UNTRUSTED = lacking(Sandbox.untrusted())


@pytest.mark.parametrize("verb", ["capabilities", "allow_syscalls", "deny_syscalls"])
def test_one_name_is_no_sequence(verb: str) -> None:
    with pytest.raises(TypeError, match=r"expected a sequence of names, not one str; write \['mkdir'\]"):
        getattr(Sandbox(), verb)("mkdir")
    assert getattr(Sandbox(), verb)(("chown",)) == getattr(Sandbox(), verb)(["chown"])


def test_a_sandbox_is_a_value() -> None:
    everything = (
        Sandbox()
        .no_network()
        .private_tmp()
        .no_outside_signals()
        .read_only("/usr")
        .read_write(Path("/var/tmp"), may_be_missing=True)
        .capabilities(["net_bind_service"])
        .allow_syscalls(["read"])
        .deny_syscalls(["ptrace"])
    )
    for sandbox in (Sandbox(), Sandbox.untrusted(), everything):
        assert pickle.loads(pickle.dumps(sandbox)) == sandbox == Sandbox.from_json(sandbox.to_json())
        # Its own words make it again.
        assert eval(repr(sandbox), {"Sandbox": Sandbox}) == sandbox
    assert Sandbox() != Sandbox.untrusted() and Sandbox().no_network() != Sandbox()


def test_it_is_one_of_a_commands_settings() -> None:
    command = Command("true").sandbox(Sandbox().deny_syscalls(["mkdir"]))
    assert command != Command("true") and Command.from_json(command.to_json()) == command
    assert command.sandbox(Sandbox()) == Command("true")


@pytest.mark.skipif(bool(NO_PATHS), reason=NO_PATHS)
def test_what_it_may_have_to_do_with_a_failure_is_said() -> None:
    sandbox = Sandbox().read_only("/")
    with pytest.raises(pinfold.NonZeroExit, match="; its sandbox may be what denies that$") as caught:
        Command("sh", ["-c", "echo x > /var/tmp/pinfold-barred"]).sandbox(sandbox).run()
    assert caught.value.hint is not None and caught.value.hint.startswith("it last wrote: ")
    with pytest.raises(pinfold.NonZeroExit, match="that code mostly means that it may not execute something"):
        Command("sh", ["-c", "exit 126"]).sandbox(sandbox).run()


def test_what_it_denies_fails(tmp_path: Path) -> None:
    command = Command("mkdir", [tmp_path / "made"])
    assert command.sandbox(Sandbox().deny_syscalls(["mkdir", "mkdirat"])).output().code not in (0, None)
    assert command.output().code == 0
    with pytest.raises(pinfold.InvalidInput, match="no_such_call"):
        command.sandbox(Sandbox().deny_syscalls(["no_such_call"])).run()


@pytest.mark.skipif(bool(NO_PATHS), reason=NO_PATHS)
def test_it_opens_files_where_it_may(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    sandbox = Sandbox().read_only("/").read_write(tmp_path / "in")
    assert Command("touch", [tmp_path / "in" / "file"]).sandbox(sandbox).output().is_success
    assert not Command("touch", [tmp_path / "file"]).sandbox(sandbox).output().is_success
    with pytest.raises(pinfold.ProcessError, match="not there"):
        Command("true").sandbox(sandbox.read_only(tmp_path / "missing")).run()
    assert Command("true").sandbox(sandbox.read_only(tmp_path / "missing", may_be_missing=True)).probe()


@pytest.mark.skipif(bool(NO_NAMESPACES), reason=NO_NAMESPACES)
def test_it_has_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        command = Command("python3", ["-S", "-c", connect])
        assert command.output().is_success
        assert not command.sandbox(Sandbox().no_network()).output().is_success


def test_untrusted_code_is_held_or_refused(tmp_path: Path) -> None:
    command = Command("sh", ["-c", "echo held; echo > /tmp/mine && ls /tmp; echo >&2 | tee /var/tmp/not-mine"])
    command = command.sandbox(Sandbox.untrusted())
    if NO_UNTRUSTED:
        # Nothing less is tried in its place.
        with pytest.raises((pinfold.Unsupported, pinfold.PermissionDenied)):
            command.run()
        return
    result: Any = command.output()
    assert result.stdout.split() == ["held", "mine"] and result.code != 0
