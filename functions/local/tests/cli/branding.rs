//! `alter app update`: how an app looks to its users.

use serde_json::{Value, json};

use crate::support::Demo;

/// Headers are all that is looked at.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";

#[test]
fn b123_an_apps_looks_are_set_once() {
    let demo = Demo::start();
    let app = demo.json(&["app", "create", "Tickets"])["app_id"].as_str().unwrap().to_owned();
    let update = |changes: &[&str]| demo.json(&[&["app", "update", &app], changes].concat());
    let of = |shown: &Value, names: &[&str]| names.iter().map(|name| shown[name].clone()).collect::<Vec<_>>();

    let picture = demo.service.path("data_dir").with_file_name("logo.png");
    std::fs::write(&picture, PICTURE).unwrap();
    let shown = update(&[
        "--color",
        "#0F766E",
        "--color-dark",
        "#5eead4",
        "--support-email",
        "help@tickets.example",
        "--wallet-listed",
        "true",
        "--logo",
        picture.to_str().unwrap(),
    ]);
    assert_eq!(
        of(&shown, &["color", "color_dark", "support_email", "wallet_listed"]),
        [json!("#0f766e"), json!("#5eead4"), json!("help@tickets.example"), json!(true)]
    );
    let logo = shown["logo"]["url"].as_str().unwrap().to_owned();
    assert!(logo.starts_with(&format!("{}/wallet/api/logos/{app}/", demo.text("base_url"))), "{logo}");
    assert_eq!(demo.json(&["app", "get", &app]), shown);

    // A wrong file is found before anything is changed.
    std::fs::write(&picture, "<svg/>").unwrap();
    let wrong = ["app", "update", &app, "--color", "#000000", "--logo", picture.to_str().unwrap()];
    demo.run(&wrong).refused(2, "usage");
    demo.run(&["app", "update", &app, "--color", "teal"]).refused(1, "invalid_color");
    demo.run(&["app", "update", &app]).refused(1, "nothing_to_update");
    assert_eq!(demo.json(&["app", "get", &app]), shown);

    let cleared = update(&["--no-logo", "--color-dark", "", "--wallet-listed", "false"]);
    assert_eq!(
        of(&cleared, &["logo", "color", "color_dark", "wallet_listed"]),
        [Value::Null, json!("#0f766e"), Value::Null, json!(false)]
    );
    demo.run(&["app", "update", &app, "--no-logo"]).refused(4, "logo_not_found");
}
