//! `alter provider check`: the catalogue's rules, held against a file.

use alter_domain::{
    egress::EgressRules,
    oauth::{Provider, check},
};
use clap::Args;
use serde_json::Value;

use super::provider_input::definition;
use crate::cli::{
    context::Context,
    error::{CliError, Result},
    json::Json,
    output::{Format, Listing},
    table::Column,
};

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// A definition, a list of them, or a catalogue ({"providers": […]}), in JSON; - is standard input
    file: String,
    /// Lets a definition name this machine, also over plain http, as `alter serve` does with the same option
    #[arg(long)]
    allow_loopback_http: bool,
}

/// Prints every problem with its code, and fails if there is one.
pub(crate) fn run(context: &Context, args: &CheckArgs) -> Result<()> {
    let rules = EgressRules { allow_loopback_http: args.allow_loopback_http };
    let entries = entries(definition(&args.file)?)?;
    let mut problems = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let name =
            entry.get("id").and_then(Value::as_str).map_or_else(|| format!("#{}", number + 1), str::to_owned);
        match serde_json::from_value::<Provider>(entry.clone()) {
            // It does not read as a definition at all: nothing else can be said of it.
            Err(error) => problems.push(problem(&name, "schema", "", &error.to_string())),
            Ok(provider) => problems.extend(check(&provider, rules).into_iter().map(|found| {
                let code = serde_json::to_value(found.code).ok();
                let code = code.as_ref().and_then(Value::as_str).unwrap_or_default();
                problem(&name, code, &found.at, &found.detail)
            })),
        }
    }
    let ids: Vec<&str> = entries.iter().filter_map(|entry| entry.get("id")?.as_str()).collect();
    for pair in ids.windows(2) {
        if let [before, after] = pair
            && before >= after
        {
            problems.push(problem(
                after,
                "order",
                "id",
                &format!("it comes after {before}: ids are sorted and unique"),
            ));
        }
    }
    let count = problems.len();
    report(context, problems)?;
    match count {
        0 => {
            context.printer.remark(&format!("Nothing is wrong ({} checked).", entries.len()));
            Ok(())
        }
        count => Err(CliError::failure("invalid_definition", format!("{count} problems."))),
    }
}

fn report(context: &Context, problems: Vec<Json>) -> Result<()> {
    if problems.is_empty() && context.printer.format == Format::Table {
        return Ok(());
    }
    let columns = [
        Column::new("PROVIDER", "provider_id"),
        Column::new("CODE", "code"),
        Column::new("WHERE", "at"),
        Column::new("PROBLEM", "detail"),
    ];
    context.printer.list(&Listing { items: problems, next_cursor: None }, &columns)
}

fn entries(file: Value) -> Result<Vec<Value>> {
    match file {
        Value::Array(entries) => Ok(entries),
        Value::Object(mut fields) => match fields.remove("providers") {
            Some(Value::Array(entries)) => Ok(entries),
            Some(_) => Err(CliError::failure("invalid_definition", "`providers` is a list.")),
            None => Ok(vec![Value::Object(fields)]),
        },
        _ => Err(CliError::failure("invalid_definition", "A definition is a JSON object.")),
    }
}

fn problem(provider: &str, code: &str, at: &str, detail: &str) -> Json {
    let fields = [("provider_id", provider), ("code", code), ("at", at), ("detail", detail)];
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), Json::from(value))).collect())
}
