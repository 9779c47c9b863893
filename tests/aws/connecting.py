"""An app's provider, and the way from a link to a grant."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import threading
from collections.abc import Iterator
from typing import Any

from account import Account
from alter_sdk import App
from browser import Browser
from portal import Tenant
from toy import CLIENT_ID, Family, Toy

POLL_SECONDS = 0.1
ANSWER_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Grant:
    grant_id: str
    account: str
    operation: str


def register(tenant: Tenant, toy: Toy) -> dict[str, Any]:
    """As an operator does it, with a definition of their own."""
    body = {"definition": toy.definition(), "client_id": CLIENT_ID, "client_secret": toy.client_secret}
    view = tenant.call("POST", "/providers", body)
    assert toy.client_secret not in str(view)
    return view


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    with contextlib.closing(Browser()) as browser:
        yield browser


async def connect(app: App, toy: Toy, **options: Any) -> tuple[Grant, Family]:
    """Connects the toy's account; the provider's side of it is the second."""
    session = await app.create_connect_session(**{"allowed_providers": ["toy"], **options})
    with browsing() as browser:
        done = browser.connect(session.connect_url)
    assert (done.kind, done.status) == ("done", 200), done.text
    (result,) = await app.poll_connect_session(session.session_token, poll_interval=POLL_SECONDS)
    return Grant(result.grant_id, result.account_identifier, result.operation), toy.families[-1]


def receipt(tenant: Tenant, grant: Grant) -> str | None:
    """What became of telling the provider."""
    told = tenant.call("GET", f"/grants/{grant.grant_id}")["connection"]["provider_revocation"]
    return told and told["status"]


def finish_early(connect_url: str, toy: Toy) -> Family:
    """A visit whose user is done before the provider has answered; returns what the provider gave all the same."""
    with browsing() as browser, toy.holding() as held:
        page = browser.open(connect_url)
        back = threading.Thread(target=browser.leave, args=(page,))
        back.start()
        assert held.reached.wait(ANSWER_SECONDS), "the provider was not asked for tokens"
        done = browser.submit(page, "/finish")
        assert done.kind == "done", done.text
        held.released.set()
        back.join(ANSWER_SECONDS)
    return toy.families[-1]


def age(account: Account, toy: Toy, **parts: int) -> None:
    """This much time passes, as far as the toy's connections can tell."""
    for item in account.items("MainTable", "connection#"):
        body = item["b"]["B"]
        document = json.loads(body[1:])
        if toy.host not in str(document) or document["state"] != {"state": "active"}:
            continue
        for name in ("obtained_at", "expires_at"):
            then = datetime.datetime.fromisoformat(document["tokens"][name]) - datetime.timedelta(**parts)
            document["tokens"][name] = then.isoformat()
        item["b"]["B"] = body[:1] + json.dumps(document).encode()
        # Its place in the list of what is due.
        due, _, name = item["i2s"]["S"].partition("#")
        item["i2s"]["S"] = f"{int(due) - datetime.timedelta(**parts) // datetime.timedelta(milliseconds=1):020}#{name}"
        account.put("MainTable", item)


def look_now(account: Account) -> None:
    """What the clock says each minute."""
    account.send(json.dumps({"work": "due"}), "WorkQueue")
