"""Who is told: every severity by amtool, what silences what by a real Alertmanager.

Not here: what fires (test_alert_cases).
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Container
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import aiohttp
import msgspec
import pytest
import yaml

import scripts.observability as written
from holdfast.errors import ConfigError
from holdfast.operations.alerts import alertmanager, artefacts
from holdfast.operations.alerts.settings import Channels, Webhook
from tests.artefacts.test_alert_rules import ALERTING, ALERTS
from tests.support.alerting import alertmanager_running
from tests.support.operations_tools import operations_tool
from tests.support.waiting import PATIENCE_S

FILE: Final = written.TARGET / "alertmanager" / "alertmanager.yml"
CONFIG: Final[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SEVERITY: Final = {alert.name: str(alert.severity) for alert in ALERTS if not alert.labels}

ROUTES: Final = {
    "severity=P0": "pagerduty-critical,slack-critical",
    "severity=P1": "pagerduty-high,pagerduty-low",
    "severity=P2": "slack-warnings",
    "severity=P3": "log",
    "alertname=Watchdog severity=P3": "log",
    "alertname=SomebodysOwn": "default",
}


def amtool(*words: str) -> str:
    """What it says; it must agree."""
    command = [str(operations_tool("amtool")), *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_alertmanager_takes_the_configuration_with_its_templates() -> None:
    said = amtool("check-config", str(FILE))
    assert "1 templates" in said
    assert f"{len(artefacts.INHIBITIONS)} inhibit rules" in said


@pytest.mark.parametrize(("labels", "receivers"), ROUTES.items())
def test_every_severity_ends_where_it_should(labels: str, receivers: str) -> None:
    file = f"--config.file={FILE}"
    amtool("config", "routes", "test", file, f"--verify.receivers={receivers}", *labels.split())


def test_every_receiver_of_a_severity_tells_somebody_but_the_log() -> None:
    silent = [one["name"] for one in CONFIG["receivers"] if len(one) == 1]
    assert silent == ["heartbeat", "log"]


def test_a_heartbeat_is_sent_every_minute_where_there_is_somebody_to_hear_it() -> None:
    url = "https://heartbeat.example.com/holdfast"
    channels = msgspec.structs.replace(ALERTING.channels, heartbeat=Webhook(url=url))
    document = alertmanager.document(channels, artefacts.INHIBITIONS)
    first = document["route"]["routes"][0]
    assert first["matchers"] == ['alertname="Watchdog"']
    assert (first["receiver"], first["repeat_interval"]) == ("heartbeat", "1m")
    (heard,) = [one for one in document["receivers"] if one["name"] == "heartbeat"]
    assert heard["webhook_configs"] == [{"url": url, "send_resolved": False}]


def test_p1_is_never_muted_only_quieter_at_night() -> None:
    """One route speaks in the hours in which the other does not."""
    high, low = (
        route for route in CONFIG["route"]["routes"] if route["matchers"] == ['severity="P1"']
    )
    (name,) = high["active_time_intervals"]
    assert low["mute_time_intervals"] == [name]
    assert high["continue"]
    # One incident of PagerDuty's, whose urgency changes: its key comes from the matchers.
    assert high["matchers"] == low["matchers"]
    ((interval,),) = [one["time_intervals"] for one in CONFIG["time_intervals"]]
    assert interval["weekdays"] == ["monday:friday"]
    (hours,) = interval["times"]
    assert (hours["start_time"], hours["end_time"]) == ("09:00", "17:00")
    assert ZoneInfo(interval["location"]).key == "America/New_York"


def test_its_container_knows_the_time_zone_of_the_business_hours() -> None:
    stack = written.REPOSITORY / "deploy" / "compose" / "observability.yml"
    service = yaml.safe_load(stack.read_text(encoding="utf-8"))["services"]["alertmanager"]
    place = service["environment"]["ZONEINFO"]
    assert f"/usr/share/zoneinfo:{place}:ro" in service["volumes"]


def test_groups_and_repetitions_are_as_agreed() -> None:
    tree = CONFIG["route"]
    assert tree["group_by"] == ["alertname", "symbol"]
    assert (tree["group_wait"], tree["group_interval"], tree["repeat_interval"]) == (
        "10s", "5m", "4h",
    )  # fmt: skip
    routes = {route["matchers"][0]: route for route in tree["routes"]}
    assert routes['severity="P1"']["group_wait"] == "1m"
    assert routes['severity="P0"']["group_interval"] == "30s"


def test_secrets_are_files_and_nothing_uses_what_is_gone() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert "service_key" not in text
    assert "opsgenie" not in text.lower()
    assert not re.search(r"\b(match|match_re|source_match|target_match):", text)
    assert not re.search(r"(routing_key|api_url|auth_password): ", text)
    assert "routing_key_file" in text


def test_without_anybody_to_page_nothing_is_written() -> None:
    hours = ALERTING.channels.business_hours
    with pytest.raises(ConfigError, match="wakes a person"):
        alertmanager.document(Channels(business_hours=hours), artefacts.INHIBITIONS)


@pytest.mark.parametrize("left_out", ["pagerduty", "slack", "webhook", "mail"])
def test_any_channel_may_be_missing(left_out: str, tmp_path: Path) -> None:
    channels = msgspec.structs.replace(ALERTING.channels, **{left_out: None})
    document = alertmanager.document(channels, artefacts.INHIBITIONS)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "holdfast.tmpl").write_text(
        (FILE.parent / "templates" / "holdfast.tmpl").read_text()
    )
    file = tmp_path / "alertmanager.yml"
    file.write_text(json.dumps(document))
    amtool("check-config", str(file))
    telling = {one["name"] for one in document["receivers"] if len(one) > 1}
    assert {"pagerduty-critical", "pagerduty-high", "pagerduty-low", "slack-warnings"} <= telling


def test_no_page_is_silenced_by_something_that_wakes_nobody() -> None:
    """A P0 may be silenced by a P0; by a P1 only where the loss of trading is told all the same."""
    for one in artefacts.INHIBITIONS:
        for source in one.sources:
            paged = [name for name in one.targets if SEVERITY.get(name) == "P0"]
            if SEVERITY[source] != "P0":
                assert paged in ([], ["TradingBotCantConnect"]), source
    silenced = {name for one in artefacts.INHIBITIONS for name in one.targets}
    silencing_no_leader = [
        (one.sources, one.equal) for one in artefacts.INHIBITIONS if "NoLeader" in one.targets
    ]
    assert silencing_no_leader == [
        (("TradingBotDown",), ()), (("ExchangeUnreachable",), ("account",))
    ]
    assert "TradingBotDown" not in silenced


def test_an_alertmanager_silences_what_follows_and_nothing_of_another_account(
    tmp_path: Path,
) -> None:
    asyncio.run(_inhibited(tmp_path))


async def _suppressed(
    session: aiohttp.ClientSession, url: str, alerts: Container[tuple[str, str | None]]
) -> dict[tuple[str, str | None], bool]:
    """Whether each of these is silenced, by name and account."""
    async with session.get(f"{url}/api/v2/alerts") as answer:
        told = {
            (one["labels"]["alertname"], one["labels"].get("account")): one["status"]["state"]
            for one in await answer.json()
        }
    return {key: state == "suppressed" for key, state in told.items() if key in alerts}


async def _inhibited(folder: Path) -> None:
    config = {
        "route": {"receiver": "log"},
        "receivers": [{"name": "log"}],
        "inhibit_rules": CONFIG["inhibit_rules"],
    }
    async with alertmanager_running(folder, config) as url, aiohttp.ClientSession() as session:
        for one in artefacts.INHIBITIONS:
            equal = dict.fromkeys(one.equal, "main")
            ends = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
            posted = [
                {"labels": {"alertname": name, **labels}, "endsAt": ends}
                for name, labels in [
                    (one.sources[0], equal),
                    *((name, equal) for name in one.targets),
                    *((name, dict.fromkeys(one.equal, f"of {name}")) for name in one.targets),
                ]
            ]
            async with session.post(f"{url}/api/v2/alerts", json=posted) as taken:
                assert taken.status == 200, await taken.text()
            account = equal.get("account")
            silenced = {(name, account): True for name in one.targets}
            wanted = silenced | {(one.sources[0], account): False}
            if account:
                wanted |= {(name, f"of {name}"): False for name in one.targets}
            deadline_s = time.monotonic() + PATIENCE_S
            # It hears of what begins and ends beside its answers.
            while (found := await _suppressed(session, url, wanted)) != wanted:
                assert time.monotonic() < deadline_s, (one.sources, found)
                await asyncio.sleep(0.05)
            past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
            over = [{**alert, "startsAt": past, "endsAt": past} for alert in posted]
            async with session.post(f"{url}/api/v2/alerts", json=over) as taken:
                assert taken.status == 200, await taken.text()
