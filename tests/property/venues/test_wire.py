"""A reply is the same reply however it is cut into pieces, also when it is none."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.venues.binance.wire import Reply, ReplyReader

MOST_BYTES = 40
HEAD_BYTES = 32_768

statuses = st.sampled_from([100, 101, 103, 200, 204, 304, 400, 418, 429, 500, 503, 99, 999])
names = st.sampled_from(
    [b"X-MBX-USED-WEIGHT-1M", b"Retry-After", b"Connection", b"Upgrade", b"A", b"a"]
)
values = st.sampled_from([b"", b"7", b"close", b"keep-alive", b"upgrade", b"x" * 300, b"\t y "])
bodies = st.binary(max_size=MOST_BYTES + 5)


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """A body with the header that says how long it is."""
    body = draw(bodies)
    match draw(st.sampled_from(["length", "chunks", "wrong length", "none", "both"])):
        case "length":
            return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        case "wrong length":
            length = len(body) + draw(st.integers(-2, 2))
            return b"Content-Length: %d\r\n\r\n%b" % (length, body)
        case "none":
            return b"\r\n" + body
        case "both":
            return b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    size = draw(st.integers(1, 9))
    parts = [body[first : first + size] for first in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    trailer = draw(st.sampled_from([b"", b"X: y\r\n"]))
    return b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Something that looks like a reply."""
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    headers = draw(st.lists(st.tuples(names, values), max_size=4))
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/%b %d Said\r\n%b%b" % (version, draw(statuses), lines, draw(framed()))


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """What a server may say: replies, cut off, with a byte changed, with a long way to go."""
    raw = b"".join(draw(st.lists(messages(), min_size=1, max_size=3)))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + draw(st.binary(max_size=2)) + raw[at + 1 :]
    if draw(st.booleans()):
        raw = raw[: draw(st.integers(0, len(raw)))]
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + b"z" * draw(st.sampled_from([HEAD_BYTES, 300_000])) + raw[at:]
    return raw


def outcome(pieces: list[bytes]) -> Reply | tuple[str, str]:
    """The reply, or what was wrong and in which words."""
    reader = ReplyReader()
    reader.expect(MOST_BYTES)
    for piece in pieces:
        reader.feed(piece)
    reader.end()
    if reader.reply is not None:
        assert reader.failure is None
        return reader.reply
    assert reader.failure is not None
    assert reader.is_last
    return type(reader.failure).__name__, str(reader.failure)


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    return [raw[first:last] for first, last in pairwise(borders)]


@given(streams(), st.lists(st.integers(0, 1_000_000), max_size=12))
@example(b"HTTP/1.1 200 OK\r\nX: " + b"y" * (HEAD_BYTES - 40) + b"\r\n\r\n", [HEAD_BYTES - 20])
@example(b"HTTP/1.1 200 OK\r\nX: " + b"y" * HEAD_BYTES + b"\r\n\r\n", [HEAD_BYTES])
def test_any_cut_of_what_a_server_says_comes_to_the_same(raw: bytes, places: list[int]) -> None:
    assert outcome(cut(raw, places)) == outcome([raw])


@given(streams().filter(lambda raw: len(raw) < 3_000))
def test_byte_by_byte_comes_to_the_same(raw: bytes) -> None:
    assert outcome([raw[at : at + 1] for at in range(len(raw))]) == outcome([raw])


@given(st.sampled_from([200, 400, 429]), st.binary(max_size=MOST_BYTES), st.data())
def test_what_a_server_meant_is_what_is_read(status: int, body: bytes, data: st.DataObject) -> None:
    raw = b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    places = data.draw(st.lists(st.integers(0, len(raw)), max_size=9))
    assert outcome(cut(raw, places)) == Reply(status, {"content-length": str(len(body))}, body)


@given(st.integers(-3, 3))
def test_the_bound_on_a_head_is_exact(over: int) -> None:
    begin, end = b"HTTP/1.1 204 No Content\r\nX: ", b"\r\n\r\n"
    raw = begin + b"y" * (HEAD_BYTES + over - len(begin) - len(end)) + end
    assert isinstance(outcome([raw]), Reply) == (over <= 0)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_noise_is_never_a_reply(noise: list[bytes]) -> None:
    found = outcome(noise)
    assert not isinstance(found, Reply) or b"".join(noise).lstrip(b"\r\n").startswith(b"HTTP/")
