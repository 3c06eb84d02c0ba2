"""Types of the native module. The public names are re-exported by `sark_engine`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, final

from sark_engine._records import CacheStats, Verdict

__all__ = [
    "Answered",
    "BaselineJob",
    "Engine",
    "Mailbox",
    "Policies",
    "Server",
    "__version__",
    "bucket",
    "build_profile",
    "policy_revision",
    "regorus_version",
]

__version__: Final[str]
build_profile: Final[str]
"""Name of the cargo profile: `release`, `thin` (optimised without the long link, for tests) or `debug`.

Only `release` is worth measuring: assert it first. `unknown` when cargo laid its folders out in an unexpected way.
"""
regorus_version: Final[str]

@final
class Policies:
    """An immutable, compiled set of policies and data.

    Compiling happens here, off the request path; each serving thread builds its own evaluator from it.
    """

    def __new__(
        cls, modules: Sequence[tuple[str, str]], data: bytes = b"{}", *, max_memory_bytes: int = 0x40000000
    ) -> Policies:
        """Compile `modules`, pairs of (file name, Rego v1 source), with the base document `data` (a JSON object).

        What would take more than `max_memory_bytes` (1 GiB) of memory when compiled is refused. Raises PolicyError.
        """

    @staticmethod
    def from_paths(
        paths: Sequence[str | os.PathLike[str]],
        *,
        max_files: int = 10_000,
        max_bytes: int = 67_108_864,
        max_memory_bytes: int = 0x40000000,
    ) -> Policies:
        """Compile the modules and data in files and folders, found as `opa eval --data` finds them.

        `*.rego` files are modules. A `*.json` file given by name is merged into `data` itself; one in a folder into the place
        its sub-folders name (`a/b/x.json` into `data.a.b`). Other files of a folder and names that begin with a dot are passed
        over. YAML data and bundles are refused, because leaving them out would change decisions. The limits count all files
        together; `max_memory_bytes` is that of the compiled result. Raises PolicyError, which names the file.
        """

    @property
    def revision(self) -> str:
        """Lower-case hex SHA-256 over the sorted module sources and the canonical data: equal for equal content."""

    @property
    def memory_bytes(self) -> int:
        """Memory that the compiled policies and their data take, in bytes, as an estimate (rather too large).

        Of policies up to 1 MiB each serving thread has a copy beside it.
        """

    @property
    def packages(self) -> list[str]:
        """Package paths without the leading `data.`, sorted."""

    @property
    def unsupported(self) -> dict[str, list[str]]:
        """Rule path (as in `authz/allow`) to the builtins it reaches and the engine lacks: baseline serves such a path."""

    def verdict(self, path: str) -> Verdict:
        """Who answers for rule or package `path`, and why. Raises PathError."""

    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of every rule that has a value of its own (functions have none), by path as in `authz/allow`."""

    def __reduce__(self) -> NoReturn: ...

@final
class Engine:
    """Decisions in process: policies, one warmed evaluator per thread, and a bounded decision cache. Thread-safe."""

    def __new__(
        cls,
        policies: Policies,
        *,
        cache_max_entries: int = 10_000,
        cache_max_bytes: int = 67_108_864,
        cache_ttl_seconds: float = 300.0,
        evaluation_timeout_seconds: float = 1.0,
        evaluation_max_bytes: int = 268435456,
        cache_classes: dict[str, float] | None = None,
        cache_unknown_class_seconds: float = 0.0,
        cache_class_input: Sequence[str] = (),
        cache_class_decision: Sequence[str] = (),
    ) -> Engine:
        """Bounds of the cache and of an evaluation.

        `evaluation_max_bytes` is the memory that the values of one evaluation may take, with what the process gains at the same
        time by others; 32 MiB at least. One call of a builtin may make some hundred MiB on top.

        `cache_classes` shortens the life of kept decisions: seconds by the name of a class, 0 to keep none of it. The class is
        the word at one of the JSON pointers `cache_class_input` into the input, or `cache_class_decision` into the decision; a
        word that is not in the table gets `cache_unknown_class_seconds`, and of several the strictest counts.
        Raises ValueError.
        """

    @property
    def policies(self) -> Policies:
        """The policies that serve now."""

    def replace_policies(self, policies: Policies) -> None:
        """Serve `policies` from the next evaluation on; evaluations under way finish with the old ones."""

    def evaluate(self, path: str, input: bytes | None = None) -> bytes | None:
        """Evaluate rule or package `path` (`authz/allow`) on a JSON `input`; return compact JSON, or None when undefined.

        In a condition `b"false"` is true: compare with `b"true"`. Of an object look at its `allow` with `is True`.

        Never cached. The GIL is released. Counted as opa_evaluation_*{implementation="rust"} of the last server made with this
        engine. Raises InputError, PathError, EvaluationError and its subclasses.
        """

    def evaluate_aside(self, path: str, input: bytes | None = None) -> bytes | None:
        """As evaluate, counted by no metric: for comparisons, which are nobody's request."""

    def decide(self, path: str, input: bytes | None = None) -> bytes | None:
        """As evaluate, answered from the decision cache when possible. Errors and nondeterministic results are not cached.

        Here too `b"false"` is true in a condition: compare with `b"true"`, and look at an object's `allow` with `is True`.

        Threads that ask the same at the same time share one evaluation. The GIL is kept while a decision is looked up for a
        short input, which takes less time than to release it.
        """

    def evaluate_object(self, path: str, input: Any = ..., *, default: Any = ...) -> Any:
        """As evaluate, with Python objects instead of JSON.

        `input` is made of dict (with str keys), list, tuple, str, int, float, bool and None, and subclasses of them, at most
        100 levels deep, 200,000 values in all and 1,024 digits in a number. Without it, or with UNDEFINED, there is no input;
        None is the input null.

        Returns what `json.loads` would make of the decision, with integers exact and sets as lists. When the path is undefined:
        `default`, which is UNDEFINED (false in a condition) when it is not given. Raises InputError with `place`, otherwise as
        evaluate.
        """

    def decide_object(self, path: str, input: Any = ..., *, default: Any = ...) -> Any:
        """As evaluate_object, answered from the decision cache when possible; a decision is shared with `decide`.

        An object shares it with every JSON text of the same value whose numbers are spelled as `json.dumps` spells them.
        """

    def cache_seconds(self, input: bytes | None = None, result: bytes | None = None) -> float:
        """Longest that the decision `result` about `input`, both JSON, may be kept: by `cache_ttl_seconds` and its class.

        What cannot be read is not kept: 0.
        """

    def cache_stats(self) -> CacheStats:
        """What the decision cache did since the engine was made, and what it holds now."""

    def cache_clear(self) -> None:
        """Forget every kept decision."""

    def __reduce__(self) -> NoReturn: ...

@final
class BaselineJob:
    """A request the Rust side hands to Python: it needs HTTP OPA, Redis, or both."""

    @property
    def id(self) -> int: ...
    @property
    def path(self) -> str:
        """Decision path, percent-decoded segments joined by `/`, as in `authz/allow`."""

    @property
    def body(self) -> bytes:
        """`{"input":...}` around the input as it was written; empty when there is none. As received when `method` is set."""

    @property
    def query(self) -> str:
        """Always empty: what a query string says of a question has been done."""

    @property
    def arm(self) -> str:
        """Arm the subject is assigned to: `rust` or `python`. A job of arm `rust` is a half-moved feature or a fallback."""

    @property
    def opa(self) -> str:
        """Who evaluates: `rust` (call Engine.evaluate) or `http`."""

    @property
    def cache(self) -> str:
        """Who keeps the decision: `redis`, or `rust` (already missed; pass the result to Server.complete and it is kept)."""

    @property
    def fallback(self) -> str:
        """Why the rust arm gave the request up; empty when this is no fallback.

        One of `evaluation`, `timeout`, `panic`, `unsupported_builtin`, `unsupported_input`.
        """

    @property
    def method(self) -> str:
        """Method of a request that is no question for an arm: GET, HEAD, POST, or one that writes; empty for a question."""

    @property
    def target(self) -> str:
        """Path and query string of such a request, as received; empty for a question."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Its Content-Type, Content-Encoding, Accept-Encoding and, of a write, If-None-Match, as far as there are any."""

@final
class Answered:
    """A request that was answered, with its answer, for whoever looks at it off its path."""

    @property
    def path(self) -> str:
        """Decision path, as in BaselineJob."""

    @property
    def input(self) -> bytes | None:
        """The input's JSON text; None when the request had none."""

    @property
    def arm(self) -> str:
        """Arm the subject is assigned to: `rust` or `python`."""

    @property
    def decider(self) -> str:
        """Who made the decision: `engine`, `opa`, or `either` when it may come from the cache that both arms share."""

    @property
    def fallback(self) -> str:
        """Why the rust arm gave the request up, as in BaselineJob; empty when it did not."""

    @property
    def status(self) -> int:
        """HTTP status of the answer."""

    @property
    def body(self) -> bytes:
        """Body of the answer."""

    @property
    def result(self) -> str:
        """`allow`, `deny`, `undefined` or `error`."""

    @property
    def revision(self) -> str:
        """Revision of the engine's policies while it was answered; empty when they were replaced meanwhile."""

@final
class Mailbox:
    """Answers to questions from inside the process, for an event loop."""

    def __new__(cls) -> Mailbox: ...
    @property
    def fd(self) -> int:
        """A file descriptor that is readable while answers wait."""

    def take(self) -> list[tuple[int, tuple[int, bytes, str, str, str]]]:
        """Take all answers that wait, as pairs of token and answer."""

@final
class Server:
    """The data plane: owns the listener, the worker threads and every metric. A rust-arm request never takes the GIL."""

    def __new__(
        cls,
        engine: Engine,
        *,
        host: str | None = None,
        port: int | None = None,
        unix_path: str | os.PathLike[str] | None = None,
        unix_mode: int = 0o660,
        workers: int = 1,
        max_body_bytes: int = 1_048_576,
        max_header_bytes: int = 16_384,
        idle_timeout_seconds: float = 60.0,
        header_timeout_seconds: float = 5.0,
        body_timeout_seconds: float = 5.0,
        write_timeout_seconds: float = 5.0,
        max_connections: int = 1024,
        baseline_queue: int = 1024,
        baseline_timeout_seconds: float = 10.0,
        inline_evaluation_seconds: float = 0.002,
        evaluation_threads: int = 2,
        evaluation_queue: int = 256,
        subject_pointer: str = "/user/id",
        subject_fallbacks: Sequence[str] = ("/agent/id", "/source_agent/id", "/subject", "/user"),
        subject_header: str | None = None,
        shadow_queue: int = 1024,
        shadow_queue_bytes: int = 16_777_216,
        shadow_request_bytes: int = 65_536,
        in_process: bool = False,
        writes: bool = False,
    ) -> Server:
        """Make a server that does not listen yet.

        It listens on TCP at `host` (an IP address, 127.0.0.1 when left out) and `port` (0 takes a free one), on a Unix-domain
        socket at `unix_path` (absolute; a dead process's file is replaced, a live one's is refused; its permissions are
        `unix_mode`), or on both. With `unix_path` and neither host nor port there is no TCP listener. With `in_process` it
        listens on nothing but what is named, be it nothing: see ask.

        An evaluation that takes longer than `inline_evaluation_seconds` is stopped and run again, within the engine's
        `evaluation_timeout_seconds`, by one of `evaluation_threads` threads; a path known to be that slow goes there at once.
        When `evaluation_queue` of them wait already, the request is answered with 503.

        At most `shadow_queue` requests of `shadow_queue_bytes` bytes together wait for take_drawn; one that has more than
        `shadow_request_bytes` with its answer is skipped.

        With `writes`, PUT, PATCH and DELETE below /v1/data are handed over as jobs; without it they are refused. Raises
        ValueError.
        """

    def start(self) -> int:
        """Bind and serve in the background; return the TCP port, 0 when there is none. Raises OSError."""

    @property
    def baseline_fd(self) -> int:
        """A file descriptor that becomes readable when jobs wait: register it with the event loop's add_reader."""

    def take_jobs(self, limit: int = 64) -> list[BaselineJob]:
        """Take up to `limit` waiting jobs without blocking; clears the descriptor when none is left."""

    def complete(
        self,
        job_id: int,
        status: int,
        body: bytes,
        *,
        outcome: str,
        cache_control: str = "",
        headers: Sequence[tuple[str, str]] = ...,
        keep_seconds: float | None = None,
        was_kept: bool = False,
    ) -> bool:
        """Answer a job with an HTTP status and a body; False when its client has gone or it has timed out.

        The body is JSON unless `headers`, given instead of its Content-Type, say otherwise. Lengths and what concerns the
        connection are not theirs to set.

        `outcome` is `allow`, `deny`, `undefined` or `error` and becomes the result label (a fallback is always `error`
        of the rust arm). With job.cache == "rust", status 200, an outcome other than error, and unless `cache_control` says
        `no-store`, the decision in the body is kept in the in-process cache, for `keep_seconds` at most. A job with
        opa == "rust" that is answered with status 200 and outcome `error` counts as a fallback: the engine failed in the
        caller's hands. One that is answered with status 503 counts as shed. `was_kept` says that the decision was kept in
        Redis. Raises ValueError.
        """

    def ask(self, path: str, body: bytes, subject: str | None = None) -> tuple[int, bytes, str, str, str]:
        """Answer a question from inside the process, as a request: (status, body, arm, origin, fallback).

        `body` is `{"input": ...}` or empty, and `subject` stands for the subject header: an empty one, or one of nothing but
        space, counts as none, and one with control characters is answered with 400. The arm is `rust`, `python` or `none`; the
        origin of a decision `cache`, `engine` or `opa`, and empty when there is none; fallback is as in BaselineJob. A decision
        that is kept is answered on the caller's thread with the GIL held; everything else on the threads that `start` has made,
        and the GIL is released meanwhile. Who asks takes the place of a connection. In the child of a fork after `start` every
        question is answered with 503. Raises PathError.
        """

    def ask_later(
        self, path: str, body: bytes, subject: str | None, mailbox: Mailbox, token: int
    ) -> tuple[int, bytes, str, str, str] | None:
        """As ask, for who must not wait: None when the answer will come to `mailbox`, once, under `token` (0 to 2^64 - 1)."""

    def set_flags(
        self,
        *,
        rollout: str,
        revision: int,
        percentage: int,
        salt: str,
        rust_opa: bool,
        rust_cache: bool,
        shadow: int = 0,
        assignment: str = "murmur3",
        valid_seconds: float | None = None,
    ) -> None:
        """Apply flags to the next request. A change of `rollout` starts every metric anew under the new label.

        `shadow` percent of the requests of both arms are drawn for comparison: see take_drawn. `assignment` is `murmur3`, or
        `sark-md5` for a fleet that comes from SARK. After `valid_seconds` everybody is on baseline and nothing is compared,
        until flags are applied again; with None they have no end. Raises ValueError.
        """

    def set_faults(
        self, *, rust_latency_seconds: float = 0.0, rust_error_ratio: float = 0.0, rust_panic_ratio: float = 0.0
    ) -> None:
        """Inject faults into rust-arm requests: delay each one, and fail this share of them. Zero turns it off."""

    @property
    def first_fault_at(self) -> float | None:
        """Unix time of the first request a fault was injected into since faults were last turned on; None when none."""

    def take_drawn(self, limit: int = 64) -> list[Answered]:
        """Take up to `limit` answered requests that were drawn for comparison, the oldest first, without blocking.

        Nobody is told when there are some: a request must not pay for a system call. What finds no room is counted as dropped.
        """

    def count_comparison(self, path: str | None, result: str, detail: str = "") -> None:
        """Count what came of a comparison: sark_shadow_*. Without a path it counts under `other`.

        result is `match`, `mismatch`, `unknown`, `skipped` or `dropped`; detail is the kind of a mismatch (`undefined`,
        `allow`, `filtered_parameters`, `reason`, `other`) or the reason of a skipped one (`revision`, `changed`,
        `nondeterministic`, `baseline_only`, `stale`, `too_large`, `refused`). Raises ValueError.
        """

    def show_unconfirmed(self, differences: int) -> None:
        """Show as sark_shadow_unconfirmed_mismatches how many differences wait for another look at OPA before they count.

        Raises OverflowError below 0.
        """

    def set_tls(
        self, certificate: bytes, key: bytes, *, client_authorities: bytes | None = None, min_version: str = "1.2"
    ) -> None:
        """Speak TLS on host and port; a Unix-domain socket has none. Everything is PEM; min_version is 1.2 or 1.3.

        With client_authorities a client must show a certificate of one of them. Said first before start; said again, it counts
        for connections that come later. Raises ValueError, and what was set before stays.
        """

    def set_tokens(self, tokens: Sequence[str]) -> None:
        """Answer 401 to every request without one of these bearer tokens, on every listener and path.

        Said first before start; said again, only the new ones count from the next request on. Raises ValueError.
        """

    def log_decisions(
        self,
        *,
        labels: Mapping[str, str],
        erase: Sequence[str] = (),
        upsert: Sequence[tuple[str, bytes]] = (),
        drop: Sequence[tuple[str, str]] = (),
        ask_policies: bool = True,
        max_per_second: float | None = None,
        queue: int = 8192,
        queue_bytes: int = 16_777_216,
    ) -> None:
        """Keep a decision log, as events in OPA's format; every answer then carries its `decision_id`. Before start, and once.

        `erase` and `upsert` are JSON pointers below `/input` or `/result` (`*` for any one token), the latter with a value as
        JSON; `drop` are decision paths, with `/*` at the end all below, and an outcome (empty: any). With `ask_policies` the
        rules `data.system.log.mask` and `.drop` count too. What cannot be masked is logged without input and result. Raises
        ValueError.
        """

    def name_bundles(self, revision: str, bundles: str) -> None:
        """Name the bundles, an object as JSON, in events that are answered by policies of this revision."""

    def take_logged(self, limit: int = 256) -> list[bytes] | None:
        """Take up to `limit` decisions as events, one line of JSON each, the oldest first; None when none waited.

        Masks are applied here, not on the path of requests. What finds no room until then is counted as dropped.
        """

    def count_unlogged(self, reason: str, events: int = 1) -> None:
        """Count events that a sink did not get: sark_decision_log_dropped_total. Raises ValueError.

        reason is `rule`, `rate`, `queue`, `buffer`, `too_large` or `unsent`.
        """

    def observe_evaluation(self, seconds: float, outcome: str, error_type: str = "") -> None:
        """Record one evaluation by HTTP OPA: opa_evaluation_*{implementation="python"}; outcome is allow, deny or error."""

    def observe_cache(self, operation: str, result: str, seconds: float) -> None:
        """Record one Redis operation: cache_operation*{implementation="python"}.

        operation is get, set or delete; result is hit, miss, ok or error.
        """

    def set_gauge(self, name: str, help: str, value: float) -> None:
        """Set a gauge of the sidecar's own (name starts with `sark_`), exposed with the rest; a change of rollout keeps it."""

    def inc_counter(self, name: str, help: str, amount: int = 1) -> None:
        """Add to a counter of the sidecar's own (name starts with `sark_` and ends with `_total`)."""

    def metrics(self) -> bytes:
        """All metrics in Prometheus' text format 0.0.4, with process_* of this process; every series carries sark_rollout."""

    def drain(self, timeout_seconds: float) -> bool:
        """Take no new connection, answer what was sent before, close. True when all was answered in time.

        What waits in the kernel counts as sent. A connection's last answer says `Connection: close`; an idle one is kept open a
        quarter of a second for one more request. The file of a Unix-domain socket is removed first.
        """

def bucket(salt: str, subject: str) -> int:
    """The assignment rule: murmur3_x86_32(utf8(salt + ":" + subject), seed 0) * 10000 >> 32."""

def policy_revision(sources: Sequence[str], data: bytes) -> str:
    """`Policies.revision` of `sources` with the base document `data`, without compiling: what does another engine serve?

    Raises PolicyError when `data` is not a JSON object.
    """
