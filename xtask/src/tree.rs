//! Who may depend on whom (docs/ARCHITECTURE.md): dependencies point inwards only. A sentence in a document does not
//! hold a wall; this does.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Context,
    command::{Result, capture, program},
    lambda::{FUNCTIONS, TEST_ONLY},
    metadata::{self, Kind, Member},
};

/// A package and the features that it is built with, when only one member is built.
type Tree = BTreeMap<String, BTreeSet<String>>;

const DOMAIN: &str = "alter-domain";
const API_TYPES: &str = "alter-api-types";
/// What runs in the browser.
const SITE: &str = "wallet-frontend";
/// The one crate that puts functions and adapters together.
const BINARY: &str = "alter";

/// What the browser's half may need: nothing that does not build for wasm.
const API_TYPES_MAY_USE: [&str; 6] = ["serde", "serde_json", "uuid", "jiff", "zeroize", "utoipa"];

/// AWS's crates in the domain: a signer that computes and a type that it takes. Not one that connects.
const DOMAIN_AWS: [&str; 2] = ["aws-sigv4", "aws-credential-types"];

/// Storage, sockets of our own and TLS: adapters' business.
const NOT_IN_DOMAIN: [&str; 13] = [
    "rusqlite",
    "libsqlite3-sys",
    "fjall",
    "reqwest",
    "hyper-rustls",
    "tokio-rustls",
    "rustls",
    "aws-config",
    "aws-runtime",
    "aws-smithy-runtime",
    "aws-smithy-http-client",
    "lambda_http",
    "lambda_runtime",
];

/// The feature of a function's crate that its Lambda main needs.
const LAMBDA: &str = "lambda";

/// Nowhere, for any member, feature or platform (the lock file has them all).
const NOWHERE: [&str; 6] = ["openssl", "openssl-sys", "native-tls", "schannel", "aws-lc-rs", "aws-lc-sys"];

pub(crate) fn check(context: &Context) -> Result {
    let members = metadata::members(context)?;
    let mut broken = Vec::new();
    for member in &members {
        broken.extend(direct(member, &members));
    }
    broken.extend(domain(&tree(context, DOMAIN, &[])?));
    broken.extend(local(&tree(context, BINARY, &[])?));
    for function in FUNCTIONS {
        let package = function.package();
        broken.extend(on_aws(&package, &tree(context, &package, &["--features", LAMBDA])?));
    }
    for file in ["Cargo.lock", "wallet-frontend/Cargo.lock"] {
        let lock = std::fs::read_to_string(context.root.join(file))?;
        let locked = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        let refused = locked.filter(|name| NOWHERE.contains(name));
        broken.extend(refused.map(|name| format!("{name} is in {file}")));
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n").into()) }
}

/// The layer that a member belongs to, by where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    ApiTypes,
    Domain,
    Adapter,
    Function,
    Binary,
    /// Knows the server by the shared types only.
    Site,
    /// Tests, benches and chores: nothing that ships depends on them.
    Tool,
}

impl Layer {
    fn of(member: &Member) -> Self {
        match member.name.as_str() {
            API_TYPES => Layer::ApiTypes,
            DOMAIN => Layer::Domain,
            BINARY => Layer::Binary,
            SITE => Layer::Site,
            _ if member.directory.starts_with("shared/adapters") => Layer::Adapter,
            _ if member.directory.starts_with("functions") => Layer::Function,
            _ => Layer::Tool,
        }
    }

    fn may_use(self, other: Self, optional: bool) -> bool {
        match self {
            Layer::ApiTypes => false,
            Layer::Domain | Layer::Site => other == Layer::ApiTypes,
            // A function's Lambda main needs adapters; its library does not, so they come with the feature `lambda` only.
            Layer::Function if optional => {
                matches!(other, Layer::ApiTypes | Layer::Domain | Layer::Adapter)
            }
            Layer::Adapter | Layer::Function => matches!(other, Layer::ApiTypes | Layer::Domain),
            Layer::Binary => !matches!(other, Layer::Binary | Layer::Site | Layer::Tool),
            Layer::Tool => true,
        }
    }
}

/// A member's own list of dependencies. What only its tests need is free.
fn direct(member: &Member, members: &[Member]) -> Vec<String> {
    let layer = Layer::of(member);
    let mut broken = Vec::new();
    for dependency in member.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev) {
        let name = dependency.name.as_str();
        let ours = members.iter().find(|member| member.name == name);
        let refused = match (layer, ours) {
            (_, Some(other)) => !layer.may_use(Layer::of(other), dependency.optional),
            (Layer::ApiTypes, None) => !API_TYPES_MAY_USE.contains(&name),
            (Layer::Domain, None) => name.starts_with("aws-") && !DOMAIN_AWS.contains(&name),
            (_, None) => false,
        };
        if refused {
            broken.push(format!("{} may not depend on {name}", member.name));
        }
    }
    broken
}

/// The domain with all that it brings along.
fn domain(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, features) in tree {
        if NOT_IN_DOMAIN.contains(&name.as_str()) || name.starts_with("aws-sdk-") {
            broken.push(format!("{DOMAIN} brings {name}"));
        }
        // The web edge is a server; a client could call out around the egress guard.
        if matches!(name.as_str(), "hyper" | "hyper-util") && features.iter().any(|f| f.starts_with("client"))
        {
            broken.push(format!("{DOMAIN} brings {name} with its client"));
        }
    }
    broken
}

/// The vault as one process knows nothing of AWS: neither its clients nor Lambda, whatever the functions may.
fn local(tree: &Tree) -> Vec<String> {
    let of_aws = |name: &str| {
        let family = ["aws-", "aws_", "lambda_", "lambda-"].iter().any(|family| name.starts_with(family));
        family && !allowed_in_local(name) || name == "alter-adapter-aws"
    };
    tree.keys().filter(|name| of_aws(name)).map(|name| format!("{BINARY} brings {name}")).collect()
}

/// The signer of requests to AWS, by which a credential of AWS is injected, and what it computes with.
fn allowed_in_local(name: &str) -> bool {
    const COMPUTES: [&str; 5] = [
        "aws-smithy-async",
        "aws-smithy-http",
        "aws-smithy-runtime-api",
        "aws-smithy-runtime-api-macros",
        "aws-smithy-types",
    ];
    DOMAIN_AWS.contains(&name) || COMPUTES.contains(&name)
}

/// A function on AWS keeps nothing on the machine that it runs on, and sends no credential to it.
fn on_aws(package: &str, tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for name in ["rusqlite", "libsqlite3-sys", "alter-adapter-local"] {
        if tree.contains_key(name) {
            broken.push(format!("{package} on AWS brings {name}"));
        }
    }
    for test_only in TEST_ONLY {
        let parts = test_only.split_once('/');
        if parts.is_some_and(|(owner, feature)| tree.get(owner).is_some_and(|has| has.contains(feature))) {
            broken.push(format!("{package} on AWS has the feature {test_only}"));
        }
    }
    if !tree.contains_key("alter-adapter-aws") {
        broken.push(format!("{package} has no adapters of AWS with the feature {LAMBDA}"));
    }
    broken
}

fn tree(context: &Context, package: &str, features: &[&str]) -> Result<Tree> {
    let mut command = program(&context.cargo, &context.root);
    command.args(["tree", "--package", package, "--edges", "normal,build", "--target", "all"]).args(features);
    let text = capture(command.args(["--prefix", "none", "--format", "{p}\t{f}"]))?;
    let tree = parse(&text);
    if tree.contains_key(package) { Ok(tree) } else { Err("cargo tree printed no tree".into()) }
}

fn parse(text: &str) -> Tree {
    let mut tree = Tree::new();
    for line in text.lines() {
        let (package, features) = line.split_once('\t').unwrap_or((line, ""));
        let Some(name) = package.split_whitespace().next() else { continue };
        // A line seen before ends in ` (*)`.
        let features =
            features.trim_end_matches("(*)").trim().split(',').filter(|feature| !feature.is_empty());
        tree.entry(name.to_owned()).or_default().extend(features.map(str::to_owned));
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn member(name: &str, directory: &str, dependencies: &[(&str, Kind)]) -> Member {
        let dependencies = dependencies.iter().map(|(name, kind)| Dependency {
            name: (*name).to_owned(),
            in_code: name.replace('-', "_"),
            kind: *kind,
            optional: false,
        });
        Member { name: name.to_owned(), directory: directory.into(), dependencies: dependencies.collect() }
    }

    fn refused(name: &str, directory: &str, dependency: &str, kind: Kind) -> bool {
        let mut members = vec![
            member(API_TYPES, "shared/api-types", &[]),
            member(DOMAIN, "shared/domain", &[]),
            member("alter-adapter-x", "shared/adapters/x", &[]),
            member("alter-f", "functions/f", &[]),
            member("bench", "bench", &[]),
            member(SITE, SITE, &[]),
        ];
        members.retain(|other| other.name != name);
        members.push(member(name, directory, &[(dependency, kind)]));
        members.last().is_some_and(|last| !direct(last, &members).is_empty())
    }

    #[test]
    fn dependencies_point_inwards() {
        let (function, adapter) = ("functions/g", "shared/adapters/y");
        for (name, directory, dependency, expected) in [
            ("alter-g", function, DOMAIN, false),
            ("alter-g", function, "alter-adapter-x", true),
            ("alter-g", function, "alter-f", true),
            ("alter-g", function, "bench", true),
            ("alter-adapter-y", adapter, DOMAIN, false),
            ("alter-adapter-y", adapter, "alter-f", true),
            ("alter-adapter-y", adapter, "alter-adapter-x", true),
            (DOMAIN, "shared/domain", API_TYPES, false),
            (DOMAIN, "shared/domain", "alter-adapter-x", true),
            (DOMAIN, "shared/domain", "aws-sigv4", false),
            (DOMAIN, "shared/domain", "aws-config", true),
            (API_TYPES, "shared/api-types", "serde", false),
            (API_TYPES, "shared/api-types", "tokio", true),
            (BINARY, "functions/local", "alter-f", false),
            (BINARY, "functions/local", "alter-adapter-x", false),
            (BINARY, "functions/local", "bench", true),
            (BINARY, "functions/local", SITE, true),
            (SITE, SITE, API_TYPES, false),
            (SITE, SITE, DOMAIN, true),
        ] {
            assert_eq!(refused(name, directory, dependency, Kind::Normal), expected, "{name} → {dependency}");
            assert!(!refused(name, directory, dependency, Kind::Dev), "{name} tests with {dependency}");
        }
    }

    #[test]
    fn a_function_may_have_adapters_with_a_feature_and_nothing_else() {
        let allowed = |dependency: &str, optional| {
            let mut function = member("alter-g", "functions/g", &[(dependency, Kind::Normal)]);
            function.dependencies.iter_mut().for_each(|one| one.optional = optional);
            let mut members = vec![
                member("alter-adapter-x", "shared/adapters/x", &[]),
                member("alter-f", "functions/f", &[]),
                member("bench", "bench", &[]),
            ];
            members.push(function);
            members.last().is_some_and(|last| direct(last, &members).is_empty())
        };
        assert!(allowed("alter-adapter-x", true) && !allowed("alter-adapter-x", false));
        assert!(!allowed("alter-f", true) && !allowed("bench", true));
    }

    #[test]
    fn the_vault_as_one_process_has_no_aws_and_a_function_on_aws_has_no_sqlite() {
        let own = parse("alter v0.1.0\naws-sigv4 v1.0.0\naws-smithy-types v1.0.0\nrusqlite v0.1.0\n");
        assert!(local(&own).is_empty());
        for name in ["aws-sdk-kms", "aws-config", "aws-smithy-runtime", "lambda_runtime", "alter-adapter-aws"]
        {
            assert_eq!(local(&parse(&format!("alter v0.1.0\n{name} v1.0.0\n"))).len(), 1, "{name}");
        }
        let aws = "alter-f v0.1.0\nalter-adapter-aws v0.1.0\n";
        assert!(on_aws("alter-f", &parse(aws)).is_empty());
        assert_eq!(on_aws("alter-f", &parse(&format!("{aws}rusqlite v0.41.0\n"))).len(), 1);
        assert_eq!(on_aws("alter-f", &parse("alter-f v0.1.0\n")).len(), 1);
        for package in ["alter-proxy", "alter-connect", "alter-portal"] {
            let lambda = format!("{aws}{package} v0.1.0\tlambda\n");
            let test = format!("{aws}{package} v0.1.0\temulator,lambda\n");
            assert!(on_aws(package, &parse(&lambda)).is_empty());
            assert_eq!(on_aws(package, &parse(&test)).len(), 1);
        }
    }

    #[test]
    fn the_domain_has_no_client_in_it() {
        let text =
            "alter-domain v0.1.0 (/r)\t\nhyper v1.0.0\tdefault,http1,server\nhyper v1.0.0\tserver (*)\n";
        assert!(domain(&parse(text)).is_empty());
        for line in [
            "hyper v1.0.0\tclient,http1",
            "hyper-util v0.1.0\tclient-legacy (*)",
            "rusqlite v0.1.0\t",
            "aws-sdk-s3 v1.0.0\t",
        ] {
            assert_eq!(domain(&parse(&format!("{text}{line}"))).len(), 1, "{line}");
        }
    }
}
