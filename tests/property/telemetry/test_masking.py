"""Masking a whole line finds what all nets, one after the other, find in each of its texts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.telemetry import log

HIDDEN = ("0p3n-s3same", "0p3n-s3same-0p3n", 'quoted"\n\\value', "geheim-überall", "12345678")


class Side(Enum):
    BUY = "token=hunter2hunter2"


@pytest.fixture(autouse=True, scope="module")
def hidden() -> Iterator[None]:
    """Values that are known to be secret, and what was known before them afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "_hidden", ())
        for secret in HIDDEN:
            log.hide(secret)
        yield


def slowly(text: str) -> str:
    """`text` as all nets leave it, none of them left out for want of a suspicion."""
    if len(text) < 8:
        return text
    for secret in sorted(HIDDEN, key=len, reverse=True):
        text = text.replace(secret, log.MASK)
    text = log._BEARER.sub(r"\g<1>\g<2>***", text)
    text = log._SECRET_IN_TEXT.sub(r"\g<1>***", text)
    return log._PASSWORD_IN_URL.sub(r"\g<1>***@", text)


def slowly_under(key: str, value: Any) -> Any:
    """A value as it has to stand under `key`."""
    if value is not None and log._SECRET_KEY.search(key):
        return log.MASK
    match value:
        case dict():
            return {inner: slowly_under(str(inner), item) for inner, item in value.items()}
        case list() | tuple():
            return [slowly_under("", item) for item in value]
        case None | bool() | int() | float():
            return value
        case Decimal():
            return format(value, "f")
        case bytes():
            return slowly(value.decode("utf-8", "replace"))
        case _:
            return slowly(str(value))


def any_case(word: str) -> st.SearchStrategy[str]:
    """`word` in letters of all the forms that a pattern without regard to case takes for them."""
    forms = {"s": "sS\u017f", "k": "kK\u212a", "i": "iI\u0130\u0131"}
    return st.tuples(
        *(st.sampled_from(forms.get(one, one + one.swapcase())) for one in word)
    ).map("".join)


WORDS = [
    "signature", "api_key", "apikey", "secret", "token", "password", "passwd", "listenKey",
    "listen_key", "token_id", "authorization", "hf_", "hfr_", "hfc_0123456789abcdef_", "eyJ",
    "://", "://user:", "@host", "hunter2hunter2hunter2hunter2", "eyJhbGci.eyJzdWIi.hunter2",
    *HIDDEN, "0p3n", "-s3same", "BTC/USDT", "5e0c91920410964645ac5437bdf3a272", "币安人生",
]  # fmt: skip
# For each name and form that a net knows, a text which that one alone finds something in.
SECRETS = [
    "signature=hunter2", "api_key: hunter2", "ApiKey='hunter2'", "secret = hunter2",
    "token=hunter2", "password=hunter2", "listenKey=hunter2", "listen_key=hunter2",
    "hf_hunter2hunter2hunter2", "hfr_hunter2hunter2hunter2", "hfc_hunter2hunter2hunter2",
    "eyJhunter2.hunter2.hunter2", "redis://:hunter2@host", *HIDDEN,
]  # fmt: skip
PIECES = st.one_of(
    st.sampled_from(WORDS), st.sampled_from(SECRETS), *map(any_case, SECRETS[:8]),
    st.sampled_from("=:&,}'\" \n.-_@/"), st.text(max_size=6),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=8).map("".join)
KEYS = st.one_of(
    st.sampled_from(["order", "bot", "symbol", "price", "event", "token_id", "api_secret", "by"]),
    TEXTS,
)
VALUES = st.recursive(
    st.one_of(
        TEXTS, TEXTS.map(str.encode), TEXTS.map(ValueError), st.sampled_from(Side), st.none(),
        st.booleans(), st.integers(), st.floats(), st.decimals(allow_nan=False),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=120)
@given(st.dictionaries(KEYS, VALUES | TEXTS, max_size=8))
def test_a_line_is_masked_as_each_of_its_values_is(line: dict[str, Any]) -> None:
    expected = {key: slowly_under(key, value) for key, value in line.items()}
    log.mask(line)
    assert repr(line) == repr(expected)


@settings(max_examples=300)
@given(TEXTS)
def test_a_text_is_masked_by_every_net_that_would_find_something(text: str) -> None:
    assert log.masked_text(text) == slowly(text)


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_among_other_texts_is_found(text: str) -> None:
    line = {"order": "5e0c91920410964645ac5437bdf3a272", "what": f"saw {text}", "n": 7}
    log.mask(line)
    assert log.MASK in str(line["what"])
    assert line["what"] == slowly(f"saw {text}")


@settings(max_examples=60)
@given(st.one_of(*map(any_case, SECRETS[:8])))
def test_the_name_of_a_secret_is_known_in_letters_of_all_forms(text: str) -> None:
    assert log.masked_text(text).endswith((log.MASK, log.MASK + "'"))
