//! Tables without lines: a dim head, two spaces between columns, nothing at the end of a row.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{
    json::Json,
    terminal::{Style, Terminal, plain},
};

/// A column and the path of the value that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    title: String,
    path: String,
    /// May be cut when the terminal is too narrow. Ids and prefixes may not: they are there to be copied.
    flexible: bool,
}

impl Column {
    pub(crate) fn new(title: &str, path: &str) -> Self {
        Self { title: title.to_owned(), path: path.to_owned(), flexible: false }
    }

    pub(crate) fn flexible(title: &str, path: &str) -> Self {
        Self { flexible: true, ..Self::new(title, path) }
    }

    /// A field that the user named.
    pub(crate) fn of(path: &str) -> Self {
        Self::new(&path.replace(['_', '.'], " ").to_uppercase(), path)
    }
}

const GAP: &str = "  ";
/// A flexible column is not made narrower than this.
const NARROWEST: usize = 10;

/// The whole table, with a line feed after each row.
pub(crate) fn render(items: &[Json], columns: &[Column], terminal: Terminal) -> String {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            let value =
                |column: &Column| item.path(&column.path).map_or_else(absent, |it| cell(&column.path, it));
            columns.iter().map(value).collect()
        })
        .collect();
    let mut widths: Vec<usize> = columns.iter().map(|column| column.title.width()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    if let Some(available) = terminal.width {
        fit(&mut widths, columns, available);
    }
    let mut out = String::new();
    let titles: Vec<String> = columns.iter().map(|column| column.title.clone()).collect();
    line(&mut out, &titles, &widths, columns, |_, text| Style::Dim.paint(terminal.color, text).into_owned());
    for row in &rows {
        line(&mut out, row, &widths, columns, |column, text| paint(&column.path, text, terminal.color));
    }
    out
}

/// A value as a cell shows it.
pub(crate) fn cell(path: &str, value: &Json) -> String {
    match value {
        Json::Null => absent(),
        Json::Bool(true) => "yes".to_owned(),
        Json::Bool(false) => "no".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::Text(text) if path.ends_with("_at") || path == "at" => time(text),
        Json::Text(text) => plain(text).into_owned(),
        Json::List(items) => {
            let items: Vec<String> = items.iter().map(|item| cell(path, item)).collect();
            if items.is_empty() { absent() } else { items.join(", ") }
        }
        Json::Object(_) if path.ends_with("principal") => principal(value),
        Json::Object(_) => plain(&serde_json::to_string(value).unwrap_or_default()).into_owned(),
    }
}

/// A principal in a word or two: `system`, `agent 018f…`.
fn principal(value: &Json) -> String {
    let kind = value.text("type").unwrap_or("?");
    let id = ["user_id", "external_group_id", "agent_id"].into_iter().find_map(|name| value.text(name));
    plain(&id.map_or_else(|| kind.to_owned(), |id| format!("{kind} {id}"))).into_owned()
}

/// `2026-01-02T03:04:05.123456Z` to the second, as people read it.
fn time(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => plain(text).into_owned(),
    }
}

fn absent() -> String {
    "-".to_owned()
}

/// Colours a state by what it means.
fn paint(path: &str, text: &str, color: bool) -> String {
    let last = path.rsplit('.').next().unwrap_or_default();
    if !matches!(last, "status" | "kind" | "outcome") || path == "kind" {
        return text.to_owned();
    }
    let style = match text.trim_end() {
        "active" | "success" | "enabled" => Style::Green,
        "rotated_in_grace" | "archived" | "disabled" | "provider_error" | "aborted" => Style::Yellow,
        "revoked" | "expired" | "rotated" | "denied" | "network_error" | "vault_error" => Style::Red,
        _ => return text.to_owned(),
    };
    style.paint(color, text).into_owned()
}

fn line(
    out: &mut String,
    cells: &[String],
    widths: &[usize],
    columns: &[Column],
    paint: impl Fn(&Column, &str) -> String,
) {
    let last = cells.len().saturating_sub(1);
    for (number, ((cell, width), column)) in cells.iter().zip(widths).zip(columns).enumerate() {
        let text = shorten(cell, *width);
        out.push_str(&paint(column, &text));
        if number < last {
            out.push_str(&" ".repeat(width.saturating_sub(text.width())));
            out.push_str(GAP);
        }
    }
    out.push('\n');
}

/// Takes from the widest flexible column until the table fits, or nothing more can be taken.
fn fit(widths: &mut [usize], columns: &[Column], available: usize) {
    loop {
        let total = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        let excess = total.saturating_sub(available);
        let widest = widths
            .iter_mut()
            .zip(columns)
            .filter(|(width, column)| column.flexible && **width > NARROWEST)
            .max_by_key(|(width, _)| **width);
        match widest {
            Some((width, _)) if excess > 0 => *width -= 1,
            _ => return,
        }
    }
}

fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used < width
    });
    let mut short: String = kept.collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Json> {
        let text = r#"[
            {"id":"018f","name":"Zürich 東京","status":"active","principal":{"type":"system"},"created_at":"2026-01-02T03:04:05.9Z"},
            {"id":"018f4e9a","name":"b\u001b[2J","status":"revoked","principal":{"type":"agent","agent_id":"77"},"created_at":null}
        ]"#;
        match Json::parse(text.as_bytes()).unwrap() {
            Json::List(items) => items,
            _ => unreachable!(),
        }
    }

    fn columns() -> Vec<Column> {
        vec![
            Column::new("ID", "id"),
            Column::flexible("NAME", "name"),
            Column::new("STATUS", "status"),
            Column::new("FOR", "principal"),
            Column::new("CREATED", "created_at"),
        ]
    }

    #[test]
    fn columns_line_up_whatever_the_script() {
        insta::assert_snapshot!(render(&items(), &columns(), Terminal::default()), @r"
        ID        NAME         STATUS   FOR       CREATED
        018f      Zürich 東京  active   system    2026-01-02 03:04:05Z
        018f4e9a  b\u001b[2J   revoked  agent 77  -
        ");
    }

    #[test]
    fn a_narrow_terminal_cuts_names_and_never_ids() {
        let terminal = Terminal { stdout: true, width: Some(30), ..Terminal::default() };
        let table = render(&items(), &columns(), terminal);
        assert!(table.contains("018f4e9a  b\\u001b[2J"), "{table}");
        let wide =
            Json::parse(br#"{"id":"018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90","name":"a very long name indeed"}"#)
                .unwrap();
        let table = render(
            &[wide],
            &columns()[..2],
            Terminal { stdout: true, width: Some(50), ..Terminal::default() },
        );
        assert!(
            table.contains("018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90  a very lo…  \n")
                || table.contains("a very long…"),
            "{table}"
        );
    }

    #[test]
    fn colour_only_where_there_is_a_terminal() {
        let terminal = Terminal { stdout: true, color: true, ..Terminal::default() };
        let table = render(&items(), &columns(), terminal);
        assert!(
            table.contains("\x1b[32mactive\x1b[0m") && table.contains("\x1b[31mrevoked\x1b[0m"),
            "{table}"
        );
        assert!(!render(&items(), &columns(), Terminal::default()).contains('\x1b'));
    }
}
