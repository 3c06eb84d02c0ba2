"""The flags ConfigMap below the stand's sidecar: written as the operator writes it, and as nobody should."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes import client

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import FLAGS_KEY
from sark_e2e import chart
from sark_e2e.control_plane import Access
from sark_e2e.service_account import create_service_account

from .prober import SALT, SHARE

NAME: Final = "faults-flags"
LASTING: Final = 600.0
"""Seconds that a document is valid for, unless it is to end: longer than any rehearsal."""


class FlagsMap:
    """One ConfigMap in a namespace of its own, and the rights to follow it."""

    def __init__(self, api: client.ApiClient, access: Access, folder: Path) -> None:
        """Create namespace, account and document. `folder` takes the kubeconfig."""
        self._core = client.CoreV1Api(api)
        self.namespace = f"faults-{secrets.token_hex(4)}"
        self._core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=self.namespace)))
        self.revision = 0
        self.write()
        account = create_service_account(
            api,
            access,
            namespace=self.namespace,
            name="sidecar",
            folder=folder,
            rules=chart.rules("sidecar-rules", flags=NAME),
        )
        self.kubeconfig = account.access.kubeconfig

    def lead_through(self, port: int) -> None:
        """Let the kubeconfig lead to another port of the API server's host: a link's."""
        members: dict[str, Any] = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8"))
        server = members["clusters"][0]["cluster"]
        server["server"] = f"{str(server['server']).rpartition(':')[0]}:{port}"
        self.kubeconfig.write_text(yaml.safe_dump(members), encoding="utf-8")

    def write(self, *, percentage: int = SHARE, seconds: float = LASTING) -> int:
        """Write the next revision, valid for so many seconds, and return it."""
        self.revision += 1
        self.write_text(self.document(self.revision, percentage, seconds).to_json())
        return self.revision

    @staticmethod
    def document(revision: int, percentage: int = SHARE, seconds: float = LASTING) -> FlagDocument:
        """Return a whole document."""
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        return FlagDocument(
            feature_flags=FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=percentage),
            salt=SALT,
            rollout="faults/gateway",
            revision=revision,
            valid_until=end if 0 < percentage < 100 else None,
        ).sealed()

    def write_text(self, text: str) -> None:
        """Put any text in the document's place; the object is created when it is gone."""
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=NAME), data={FLAGS_KEY: text})
        try:
            self._core.replace_namespaced_config_map(NAME, self.namespace, body)
        except client.ApiException as error:
            if error.status != 404:
                raise
            self._core.create_namespaced_config_map(self.namespace, body)

    def delete(self) -> None:
        """Delete the object."""
        self._core.delete_namespaced_config_map(NAME, self.namespace)


@contextlib.contextmanager
def flags_map(access: Access, folder: Path) -> Iterator[FlagsMap]:
    """Create one with a client of its own, and delete its namespace afterwards, without waiting."""
    with access.client() as api:
        made = FlagsMap(api, access, folder)
        try:
            yield made
        finally:
            with contextlib.suppress(client.ApiException):
                client.CoreV1Api(api).delete_namespace(made.namespace)
