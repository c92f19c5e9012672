"""Results and exceptions as JSON: what is written on one side, and what is made of it on the other."""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from pinfold import _errors
from pinfold._native import _unpickle_result  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    from pinfold._native import BytesResult, ProcessResult

__all__ = ["error", "error_said", "result", "result_said"]


def result_said(result: ProcessResult | BytesResult) -> dict[str, Any]:
    """A result as data: what a pickle holds, with the output apart from the rest."""
    _, (name, rest, stdout, stderr) = result.__reduce__()
    text = stdout if isinstance(stdout, str) else b64encode(stdout).decode()
    return {"is": name, "rest": json.loads(rest), "stdout": text, "stderr": stderr}


def result(said: dict[str, Any]) -> ProcessResult | BytesResult:
    """The result that is said."""
    name, stdout = said["is"], said["stdout"]
    if name not in ("ProcessResult", "BytesResult"):
        raise ValueError(f"{name!r} is no result of pinfold's")
    if name == "BytesResult":
        stdout = b64decode(stdout)
    made: ProcessResult | BytesResult = _unpickle_result(name, json.dumps(said["rest"]), stdout, said["stderr"])
    return made


def error_said(error: _errors.ProcessError) -> dict[str, Any]:
    """An exception as data."""
    name = type(error).__name__
    if _class(name) is not type(error):
        raise TypeError(f"{name} is no exception of pinfold's own: only those are written as JSON")
    fields: dict[str, Any] = {**error._fields}  # pyright: ignore[reportPrivateUsage]
    of_run: ProcessResult | BytesResult | None = fields.pop("result", None)
    said: dict[str, Any] = {"is": name, "message": error.message, "fields": fields}
    notes: list[str] | None = getattr(error, "__notes__", None)
    if notes:
        said["notes"] = notes
    return said if of_run is None else {**said, "result": result_said(of_run)}


def error(said: dict[str, Any]) -> _errors.ProcessError:
    """The exception that is said; another than that is never made."""
    kind = _class(said["is"])
    if kind is None:
        raise ValueError(f"{said['is']!r} is no exception of pinfold's")
    # No sequence of pairs either.
    fields = {**said["fields"]}
    if not isinstance(said["message"], str):
        raise TypeError("its message is no text")
    if "result" in said:
        fields["result"] = result(said["result"])
    made = kind(said["message"], **fields)
    if "notes" in said:
        setattr(made, "__notes__", [str(note) for note in said["notes"]])
    return made


def _class(name: str) -> type[_errors.ProcessError] | None:
    found: type[_errors.ProcessError] | None = None
    if name in _errors.__all__:
        found = getattr(_errors, name)
    elif name == "RemoteFailure":
        # Of a part that not everybody has need of.
        __import__("pinfold.distributed")
        found = sys.modules["pinfold.distributed"].RemoteFailure
    return found
