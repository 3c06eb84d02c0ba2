"""How the API server is reached."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.config import kube_config

from sark_e2e.certificates import Authority
from sark_e2e.kubeconfig import with_token
from sark_operator.shell.connection import ConnectionSettingsError, load_configuration, open_client
from sark_operator.shell.settings import Settings, parse_settings

THREADS = 4


def settings(kubeconfig: Path) -> Settings:
    return parse_settings(["--namespace=shop", f"--kubeconfig={kubeconfig}"], {})


def test_threads_that_connect_at_once_all_know_the_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a kubeconfig that holds the authority's certificate, which takes a moment to be written to a file of its own
    authority = Authority(tmp_path / "certificates").certificate
    kubeconfig = with_token(tmp_path / "config", server="https://127.0.0.1:1", authority=authority, token="t", namespace="shop")

    def slowly(path: str, mode: str = "r") -> Any:
        time.sleep(0.2)
        return Path(path).open(mode)

    monkeypatch.setattr(kube_config, "open", slowly, raising=False)

    # When the threads of the loop, the Lease and the page connect
    async def known() -> int:
        async with open_client(await load_configuration(settings(kubeconfig))) as client:
            return len(client.rest_client.ssl_context.get_ca_certs())

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda _: asyncio.run(known()), range(THREADS)))

    # Then each of them checks the server's certificate against it
    assert found == [1] * THREADS


@pytest.mark.parametrize("text", ["", "users: 3", "users: [3]", "a: [", "\0", "[]", "3", "users:\n- {name: user, user: 3}"])
def test_a_kubeconfig_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    broken = tmp_path / "config"
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(ConnectionSettingsError, match=f"cannot use the kubeconfig {broken}: "):
        asyncio.run(load_configuration(settings(broken)))
