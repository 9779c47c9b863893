//! Prints `docs/providers.md`; `cargo xtask providers-doc` puts it in its place.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(alter_domain::catalogue::providers_markdown().as_bytes())
}
