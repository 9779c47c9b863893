"""The story: an operator's first token, a key, a secret, a grant, a call, its row, the end of the grant."""

from __future__ import annotations

import uuid

import httpx
import pytest
from alter_sdk import App, GrantRevokedError
from portal import SYSTEM, canary
from waiting import until

WRITTEN_SECONDS = 20


async def test_from_the_first_token_to_the_end_of_a_grant(account, portal, upstream) -> None:

    app_id = portal.call("POST", "/apps", {"name": "Story"})["app_id"]
    at = f"/apps/{app_id}"
    key = portal.call("POST", f"{at}/keys", {"name": "story"})["api_key"]
    secret = canary("story")
    stored = portal.call(
        "POST",
        f"{at}/secrets",
        {
            "name": "Provider",
            "credential_type": "bearer",
            "fields": {"token": secret},
            "allowed_hosts": [upstream.host],
        },
    )
    assert secret not in str(stored)
    grant = {"secret_id": stored["secret_id"], "principal": SYSTEM}
    grant_id = portal.call("POST", f"{at}/grants", grant)["grant_id"]

    mark = uuid.uuid4().hex
    reason = "To see whether the story holds"
    async with App(api_key=key) as app:
        result = await app.proxy_request(
            "POST", upstream.url(f"/echo/{mark}"), grant_id=grant_id, json={"n": 1}, reason=reason
        )
        assert result.status_code == 200 and result.body_json()["method"] == "POST"
        seen = upstream.only(mark)
        assert seen.header("authorization") == f"Bearer {secret}" and seen.body == b'{"n":1}'
        assert secret not in str(result.body_json())

        def finished() -> dict | None:
            rows = portal.call("GET", f"{at}/audit?grant_id={grant_id}&limit=1000")["items"]
            return next((row for row in rows if row["reason"] == reason and row["outcome"] != "started"), None)

        row = until(finished, WRITTEN_SECONDS, "the call's row went through queue and writer")
        assert (row["outcome"], row["grant_id"], row["status"]) == ("success", grant_id, 200)
        assert secret not in str(row)

        portal.call("POST", f"{at}/grants/{grant_id}/revoke", {})
        with pytest.raises(GrantRevokedError):
            await app.proxy_request("GET", upstream.url(f"/echo/after-{mark}"), grant_id=grant_id)
        assert upstream.seen(f"after-{mark}") == []


def test_what_is_no_route_reaches_no_function(account) -> None:
    def calls() -> int:
        # Those that follow queues go on with what was before.
        return sum(call.function not in {"worker", "audit-writer"} for call in account.recorder.of())

    before = calls()
    for method, path in [("GET", "/"), ("GET", "/sdk/proxy"), ("POST", "/portal/v2/me"), ("GET", "/v1/forward/x")]:
        answer = httpx.request(method, account.edge.base_url + path)
        assert answer.status_code == 404, path
    assert calls() == before


def test_a_wrong_token_opens_nothing(account) -> None:
    for token in ["alter_pat_" + "a" * 48, account.first_operator_token() + "a"]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{account.edge.base_url}/portal/v1/apps", headers=headers)
        assert answer.status_code == 401, answer.text
