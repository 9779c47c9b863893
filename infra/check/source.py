"""What the code says that the template has to say too. Read from the source text, once: nothing is built for it."""

from __future__ import annotations

import functools
import pathlib
import re

from template import ROOT

Route = tuple[str, str]

ACCESS_TABLE = "tests/tests/e2e/access_table.rs"
SCHEMA = "shared/adapters/aws/src/table/schema.rs"
SITE = "functions/local/src/server/site.rs"

# Served by `alter serve` alone: on AWS nothing runs that could be asked whether it does.
LOCAL_ONLY = {("GET", "/healthz")}

# The vault as one process; not a function.
NOT_ON_AWS = {"alter"}


@functools.cache
def routes() -> dict[Route, str]:
    """Every route and the crate under `functions` that has it. The access table has them all, which a test holds it to."""
    table = _read(ROOT / ACCESS_TABLE)
    found = {
        (method, path)
        for method, path in re.findall(r'\b(?:public|page|key|token|webhook|session)\((?:\w+, )?"([A-Z]+)", "(/[^"]*)"', table)
    }
    if len(found) < 40:
        raise SystemExit(f"{ACCESS_TABLE} is not written as it was: {len(found)} routes found")
    return {route: _crate(route) for route in found - LOCAL_ONLY}


def _crate(route: Route) -> str:
    method, path = route
    if path.startswith("/portal/"):
        return "portal"
    written = re.compile(rf'\.route\(\s*"{re.escape(path)}",\s*routing::{method.lower()}\(')
    crates = {
        file.relative_to(ROOT / "functions").parts[0]
        for file in (ROOT / "functions").rglob("*.rs")
        if "tests" not in file.parts and written.search(_read(file))
    }
    if len(crates) != 1:
        raise SystemExit(f"{method} {path} is a route of {sorted(crates) or 'no crate'}")
    return crates.pop()


@functools.cache
def site_policies() -> dict[str, str]:
    """What `alter serve` sends with the Wallet's site: the content policy (`POLICY`) and the one of features (`PERMISSIONS`)."""
    found = dict(re.findall(r'const (POLICY|PERMISSIONS): &str =\s*"(.*?)";', _read(ROOT / SITE), re.DOTALL))
    if len(found) != 2:
        raise SystemExit(f"{SITE} is not written as it was: policies of {sorted(found)} found")
    return {name: re.sub(r"\\\n\s*", "", text) for name, text in found.items()}


@functools.cache
def settings() -> set[str]:
    """The environment variables that the Lambda functions read."""
    files = list((ROOT / "shared/adapters/aws/src").rglob("*.rs"))
    files += [
        file
        for crate in (ROOT / "functions").iterdir()
        if crate.name != "local"
        for file in (crate / "src").rglob("*.rs")
    ]
    return {name for file in files for name in re.findall(r'"(ALTER_[A-Z_]+)"', _read(file))}


@functools.cache
def binaries() -> dict[str, str]:
    """Binaries of the crates under `functions`, each with the directory of its crate."""
    found = {}
    for manifest in sorted((ROOT / "functions").glob("*/Cargo.toml")):
        for section in manifest.read_text().split("\n[")[1:]:
            name = re.search(r'^name = "([^"]+)"', section, re.MULTILINE)
            if section.startswith("[bin]]") and name:
                found[name[1]] = f"functions/{manifest.parent.name}"
    return found


# What a type in a function's state can make the key service do; for a sealer by the method that does it.
KEY_RIGHTS = {
    "SigningKeys": {("kms:Decrypt", "signing")},
    "CredentialOpener": {("kms:Decrypt", "credential")},
    "WebhookSecrets": {("kms:Decrypt", "webhook")},
    "Sealer": {("kms:GenerateDataKey", purpose) for purpose in ("credential", "signing", "webhook")},
}
SEALS = {
    "seal_credential": ("kms:GenerateDataKey", "credential"),
    "seal_signing_key": ("kms:GenerateDataKey", "signing"),
    "seal_webhook_secret": ("kms:GenerateDataKey", "webhook"),
}
# Flows that are a part of a state: the struct that holds what it has, and where the flow's text is.
FLOWS = {
    "CallService": ("CallService", "call.rs"),
    "ConnectService": ("ConnectService", "connect"),
    "Refresher": ("Inner", "refresh"),
    "Revoker": ("Revoker", "revocations.rs"),
    "WebhookService": ("WebhookService", "identity/deliveries.rs"),
    "WalletService": ("WalletService", "wallet"),
}
# Binaries whose state is such a flow, and no struct of their crate.
RUNS = {"wallet": "WalletService", "webhook": "WebhookService", "worker": "Revoker"}


def key_rights() -> dict[str, set[tuple[str, str]]]:
    """For each binary, which uses of the vault key its state has the means for."""
    found = {}
    for binary, crate in binaries().items():
        if binary in NOT_ON_AWS:
            continue
        if binary in RUNS:
            found[binary] = _rights_of_flow(RUNS[binary])
            continue
        text = _read(ROOT / crate / "src/lib.rs")
        states = re.findall(r"pub struct (\w+State) \{", text)
        rights: set[tuple[str, str]] = set()
        for state in states:
            rights |= _rights_of(state, text)
        if not states and "data_keys" in _read(ROOT / crate / "src/bin" / f"{binary}.rs"):
            raise SystemExit(f"{crate} has keys and no state that says for what")
        found[binary] = rights
    return found


def state_of(flow: str) -> dict[str, str]:
    """The fields of a flow's state, with their types."""
    struct, path = FLOWS[flow]
    return dict(re.findall(r"^    (?:pub )?(\w+): (.+),$", _body(struct, _flow_text(path)), re.MULTILINE))


def text_of(directory: str) -> str:
    """All source text below a directory, without its tests."""
    return "\n".join(_read(file) for file in sorted((ROOT / directory).rglob("*.rs")))


def _body(struct: str, text: str) -> str:
    body = re.search(rf"^(?:pub )?struct {struct} \{{(.*?)\n\}}", text, re.DOTALL | re.MULTILINE)
    if body is None:
        raise SystemExit(f"{struct} is not written as it was")
    return body[1]


def _rights_of(name: str, text: str) -> set[tuple[str, str]]:
    """Of the fields of a struct, and of the flows of the domain that it is made of."""
    rights: set[tuple[str, str]] = set()
    for kind in re.findall(r"^    (?:pub )?\w+: (\w+),$", _body(name, text), re.MULTILINE):
        if kind in KEY_RIGHTS:
            rights |= KEY_RIGHTS[kind]
        elif kind in FLOWS:
            rights |= _rights_of_flow(kind)
    return rights


def _rights_of_flow(name: str) -> set[tuple[str, str]]:
    """Of a flow, which seals what its text says."""
    struct, path = FLOWS[name]
    text = _flow_text(path)
    idle = {right for method, right in SEALS.items() if f".{method}(" not in text}
    nested = set().union(*(_rights_of_flow(kind) for kind in _flows_in(struct, text)))
    return (_rights_of(struct, text) - idle) | nested


def _flow_text(path: str) -> str:
    place = ROOT / "shared/domain/src/flow" / path
    files = [place] if place.is_file() else [*place.rglob("*.rs"), *place.parent.glob(f"{path}.rs")]
    return "\n".join(_read(file) for file in files)


def _flows_in(struct: str, text: str) -> set[str]:
    return FLOWS.keys() & set(re.findall(r": (\w+),$", _body(struct, text), re.MULTILINE))


@functools.cache
def schema() -> dict[str, object]:
    """Attributes of the tables' keys, the attribute of expiry, and the indexes."""
    text = _read(ROOT / SCHEMA)
    constants = dict(re.findall(r'const (\w+): &str = "([^"]+)";', text))
    indexes = re.findall(r'IndexSchema \{ name: "([^"]+)", partition: "([^"]+)", sort: "([^"]+)" \}', text)
    if len(indexes) != 3:
        raise SystemExit(f"{SCHEMA} is not written as it was: {len(indexes)} indexes found")
    return {
        "key": (constants["PARTITION"], constants["SORT"]),
        "expiry": constants["EXPIRES"],
        "indexes": {name: (partition, sort) for name, partition, sort in indexes},
    }


@functools.cache
def _read(file: pathlib.Path) -> str:
    """A file without its tests."""
    return file.read_text().split("#[cfg(test)]")[0]
