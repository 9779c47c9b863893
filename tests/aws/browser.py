"""A browser that does what the Connect page's script would: cookies, redirects, forms, and the way on to the provider."""

from __future__ import annotations

import html.parser
import urllib.parse

import httpx

HOPS = 20


class Page(html.parser.HTMLParser):
    """A page's forms with their fields, and where it leads by itself."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.url, self.status, self.text = str(response.url), response.status_code, response.text
        self.kind, self.onward = "", ""
        self.forms: dict[str, dict[str, str]] = {}
        self._action = ""
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "main":
                self.kind = given.get("data-page", "")
            case "meta" if given.get("http-equiv") == "refresh":
                self.onward = given["content"].partition("url=")[2]
            case "form":
                self._action = given["action"]
                self.forms[self._action] = {}
            case "input" if self._action and "name" in given:
                self.forms[self._action][given["name"]] = given.get("value", "")

    def form(self, ending: str) -> tuple[str, dict[str, str]]:
        """The form whose action ends so."""
        (action,) = [action for action in self.forms if action.endswith(ending)]
        return action, self.forms[action]


class Browser:
    def __init__(self) -> None:
        self._http = httpx.Client(follow_redirects=True, max_redirects=HOPS, timeout=60)

    def get(self, url: str) -> Page:
        return Page(self._http.get(url))

    def submit(self, page: Page, ending: str, **typed: str) -> Page:
        action, fields = page.form(ending)
        headers = {"Sec-Fetch-Site": "same-origin"}
        answer = self._http.post(urllib.parse.urljoin(page.url, action), data={**fields, **typed}, headers=headers)
        return Page(answer)

    def open(self, connect_url: str) -> Page:
        """The link's page, and the session's behind it: the token stands where no server sees it."""
        address, _, fragment = connect_url.partition("#")
        token = urllib.parse.parse_qs(fragment)["session"][0]
        arrival = self.get(address)
        assert arrival.kind == "arrival", arrival.text
        return self.submit(arrival, "/sdk/oauth/connect", session=token)

    def leave(self, page: Page) -> Page:
        """Through the provider and back."""
        leaving = self.submit(page, "/start")
        assert leaving.kind == "leaving", leaving.text
        return self.get(leaving.onward)

    def connect(self, connect_url: str) -> Page:
        return self.leave(self.open(connect_url))

    def close(self) -> None:
        self._http.close()
