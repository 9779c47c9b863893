//! The module as a browser loads it, and the script beside it (wasm-bindgen).

use std::{collections::BTreeMap, path::Path};

use wasm_bindgen_cli_support::Bindgen;

use crate::Result;

pub(crate) struct Bound {
    pub(crate) wasm: Vec<u8>,
    pub(crate) js: String,
    /// Scripts that libraries bring along, by the path by which `js` imports them.
    pub(crate) snippets: BTreeMap<String, String>,
}

pub(crate) fn generate(wasm: &Path, name: &str, is_dev: bool) -> Result<Bound> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(wasm).out_name(name).typescript(false).omit_default_module_path(true);
    bindgen.remove_name_section(!is_dev).remove_producers_section(!is_dev);
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
    let js = output.js().to_owned();
    Ok(Bound { wasm: output.wasm_mut().emit_wasm(), js, snippets })
}
