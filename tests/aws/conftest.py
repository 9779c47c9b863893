"""One emulated account with the template's stack, one provider, and a new app for every test that asks for one."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

import pytest
import recorded
import template
from account import Account
from distribution import Distribution
from edge import Edge
from emulator import Emulator, free_port
from idp import Idp
from portal import Portal, Tenant
from recorder import Recorder
from runtime import Runtime
from shop import Shop
from stack import deploy
from toy import Toy
from upstream import Upstream
from wallet import put_site

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARAMETERS = {"Architecture": "x86_64", "DeletionProtection": "false", "LogLevel": "info"}


def given(variable: str) -> pathlib.Path:
    """What `cargo xtask lambda e2e` passes."""
    if named := os.environ.get(variable):
        return pathlib.Path(named)
    raise RuntimeError(f"{variable} is not set: run `cargo xtask lambda e2e`")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def account(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Deployed once. What the functions asked AWS for is written down at the end, for the permission check."""
    directory = tmp_path_factory.mktemp("account")
    binaries = given("ALTER_FUNCTIONS")
    with contextlib.ExitStack() as stop:
        emulator = Emulator(directory)
        stop.callback(emulator.close)
        recorder = Recorder(emulator.port)
        stop.callback(recorder.close)
        port, wallet = free_port(), free_port()
        addresses = {"PublicUrl": f"http://127.0.0.1:{port}", "WalletUrl": f"http://127.0.0.1:{wallet}"}
        translated = template.translate(template.read())
        stack = deploy(emulator, recorder, translated, binaries, {**PARAMETERS, **addresses})
        streaming = Runtime(binaries / "forward", stack.environment("forward"), directory / "forward.log")
        stop.callback(streaming.close)
        edge = Edge(port, emulator.port, stack.api_path, streaming)
        stop.callback(edge.close)
        distribution = Distribution(wallet, translated, stack, edge)
        stop.callback(distribution.close)
        account = Account(emulator, recorder, stack, edge, distribution)
        yield account
        if request.session.testsfailed:
            print(f"\n-- what the functions said --\n{account.log()}\n{(directory / 'forward.log').read_text()}")
        recorded.write(given("ALTER_RECORDED"), recorder.of(), stack.names, stack.functions)


@pytest.fixture(scope="session", autouse=True)
def no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing here speaks TLS, and reading the bundle of public certificates takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


@pytest.fixture(autouse=True)
def base_url(account: Account, monkeypatch: pytest.MonkeyPatch) -> str:
    """The only way to tell the published client where the vault is."""
    monkeypatch.setenv("ALTER_BASE_URL", account.edge.base_url)
    return account.edge.base_url


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with contextlib.closing(Upstream()) as upstream:
        yield upstream


@pytest.fixture
def toy() -> Iterator[Toy]:
    with contextlib.closing(Toy()) as toy:
        yield toy


@pytest.fixture
def idp() -> Iterator[Idp]:
    with contextlib.closing(Idp()) as idp:
        yield idp


@pytest.fixture
def shop(base_url: str, tenant: Tenant, idp: Idp, upstream: Upstream) -> Shop:
    idp.register(tenant)
    return Shop(base_url, tenant, idp, upstream)


@pytest.fixture(scope="session")
def site(account: Account, tmp_path_factory: pytest.TempPathFactory) -> None:
    put_site(account.distribution, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def portal(account: Account) -> Iterator[Portal]:
    with contextlib.closing(Portal(account.edge.base_url, account.first_operator_token())) as portal:
        yield portal


@pytest.fixture
def tenant(portal: Portal, upstream: Upstream) -> Tenant:
    return portal.tenant(upstream.host)
