"""`holdfast secret check`: what is there, what is missing, and never what it is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.secrets import forget
from tests.support.secret_keepers import VaultSite

CANARY = "canary-4711-value"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "BINANCE_API_KEY", "BINANCE_API_SECRET", "JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultSite]:
    site = VaultSite()
    for name, value in site.environ.items():
        monkeypatch.setenv(name, value)
    yield site
    site.vanish()
    forget()


def configured(api_key: str, api_secret: str) -> None:
    text = f'[account]\napi_key = "{api_key}"\napi_secret = "{api_secret}"\n'
    Path("holdfast.toml").write_text(text)


def test_each_reference_is_told_with_version_and_age(
    vault: VaultSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault.write("binance", CANARY)
    file = tmp_path / "secret"
    file.write_text(CANARY)
    file.chmod(0o600)
    old_s = time.time() - 91 * 86_400
    os.utime(file, (old_s, old_s))
    configured("vault:secret/binance", f"file:{file}")
    assert main(["secret", "check", "--json"]) == 0
    told = capsys.readouterr().out
    key, secret = json.loads(told)["secrets"]
    assert (key["setting"], key["version"], key["problem"]) == ("account.api_key", "1", "")
    assert (secret["is_old"], round(secret["age_days"])) == (True, 91)
    assert main(["secret", "check"]) == 0
    lines = capsys.readouterr().out
    assert "do: replace the key at the exchange" in lines
    assert CANARY not in told + lines


def test_passwords_that_addresses_refer_to_are_looked_at_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "secret"
    file.write_text(CANARY)
    file.chmod(0o600)
    monkeypatch.setenv("KEY", CANARY)
    configured("env:KEY", f"file:{file}")
    address = "redis+sentinel://holdfast@one:26379/name/0"
    asked = f"password_from=file:{file}&sentinel_password_from=file:{tmp_path}/absent"
    monkeypatch.setenv("REDIS_URL", f"{address}?{asked}")
    assert main(["secret", "check"]) == 2
    told = capsys.readouterr().out
    assert "api.redis_url (password_from)" in told
    assert "api.redis_url (sentinel_password_from)" in told
    assert told.count("fail") == 1


def test_a_reference_that_leads_nowhere_ends_with_2_and_a_silent_keeper_with_4(
    vault: VaultSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured("vault:secret/binance", f"file:{tmp_path}/absent")
    assert main(["secret", "check"]) == 2
    assert capsys.readouterr().out.count("fail") == 2
    vault.sealed = True
    assert main(["secret", "check", "vault:secret/binance"]) == 4
    assert "sealed" in capsys.readouterr().out


def test_a_secret_given_in_place_of_a_reference_is_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["secret", "check", CANARY]) == 2
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err
