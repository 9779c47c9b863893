"""All that anybody got out of the vault, for whoever looks for secrets in it."""

from __future__ import annotations

from browser import Page
from leaks import everything
from person import Person


class Journal:
    """All that anybody got out of the vault."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []

    def note(self, what: str, thing: object) -> None:
        self.seen.append((what, everything(thing) + getattr(thing, "content", b"")))

    def note_pages(self, person: Person) -> None:
        for page in person.pages:
            self.seen.append((f"page {page.url}", page_bytes(page)))
        for hop in person.hops:
            self.seen.append((f"hop {hop.method}", f"{hop.url}\n{hop.location}\n{hop.headers}".encode()))


def page_bytes(page: Page) -> bytes:
    return "\n".join([page.url, str(page.headers), page.html]).encode()
