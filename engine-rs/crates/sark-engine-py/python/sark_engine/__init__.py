"""Rego decisions in process and over HTTP.

`Policies` compiles, `Engine` decides, `Server` is the data plane around an engine. Every signature is documented in
`_sark_engine.pyi`, beside this file.
"""

from sark_engine._errors import (
    EngineError,
    EvaluationError,
    EvaluationTimeout,
    InputError,
    MissingBuiltin,
    PathError,
    PolicyError,
    UnsupportedInput,
    UnsupportedPath,
)
from sark_engine._records import UNDEFINED, CacheStats, Undefined, Verdict
from sark_engine._sark_engine import (
    Answered,
    BaselineJob,
    Engine,
    Mailbox,
    Policies,
    Server,
    __version__,
    bucket,
    build_profile,
    policy_revision,
    regorus_version,
)

__all__ = [
    "UNDEFINED",
    "Answered",
    "BaselineJob",
    "CacheStats",
    "Engine",
    "EngineError",
    "EvaluationError",
    "EvaluationTimeout",
    "InputError",
    "Mailbox",
    "MissingBuiltin",
    "PathError",
    "Policies",
    "PolicyError",
    "Server",
    "Undefined",
    "UnsupportedInput",
    "UnsupportedPath",
    "Verdict",
    "__version__",
    "bucket",
    "build_profile",
    "policy_revision",
    "regorus_version",
]
# An exception is known by its public name, also in tracebacks.
for _name in __all__:
    if isinstance(_class := globals()[_name], type):
        _class.__module__ = __name__
del _name, _class
