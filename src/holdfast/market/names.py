"""What a file's name tells about its content: symbol, bar length, day.

Not here: what its columns tell (`columns`). A name fills in what nobody said and no column holds.
"""

from __future__ import annotations

import re

from holdfast.domain.timeframe import length_s

# Longest first: BTCUSDT is BTC against USDT, not BTCUSD against T.
QUOTES = (
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "DAI", "USD", "EUR", "GBP", "TRY", "BRL", "JPY",
    "BTC", "ETH", "BNB",
)  # fmt: skip
_WORD_S = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "daily": 86_400}
_WORD_S |= {"hourly": 3600, "day": 86_400}
_PAIR = re.compile(r"([A-Z0-9]{2,10})[_/-]([A-Z0-9]{3,5})(?![A-Z0-9])")
_DAY = re.compile(r"(?<!\d)(?:19|20)\d{6}(?!\d)")


def split_venue_symbol(text: str) -> str | None:
    """`BTC/USDT` for BTCUSDT, whatever its case; None when it ends in no known quote asset."""
    upper = text.upper()
    for quote in QUOTES:
        if upper.endswith(quote) and len(upper) > len(quote) + 1:
            return f"{upper.removesuffix(quote)}/{quote}"
    return None


def unified(text: str) -> str | None:
    """`BTC/USDT` for any usual spelling of it, None for what is no pair."""
    if "/" in text:
        return text.upper()
    pair = _PAIR.fullmatch(text.upper())
    if pair is not None:
        return f"{pair[1]}/{pair[2]}"
    return split_venue_symbol(text) if text.isalnum() else None


def symbol_in(name: str) -> str | None:
    """The symbol that a file name tells, None when it tells none."""
    pair = _PAIR.search(name)
    if pair is not None and pair[2] in QUOTES:
        return f"{pair[1]}/{pair[2]}"
    for word in _words(name):
        if word.isalpha() and len(word) >= 6:
            found = split_venue_symbol(word)
            if found is not None:
                return found
    return None


def written_symbol_in(name: str) -> str | None:
    """The symbol that a file name states beyond doubt (`BTC_USDT`, `ETHUSDT`), else None."""
    pair = _PAIR.search(name)
    if pair is not None and pair[2] in QUOTES:
        return f"{pair[1]}/{pair[2]}"
    words = [word for word in _words(name) if word.isalpha() and word.isupper()]
    return next((found for word in words if (found := split_venue_symbol(word))), None)


def bar_length_in(name: str) -> int | None:
    """Seconds of a bar as a file name tells it (`BTC_USDT-5m`), None when it does not."""
    for word in _words(name):
        seconds = length_s(word)
        if seconds is not None:
            return seconds
        if word.lower() in _WORD_S:
            return _WORD_S[word.lower()]
    return None


def day_in(name: str) -> str | None:
    """`YYYYMMDD` in a file name, None when there is none."""
    found = _DAY.search(name)
    return found[0] if found else None


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
