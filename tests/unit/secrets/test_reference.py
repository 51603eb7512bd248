"""References: how they are written, and what is refused."""

from __future__ import annotations

import re

import pytest

from holdfast.errors import ConfigError
from holdfast.secrets.reference import PATTERN, Reference, is_reference, parse

WRITTEN = {
    "env:BINANCE_API_KEY": Reference("env", "BINANCE_API_KEY"),
    "file:/run/secrets/api#key@2": Reference("file", "/run/secrets/api#key@2"),
    "aws-sm:prod/trading/binance/api_key": Reference("aws-sm", "prod/trading/binance/api_key"),
    "aws-sm:prod/trading/binance#api_key": Reference("aws-sm", "prod/trading/binance", "api_key"),
    "aws-sm:prod/binance#api_key@AWSPREVIOUS": Reference(
        "aws-sm", "prod/binance", "api_key", "AWSPREVIOUS"
    ),
    "aws-sm:ana%40example@v1": Reference("aws-sm", "ana@example", "", "v1"),
    "gcp-sm:holdfast/jwt-secret@7": Reference("gcp-sm", "holdfast/jwt-secret", "", "7"),
    "azure-kv:holdfast/jwt-secret": Reference("azure-kv", "holdfast/jwt-secret"),
    "vault:secret/prod/trading/binance#api_key@3": Reference(
        "vault", "secret/prod/trading/binance", "api_key", "3"
    ),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_reference_is_read_as_documented(text: str) -> None:
    assert parse(text) == WRITTEN[text]
    assert re.search(PATTERN, text)
    assert is_reference(text)


@pytest.mark.parametrize(
    "text", ["", "value", "vault:", "aws-sm:", "aws-sm:#key", "aws-sm:@2", "s3:bucket", "env"]
)
def test_what_is_no_reference_is_refused_by_shape_and_by_reading(text: str) -> None:
    assert not re.search(PATTERN, text)
    with pytest.raises(ConfigError):
        parse(text)


@pytest.mark.parametrize("url", ["postgresql://u@h/n", "sqlite:///a", "redis://h:6379/0"])
def test_an_address_is_no_reference(url: str) -> None:
    assert not is_reference(url)


def test_the_environment_s_name_is_put_in() -> None:
    text = "aws-sm:{environment}/trading/binance#api_key"
    assert parse(text, "staging").name == "staging/trading/binance"
    with pytest.raises(ConfigError, match="ENVIRONMENT"):
        parse(text)
