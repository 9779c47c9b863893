"""One vault, one provider, and a new app for every test that asks for one."""

from __future__ import annotations

import contextlib
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from alter_sdk import AlterSDKError, App

from identity_provider import IdentityProvider
from oauth_provider import OAuthProvider
from person import Desktop
from portal import Portal, Tenant
from upstream import Upstream
from vault import Vault


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    vault = Vault.start(tmp_path_factory.mktemp("vault") / "log")
    try:
        yield vault
    finally:
        code = vault.stop()
    assert code == 0, f"the vault stopped with {code}:\n{vault.log.read_text()}"


@pytest.fixture(scope="session", autouse=True)
def no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing here speaks TLS, and reading the bundle of public certificates takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


@pytest.fixture(autouse=True)
def base_url(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> str:
    """The only way to tell the published client where the vault is."""
    monkeypatch.setenv("ALTER_BASE_URL", vault.base_url)
    return vault.base_url


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with contextlib.closing(Upstream()) as upstream:
        yield upstream


@pytest.fixture(scope="session")
def portal(vault: Vault) -> Iterator[Portal]:
    with contextlib.closing(Portal(vault.base_url, vault.operator_token)) as portal:
        yield portal


@pytest.fixture
def tenant(portal: Portal, upstream: Upstream) -> Tenant:
    return portal.tenant(upstream.host)


@pytest.fixture
async def app(tenant: Tenant) -> AsyncIterator[App]:
    """The published client with the app's key."""
    async with tenant.sdk() as app:
        yield app


Refused = Callable[..., Awaitable[Any]]


@pytest.fixture
def refused() -> Refused:
    """Awaits a call that must fail with exactly this class and wire code, and returns the error."""

    async def check(kind: type[AlterSDKError], code: str, call: Awaitable[Any]) -> Any:
        with pytest.raises(AlterSDKError) as caught:
            await call
        error = caught.value
        assert type(error) is kind, f"{type(error).__name__}: {error}, {error.details}"
        assert error.details["error"] == code
        assert error.message == str(error) and len(error.message) > 10
        return error

    return check


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OAuthProvider]:
    log = tmp_path_factory.mktemp("provider") / "log"
    with contextlib.closing(OAuthProvider(log)) as provider:
        yield provider


@pytest.fixture
def connected(tenant: Tenant, provider: OAuthProvider) -> Tenant:
    """An app that is registered at the provider."""
    provider.register(tenant)
    return tenant


@pytest.fixture
def several(connected: Tenant, provider: OAuthProvider) -> Tenant:
    """An app with three providers."""
    for name in ("calendar", "photos"):
        provider.register(connected, name)
    return connected


@pytest.fixture(scope="session")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    log = tmp_path_factory.mktemp("idp") / "log"
    with contextlib.closing(IdentityProvider(log)) as idp:
        yield idp


@pytest.fixture
def identified(tenant: Tenant, idp: IdentityProvider) -> Tenant:
    """An app whose users come from the identity provider."""
    idp.register(tenant)
    return tenant


@pytest.fixture
def user_token(idp: IdentityProvider) -> Callable[..., str]:
    """A token of somebody, who is changed first if anything is said of them."""

    def token(sub: str, **profile: Any) -> str:
        if profile:
            idp.change(sub, **profile)
        return idp.token(sub)

    return token


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[str], object]], Desktop]]:
    """Puts somebody at the browser of this machine."""
    desktops: list[Desktop] = []
    monkeypatch.setattr(webbrowser, "_tryorder", [])
    monkeypatch.setattr(webbrowser, "_browsers", {})

    def sit(walk: Callable[[str], object]) -> Desktop:
        desktops.append(Desktop(walk))
        webbrowser.register("desktop", None, desktops[-1], preferred=True)
        return desktops[-1]

    yield sit
    for desktop in desktops:
        desktop.close()
