"""The base of every API model: immutable, camelCase on the wire, unknown fields ignored.

Unknown fields are ignored on purpose when reading: the API server has already validated the object against the schema, and an
older operator must be able to read an object that a newer CRD let in.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """A value of the Kubernetes API."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        use_attribute_docstrings=True,
        validate_default=True,
    )

    def to_wire(self) -> dict[str, object]:
        """Return the JSON-ready mapping with wire names; members that are None are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
