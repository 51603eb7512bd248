"""The files that a job may name: what is in the folders that are for it, and nothing else.

Not here: reading them.
"""

from __future__ import annotations

from pathlib import Path

from holdfast.config import Config
from holdfast.errors import ConfigError
from holdfast.strategy.load import SHIPPED

INVENTED = "invented"


def dataset_name(path: Path) -> str:
    """What a file of the catalogue is called: `binance.BTC_USDT-1h`."""
    return f"{path.parent.name}.{path.stem}"


def datasets(folder: Path) -> dict[str, Path]:
    """The files of the catalogue by name; nothing without a folder."""
    return {dataset_name(path): path for path in sorted(folder.glob("*/*.parquet"))}


def data_file(config: Config, name: str) -> Path:
    """The data that a job names: a dataset, or a file in the folder of data.

    Raises:
        ConfigError: there is none, or it is elsewhere.
    """
    folder = Path(config.jobs.data_dir)
    if name == INVENTED:
        return Path(INVENTED)
    known = datasets(folder)
    return known[name] if name in known else _within(folder, name, "jobs.data_dir")


def strategy_named(config: Config, name: str) -> str:
    """The strategy that a job names: a shipped one, or one in the folder of strategies.

    Raises:
        ConfigError: there is none, or it is elsewhere.
    """
    if name in SHIPPED or ":" not in name:
        return name
    file, _, kind = name.rpartition(":")
    folder = Path(config.jobs.strategies_dir)
    return f"{_within(folder, file, 'jobs.strategies_dir')}:{kind}"


def _within(folder: Path, name: str, setting: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.exists():
        raise ConfigError(
            f"seen: {name!r}, which is not in `{setting}`; expected: a name in that folder; do: "
            "put the file there"
        )
    return path
