"""The mail of a day: its figures, its page and charts, and every answer of a real mail server.

Not here: the tables of reports (tests/unit/app/reports).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.app.jobs.daily import AccountDay, Holding, account_day, send_daily_report
from holdfast.app.jobs.daily_page import as_html, as_text, subject_of
from holdfast.app.jobs.inputs import ReportJob
from holdfast.app.jobs.mail import Letter, send
from holdfast.app.reports.projector import fill
from holdfast.config.database import ReportPolicy
from holdfast.config.jobs import Mail
from holdfast.domain.fact import Marked
from holdfast.errors import ConfigError, RejectedError, RetryableError
from holdfast.journal.database import SqliteDatabase
from tests.support.job_work import Here
from tests.support.mailbox import PASSWORD, USER, mailbox
from tests.support.report_stream import ACCOUNT, BEGIN, DAY, ns, opening, spoil, stream, write

LETTER = Letter(subject="s", text="t", html="<p>h</p>", images={}, message_id="one")


def mail_to(port: int, **more: Any) -> Mail:
    return Mail(
        **{"host": "127.0.0.1", "port": port, "tls": "none", "sender": "desk@holdfast.example",
           "to": ("ada@x.example", "eve@x.example"), **more}
    )  # fmt: skip


class Reporting(Here):
    """`Work` with a journal and a mail server in its configuration."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder)
        self.config_file.write_text(
            f'database_url = "sqlite:///{folder}/journal.db"\n[jobs.mail]\nhost = "127.0.0.1"\n'
            f'port = {port}\ntls = "none"\nsender = "desk@holdfast.example"\n'
            'to = ["ada@x.example", "eve@x.example"]\n'
        )


def page_of(letter: EmailMessage) -> str:
    page = letter.get_body(("html",))
    assert page is not None
    return str(page.get_content())


def test_the_day_before_goes_out_with_figures_and_charts(tmp_path: Path) -> None:
    write(SqliteDatabase(tmp_path / "journal.db"), stream(4))
    day = BEGIN + 3 * DAY  # 30 hours after the first order, the first mark was made on it
    with mailbox() as box:
        work = Reporting(tmp_path, box.port)
        before = (day + DAY).isoformat()
        sent = send_daily_report(ReportJob(before=before), work)
    assert (sent.day, sent.accounts, sent.recipients) == ("2026-01-08", (ACCOUNT,), 2)
    (letter,) = box.letters
    assert box.recipients == ["ada@x.example", "eve@x.example"]
    assert letter["Message-ID"] == "<daily-report.2026-01-08.holdfast@holdfast.example>"
    assert "10,001.00" in page_of(letter)
    pictures = [part for part in letter.walk() if part.get_content_type() == "image/png"]
    assert [part["Content-ID"] for part in pictures] == ["<equity-0>"]
    assert 'src="cid:equity-0"' in page_of(letter)
    assert pictures[0].get_payload(decode=True)[:4] == b"\x89PNG"  # type: ignore[index]
    text = letter.get_body(("plain",))
    assert text is not None
    assert "Equity at the end" in text.get_content()


def test_figures_are_of_that_day_alone(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "journal.db")
    write(database, stream(4))
    reports = database.reports(ReportPolicy())
    reports.make(ns(BEGIN))
    fill(database, reports, ACCOUNT)
    midnight = (BEGIN + 4 * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    found = account_day(reports, ACCOUNT, ns(midnight))
    # The second order was armed at noon and half filled then; the first was filled the day before.
    assert (found.fills, found.orders) == (1, {"filled": 1, "rejected": 1})
    assert found.turnover == {"USDT": Decimal("0.005") * Decimal("50000.01")}
    assert found.fees == {"BNB": Decimal("0.00001")}
    assert found.opened == found.closed == Decimal("10001.000000000000000001")
    quiet = account_day(reports, ACCOUNT, ns(midnight - timedelta(days=365)))
    assert (quiet.opened, quiet.change, quiet.fills, quiet.equity) == (None, None, 0, [])
    reports.close()


def test_a_bot_that_was_away_for_days_made_that_day_what_it_made_since(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "journal.db")
    write(database, [opening(), *(
        (ns(at), (Marked(at_ns=ns(at), equity=Decimal(10_000), pnl=pnl, prices={}),))
        for at, pnl in (
            (BEGIN, {"one": Decimal(700)}),
            (BEGIN + 9 * DAY, {"one": Decimal(705), "two": Decimal(3)}),
            (BEGIN + 9 * DAY + timedelta(hours=1), {"one": Decimal(706), "two": Decimal(4)}),
        )
    )])  # fmt: skip
    reports = database.reports(ReportPolicy())
    reports.make(ns(BEGIN))
    fill(database, reports, ACCOUNT)
    midnight = (BEGIN + 9 * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    found = account_day(reports, ACCOUNT, ns(midnight))
    assert found.profit == {"one": Decimal(6), "two": Decimal(4)}
    reports.close()


def test_an_account_whose_journal_does_not_hold_is_told_so_and_the_others_as_ever(
    tmp_path: Path,
) -> None:
    database = SqliteDatabase(tmp_path / "journal.db")
    for account in (ACCOUNT, "second"):
        write(database, stream(4), account)
    spoil(database, 20)
    with mailbox() as box:
        before = (BEGIN + 4 * DAY).isoformat()
        sent = send_daily_report(ReportJob(before=before), Reporting(tmp_path, box.port))
    assert sent.accounts == (ACCOUNT, "second")
    (letter,) = box.letters
    faulty, _, held = page_of(letter).partition(">second</h2>")
    assert "Journal at fault" in faulty
    assert "Equity at the end" not in faulty
    assert "10,001.00" in held


def test_without_a_journal_nobody_gets_mail(tmp_path: Path) -> None:
    with mailbox() as box:
        work = Reporting(tmp_path, box.port)
        sent = send_daily_report(ReportJob(before="2026-01-08T00:10:00Z"), work)
    assert (sent.recipients, box.letters) == (0, [])


def day_of(**more: Any) -> AccountDay:
    known: dict[str, Any] = {
        "account": "main", "opened": Decimal(1000), "closed": Decimal(990),
        "drawdown_pct": Decimal(1), "fills": 0, "turnover": {}, "fees": {}, "orders": {},
        "profit": {}, "holdings": [], "equity": [],
    }  # fmt: skip
    return AccountDay(**{**known, **more})


def test_what_people_named_is_shown_and_never_run() -> None:
    evil = "<script>alert(1)</script>"
    day = day_of(
        account=evil, profit={evil: Decimal(1)},
        holdings=[Holding(evil, "BTC/USDT", Decimal("0.50"), Decimal(9))],
    )  # fmt: skip
    page = as_html(evil, "2026-01-08", [day])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5


def test_signs_units_and_missing_values_are_told() -> None:
    days = [day_of(fees={"BNB": Decimal("0.00001000")}), day_of(opened=None, closed=None)]
    text = as_text("2026-01-08", days)
    assert "-10.00 (-1.00 %)" in text
    assert "0.00001 BNB" in text
    assert "–" in text
    assert subject_of("holdfast", "2026-01-08", days) == "holdfast 2026-01-08: -10.00"
    assert subject_of("holdfast", "2026-01-08", days[1:]).endswith("nothing marked")


@pytest.mark.parametrize("before", ["yesterday", "2026-01-08T00:00:00", ""])
def test_a_moment_that_is_none_is_refused(tmp_path: Path, before: str) -> None:
    with pytest.raises(ConfigError, match="before"):
        send_daily_report(ReportJob(before=before), Reporting(tmp_path, 25))


def test_each_refusal_of_the_server_says_what_to_do_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with mailbox() as box:
        box.refuses = "451 come again"
        with pytest.raises(RetryableError, match="come again"):
            send(LETTER, mail_to(box.port))
        box.refuses = "554 not this"
        with pytest.raises(RejectedError, match="not this"):
            send(LETTER, mail_to(box.port))
        box.refuses = ""
        with pytest.raises(ConfigError, match="STARTTLS"):
            send(LETTER, mail_to(box.port, tls="starttls"))
        port = box.port
    with pytest.raises(RetryableError, match="does not answer"):
        send(LETTER, mail_to(port))
    with mailbox(asks_password=True) as box:
        for password, refused in (("wrong-password", True), (PASSWORD, False)):
            monkeypatch.setenv("MAIL_PASSWORD", password)
            mail = mail_to(box.port, user=USER, password="env:MAIL_PASSWORD")
            if refused:
                with pytest.raises(ConfigError) as told:
                    send(LETTER, mail)
                assert password not in str(told.value)
            else:
                send(LETTER, mail)
        assert len(box.letters) == 1
        monkeypatch.setenv("MAIL_PASSWORD", "not-yet-there-password")
        monkeypatch.setenv("MAIL_PASSWORD_PREVIOUS", PASSWORD)  # the server is late
        send(LETTER, mail_to(box.port, user=USER, password="env:MAIL_PASSWORD"))
        assert len(box.letters) == 2


def test_a_subject_cannot_carry_a_header() -> None:
    with mailbox() as box:
        evil = msgspec.structs.replace(LETTER, subject="a\r\nBcc: eve@x.example")
        send(evil, mail_to(box.port))
    (letter,) = box.letters
    assert letter["Bcc"] is None
    assert letter["Subject"] == "a Bcc: eve@x.example"


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"tls": "none", "host": "mail.example"}, "beyond this machine"),
        ({"user": "ada"}, "both or none"),
        ({"to": ()}, "length"),
        ({"to": ("ada",)}, "matching"),
        ({"sender": "a@b\r\nBcc: c@d"}, "matching"),
        ({"at": "24:00"}, "matching"),
    ],
)
def test_settings_of_mail_that_cannot_be_meant_are_refused(
    other: dict[str, Any], told: str
) -> None:
    plain = {"host": "localhost", "tls": "none", "sender": "a@b.example", "to": ["c@d.example"]}
    with pytest.raises(msgspec.ValidationError, match=told):
        msgspec.convert({**plain, **other}, Mail)
