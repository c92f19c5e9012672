"""Start processes, contain them, and tell the truth about them: nothing you start outlives you unless you say so.

>>> from pinfold import Command
>>> Command("echo", ["hello"]).run()
'hello'

What is seldom needed is imported when it is used for the first time, so that importing this package costs next to nothing.
"""

from pinfold._native import (
    BatchProgress,
    BytesResult,
    CancelToken,
    Command,
    LimitsHit,
    Outcome,
    PastRun,
    Pipeline,
    Probe,
    ProcessResult,
    Seen,
    Stage,
    Stray,
    Strays,
    SupervisionEvent,
    SupervisionOutcome,
    SupervisionStatus,
    Supervisor,
    Usage,
    __version__,
)

# `typing` has the same name for it, and costs ten times what the rest of this module does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pinfold._async import AsyncProcessStdin, AsyncRunningProcess
    from pinfold._batch import (
        Completed,
        Completion,
        aoutput_all,
        aoutput_all_bytes,
        output_all,
        output_all_bytes,
        output_as_completed,
    )
    from pinfold._errors import (
        Cancelled,
        InvalidInput,
        NonZeroExit,
        NotReady,
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
    from pinfold._probe import (
        wait_for,
        wait_for_file,
        wait_for_http,
        wait_for_line,
        wait_for_port,
        wait_for_unix,
    )
    from pinfold._supervise import AsyncRunningSupervisor, RunningSupervisor
    from pinfold._sync import ProcessStdin, RunningProcess
else:
    # Public names and the modules that they are in.
    _LAZY = {
        "AsyncProcessStdin": "_async",
        "AsyncRunningProcess": "_async",
        "AsyncRunningSupervisor": "_supervise",
        "Cancelled": "_errors",
        "Completed": "_batch",
        "Completion": "_batch",
        "Finished": "_handle",
        "InvalidInput": "_errors",
        "NonZeroExit": "_errors",
        "NotReady": "_errors",
        "OutputTooLarge": "_errors",
        "PermissionDenied": "_errors",
        "ProcessError": "_errors",
        "ProcessNotFound": "_errors",
        "ProcessStdin": "_sync",
        "ResourceLimit": "_errors",
        "RunningProcess": "_sync",
        "RunningSupervisor": "_supervise",
        "Signalled": "_errors",
        "SpawnFailed": "_errors",
        "StatusLost": "_errors",
        "StreamFailed": "_errors",
        "Timeout": "_errors",
        "UnexpectedOutput": "_errors",
        "Unsupported": "_errors",
        "aoutput_all": "_batch",
        "aoutput_all_bytes": "_batch",
        "output_all": "_batch",
        "output_all_bytes": "_batch",
        "output_as_completed": "_batch",
        "wait_for": "_probe",
        "wait_for_file": "_probe",
        "wait_for_http": "_probe",
        "wait_for_line": "_probe",
        "wait_for_port": "_probe",
        "wait_for_unix": "_probe",
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
    "AsyncRunningSupervisor",
    "BatchProgress",
    "BytesResult",
    "CancelToken",
    "Cancelled",
    "Command",
    "Completed",
    "Completion",
    "Finished",
    "InvalidInput",
    "LimitsHit",
    "NonZeroExit",
    "NotReady",
    "Outcome",
    "OutputTooLarge",
    "PastRun",
    "PermissionDenied",
    "Pipeline",
    "Probe",
    "ProcessError",
    "ProcessNotFound",
    "ProcessResult",
    "ProcessStdin",
    "ResourceLimit",
    "RunningProcess",
    "RunningSupervisor",
    "Seen",
    "Signalled",
    "SpawnFailed",
    "Stage",
    "StatusLost",
    "Stray",
    "Strays",
    "StreamFailed",
    "SupervisionEvent",
    "SupervisionOutcome",
    "SupervisionStatus",
    "Supervisor",
    "Timeout",
    "UnexpectedOutput",
    "Unsupported",
    "Usage",
    "__version__",
    "aoutput_all",
    "aoutput_all_bytes",
    "output_all",
    "output_all_bytes",
    "output_as_completed",
    "wait_for",
    "wait_for_file",
    "wait_for_http",
    "wait_for_line",
    "wait_for_port",
    "wait_for_unix",
]
