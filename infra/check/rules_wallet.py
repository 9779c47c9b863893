"""Rules for the Wallet: its site, the distribution that browsers reach, and the function behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import source
from iam import functions, permissions, role_of
from rules import rule
from template import Template, of_type

# AWS's own cache policies, by what they are called.
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
# What the functions behind the distribution look at: shared/adapters/aws/src/lambda/front.rs, functions/wallet/src/access.rs,
# functions/connect/src/browser.rs.
HEADERS_FOR_THE_API = {
    "CloudFront-Viewer-Address",
    "Content-Type",
    "Origin",
    "Purpose",
    "Sec-Fetch-Site",
    "Sec-Purpose",
    "X-Alter-CSRF",
}
# The API's own name, and what the Wallet has no use for.
KEPT_FROM_THE_API = {"Host", "Authorization", "X-Api-Key", "X-Alter-Edge"}
# All statuses that CloudFront keeps, if nobody says otherwise.
KEPT_ERRORS = {400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}
PROOF = {"Fn::Sub": "{{resolve:secretsmanager:${EdgeProof}:SecretString}}"}
BEHIND = {"ConnectFunction", "WalletFunction"}
CONTENT_POLICY = {
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
}
SITE_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# A year, below which browsers' lists do not take a domain up.
YEAR = 365 * 24 * 3600


@rule
def the_site_is_served_through_its_door(template: Template) -> Iterator[str]:
    for name, settings in _distributions(template):
        site = settings["DefaultCacheBehavior"]
        if site["TargetOriginId"] != "bucket" or site["CachePolicyId"] != CACHING_OPTIMIZED or site.get("Compress") is not True:
            yield f"{name}: the site is not what is served by default, kept and compressed"
        if not set(site.get("AllowedMethods", [])) <= {"GET", "HEAD"}:
            yield f"{name}: the site is more than read"
        for origin in settings["Origins"]:
            if "S3OriginConfig" in origin:
                if origin.get("OriginAccessControlId") != {"Fn::GetAtt": ["WalletAccess", "Id"]}:
                    yield f"{name}: {origin['Id']} is read without origin access control"
            elif origin["CustomOriginConfig"].get("OriginProtocolPolicy") != "https-only":
                yield f"{name}: {origin['Id']} is reached without TLS"
        for behavior in _behaviors(settings):
            if behavior["ViewerProtocolPolicy"] not in ("redirect-to-https", "https-only"):
                yield f"{name}: is served without TLS"
    for name, control in of_type(template, "AWS::CloudFront::OriginAccessControl").items():
        if control["Properties"]["OriginAccessControlConfig"]["SigningBehavior"] != "always":
            yield f"{name}: does not always sign"


@rule
def the_site_has_security_headers(template: Template) -> Iterator[str]:
    for name, settings in _distributions(template):
        for behavior in _behaviors(settings):
            wanted = "WalletHeaders" if behavior["TargetOriginId"] == "bucket" else "WalletApiHeaders"
            if behavior.get("ResponseHeadersPolicyId") != {"Ref": wanted}:
                yield f"{name}: {behavior.get('PathPattern', 'the site')} is served without the headers of {wanted}"
    policies = of_type(template, "AWS::CloudFront::ResponseHeadersPolicy")
    for name, policy in policies.items():
        given = policy["Properties"]["ResponseHeadersPolicyConfig"].get("SecurityHeadersConfig", {})
        for header in sorted({"ContentTypeOptions", "FrameOptions", "ReferrerPolicy", "StrictTransportSecurity"} - set(given)):
            yield f"{name}: without {header}"
        if given.get("StrictTransportSecurity", {}).get("AccessControlMaxAgeSec", 0) < YEAR:
            yield f"{name}: TLS is asked for, but not for a year"
        if given.get("ReferrerPolicy", {}).get("ReferrerPolicy") != "no-referrer":
            yield f"{name}: addresses are told to others"
    site = policies["WalletHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    content = site.get("SecurityHeadersConfig", {}).get("ContentSecurityPolicy", {})
    local = source.site_policies()
    if content.get("Override") is not True or content.get("ContentSecurityPolicy") != local["POLICY"]:
        yield f"WalletHeaders: the content policy is not the one that `alter serve` sends: {local['POLICY']}"
    for part in CONTENT_POLICY:
        if part not in local["POLICY"].split("; "):
            yield f"the content policy lacks {part}"
    if "unsafe-inline" in local["POLICY"] or "'unsafe-eval'" in local["POLICY"] or "//" in local["POLICY"]:
        yield "the content policy allows what it is there to forbid"
    custom = {one["Header"]: one["Value"] for one in site.get("CustomHeadersConfig", {}).get("Items", [])}
    for header, value in {**SITE_HEADERS, "Permissions-Policy": local["PERMISSIONS"]}.items():
        if custom.get(header) != value:
            yield f"WalletHeaders: {header} is not {value}"
    # An answer of the API has the strictest policy for itself; one for all would open it.
    api = policies["WalletApiHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    if "ContentSecurityPolicy" in api:
        yield "WalletApiHeaders: takes the place of an answer's own content policy"


@rule
def the_site_answers_for_its_own_addresses(template: Template) -> Iterator[str]:
    """And for nobody else's: an error of the API stays one."""
    rewrites = {"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["WalletPaths", "FunctionMetadata.FunctionARN"]}}
    for name, settings in _distributions(template):
        if settings["DefaultCacheBehavior"].get("FunctionAssociations") != [rewrites]:
            yield f"{name}: an address of the site's is not answered with its page"
        for behavior in settings.get("CacheBehaviors", []):
            if behavior.get("FunctionAssociations") or behavior.get("LambdaFunctionAssociations"):
                yield f"{name}: {behavior['PathPattern']} is changed on its way to the API"
        for answer in settings.get("CustomErrorResponses", []):
            if "ResponsePagePath" in answer or "ResponseCode" in answer:
                yield f"{name}: {answer['ErrorCode']} is answered with something else, the API's too"
    for name, function in of_type(template, "AWS::CloudFront::Function").items():
        if function["Properties"].get("AutoPublish") is not True:
            yield f"{name}: a change of it is not published"


@rule
def the_wallets_api_is_not_kept(template: Template) -> Iterator[str]:
    paths = {f"/{path.split('/')[1]}/*" if not path.startswith("/wallet/") else "/wallet/api/*" for path in _wallet_paths()}
    for name, settings in _distributions(template):
        behaviors = {behavior["PathPattern"]: behavior for behavior in settings.get("CacheBehaviors", [])}
        if set(behaviors) != paths:
            yield f"{name}: the API is at {sorted(paths)}, and {sorted(behaviors)} are passed on"
        for path, behavior in behaviors.items():
            if behavior["TargetOriginId"] != "api":
                yield f"{name}: {path} does not go to the API"
            if behavior["CachePolicyId"] != CACHING_DISABLED:
                yield f"{name}: {path}: one user's answer is kept for another"
            if behavior.get("OriginRequestPolicyId") != {"Ref": "WalletApiRequests"}:
                yield f"{name}: {path}: the API is not told who asks"
            if "POST" not in behavior["AllowedMethods"]:
                yield f"{name}: {path}: nothing can be revoked"
        kept = {answer["ErrorCode"] for answer in settings.get("CustomErrorResponses", []) if answer.get("ErrorCachingMinTTL") == 0}
        if kept != KEPT_ERRORS:
            yield f"{name}: errors {sorted(KEPT_ERRORS - kept)} of one user are kept for another"


@rule
def the_wallets_api_is_told_what_it_checks(template: Template) -> Iterator[str]:
    policy = template["Resources"]["WalletApiRequests"]["Properties"]["OriginRequestPolicyConfig"]
    if policy["CookiesConfig"] != {"CookieBehavior": "all"} or policy["QueryStringsConfig"] != {"QueryStringBehavior": "all"}:
        yield "WalletApiRequests: cookies or query are missing"
    given = policy["HeadersConfig"]
    headers = set(given.get("Headers", []))
    if given["HeaderBehavior"] != "whitelist" or len(headers) > 10:
        yield "WalletApiRequests: does not name the headers, or more than the ten that CloudFront takes"
    if not HEADERS_FOR_THE_API <= headers:
        yield f"WalletApiRequests: the API does not see {sorted(HEADERS_FOR_THE_API - headers)}"
    if headers & KEPT_FROM_THE_API:
        yield f"WalletApiRequests: the API sees {sorted(headers & KEPT_FROM_THE_API)} of a browser"


@rule
def the_distribution_proves_itself(template: Template) -> Iterator[str]:
    """To the functions that are behind it, and by nothing that is worth more."""
    for name, settings in _distributions(template):
        for origin in settings["Origins"]:
            given = {one["HeaderName"]: one["HeaderValue"] for one in origin.get("OriginCustomHeaders", [])}
            if given != ({"X-Alter-Edge": PROOF} if origin["Id"] == "api" else {}):
                yield f"{name}: {origin['Id']} is sent {sorted(given)}"
    told = {
        name
        for name, function in functions(template).items()
        if function["Properties"]["Environment"]["Variables"].get("ALTER_EDGE_SECRET") == PROOF
    }
    if told != BEHIND:
        yield f"the proof is known to {sorted(told)} instead of {sorted(BEHIND)}"
    text = json.dumps(template["Resources"])
    if text.count("{{resolve:") != text.count(PROOF["Fn::Sub"]):
        yield "another secret is written into a resource, where whoever may describe it reads it"


@rule
def the_wallet_has_no_key(template: Template) -> Iterator[str]:
    function = functions(template)["WalletFunction"]
    for permission in permissions(template, role_of(function)):
        if any(action.startswith(("kms:", "secretsmanager:")) for action in permission.actions):
            yield f"WalletFunction: may use a key or a secret: {permission.source}, {permission.sid}"
        # What is sealed is moved or deleted by a revocation, and given out by nothing.
        if permission.resource == "VaultTable" and permission.source != "RevokePolicy":
            yield f"WalletFunction: reaches what is sealed: {permission.source}, {permission.sid}"
    if "ALTER_KMS_KEY_ID" in function["Properties"]["Environment"]["Variables"]:
        yield "WalletFunction: is told of a key"


@rule
def signing_in_is_throttled(template: Template) -> Iterator[str]:
    """Per address in the function; here for all together, so that a flood costs no more than it may."""
    stage = template["Resources"]["ApiStage"]
    settings = stage["Properties"].get("RouteSettings", {})
    routes = {route["Properties"]["RouteKey"]: name for name, route in of_type(template, "AWS::ApiGatewayV2::Route").items()}
    public = {f"{method} {path}" for method, path in source.routes() if path.startswith(("/api/auth/", "/wallet/api/sign-in", "/wallet/api/logos/"))}
    for key in sorted(public | settings.keys()):
        given = settings.get(key, {})
        if not 0 < given.get("ThrottlingRateLimit", 0) <= 200 or not 0 < given.get("ThrottlingBurstLimit", 0) <= 400:
            yield f"ApiStage: {key} is not throttled"
        if given.get("DetailedMetricsEnabled") is not True:
            yield f"ApiStage: {key} is not measured as the others are"
        if key in routes and routes[key] not in stage.get("DependsOn", []):
            yield f"ApiStage: may be made before {routes[key]}, which it sets"
        if key not in routes:
            yield f"ApiStage: sets {key}, which is no route"


def _distributions(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, distribution in of_type(template, "AWS::CloudFront::Distribution").items():
        yield name, distribution["Properties"]["DistributionConfig"]


def _behaviors(settings: dict[str, Any]) -> list[dict[str, Any]]:
    return [settings["DefaultCacheBehavior"], *settings.get("CacheBehaviors", [])]


def _wallet_paths() -> set[str]:
    return {path for _, path in source.routes() if path.startswith(("/api/", "/wallet/api/"))}
