"""Rego decisions in process and over HTTP.

`Policies` compiles, `Engine` decides, `Server` is the data plane around an engine. See `_sark_engine.pyi` for every name.
"""

from sark_engine._sark_engine import (
    BaselineJob,
    Engine,
    EngineError,
    EvaluationError,
    InputError,
    Policies,
    PolicyError,
    Server,
    __version__,
    bucket,
    build_profile,
    policy_revision,
    regorus_version,
)

__all__ = [
    "BaselineJob",
    "Engine",
    "EngineError",
    "EvaluationError",
    "InputError",
    "Policies",
    "PolicyError",
    "Server",
    "__version__",
    "bucket",
    "build_profile",
    "policy_revision",
    "regorus_version",
]
