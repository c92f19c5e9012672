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
    GroupEvent,
    GroupStats,
    IoLimit,
    Limits,
    LimitsHit,
    Metrics,
    MemberInfo,
    Outcome,
    OutputEvent,
    Pressure,
    ProcessResult,
    RunEvent,
    RunProfile,
    Sample,
    Sandbox,
    Seen,
    StopReport,
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
        LimitRefused,
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
    from pinfold._group import GroupEvents, ProcessGroup
    from pinfold._handle import Finished
    from pinfold._logging import enable_logging
    from pinfold._runner import ProcessRunner, Runner
    from pinfold._host import CgroupReport, HostReport, RegistryReport, Rung, host_report
    from pinfold._sync import ProcessStdin, RunningProcess
    from pinfold._tracked import (
        LeftOver,
        Skipped,
        Stopped,
        Tracked,
        TrackedMember,
        TrackedOwner,
        TrackedRun,
        cleanup,
        tracked,
    )
else:
    # Public names and the modules that they are in.
    _LAZY = {
        "AsyncProcessStdin": "_async",
        "AsyncRunningProcess": "_async",
        "Cancelled": "_errors",
        "CliClient": "_client",
        "CgroupReport": "_host",
        "Finished": "_handle",
        "GroupEvents": "_group",
        "HostReport": "_host",
        "InvalidInput": "_errors",
        "NoReply": "_errors",
        "LeftOver": "_tracked",
        "LimitRefused": "_errors",
        "NonZeroExit": "_errors",
        "OutputTooLarge": "_errors",
        "PermissionDenied": "_errors",
        "ProcessError": "_errors",
        "ProcessGroup": "_group",
        "ProcessNotFound": "_errors",
        "ProcessRunner": "_runner",
        "ProcessStdin": "_sync",
        "RegistryReport": "_host",
        "ResourceLimit": "_errors",
        "Runner": "_runner",
        "Rung": "_host",
        "RunningProcess": "_sync",
        "Signalled": "_errors",
        "Skipped": "_tracked",
        "SpawnFailed": "_errors",
        "StatusLost": "_errors",
        "Stopped": "_tracked",
        "StreamFailed": "_errors",
        "Timeout": "_errors",
        "Tracked": "_tracked",
        "TrackedMember": "_tracked",
        "TrackedOwner": "_tracked",
        "TrackedRun": "_tracked",
        "UnexpectedOutput": "_errors",
        "Unsupported": "_errors",
        "enable_logging": "_logging",
        "cleanup": "_tracked",
        "host_report": "_host",
        "tracked": "_tracked",
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
    "CgroupReport",
    "Command",
    "Finished",
    "GroupEvent",
    "GroupEvents",
    "GroupStats",
    "HostReport",
    "InvalidInput",
    "IoLimit",
    "LeftOver",
    "LimitRefused",
    "Limits",
    "LimitsHit",
    "Metrics",
    "NoReply",
    "MemberInfo",
    "NonZeroExit",
    "Outcome",
    "OutputEvent",
    "OutputTooLarge",
    "PermissionDenied",
    "Pressure",
    "ProcessError",
    "ProcessGroup",
    "ProcessNotFound",
    "ProcessResult",
    "ProcessRunner",
    "ProcessStdin",
    "RegistryReport",
    "ResourceLimit",
    "RunEvent",
    "Runner",
    "RunProfile",
    "Rung",
    "RunningProcess",
    "Sample",
    "Sandbox",
    "Seen",
    "Signalled",
    "Skipped",
    "SpawnFailed",
    "StatusLost",
    "StopReport",
    "Stopped",
    "Stray",
    "Strays",
    "StreamFailed",
    "Timeout",
    "Tracked",
    "TrackedMember",
    "TrackedOwner",
    "TrackedRun",
    "UnexpectedOutput",
    "Unsupported",
    "Usage",
    "__version__",
    "enable_logging",
    "metrics",
    "cleanup",
    "host_report",
    "tracked",
]
