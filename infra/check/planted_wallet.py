"""Errors in the Wallet's site, its distribution and its function."""

from __future__ import annotations

from typing import Any

from planted import of_role, planted, properties, role, vault_key


def settings(resources: dict[str, Any]) -> dict[str, Any]:
    return properties(resources, "WalletDistribution")["DistributionConfig"]


def behavior(resources: dict[str, Any], path: str) -> dict[str, Any]:
    return next(one for one in settings(resources)["CacheBehaviors"] if one["PathPattern"] == path)


def headers(resources: dict[str, Any]) -> dict[str, Any]:
    return properties(resources, "WalletHeaders")["ResponseHeadersPolicyConfig"]


@planted("the_site_is_served_through_its_door")
def no_origin_access_control(resources):
    del settings(resources)["Origins"][0]["OriginAccessControlId"]


@planted("the_site_is_served_through_its_door")
def site_in_plain_text(resources):
    settings(resources)["DefaultCacheBehavior"]["ViewerProtocolPolicy"] = "allow-all"


@planted("the_site_is_served_through_its_door")
def api_in_plain_text(resources):
    settings(resources)["Origins"][1]["CustomOriginConfig"]["OriginProtocolPolicy"] = "match-viewer"


@planted("the_site_is_served_through_its_door")
def a_door_that_does_not_sign(resources):
    properties(resources, "WalletAccess")["OriginAccessControlConfig"]["SigningBehavior"] = "no-override"


@planted("the_site_has_security_headers")
def scripts_inline(resources):
    headers(resources)["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"] += "; script-src 'unsafe-inline'"


@planted("the_site_has_security_headers")
def no_trusted_types(resources):
    content = headers(resources)["SecurityHeadersConfig"]["ContentSecurityPolicy"]
    content["ContentSecurityPolicy"] = content["ContentSecurityPolicy"].replace("require-trusted-types-for 'script';", "")


@planted("the_site_has_security_headers")
def a_site_without_headers(resources):
    del settings(resources)["DefaultCacheBehavior"]["ResponseHeadersPolicyId"]


@planted("the_site_has_security_headers")
def windows_of_others(resources):
    items = headers(resources)["CustomHeadersConfig"]["Items"]
    items[:] = [one for one in items if one["Header"] != "Cross-Origin-Opener-Policy"]


@planted("the_site_has_security_headers")
def tls_for_a_day(resources):
    headers(resources)["SecurityHeadersConfig"]["StrictTransportSecurity"]["AccessControlMaxAgeSec"] = 86400


@planted("the_site_has_security_headers")
def one_policy_for_the_apis_answers(resources):
    behavior(resources, "/wallet/api/*")["ResponseHeadersPolicyId"] = {"Ref": "WalletHeaders"}


@planted("the_site_answers_for_its_own_addresses")
def errors_become_the_page(resources):
    settings(resources)["CustomErrorResponses"][2].update(ResponseCode=200, ResponsePagePath="/index.html")


@planted("the_site_answers_for_its_own_addresses")
def addresses_are_not_the_pages(resources):
    del settings(resources)["DefaultCacheBehavior"]["FunctionAssociations"]


@planted("the_site_answers_for_its_own_addresses")
def the_api_becomes_the_page(resources):
    site = settings(resources)["DefaultCacheBehavior"]
    behavior(resources, "/api/*")["FunctionAssociations"] = site["FunctionAssociations"]


@planted("the_wallets_api_is_not_kept")
def answers_kept(resources):
    behavior(resources, "/wallet/api/*")["CachePolicyId"] = settings(resources)["DefaultCacheBehavior"]["CachePolicyId"]


@planted("the_wallets_api_is_not_kept")
def not_found_kept_for_others(resources):
    errors = settings(resources)["CustomErrorResponses"]
    errors[:] = [one for one in errors if one["ErrorCode"] != 404]


@planted("the_wallets_api_is_not_kept")
def sign_in_goes_to_the_bucket(resources):
    behaviors = settings(resources)["CacheBehaviors"]
    behaviors[:] = [one for one in behaviors if one["PathPattern"] != "/api/*"]


@planted("the_wallets_api_is_not_kept")
def nobody_can_revoke(resources):
    behavior(resources, "/wallet/api/*")["AllowedMethods"] = ["GET", "HEAD"]


@planted("the_wallets_api_is_told_what_it_checks")
def no_origin_to_check(resources):
    properties(resources, "WalletApiRequests")["OriginRequestPolicyConfig"]["HeadersConfig"]["Headers"].remove("Origin")


@planted("the_wallets_api_is_told_what_it_checks")
def the_browsers_host(resources):
    properties(resources, "WalletApiRequests")["OriginRequestPolicyConfig"]["HeadersConfig"]["Headers"].append("Host")


@planted("the_wallets_api_is_told_what_it_checks")
def no_cookies(resources):
    properties(resources, "WalletApiRequests")["OriginRequestPolicyConfig"]["CookiesConfig"] = {"CookieBehavior": "none"}


@planted("the_distribution_proves_itself")
def anybody_names_addresses(resources):
    del settings(resources)["Origins"][1]["OriginCustomHeaders"]


@planted("the_distribution_proves_itself")
def a_proof_that_is_not_known(resources):
    del properties(resources, "WalletFunction")["Environment"]["Variables"]["ALTER_EDGE_SECRET"]


@planted("the_distribution_proves_itself")
def a_proof_that_is_worth_more(resources):
    variables = properties(resources, "PortalFunction")["Environment"]["Variables"]
    variables["ALTER_ORGANIZATION"] = {"Fn::Sub": "{{resolve:secretsmanager:${OperatorToken}:SecretString}}"}


@planted("the_wallet_has_no_key")
def the_wallet_opens_credentials(resources):
    vault_key(resources, "CallsOpenCredentials")["Principal"]["AWS"].append(role("WalletRole"))


@planted("the_wallet_has_no_key")
def the_wallet_is_told_of_the_key(resources):
    properties(resources, "WalletFunction")["Environment"]["Variables"]["ALTER_KMS_KEY_ID"] = role("VaultKey")


@planted("the_wallet_has_no_key")
def the_wallet_reads_what_is_sealed(resources):
    of_role(resources, "WalletRole", "WhoAsksAndWhatIsShown")["Resource"] = {"Fn::GetAtt": ["VaultTable", "Arn"]}


@planted("signing_in_is_throttled")
def a_flood_of_sign_ins(resources):
    del properties(resources, "ApiStage")["RouteSettings"]["GET /api/auth/sign-in"]


@planted("signing_in_is_throttled")
def a_stage_before_its_routes(resources):
    del resources["ApiStage"]["DependsOn"]
