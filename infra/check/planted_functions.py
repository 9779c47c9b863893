"""Errors in functions and in what watches them."""

from __future__ import annotations

from planted import planted, properties


@planted("functions_run_as_they_are_built")
def another_processor(resources):
    properties(resources, "PortalFunction")["Architectures"] = ["x86_64"]


@planted("every_function_has_its_binary")
def a_binary_twice(resources):
    resources["ForwardFunction"]["Metadata"]["BuildProperties"]["Binary"] = "proxy"


@planted("every_function_has_its_binary")
def built_elsewhere(resources):
    properties(resources, "GrantsFunction")["CodeUri"] = "functions/revoke"


@planted("functions_are_traced")
def not_traced(resources):
    properties(resources, "AuditWriterFunction")["Tracing"] = "PassThrough"


@planted("functions_log_to_their_own_group")
def logs_of_another(resources):
    properties(resources, "RevokeFunction")["LoggingConfig"]["LogGroup"] = {"Ref": "GrantsLogs"}


@planted("functions_log_to_their_own_group")
def debug_lines_dropped(resources):
    properties(resources, "PortalFunction")["LoggingConfig"]["ApplicationLogLevel"] = "INFO"


@planted("functions_are_told_what_they_read")
def a_setting_missing(resources):
    del properties(resources, "PortalFunction")["Environment"]["Variables"]["ALTER_SETTINGS_SECRET_ARN"]


@planted("functions_are_told_what_they_read")
def a_setting_that_nobody_reads(resources):
    properties(resources, "ProxyFunction")["Environment"]["Variables"]["ALTER_ALLOW_LOOPBACK_HTTP"] = "true"


@planted("everybody_is_told_the_same_address")
def another_address(resources):
    properties(resources, "PortalFunction")["Environment"]["Variables"]["ALTER_PUBLIC_URL"] = {"Fn::GetAtt": ["Api", "ApiEndpoint"]}


@planted("everybody_is_told_the_same_address")
def another_wallet(resources):
    properties(resources, "PortalFunction")["Environment"]["Variables"]["ALTER_WALLET_URL"] = {"Fn::GetAtt": ["Api", "ApiEndpoint"]}


@planted("calls_outlive_their_answers")
def a_call_that_takes_its_refresh_along(resources):
    del properties(resources, "ProxyFunction")["Timeout"]


@planted("the_clock_asks_every_minute")
def a_slow_clock(resources):
    properties(resources, "WorkerFunction")["Events"]["Due"]["Properties"]["Schedule"] = "rate(5 minutes)"


@planted("the_clock_asks_every_minute")
def a_clock_that_nobody_understands(resources):
    del properties(resources, "WorkerFunction")["Events"]["Due"]["Properties"]["Input"]


@planted("the_clock_asks_every_minute")
def no_clock(resources):
    del properties(resources, "WorkerFunction")["Events"]["Due"]


@planted("the_clock_asks_every_minute")
def a_failed_minute_three_times(resources):
    del properties(resources, "WorkerFunction")["EventInvokeConfig"]


@planted("alarms_ring")
def no_alarm_of_dead_letters(resources):
    del resources["DeadLettersAlarm"]


@planted("alarms_ring")
def no_alarm_of_dead_signals(resources):
    del resources["WorkDeadLettersAlarm"]


@planted("alarms_ring")
def an_alarm_that_nobody_hears(resources):
    del properties(resources, "ErrorsAlarm")["AlarmActions"]


@planted("alarms_ring")
def a_function_without_alarm(resources):
    properties(resources, "ThrottlesAlarm")["Metrics"].pop()


@planted("alarms_ring")
def an_alarm_that_watches_too_much(resources):
    metrics = properties(resources, "ErrorsAlarm")["Metrics"]
    metrics.append({**metrics[-1], "Id": "another"})


@planted("the_dashboard_shows_every_function")
def a_function_not_shown(resources):
    body = properties(resources, "Dashboard")["DashboardBody"]
    body["Fn::Sub"] = body["Fn::Sub"].replace("${AuditWriterFunction}", "audit-writer")
