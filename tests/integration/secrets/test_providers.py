"""What every keeper of secrets promises, against all of them; and what only some can do."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.errors import ConfigError, RetryableError
from holdfast.secrets import (
    Reference,
    SecretSource,
    forget,
    get_secret,
    invalidate,
    parse,
)
from holdfast.secrets.port import Stage
from holdfast.secrets.value import Version
from tests.support.canary import Canary, escaped
from tests.support.secret_keepers import KEEPERS, AwsKeeper, VaultSite, keeper_of

NAME = "prod-trading-binance-api-key"
OLD, NEW = "the-older-value-4711", "the-newer-value-0815"
REMOTE = KEEPERS[2:]


@pytest.fixture(params=KEEPERS)
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with keeper_of(request.param, tmp_path) as one:
        yield one


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[VaultSite]:
    with keeper_of("vault", tmp_path) as one:
        one.write(NAME, OLD)
        yield one


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsKeeper]:
    with keeper_of("aws-sm", tmp_path) as one:
        yield one


def read(keeper: Any, stage: Stage = Stage.CURRENT, suffix: str = "") -> Version:
    found: Version = keeper.provider.fetch(parse(keeper.refer(NAME) + suffix), stage)
    return found


def test_the_current_version_and_the_one_before_are_told_apart(keeper: Any) -> None:
    keeper.write(NAME, OLD)
    keeper.write(NAME, NEW)
    current, before = read(keeper), read(keeper, Stage.PREVIOUS)
    assert NEW in current.secret.reveal()
    assert OLD in before.secret.reveal()
    assert current.version != before.version or not current.version
    assert current.created_s is None or 1.7e9 < current.created_s < time.time() + 60


def test_without_a_version_before_that_is_said(keeper: Any) -> None:
    keeper.write(NAME, OLD)
    with pytest.raises(ConfigError, match=r"expected: a (secret|readable)"):
        read(keeper, Stage.PREVIOUS)


def test_what_is_not_there_is_named(keeper: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        read(keeper)
    assert keeper.refer(NAME) in str(caught.value)


@pytest.mark.parametrize("kind", REMOTE)
def test_a_version_can_be_named(kind: str, tmp_path: Path) -> None:
    with keeper_of(kind, tmp_path) as keeper:
        keeper.write(NAME, OLD)
        first = read(keeper)
        keeper.write(NAME, NEW)
        for stage in Stage:
            assert read(keeper, stage, f"#value@{first.version}") == first


@pytest.mark.parametrize("kind", ["gcp-sm", "azure-kv", "vault"])
def test_who_may_not_read_is_told_what_to_allow(kind: str, tmp_path: Path) -> None:
    with keeper_of(kind, tmp_path) as keeper:
        keeper.write(NAME, OLD)
        read(keeper)
        keeper.deny()
        with pytest.raises(ConfigError, match="refuses"):
            read(keeper)


@pytest.mark.parametrize("kind", REMOTE)
def test_who_does_not_answer_can_be_asked_again(kind: str, tmp_path: Path) -> None:
    with keeper_of(kind, tmp_path) as keeper:
        keeper.write(NAME, OLD)
        keeper.vanish()
        began_s = time.monotonic()
        with pytest.raises(RetryableError) as caught:
            read(keeper)
        assert time.monotonic() - began_s < 15
        assert OLD not in "".join(traceback.format_exception(caught.value))


# -- AWS -------------------------------------------------------------------------------------------


def test_aws_without_a_region_or_credentials_says_so(
    aws: AwsKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="AWS_REGION"):
        aws.by_default().fetch(parse(f"aws-sm:{NAME}"), Stage.CURRENT)


def test_an_arn_says_the_region(aws: AwsKeeper) -> None:
    arn = aws.client().create_secret(Name="prod/trading/jwt", SecretString=OLD)["ARN"]
    found = aws.by_default().fetch(parse(f"aws-sm:{arn}"), Stage.CURRENT)
    assert found.secret.reveal() == OLD


def test_a_secret_by_its_name_and_region_is_remembered_like_all(
    aws: AwsKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    forget()
    aws.write("prod/trading/binance/api_key", OLD)
    assert get_secret("prod/trading/binance/api_key", "eu-central-1") == OLD
    aws.write("prod/trading/binance/api_key", NEW)
    assert get_secret("prod/trading/binance/api_key", "eu-central-1") == OLD
    invalidate()
    assert get_secret("prod/trading/binance/api_key", "eu-central-1") == NEW
    forget()


def test_a_binary_secret_is_refused(aws: AwsKeeper) -> None:
    aws.client().create_secret(Name=NAME, SecretBinary=b"\xff\x00")
    with pytest.raises(ConfigError, match="binary"):
        read(aws)


# -- Vault -----------------------------------------------------------------------------------------


def test_a_sealed_vault_can_be_asked_again(vault: VaultSite) -> None:
    vault.sealed = True
    with pytest.raises(RetryableError, match="sealed"):
        read(vault)
    vault.sealed = False
    assert OLD in read(vault).secret.reveal()


def by_role(vault: VaultSite) -> None:
    del vault.environ["VAULT_TOKEN"]
    vault.environ |= {"VAULT_ROLE_ID": "holdfast", "VAULT_SECRET_ID": "the-role-secret"}


def test_a_role_s_token_is_renewed_before_it_runs_out(vault: VaultSite) -> None:
    by_role(vault)
    read(vault)
    vault.now_s += vault.lease_s / 2
    read(vault)
    assert (vault.logins, vault.renewals) == (1, 0)
    vault.now_s += vault.lease_s / 4
    read(vault)
    assert (vault.logins, vault.renewals) == (1, 1)


def test_a_token_that_ran_out_is_replaced_by_signing_in_again(vault: VaultSite) -> None:
    by_role(vault)
    read(vault)
    vault.tokens.clear()
    assert OLD in read(vault).secret.reveal()
    assert vault.logins == 2


def test_a_wrong_role_is_told_without_its_secret(vault: VaultSite) -> None:
    by_role(vault)
    vault.environ["VAULT_SECRET_ID"] = "a-secret-that-is-wrong"
    with pytest.raises(ConfigError) as caught:
        read(vault)
    assert "a-secret-that-is-wrong" not in "".join(traceback.format_exception(caught.value))


def test_the_token_may_be_in_a_file(vault: VaultSite, tmp_path: Path) -> None:
    del vault.environ["VAULT_TOKEN"]
    (tmp_path / "token").write_text("root-token\n")
    vault.environ["VAULT_TOKEN_FILE"] = str(tmp_path / "token")
    assert OLD in read(vault).secret.reveal()


def test_an_address_beyond_this_machine_has_to_be_encrypted(vault: VaultSite) -> None:
    vault.environ["VAULT_ADDR"] = "http://vault.example:8200"
    with pytest.raises(ConfigError, match="https"):
        read(vault)


# -- nothing gets out ------------------------------------------------------------------------------


def told_of(error: Exception) -> str:
    """All that a reporter of errors might send: text, causes, and variables of every frame."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return f"{error!r} {''.join(told.format())}"


@pytest.mark.parametrize("kind", KEEPERS)
def test_no_error_log_dump_or_report_has_a_secret(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    canary, other = Canary(f"of {kind}"), Canary("its neighbour")
    caplog.set_level("DEBUG")
    outputs: dict[str, str] = {}
    with keeper_of(kind, tmp_path) as keeper:
        source = SecretSource({kind: keeper.provider})
        keeper.write(NAME, msgspec.json.encode({"a": str(canary), "b": str(other)}).decode())
        caplog.clear()  # of who wrote it
        reference = parse(keeper.refer(NAME))
        if kind in {"env", "file", "vault"}:  # whole texts, in Vault the member `value`
            found = source.get(reference)
        else:
            found = source.get(Reference(kind, reference.name, "a"))
            assert found.secret.reveal() == canary.value
            with pytest.raises(ConfigError) as caught:
                source.get(Reference(kind, reference.name, "c"))
            outputs["a missing member"] = told_of(caught.value)
        outputs["the value"] = f"{found} {found!r} {vars(source)} {keeper.provider!r}"
        for harm in [getattr(keeper, name) for name in ("deny", "vanish") if hasattr(keeper, name)]:
            source.invalidate()
            harm()
            if kind not in {"env", "file"} and not (kind == "aws-sm" and harm.__name__ == "deny"):
                with pytest.raises((ConfigError, RetryableError)) as failed:
                    source.get(reference)
                outputs[harm.__name__] = told_of(failed.value)
    outputs["the log"] = caplog.text
    assert escaped(outputs, canary, other, Canary("token", "root-token")) == []
