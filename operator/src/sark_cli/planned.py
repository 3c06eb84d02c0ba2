"""The one SarkRollout in a file that is to be planned with, already without errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sark_api.spec import SarkRolloutSpec

from .failure import CommandError
from .lint.check import check, is_ours, told
from .lint.documents import read
from .lint.finding import Level


def planned(file: str) -> tuple[Mapping[str, Any], SarkRolloutSpec]:
    """Return the object and its spec. Raises CommandError when there is not exactly one, or it has errors."""
    documents = [document for document in read(file) if is_ours(document)]
    if len(documents) != 1:
        raise CommandError(f"{file}: one SarkRollout is needed, and there are {len(documents)}")
    document = documents[0]
    errors = [finding for finding in check(document) if finding.level is Level.ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more, see `lint`)" if len(errors) > 1 else ""
        raise CommandError(f"{told(document, errors[:1])[0]}{more}")
    return document.value, SarkRolloutSpec.model_validate(document.value["spec"])
