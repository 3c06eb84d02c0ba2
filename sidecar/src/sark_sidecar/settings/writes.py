"""Settings of documents that are written through the REST API."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from .fields import Section

DocumentName = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class WriteSettings(Section):
    """Documents of `data` that OPA holds and clients may write; without any name nothing can be written."""

    documents: tuple[DocumentName, ...] = Field(default=(), max_length=32)
    """Names directly below `data`; the policies' source must have nothing under them."""
    max_bytes: int = Field(default=1_048_576, ge=1024, le=33_554_432)
    """Most bytes of all of them together, as JSON."""
    queue: int = Field(default=16, ge=1, le=256)
    """Writes that wait for the one under way; more are answered 503."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if len(set(self.documents)) < len(self.documents):
            raise ValueError("documents names one twice")
        if "system" in self.documents:
            raise ValueError("documents must not name system: what lies there is OPA's own")
        return self
