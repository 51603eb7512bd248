"""A record's bytes: what is refused, and in which words."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.errors import CorruptionError
from holdfast.journal.record import FORMAT, Record, decode, encode
from tests.support.journal_facts import armed, flow


def test_bytes_are_stable() -> None:
    """They are hashed as stored: a release that encodes differently must raise the format."""
    assert encode(Record(1, 3, 2, 7, flow("f1"))) == (
        b'{"v":1,"seq":3,"epoch":2,"at_ns":7,"fact":{"kind":"cash_flow","asset":"USDT",'
        b'"amount":"100","reason":"deposit","evidence":"e","at_ns":1,"flow_id":"f1"}}'
    )


def test_decimals_keep_every_digit() -> None:
    record = Record(FORMAT, 1, 1, 1, armed(1))
    assert b'"quantity":"0.010"' in encode(record)
    assert encode(decode(encode(record))) == encode(record)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"{}", b"[]", b'{"v":1,"seq":1', encode(Record(1, 1, 1, 1, flow()))[:-1]],
)
def test_what_is_no_record_is_refused(body: bytes) -> None:
    with pytest.raises(CorruptionError, match="expected: a"):
        decode(body)


def test_an_unknown_fact_is_refused() -> None:
    body = encode(Record(1, 1, 1, 1, flow())).replace(b"cash_flow", b"cash_flew")
    with pytest.raises(CorruptionError, match="unknown content"):
        decode(body)


@pytest.mark.parametrize("fact", [flow(), None])
def test_a_newer_format_is_refused_even_when_it_looks_readable(fact: object) -> None:
    newer = {"v": FORMAT + 1, "seq": 1, "epoch": 1, "at_ns": 1, "fact": fact}
    with pytest.raises(CorruptionError, match=f"format {FORMAT + 1}; expected: at most {FORMAT}"):
        decode(msgspec.json.encode(newer))
