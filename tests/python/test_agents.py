"""Agents: what their own keys reach, and apps that act for them."""

from __future__ import annotations

import uuid

import pytest
from alter_sdk import (
    AgentDelegationMissingError,
    AgentNotFoundError,
    AlterSDKError,
    CallerAgentMismatchError,
    GrantNotFoundError,
    KeyRevokedError,
    NoDelegatedGrantError,
)


@pytest.fixture
def bot(tenant):  # type: ignore[no-untyped-def]
    return tenant.agent()


async def test_an_agents_key_reaches_its_own_grants_only(tenant, bot, upstream, refused) -> None:
    mine, theirs = bot.grant(label="mine"), tenant.agent().grant(label="theirs")
    mark = uuid.uuid4().hex
    url = upstream.url(f"/status/200?{mark}")
    async with bot.sdk() as agent:
        page = await agent.list_grants()
        assert [(item.grant_id, item.agent_id) for item in page.grants] == [(mine, bot.agent_id)]
        assert (await agent.proxy_request("GET", url, grant_id=mine)).status_code == 200
        assert (await agent.proxy_request("GET", url, provider=tenant.provider)).status_code == 200
        for other in [theirs, tenant.grant_id, str(uuid.uuid4())]:
            call = agent.proxy_request("GET", url, grant_id=other)
            error = await refused(AgentDelegationMissingError, "grant_not_found", call)
            assert isinstance(error, GrantNotFoundError) and error.agent_id == bot.agent_id
    assert len(upstream.seen(mark)) == 2


async def test_the_app_reaches_an_agents_grant_only_when_it_acts_for_it(
    tenant, bot, upstream, refused
) -> None:
    grant_id = bot.grant()
    url = upstream.url("/status/200")
    async with tenant.sdk() as app:
        await refused(GrantNotFoundError, "grant_not_found", app.proxy_request("GET", url, grant_id=grant_id))
        acting = app.get_agent(bot.agent_id)
        assert (await acting.proxy_request("GET", url, grant_id=grant_id)).status_code == 200
        assert (await acting.proxy_request("GET", url, provider=tenant.provider)).status_code == 200
        # One call on the agent's behalf, without a client of its own.
        once = await app.proxy_request("GET", url, grant_id=grant_id, caller=bot.agent_id)
        assert once.status_code == 200
        page = await acting.list_grants()
        assert [item.grant_id for item in page.grants] == [grant_id]
        await acting.close()


async def test_own_key_and_acting_app_are_recorded_alike(tenant, bot, upstream) -> None:
    grant_id = bot.grant()
    url = upstream.url("/status/200")
    async with bot.sdk() as agent, tenant.sdk() as app:
        await agent.proxy_request("GET", url, grant_id=grant_id)
        acting = app.get_agent(bot.agent_id)
        await acting.proxy_request("GET", url, grant_id=grant_id)
        await acting.close()
    rows = tenant.audit(f"&event=call&agent_id={bot.agent_id}")
    assert len(rows) == 2
    for row in rows:
        assert (row["actor_type"], row["agent_id"], row["grant_id"]) == ("agent", bot.agent_id, grant_id)
        assert (row["principal_type"], row["principal_agent_id"]) == ("agent", bot.agent_id)
    assert len({row["caller_key_prefix"] for row in rows}) == 2


async def test_an_agent_with_nothing_on_a_provider(tenant, bot, upstream, refused) -> None:
    url = upstream.url("/status/200")
    async with bot.sdk() as agent:
        for provider in [tenant.provider, "no-such-provider"]:
            call = agent.proxy_request("GET", url, provider=provider)
            error = await refused(NoDelegatedGrantError, "no_delegated_grant", call)
            assert (error.provider_id, error.agent_id) == (provider, bot.agent_id)
            assert error.details["provider_id"] == provider
            assert error.details["agent_id"] == bot.agent_id
            assert error.details["status_code"] == 404


async def test_agents_revoke_nothing(tenant, bot, refused) -> None:
    grant_id = bot.grant()
    async with tenant.sdk() as app:
        acting = app.get_agent(bot.agent_id)
        call = acting._client.revoke_grant(grant_id)
        await refused(GrantNotFoundError, "grant_not_found", call)
        await acting.close()
        assert (await app.list_grants(status="active")).total == 2
    async with bot.sdk() as agent:
        await refused(GrantNotFoundError, "grant_not_found", agent._client.revoke_grant(grant_id))
        assert (await agent.list_grants(status="active")).total == 1


async def test_another_agents_identity_cannot_be_claimed(tenant, bot, upstream, refused) -> None:
    own, other = bot.grant(), tenant.agent()
    url = upstream.url("/status/200")
    async with bot.sdk(caller=other.agent_id) as agent:
        for call in [agent.list_grants(), agent.proxy_request("GET", url, grant_id=own)]:
            await refused(CallerAgentMismatchError, "caller_agent_mismatch", call)
    async with bot.sdk(caller=bot.agent_id) as agent:
        assert (await agent.list_grants()).total == 1, "its own id is fine"
    async with bot.sdk(caller="research run 7") as agent:
        assert (await agent.list_grants()).total == 1, "a label is only a label"


@pytest.mark.parametrize("kind", ["unknown", "another app's", "revoked"])
async def test_acting_for_an_agent_that_is_not_there(portal, upstream, tenant, bot, refused, kind) -> None:
    agent_id = {
        "unknown": str(uuid.uuid4()),
        "another app's": portal.tenant(upstream.host).agent().agent_id,
        "revoked": bot.agent_id,
    }[kind]
    bot.revoke()
    mark = uuid.uuid4().hex
    async with tenant.sdk() as app:
        acting = app.get_agent(agent_id)
        for call in [
            acting.list_grants(),
            acting.proxy_request("GET", upstream.url(f"/{mark}"), grant_id=tenant.grant_id),
            acting.proxy_request("GET", upstream.url(f"/{mark}"), provider=tenant.provider),
            acting.request("GET", upstream.url(f"/{mark}"), provider=tenant.provider),
        ]:
            error = await refused(AgentNotFoundError, "caller_agent_unresolved", call)
            assert error.details.get("status_code", 404) == 404
        await acting.close()
    assert upstream.seen(mark) == []


async def test_a_revoked_agent_is_out_at_once(tenant, bot, upstream, refused) -> None:
    grant_id = bot.grant()
    mark = uuid.uuid4().hex
    url = upstream.url(f"/status/200?{mark}")
    async with bot.sdk() as agent:
        assert (await agent.proxy_request("GET", url, grant_id=grant_id)).status_code == 200
        bot.revoke()
        # Its keys die with it, so that is what it learns.
        for call in [
            agent.list_grants(),
            agent.proxy_request("GET", url, grant_id=grant_id),
            agent.request("GET", url, grant_id=grant_id),
        ]:
            await refused(KeyRevokedError, "key_revoked", call)
    assert len(upstream.seen(mark)) == 1


async def test_an_agents_key_is_no_use_in_another_app(portal, upstream, tenant, bot) -> None:
    other = portal.tenant(upstream.host)
    async with bot.sdk() as agent:
        with pytest.raises(AlterSDKError) as caught:
            await agent.proxy_request("GET", upstream.url("/status/200"), grant_id=other.grant_id)
    assert type(caught.value) is AgentDelegationMissingError


async def test_a_trace_is_on_the_record_of_each_call_within(tenant, bot, upstream) -> None:
    grant_id = bot.grant()
    url = upstream.url("/status/200")
    async with bot.sdk(caller="planner") as agent:
        async with agent.trace(run_id="run-1", thread_id="thread-9", role="writer"):
            await agent.proxy_request("GET", url, grant_id=grant_id)
            await agent.list_grants()
        await agent.proxy_request("GET", url, grant_id=grant_id)
    after, within = tenant.audit("&event=call")
    assert within["context"] == {
        "agent": "planner",
        "run_id": "run-1",
        "thread_id": "thread-9",
        "role": "writer",
    }
    assert (within["caller"], within["caller_type"]) == ("planner", "agent")
    assert after["context"] == {} and after["caller"] == "planner"
