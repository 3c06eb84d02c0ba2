"""What each sidecar itself says it applies: asked through the API server, or at the pods' own addresses.

The operator's confirmation is what counts; this is the second witness that a person wants to see after a rollback. One that
contradicts it is no detail: then it is not known that the baseline is restored.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from sark_api.report import FLAGS_PATH, FlagReport

from .crew import work_through
from .failure import CommandError
from .printable import printable
from .rollout import Rollout
from .rollouts import CALL_SECONDS, PAGE, Rollouts, asked

if TYPE_CHECKING:
    from sark_operator.shell.sidecar_access import SidecarAccess, Way

ASKED_AT_ONCE: Final = 16
MAX_BYTES: Final = 1_048_576
DIRECT_SECONDS: Final = 3.0
"""To connect, and again for the whole of the answer."""
PROXIED_SECONDS: Final = 20.0
"""For the body of an answer that comes through the API server."""
HEARING_SECONDS: Final = 60.0
"""After so long no further sidecar of a rollout is asked: where thousands are silent, the person would wait for hours."""
_UNHEARD: Final = "not asked: the others took longer than {:g} s"
_PIECE: Final = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """One sidecar's account of itself."""

    pod: str
    revision: int | None = None
    percent: int | None = None
    rollout: str = ""
    problem: str = ""
    """Why it could not be asked; empty when it answered."""

    def serves(self, name: str) -> bool:
        """Return whether it says that it lets the rollout of this namespace/name have a share of its requests."""
        return bool(self.percent) and self.rollout == name

    def to_wire(self) -> dict[str, object]:
        """Return it for programs."""
        members = {"pod": self.pod, "revision": self.revision, "percent": self.percent, "problem": self.problem}
        return {name: value for name, value in members.items() if value not in (None, "")}


def ask_sidecars(rollouts: Rollouts, rollout: Rollout, access: SidecarAccess, *, direct: bool) -> list[Answer]:
    """Return what every ready pod of the target says, asked as `access` says.

    Raises:
        CommandError: the pods cannot even be listed, or must not be asked because a credential cannot be read.
    """
    from sark_operator.shell.credential_files import AccessError

    try:
        way = access.way(rollout.namespace)
    except AccessError as error:
        raise CommandError(f"--sidecar-config: {error}") from error
    if not direct and way.headers:
        raise CommandError(
            "the API server passes on no token of the sidecars': use --ask direct, from inside the cluster's network"
        )
    pods = sorted(_ready(rollouts, rollout))
    port = rollout.spec.target.admin_port
    one = partial(_direct, way, port) if direct else partial(_proxied, rollouts, rollout.namespace, way, port)
    answers: dict[str, Answer] = {}
    ends = time.monotonic() + HEARING_SECONDS

    def hear(pod: tuple[str, str]) -> None:
        late = time.monotonic() > ends
        answers[pod[0]] = Answer(pod[0], problem=_UNHEARD.format(HEARING_SECONDS)) if late else _answer(one, pod)

    work_through(pods, hear, ASKED_AT_ONCE)
    return [answers[name] for name, _ in pods]


def _ready(rollouts: Rollouts, rollout: Rollout) -> Iterable[tuple[str, str]]:
    """Yield name and address of every ready pod."""
    from kubernetes import client

    selector = ",".join(f"{key}={value}" for key, value in sorted(rollout.spec.target.match_labels.items()))
    core = client.CoreV1Api(rollouts.connection.api)
    token = ""
    while True:
        paging: dict[str, Any] = {"limit": PAGE, "_request_timeout": CALL_SECONDS} | ({"_continue": token} if token else {})
        pods: Any = asked(
            rollouts.connection.server,
            f"list the pods of namespace {rollout.namespace} with {selector}",
            partial(core.list_namespaced_pod, rollout.namespace, label_selector=selector, **paging),
        )
        for pod in pods.items:
            conditions = (pod.status and pod.status.conditions) or ()
            ready = any(each.type == "Ready" and each.status == "True" for each in conditions)
            if ready and pod.metadata.deletion_timestamp is None and pod.status.pod_ip:
                yield str(pod.metadata.name), str(pod.status.pod_ip)
        token = pods.metadata._continue or ""  # noqa: SLF001 - as the client calls it
        if not token:
            return


def _answer(ask: Callable[[str, str], Any], pod: tuple[str, str]) -> Answer:
    name, address = pod
    try:
        report = FlagReport.model_validate(_object(ask(name, address)))
    except ValidationError:
        return Answer(name, problem="its answer has an unexpected form")
    except (CommandError, OSError, http.client.HTTPException, ValueError) as error:
        return Answer(name, problem=printable(" ".join(str(error).split())[:300]) or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - whatever a sidecar answers, the others are told all the same
        return Answer(name, problem=f"its answer cannot be read: {type(error).__name__}")
    return Answer(name, report.revision, report.percentage, printable(report.rollout or ""))


def _proxied(rollouts: Rollouts, namespace: str, way: Way, port: int, name: str, _address: str) -> Any:
    """Ask through the API server, as `kubectl get --raw` does; needs the right to get pods/proxy.

    It is the API server that speaks TLS with the sidecar then, and it takes any certificate.
    """
    from kubernetes.client.exceptions import ApiException

    api = rollouts.connection.api
    request = api.param_serialize(
        "GET",
        "/api/v1/namespaces/{namespace}/pods/{name}/proxy" + FLAGS_PATH,
        path_params={"namespace": namespace, "name": f"https:{name}:{port}" if way.tls is not None else f"{name}:{port}"},
        auth_settings=["BearerToken"],
    )

    def read() -> bytes:
        # The client's own method for this reads the whole body of an answer that is not 200, however long that is.
        answer = api.call_api(*request, _request_timeout=CALL_SECONDS).response
        try:
            body = _read(answer)
        finally:
            # What is left of a longer answer is not read, so nothing else can be asked over this connection.
            answer.close()
        if answer.status != http.client.OK:
            raise ApiException(status=answer.status, body=body.decode(errors="replace"))
        return _whole(body)

    return asked(rollouts.connection.server, f"ask pod {name} through the API server", read)


def _direct(way: Way, port: int, _name: str, address: str) -> bytes:
    """Ask at the pod's own address, for those who are inside the cluster's network. No redirect is followed."""
    with socket.create_connection((address, port), DIRECT_SECONDS) as plain, _ended_after(DIRECT_SECONDS, plain):
        connection = http.client.HTTPConnection(address, port)
        try:
            connection.sock = plain if way.tls is None else _secured(plain, way.tls, way.server_name or address)
            connection.request("GET", FLAGS_PATH, headers=dict(way.headers))
            answer = connection.getresponse()
            if answer.status == http.client.UNAUTHORIZED:
                raise ValueError("HTTP 401: it wants a token, which --sidecar-config must name")
            if answer.status != http.client.OK:
                raise ValueError(f"HTTP {answer.status}")
            return _whole(answer.read(MAX_BYTES + 1))
        except (ConnectionResetError, http.client.BadStatusLine) as error:
            hint = "; if it speaks TLS, --sidecar-config must name its authority" if way.tls is None else ""
            raise ValueError(f"it hangs up{hint}") from error
        finally:
            connection.close()


def _secured(plain: socket.socket, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    """Return the connection with TLS, whose certificate must be for `name`."""
    return context.wrap_socket(plain, server_hostname=name)


@contextmanager
def _ended_after(seconds: float, connection: socket.socket) -> Iterator[None]:
    """End the connection after so many seconds, however little is waited for each time. Raises ValueError where it was."""
    ending, over = connection.dup(), threading.Event()

    def end() -> None:
        over.set()
        with suppress(OSError):  # the other side may have ended it
            ending.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        if over.is_set():
            raise _endless(seconds) from error
        raise
    finally:
        timer.cancel()
        timer.join()
        ending.close()
    if over.is_set():
        raise _endless(seconds)


def _endless(seconds: float) -> ValueError:
    return ValueError(f"it does not come to an end of its answer within {seconds:g} s")


def _read(answer: Any) -> bytes:
    """Return the body of an answer, which is looked at whenever something has come."""
    body, ends = bytearray(), time.monotonic() + PROXIED_SECONDS
    while len(body) <= MAX_BYTES and (piece := answer.read1(_PIECE, decode_content=True)):
        body += piece
        if time.monotonic() > ends:
            raise _endless(PROXIED_SECONDS)
    return bytes(body)


def _whole(body: bytes) -> bytes:
    """Return what was read. Raises ValueError when there is more of it than a sidecar has to say."""
    if len(body) > MAX_BYTES:
        raise ValueError(f"its answer is longer than {MAX_BYTES:,} bytes")
    return body


def _object(raw: Any) -> Mapping[str, Any]:
    found = json.loads(raw)
    if not isinstance(found, dict):
        raise ValueError("its answer is not a JSON object")  # noqa: TRY004 - one kind of error for a bad answer
    return found
