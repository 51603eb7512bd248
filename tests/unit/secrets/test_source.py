"""What is remembered of secrets, for how long, and what is noted of it."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import msgspec
import pytest

from holdfast.errors import ConfigError, RetryableError
from holdfast.secrets import (
    Reference,
    Secret,
    SecretSource,
    Stage,
    Version,
    _sources,
    followed,
    parse,
    resolve,
)
from holdfast.secrets.candidates import candidates
from holdfast.secrets.local import Files
from holdfast.secrets.source import AGAIN_S, STALE_S, TTL_S
from holdfast.telemetry import log

REFERENCE = "vault:secret/binance#api_key"


class Shelf:
    """A provider that counts, and that can be made to wait, to fail or to say other things."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.values = {Stage.CURRENT: "first-value-4711", Stage.PREVIOUS: "zeroth-value-4711"}
        self.gate = threading.Event()
        self.gate.set()

    def fetch(self, _reference: Reference, stage: Stage) -> Version:
        self.asked += 1
        value = self.values[stage]
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return Version(Secret(msgspec.json.encode({"api_key": value}).decode()), "7")


class World:
    """A source over one shelf, and the time."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.shelf = Shelf()
        self.source = SecretSource({"vault": self.shelf}, mono_s=lambda: self.now_s)

    def get(self, stage: Stage = Stage.CURRENT) -> str:
        return self.source.get(parse(REFERENCE), stage=stage, purpose="test").secret.reveal()


@pytest.fixture
def world() -> World:
    return World()


@contextmanager
def logged() -> Iterator[StringIO]:
    told = StringIO()
    log.configure("info", stream=told, form="json")
    try:
        yield told
    finally:
        log.configure("error")


def test_a_secret_is_asked_for_once_in_five_minutes(world: World) -> None:
    for _ in range(3):
        assert world.get() == "first-value-4711"
    world.now_s += TTL_S * 0.89
    world.get()
    assert world.shelf.asked == 1
    world.shelf.values[Stage.CURRENT] = "second-value-4711"
    world.now_s += TTL_S * 0.22  # whatever the jitter was
    assert world.get() == "second-value-4711"
    assert world.shelf.asked == 2


def test_members_of_one_secret_come_from_one_answer(world: World) -> None:
    world.get()
    with pytest.raises(ConfigError, match="api_secret"):
        world.source.get(parse("vault:secret/binance#api_secret"))
    assert world.shelf.asked == 1


def test_after_a_rotation_both_versions_are_asked_for_anew(world: World) -> None:
    world.get(), world.get(Stage.PREVIOUS)
    world.shelf.values = {Stage.CURRENT: "second-value-4711", Stage.PREVIOUS: "first-value-4711"}
    world.source.invalidate(parse(REFERENCE))
    assert (world.get(), world.get(Stage.PREVIOUS)) == ("second-value-4711", "first-value-4711")


def test_who_is_refused_tries_what_is_remembered_then_the_current_then_the_one_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sources, "main", world.source)
    world.get()
    world.shelf.values = {Stage.CURRENT: "second-value-4711", Stage.PREVIOUS: "first-value-4711"}
    trying = candidates(REFERENCE, purpose="test")
    assert next(trying).reveal() == "first-value-4711"
    assert world.shelf.asked == 1, "who is let in asks nobody"
    assert next(trying).reveal() == "second-value-4711"
    assert world.shelf.asked == 2, "the one before is asked for only when it is needed"
    assert next(trying, None) is None, "the one before was tried already"
    world.shelf.values[Stage.PREVIOUS] = "zeroth-value-4711"
    found = [one.reveal() for one in candidates(REFERENCE, purpose="test")]
    assert found == ["second-value-4711", "zeroth-value-4711"]


def test_many_who_need_it_at_once_ask_once(world: World) -> None:
    world.shelf.gate.clear()
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(world.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    world.shelf.gate.set()
    for thread in threads:
        thread.join(10)
    assert found == ["first-value-4711"] * 8
    assert world.shelf.asked == 1


def test_an_answer_from_before_a_rotation_is_not_kept(world: World) -> None:
    world.shelf.gate.clear()
    thread = threading.Thread(target=world.get)
    thread.start()
    while not world.shelf.asked:
        thread.join(0.001)
    world.shelf.values[Stage.CURRENT] = "second-value-4711"
    world.source.invalidate()
    world.shelf.gate.set()
    thread.join(10)
    assert world.get() == "second-value-4711"


def test_an_old_value_goes_on_while_its_provider_is_silent_but_not_for_ever(world: World) -> None:
    world.get()
    world.shelf.error = RetryableError("seen: no answer")
    world.now_s += 2 * TTL_S
    with logged() as told:
        assert world.get() == "first-value-4711"
    assert '"action":"secret_stale"' in told.getvalue()
    asked = world.shelf.asked
    world.now_s += AGAIN_S / 2
    world.get()
    assert world.shelf.asked == asked, "a silent provider was asked again at once"
    world.now_s += STALE_S
    with pytest.raises(RetryableError):
        world.get()


def test_who_may_not_read_it_any_more_gets_no_old_value(world: World) -> None:
    world.get()
    world.now_s += 2 * TTL_S
    world.shelf.error = ConfigError("seen: refused")
    for error in (ConfigError, RetryableError):
        world.shelf.error = error("seen: refused, or silent")
        with pytest.raises(error):
            world.get()


def test_an_access_is_noted_with_what_it_was_for_and_without_what_it_is(world: World) -> None:
    with logged() as told:
        world.get()
        world.get()
        world.shelf.error = ConfigError("seen: refused")
        world.source.invalidate()
        with pytest.raises(ConfigError):
            world.get()
    lines = [msgspec.json.decode(line) for line in told.getvalue().splitlines()]
    kept = {"action": "secret_access", "reference": REFERENCE}
    assert [kept.items() <= line.items() for line in lines] == [True, True]
    assert [(line["of_version"], line["outcome"], line["purpose"]) for line in lines] == [
        ("7", "read", "test"), ("", "ConfigError", "test"),
    ]  # fmt: skip


def test_a_file_that_is_read_many_times_a_second_is_noted_again_when_something_is_new(
    tmp_path: Path,
) -> None:
    file, world = tmp_path / "password", World()
    source = SecretSource({"file": Files()}, mono_s=lambda: world.now_s)

    def get(purpose: str = "the database") -> None:
        source.get(parse(f"file:{file}"), purpose=purpose)

    def written(text: str, at_s: int) -> None:
        file.write_text(text)
        file.chmod(0o600)
        os.utime(file, (at_s, at_s))

    with logged() as told:
        written("first-value-4711", 1)
        for _ in range(100):
            get()
        get("Redis")
        written("second-value-4711", 2)
        get()
        get()
        file.unlink()
        for _ in range(3):
            with pytest.raises(ConfigError):
                get()
        written("second-value-4711", 2)
        get()
        world.now_s += TTL_S
        get()
    lines = [msgspec.json.decode(line) for line in told.getvalue().splitlines()]
    accesses = [line for line in lines if line["action"] == "secret_access"]
    assert [(line["purpose"], line["outcome"]) for line in accesses] == [
        ("the database", "read"), ("Redis", "read"), ("the database", "read"),
        ("the database", "ConfigError"), ("the database", "read"), ("the database", "read"),
    ]  # fmt: skip


def test_a_value_is_masked_from_when_it_was_read(world: World) -> None:
    value = world.get()
    assert value not in log.masked_text(f"it says {value} there")


def test_a_secret_shows_itself_in_no_way_but_one() -> None:
    secret = Secret("canary-value-4711")
    version = Version(secret, "3")
    shown = f"{secret} {secret!r} {version} {[secret]} {vars}" + repr({"a": version})
    try:
        raise ValueError(secret)
    except ValueError as error:
        shown += "".join(traceback.format_exception(error))
    assert "canary" not in shown
    for dump in (pickle.dumps, msgspec.json.encode):
        with pytest.raises(TypeError):
            dump(secret)
    assert secret == Secret("canary-value-4711")
    assert secret != Secret("another")


def test_a_file_that_everybody_may_write_is_refused_and_one_that_all_may_read_is_told(
    tmp_path: Path,
) -> None:
    file = tmp_path / "key"
    file.write_text("a-secret-4711")
    file.chmod(0o604)
    with logged() as told:
        assert resolve(f"file:{file}").reveal() == "a-secret-4711"
    assert '"action":"secret_file"' in told.getvalue()
    file.chmod(0o602)
    with pytest.raises(ConfigError, match="chmod 600"):
        resolve(f"file:{file}")


def test_what_is_no_text_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"canary-4711\xff")
    with pytest.raises(ConfigError) as caught:
        resolve(f"file:{file}")
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_forked_child_can_ask_while_its_parent_asks() -> None:
    from holdfast import secrets  # noqa: PLC0415

    secrets._sources.main._lock.acquire()  # as a thread of the parent may have it
    child = os.fork()
    if not child:
        signal.alarm(10)
        try:
            resolve("vault:secret/binance")
        except ConfigError:  # no VAULT_ADDR: it got as far as asking
            os._exit(0)
        os._exit(1)
    secrets._sources.main._lock.release()
    assert os.waitpid(child, 0)[1] == 0


def test_a_variable_leads_to_its_file_or_to_the_reference_that_it_holds(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-secret-4711\n")
    file = f"{tmp_path}/key"
    for environ in ({"KEY_FILE": file}, {"KEY": f"file:{file}"}):
        assert resolve("env:KEY", environ).reveal() == "a-secret-4711"
        assert followed("env:KEY", environ) == Reference("file", file)
    with pytest.raises(ConfigError, match="KEY and KEY_FILE"):
        resolve("env:KEY", {"KEY": "a-secret-4711", "KEY_FILE": file})
