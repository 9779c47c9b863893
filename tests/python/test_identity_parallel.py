"""Two users, many calls at once by one client: nobody ever acts with what is not theirs."""

from __future__ import annotations

import asyncio
import random
import time

from alter_sdk import GrantNotFoundError
from oauth_provider import account
from people import connect_own, known

#: The Rust suite makes five times as many.
CALLS = 2000
AT_ONCE = 64


async def test_mixed_calls_of_two_users_never_see_each_others_credential(
    identified, provider, idp
) -> None:
    async with identified.sdk() as app:
        users = [await known(app, idp), await known(app, idp)]
        # One provider for both: what each has there is their own.
        provider.register(identified)
        accounts = {user.sub: account() for user in users}
        grants = {}
        for user in users:
            grants[user.sub] = (await connect_own(app, provider, user.token, accounts[user.sub])).grant_id
        tokens = {user.sub: [user.token, *(idp.token(user.sub) for _ in range(3))] for user in users}
        others = {users[0].sub: users[1].sub, users[1].sub: users[0].sub}
        gate, mix = asyncio.Semaphore(AT_ONCE), random.Random(5)
        plan = [(mix.choice(users).sub, mix.randrange(4), mix.randrange(10)) for _ in range(CALLS)]

        async def call(sub: str, token: int, way: int) -> str | None:
            user_token = tokens[sub][token]
            async with gate:
                if way == 0:
                    try:
                        await app.proxy_request(
                            "GET", provider.url("/x"), grant_id=grants[others[sub]], user_token=user_token
                        )
                    except GrantNotFoundError:
                        return None
                    return "somebody else's"
                which = {"grant_id": grants[sub]} if way == 1 else {"provider": "notes"}
                reply = await app.proxy_request("GET", provider.url("/x"), user_token=user_token, **which)
                return reply.body_json()["sub"]

        before, begun = provider.state()["api"], time.monotonic()
        answers = await asyncio.gather(*(call(*planned) for planned in plan))
        print(f"{CALLS} calls in {time.monotonic() - begun:.1f} s")
    for (sub, _, way), answer in zip(plan, answers, strict=True):
        assert answer == (None if way == 0 else accounts[sub]), (sub, way)
    asked = sum(way != 0 for _, _, way in plan)
    api = provider.state()["api"]
    assert {name: api[name] - before[name] for name in api} == {"ok": asked, "401": 0, "403": 0}
