//! `docs/providers.md` from the catalogue's data. That it is up to date is a test of the domain's.

use std::fs;

use crate::{
    Context,
    command::{Result, capture, program},
};

/// `cargo xtask providers-doc`.
pub(crate) fn write_document(context: &Context) -> Result {
    let mut print = program(&context.cargo, &context.root);
    print.args(["run", "--quiet", "--package", "alter-domain", "--example", "providers_doc"]);
    let text = capture(&mut print)?;
    let path = context.root.join("docs/providers.md");
    fs::write(&path, text)?;
    println!("{} is written", path.display());
    Ok(())
}
