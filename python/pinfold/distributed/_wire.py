"""What travels: orders and answers as lines of JSON, and what each side makes of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pinfold import _errors
from pinfold._native import CancelToken, Command, __version__, batch
from pinfold._wire import error as error_of
from pinfold._wire import error_said, result_said
from pinfold._wire import result as result_of

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["RemoteFailure", "ordered", "perform", "settled"]


class RemoteFailure(_errors.ProcessError):
    """It was to run elsewhere, and no answer came from there; why, says its ``__cause__``.

    It may have run to its end, or in part, or not at all, and what it did is done. No success and no failure of the program is
    told so.

    >>> from pinfold import ProcessError
    >>> from pinfold.distributed import RemoteFailure
    >>> issubclass(RemoteFailure, ProcessError)
    True
    """


def ordered(command: Command, as_bytes: bool) -> str:
    """The order for a command."""
    return json.dumps({"pinfold": __version__, "bytes": as_bytes, "command": json.loads(command.to_json())})


def perform(order: str, cancel: CancelToken | None = None) -> str:
    """Runs the command of an order here, contained, with its timeouts, limits and retries, and returns the answer.

    What becomes of the command is in the answer, whatever it is: also that there is no such program here. When ``cancel`` is
    cancelled, the command is stopped by its own stop rule, and the answer says so once nothing of it is left. Raises
    ``InvalidInput`` for what is no order, and for one of another version of pinfold: that could ask for what this one does not
    know, and would not do.

    >>> import json, pinfold
    >>> from pinfold.distributed import perform
    >>> command = json.loads(pinfold.Command("echo", ["hello"]).to_json())
    >>> answer = perform(json.dumps({"pinfold": pinfold.__version__, "bytes": False, "command": command}))
    >>> sorted(json.loads(answer))
    ['attempts', 'result']
    """
    try:
        said: dict[str, Any] = json.loads(order)
        version, as_bytes, command = said["pinfold"], bool(said["bytes"]), said["command"]
    except (ValueError, KeyError, TypeError) as error:
        raise _errors.InvalidInput("this is no order of pinfold's") from error
    if version != __version__:
        what = f"an order of pinfold {version} cannot be carried out by pinfold {__version__}"
        hint = "install the same version on both sides"
        raise _errors.InvalidInput(f"{what}: {hint}", hint=hint)
    one = [Command.from_json(json.dumps(command))]
    ((_, _, attempts, slot),) = batch(one, as_bytes, 1, 1, False, None, cancel).block()
    if isinstance(slot, _errors.ProcessError):
        return json.dumps({"attempts": attempts, "error": error_said(slot)})
    return json.dumps({"attempts": attempts, "result": result_said(slot)})


def settled(answer: Future[str], command: Command) -> tuple[int, Any]:
    """What an answer says: how many attempts there were, and what goes into the command's slot."""
    if answer.cancelled():
        return 0, _failure(command, "its runner gave it up")
    error = answer.exception()
    if error is not None:
        failure = _failure(command, f"{type(error).__name__}: {error}")
        failure.__cause__ = error
        return 0, failure
    try:
        said: dict[str, Any] = json.loads(answer.result())
        if "error" in said:
            return said["attempts"], error_of(said["error"])
        return said["attempts"], result_of(said["result"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        failure = _failure(command, "what came back is no answer of pinfold's")
        failure.__cause__ = error
        return 0, failure


def _failure(command: Command, why: str) -> RemoteFailure:
    what = f"{command.program}: was to run elsewhere, and no answer came from there: {why}"
    return RemoteFailure(what, program=command.program)
