"""An account as its exchange sees it: the key, the clock, what is listed, what others do there.

Lives here: what is asked and what is thought of it. Nothing is changed and no order is sent. Not
here: the account's journal (account).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable

from holdfast.app.doctor.store import CLOCK_OFF_MS
from holdfast.app.live.keys import key_of
from holdfast.app.live.lines import endpoints_of
from holdfast.config import Config, ReconcilePolicy
from holdfast.domain.instrument import TradingStatus
from holdfast.domain.order import deployment_tag
from holdfast.errors import ConfigError, PlatformError, RejectedError
from holdfast.operations.doctor.finding import Finding, Grade, failed, ok, skip
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.inspection import account_uid, key_rights, rates, recent_orders
from holdfast.venues.capability import capability_of
from holdfast.venues.port import Purpose

SLOW_MS = 500


async def exchange(config: Config, uid: str = "") -> list[Finding]:
    """Ask the exchange, with the account's key.

    Args:
        config: of one account.
        uid: what the exchange calls it, by its journal; empty while that does not know.
    """
    try:
        venue = _venue(config)
    except ConfigError as error:
        return [failed("key", error, "give the account its key")]
    try:
        found = [await _asked("clock", _clock(venue))]
        if found[0].is_unreachable:  # each further question would take as long
            return [*found, skip("exchange", "it does not answer: nothing more was asked")]
        found += [await _asked("key", _key(venue))]
        if uid:
            found += [await _asked("owner", _owner(venue, uid))]
        symbols = tuple(dict.fromkeys(s for bot in config.bots for s in bot.symbols))
        found += [await _asked("symbols", _symbols(venue, symbols))]
        tag = deployment_tag(config.deployment)
        for symbol in symbols:
            found += [
                await _asked(f"rates {symbol}", _rates(venue, symbol)),
                await _asked(f"orders {symbol}", _orders(venue, symbol, tag, config)),
            ]
        found.append(await _asked("balances", _balances(venue, symbols)))
    finally:
        await venue.close()
    switch = capability_of(config.account.venue.kind).dead_man_switch
    none = "the exchange has none: stops rest there, and stay when no node runs"
    unused = f"{switch}, which nobody sets: stops rest there, and stay when no node runs"
    return [*found, ok("dead man switch", unused if switch else none)]


def _venue(config: Config) -> BinanceVenue:
    account = config.account
    where = account.venue
    return BinanceVenue(key_of(account), endpoints_of(where), share=1 / where.nodes)


async def _asked(check: str, look: Awaitable[Finding]) -> Finding:
    try:
        return await look
    except RejectedError as error:
        return Finding(check, Grade.FAIL, f"refused: {error}", "check the key and its rights")
    except PlatformError as error:
        return failed(check, error, "check the address and the network")


async def _clock(venue: BinanceVenue) -> Finding:
    sample = await venue.time()
    round_trip_ms = (sample.received_ns - sample.sent_ns) / 1e6
    off_ms = time.time_ns() / 1e6 - sample.server_ms - round_trip_ms / 2
    seen = f"{off_ms:+.0f} ms from the exchange's, a question takes {round_trip_ms:.0f} ms"
    if abs(off_ms) > CLOCK_OFF_MS + round_trip_ms / 2:
        return Finding(
            "clock", Grade.WARN, seen, "run a time service; orders are safe, they are signed with "
            "the exchange's own clock, but logs and journals carry this host's",
        )  # fmt: skip
    if round_trip_ms > SLOW_MS:
        return Finding("clock", Grade.WARN, seen, "move nearer to the exchange")
    return ok("clock", seen)


async def _key(venue: BinanceVenue) -> Finding:
    rights = await key_rights(venue)
    if rights.withdraws:
        return Finding(
            "key", Grade.FAIL, "this key can withdraw: whoever gets it takes the money",
            "make another one that can read and trade spot, and nothing else; delete this one",
        )  # fmt: skip
    if rights.missing:
        return Finding("key", Grade.FAIL, f"the key lacks {', '.join(rights.missing)}", "allow it")
    if rights.surplus:
        seen = f"the key can do more than trade spot: {', '.join(rights.surplus)}"
        return Finding("key", Grade.WARN, seen, "take these rights away")
    if not rights.is_bound:
        return Finding(
            "key", Grade.WARN, "the key works from every address", "bind it to this host's address"
        )
    return ok("key", "reads and trades spot, cannot withdraw, bound to addresses")


async def _owner(venue: BinanceVenue, uid: str) -> Finding:
    """Whether a node would take the key at its next start."""
    seen = await account_uid(venue)
    if seen == uid:
        return ok("owner", "the key is of the account that the journal is of")
    return Finding(
        "owner", Grade.FAIL, f"the key is of account {seen or 'unknown'} at the exchange, the "
        f"journal of {uid}", "put a key of that account where api_key and api_secret lead: no node "
        "starts with this one",
    )  # fmt: skip


async def _symbols(venue: BinanceVenue, symbols: tuple[str, ...]) -> Finding:
    if not symbols:
        return Finding("symbols", Grade.WARN, "no bot is configured", "add one to holdfast.toml")
    listed = {found.symbol: found for found in await venue.instruments(symbols)}
    wrong = [f"{s} is not listed" for s in symbols if s not in listed]
    wrong += [
        f"{s} is {listed[s].status}"
        for s in symbols
        if s in listed and listed[s].status is not TradingStatus.TRADING
    ]
    if wrong:
        return Finding("symbols", Grade.FAIL, "; ".join(wrong), "correct the bots' symbols")
    told = (f"{s} from {listed[s].min_notional.normalize():f} {listed[s].quote}" for s in symbols)
    return ok("symbols", f"all trade: {', '.join(told)} per order")


async def _rates(venue: BinanceVenue, symbol: str) -> Finding:
    found = await rates(venue, symbol)
    if found.fee_asset == symbol.partition("/")[0]:
        return Finding(
            f"rates {symbol}", Grade.WARN, f"fees are taken in {found.fee_asset} while there is "
            "some, also in what a bot has bought: others' fees take it off this one's position",
            f"trade {symbol} on an account of its own, or keep some {found.fee_asset} beside",
        )  # fmt: skip
    paid = f"paid in {found.fee_asset} while there is some" if found.fee_asset else "of what is got"
    return ok(f"rates {symbol}", f"maker {found.maker}, taker {found.taker}, {paid}")


async def _orders(venue: BinanceVenue, symbol: str, tag: str, config: Config) -> Finding:
    """Whether something else trades this account (its orders do not carry our tag)."""
    check = f"orders {symbol}"
    opened = await venue.open_orders(symbol, Purpose.READ)
    strange = [report.cid for report in opened if not report.cid.startswith(tag)]
    recent = await recent_orders(venue, symbol, tag)
    if strange:
        halts = config.account.reconcile is ReconcilePolicy.HALT
        seen = f"{len(strange)} open orders that are not ours, such as {strange[0]}"
        what = "a node would halt at once" if halts else "see `reconcile`"
        return Finding(
            check, Grade.FAIL if halts else Grade.WARN, seen, f"cancel them or trade on an account "
            f"of its own: {what}",
        )  # fmt: skip
    if recent.strange:
        seen = f"{len(recent.strange)} of the last {recent.count} orders are not ours"
        return Finding(
            check, Grade.WARN, seen, "nothing else may trade this account while a node does"
        )
    modes = ", ".join(recent.self_trade_modes) or "the exchange's default"
    if recent.self_trade_modes == ("NONE",):
        return Finding(
            check, Grade.WARN, "the account may trade with itself",
            "set self-trade prevention for the account at the exchange",
        )  # fmt: skip
    return ok(check, f"none of others; self-trade prevention: {modes}")


async def _balances(venue: BinanceVenue, symbols: tuple[str, ...]) -> Finding:
    held = await venue.balances(Purpose.READ)
    quotes = sorted({symbol.split("/")[1] for symbol in symbols})
    without = [quote for quote in quotes if quote not in held or not held[quote].free]
    if without:
        seen = f"no free {', '.join(without)}"
        return Finding("balances", Grade.WARN, seen, "nothing can be bought; deposit some")
    told = ", ".join(f"{held[quote].free.normalize():f} {quote}" for quote in quotes)
    return ok("balances", f"free: {told}" if told else "nothing to pay with is configured")
