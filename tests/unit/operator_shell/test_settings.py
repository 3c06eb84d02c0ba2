"""The operator's flags and their environment variables."""

from __future__ import annotations

import pytest

from sark_operator.shell.settings import Address, parse_settings


def test_flags_win_over_variables_and_variables_over_defaults():
    environment = {
        "SARK_OPERATOR_NAMESPACE": "a, b,a",
        "SARK_OPERATOR_PROBE_ADDRESS": "127.0.0.1:1234",
        "SARK_OPERATOR_LEASE_SECONDS": "30",
        "SARK_OPERATOR_IDENTITY": "me",
    }
    settings = parse_settings(["--lease-seconds=20"], environment)
    assert settings.namespaces == ("a", "b")
    assert settings.probe_address == Address("127.0.0.1", 1234)
    assert settings.lease_seconds == 20
    assert settings.identity == "me"
    assert settings.lease_name == "sark-operator"
    assert settings.log_format == "json"
    assert parse_settings(["-n", "c"], environment).namespaces == ("c",)


def test_the_whole_cluster_is_served_only_when_asked_for():
    assert parse_settings(["--all-namespaces"], {}).cluster_wide
    assert parse_settings([], {"SARK_OPERATOR_ALL_NAMESPACES": "true"}).cluster_wide
    assert not parse_settings(["-n", "a"], {}).cluster_wide


def test_the_lease_lives_in_the_first_namespace_unless_told_otherwise():
    assert parse_settings(["-n", "a", "-n", "b"], {}).lease_namespace == "a"
    assert parse_settings(["-n", "a", "--lease-namespace=system"], {}).lease_namespace == "system"
    assert parse_settings(["-A"], {}).lease_namespace == "default"


def test_two_processes_never_have_one_identity():
    one, two = (parse_settings(["-A"], {}).identity for _ in range(2))
    assert one != two


def test_every_address_a_server_can_listen_on_is_understood():
    def address(text: str) -> Address:
        return parse_settings(["-A", f"--probe-address={text}"], {}).probe_address

    assert address("127.0.0.1:8080") == Address("127.0.0.1", 8080)
    assert address(":8080") == Address("0.0.0.0", 8080)
    assert address("[::1]:8080") == Address("::1", 8080)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--namespace NAME (may be repeated) or --all-namespaces"),
        (["-A", "-n", "a"], "not both"),
        (["-n", "Not_A_Name"], "--namespace 'Not_A_Name' is not a name"),
        (["-n", "a\n"], "is not a name"),
        (["-A", "--probe-address=8080"], "write HOST:PORT"),
        (["-A", "--probe-address=127.0.0.1:99999"], "write HOST:PORT"),
        (["-A", "--probe-address=127.0.0.1:²"], "write HOST:PORT"),
        (["-A", "--alert-address=127.0.0.1:9"], "together, or neither"),
        (["-A", "--alert-token-file=/token"], "together, or neither"),
        (["-A", "--alert-address=9", "--alert-token-file=/token"], "--alert-address '9' is not an address"),
        (["-A", "--lease-seconds=5"], "whole seconds from 6 to 300"),
        (["-A", "--lease-seconds=1e3"], "whole seconds from 6 to 300"),
        (["-A", "--lease-seconds=²"], "whole seconds from 6 to 300"),
        (["-A", "--lease-name=UPPER"], "--lease-name 'UPPER' is not a name"),
        (["-A", "--log-format=xml"], "invalid choice"),
    ],
)
def test_bad_arguments_end_with_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str):
    with pytest.raises(SystemExit) as ended:
        parse_settings(arguments, {})
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


PAGE = ["--namespace=shop", "--page-address=:8082"]


def test_the_page_is_off_unless_it_is_asked_for():
    assert parse_settings(["--namespace=shop"], {}).page is None


def test_the_page_takes_a_token_a_proxy_or_both():
    page = parse_settings([*PAGE, "--page-token-file=/run/token"], {}).page
    assert page is not None
    assert (page.address.port, str(page.token_file), page.user_header, page.proxies) == (8082, "/run/token", "", ())
    page = parse_settings(
        PAGE, {"SARK_OPERATOR_PAGE_USER_HEADER": "X-User", "SARK_OPERATOR_PAGE_PROXY": "10.0.0.0/8, fd00::/8"}
    ).page
    assert page is not None
    assert [str(each) for each in page.proxies] == ["10.0.0.0/8", "fd00::/8"]


def test_a_proxy_that_lets_nobody_in_by_itself_may_be_named_too():
    page = parse_settings([*PAGE, "--page-token-file=t", "--page-proxy=10.0.0.0/8"], {}).page
    assert page is not None
    assert (page.user_header, [str(each) for each in page.proxies]) == ("", ["10.0.0.0/8"])


def test_an_address_with_a_length_is_the_network_it_is_in():
    page = parse_settings([*PAGE, "--page-user-header=X-User", "--page-proxy=10.1.2.3/16", "--page-proxy=fd00::1/64"], {}).page
    assert page is not None
    assert [str(each) for each in page.proxies] == ["10.1.0.0/16", "fd00::/64"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (PAGE, "the page is shown to nobody unknown"),
        ([*PAGE, "--page-user-header=X-User"], "give --page-proxy with --page-user-header"),
        ([*PAGE, "--page-user-header=X User", "--page-proxy=10.0.0.0/8"], "is not a header's name"),
        ([*PAGE, "--page-user-header=X-User", "--page-proxy=10.0.0.1/33"], "is not a network"),
        (["--namespace=shop", "--page-token-file=t"], "mean nothing without --page-address"),
        (["--namespace=shop", "--page-address=8082", "--page-token-file=t"], "is not an address"),
    ],
)
def test_a_page_without_a_way_in_is_refused_with_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        parse_settings(arguments, {})
    assert sentence in capsys.readouterr().err
