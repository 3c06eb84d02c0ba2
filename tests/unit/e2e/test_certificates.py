"""Certificates of the local control plane verify against their authority and say who they are for."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from sark_e2e import kubeconfig
from sark_e2e.certificates import Authority


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_server_certificate_verifies_for_its_address(tmp_path: Path):
    authority = Authority(tmp_path)
    certificate, key = authority.server("kube-apiserver", ["127.4.5.1"], ["localhost"])

    names = load(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.4.5.1")]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    load(certificate).verify_directly_issued_by(load(authority.certificate))
    assert key.stat().st_mode & 0o077 == 0


def test_the_administrator_is_in_the_group_that_may_do_everything(tmp_path: Path):
    authority = Authority(tmp_path)
    certificate, _ = authority.client("admin", "system:masters")

    subject = load(certificate).subject
    assert [each.value for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == ["system:masters"]
    load(certificate).verify_directly_issued_by(load(authority.certificate))


def test_another_authority_does_not_vouch_for_it(tmp_path: Path):
    certificate, _ = Authority(tmp_path / "one").client("admin", "system:masters")

    with pytest.raises(InvalidSignature):
        load(certificate).verify_directly_issued_by(load(Authority(tmp_path / "other").certificate))


def test_a_kubeconfig_is_for_its_owner_only_and_carries_the_token(tmp_path: Path):
    authority = Authority(tmp_path / "ca")
    path = kubeconfig.with_token(
        tmp_path / "kubeconfig",
        server="https://127.4.5.1:6443",
        authority=authority.certificate,
        token="not-a-real-token",
        namespace="team",
    )

    document = yaml.safe_load(path.read_text())
    assert document["users"][0]["user"] == {"token": "not-a-real-token"}
    assert document["contexts"][0]["context"]["namespace"] == "team"
    assert path.stat().st_mode & 0o077 == 0
