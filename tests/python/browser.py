"""A browser without a script engine: cookies, redirects, forms. What the script of the Connect page does, its
user does by hand here."""

from __future__ import annotations

import dataclasses
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser

MAX_STEPS = 12


@dataclasses.dataclass(frozen=True)
class Button:
    """What can be pressed: it sends its form."""

    text: str
    method: str
    action: str
    fields: list[tuple[str, str]]

    def has(self, name: str, value: str) -> bool:
        return (name, value) in self.fields


@dataclasses.dataclass
class Page:
    url: str
    status: int
    headers: dict[str, str]
    text: str
    html: str
    buttons: list[Button]
    #: Where the page leads by itself (`<meta http-equiv="refresh">`).
    onward: str | None
    #: What the page's script is told, on its `<main>`.
    data: dict[str, str]

    def button(self, text: str, **fields: str) -> Button:
        """The only button with this text whose form has these fields."""
        found = [
            button
            for button in self.buttons
            if button.text.startswith(text) and all(button.has(*pair) for pair in fields.items())
        ]
        assert len(found) == 1, f"{len(found)} buttons {text!r} {fields} in {self.buttons}\n{self.text}"
        return found[0]

    def offers(self, text: str, **fields: str) -> bool:
        return any(
            button.text.startswith(text) and all(button.has(*pair) for pair in fields.items())
            for button in self.buttons
        )


@dataclasses.dataclass(frozen=True)
class Hop:
    """One request of the browser and the head of its answer."""

    method: str
    url: str
    status: int
    location: str | None
    headers: dict[str, str]


class Browser:
    """One person's. It remembers where it has been."""

    def __init__(self) -> None:
        self.cookies = http.cookiejar.CookieJar()
        self.hops: list[Hop] = []
        self.pages: list[Page] = []
        self._opener = urllib.request.OpenerDirector()
        for handler in (urllib.request.HTTPHandler(), urllib.request.HTTPCookieProcessor(self.cookies)):
            self._opener.add_handler(handler)

    @property
    def page(self) -> Page:
        return self.pages[-1]

    def open(self, url: str) -> Page:
        """Goes there, and on to where it leads. A fragment stays here, as it does in every browser."""
        where, fragment = urllib.parse.urldefrag(url)
        page = self._go("GET", where)
        token = urllib.parse.parse_qs(fragment).get("session")
        if token and page.status == 200:
            # The page's script: it reads the token, takes it out of the address, and posts it.
            return self._go("POST", where, [("session", token[0])])
        return page

    def press(self, text: str, **fields: str) -> Page:
        button = self.page.button(text, **fields)
        return self._go(button.method, button.action, button.fields)

    def submit(self, button: Button, *, onward: bool = True, **changes: str) -> Page:
        """Sends a form with other values than the page had put there. Without ``onward`` it stays on a page
        that leads on by itself."""
        fields = [(name, changes.get(name, value)) for name, value in button.fields]
        return self._go(button.method, button.action, fields, onward=onward)

    def _go(
        self, method: str, url: str, fields: list[tuple[str, str]] | None = None, *, onward: bool = True
    ) -> Page:
        for _ in range(MAX_STEPS):
            body = None
            if fields is not None and method == "POST":
                body = urllib.parse.urlencode(fields).encode()
            elif fields:
                url = f"{url.partition('?')[0]}?{urllib.parse.urlencode(fields)}"
            request = urllib.request.Request(url, body, method=method)
            with self._opener.open(request, timeout=30) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                text = response.read().decode()
                status = response.status
            location = headers.get("location")
            self.hops.append(Hop(method, url, status, location, headers))
            if location is not None and 300 <= status < 400:
                # 307 and 308 would send a form again, and with it what stands in it, to somebody else.
                assert status in (302, 303), f"{method} {url}: {status}"
                method, url, fields = "GET", urllib.parse.urljoin(url, location), None
                continue
            page = parse(url, status, headers, text)
            self.pages.append(page)
            if page.onward is None or not onward:
                return page
            method, url, fields = "GET", page.onward, None
        raise AssertionError(f"the way does not end: {self.hops}")


def parse(url: str, status: int, headers: dict[str, str], html: str) -> Page:
    reader = _Reader(url)
    reader.feed(html)
    reader.close()
    text = " ".join("".join(reader.text).split())
    return Page(url, status, headers, text, html, reader.buttons, reader.onward, reader.data)


class _Reader(HTMLParser):
    """Finds what can be pressed and what can be read."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.text: list[str] = []
        self.buttons: list[Button] = []
        self.onward: str | None = None
        self._form: tuple[str, str] | None = None
        self._fields: list[tuple[str, str]] = []
        self.data: dict[str, str] = {}
        self._waiting: list[Button] = []
        self._button: tuple[Button, list[str]] | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag in ("script", "style", "title", "template"):
            self._silent += 1
        elif tag == "meta" and at.get("http-equiv", "").lower() == "refresh":
            _, _, target = at["content"].partition("url=")
            self.onward = urllib.parse.urljoin(self.url, target)
        elif tag == "main":
            self.data = {name[5:]: value for name, value in at.items() if name.startswith("data-")}
        elif tag == "form":
            action = urllib.parse.urljoin(self.url, at.get("action", ""))
            self._form = (at.get("method", "get").upper(), action)
            self._fields, self._waiting = [], []
        elif tag == "input" and self._form and at.get("name") and "disabled" not in at:
            kind = at.get("type", "text")
            if kind not in ("checkbox", "radio", "submit") or "checked" in at:
                self._fields.append((at["name"], at.get("value", "")))
        elif tag == "button" and self._form and at.get("type", "submit") == "submit":
            own = [(at["name"], at.get("value", ""))] if at.get("name") else []
            method, action = self._form
            if "formaction" in at:
                action = urllib.parse.urljoin(self.url, at["formaction"])
            self._button = (Button("", method, action, own), [])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "title", "template"):
            self._silent -= 1
        elif tag == "button" and self._button and self._form:
            button, text = self._button
            self._waiting.append(dataclasses.replace(button, text=" ".join("".join(text).split())))
            self._button = None
        elif tag == "form" and self._form:
            # A field may stand behind the button that sends it.
            for button in self._waiting:
                fields = [*self._fields, *button.fields]
                self.buttons.append(dataclasses.replace(button, fields=fields))
            self._form = None

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        self.text.append(data)
        if self._button:
            self._button[1].append(data)
