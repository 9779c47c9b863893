"""A vault that logs all that it can."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from portal import Portal
from vault import Served


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    vault = Served.start(tmp_path_factory.mktemp("talkative"), "--log-level", "trace")
    try:
        yield vault
    finally:
        code = vault.stop()
    assert code == 0, f"the vault stopped with {code}"


@pytest.fixture(scope="session")
def portal(vault: Served) -> Iterator[Portal]:
    with contextlib.closing(Portal(vault.base_url, vault.operator_token)) as portal:
        yield portal
