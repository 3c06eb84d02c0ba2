"""How the sidecar reaches the API server: what it says of a kubeconfig that cannot be used."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from pathlib import Path
from typing import Any

import pytest

from sark_e2e.certificates import Authority
from sark_e2e.kubeconfig import with_token
from sark_sidecar.flags.cluster import ClusterAccessError, cluster_client

USER = "users:\n- name: x\n  user:\n    "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{USER}token: S3CRET: x\n", "is not YAML: mapping values are not allowed here, line 4, column 18"),
        (f'{USER}token: "S3CRET"x\n', "is not YAML: expected <block end>, but found '<scalar>', line 4, column 20"),
        (f"{USER}token: !S3CRET\n", "is not YAML: could not determine a constructor for the tag ..., line 4, column 12"),
        ("users: 3", "flags.kubeconfig"),
        ("[S3CRET]", "flags.kubeconfig"),
        ("3", "flags.kubeconfig"),
    ],
    ids=["colon", "behind a quote", "tag", "a number for a list", "a list", "a number"],
)
def test_a_kubeconfig_that_is_none_is_told_without_what_it_holds(tmp_path: Path, text: str, said: str):
    broken = tmp_path / "config"
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(ClusterAccessError) as caught:
        asyncio.run(cluster_client(broken))
    assert said in str(caught.value)
    assert "S3CRET" not in "".join(traceback.format_exception(caught.value))


def test_whom_it_trusts_is_the_same_with_every_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Given the contexts that newer ones make, and a cluster whose authority they may refuse for its form
    made = ssl.create_default_context

    def strict(*purpose: Any, **options: Any) -> ssl.SSLContext:
        context = made(*purpose, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    authority = Authority(tmp_path / "certificates").certificate
    kubeconfig = with_token(tmp_path / "config", server="https://127.0.0.1:1", authority=authority, token="t", namespace="shop")

    async def context() -> ssl.SSLContext:
        async with await cluster_client(kubeconfig) as client:
            return client.rest_client.ssl_context

    # Then it is trusted, and nobody else
    found = asyncio.run(context())
    assert not found.verify_flags & ssl.VERIFY_X509_STRICT
    assert (found.verify_mode, found.check_hostname, len(found.get_ca_certs())) == (ssl.CERT_REQUIRED, True, 1)
