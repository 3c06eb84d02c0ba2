"""Configuration: what is accepted, what is refused and in which words."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest
import yaml

from sark_sidecar.configuration import ConfigurationError, describe, load_settings, setting_keys, variable_name
from sark_sidecar.settings import CacheBackend, FlagMode, Settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SARK_SIDECAR_")]:
        monkeypatch.delenv(name)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sidecar.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load(tmp_path: Path, text: str) -> Settings:
    return load_settings(written(tmp_path, text))


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    return str(caught.value)


POLICIES = "policies: {directory: /policies}\n"


def test_the_reports_keys_and_their_defaults(tmp_path: Path):
    settings = load(tmp_path, POLICIES)
    assert (settings.opa.url, settings.opa.timeout) == ("http://localhost:8181", 10.0)
    assert (settings.cache.backend, settings.cache.max_size, settings.cache.ttl) == (CacheBackend.REDIS, 10_000, 300.0)
    flags = settings.feature_flags
    assert (flags.rust_opa_enabled, flags.rust_cache_enabled, flags.rollout_percentage) == (False, False, 0)
    assert (settings.data.host, settings.data.port, settings.admin.port) == ("127.0.0.1", 8180, 8182)
    assert settings.flags.mode is FlagMode.STATIC
    assert not settings.fault_injection.enabled


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SARK_SIDECAR_OPA__TIMEOUT", "250ms")
    monkeypatch.setenv("SARK_SIDECAR_DATA__SUBJECT_FALLBACKS", '["/who"]')
    settings = load(tmp_path, POLICIES + "opa: {timeout: 3s, url: http://opa:8181/}")
    assert (settings.opa.timeout, settings.opa.url) == (0.25, "http://opa:8181")
    assert settings.data.subject_fallbacks == ("/who",)


@pytest.mark.parametrize("mode", ["0600", '"0600"', '"600"'])
def test_a_file_mode_is_written_as_for_chmod(tmp_path: Path, mode: str):
    settings = load(tmp_path, POLICIES + f"data: {{host: null, unix_path: /run/sark/data.sock, unix_mode: {mode}}}")
    assert settings.data.unix_mode == 0o600
    assert settings.data.listeners() == "data.unix_path /run/sark/data.sock"


def test_the_file_can_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SARK_SIDECAR_CONFIG", str(written(tmp_path, POLICIES + "cache: {ttl: 1m30s}")))
    assert load_settings(None).cache.ttl == 90.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("opa: {urll: x}", "opa.urll is not a setting; did you mean opa.url?"),
        ("polices: {}", "polices is not a setting; did you mean policies?"),
        ("cache: {ttl: 10m}", "cache: ttl 600s is above max_ttl 300s"),
        ("cache: {ttl: 300}", "cache.ttl: 300 has no unit; write a number with its unit, as in 250ms, 10s, 5m or 1h30m"),
        ("cache: {ttl: soon}", "cache.ttl: 'soon' is not a duration"),
        ("cache: {backend: memcached}", "cache.backend: Input should be 'redis' or 'rust'"),
        ("opa: {url: localhost:8181}", "opa.url: it must be an address such as http://localhost:8181"),
        ("opa: {url: 'http://a:b@opa'}", "opa.url: it must not contain a user name or password"),
        ("flags: {mode: watch, namespace: a}", "flags: mode watch needs config_map"),
        ("flags: {mode: watch, config_map: a}", "flags: mode watch outside a pod needs namespace"),
        ("flags: {mode: file}", "flags: mode file needs file"),
        ("fault_injection: {enabled: true}", "fault_injection: enabled needs file"),
        (
            "feature_flags: {rollout_percentage: 101}",
            "feature_flags.rollout_percentage: Input should be less than or equal to 100",
        ),
        ("data: {host: null}", "data: without host it needs unix_path"),
        ("data: {unix_path: data.sock}", "data.unix_path: 'data.sock' must be an absolute path"),
        (
            "data: {unix_path: /a, unix_mode: rw}",
            "data.unix_mode: 'rw' is not a file mode; write it in octal digits, as in 0660",
        ),
        ("data: {unix_path: /a, unix_mode: 660}", "data.unix_mode: 01224 is not a file mode"),
        ("data: {subject_pointer: user.id}", "data.subject_pointer: 'user.id' is not a JSON pointer; it starts with a slash"),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_one_sentence(tmp_path: Path, text: str, sentence: str):
    assert sentence in refusal(tmp_path, POLICIES + text)
    assert "\n" not in refusal(tmp_path, POLICIES + text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a", "must hold sections"),
        ("a: [", "is not YAML"),
        ("opa: {}\nopa: {}", "the key 'opa' appears twice"),
        ("a: &x [1]\nb: *x", "aliases (*name) are not accepted"),
        ("#" * 300_000, "at most 262144 are read"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, sentence: str):
    assert sentence in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("cache", "said"),
    [
        ("redis_url: redis://:S3CRET: x@redis:6379/0", "mapping values are not allowed here, line 3, column 29"),
        ('redis_url: "redis://:S3CRET"x@redis:6379/0"', "line 3, column 31"),
        ("redis_url: redis://:S3CRET@redis:6379/0\n   ttl: 10s", "mapping values are not allowed here, line 4, column 7"),
        ('redis_url: "redis://:S3CRET\\q@redis:6379/0"', "found unknown escape character ..., line 3, column 31"),
        ("redis_url: *S3CRET", "aliases (*name) are not accepted, line 3"),
        ("redis_url: !S3CRET", "could not determine a constructor for the tag ..., line 3, column 14"),
        ("ttl: !!int S3CRET", "a value in it cannot be read"),
        ("{redis_url redis://:S3CRET@redis:6379/0}", "cache has a key that is no name"),
        ("{S3CRET@redis, S3CRET@redis}", "the key that is no name appears twice, line 3"),
    ],
    ids=["colon", "behind a quote", "next line", "backslash", "alias", "tag", "type", "no colon", "twice"],
)
def test_what_is_wrong_with_a_file_is_said_without_what_it_holds(tmp_path: Path, cache: str, said: str):
    file = written(tmp_path, f"{POLICIES}cache:\n  {cache}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file)
    assert said in str(caught.value)

    # Nor does the stack, which an application shows
    assert "S3CRET" not in "".join(traceback.format_exception(caught.value))


def test_a_variable_that_is_refused_is_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SARK_SIDECAR_POLICIES__DIRECTORY", "/policies")
    monkeypatch.setenv("SARK_SIDECAR_CACHE__REDIS_URL", "S3CRET-no-url")
    with pytest.raises(ConfigurationError, match="redis_url must be an address") as caught:
        load_settings(None)
    assert "S3CRET" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_file_is_refused_by_name(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"configuration file .*absent.yaml: No such file"):
        load_settings(tmp_path / "absent.yaml")


def test_the_policies_must_be_named(tmp_path: Path):
    assert refusal(tmp_path, "") == (
        "policies.directory, policies.bundle.file or policies.bundle.url is missing; "
        "set one in the file or in the environment, as SARK_SIDECAR_POLICIES__DIRECTORY"
    )


@pytest.mark.parametrize(
    ("policies", "sentence"),
    [
        ("{}", "policies: set exactly one of directory, bundle.file and bundle.url; none is set"),
        ("{directory: /p, bundle: {file: /b}}", "bundle.url; set are directory and bundle.file"),
        ("{bundle: {file: /b, url: 'https://b/b.tar.gz'}}", "bundle.url; set are bundle.file and bundle.url"),
        ("{bundle: {url: 'https://u:hunter2@b/b.tar.gz'}}", "bundle.url: it must not contain a user name or password"),
        ("{bundle: {url: 'https://b/b?sig=hunter2'}}", "bundle.url: it must be an address such as https://"),
        ("{bundle: {file: /b, token_file: /t}}", "policies.bundle: token_file needs url"),
        ("{bundle: {url: 'https://b/b', min_delay: 5m}}", "min_delay 300s is above max_delay 120s; set both"),
        ("{directory: /p, bundle: {signing: {keys: {a: {key_file: /k}}}}}", "signing needs file or url"),
        ("{bundle: {file: /b, signing: {key_id: a}}}", "key_id 'a' is not among keys"),
        ("{bundle: {file: /b, signing: {scope: read}}}", "scope and exclude_files need keys"),
        ("{bundle: {file: /b, signing: {keys: {a: {key_file: /k, algorithm: none}}}}}", "'RS256'"),
        ("{bundle: {file: /b, signing: {keys: {a: {key_file: /k}}, exclude_files: ['[']}}}", "'[' is not a pattern"),
    ],
)
def test_the_policies_have_one_source_and_it_is_complete(tmp_path: Path, policies: str, sentence: str):
    said = refusal(tmp_path, f"policies: {policies}")
    assert sentence in said
    assert "hunter2" not in said


def test_a_bundle_is_set_in_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SARK_SIDECAR_POLICIES__BUNDLE__URL", "https://bundles/authz.tar.gz")
    monkeypatch.setenv("SARK_SIDECAR_POLICIES__BUNDLE__SIGNING__KEYS", '{"a": {"key_file": "/k", "algorithm": "ES256"}}')
    settings = load(tmp_path, "")
    assert settings.policies.source == "policies.bundle.url"
    assert settings.policies.bundle.signing.keys["a"].algorithm == "ES256"


def test_an_unknown_variable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SARK_SIDECAR_OPA__TIMEOT", "1s")
    assert refusal(tmp_path, POLICIES) == (
        "environment variable SARK_SIDECAR_OPA__TIMEOT is not a setting; did you mean SARK_SIDECAR_OPA__TIMEOUT?"
    )


def test_a_wrong_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SARK_SIDECAR_DATA__PORT", "http")
    assert refusal(tmp_path, POLICIES).startswith("data.port (from SARK_SIDECAR_DATA__PORT): ")


def test_no_password_appears_in_what_is_printed_or_refused(tmp_path: Path):
    shown = describe(load(tmp_path, POLICIES + "cache: {redis_url: 'redis://:hunter2@redis:6379/0'}"))
    assert "hunter2" not in shown
    assert "hunter2" not in refusal(tmp_path, POLICIES + "cache: {redis_url: 'http://:hunter2@redis'}")


def test_every_setting_has_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Given what is printed as being in force
    shown = yaml.safe_load(describe(load(tmp_path, POLICIES)))
    leaves = {f"{section}.{key}" for section, members in shown.items() for key in members}
    # Then each of its keys is one that the refusal of unknown variables knows
    assert leaves <= set(setting_keys())
    assert variable_name("opa.max_connections") == "SARK_SIDECAR_OPA__MAX_CONNECTIONS"


def test_classes_of_decisions_have_lifetimes_and_aliases(tmp_path: Path):
    text = POLICIES + "cache: {classes: {high: 30s, others: {Tier-9: 5s}, aliases: {Payroll: critical, hr: tier-9}}}"
    table = load(tmp_path, text).cache.classes.table()
    assert table == {"low": 300, "medium": 180, "high": 30, "critical": 0, "tier-9": 5, "payroll": 0, "hr": 5}
    assert load(tmp_path, POLICIES).cache.lifetimes() != load(tmp_path, text).cache.lifetimes()


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ("{aliases: {a: tier-1}}", "aliases.a: there is no class tier-1; it must be one of critical, high, low, medium"),
        ("{aliases: {low: high}}", "aliases.low: low is a class itself"),
        ("{input: [sensitivity]}", "it starts with a slash"),
        ("{critical: 60}", "write a number with its unit"),
    ],
)
def test_a_table_of_classes_that_cannot_be_is_refused(tmp_path: Path, classes: str, sentence: str):
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, POLICIES + f"cache: {{classes: {classes}}}")
    assert sentence in str(caught.value)
