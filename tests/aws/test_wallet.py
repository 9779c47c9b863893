"""The Wallet over the account: an end user signs in through the distribution, sees what has access, and ends it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest
from account import Account
from alter_sdk import GrantRevokedError
from distribution import VIEWER
from shop import Shop, somebody
from toy import Toy
from waiting import until
from wallet import PAGE, PROGRAM, Wallet, at_the_wallet

TOLD_SECONDS = 20


@pytest.fixture
def ada(shop: Shop) -> str:
    shop.idp.register_client(shop.tenant)
    shop.idp.person = somebody()
    return shop.idp.person


@pytest.fixture
def wallet(account: Account, site: None) -> Iterator[Wallet]:
    with at_the_wallet(account.distribution) as wallet:
        yield wallet


async def test_a_user_signs_in_sees_what_has_access_and_ends_it(account, shop, ada, wallet) -> None:
    _, (grant,) = shop.granted(ada)
    mark, reason = uuid.uuid4().hex, f"because {uuid.uuid4().hex}"
    before = len(account.recorder.of("wallet"))
    async with shop.tenant.sdk() as app:
        called = await app.proxy_request("GET", shop.upstream.url(f"/echo/{mark}"), grant_id=grant, reason=reason)
        assert called.status_code == 200
        assert wallet.enter(shop.tenant.app_id).content == PAGE
        assert wallet.get("/session")["subject"] == ada
        (card,) = wallet.get("/overview")["grants"]
        assert (card["grant_id"], card["status"], card["may_revoke"]) == (grant, "active", True)

        def called_row() -> dict | None:
            rows = wallet.get("/activity?limit=500")["items"]
            return next((row for row in rows if row["reason"] == reason and row["outcome"] == "success"), None)

        row = until(called_row, TOLD_SECONDS, "the call is on the user's record")
        assert row == next(one for one in shop.tenant.audit() if one["id"] == row["id"])

        ended = wallet.post(f"/grants/{grant}/revoke", {"reason": "no longer"})
        assert ended.status_code == 200 and ended.json()["grant"]["status"] == "revoked", ended.text
        with pytest.raises(GrantRevokedError):
            await app.proxy_request("GET", shop.upstream.url(f"/echo/after-{mark}"), grant_id=grant)
    assert shop.upstream.seen(f"after-{mark}") == []
    assert len(account.recorder.of("wallet")) > before
    assert account.recorder.of("wallet", "kms") == [] == account.recorder.of("wallet", "secretsmanager")


def test_a_connection_that_its_user_ends_is_ended_at_the_provider(account, shop, ada, wallet, toy: Toy) -> None:
    family = shop.connect(ada, toy)
    refresh = family.refresh
    wallet.enter(shop.tenant.app_id)
    (card,) = [one for one in wallet.get("/overview")["grants"] if one["kind"] == "oauth"]
    receipt = wallet.post(f"/grants/{card['grant_id']}/revoke", {}).json()["grant"]["ended"]
    assert receipt["tokens_deleted"] and receipt["from"] == "wallet"
    until(lambda: refresh in toy.told, TOLD_SECONDS, "the provider was told")
    detail = wallet.get(f"/grants/{card['grant_id']}")
    assert detail["grant"]["status"] == "revoked" and family.access not in str(detail)
    assert account.recorder.of("wallet", "kms") == []


def test_the_way_out_leads_through_the_identity_provider(shop, ada, wallet) -> None:
    wallet.enter(shop.tenant.app_id)
    stolen = wallet.cookies
    location = wallet.post("/sign-out", {}).json()["location"]
    assert location.startswith(f"{shop.idp.issuer}/end-session?")
    back = httpx.get(location, timeout=30)
    assert back.headers["location"] == f"{wallet.url}/sign-in?state={shop.tenant.app_id}"
    assert wallet.ask("GET", "/session").status_code == 401
    for name, value in stolen.items():
        answer = wallet.ask("GET", "/session", Cookie=f"{name}={value}")
        assert (answer.status_code, answer.json()["error"]) == (401, "wallet_session_required")


def test_another_page_changes_nothing(shop, ada, wallet) -> None:
    _, (grant,) = shop.granted(ada)
    wallet.enter(shop.tenant.app_id)
    token = {"X-Alter-CSRF": wallet.get("/session")["csrf_token"]}
    for forged in (
        {},
        {**token, "Origin": "https://evil.example"},
        {**token, "Sec-Fetch-Site": "cross-site"},
        {"X-Alter-CSRF": "A" * 43},
    ):
        answer = wallet.ask("POST", f"/grants/{grant}/revoke", {}, **forged)
        assert (answer.status_code, answer.json()["error"]) == (403, "csrf_failed"), forged
    assert shop.tenant.grant_view(grant)["status"] == "active"


def test_an_error_of_the_api_is_no_page_and_an_address_of_the_site_is(site, wallet) -> None:
    page = wallet.page("/grants/019a0000-0000-7000-8000-000000000001", **{"Accept-Encoding": "gzip"})
    assert (page.status_code, page.content, page.headers["cache-control"]) == (200, PAGE, "no-cache")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert wallet.page("/sign-in", **{"Accept-Encoding": "br"}).headers["content-encoding"] == "br"
    program = wallet.page(f"/{PROGRAM}")
    assert program.headers["content-type"] == "application/wasm" and "immutable" in program.headers["cache-control"]
    assert wallet.page("/nothing-00000000deadbeef.js").status_code == 403
    for path in ("/wallet/api/session", "/wallet/api/nothing", "/api/auth/nothing"):
        answer = wallet.page(path)
        assert answer.status_code in (401, 404) and PAGE not in answer.content, path


def test_the_record_has_the_browsers_address_and_nobody_can_make_one_up(account, shop, ada, wallet) -> None:
    _, (first, second) = shop.granted(ada, 2)
    wallet.enter(shop.tenant.app_id)
    assert wallet.post(f"/grants/{first}/revoke", {}).status_code == 200
    # Past the distribution, with its headers but for the proof.
    token = wallet.get("/session")["csrf_token"]
    cookies = "; ".join(f"{name}={value}" for name, value in wallet.cookies.items())
    made_up = {"CloudFront-Viewer-Address": "192.0.2.1:1", "X-Alter-Edge": "A" * 48}
    headers = {"Origin": wallet.url, "X-Alter-CSRF": token, "Cookie": cookies, **made_up}
    past = f"{account.edge.base_url}/wallet/api/grants/{second}/revoke"
    assert httpx.post(past, json={}, headers=headers, timeout=30).status_code == 200

    def ended() -> dict[str, str] | None:
        rows = {row["grant_id"]: row for row in shop.tenant.audit() if row["event"] == "grant.revoked"}
        return {grant: rows[grant]["ip"] for grant in (first, second)} if {first, second} <= rows.keys() else None

    ips = until(ended, TOLD_SECONDS, "both are on the record")
    assert ips[first] == VIEWER and ips[second] not in (VIEWER, "192.0.2.1")
