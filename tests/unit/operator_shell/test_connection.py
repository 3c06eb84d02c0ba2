"""How the API server is reached."""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio.config import kube_config

from sark_e2e.certificates import Authority
from sark_e2e.kubeconfig import with_token
from sark_operator.shell import connection
from sark_operator.shell.connection import ConnectionSettingsError, load_configuration, open_client, watch_tls
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


def test_whom_it_trusts_is_the_same_with_every_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the contexts that newer ones make, and a cluster whose authority they may refuse for its form
    made = ssl.create_default_context

    def strict(*purpose: Any, **options: Any) -> ssl.SSLContext:
        context = made(*purpose, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    authority = Authority(tmp_path / "certificates").certificate
    kubeconfig = with_token(tmp_path / "config", server="https://127.0.0.1:1", authority=authority, token="t", namespace="shop")

    # When our own calls and kopf's watches connect
    async def contexts() -> list[ssl.SSLContext]:
        configuration = await load_configuration(settings(kubeconfig))
        async with open_client(configuration) as client:
            return [client.rest_client.ssl_context, watch_tls(configuration)]

    # Then it is trusted, and nobody else
    for context in asyncio.run(contexts()):
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT
        assert (context.verify_mode, context.check_hostname, len(context.get_ca_certs())) == (ssl.CERT_REQUIRED, True, 1)


@pytest.mark.parametrize("text", ["", "users: 3", "users: [3]", "a: [", "\0", "[]", "3", "users:\n- {name: user, user: 3}"])
def test_a_kubeconfig_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    broken = tmp_path / "config"
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(ConnectionSettingsError, match=f"cannot use the kubeconfig {broken}: "):
        asyncio.run(load_configuration(settings(broken)))


def test_a_kubeconfig_that_is_not_yaml_is_told_without_what_it_holds(tmp_path: Path) -> None:
    broken = tmp_path / "config"
    broken.write_text("users:\n- name: x\n  user:\n    token: S3CRET: x\n", encoding="utf-8")
    with pytest.raises(ConnectionSettingsError, match="mapping values are not allowed here, line 4, column 18") as caught:
        asyncio.run(load_configuration(settings(broken)))
    assert "S3CRET" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_plugin_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a kubeconfig whose credentials come from a plugin that never answers
    kubeconfig = tmp_path / "config"
    hanging = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["600"]}
    document = {
        "clusters": [{"name": "it", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {"exec": hanging}}],
        "contexts": [{"name": "here", "context": {"cluster": "it", "user": "me"}}],
        "current-context": "here",
    }
    kubeconfig.write_text(yaml.safe_dump(document), encoding="utf-8")
    monkeypatch.setattr(connection, "LOAD_SECONDS", 0.2)
    # When it is read, then that comes to an end, and the sentence says what to look at
    with pytest.raises(ConnectionSettingsError, match=f"kubeconfig {kubeconfig}: its plugin for credentials told none within"):
        asyncio.run(load_configuration(settings(kubeconfig)))
    gc.collect()  # the library leaves the plugin's process to itself, which is to be told here and not in another test
