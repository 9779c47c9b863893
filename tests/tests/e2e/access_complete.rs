//! The access table has every route: it is compared with what the routers have and with the portal's description.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::access_table::table;

/// The routes that the routers really have: those of the portal from its own description, the others from where they are
/// written, because axum does not list its routes.
fn routes() -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let mut open = vec![functions];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != "tests" {
                open.push(path);
            } else if name.ends_with(".rs") {
                routes.extend(written_routes(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let document: Value = serde_json::from_str(&alter_portal::openapi().to_json().unwrap()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| !["parameters", "summary"].contains(&name.as_str()));
        routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    routes
}

/// Every `.route("path", routing::method(…))` of a source file.
fn written_routes(source: &str) -> Vec<(String, String)> {
    let route = |rest: &str| {
        let (path, rest) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
        let method = rest.trim_start().strip_prefix(',')?.trim_start().strip_prefix("routing::")?;
        let end = method.find('(')?;
        Some((method[..end].to_uppercase(), path.to_owned()))
    };
    let code = source.split("#[cfg(test)]").next().unwrap();
    // A demonstration's own upstream is no route of the vault.
    code.split(".route(").skip(1).filter_map(route).collect()
}

#[test]
fn the_table_has_every_route_and_no_other() {
    let rows: BTreeSet<_> =
        table().iter().map(|row| (row.route.0.to_owned(), row.route.1.to_owned())).collect();
    assert_eq!(rows.len(), table().len(), "a route has two rows");
    let routes = routes();
    let missing: Vec<_> = routes.difference(&rows).collect();
    let idle: Vec<_> = rows.difference(&routes).collect();
    assert!(missing.is_empty() && idle.is_empty(), "without a row: {missing:?}; without a route: {idle:?}");
}

#[test]
fn routes_are_found_where_they_are_written() {
    let source = "x.route(\"/a/{id}\", routing::post(b::c))\n.route(\n  \"/d\",\n  routing::any(e))\n#[cfg(test)] .route(\"/f\", routing::get(g))";
    assert_eq!(written_routes(source), [("POST".into(), "/a/{id}".into()), ("ANY".into(), "/d".into())]);
}
