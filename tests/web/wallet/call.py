"""One call by the published SDK; what came of it is printed as JSON."""

import asyncio
import json
import os
import sys

from alter_sdk import App, HttpMethod


async def main() -> None:
    asked = json.loads(sys.argv[1])
    os.environ["ALTER_BASE_URL"] = asked["base_url"]
    selector = {name: asked[name] for name in ("grant_id", "provider") if name in asked}
    token = asked.get("user_token")
    more = {"user_token_getter": lambda: token} if token else {}
    async with App(api_key=asked["api_key"], caller="web-tests", **more) as app:
        try:
            reply = await app.proxy_request(
                HttpMethod(asked.get("method", "GET")), asked["url"], reason=asked.get("reason"), **selector
            )
            print(json.dumps({"status": reply.status_code, "body": reply.body_json()}))
        except Exception as error:  # noqa: BLE001: its name is what the test is about
            print(json.dumps({"error": type(error).__name__, "message": str(error)}))


asyncio.run(main())
