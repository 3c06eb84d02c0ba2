"""Where jobs of the data plane come in: questions go to the baseline arm, everything else to the REST API's answering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from .answering import RestAnswering
from .request import RestRequest


class RestJob(Protocol):
    """A job; see sark_engine.BaselineJob."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def body(self) -> bytes: ...  # noqa: D102
    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def target(self) -> str: ...  # noqa: D102
    @property
    def headers(self) -> list[tuple[str, str]]: ...  # noqa: D102


Job = TypeVar("Job", bound=RestJob)
Job_contra = TypeVar("Job_contra", bound=RestJob, contravariant=True)
Asked = TypeVar("Asked")


class Arm(Protocol[Job_contra, Asked]):
    """Answers questions."""

    async def begin(self, jobs: Sequence[Job_contra]) -> Sequence[Asked]:
        """Answer what can be answered at once; return the rest."""

    async def finish(self, asked: Asked) -> None:
        """Answer one of the rest."""


class RestPlane(Protocol):
    """The part of sark_engine.Server that takes such answers."""

    def complete(self, job_id: int, status: int, body: bytes, *, outcome: str, headers: Sequence[tuple[str, str]]) -> bool:
        """Answer a job."""


class Desk(Generic[Job, Asked]):
    """An arm to the dispatcher."""

    def __init__(self, arm: Arm[Job, Asked], rest: RestAnswering, data_plane: RestPlane) -> None:
        """Wire the parts."""
        self._arm = arm
        self._rest = rest
        self._data_plane = data_plane

    async def begin(self, jobs: Sequence[Job]) -> list[Job | Asked]:
        """Let the arm begin with the questions; return what is left, requests of the REST API included."""
        others: list[Job | Asked] = [job for job in jobs if job.method]
        questions = [job for job in jobs if not job.method]
        return others + list(await self._arm.begin(questions)) if questions else others

    async def finish(self, asked: Job | Asked) -> None:
        """Answer one."""
        if not getattr(asked, "method", ""):
            await self._arm.finish(asked)  # type: ignore[arg-type]  # jobs with a method are the only others
            return
        job: RestJob = asked  # type: ignore[assignment]  # see above
        answer = await self._rest.answer(RestRequest(job.method, job.target, job.headers, job.body))
        # No decision of an arm: it is neither kept nor counted as one.
        self._data_plane.complete(job.id, answer.status, answer.body, outcome="error", headers=answer.headers)
