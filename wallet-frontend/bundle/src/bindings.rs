//! The modules as a browser loads them, and the script beside them (wasm-bindgen).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use wasm_bindgen_cli_support::Bindgen;
use wasm_split_cli_support::{Options, transform};

use crate::{Result, sections};

/// What `js` calls the script that loads the later modules. It becomes a part of `js`.
const LOADER: &str = "./__wasm_split.js";

pub(crate) struct Bound {
    /// The first module.
    pub(crate) wasm: Vec<u8>,
    pub(crate) js: String,
    /// Modules that are loaded later, by the path by which `js` asks for them.
    pub(crate) later: BTreeMap<String, Vec<u8>>,
    /// Scripts that libraries bring along, by the path by which `js` imports them.
    pub(crate) snippets: BTreeMap<String, String>,
}

pub(crate) fn generate(wasm: &Path, name: &str, is_dev: bool) -> Result<Bound> {
    let split = split(wasm, name, is_dev)?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(&split.first).out_name(name).typescript(false).omit_default_module_path(true);
    bindgen.remove_name_section(!is_dev).remove_producers_section(!is_dev);
    // The later modules use the first one's table of functions.
    bindgen.keep_lld_exports(true);
    let mut output = bindgen.web(true)?.generate_output()?;
    let mut snippets = BTreeMap::new();
    for (identifier, scripts) in output.snippets() {
        for (number, script) in scripts.iter().enumerate() {
            snippets.insert(format!("./snippets/{identifier}/inline{number}.js"), script.clone());
        }
    }
    for (path, script) in output.local_modules() {
        snippets.insert(format!("./snippets/{path}"), script.clone());
    }
    if let Some(package) = output.npm_dependencies().keys().next() {
        return Err(
            format!("a library wants the npm package {package}; the site is built without npm").into()
        );
    }
    let js = join(output.js(), &split.loader)?;
    Ok(Bound { wasm: output.wasm_mut().emit_wasm(), js, later: split.later, snippets })
}

struct Split {
    first: PathBuf,
    later: BTreeMap<String, Vec<u8>>,
    loader: String,
}

/// Cuts the module where the site says that it may be cut.
fn split(wasm: &Path, name: &str, is_dev: bool) -> Result<Split> {
    let directory = wasm.with_extension("parts");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    let (whole, first, main) =
        (fs::read(wasm)?, directory.join(format!("{name}.wasm")), format!("./{name}.js"));
    let mut options = Options::new(&whole);
    options.output_dir = &directory;
    options.main_out_path = &first;
    options.main_module = &main;
    options.link_name = LOADER;
    let parts = transform(options).map_err(|error| format!("{error:#}"))?;
    let mut later = BTreeMap::new();
    for part in parts.split_modules {
        let content = fs::read(&part)?;
        let content = if is_dev { content } else { sections::without_custom(&content)? };
        let file = part.file_name().unwrap_or_default().to_string_lossy();
        later.insert(format!("./{file}"), content);
    }
    let loader = fs::read_to_string(directory.join(LOADER))?;
    let import = format!("import {{ initSync }} from \"{main}\";");
    Ok(Split { first, later, loader: loader.replace(&import, "") })
}

/// One script of two that import each other.
fn join(js: &str, loader: &str) -> Result<String> {
    let names: Vec<_> = loader
        .lines()
        .filter_map(|line| line.strip_prefix("export const ")?.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    let import = format!(" from \"{LOADER}\"");
    if names.is_empty() && !js.contains(&import) {
        return Ok(js.to_owned());
    }
    let mut joined = loader.replace("export const ", "const ");
    joined.push_str(&format!("\nconst later = {{ {} }};\n", names.join(", ")));
    for line in js.lines() {
        if let Some(before) = line.trim_end_matches(';').strip_suffix(&import) {
            let alias = before.strip_prefix("import * as ").ok_or("an import of another form")?;
            joined.push_str(&format!("const {alias} = later;\n"));
        } else {
            joined.push_str(line);
            joined.push('\n');
        }
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_becomes_a_part_of_the_script() {
        let loader = "function make(fetcher) { return fetcher; }\nexport const load_pages = make(() => 1);\n";
        let js =
            "import * as import1 from \"./__wasm_split.js\"\nimport * as other from \"./a.js\"\nlet wasm;\n";
        let joined = join(js, loader).unwrap();
        assert_eq!(
            joined,
            "function make(fetcher) { return fetcher; }\nconst load_pages = make(() => 1);\n\nconst later = { load_pages };\n\
             const import1 = later;\nimport * as other from \"./a.js\"\nlet wasm;\n"
        );
    }

    #[test]
    fn a_script_without_later_modules_stays_as_it_is() {
        assert_eq!(join("let wasm;", "function make() {}\n").unwrap(), "let wasm;");
    }
}
