"""Writes docs/python/reference.md: one line for each public name and method of the package, from the first sentence that its
docstring has. ``test_reference.py`` holds the page to it; by hand: ``python tests/python/reference.py > docs/python/reference.md``.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import pinfold
import pinfold.distributed
import pinfold.distributed.dask
import pinfold.subprocess
import pinfold.testing

# What one wants to do, and what that is done by. Whatever is public has its place here, and the test says what has none.
PLACES: dict[str, dict[str, str]] = {
    "pinfold": {
        "Say what to run": "Command Pipeline Limits IoLimit Sandbox CliClient",
        "Run many": "output_all output_all_bytes aoutput_all aoutput_all_bytes output_as_completed Completion Completed BatchProgress",
        "Read how it went": "ProcessResult BytesResult Outcome Finished Stage Usage Seen Stray Strays EndedWith LimitsHit RunProfile Sample",
        "Talk to what runs": "RunningProcess AsyncRunningProcess ProcessStdin AsyncProcessStdin OutputEvent CancelToken",
        "Wait until something is so": "Probe wait_for wait_for_port wait_for_unix wait_for_http wait_for_file wait_for_line",
        "Keep several in one container": "ProcessGroup GroupEvent GroupEvents GroupStats MemberInfo Pressure StopReport",
        "Keep something running": "Supervisor RunningSupervisor AsyncRunningSupervisor SupervisionOutcome SupervisionStatus SupervisionEvent PastRun",
        "Choose who runs it": "Runner ProcessRunner",
        "Be told of what happens": "RunEvent enable_logging metrics Metrics",
        "Look at this host": "host_report HostReport CgroupReport Rung RegistryReport tracked Tracked TrackedOwner TrackedRun TrackedMember Skipped Stopped cleanup LeftOver",
        "Catch what goes wrong": "ProcessError",
        "": "__version__",
    }
}


def first_line(value: Any) -> str:
    """The first sentence of a docstring, as Markdown."""
    text = inspect.cleandoc(getattr(value, "__doc__", None) or "").partition("\n\n")[0].replace("\n", " ")
    sentence = re.split(r"(?<=[.:])\s+(?=[A-Z`\"'])", text, maxsplit=1)[0].strip()
    sentence = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", sentence.replace("``", "`"))
    return sentence.rstrip(":.") + "." if sentence else ""


def parameters(function: Any) -> str:
    """How it is called: without types, and without what is bound already."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "()"
    given = [each.replace(annotation=each.empty) for each in signature.parameters.values() if each.name not in ("self", "cls")]
    return str(signature.replace(parameters=given, return_annotation=signature.empty))


def own(cls: type) -> list[str]:
    """The public attributes of a class that are the package's, its bases' among them."""
    bases = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "pinfold"]
    names = {name for base in bases for name in [*vars(base), *vars(base).get("__annotations__", {})]}
    return sorted(name for name in names if not name.startswith("_"))


def entry(name: str, value: Any, known: dict[type, str]) -> list[str]:
    """A name, and what it has: what is a base's, that has a place itself, is said there."""
    if not isinstance(value, type):
        if not callable(value):
            return [f"- `{name}`: {'the version of the package.' if name == '__version__' else first_line(value)}"]
        return [f"- `{name}{parameters(value)}`: {first_line(value)}"]
    lines = [f"- **`{name}`**: {first_line(value)}"]
    bases = [base for base in value.__mro__[1:] if base in known]
    theirs = {attribute for base in bases for attribute in own(base)}
    if bases:
        lines[0] += f" Also all of `{known[bases[0]]}`."
    for attribute in own(value):
        if attribute in theirs:
            continue
        member = inspect.getattr_static(value, attribute, None)
        call = parameters(getattr(value, attribute)) if callable(getattr(value, attribute, None)) else ""
        said = first_line(getattr(member, "__func__", member)) if member is not None else ""
        lines.append(f"  - `{attribute}{call}`" if not said else f"  - `{attribute}{call}`: {said}")
    return lines


def errors() -> list[str]:
    found = [name for name in pinfold.__all__ if isinstance(getattr(pinfold, name), type)]
    return [name for name in found if issubclass(getattr(pinfold, name), pinfold.ProcessError) and name != "ProcessError"]


def modules() -> list[tuple[str, str, dict[str, list[str]], Any]]:
    """Each module, with its names under what they are for."""
    places = {what: names.split() for what, names in PLACES["pinfold"].items()}
    places["Catch what goes wrong"] += errors()
    # A name that nobody has placed is not lost, and the test finds it here.
    placed = {name for names in places.values() for name in names}
    places["Besides"] = [name for name in pinfold.__all__ if name not in placed] + places.pop("")
    whole = [("pinfold", "", places, pinfold)]
    for module, page in [
        (pinfold.subprocess, "from-subprocess.md"), (pinfold.testing, "testing.md"),
        (pinfold.distributed, "distributed.md"), (pinfold.distributed.dask, "distributed.md"),
    ]:  # fmt: skip
        whole.append((module.__name__, page, {"": list(module.__all__)}, module))
    return whole


def plugin() -> list[str]:
    """The fixtures of the plugin that tests ask for by name."""
    from pinfold import _fixtures, pytest_plugin

    lines = []
    for module in (_fixtures, pytest_plugin):
        for name, value in sorted(vars(module).items()):
            definition = type(value).__name__ == "FixtureFunctionDefinition" or hasattr(value, "_pytestfixturefunction")
            if definition and not name.startswith("_") and value.__module__ == module.__name__:
                wrapped = getattr(value, "_fixture_function", None) or getattr(value, "__wrapped__", value)
                lines.append(f"- `{name}`: {first_line(wrapped)}")
    return lines


def page() -> str:
    lines = [
        "# Reference",
        "All that is public in the Python package, a line each; `help(pinfold.Command.retry)` and the like say more, with an example.",
        "What is awaited has the name of what blocks with an `a` before it (`run`, `arun`), or is on the handle that `astart()` gives.",
        "This page is written by `tests/python/reference.py` from the package itself.",
    ]
    known = {getattr(pinfold, name): name for name in pinfold.__all__ if isinstance(getattr(pinfold, name), type)}
    for name, more, places, module in modules():
        lines += ["", f"## `{name}`"]
        if more:
            lines += [f"See [{more}]({more})."]
        for what, names in places.items():
            if what and names:
                lines += ["", f"### {what}"]
            for each in names:
                value = getattr(module, each)
                of_ours = getattr(value, "__module__", "").partition(".")[0] == "pinfold" or each == "__version__"
                lines += entry(each, value, known) if of_ours else [f"- `{each}`: that of the standard library."]
    return "\n".join([*lines, "", "## The pytest plugin", "See [pytest.md](pytest.md).", *plugin()]) + "\n"


if __name__ == "__main__":
    print(page(), end="")
