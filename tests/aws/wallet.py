"""Somebody's browser at the Wallet: what its page asks, with what a browser says of where it asks from."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import httpx
import publish
from distribution import Distribution

# The site, in as few files as there are kinds of.
PAGE = b"<!doctype html><title>Wallet</title>"
PROGRAM = "wallet-09a9d83219a9637c.wasm"
# The page's own requests.
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
# An address that was typed, or opened from outside a browser.
TYPED = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}


def put_site(distribution: Distribution, directory: pathlib.Path) -> None:
    """The site's files into their bucket, as infra/README.md says how they get there."""
    files = [
        {"name": "index.html", "hashed": False, "bytes": len(PAGE), "brotli": 1},
        {"name": PROGRAM, "hashed": True, "bytes": 8},
    ]
    (directory / "index.html").write_bytes(PAGE)
    # An empty stream (RFC 7932).
    (directory / "index.html.br").write_bytes(b"\x3b")
    (directory / PROGRAM).write_bytes(b"\0asm\1\0\0\0")
    (directory / "manifest.json").write_text(json.dumps({"files": files}))
    stack = distribution.stack
    assert publish.main(stack.emulator.client("s3"), [str(directory), stack.resources["WalletBucket"]]) == 0


class Wallet:
    def __init__(self, distribution: Distribution) -> None:
        self.url = distribution.url
        self._http = httpx.Client(base_url=self.url, timeout=60)

    def enter(self, app_id: str) -> httpx.Response:
        """To the identity provider, which knows who it is, and back; the last answer is the page's."""
        answer = self._http.get(f"/api/auth/sign-in?app={app_id}", headers=TYPED, follow_redirects=True)
        assert answer.status_code == 200 and "error=" not in str(answer.url), answer.url
        return answer

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        given = {**SAME_ORIGIN, **({"Origin": self.url} if method != "GET" else {}), **headers}
        return self._http.request(method, f"/wallet/api{path}", json=body, headers=given)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.ask("POST", path, body, **{"X-Alter-CSRF": self.get("/session")["csrf_token"]})

    def page(self, path: str, **headers: str) -> httpx.Response:
        return self._http.get(path, headers={**TYPED, **headers})

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self._http.cookies)

    def close(self) -> None:
        self._http.close()


@contextlib.contextmanager
def at_the_wallet(distribution: Distribution) -> Iterator[Wallet]:
    with contextlib.closing(Wallet(distribution)) as wallet:
        yield wallet
