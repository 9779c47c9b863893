//! The three forms of output: a table for people, JSON for programs, JSON lines for streams of rows.

use std::io::{self, Write};

use clap::ValueEnum;

use super::{
    error::{CliError, Result},
    json::Json,
    table::{Column, cell, render},
    terminal::{Style, Terminal, plain_lines},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    // Not doc comments: the option's own help says it, and a list of values would make every help page long.
    #[default]
    Table,
    Json,
    Jsonl,
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) items: Vec<Json>,
    pub(crate) next_cursor: Option<String>,
}

/// Writes results to standard output and remarks to standard error.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    pub(crate) format: Format,
    pub(crate) fields: Option<Vec<String>>,
    pub(crate) terminal: Terminal,
}

impl Printer {
    /// A list: `columns` are those of the table.
    pub(crate) fn list(&self, listing: &Listing, columns: &[Column]) -> Result<()> {
        let known: Vec<&str> = listing.items.iter().flat_map(Json::keys).collect();
        self.check_fields(&known)?;
        let mut out = String::new();
        match self.format {
            Format::Table if listing.items.is_empty() => self.remark("Nothing found."),
            Format::Table => {
                let chosen: Option<Vec<Column>> =
                    self.fields.as_ref().map(|fields| fields.iter().map(|field| Column::of(field)).collect());
                out = render(&listing.items, chosen.as_deref().unwrap_or(columns), self.terminal);
            }
            Format::Json => {
                let items = listing.items.iter().map(|item| self.select(item)).collect();
                let next = listing.next_cursor.as_deref().map_or(Json::Null, Json::from);
                let page = vec![("items".to_owned(), Json::List(items)), ("next_cursor".to_owned(), next)];
                out = pretty(&Json::Object(page))?;
            }
            Format::Jsonl => {
                for item in &listing.items {
                    out.push_str(&compact(&self.select(item))?);
                }
            }
        }
        self.write(&out)?;
        if let (Some(cursor), Format::Table | Format::Jsonl) = (&listing.next_cursor, self.format) {
            self.remark(&format!(
                "There is more: --cursor {cursor} goes on from here, --all shows everything."
            ));
        }
        Ok(())
    }

    /// One thing.
    pub(crate) fn show(&self, item: &Json) -> Result<()> {
        self.check_fields(&item.keys().collect::<Vec<_>>())?;
        let item = self.select(item);
        let out = match self.format {
            Format::Table => self.fields_of(&item),
            Format::Json => pretty(&item)?,
            Format::Jsonl => compact(&item)?,
        };
        self.write(&out)
    }

    /// A sentence for people, on standard error: it is no part of the result.
    pub(crate) fn remark(&self, text: &str) {
        // A remark that cannot be written has nobody to read it.
        let _ = writeln!(io::stderr(), "{}", Style::Dim.paint(self.terminal.error_color, &plain_lines(text)));
    }

    pub(crate) fn warn(&self, text: &str) {
        let word = Style::Yellow.paint(self.terminal.error_color, "warning:");
        let _ = writeln!(io::stderr(), "{word} {}", plain_lines(text));
    }

    pub(crate) fn write(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    fn check_fields(&self, known: &[&str]) -> Result<()> {
        let asked = self.fields.iter().flatten();
        // Of an empty list nothing is known, and nothing is shown either.
        for field in asked.filter(|_| !known.is_empty()) {
            let top = field.split('.').next().unwrap_or_default();
            if !known.contains(&top) {
                let mut names = known.to_vec();
                names.sort_unstable();
                names.dedup();
                let error = CliError::usage(format!("There is no field {field:?}."));
                return Err(error.hint(format!("Fields: {}.", names.join(", "))));
            }
        }
        Ok(())
    }

    fn select(&self, item: &Json) -> Json {
        match &self.fields {
            None => item.clone(),
            Some(fields) => Json::Object(
                fields
                    .iter()
                    .map(|field| (field.clone(), item.path(field).cloned().unwrap_or(Json::Null)))
                    .collect(),
            ),
        }
    }

    /// One line for each field that has a value, nested ones with their path.
    fn fields_of(&self, item: &Json) -> String {
        let mut rows = Vec::new();
        flatten("", item, &mut rows);
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut out = String::new();
        for (name, value) in rows {
            let name = format!("{name:width$}");
            out.push_str(&format!("{}  {value}\n", Style::Dim.paint(self.terminal.color, &name)));
        }
        out
    }
}

fn flatten(prefix: &str, item: &Json, rows: &mut Vec<(String, String)>) {
    let Json::Object(fields) = item else { return };
    for (name, value) in fields {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Json::Null => {}
            Json::Object(_) => flatten(&path, value, rows),
            Json::List(items) if items.iter().any(|item| matches!(item, Json::Object(_))) => {
                for (number, item) in items.iter().enumerate() {
                    flatten(&format!("{path}.{}", number + 1), item, rows);
                }
            }
            value => rows.push((path.clone(), cell(&path, value))),
        }
    }
}

/// Indented JSON. What could steer a terminal is escaped, which JSON allows inside strings.
fn pretty(json: &Json) -> Result<String> {
    let text = serde_json::to_string_pretty(json).map_err(|error| unwritable(&error))?;
    Ok(format!("{}\n", plain_lines(&text)))
}

fn compact(json: &Json) -> Result<String> {
    let text = serde_json::to_string(json).map_err(|error| unwritable(&error))?;
    Ok(format!("{}\n", plain_lines(&text)))
}

fn unwritable(error: &serde_json::Error) -> CliError {
    CliError::failure("output", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printer(format: Format, fields: &[&str]) -> Printer {
        let fields = (!fields.is_empty()).then(|| fields.iter().map(|field| (*field).to_owned()).collect());
        Printer { format, fields, terminal: Terminal::default() }
    }

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn one_thing_is_a_line_for_each_field() {
        let item = json(
            r#"{"app_id":"x","note":null,"hosts":["a","b"],"rules":[{"name":"h"}],"policy":{"expires_at":"2026-01-02T03:04:05.123456Z"}}"#,
        );
        insta::assert_snapshot!(printer(Format::Table, &[]).fields_of(&item), @r"
        app_id             x
        hosts              a, b
        rules.1.name       h
        policy.expires_at  2026-01-02 03:04:05Z
        ");
    }

    #[test]
    fn fields_that_do_not_exist_are_refused_by_name() {
        let error = printer(Format::Json, &["name", "nmae"]).check_fields(&["name", "id"]).unwrap_err();
        assert_eq!(error.exit as u8, 2);
        assert_eq!(error.hint.as_deref(), Some("Fields: id, name."));
        assert!(printer(Format::Json, &["name", "id.of"]).check_fields(&["name", "id"]).is_ok());
    }

    #[test]
    fn chosen_fields_come_in_the_order_chosen() {
        let printer = printer(Format::Jsonl, &["b.c", "a"]);
        let selected = printer.select(&json(r#"{"a":1,"b":{"c":"x"},"d":2}"#));
        assert_eq!(compact(&selected).unwrap(), "{\"b.c\":\"x\",\"a\":1}\n");
    }

    #[test]
    fn json_for_a_terminal_stays_json() {
        let item = Json::from("a\u{9b}31m\u{202e}\n");
        assert_eq!(pretty(&item).unwrap(), "\"a\\u009b31m\\u202e\\n\"\n");
        assert_eq!(json(pretty(&item).unwrap().trim()), item);
    }
}
