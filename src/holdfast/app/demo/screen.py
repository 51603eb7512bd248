"""How the picture looks: one screen of text, from 80 × 24 up, in colours where they are wanted.

Not here: what is on it (picture), or the terminal (terminal).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from holdfast.app.demo.picture import Mood, OrderLine, Picture
from holdfast.app.demo.told import Phase
from holdfast.domain.money import ZERO, plain

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-=+*#@"
_NARROW = 80
_PADDING = 1
# Lines that are not the list of orders.
_FIXED_LINES = 15
_FEWEST_ORDERS = 3

_MOODS = {Mood.GOOD: "bold green", Mood.BUSY: "bold yellow", Mood.BAD: "bold white on red"}
_PHASE_STYLES = {
    Phase.FILLED: "green",
    Phase.RESTING: "cyan",
    Phase.DOUBT: "bold yellow",
    Phase.SENT: "yellow",
    Phase.REFUSED: "red",
}
_ALWAYS_SHOWN = (Phase.RESTING, Phase.FILLED, Phase.TAKEN_BACK, Phase.DOUBT)
_KEYS = (
    ("k", "kill leader"),
    ("p", "pause"),
    ("r", "lose reply"),
    ("h", "halt"),
    ("o", "browser"),
    ("q", "quit"),
)


class Screen:
    """A Rich renderable of one picture; it fills the height that it is given."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.size.height
        parts = _parts(self._picture, width, height, ascii_only=options.ascii_only)
        lines = console.render_lines(Group(*parts), options.update(height=None), pad=True)
        blank = [Segment(" " * width)]
        shown = lines[:height] + [blank] * (height - len(lines))
        for number, line in enumerate(shown):
            yield from line
            if number < height - 1:
                yield Segment.line()


def _parts(
    picture: Picture, width: int, height: int, *, ascii_only: bool
) -> list[RenderableType]:
    orders = max(_FEWEST_ORDERS, height - _FIXED_LINES - len(picture.bots))
    return [
        _title(picture, width),
        _line(Text(f" {picture.sentence}", style=_MOODS[picture.mood])),
        Text(),
        _equity(picture, width, ascii_only=ascii_only),
        _exposure(picture),
        Text(),
        _bots(picture),
        _rule("orders", ascii_only=ascii_only),
        _phases(picture),
        _orders(picture.latest[:orders], orders),
        _rule("proof", ascii_only=ascii_only),
        _proof(picture),
        _journal(picture),
        _failovers(picture),
        _line(Text(f" {picture.note}", style="yellow")),
        _keys(picture),
    ]


def _line(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text


def _rule(title: str, *, ascii_only: bool) -> Rule:
    line = "-" if ascii_only else "─"
    return Rule(Text(f" {title}", style="dim"), style="dim", align="left", characters=line)


def _title(picture: Picture, width: int) -> Text:
    left = f" holdfast {picture.verb}"
    middle = f"local exchange, {picture.market}"
    right = f"{_clock(picture.elapsed_s)} "
    if width > _NARROW + 20:
        middle += f"   {picture.dashboard or picture.url}"
    gap = max(2, (width - len(left) - len(middle) - len(right)) // 2)
    text = f"{left}{' ' * gap}{middle}"
    return _line(Text(f"{text}{right:>{max(1, width - len(text))}}", style="bold reverse"))


def _clock(elapsed_s: float) -> str:
    minutes, seconds = divmod(int(elapsed_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def _equity(picture: Picture, width: int, *, ascii_only: bool) -> Text:
    text = Text(" equity    ", style="dim")
    if picture.equity is None or not picture.reporting:
        return _line(text.append("not known yet", style="yellow"))
    text.append(f"{picture.equity:>12,.2f} {picture.reporting}", style="bold default not dim")
    text.append("  today ", style="dim")
    text.append(f"{picture.day_pnl:+,.2f}", style=_sign(picture.day_pnl))
    room = max(8, min(60, width - len(text.plain) - 4))
    blocks = _ASCII_BLOCKS if ascii_only else _BLOCKS
    line = sparkline(picture.series[-room:], blocks)
    return _line(text.append(f"  {line}", style="not dim cyan"))


def _exposure(picture: Picture) -> Text:
    text = Text(" exposure  ", style="dim")
    if not picture.reporting:
        return text
    share = picture.exposure / picture.equity * 100 if picture.equity else ZERO
    text.append(f"{picture.exposure:>12,.2f} {picture.reporting}", style="not dim")
    return _line(text.append(f"  {share:.1f} % of equity is in coins", style="dim"))


def _bots(picture: Picture) -> Table:
    table = _table()
    for title, justify in (
        ("bot", "left"), ("strategy", "left"), ("market", "left"), ("position", "right"),
        ("profit", "right"), ("state", "left"),
    ):  # fmt: skip
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for bot in picture.bots:
        pnl = Text("?") if bot.pnl is None else Text(f"{bot.pnl:+,.2f}", style=_sign(bot.pnl))
        condition = Text(bot.state, style="green" if bot.state == "trading" else "yellow")
        table.add_row(
            Text(bot.name, style="bold"), bot.strategy, bot.symbol, plain(bot.position), pnl,
            condition,
        )  # fmt: skip
    return table


def _table() -> Table:
    return Table(
        box=None, pad_edge=True, padding=(0, 2, 0, _PADDING), header_style="dim", show_edge=False
    )


def _phases(picture: Picture) -> Text:
    text = Text(" ")
    for phase in (*_ALWAYS_SHOWN, *(phase for phase in Phase if phase not in _ALWAYS_SHOWN)):
        number = picture.phases.get(phase, 0)
        if not number and phase not in _ALWAYS_SHOWN:
            continue
        style = _PHASE_STYLES.get(phase, "default") if number else "dim"
        text.append(f"{phase.value} ", style="dim").append(f"{number:,}", style=style)
        text.append("   ")
    return _line(text)


def _orders(latest: Sequence[OrderLine], rows: int) -> Table:
    table = _table()
    table.show_header = False
    for justify in ("left", "left", "left", "right", "left", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)
    for order in latest:
        table.add_row(
            Text(_time(order.at_ns), style="dim"),
            order.bot,
            Text(order.side.lower(), style="green" if order.side == "BUY" else "magenta"),
            plain(order.quantity),
            order.symbol,
            "at market" if order.price is None else f"{order.price:,.2f}",
            Text(order.phase.value, style=_PHASE_STYLES.get(order.phase, "dim")),
        )
    for _ in range(rows - len(latest)):
        table.add_row("")
    return table


def _proof(picture: Picture) -> Text:
    check = picture.check
    text = Text(" ")
    if check is None:
        return _line(text.append("doubled ?   lost ?   not checked yet", style="yellow"))
    for word, number in (("doubled", check.duplicate_orders), ("lost", check.lost_orders)):
        style = "bold green" if not number else "bold white on red"
        text.append(f"{word} {number}", style=style).append("   ")
    other = len(check.findings) - check.duplicate_orders - check.lost_orders
    if other > 0:
        text.append(f"differences {other}", style="bold white on red").append("   ")
    said = f"by the exchange's ledger at {_time(picture.checked_ns)[:8]}: {check.orders:,} orders, "
    return _line(text.append(f"{said}{check.executions:,} fills", style="dim"))


def _journal(picture: Picture) -> Text:
    text = Text(" journal ", style="dim")
    text.append(f"{picture.seq:,} records", style="not dim")
    text.append("   chain proved   epoch ", style="dim")
    return _line(text.append(f"{picture.epoch:,}", style="not dim"))


def _failovers(picture: Picture) -> Text:
    text = Text(" failovers ", style="dim").append(f"{len(picture.failovers)}", style="not dim")
    if not picture.failovers:
        return _line(text.append("   press k to see one", style="dim"))
    last = picture.failovers[-1]
    text.append("   the last: trading again after ", style="dim")
    text.append(_seconds(last.ready_ms), style="not dim")
    text.append(", next order after ", style="dim")
    return _line(text.append(_seconds(last.gap_ms), style="not dim"))


def _seconds(elapsed_ms: int | None) -> str:
    return "…" if elapsed_ms is None else f"{elapsed_ms / 1000:.2f} s"


def _keys(picture: Picture) -> Text:
    text = Text(" ")
    for key, does in _KEYS:
        if key == "o" and not picture.dashboard:
            continue
        what = "resume" if key == "h" and picture.halted else does
        text.append(f" {key} ", style="reverse").append(f" {what}  ")
    return _line(text)


def sparkline(values: Sequence[float], blocks: str = _BLOCKS) -> str:
    """The values as a row of blocks between their own lowest and highest; flat when all equal."""
    if not values:
        return ""
    low, high = min(values), max(values)
    if high == low:
        return blocks[0] * len(values)
    scale = (len(blocks) - 1) / (high - low)
    return "".join(blocks[round((value - low) * scale)] for value in values)


def _sign(value: Decimal) -> str:
    if not value:
        return "not dim"
    return "not dim green" if value > 0 else "not dim red"


def _time(at_ns: int) -> str:
    """Local time of day with milliseconds: it is compared with the clock on the wall."""
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{rest // 1_000_000:03}"
