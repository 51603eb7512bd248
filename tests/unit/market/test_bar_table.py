"""Candles as columns: what the table promises, and the candles that it makes of others."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from holdfast.domain.market import Bar
from holdfast.errors import ConfigError
from holdfast.market.bar_table import SCHEMA, BarTable, Gap
from holdfast.market.stamp import to_ns
from tests.support.recordings import recording

MINUTE_NS = 60 * 10**9
START_NS = to_ns("2024-08-08T23:50")


def bars(minutes: list[int], volume: float = 0.1, bar_s: int = 60) -> BarTable:
    """Candles at these minutes after 23:50, whose prices are the minute and a little."""
    rows = [
        (START_NS + at * MINUTE_NS, 100.0 + at, 101.5 + at, 99.25 + at, 101.0 + at, volume)
        for at in minutes
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return BarTable(frame, symbol="BTC/USDT", bar_s=bar_s, sha256="ab", source="x.csv")


def test_bars_come_out_as_exact_numbers() -> None:
    (bar,) = bars([0]).bars()
    assert bar == Bar(
        "BTC/USDT", START_NS, START_NS + MINUTE_NS,
        Decimal(100), Decimal("101.5"), Decimal("99.25"), Decimal(101), Decimal("0.1"),
    )  # fmt: skip


def test_a_hole_lies_between_the_bars_beside_it() -> None:
    assert bars([0, 1, 5, 6, 8]).gaps() == [
        Gap("2024-08-08T23:51:00Z", "2024-08-08T23:55:00Z", 3),
        Gap("2024-08-08T23:56:00Z", "2024-08-08T23:58:00Z", 1),
    ]
    assert bars([0, 1, 2]).gaps() == []


def test_longer_bars_are_put_together_and_volumes_add_up_as_decimals() -> None:
    longer = bars([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], volume=0.1).resample("5m")
    assert longer.frame.rows() == [
        (START_NS, 100.0, 105.5, 99.25, 105.0, 0.5),
        (START_NS + 5 * MINUTE_NS, 105.0, 110.5, 104.25, 110.0, 0.5),
    ]
    # What adding floats would say.
    assert bars([0, 1, 2], volume=0.1).frame["volume"].sum() != 0.3
    assert bars(list(range(10, 13)), volume=0.1).resample("3m").frame["volume"][0] == 0.3
    assert (longer.symbol, longer.timeframe, longer.sha256) == ("BTC/USDT", "5m", "ab")


def test_what_the_data_do_not_cover_is_no_bar_and_holes_inside_stay() -> None:
    longer = bars([1, 2, 3, 4, 5, 9, 15, 16, 17, 18]).resample("5m")
    assert [(at - START_NS) // MINUTE_NS for at in longer.frame["open_ns"]] == [5]
    assert longer.frame["close"].to_list() == [110.0]
    assert len(bars([1, 2, 3]).resample("5m")) == 0


def test_weeks_begin_on_monday() -> None:
    days = bars([day * 1440 for day in range(30)], bar_s=86_400)
    opens = days.resample("1w").frame["open_ns"]
    assert {datetime.fromtimestamp(at / 1e9, UTC).strftime("%a %H:%M") for at in opens} == {
        "Mon 00:00"
    }


@pytest.mark.parametrize("timeframe", ["30s", "90s", "7s"])
def test_only_a_multiple_can_be_made(timeframe: str) -> None:
    with pytest.raises(ConfigError, match=r"with bars of 1m; expected: 1m or a multiple of it"):
        bars([0, 1]).resample(timeframe)


def test_no_bars_stay_no_bars() -> None:
    assert len(bars([]).resample("5m")) == 0
    assert bars([]).gaps() == []
    assert repr(bars([])) == "BarTable(BTC/USDT 1m, 0 bars)"


@pytest.mark.parametrize(
    ("since", "until", "kept"),
    [
        (None, None, [0, 1, 2, 3]),
        ("2024-08-08T23:51", None, [1, 2, 3]),
        (None, "2024-08-08T23:51:00Z", [0]),
        (datetime(2024, 8, 8, 23, 51, tzinfo=UTC), START_NS + 3 * MINUTE_NS, [1, 2]),
        ("2024-08-09", None, []),
        ("2024-08-09", "2024-08-08", []),
    ],
)
def test_a_slice_takes_the_beginning_and_leaves_the_end(
    since: str | datetime | None, until: str | int | None, kept: list[int]
) -> None:
    assert bars([0, 1, 2, 3]).between(since, until) == bars(kept)


def test_a_slice_at_no_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="time 'noon'"):
        bars([0]).between("noon")


def test_a_frame_that_is_no_table_is_refused() -> None:
    good = bars([0, 1]).frame
    with pytest.raises(ValueError, match="expected each bar after the one before"):
        BarTable(good.reverse(), symbol="BTC/USDT", bar_s=60)
    with pytest.raises(ValueError, match="expected each bar after the one before"):
        BarTable(pl.concat([good, good.tail(1)]), symbol="BTC/USDT", bar_s=60)
    with pytest.raises(ValueError, match="seen columns"):
        BarTable(good.drop("volume"), symbol="BTC/USDT", bar_s=60)


def test_it_shows_itself_to_people() -> None:
    table = bars(list(range(12)))
    title = "BTC/USDT 1m, 12 bars, 2024-08-08T23:50:00Z to 2024-08-09T00:02:00Z"
    assert repr(table) == f"BarTable({title})"
    html = table._repr_html_()
    assert title in html
    assert html.count("<tr>") == 1 + 5 + 1 + 5
    assert "<td>2024-08-09 00:01:00</td><td>111.0</td>" in html
    assert bars([0])._repr_html_().count("<tr>") == 2


@pytest.mark.parametrize("asset", ["BTC", "ETH"])
@pytest.mark.parametrize("timeframe", ["1h", "1d"])
def test_recorded_hours_and_days_are_the_resampled_five_minutes(asset: str, timeframe: str) -> None:
    from holdfast import load  # noqa: PLC0415 - the front door, as users open it

    short = load(recording(f"ohlcv/binance-spot-2024/{asset}_USDT-5m.feather"))
    longer = load(recording(f"ohlcv/binance-spot-2024/{asset}_USDT-{timeframe}.feather"))
    assert short.resample(timeframe) == longer


def test_where_the_exchange_disagrees_with_itself_the_recording_is_kept() -> None:
    from holdfast import load  # noqa: PLC0415

    folder = "ohlcv/binance-spot-2021-04-05"
    minutes = load(recording(f"{folder}/BTC_USDT-1m.json"))
    recorded = load(recording(f"{folder}/BTC_USDT-5m.json"))
    both = recorded.frame.join(minutes.resample("5m").frame, on="open_ns", suffix="_built")
    differ = [
        both.filter(pl.col(name) != pl.col(f"{name}_built")).height
        for name in ("open", "high", "low", "close", "volume")
    ]
    assert (both.height, differ) == (8583, [0, 4, 2, 0, 16])
    assert minutes.gaps() == [Gap("2021-04-25T04:00:00Z", "2021-04-25T08:45:00Z", 284)]
    assert recorded.gaps() == [Gap("2021-04-25T04:00:00Z", "2021-04-25T08:45:00Z", 56)]
