"""An end user at a browser: what they do on the Connect page, and an app that sends them there."""

from __future__ import annotations

import threading
import webbrowser
from typing import Any

import anyio
import httpx
from alter_sdk import App
from alter_sdk.models import ConnectResult

from browser import Browser, Page

CONNECT = "/sdk/oauth/connect"
#: How often the tests ask for a session's result, and how long at most, in seconds.
POLL = {"poll_interval": 0.05, "timeout": 15}


class Person(Browser):
    """Presses the buttons by what they say."""

    def connect(self, provider_id: str) -> Page:
        """To the provider, which answers by itself, and back."""
        for verb in ("Connect", "Reconnect", "Try"):
            if self.page.offers(verb, provider=provider_id):
                return self.press(verb, provider=provider_id)
        raise AssertionError(f"{provider_id} cannot be connected: {self.page.text}")

    def decline(self, provider_id: str) -> Page:
        return self.press("Not now", provider=provider_id)

    def done(self) -> Page:
        return self.press("Done")

    def cancel(self) -> Page:
        return self.press("Cancel")

    def visit(self, connect_url: str, *provider_ids: str) -> Page:
        """A whole visit: these are connected, one after the other, and then nothing more."""
        page = self.open(connect_url)
        if page.offers("Go on"):
            # A direct session's page presses it by itself.
            page = self.press("Go on")
        else:
            for provider_id in provider_ids:
                page = self.connect(provider_id)
        return self.done() if page.offers("Done") else page


class Desktop(webbrowser.BaseBrowser):
    """The browser that the client finds on its machine; somebody sits there and does ``walk``."""

    def __init__(self, walk: Any) -> None:
        super().__init__()
        self.opened: list[str] = []
        self._walk = walk
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.opened.append(url)
        thread = threading.Thread(target=self._run, args=(url,))
        self._threads.append(thread)
        thread.start()
        return True

    def close(self) -> None:
        """Waits until whoever sits there is done, and tells what went wrong."""
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()
        if self._failures:
            raise self._failures[0]

    def _run(self, url: str) -> None:
        try:
            self._walk(url)
        except BaseException as failure:
            self._failures.append(failure)


async def visit(person: Person, connect_url: str, *provider_ids: str) -> Page:
    return await anyio.to_thread.run_sync(person.visit, connect_url, *provider_ids)


async def connect(app: App, *provider_ids: str, **options: Any) -> list[ConnectResult]:
    """A session from its start to its result, by somebody with a browser of their own."""
    session = await app.create_connect_session(allowed_providers=list(provider_ids), **options)
    await visit(Person(), session.connect_url, *provider_ids)
    return await app.poll_connect_session(session.session_token, **POLL)


async def connect_one(app: App, **options: Any) -> ConnectResult:
    (result,) = await connect(app, "notes", **options)
    return result


async def raw_create(app: App, **body: Any) -> httpx.Response:
    """What the client would not send."""
    return await app._client._authed_backend_request("POST", f"{CONNECT}/session", body=body)


async def raw_poll(app: App, session_token: str) -> dict[str, Any]:
    """What goes over the wire, before the client reads it."""
    body = {"session_token": session_token}
    response = await app._client._authed_backend_request("POST", f"{CONNECT}/session/poll", body=body)
    assert response.status_code == 200, response.text
    return response.json()
