"""Start processes, contain them, and tell the truth about them: nothing you start outlives you unless you say so.

>>> from pinfold import Command
>>> Command("echo", ["hello"]).run()
'hello'

What is seldom needed is imported when it is used for the first time, so that importing this package costs next to nothing.
"""

from pinfold._native import (
    BytesResult,
    CancelToken,
    Command,
    LimitsHit,
    Metrics,
    Outcome,
    ProcessResult,
    RunEvent,
    Seen,
    Stray,
    Strays,
    Usage,
    __version__,
    metrics,
)

# `typing` has the same name for it, and costs ten times what the rest of this module does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pinfold._async import AsyncProcessStdin, AsyncRunningProcess
    from pinfold._client import CliClient
    from pinfold._errors import (
        Cancelled,
        InvalidInput,
        NoReply,
        NonZeroExit,
        OutputTooLarge,
        PermissionDenied,
        ProcessError,
        ProcessNotFound,
        ResourceLimit,
        Signalled,
        SpawnFailed,
        StatusLost,
        StreamFailed,
        Timeout,
        UnexpectedOutput,
        Unsupported,
    )
    from pinfold._handle import Finished
    from pinfold._logging import enable_logging
    from pinfold._runner import ProcessRunner, Runner
    from pinfold._sync import ProcessStdin, RunningProcess
else:
    # Public names and the modules that they are in.
    _LAZY = {
        "AsyncProcessStdin": "_async",
        "AsyncRunningProcess": "_async",
        "Cancelled": "_errors",
        "CliClient": "_client",
        "Finished": "_handle",
        "InvalidInput": "_errors",
        "NoReply": "_errors",
        "NonZeroExit": "_errors",
        "OutputTooLarge": "_errors",
        "PermissionDenied": "_errors",
        "ProcessError": "_errors",
        "ProcessNotFound": "_errors",
        "ProcessRunner": "_runner",
        "ProcessStdin": "_sync",
        "ResourceLimit": "_errors",
        "Runner": "_runner",
        "RunningProcess": "_sync",
        "Signalled": "_errors",
        "SpawnFailed": "_errors",
        "StatusLost": "_errors",
        "StreamFailed": "_errors",
        "Timeout": "_errors",
        "UnexpectedOutput": "_errors",
        "Unsupported": "_errors",
        "enable_logging": "_logging",
    }

    def __getattr__(name):
        module = _LAZY.get(name)
        if module is None:
            raise AttributeError(f"module 'pinfold' has no attribute {name!r}", name=name, obj=__import__("pinfold"))
        # With something in the list, the innermost module is what comes back.
        value = getattr(__import__(f"pinfold.{module}", None, None, [name]), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_LAZY})


__all__ = [
    "AsyncProcessStdin",
    "AsyncRunningProcess",
    "BytesResult",
    "CancelToken",
    "Cancelled",
    "CliClient",
    "Command",
    "Finished",
    "InvalidInput",
    "LimitsHit",
    "Metrics",
    "NoReply",
    "NonZeroExit",
    "Outcome",
    "OutputTooLarge",
    "PermissionDenied",
    "ProcessError",
    "ProcessNotFound",
    "ProcessResult",
    "ProcessRunner",
    "ProcessStdin",
    "ResourceLimit",
    "RunEvent",
    "Runner",
    "RunningProcess",
    "Seen",
    "Signalled",
    "SpawnFailed",
    "StatusLost",
    "Stray",
    "Strays",
    "StreamFailed",
    "Timeout",
    "UnexpectedOutput",
    "Unsupported",
    "Usage",
    "__version__",
    "enable_logging",
    "metrics",
]
