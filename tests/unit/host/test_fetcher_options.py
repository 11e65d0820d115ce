"""The options of `canarium run` that configure the fetcher, as the chart writes them."""

from __future__ import annotations

import argparse

import pytest

from canarium import __main__ as program


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    program._add_run(parser)
    return parser.parse_args(words)


def test_options_reach_the_configuration() -> None:
    options = parsed(
        '--fetch-resources={"limits":{"memory":"2Gi"}}',
        '--fetch-security-context={"runAsUser":1000}',
        "--fetch-env=HTTPS_PROXY=http://proxy:3128",
        "--fetch-env=A=b=c",
        "--fetch-pull-secret=registry",
        "--fetch-ca=corporate-ca/bundle.pem",
    )
    config = program._config(options)
    assert config.fetch_resources == {"limits": {"memory": "2Gi"}}
    assert config.fetch_security_context == {"runAsUser": 1000}
    assert config.fetch_env == (("HTTPS_PROXY", "http://proxy:3128"), ("A", "b=c"))
    assert config.fetch_pull_secret == ("registry",)
    assert config.fetch_ca == ("corporate-ca", "bundle.pem")


def test_nothing_is_configured_by_default() -> None:
    config = program._config(parsed())
    assert (config.fetch_resources, config.fetch_ca) == (None, None)
    assert config.fetch_security_context is None
    assert (config.fetch_env, config.fetch_pull_secret) == ((), ())


def test_key_of_the_config_map_has_a_default() -> None:
    assert parsed("--fetch-ca=corporate-ca").fetch_ca == ("corporate-ca", "ca.crt")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--fetch-resources={", "is not valid JSON"),
        ('--fetch-resources={"limit":{}}', "requests, limits and claims"),
        ("--fetch-resources=[]", "requests, limits and claims"),
        ("--fetch-security-context={", "is not valid JSON"),
        ("--fetch-security-context=[]", "is not an object"),
        ('--fetch-security-context={"fsGroup":1}', "fsGroup is not a field of a container's"),
        ("--fetch-env=A", "NAME=VALUE"),
        ("--fetch-env=1A=b", "NAME=VALUE"),
        ("--fetch-env=CANARIUM_CREDENTIAL_token=x", "is reserved"),
        ("--fetch-ca=/ca.crt", "CONFIGMAP[/KEY]"),
        ("--fetch-ca=a/b/c", "CONFIGMAP[/KEY]"),
    ],
)
def test_wrong_option_is_refused(word: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=said.replace("[", "\\[")):
        parsed(word)
