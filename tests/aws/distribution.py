"""The Wallet's distribution, which the emulator does not have: what the template says of it, done to requests.

Behaviors, the headers that the API is told of, what the distribution proves itself with, the function that runs on requests for the
site, and the site's headers are read from the template. Nothing is kept here, as nothing of the API may be there.
"""

from __future__ import annotations

import fnmatch
import http.client
import json
import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError
from edge import Edge
from stack import Stack, Template

# Whose request it is, as far as the API can know: nobody is there.
VIEWER = "198.51.100.7"
_DROPPED = {"content-length", "connection", "transfer-encoding", "server", "date"}
# Lambda@Edge and CloudFront Functions are told of headers like this.
_RUN = "const lines = require('fs').readFileSync(0, 'utf8'); console.log(JSON.stringify(handler(JSON.parse(lines))));"


class Distribution:
    def __init__(self, port: int, translated: Template, stack: Stack, edge: Edge) -> None:
        self._resources, self.stack, self.edge = translated["Resources"], stack, edge
        self.settings = self._properties("WalletDistribution")["DistributionConfig"]
        policy = self._properties("WalletApiRequests")["OriginRequestPolicyConfig"]
        self.forwarded = {name.lower() for name in policy["HeadersConfig"]["Headers"]} | {"cookie", "content-length"}
        secret = stack.resources["EdgeProof"]
        self.proof = stack.emulator.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def behavior(self, path: str) -> dict[str, Any]:
        """The first whose pattern fits, or the default one."""
        fitting = (one for one in self.settings["CacheBehaviors"] if fnmatch.fnmatchcase(path, one["PathPattern"]))
        return next(fitting, self.settings["DefaultCacheBehavior"])

    def rewritten(self, path: str, headers: dict[str, str]) -> str:
        """What the bucket is asked for."""
        event = {"request": {"uri": path, "headers": {name.lower(): {"value": value} for name, value in headers.items()}}}
        code = self._properties("WalletPaths")["FunctionCode"]
        done = subprocess.run(["node", "-e", code + _RUN], input=json.dumps(event), capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["uri"]

    def file(self, key: str) -> tuple[int, list[tuple[str, str]], bytes]:
        """As the bucket answers whoever may read objects and not list them."""
        try:
            bucket = self.stack.resources["WalletBucket"]
            found = self.stack.emulator.client("s3").get_object(Bucket=bucket, Key=key.removeprefix("/"))
        except ClientError:
            return 403, [("Content-Type", "application/xml")], b"<Error><Code>AccessDenied</Code></Error>"
        names = {"ContentType": "Content-Type", "CacheControl": "Cache-Control", "ContentEncoding": "Content-Encoding"}
        headers = [(name, found[given]) for given, name in names.items() if given in found]
        return 200, headers, found["Body"].read()

    def site_headers(self) -> list[tuple[str, str]]:
        policy = self._properties("WalletHeaders")["ResponseHeadersPolicyConfig"]
        content = policy["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
        custom = [(one["Header"], one["Value"]) for one in policy["CustomHeadersConfig"]["Items"]]
        return [("Content-Security-Policy", content), ("X-Content-Type-Options", "nosniff"), *custom]

    def _properties(self, name: str) -> dict[str, Any]:
        return self._resources[name]["Properties"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, distribution: Distribution, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.distribution = distribution

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """A browser may hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self) -> None:
        distribution = self.server.distribution
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = urllib.parse.urlsplit(self.path).path
        behavior = distribution.behavior(path)
        if self.command not in behavior["AllowedMethods"]:
            self._send(403, [("Content-Type", "text/html")], b"")
        elif behavior["TargetOriginId"] == "bucket":
            status, headers, content = distribution.file(distribution.rewritten(path, dict(self.headers.items())))
            self._send(status, headers + distribution.site_headers(), content)
        else:
            self._ask_api(body)

    def _ask_api(self, body: bytes) -> None:
        distribution = self.server.distribution
        headers = {name: value for name, value in self.headers.items() if name.lower() in distribution.forwarded}
        headers |= {"CloudFront-Viewer-Address": f"{VIEWER}:{self.client_address[1]}", "X-Alter-Edge": distribution.proof}
        address = urllib.parse.urlsplit(distribution.edge.base_url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        try:
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            kept = [header for header in response.getheaders() if header[0].lower() not in _DROPPED]
            self._send(response.status, kept, response.read())
        finally:
            connection.close()

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        bodiless = status in (204, 304) or self.command == "HEAD"
        if not bodiless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not bodiless:
            self.wfile.write(body)
        self.wfile.flush()
