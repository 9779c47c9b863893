//! Rows as comma-separated values.

use alter_api_types::audit::AuditRow;

pub(super) const COLUMNS: [&str; 35] = [
    "created_at",
    "id",
    "event",
    "outcome",
    "app_id",
    "provider_id",
    "actor_type",
    "caller_key_prefix",
    "caller",
    "caller_type",
    "agent_id",
    "operator_token_id",
    "ip",
    "surface",
    "principal_type",
    "principal_user_id",
    "principal_group_id",
    "principal_agent_id",
    "grant_id",
    "grant_kind",
    "grant_label",
    "method",
    "host",
    "path",
    "status",
    "error_code",
    "latency_ms",
    "request_bytes",
    "response_bytes",
    "truncated",
    "redacted",
    "reason",
    "context",
    "detail",
    "user_id",
];

pub(super) fn cells(row: &AuditRow) -> [String; 35] {
    fn text<T: ToString>(value: &Option<T>) -> String {
        value.as_ref().map(ToString::to_string).unwrap_or_default()
    }
    let map = |map: &std::collections::BTreeMap<String, String>| {
        if map.is_empty() { String::new() } else { serde_json::to_string(map).unwrap_or_default() }
    };
    [
        row.created_at.to_string(),
        row.id.to_string(),
        row.event.clone(),
        row.outcome.clone(),
        text(&row.app_id),
        text(&row.provider_id),
        row.actor_type.clone(),
        text(&row.caller_key_prefix),
        text(&row.caller),
        text(&row.caller_type),
        text(&row.agent_id),
        text(&row.operator_token_id),
        text(&row.ip),
        text(&row.surface),
        text(&row.principal_type),
        text(&row.principal_user_id),
        text(&row.principal_group_id),
        text(&row.principal_agent_id),
        text(&row.grant_id),
        text(&row.grant_kind),
        text(&row.grant_label),
        text(&row.method),
        text(&row.host),
        text(&row.path),
        text(&row.status),
        text(&row.error_code),
        text(&row.latency_ms),
        text(&row.request_bytes),
        text(&row.response_bytes),
        row.truncated.to_string(),
        row.redacted.to_string(),
        text(&row.reason),
        map(&row.context),
        map(&row.detail),
        text(&row.user_id),
    ]
}

/// One line of RFC 4180. A cell that a spreadsheet would take for a formula is led by an apostrophe.
pub(super) fn csv_line(cells: &[String]) -> Vec<u8> {
    let mut line = String::new();
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let quoted = formula || cell.contains(['"', ',', '\n', '\r']);
        if quoted {
            line.push('"');
        }
        if formula {
            line.push('\'');
        }
        line.push_str(&cell.replace('"', "\"\""));
        if quoted {
            line.push('"');
        }
    }
    line.push_str("\r\n");
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_and_disarms_formulas() {
        let line = csv_line(&["plain".into(), "a,\"b\"\n".into(), "=1+1".into(), String::new()]);
        assert_eq!(String::from_utf8(line).unwrap(), "plain,\"a,\"\"b\"\"\n\",\"'=1+1\",\r\n");
    }
}
