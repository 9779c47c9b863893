"""Errors in routes and domains."""

from __future__ import annotations

import copy

from planted import planted, properties


@planted("routes_are_those_of_the_routers")
def a_route_missing(resources):
    del resources["RouteSdkTokenPost"]


@planted("routes_are_those_of_the_routers")
def a_route_twice(resources):
    resources["RouteAgain"] = copy.deepcopy(resources["RouteSdkTokenPost"])


@planted("routes_are_those_of_the_routers")
def a_route_to_the_wrong_function(resources):
    properties(resources, "RouteSdkTokenPost")["Target"] = {"Fn::Sub": "integrations/${GrantsIntegration}"}


@planted("routes_are_those_of_the_routers")
def a_route_that_no_router_has(resources):
    properties(resources, "RouteSdkTokenPost")["RouteKey"] = "POST /sdk/tokens"


@planted("functions_can_be_reached")
def a_function_behind_any_api(resources):
    del properties(resources, "PortalInvocation")["SourceArn"]


@planted("functions_can_be_reached")
def the_worker_behind_the_api(resources):
    resources["WorkerInvocation"] = copy.deepcopy(resources["PortalInvocation"])
    properties(resources, "WorkerInvocation")["FunctionName"] = {"Ref": "WorkerFunction"}


@planted("functions_can_be_reached")
def the_worker_behind_any_clock(resources):
    resources["WorkerInvocation"] = copy.deepcopy(resources["PortalInvocation"])
    properties(resources, "WorkerInvocation").update(
        FunctionName={"Ref": "WorkerFunction"}, Principal="events.amazonaws.com", SourceArn={"Fn::GetAtt": ["Another", "Arn"]}
    )


@planted("functions_can_be_reached")
def a_url_beside_the_api(resources):
    properties(resources, "ForwardFunction")["FunctionUrlConfig"] = {"AuthType": "NONE"}


@planted("forward_streams")
def forward_buffers(resources):
    del properties(resources, "ForwardMappedMethod")["Integration"]["ResponseTransferMode"]


@planted("forward_is_deployed_as_it_is_written")
def a_change_that_is_not_deployed(resources):
    properties(resources, "ForwardMethod")["Integration"]["TimeoutInMillis"] = 60000


@planted("forward_is_deployed_as_it_is_written")
def a_domain_without_a_deployment(resources):
    deployment = properties(resources, "ForwardStage")["DeploymentId"]["Fn::If"]
    deployment[1] = deployment[2]


@planted("one_domain_has_both_apis")
def a_second_door(resources):
    properties(resources, "ForwardApi")["DisableExecuteApiEndpoint"] = False


@planted("one_domain_has_both_apis")
def forward_without_the_domain(resources):
    del resources["DomainToForward"]


@planted("access_logs_hold_no_header")
def access_log_with_the_query(resources):
    properties(resources, "ApiStage")["AccessLogSettings"]["Format"] += "$request.querystring.token"
