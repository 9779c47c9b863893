use super::*;

fn scope(words: Option<&str>) -> ScopeCard {
    ScopeCard { scope: "s".into(), words: words.map(Into::into) }
}

#[test]
fn every_reason_of_the_servers_has_words() {
    let unknown = sign_in::error("what nobody says");
    for code in alter_api_types::wallet::SIGN_IN_ERRORS {
        assert!(code == "sign_in_failed" || sign_in::error(code) != unknown, "{code}");
    }
}

#[test]
fn lists_read_as_people_write_them() {
    let items = |items: &[&str]| list(&items.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    assert_eq!(items(&[]), "");
    assert_eq!(items(&["a"]), "a");
    assert_eq!(items(&["a", "b"]), "a and b");
    assert_eq!(items(&["a", "b", "c"]), "a, b and c");
}

#[test]
fn scopes_are_told_once_and_only_where_there_are_words() {
    let known = [
        scope(Some("read your calendar")),
        scope(None),
        scope(Some("read your calendar")),
        scope(Some("send mail")),
    ];
    assert_eq!(scopes(&known).as_deref(), Some("It can read your calendar and send mail."));
    assert_eq!(scopes(&[scope(None)]), None);
}

#[test]
fn what_is_left_is_told_to_the_second_only_at_the_end() {
    assert_eq!(left(Left::of(3 * 86_400 + 5)), "3 days");
    assert_eq!(left(Left::of(86_400 + 7_200)), "1 day 2 h");
    assert_eq!(left(Left::of(7_500)), "2 h 05 min");
    assert_eq!(left(Left::of(245)), "4 min 05 s");
    assert_eq!(left(Left::of(9)), "9 s");
    assert_eq!(left(Left::of(0)), "");
}

#[test]
fn an_error_without_a_code_has_words_by_its_status() {
    assert!(error(503, "", "").contains("on its side"));
    assert!(error(429, "x", "raw").contains("Wait"));
    assert_eq!(error(422, "invalid_request", "reason: too\u{202e} long"), "reason: too[U+202E] long");
    assert!(error(0, "offline", "").contains("connection"));
}

#[test]
fn an_unknown_sign_in_error_has_general_words_and_never_the_code() {
    assert!(sign_in::error("<script>").starts_with("The sign-in did not work"));
}

#[test]
fn an_unknown_cause_is_named_and_made_visible() {
    assert_eq!(connections::cause("Acme", "x\u{202e}y"), "Acme refused it (code x[U+202E]y).");
}
