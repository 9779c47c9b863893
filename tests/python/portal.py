"""The operator's side, over the JSON API: what the published client has no door to."""

from __future__ import annotations

import dataclasses
import itertools
import json
import uuid
from typing import Any

import httpx
from alter_sdk import Agent, App

_numbers = itertools.count(1)

SYSTEM = {"type": "system"}


def canary(name: str = "canary") -> str:
    """A credential that occurs nowhere else, with what encodings change: ``+/=`` and ``&``."""
    return f"sk_{name}/{uuid.uuid4().hex}+{uuid.uuid4().hex}&="


def user() -> dict[str, str]:
    return {"type": "user", "user_id": str(uuid.uuid4())}


class Portal:
    def __init__(self, base_url: str, token: str) -> None:
        self._http = httpx.Client(
            base_url=f"{base_url}/portal/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self._http.request(method, path, json=body)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        response = self.send(method, path, body)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def text(self, path: str) -> str:
        response = self._http.get(path)
        assert response.is_success, f"GET {path}: {response.status_code} {response.text}"
        return response.text

    def tenant(self, upstream_host: str, secret: str | None = None) -> Tenant:
        """A new app with a key, a bearer credential for the upstream, and a system grant on it."""
        app = self.call("POST", "/apps", {"name": f"Shop {next(_numbers)}"})
        tenant = Tenant(self, app["app_id"], upstream_host, secret or canary())
        tenant.key = tenant.mint_key()["api_key"]
        created = tenant.add_secret("Provider", tenant.secret, SYSTEM)
        tenant.secret_id, tenant.provider = created["secret_id"], created["slug"]
        tenant.grant_id = created["grant"]["grant_id"]
        return tenant

    def close(self) -> None:
        self._http.close()


@dataclasses.dataclass
class Tenant:
    """One app, as its operator sees it."""

    portal: Portal
    app_id: str
    upstream_host: str
    secret: str
    key: str = ""
    secret_id: str = ""
    provider: str = ""
    grant_id: str = ""

    def sdk(self, key: str | None = None, **options: Any) -> App:
        return App(api_key=key or self.key, **options)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self.portal.call(method, f"/apps/{self.app_id}{path}", body)

    def mint_key(self, **fields: Any) -> dict[str, Any]:
        return self.call("POST", "/keys", {"name": "test", **fields})

    def revoke_key(self, key_id: str) -> None:
        self.call("DELETE", f"/keys/{key_id}")

    def rotate_key(self, key_id: str, grace_seconds: int) -> dict[str, Any]:
        return self.call("POST", f"/keys/{key_id}/rotate", {"grace_seconds": grace_seconds})

    def add_secret(
        self, name: str, value: str, principal: dict | None = None, **fields: Any
    ) -> dict[str, Any]:
        body = {
            "name": name,
            "credential_type": "bearer",
            "fields": {"token": value},
            "allowed_hosts": [self.upstream_host],
            **fields,
        }
        if principal is not None:
            body["grant"] = {"principal": principal}
        return self.call("POST", "/secrets", body)

    def replace_secret(self, value: str) -> None:
        self.call("PUT", f"/secrets/{self.secret_id}/value", {"fields": {"token": value}})

    def grant(self, principal: dict | None = None, secret_id: str | None = None, **fields: Any) -> str:
        body = {"secret_id": secret_id or self.secret_id, "principal": principal or SYSTEM, **fields}
        return self.call("POST", "/grants", body)["grant_id"]

    def revoke_grant(self, grant_id: str) -> None:
        self.call("POST", f"/grants/{grant_id}/revoke", {})

    def grant_view(self, grant_id: str) -> dict[str, Any]:
        return self.call("GET", f"/grants/{grant_id}")

    def users(self, query: str = "") -> list[dict[str, Any]]:
        return self.call("GET", f"/users?limit=1000{query}")["items"]

    def user(self, user_id: str) -> dict[str, Any]:
        return self.call("GET", f"/users/{user_id}")

    def change_user(self, user_id: str, verb: str) -> dict[str, Any]:
        """`suspend`, `reactivate` or `deprovision`."""
        return self.call("POST", f"/users/{user_id}/{verb}", {})

    def add_provider(self, definition: dict[str, Any], **registration: Any) -> dict[str, Any]:
        """Registers the app at an OAuth provider; the answer has the redirect URI to enter there."""
        return self.call("POST", "/providers", {"definition": definition, **registration})

    def change_provider(self, provider_id: str, **fields: Any) -> dict[str, Any]:
        return self.call("PATCH", f"/providers/{provider_id}", fields)

    def switch_provider(self, provider_id: str, on: bool) -> None:
        self.call("POST", f"/providers/{provider_id}/{'enable' if on else 'disable'}")

    def agent(self) -> Bot:
        name = f"bot-{next(_numbers)}"
        agent_id = self.call("POST", "/agents", {"name": name})["agent_id"]
        return Bot(self, agent_id, self.mint_key(agent_id=agent_id)["api_key"])

    def audit(self, query: str = "") -> list[dict[str, Any]]:
        """The app's newest rows, at most 1000."""
        return self.call("GET", f"/audit?limit=1000{query}")["items"]


@dataclasses.dataclass
class Bot:
    """An agent of a tenant, with a key of its own."""

    tenant: Tenant
    agent_id: str
    key: str

    def sdk(self, **options: Any) -> Agent:
        return Agent(api_key=self.key, **options)

    def grant(self, **fields: Any) -> str:
        return self.tenant.grant({"type": "agent", "agent_id": self.agent_id}, **fields)

    def revoke(self) -> None:
        self.tenant.call("DELETE", f"/agents/{self.agent_id}")


def dump(document: Any) -> str:
    return json.dumps(document, default=str)
