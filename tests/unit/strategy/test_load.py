"""A strategy by name or from a user's file; what is wrong with the file is said."""

from __future__ import annotations

import decimal
import os
import sys
from pathlib import Path

import pytest

from holdfast.domain.money import PRECISION
from holdfast.errors import ConfigError
from holdfast.strategy import Strategy
from holdfast.strategy.load import SHIPPED, create, find

GOOD = """
from holdfast.strategy import FLAT, Strategy, View, Wish

class Mine(Strategy):
    size: int = 3
    def decide(self, now: View) -> Wish:
        return FLAT
"""


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_name_is_a_strategy(name: str) -> None:
    assert issubclass(find(name), Strategy)


def test_a_user_s_own_file_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(GOOD)
    made = create(f"{file}:Mine", {"size": "5"})
    assert getattr(made, "size", None) == 5


def test_it_runs_what_the_file_says_however_little_tells_it_from_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "edited.py"
    for size in (3, 4):  # of one length, in one second
        file.write_text(GOOD.replace("3", str(size)))
        os.utime(file, (1, 1))
        assert getattr(create(f"{file}:Mine", {}), "size", None) == size


@pytest.mark.parametrize(
    ("text", "wanted", "why"),
    [
        (GOOD, "Other", "expected: Mine"),
        ("x = 1", "Mine", "a class that inherits from holdfast.strategy.Strategy"),
        ("class Mine: pass", "Mine", "no strategy 'Mine'"),
        ("def broken(:", "Mine", "mine.py, line 1 does not load: SyntaxError: invalid syntax"),
        ("import no_such_module_at_all", "Mine", "does not load: ModuleNotFoundError"),
        ("1 / 0", "Mine", "does not load: ZeroDivisionError"),
        ("import sys; sys.exit(0)", "Mine", "does not load: SystemExit"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    tmp_path: Path, text: str, wanted: str, why: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        find(f"{file}:{wanted}")
    assert why in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_name_that_is_neither_shipped_nor_a_file_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=f"expected: one of {', '.join(SHIPPED)} or FILE:Class"):
        find("sma_corss")
    with pytest.raises(ConfigError, match=r"no file nowhere\.py"):
        find("nowhere.py:Mine")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text(GOOD)
    with pytest.raises(ConfigError, match=r"a Python file \(\.py\)"):
        find(f"{file}:Mine")


def test_a_file_that_failed_is_read_anew_once_it_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "mended.py"
    file.write_text("1 / 0")
    with pytest.raises(ConfigError):
        find(f"{file}:Mine")
    assert "holdfast_user_mended" not in sys.modules
    file.write_text(GOOD)
    assert find(f"{file}:Mine").__name__ == "Mine"


def test_a_file_that_sets_its_own_precision_sets_nobody_else_s(tmp_path: Path) -> None:
    file = tmp_path / "coarse.py"
    file.write_text(f"import decimal\ndecimal.getcontext().prec = 3\n{GOOD}")
    find(f"{file}:Mine")
    assert decimal.getcontext().prec == PRECISION
