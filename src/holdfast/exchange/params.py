"""Reading a request's parameters: each once, typed, with the exchange's own complaint.

Not here: what they mean together (`order_request`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from holdfast.exchange.errors import (
    illegal_characters,
    missing_parameter,
    symbol_twice,
    too_precise,
    unread_parameters,
)

NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
INTEGER = re.compile(r"[0-9]{1,20}")
CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
SYMBOLS = re.compile(r'\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]')
MOST_PLACES = 8


class Params:
    """The parameters of one request; remembers which were read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.seen: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether it was sent and is not empty."""
        return bool(self.values.get(name))

    def text(self, name: str) -> str | None:
        """The value, None when absent or empty."""
        self.seen.add(name)
        return self.values.get(name) or None

    def required(self, name: str) -> str:
        """The value; RefusedError when absent or empty."""
        value = self.text(name)
        if value is None:
            raise missing_parameter(name)
        return value

    def integer(self, name: str) -> int | None:
        """A whole number >= 0, None when absent; RefusedError when it is none."""
        value = self.text(name)
        if value is None:
            return None
        if not INTEGER.fullmatch(value):
            raise illegal_characters(name, f"^{INTEGER.pattern}$")
        return int(value)

    def decimal(self, name: str) -> Decimal | None:
        """A number > 0 of at most eight places, None when absent; RefusedError otherwise."""
        value = self.text(name)
        if value is None:
            return None
        if not NUMBER.fullmatch(value):
            raise illegal_characters(name, f"^{NUMBER.pattern}$")
        try:
            number = Decimal(value)
        except InvalidOperation as error:
            raise illegal_characters(name, f"^{NUMBER.pattern}$") from error
        if number != round(number, MOST_PLACES):
            raise too_precise(name)
        if not number:
            raise illegal_characters(name, "a number above zero")
        return number

    def client_id(self, name: str) -> str | None:
        """A client order id, None when absent; RefusedError when it cannot be one."""
        value = self.text(name)
        if value is not None and not CLIENT_ID.fullmatch(value):
            raise illegal_characters(name, "^[a-zA-Z0-9-_]{1,36}$")
        return value

    def symbols(self, name: str) -> list[str] | None:
        """A JSON list of symbols without spaces, None when absent; RefusedError otherwise."""
        value = self.text(name)
        if value is None:
            return None
        if not SYMBOLS.fullmatch(value):
            raise illegal_characters(name, f"^{SYMBOLS.pattern}$")
        names = [quoted.strip('"') for quoted in value[1:-1].split(",") if quoted]
        if len(set(names)) < len(names):
            raise symbol_twice()
        return names

    def refuse_unread(self, *also_known: str) -> None:
        """RefusedError when something was sent that nobody here reads."""
        unread = set(self.values) - self.seen - set(also_known)
        if unread:
            raise unread_parameters(len(self.values) - len(unread), len(self.values))
