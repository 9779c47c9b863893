"""Somebody who left comes back."""

from __future__ import annotations

import time

import anyio
from alter_sdk import GrantNotFoundError, PolicyViolationError
from oauth_provider import account
from people import connect_own, until_gone

#: After the last grant was ended, how long until one more look makes sure of it (`model/deprovision.rs`).
SETTLE_SECONDS = 30


async def test_an_operator_lets_somebody_back_and_what_was_revoked_stays_revoked(
    app, portal, identified, provider, idp, clock, refused
) -> None:
    provider.register(identified)
    sub, who = idp.person(), account()
    now = int(time.time())
    token = idp.forged(sub, claims={"iat": now, "exp": now + 3600})
    connected = await connect_own(app, provider, token, who)
    user_id = (await app.resolve_identity(user_token=token)).app_user_id
    identified.change_user(user_id, "deprovision")
    call = app.proxy_request("GET", provider.url("/x"), provider="notes", user_token=token)
    await refused(PolicyViolationError, "user_deprovisioned", call)
    await until_gone(app, provider, who)
    refusal = portal.send("POST", f"/apps/{identified.app_id}/users/{user_id}/reactivate", {})
    assert (refusal.status_code, refusal.json()["error"]) == (409, "deprovision_pending")
    with anyio.fail_after(10):
        while "deprovision" in identified.user(user_id):
            clock.forward(SETTLE_SECONDS + 1)
            await anyio.sleep(0.2)
    rows = portal.call("GET", "/audit?limit=1000&event=user.deprovision_finished")["items"]
    assert [row["outcome"] for row in rows if row["user_id"] == user_id] == ["success"]

    assert identified.change_user(user_id, "reactivate")["status"] == "active"
    call = app.proxy_request("GET", provider.url("/x"), provider="notes", user_token=token)
    await refused(GrantNotFoundError, "grant_not_found", call)
    again = await connect_own(app, provider, token, who)
    assert (again.grant_id != connected.grant_id, again.operation) == (True, "creation")
    reply = await app.proxy_request("GET", provider.url("/x"), provider="notes", user_token=token)
    assert reply.body_json()["sub"] == who
