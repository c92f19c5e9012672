"""Numbers that cannot be meant: every argument that takes one refuses them by its name, and none with an ``OverflowError``."""

from __future__ import annotations

import ast
import asyncio
import re
from functools import partial
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pinfold
from pinfold import Command, InvalidInput, IoLimit, Limits, Probe, ProcessGroup, Supervisor, Timeout
from pinfold.testing import Reply

COMMAND = Command("true")
ABSURD = {
    "negative": -(2**70),
    "-2": -2,
    "huge": 2**70,
    "beyond floats": 10**400,
    "below floats": -(10**400),
    "nan": float("nan"),
    "infinite": float("inf"),
    "less than infinite": float("-inf"),
    "a time": timedelta(days=-1),
    "a text": "5",
    "a truth": True,
    "a half": 0.5,
}

# What has the methods, and what they need besides.
RECEIVERS: dict[str, Any] = {
    "Command": COMMAND,
    "Pipeline": COMMAND | COMMAND,
    "Probe": Probe.file("/"),
    "Reply": Reply.ok(""),
    "Limits": Limits,
    "IoLimit": IoLimit,
    "Supervisor": Supervisor,
}
BESIDES: dict[str, dict[str, Any]] = {
    "Command.rlimit": {"resource": "nofile", "soft": 1},
    "Command.io_priority": {"class_": "best_effort"},
    "Command.retry": {"attempts": 2},
    "Pipeline.retry": {"attempts": 2},
    "Probe.port": {"host": "127.0.0.1"},
    "Probe.http": {"url": "http://127.0.0.1:1/"},
    "IoLimit.__new__": {"device": "/dev/null"},
    "Supervisor.__new__": {"command": COMMAND},
    "Supervisor.__new__.restart_window": {"max_restarts": 1},
    "Supervisor.__new__.failure_threshold": {"storm_pause": 1},
    "Supervisor.__new__.failure_decay": {"storm_pause": 1},
    "Supervisor.__new__.ready_within": {"ready": Probe.file("/")},
    "Supervisor.__new__.alive_every": {"alive": Probe.file("/")},
    "Supervisor.__new__.alive_timeout": {"alive": Probe.file("/")},
    "Supervisor.__new__.alive_failures": {"alive": Probe.file("/")},
    "Supervisor.__new__.debounce": {"watch": ["/"]},
    "Reply.lines": {"lines": ["a"]},
}


def declared() -> list[str]:
    """Each argument of the native half's public classes that takes a number, as its types say."""
    stub = Path(pinfold.__file__).with_name("_native.pyi")
    found = []
    for cls in ast.parse(stub.read_text()).body:
        if not (isinstance(cls, ast.ClassDef) and cls.name in RECEIVERS):
            continue
        for method in cls.body:
            if isinstance(method, ast.FunctionDef) and (method.name == "__new__" or not method.name.startswith("_")):
                for argument in [*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs]:
                    annotation = ast.unparse(argument.annotation) if argument.annotation else ""
                    if re.search(r"\b(int|float|_Seconds)\b", annotation):
                        found.append(f"{cls.name}.{method.name}.{argument.arg}")
    return found


DECLARED = declared()


def call(path: str, value: object) -> object:
    cls, method, argument = path.split(".")
    given = {**BESIDES.get(f"{cls}.{method}", {}), **BESIDES.get(path, {}), argument: value}
    receiver: Any = Limits() if path.startswith("Limits.replace") else RECEIVERS[cls]
    called = receiver if method == "__new__" else getattr(receiver, method)
    stub_takes_many = argument in ("gids", "cpus", "numbers", "codes") and method in ("groups", "affinity", "cpus", "success_codes")
    if stub_takes_many or path in ("Limits.__new__.cpus", "Limits.replace.cpus"):
        given[argument] = [value]
    elif argument == "device":
        given[argument] = (value, 0)
    return called(**given)


def test_the_matrix_is_all_of_them() -> None:
    public = {name for name in pinfold.__all__ if getattr(getattr(pinfold, name), "__module__", "") == "pinfold"} | {"Reply"}
    assert set(RECEIVERS) <= public
    assert len(DECLARED) > 60


def check(act: Callable[[], object], name: str) -> str:
    """What came of it: nothing, or a refusal that names the argument."""
    try:
        act()
    except Timeout:
        return "taken"
    except InvalidInput as error:
        assert not isinstance(error, OverflowError)
        assert name in str(error) or "use one of" in str(error) or name.replace("_", " ") in str(error), f"{error} does not name {name}"
        return "refused"
    except TypeError as error:
        assert not re.search("unbound|missing|unexpected", str(error)), error
        return "no number"
    return "taken"


@pytest.mark.parametrize("path", DECLARED)
def test_what_cannot_be_meant_is_refused_by_name(path: str) -> None:
    for name, value in ABSURD.items():
        said = check(partial(call, path, value), path.split(".")[-1])
        if name in ("negative", "below floats") and not path.endswith((".hard", ".soft", ".cpus", ".cpu_quota")):
            assert said == "refused", (path, name)


def test_a_quota_is_held_against_the_host_at_the_start() -> None:
    for command in (COMMAND.cpu_quota(-1), COMMAND.limits(Limits(cpu_quota=float("nan")))):
        with pytest.raises(InvalidInput, match="CPU quota of"):
            command.run()


def test_live_things_do_so_too() -> None:
    with COMMAND.start() as process, ProcessGroup() as group, Supervisor(Command("sleep", ["1000"])).start() as running:
        blocking: dict[str, Callable[[Any], object]] = {
            "timeout": process.wait,
            "every_seconds": lambda value: process.profile(every_seconds=value),
            "grace": lambda value: process.stop(grace=value),
            "pid": group.adopt,
        }
        for name, act in blocking.items():
            for value in (-1, -(2**70), -(10**400)):
                assert check(lambda: act(value), name) == "refused"
        for act in (group.wait, running.wait, running.wait_ready, lambda value: process.wait_until(Probe.file("/"), value)):
            for odd in (-1, -(2**70), -(10**400), float("nan")):
                assert check(lambda: act(odd), "timeout") == "refused"
        assert check(lambda: group.adopt(2**70), "pid") == "refused"
        assert check(lambda: group.stop(grace=-1), "grace") == check(lambda: running.stop(grace=-1), "grace") == "refused"
        # A time that nobody can count to is none that ends.
        assert process.wait(10**400).code == process.wait(float("inf")).code == 0
        for number in (-1, 2**70, -(2**70)):
            for signal in (process.signal, group.signal, running.signal):
                with pytest.raises(InvalidInput, match=f"{number} is the number of no signal"):
                    signal(number)
    assert check(lambda: ProcessGroup(shutdown_grace=-1), "shutdown_grace") == "refused"


@pytest.mark.parametrize("value", [-1, 0, 2**70, -(2**70)])
def test_batches_do_so_too(value: int) -> None:
    for run in (pinfold.output_all, pinfold.output_all_bytes):
        assert check(lambda: run([COMMAND], concurrency=value), "concurrency") == "refused"
    for arun in (pinfold.aoutput_all, pinfold.aoutput_all_bytes):
        assert check(lambda: asyncio.run(arun([COMMAND], concurrency=value)), "concurrency") == "refused"
    assert check(lambda: pinfold.output_as_completed([COMMAND], concurrency=value).__enter__(), "concurrency") == "refused"


@pytest.mark.parametrize("value", [-1, -(2**70), -(10**400), float("nan")])
def test_waits_for_the_world_do_so_too(value: float, tmp_path: Path) -> None:
    def run(awaited: Any) -> None:
        asyncio.run(awaited)

    async def holds() -> bool:
        return True

    for condition in (Probe.file(tmp_path), lambda: True, holds):
        assert check(lambda: run(pinfold.wait_for(condition, timeout=value)), "timeout") == "refused"
        assert check(lambda: run(pinfold.wait_for(condition, 1, interval=value)), "seconds" if condition is not holds else "interval")
    assert check(lambda: run(pinfold.wait_for_port("127.0.0.1", 1, timeout=value)), "timeout") == "refused"
    assert check(lambda: run(pinfold.wait_for_port("127.0.0.1", int(-1), timeout=1)), "port") == "refused"
