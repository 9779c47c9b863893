"""The servers of `tests/web` as programs of their own: started, told what to do, stopped."""

from __future__ import annotations

import json
import pathlib
import subprocess
from typing import Any

import httpx

from program import first_line

SUITE = pathlib.Path(__file__).resolve().parents[1] / "web"


class NodeServer:
    """One that prints what it is when it is ready, and stops when its input ends."""

    def __init__(self, log: pathlib.Path, *command: str) -> None:
        need_node_modules()
        self.log = log
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                ["node", *command, "--until-eof"],
                cwd=SUITE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        try:
            self.ready: dict[str, Any] = json.loads(first_line(self._process))
        except BaseException as error:
            self._process.kill()
            self._process.communicate()
            raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}") from error
        self.issuer: str = self.ready["issuer"]
        self.client_id: str = self.ready["client_id"]
        self.client_secret: str = self.ready["client_secret"]
        self._http = httpx.Client(base_url=self.ready["control"], timeout=10)

    def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """One of the strings behind the stage: `GET` without a body, `POST` with one."""
        method = "GET" if body is None else "POST"
        response = self._http.request(method, f"/{path}", json=body)
        assert response.is_success, f"control {path}: {response.status_code} {response.text}"
        return response.json()

    def state(self) -> dict[str, Any]:
        return self.control("state")

    def sign_in(self, account: str, *, deny: bool = False) -> None:
        """Who sits at the browser from now on, and what they say."""
        self.control("auto", {"account": account, "deny": deny})

    def close(self) -> None:
        self._http.close()
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            code = self._process.wait(15)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
        assert code == 0, f"the server stopped with {code}:\n{self.log.read_text()}"


def need_node_modules() -> None:
    """Installed by `cargo xtask test`; here for a bare `pytest` after a fresh clone."""
    if not (SUITE / "node_modules/oidc-provider").exists():
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(install, cwd=SUITE, check=True)
