"""A canary credential takes every path that the client has, and comes out nowhere but at the provider."""

from __future__ import annotations

import asyncio
import base64
import logging

import pytest
from alter_sdk import AlterSDKError

from leaks import everything, leaks, spellings, written

FORMS = ["raw", "base64", "base64url", "percent", "query"]


def test_the_search_finds_what_it_should() -> None:
    secret = "sk_canary/1234+5678&="
    assert leaks(secret, b"nothing here") == []
    for name, text in spellings(secret).items():
        assert name in leaks(secret, b"..." + text + b"..."), name
    for padding in range(3):
        assert leaks(secret, base64.b64encode(b"x" * padding + secret.encode() + b"tail"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 3, 7, 16, 1000])
async def test_a_provider_that_sends_the_credential_back(tenant, upstream, form, size) -> None:
    """Raw and encoded, in the body and in a header, whole and in pieces of every awkward size."""
    path = f"/leak/{form}/{size}"
    async with tenant.sdk() as app:
        result = await app.proxy_request(
            "GET", upstream.url(f"{path}?{tenant.app_id}"), grant_id=tenant.grant_id
        )
    assert upstream.only(f"{path}?{tenant.app_id}").header("authorization") == f"Bearer {tenant.secret}"
    assert result.status_code == 200
    assert leaks(tenant.secret, everything(result)) == []
    body = result.body_text()
    assert body.startswith("before ") and body.endswith(" after") and "***" in body
    assert result.headers["x-leak"].startswith("it is ") and "***" in result.headers["x-leak"]


async def test_an_echo_of_all_headers(tenant, upstream) -> None:
    async with tenant.sdk() as app:
        result = await app.proxy_request(
            "POST", upstream.url("/echo"), grant_id=tenant.grant_id, json={"a": 1}
        )
    assert leaks(tenant.secret, everything(result)) == []
    headers = dict(result.body_json()["headers"])
    assert headers["authorization"].startswith("Bearer ***")


async def test_nothing_that_a_caller_or_operator_can_see_holds_it(tenant, vault, upstream, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    bot = tenant.agent()
    agent_grant = bot.grant()
    gone = tenant.grant(label="gone")
    tenant.revoke_grant(gone)
    outcomes: list[object] = []
    async with tenant.sdk(caller="canary") as app, bot.sdk() as agent:
        calls = [
            app.proxy_request("GET", upstream.url(path), grant_id=tenant.grant_id, reason="look")
            for path in [
                "/echo",
                "/status/401",
                "/status/500",
                "/short",
                "/silent",
                "/redirect/302/x",
                "/gzip",
            ]
        ]
        calls += [
            agent.proxy_request("PUT", upstream.url("/echo"), grant_id=agent_grant, json=[1]),
            agent.proxy_request("GET", upstream.url("/echo"), provider=tenant.provider),
            agent.request("GET", upstream.url("/echo"), grant_id=agent_grant),
            app.request("GET", upstream.url("/echo"), grant_id=tenant.grant_id),
            app.request("GET", upstream.url("/echo"), provider=tenant.provider, reason="raw token please"),
            app.proxy_request("GET", "http://127.0.0.1:1/", grant_id=tenant.grant_id),
            app.proxy_request("GET", upstream.url("/echo"), grant_id=gone),
            app.list_grants(),
            agent.list_grants(),
            app.revoke_grant(gone),
            app._client._authed_backend_request("GET", "/v1/audit?limit=1000"),
            app._client._authed_backend_request("GET", "/v1/audit/export?format=csv"),
            app._client._authed_backend_request("GET", "/v1/audit/export?format=jsonl"),
        ]
        outcomes += await asyncio.gather(*calls, return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(failures) == 8 and all(isinstance(failure, AlterSDKError) for failure in failures)
    used = [seen for seen in upstream.seen() if seen.header("authorization") == f"Bearer {tenant.secret}"]
    assert len(used) == 9, "the credential was really in use"
    for outcome in outcomes:
        data = everything(outcome) + getattr(outcome, "content", b"")
        assert leaks(tenant.secret, data) == [], outcome
        assert tenant.key.encode() not in data
    # The operator's side.
    for path in ["/secrets", f"/secrets/{tenant.secret_id}", "/grants", "/keys", "/audit?limit=1000"]:
        text = tenant.portal.text(f"/apps/{tenant.app_id}{path}")
        assert tenant.app_id in text
        assert leaks(tenant.secret, text.encode()) == []
        assert tenant.key not in text
    # What is written down: here, in the vault's log, and in its store.
    assert leaks(tenant.secret, caplog.text.encode()) == [] and tenant.key not in caplog.text
    log = vault.log.read_bytes()
    assert leaks(tenant.secret, log) == [] and tenant.key.encode() not in log
    stored = written(vault.data_dir)
    assert tenant.app_id.encode() in stored, "the search looks where the store is"
    assert leaks(tenant.secret, stored) == []
    assert tenant.key.encode() not in stored
