"""What a seed's exchange shows late or no more."""

from __future__ import annotations

import random
from itertools import permutations

from holdfast.exchange.catalogue import LISTINGS
from holdfast.exchange.core import ARCHIVE_AFTER_S, Exchange, Source
from holdfast.exchange.views import Aspect
from holdfast.simulation.views import Views, draw_views, keep, put_behind

ASSUMED_MS = 2000.0


def drawn(seed: int) -> Views:
    return draw_views(random.Random(f"views {seed}"))


def test_in_half_of_the_seeds_orders_trades_and_balances_lag_apart_and_within_what_is_assumed() -> (
    None
):
    lags = [views.most_ms for seed in range(1, 201) if (views := drawn(seed)).most_ms]
    assert 80 <= len(lags) <= 120
    assert all(lag.keys() == {*Aspect} for lag in lags)
    assert max(max(lag.values()) for lag in lags) == ASSUMED_MS
    for first, second in permutations(Aspect, 2):
        assert any(lag[first] < lag[second] for lag in lags)


def test_some_seeds_archive_soon_and_all_others_as_the_real_exchange_does() -> None:
    ages_s = [drawn(seed).archive_after_s for seed in range(1, 201)]
    early = [age_s for age_s in ages_s if age_s != ARCHIVE_AFTER_S]
    assert 25 <= len(early) <= 75
    assert max(early) == 30


def test_the_same_seed_lags_the_same_and_a_fault_s_longer_lag_has_its_way() -> None:
    most_ms = {Aspect.ORDERS: 0.0, Aspect.TRADES: 300.0, Aspect.BALANCES: 50.0}
    lags = []
    for _ in range(2):
        exchange = Exchange([LISTINGS["BTC/USDT"]])
        keep(Views(most_ms), exchange, random.Random(1))
        lags.append([exchange.lag_ms(Source.MEMORY, aspect) for aspect in [*Aspect] * 20])
    assert lags[0] == lags[1]
    assert max(lags[0][0::3]) == 0
    assert 100 < max(lags[0][1::3]) <= 300
    assert 10 < max(lags[0][2::3]) <= 50
    assert exchange.lag_ms(Source.STREAM, None) == 0

    delayed = Exchange([LISTINGS["BTC/USDT"]])
    delayed.lag_ms = lambda _source, _aspect: ASSUMED_MS
    keep(Views(most_ms), delayed, random.Random(1))
    assert {delayed.lag_ms(Source.MEMORY, aspect) for aspect in Aspect} == {ASSUMED_MS}


def test_where_faults_strike_alone_nothing_is_behind() -> None:
    seed = next(seed for seed in range(1, 100) if all(drawn(seed).most_ms.values() or [0]))
    for alone in (False, True):
        exchange = Exchange([LISTINGS["BTC/USDT"]])
        put_behind(exchange, seed, alone=alone)
        lags = {exchange.lag_ms(Source.MEMORY, aspect) > 0 for aspect in Aspect}
        assert lags == {not alone}
