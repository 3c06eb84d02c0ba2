"""The evidence of a rollout: read from its ConfigMaps or from an exported file, and checked link by link."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from sark_api.evidence import (
    ANNOTATION_ROLLOUT,
    LABEL_EVIDENCE,
    Break,
    EvidenceRecord,
    canonical,
    digest,
    record_number,
    to_record,
    verify,
)
from sark_api.status import Ledger, LedgerSegment

from .connection import Connection
from .failure import CommandError
from .printable import cleaned
from .reading import read
from .rollout import Rollout
from .rollouts import CALL_SECONDS, Rollouts, asked

EXPORT: Final = "SarkEvidence"
"""The kind of an exported document."""
MAX_FILE_BYTES: Final = 128 * 1024 * 1024
READS: Final = 5
"""How often a chain that seems broken is read while its rollout changes."""
_PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class Chain:
    """All records that are kept of one rollout."""

    rollout: str
    """namespace/name."""
    uid: str
    ledger: Ledger
    texts: Mapping[int, str]
    """Every record by its number, those that wait in the status among them."""
    open_end: bool = False
    """Whether there was no status to say how many records there must be, and which is the last."""

    def broken(self) -> Break | None:
        """Return where the chain breaks, or None when it holds."""
        return verify(self.uid, self.ledger, self.texts.items())

    def records(self) -> Iterator[EvidenceRecord]:
        """Yield the records that can be read, by number, made safe for a terminal."""
        for _, text in sorted(self.texts.items()):
            try:
                yield EvidenceRecord.model_validate(cleaned(to_record(text).to_wire()))
            except (ValueError, ValidationError):
                continue

    def record(self, number: int) -> EvidenceRecord | None:
        """Return one record, or None when it is not kept or cannot be read."""
        return next((record for record in self.records() if record.number == number), None)

    def to_export(self) -> dict[str, Any]:
        """Return the document that is exported: with it anyone can check the chain without the cluster."""
        return {
            "kind": EXPORT,
            "rollout": self.rollout,
            "uid": self.uid,
            "keptFrom": self.ledger.kept_from,
            "records": self.ledger.records,
            "head": self.ledger.head,
            "evidence": [_as_object(text) for _, text in sorted(self.texts.items())],
        }


def from_cluster(connection: Connection, rollout: Rollout) -> Chain:
    """Return the chain of a rollout. Raises CommandError when its ConfigMaps may not be read."""
    uid = str((rollout.body.get("metadata") or {}).get("uid") or "")
    # As it is stored, not as it was made printable: a digest tells the two apart.
    ledger = _ledger((rollout.body.get("status") or {}).get("ledger") or {})
    texts: dict[int, str] = {}
    for config_map in _config_maps(connection, rollout.namespace, uid):
        texts |= _texts(config_map.data or {})
    for place, text in enumerate(ledger.unfiled):
        texts.setdefault(ledger.first_unfiled + place, text)
    return Chain(rollout.name, uid, ledger, texts)


def settled(rollouts: Rollouts, rollout: Rollout) -> tuple[Rollout, Chain]:
    """Return the chain of a rollout, and the rollout it was read with.

    Status and ConfigMaps are two reads, and the operator may file records between them: then one has what the other does not
    know. A break counts when the rollout is still the one that was read before the ConfigMaps. Raises CommandError.
    """
    for _ in range(READS - 1):
        chain = from_cluster(rollouts.connection, rollout)
        if chain.broken() is None:
            return rollout, chain
        newer = read(rollouts, rollout.namespace, rollout.short_name)
        if newer.resource_version == rollout.resource_version:
            return rollout, chain
        rollout = newer
    return rollout, from_cluster(rollouts.connection, rollout)


def from_file(path: str) -> Chain:
    """Return the chain in a file: an export, or the ConfigMaps as `kubectl get -o json` or `-o yaml` prints them."""
    import yaml

    from sark_api.yaml_problem import yaml_problem

    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise CommandError(f"{path} is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
        text = Path(path).read_text(encoding="utf-8")
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CommandError(f"cannot read {path}: it is not YAML: {yaml_problem(error)}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(f"cannot read {path}: {' '.join(str(error).split())[:300]}") from error
    kind = document.get("kind") if isinstance(document, dict) else None
    try:
        if kind == EXPORT:
            return _from_export(document)
        if kind in ("List", "ConfigMapList"):
            return _from_config_maps(path, document["items"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CommandError(f"{path} is a {kind} that cannot be read: {error}") from error
    raise CommandError(f"{path} holds no evidence: write it with `history NAME --all -o json`")


def _config_maps(connection: Connection, namespace: str, uid: str) -> Iterator[Any]:
    from kubernetes import client

    core = client.CoreV1Api(connection.api)
    token = ""
    while True:
        paging: dict[str, Any] = {"limit": _PAGE, "label_selector": f"{LABEL_EVIDENCE}={uid}"}
        paging |= {"_request_timeout": CALL_SECONDS} | ({"_continue": token} if token else {})
        call = partial(core.list_namespaced_config_map, namespace, **paging)
        page = asked(connection.server, f"list the evidence ConfigMaps of namespace {namespace}", call)
        yield from page.items
        token = page.metadata.var_continue or ""
        if not token:
            return


def _texts(data: Mapping[str, str]) -> dict[int, str]:
    numbered = ((record_number(key), text) for key, text in data.items())
    return {number: text for number, text in numbered if number is not None}


def _ledger(found: Any) -> Ledger:
    try:
        return Ledger.model_validate(found)
    except ValidationError as error:
        raise CommandError("cannot read status.ledger: this command and the operator are of different versions") from error


def _as_object(text: str) -> Any:
    """Return the record as JSON, or as its text where that would not give the same text back."""
    try:
        found = json.loads(text)
        return found if canonical(found) == text else text
    except (ValueError, TypeError, AttributeError, RecursionError):
        return text


def _from_export(document: Mapping[str, Any]) -> Chain:
    texts: dict[int, str] = {}
    first = int(document["keptFrom"])
    for place, member in enumerate(document["evidence"], start=first):
        text = member if isinstance(member, str) else canonical(member)
        number = member.get("number") if isinstance(member, dict) else None
        texts[number if isinstance(number, int) and number not in texts else place] = text
    segments = [LedgerSegment(index=1, first=first)]
    ledger = Ledger(records=int(document["records"]), head=str(document["head"]), segments=segments)
    return Chain(str(cleaned(document["rollout"])), str(document["uid"]), ledger, texts)


def _from_config_maps(path: str, items: list[Any]) -> Chain:
    """Return the chain of ConfigMaps that may have outlived their rollout: nothing says where it must end."""
    metadata = [item["metadata"] for item in items]
    uids = {(each.get("labels") or {}).get(LABEL_EVIDENCE) for each in metadata}
    if len(uids) != 1 or None in uids:
        raise CommandError(f"{path} must hold the evidence of one rollout: select it with -l {LABEL_EVIDENCE}=UID")
    texts: dict[int, str] = {}
    for item in items:
        texts |= _texts(item.get("data") or {})
    last, first = max(texts, default=0), min(texts, default=1)
    head = digest(texts[last]) if texts else ""
    ledger = Ledger(records=last, head=head, segments=[LedgerSegment(index=1, first=first)])
    name = str(cleaned((metadata[0].get("annotations") or {}).get(ANNOTATION_ROLLOUT, "unknown")))
    return Chain(name, str(uids.pop()), ledger, texts, open_end=True)
