"""The demo's two users, by the tokens that `alter demo --json` prints."""

from __future__ import annotations

from alter_sdk import App, GrantNotFoundError


async def test_each_finds_what_is_theirs(vault, refused) -> None:
    api, provider = vault.oauth["api_url"], vault.oauth["provider"]
    async with App(api_key=vault.app_key, user_token_getter=lambda: vault.user_jwt) as app:
        assert (await app.proxy_request("GET", api, provider=provider)).status_code == 200
        grants = (await app.list_grants()).grants
        assert grants and {grant.principal_type for grant in grants} <= {"user", "group"}
        identity = await app.resolve_identity()
        assert identity.user_status == "active"
    async with App(api_key=vault.app_key, user_token_getter=lambda: vault.user_jwt_empty) as app:
        call = app.proxy_request("GET", api, provider=provider)
        await refused(GrantNotFoundError, "grant_not_found", call)
        assert (await app.list_grants()).total == 0
        other = await app.resolve_identity()
        assert other.app_user_id != identity.app_user_id
        assert await app.verify_user_token(vault.user_jwt_empty) == other.external_subject_id
        by_call = await app.resolve_identity(user_token=vault.user_jwt)
        assert by_call.app_user_id == identity.app_user_id
