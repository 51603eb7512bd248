"""The chart of a day's equity, as a picture that every mail program shows.

Not here: whose day it is (daily).
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from holdfast.domain.market import NS_PER_S
from holdfast.errors import ConfigError

if TYPE_CHECKING:
    from holdfast.app.jobs.daily import AccountDay

_INCHES = (7.0, 2.4)
_DPI = 144
_LINE, _AREA, _GRID, _WORDS = "#1f6feb", "#dbe8fd", "#e5e8ec", "#57606a"


def equity_chart(day: AccountDay) -> bytes:
    """A PNG of equity over the day, in reporting units.

    Raises:
        ConfigError: what draws is not installed.
    """
    try:
        from matplotlib.dates import DateFormatter, date2num  # noqa: PLC0415  # an extra, and slow
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "seen: Matplotlib is not installed; expected: the extra `mail`; do: pip install "
            "'holdfast[mail]'"
        ) from error
    moments = [datetime.fromtimestamp(at_ns / NS_PER_S, UTC) for at_ns, _ in day.equity]
    times = date2num(moments)  # type: ignore[no-untyped-call]
    values = [float(equity) for _, equity in day.equity]
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(times, values, color=_LINE, linewidth=1.4)
    axes.fill_between(times, values, min(values), color=_AREA)
    axes.grid(visible=True, color=_GRID, linewidth=0.6)
    axes.xaxis_date(tz="UTC")
    hours = DateFormatter("%H:%M", tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(hours)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.tick_params(labelsize=7, colors=_WORDS, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
