"""Rules for what the world reaches: routes and domains."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import source
from rules import rule
from template import Template, of_type

FORWARD = "/v1/forward"
# As long as API Gateway streams, in milliseconds.
STREAMS_FOR = 900_000
STREAMING = (
    "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2021-11-15/functions/"
    "${ForwardFunction.Arn}/response-streaming-invocations"
)


@rule
def routes_are_those_of_the_routers(template: Template) -> Iterator[str]:
    found: dict[tuple[str, str], str] = {}
    for name, route in of_type(template, "AWS::ApiGatewayV2::Route").items():
        method, _, path = route["Properties"]["RouteKey"].partition(" ")
        if (method, path) in found:
            yield f"{name}: {method} {path} is there twice"
        found[method, path] = _crate(template, route)
    if FORWARD in [path for _, path in found]:
        yield f"{FORWARD} is a route of the HTTP API, which does not stream"
    found["ANY", FORWARD] = template["Resources"]["ForwardFunction"]["Metadata"]["CodeUri"]
    wanted = {route: f"functions/{crate}" for route, crate in source.routes().items()}
    for route in sorted(found.keys() | wanted.keys()):
        if found.get(route) != wanted.get(route):
            yield f"{' '.join(route)}: goes to {found.get(route, 'nothing')} instead of {wanted.get(route, 'nothing')}"


def _crate(template: Template, route: dict) -> str:
    """The crate behind a route, by its integration and the integration's function."""
    target = route["Properties"]["Target"]["Fn::Sub"]
    integration = template["Resources"][target.removeprefix("integrations/${").removesuffix("}")]
    function = integration["Properties"]["IntegrationUri"]["Fn::GetAtt"][0]
    return template["Resources"][function]["Metadata"]["CodeUri"]


@rule
def functions_can_be_reached(template: Template) -> Iterator[str]:
    """By API Gateway, by this API, and by nothing else; the worker by its clock, and by nothing else."""
    reached = {
        (integration["Properties"]["IntegrationUri"]["Fn::GetAtt"][0], "${Api}/*")
        for integration in of_type(template, "AWS::ApiGatewayV2::Integration").values()
    }
    reached.add(("ForwardFunction", "${ForwardApi}/*"))
    for name, clock in of_type(template, "AWS::Events::Rule").items():
        reached |= {(target["Arn"]["Fn::GetAtt"][0], name) for target in clock["Properties"]["Targets"]}
    allowed = set()
    for name, permission in of_type(template, "AWS::Lambda::Permission").items():
        properties = permission["Properties"]
        source_arn, principal = properties.get("SourceArn", {}), properties["Principal"]
        if principal == "events.amazonaws.com":
            through = source_arn.get("Fn::GetAtt", ["anything"])[0]
        else:
            through = str(source_arn.get("Fn::Sub")).rpartition(":")[2]
        allowed.add((properties["FunctionName"]["Ref"], through))
        if principal not in ("apigateway.amazonaws.com", "events.amazonaws.com"):
            yield f"{name}: lets others in than API Gateway and the clock"
        if properties["Action"] != "lambda:InvokeFunction":
            yield f"{name}: allows more than a call"
    for function, through in sorted(reached ^ allowed):
        kind = "is reached and may not be" if (function, through) in reached else "may be reached and is not"
        yield f"{function}: {kind} through {through}"
    urls = of_type(template, "AWS::Lambda::Url")
    if urls:
        yield f"{sorted(urls)}: a second way in"


@rule
def forward_streams(template: Template) -> Iterator[str]:
    methods = of_type(template, "AWS::ApiGateway::Method")
    for name, method in methods.items():
        integration = method["Properties"]["Integration"]
        if integration.get("ResponseTransferMode") != "STREAM" or integration["Uri"] != {"Fn::Sub": STREAMING}:
            yield f"{name}: does not stream"
        if integration.get("TimeoutInMillis") != STREAMS_FOR:
            yield f"{name}: does not stream for as long as it can"
        if method["Properties"]["HttpMethod"] != "ANY":
            yield f"{name}: is not for any method"
    resources = template["Resources"]
    paths = {_path(resources, method["Properties"]["ResourceId"]) for method in methods.values()}
    if paths != {FORWARD, "/"}:
        yield f"the methods are at {sorted(paths)}, and not at {FORWARD} and at the root, where a domain maps it to"
    if resources["ForwardFunction"]["Properties"]["Timeout"] * 1000 != STREAMS_FOR:
        yield "ForwardFunction: ends before its stream, or after it"
    if resources["ForwardApi"]["Properties"].get("BinaryMediaTypes") != ["*/*"]:
        yield "ForwardApi: changes bodies that are no text"


def _path(resources: dict, resource: dict) -> str:
    if "Fn::GetAtt" in resource:
        return "/"
    properties = resources[resource["Ref"]]["Properties"]
    return _path(resources, properties["ParentId"]).rstrip("/") + "/" + properties["PathPart"]


@rule
def forward_is_deployed_as_it_is_written(template: Template) -> Iterator[str]:
    now = digest(template)
    wanted = {f"ForwardDeployment{now}": "HasNoDomain", f"ForwardDeploymentBehindDomain{now}": "HasDomain"}
    deployments = of_type(template, "AWS::ApiGateway::Deployment")
    if {name: deployment.get("Condition") for name, deployment in deployments.items()} != wanted:
        yield f"{', '.join(deployments)}: have to be {wanted}, or a change is not deployed"
    there, else_there = f"ForwardDeploymentBehindDomain{now}", f"ForwardDeployment{now}"
    chosen = template["Resources"]["ForwardStage"]["Properties"]["DeploymentId"]
    if chosen != {"Fn::If": ["HasDomain", {"Ref": there}, {"Ref": else_there}]}:
        yield "ForwardStage: does not serve the deployment that is made"
    for name, deployment in deployments.items():
        if set(deployment.get("DependsOn", [])) != set(of_type(template, "AWS::ApiGateway::Method")):
            yield f"{name}: may be made before its methods"


def digest(template: Template) -> str:
    """Of all that a deployment of the REST API takes a snapshot of."""
    kinds = ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Resource", "AWS::ApiGateway::Method")
    snapshot = {name: resource for kind in kinds for name, resource in of_type(template, kind).items()}
    return hashlib.sha256(json.dumps(snapshot, sort_keys=True).encode()).hexdigest()[:8]


@rule
def one_domain_has_both_apis(template: Template) -> Iterator[str]:
    mappings = {
        mapping["Properties"].get("ApiMappingKey", ""): mapping["Properties"]["ApiId"]
        for mapping in of_type(template, "AWS::ApiGatewayV2::ApiMapping").values()
    }
    if mappings != {"": {"Ref": "Api"}, FORWARD.lstrip("/"): {"Ref": "ForwardApi"}}:
        yield f"the domain maps {mappings}"
    for kind in ("AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping"):
        for name, resource in of_type(template, kind).items():
            if resource.get("Condition") != "HasDomain":
                yield f"{name}: is made without a domain"
    for domain in of_type(template, "AWS::ApiGatewayV2::DomainName").values():
        for configuration in domain["Properties"]["DomainNameConfigurations"]:
            if configuration.get("SecurityPolicy") != "TLS_1_2":
                yield "the domain speaks TLS older than 1.2"
    for name in ("Api", "ForwardApi"):
        properties = template["Resources"][name]["Properties"]
        if properties.get("DisableExecuteApiEndpoint") != {"Fn::If": ["HasDomain", True, False]}:
            yield f"{name}: has a second door beside the domain"


@rule
def access_logs_hold_no_header(template: Template) -> Iterator[str]:
    for name, stage in of_type(template, "AWS::ApiGatewayV2::Stage").items():
        text = str(stage["Properties"].get("AccessLogSettings", {}).get("Format", ""))
        if not text:
            yield f"{name}: is not logged"
        for word in ("$request.", "header", "querystring", "$context.path", "authorizer"):
            if word in text:
                yield f"{name}: the access log may hold a secret: {word}"
