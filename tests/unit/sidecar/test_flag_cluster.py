"""How the sidecar reaches the API server: what it says of a kubeconfig that cannot be used."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path

import pytest

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
