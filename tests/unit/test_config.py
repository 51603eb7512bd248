"""The configuration: what file and environment make, and what each mistake is told."""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from urllib.parse import quote

import pytest

from holdfast.config import Config, ReconcilePolicy, load, resolve
from holdfast.config.environment import (
    environment_name,
    is_debug,
    with_aliases,
    without_effect,
)
from holdfast.config.identity import identity_settings
from holdfast.config.variables import VARIABLES, Effect, Variable, misnamed, sets
from holdfast.errors import ConfigError
from holdfast.secrets import Secret

WHOLE = """
deployment = "desk"
database_url = "sqlite:////var/lib/holdfast/journal.db"
log_level = "warn"

[account]
name = "spot"
api_key = "env:SPOT_KEY"
api_secret = "file:/run/secrets/spot"
reconcile = "adopt"

[account.venue]
rest_url = "http://127.0.0.1:9900"
stream_url = "ws://127.0.0.1:9900/stream"
ws_api_url = "ws://127.0.0.1:9900/ws-api/v3"

[account.limits]
max_position_notional = "5000"
max_daily_loss = 250.10
symbols = ["BTC/USDT", "ETH/USDT"]

[[bots]]
name = "cross"
strategy = "sma_cross"
symbols = ["BTC/USDT"]
timeframe = "5m"
[bots.params]
fast = 5
quantity = 0.001
[bots.limits]
max_order_notional = 100
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "holdfast.toml"


def refused(path: Path, text: str, environ: dict[str, str] | None = None) -> str:
    """What the error says when `text` is the file."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return str(caught.value)


def bot(extra: str = "", name: str = "a", symbols: str = '["BTC/USDT"]') -> str:
    return f'[[bots]]\nname = "{name}"\nstrategy = "grid"\nsymbols = {symbols}\n{extra}\n'


def test_a_whole_file_is_read_exactly(written: Path) -> None:
    written.write_text(WHOLE, encoding="utf-8")
    config = load(written, {})
    assert config.deployment == "desk"
    assert config.database_url == "sqlite:////var/lib/holdfast/journal.db"
    assert config.log_level == "warning"
    assert config.account.reconcile is ReconcilePolicy.ADOPT
    assert config.account.limits.max_daily_loss == Decimal("250.10")
    assert config.account.limits.max_drawdown_pct is None
    assert config.bots[0].params == {"fast": 5, "quantity": Decimal("0.001")}
    assert config.bots[0].limits.max_order_notional == Decimal(100)


def test_without_a_file_the_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Config()


def test_the_file_of_the_working_directory_is_found(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written.parent)
    written.write_text('deployment = "here"')
    assert load(None, {}).deployment == "here"


def test_the_environment_wins_over_the_file(written: Path) -> None:
    written.write_text('log_level = "error"\ndatabase_url = "sqlite:///a.db"')
    config = load(written, {"LOG_LEVEL": "DEBUG", "DATABASE_URL": "sqlite:///b.db"})
    assert (config.log_level, config.database_url) == ("debug", "sqlite:///b.db")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("deploymnt = 'x'", ["unknown field `deploymnt`"]),
        ("[account.limits]\nmax_oder_notional = 5", ["account.limits", "`max_oder_notional`"]),
        ("[account.limits]\nmax_open_orders = 'many'", ["max_open_orders is 'many'", "`int"]),
        ("[account.limits]\nmax_daily_loss = -1", ["account.limits", "is -1", "more than zero"]),
        ("[account.limits]\nmax_daily_loss = nan", ["is NaN", "more than zero"]),
        ("[account.limits]\nmax_drawdown_pct = 120", ["is 120", "at most 100"]),
        (
            "[account.limits]\nmax_order_notional = 9\nmax_position_notional = 8",
            ["`max_order_notional` is 9", "`max_position_notional`, 8"],
        ),
        ("[account]\nname = 'Main Account'", ["account.name is 'Main Account'"]),
        ("[account]\nreconcile = 'guess'", ["account.reconcile is 'guess'"]),
        ("[account]\napi_key='env:A'\napi_secret='env:A'", ["same reference"]),
        ("[account.venue]\nkind = 'kraken'", ["account.venue.kind is 'kraken'"]),
        ("[account.venue]\nrest_url = 'ftp://x'", ["'ftp://x'", "https://host"]),
        ("[account.venue]\nnodes = 0", ["account.venue.nodes", "0", ">= 1"]),
        ("[account.venue]\nrest_url = 'http://example.com'", ["unencrypted", "https://"]),
        ("[account.venue]\nrest_url = 'https://u:hunter2@x'", ["credentials"]),
        ("database_url = 'mysql://u:hunter2@h/d'", ["'mysql'", "sqlite:///path or postgresql://"]),
        ("database_url = 'postgresql:u:hunter2'", ["names no server", "postgresql://user@host"]),
        ("database_url = 'sqlite:///'", ["expected: sqlite:///path"]),
        ("log_level = 'loud'", ["'loud'", "debug or error"]),
        (bot() + bot(), ["bot names has 'a' more than once"]),
        (bot(symbols="[]"), ["bots[0].symbols is []"]),
        (bot(symbols='["BTCUSDT"]'), ["bots[0].symbols[0] is 'BTCUSDT'"]),
        (bot(symbols='["A/B", "A/B"]'), ["'A/B' more than once"]),
        (bot('timeframe = "soon"'), ["bots[0].timeframe is 'soon'"]),
        (bot('[bots.limits]\nsymbols = ["ETH/USDT"]'), ["'BTC/USDT' is outside limits.symbols"]),
        (
            '[account.limits]\nsymbols = ["ETH/USDT"]\n' + bot(),
            ["'BTC/USDT' is outside account.limits.symbols (a)"],
        ),
        ("[[signals]]\nname='a'", ["signal 'a' has no source", "exactly one of file, url and"]),
        ("[[signals]]\nname='a'\nfile='x'\nsecret='env:A'", ["signal 'a' has file and secret"]),
        ("[[signals]]\nname='a'\nsecret='hunter2'", ["signals[0].secret is ***"]),
        ("[[signals]]\nname='a'\nurl='http://example.com'", ["unencrypted"]),
        ("[[signals]]\nname='a'\nfile='x'\npointer='/a'", ["`pointer` and `token` are of a url"]),
        ("[[signals]]\nname='a'\nfile='x'\n" * 2, ["signal names has 'a' more than once"]),
        ("[webhooks]\nport = 70000", ["webhooks.port is 70000"]),
        ("a = \nb = 1", ["holdfast.toml", "line 1", "valid TOML"]),
    ],
)
def test_each_mistake_names_file_key_seen_and_expected(
    written: Path, text: str, parts: list[str]
) -> None:
    told = refused(written, text)
    for part in [str(written), *parts, "seen: ", "; expected: ", "; do: "]:
        assert part in told
    assert "hunter2" not in told


def test_a_key_pasted_into_the_file_is_refused_and_not_repeated(written: Path) -> None:
    pasted = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
    told = refused(written, f'[account]\napi_key = "{pasted}"')
    assert "account.api_key is ***" in told
    assert pasted not in told
    mail = '[jobs.mail]\nhost = "h"\nuser = "u"\nsender = "a@b.c"\nto = ["a@b.c"]\n'
    for told in (
        refused(written, f'{mail}password = "{pasted}"'),
        refused(written, f'[[signals]]\nname = "s"\nsecret = "{pasted}"'),
    ):
        assert " is ***" in told
        assert pasted not in told


def test_a_mistake_in_the_environment_names_the_variable(written: Path) -> None:
    assert "with LOG_LEVEL" in refused(written, "", {"LOG_LEVEL": "loud"})


@pytest.mark.parametrize("name", ["STRATEGY", "CAPITAL_ALLOCATION"])
def test_a_variable_that_is_not_acted_on_yet_is_not_passed_over(written: Path, name: str) -> None:
    told = refused(written, "", {name: "x"})
    assert f"seen: {name}" in told
    assert f"do: unset {name}" in told


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"DB_URL": "postgresql://a@h/n"}, "postgresql://a@h/n"),
        ({"DB_HOST": "db.example"}, "postgresql://holdfast@db.example/holdfast"),
        (
            {
                "DB_HOST": "10.0.0.5",
                "DB_PORT": "6432",
                "DB_NAME": "desk 1",
                "DB_USER": "ana",
                "DB_PASSWORD": "p@ss/w:rd",
            },
            "postgresql://ana:p%40ss%2Fw%3Ard@10.0.0.5:6432/desk%201",
        ),
        ({"DB_HOST": "::1"}, "postgresql://holdfast@[::1]/holdfast"),
        ({"DB_HOST": "/run/pg"}, "postgresql://holdfast@%2Frun%2Fpg/holdfast"),
    ],
)
def test_the_database_is_named_by_an_address_or_its_parts(
    environ: dict[str, str], url: str, tmp_path: Path
) -> None:
    (tmp_path / "holdfast.toml").write_text('database_url = "sqlite:///a.db"')
    assert load(tmp_path / "holdfast.toml", environ).database_url == url


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": "sqlite:///a.db", "DB_HOST": "h"},
        {"DATABASE_URL": "sqlite:///a.db", "DB_URL": "sqlite:///a.db"},
        {"DATABASE_URL": "sqlite:///a.db", "DB_PASSWORD": "hunter2"},
        {"DB_PASSWORD": "hunter2", "DB_NAME": "n"},
    ],
)
def test_two_addresses_of_a_database_or_parts_without_a_host_are_refused(
    environ: dict[str, str], written: Path
) -> None:
    told = refused(written, "", environ)
    assert all(name in told for name in environ)
    assert "hunter2" not in told


def test_more_connections_kept_than_allowed_is_refused(written: Path) -> None:
    assert "`min` is 10" in refused(written, "[database_pool]\nmax = 4")


def test_a_directory_instead_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


def test_a_secret_is_resolved_and_does_not_show_itself(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    by_file = resolve(f"file:{tmp_path}/key", {})
    by_env = resolve("env:KEY", {"KEY": "from-the-environment"})
    assert by_file.reveal() == "from-a-file"
    assert by_env.reveal() == "from-the-environment"
    assert f"{by_env} {by_env!r} {[by_env]}" == "Secret(***) Secret(***) [Secret(***)]"


@pytest.mark.parametrize("reference", ["env:ABSENT", "env:EMPTY", "file:absent", "file:.", "value"])
def test_a_reference_to_nothing_is_refused(
    reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="expected"):
        resolve(reference, {"EMPTY": "  "})


def test_a_value_in_place_of_a_reference_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgw", {})
    assert "vmPUZE" not in str(caught.value)


def test_a_variable_may_name_the_file_that_a_container_was_given(tmp_path: Path) -> None:
    for name, text in (("url", "postgresql://a:hunter2@h/n"), ("word", "hunter2"), ("k", "k" * 32)):
        (tmp_path / name).write_text(f"{text}\n")
    whole = load(environ={"DATABASE_URL_FILE": f"{tmp_path}/url"})
    assert whole.database_url == "postgresql://a:hunter2@h/n"
    parts = load(environ={"DB_HOST": "h", "DB_PASSWORD_FILE": f"{tmp_path}/word"}).database_url
    assert "hunter2" not in parts
    assert parts.endswith(f"?password_from=file%3A{quote(str(tmp_path / 'word'), safe='')}")
    assert sets("database_url", {"DB_HOST": "h", "DB_PASSWORD_FILE": "x"}) == (
        "DB_HOST", "DB_PASSWORD",
    )  # fmt: skip
    assert not list(misnamed({"BINANCE_API_SECRET_FILE": "x"}))
    signs = identity_settings({"JWT_SECRET_FILE": f"{tmp_path}/k"})
    assert signs.jwt_secret == Secret("k" * 32)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_an_address_of_postgresql_is_taken_as_it_is(scheme: str) -> None:
    url = f"{scheme}://user:secret@db.example:5432/journal?sslmode=verify-full"
    assert load(environ={"DATABASE_URL": url}).database_url == url


def test_the_environment_s_keys_are_the_default_references() -> None:
    account = Config().account
    environ = {"BINANCE_API_KEY": "k" * 64, "BINANCE_API_SECRET": "s" * 64}
    assert resolve(account.api_key, environ).reveal() == "k" * 64
    assert resolve(account.api_secret, environ).reveal() == "s" * 64


def test_ports_of_the_api_come_from_the_environment() -> None:
    found = load(environ={"PORT": "8081", "METRICS_PORT": "0"}).api
    assert (found.port, found.metrics_port) == (8081, 0)
    for text in ("-1", "65536", "http", "٣"):
        with pytest.raises(ConfigError, match="PORT"):
            load(environ={"PORT": text})


def test_what_other_deployments_set_counts_or_is_told() -> None:
    assert environment_name({"ENV": "staging", "ENVIRONMENT": "staging"}) == "staging"
    with pytest.raises(ConfigError, match="ENVIRONMENT and ENV"):
        environment_name({"ENV": "staging", "ENVIRONMENT": "production"})
    assert is_debug({"DEBUG": "true"})
    assert not is_debug({})
    with pytest.raises(ConfigError, match="DEBUG"):
        is_debug({"DEBUG": "verbose"})
    told = dict(without_effect({"DATADOG_API_KEY": "x", "VITE_API_URL": "y", "PATH": "z"}))
    assert set(told) == {"DATADOG_API_KEY", "VITE_API_URL"}
    assert with_aliases({"REACT_APP_GOOGLE_CLIENT_ID": "a"})["GOOGLE_CLIENT_ID"] == "a"


# The variables of the acceptance list's EV rows, and what becomes of each.
NAMED_VARIABLES = """
    DATABASE_URL REDIS_URL JWT_SECRET ENV PORT METRICS_PORT LOG_LEVEL SENTRY_DSN DATADOG_API_KEY
    ENVIRONMENT EXCHANGE_NAME NODE_ENV VITE_API_URL REACT_APP_API_URL REACT_APP_GOOGLE_CLIENT_ID
    GOOGLE_CLIENT_ID DEBUG DB_USER DB_PASSWORD DB_HOST DB_PORT DB_NAME DB_URL CAPITAL_ALLOCATION
    STRATEGY ENABLE_PROFILING BINANCE_API_KEY BINANCE_API_SECRET CLOUD_PROVIDER AWS_REGION
    ECR_REGISTRY ECR_REPOSITORY IMAGE_TAG DEPLOYMENT_STRATEGY REGISTRY IMAGE_NAME POSTGRES_DB
    POSTGRES_USER POSTGRES_PASSWORD POSTGRES_PASSWORD_FILE POSTGRES_HOST SCHEDULE
    BACKUP_KEEP_DAYS BACKUP_KEEP_WEEKS BACKUP_KEEP_MONTHS HEALTHCHECK_PORT
"""


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e5000", "1e12"])
@pytest.mark.parametrize(
    "setting",
    [
        "replica_lag_s", "database_pool.wait_s", "cluster.times.renew_s", "cluster.times.ttl_s",
        "cluster.times.poll_s", "cluster.times.call_s", "jobs.beat_s", "jobs.gone_s",
        "api.time_limit_s", "notify.doubt_s", "bots.join_timeout_s", "bots.decide_budget_ms",
        "signals.every_s",
    ],
)  # fmt: skip
def test_a_time_that_is_no_number_or_without_end_is_refused_wherever_it_stands(
    written: Path, setting: str, value: str
) -> None:
    table, _, name = setting.rpartition(".")
    rows = {
        "cluster.times": "renew_s = 1\nttl_s = 4\ncall_s = 1\npoll_s = 0.05\n",
        "bots": 'name = "a"\nstrategy = "grid"\nsymbols = ["BTC/USDT"]\n',
        "signals": 'name = "a"\nfile = "x"\n',
    }.get(table, "")
    kept = "".join(row for row in rows.splitlines(True) if not row.startswith(f"{name} "))
    heading = f"[[{table}]]" if table in {"bots", "signals"} else f"[{table}]" if table else ""
    assert "seen: " in refused(written, f"{heading}\n{kept}{name} = {value}\n")


def test_every_variable_of_the_acceptance_list_is_known_with_what_it_does() -> None:
    known = {one.name: one for one in VARIABLES}
    assert len(known) == len(VARIABLES)
    assert [name for name in NAMED_VARIABLES.split() if name not in known] == []
    assert all(one.what for one in VARIABLES)


@pytest.mark.parametrize("one", [v for v in VARIABLES if v.effect is Effect.SETS], ids=str)
def test_a_variable_that_sets_something_does(one: Variable) -> None:
    value = {
        "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "PORT": "1", "METRICS_PORT": "1",
        "DB_PORT": "1",
    }.get(
        one.name, "postgresql://other/x" if one.name.endswith("URL") else "other"
    )
    environ = {one.name: value}
    if one.name.startswith("DB_") and one.name not in {"DB_URL", "DB_HOST"}:
        environ["DB_HOST"] = "host"
    without = {name: text for name, text in environ.items() if name != one.name}
    setting = attrgetter(one.what)
    assert setting(load(environ=environ)) != setting(load(environ=without))


@pytest.mark.parametrize("one", [v for v in VARIABLES if v.effect is Effect.REFUSED], ids=str)
def test_a_variable_that_would_change_what_is_traded_is_refused(one: Variable) -> None:
    with pytest.raises(ConfigError, match=one.name):
        load(environ={one.name: "x"})
