"""For tests in which time passes: a vault whose clock they set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from clock import Clock
from portal import Portal
from vault import Served


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Served]:
    vault = Served.start(tmp_path_factory.mktemp("timed"), **clock.environment)
    try:
        yield vault
    finally:
        code = vault.stop()
    assert code == 0, f"the vault stopped with {code}:\n{vault.log.read_text()}"


@pytest.fixture(scope="session")
def portal(vault: Served) -> Iterator[Portal]:
    with contextlib.closing(Portal(vault.base_url, vault.operator_token)) as portal:
        yield portal


@pytest.fixture(autouse=True)
def same_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client lives in the vault's time."""
    clock.follow(monkeypatch)
