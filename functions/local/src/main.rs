//! `alter`: the vault, its command line and its demo.

fn main() {}
