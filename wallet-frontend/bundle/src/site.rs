//! Which files the site has, and which names which.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Result, Task, bindings::Bound, output::Output};

/// Placeholders in a template, and what stands for them.
type Names = Vec<(&'static str, String)>;

/// The page that the site's speed is compared with has a module and a script, and nothing to look at.
const BLANK: &str = "blank";

/// Writes the site. A file is written after those that it names, as its own hash depends on theirs.
pub(crate) fn write(task: &Task, bound: &Bound, output: &mut Output) -> Result {
    let name = task.name.as_str();
    let mut js = bound.js.clone();
    for (path, script) in &bound.snippets {
        let written = output.hashed("snippet", "js", script.as_bytes())?;
        js = js.replace(path, &format!("./{written}"));
    }
    let mut later = Vec::new();
    for (path, part) in &bound.later {
        let written = output.later(&format!("{name}-later"), "wasm", part)?;
        js = js.replace(&format!("\"{path}\""), &format!("\"./{written}\""));
        later.push(url(&written));
    }
    let mut names = Names::new();
    names.push(("{later}", later.join(" ")));
    names.push(("{wasm}", url(&output.hashed(name, "wasm", &bound.wasm)?)));
    names.push(("{js}", url(&output.hashed(name, "js", js.as_bytes())?)));
    let boot = fill(&task.site.join("boot.js"), &names)?;
    names.push(("{boot}", url(&output.hashed("boot", "js", boot.as_bytes())?)));
    if name == BLANK {
        return output.plain("index.html", fill(&task.site.join("blank.html"), &names)?.as_bytes());
    }
    names.push(("{css}", url(&output.hashed(name, "css", styles(&task.site)?.as_bytes())?)));
    for icon in sorted(&task.site.join("icons"))? {
        let (stem, extension) = (part(icon.file_stem()), part(icon.extension()));
        let written = output.hashed(&stem, &extension, &fs::read(&icon)?)?;
        names.push((placeholder(&stem, &extension)?, url(&written)));
    }
    for plain in ["manifest.webmanifest", "index.html"] {
        output.plain(plain, fill(&task.site.join(plain), &names)?.as_bytes())?;
    }
    Ok(())
}

/// What a page and a manifest call an icon.
fn placeholder(stem: &str, extension: &str) -> Result<&'static str> {
    match (stem, extension) {
        ("icon", "svg") => Ok("{icon}"),
        ("icon-180", "png") => Ok("{icon-180}"),
        ("icon-192", "png") => Ok("{icon-192}"),
        ("icon-512", "png") => Ok("{icon-512}"),
        _ => Err(format!("icons/{stem}.{extension} is named by nothing").into()),
    }
}

fn url(name: &str) -> String {
    format!("/{name}")
}

/// A template with its placeholders replaced. One that is left would be asked for by browsers: an error.
fn fill(template: &Path, names: &Names) -> Result<String> {
    let mut text = fs::read_to_string(template)?;
    for (placeholder, value) in names {
        text = text.replace(placeholder, value);
    }
    let left = text.lines().find(|line| line.contains("\"{"));
    left.map_or(Ok(text.clone()), |line| Err(format!("{}: {line}", template.display()).into()))
}

/// The style sheets in the order of their names, as one; comments are for those who write them.
fn styles(site: &Path) -> Result<String> {
    let mut all = String::new();
    for sheet in sorted(&site.join("style"))? {
        if sheet.extension().is_some_and(|extension| extension == "css") {
            all.push_str(&fs::read_to_string(sheet)?);
        }
    }
    Ok(without_comments(&all))
}

/// Leaves out comments, indentation and empty lines. No sheet of ours has a text with `/*` in it.
fn without_comments(sheet: &str) -> String {
    let mut kept = String::with_capacity(sheet.len());
    let mut rest = sheet;
    while let Some((before, comment)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The files in a folder, by name: the result is the same on each machine.
fn sorted(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn part(name: Option<&std::ffi::OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_lose_comments_and_indentation_and_nothing_else() {
        let sheet =
            "/* why */\na {\n  color: red; /* because */\n}\n\n/* two\nlines */\nb > c { margin: 0 }\n";
        assert_eq!(without_comments(sheet), "a {\ncolor: red;\n}\nb > c { margin: 0 }");
        assert_eq!(without_comments("a{}/* never closed"), "a{}");
    }

    #[test]
    fn a_placeholder_that_nothing_fills_is_an_error() {
        let template = std::env::temp_dir().join(format!("wallet-bundle-{}.html", std::process::id()));
        fs::write(&template, "<link href=\"{css}\">\n").unwrap();
        let filled = fill(&template, &vec![("{css}", "/a.css".to_owned())]);
        let left = fill(&template, &vec![("{js}", "/a.js".to_owned())]);
        fs::remove_file(&template).unwrap();
        assert_eq!(filled.unwrap(), "<link href=\"/a.css\">\n");
        assert!(left.is_err());
    }
}
