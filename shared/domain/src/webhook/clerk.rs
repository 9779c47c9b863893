//! Clerk's events (<https://clerk.com/docs/guides/development/webhooks/overview>). The sender is proven by
//! [`super::svix`], whose delivery id is the event's. A body is one event.

use jiff::Timestamp;

use super::{
    Change, IdpEvent, Malformed,
    fields::{Fields, json},
    ignored, svix,
};

/// Before the name of a role in the longer of its two spellings.
const ROLE_PREFIX: &str = "org:";

/// Parses the verified body of a delivery.
pub fn parse(body: &[u8], delivery: &svix::Delivery) -> Result<IdpEvent, Malformed> {
    let value = json(body)?;
    let event = Fields::of(&value, "event")?;
    let kind = event.required_name("type")?;
    let change = match kind {
        "user.deleted" => Change::Deleted { sub: event.required_object("data")?.required_subject("id")? },
        "user.updated" => updated(event.required_object("data")?)?,
        "organizationMembership.deleted" => left(event.required_object("data")?)?,
        other => {
            return Ok(IdpEvent { id: delivery.id.clone(), at: None, change: ignored(other) });
        }
    };
    Ok(IdpEvent { id: delivery.id.clone(), at: happened_at(event)?, change })
}

/// Envelopes of before 2024 have no time of their own.
fn happened_at(event: Fields<'_>) -> Result<Option<Timestamp>, Malformed> {
    match event.unix_time("timestamp")? {
        Some(at) => Ok(Some(at)),
        None => event.required_object("data")?.unix_time("updated_at"),
    }
}

fn updated(user: Fields<'_>) -> Result<Change, Malformed> {
    let primary = user.name("primary_email_address_id")?;
    let mut email = None;
    for address in user.objects("email_addresses")? {
        if primary.is_some() && address.name("id")? == primary {
            email = address.email("email_address");
        }
    }
    // Banned by an operator or locked after failed attempts: either keeps the person out. A member that is not there says
    // nothing.
    let suspended = match (user.flag("banned")?, user.flag("locked")?) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (None, None) => None,
        _ => Some(false),
    };
    Ok(Change::Profile {
        sub: user.required_subject("id")?,
        email,
        name: user.display_name(&["first_name", "last_name"]),
        suspended,
    })
}

/// Tokens name an organization by id, slug or name, and the person's role in it with or without its prefix.
fn left(membership: Fields<'_>) -> Result<Change, Malformed> {
    let sub = membership.required_object("public_user_data")?.required_subject("user_id")?;
    let organization = membership.required_object("organization")?;
    let id = organization.group("id")?.ok_or(Malformed::Missing("id"))?;
    let role = membership.group("role")?;
    let bare = role.and_then(|role| role.strip_prefix(ROLE_PREFIX)).filter(|bare| !bare.is_empty());
    let mut groups = vec![id.to_owned()];
    for name in [organization.group("slug")?, organization.group("name")?, role, bare].into_iter().flatten() {
        if !groups.iter().any(|known| known == name) {
            groups.push(name.to_owned());
        }
    }
    Ok(Change::LeftGroup { sub, groups })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    // The shapes of Clerk's deliveries, as documented; the values are made up.
    const UPDATED: &str = include_str!("testdata/clerk-user-updated.json");
    const DELETED: &str = include_str!("testdata/clerk-user-deleted.json");
    const LEFT: &str = include_str!("testdata/clerk-membership-deleted.json");

    fn parsed(body: &str) -> Result<IdpEvent, Malformed> {
        let delivery = svix::Delivery { id: "msg_1".to_owned(), signed_at: Timestamp::UNIX_EPOCH };
        parse(body.as_bytes(), &delivery)
    }

    fn with(body: &str, change: impl FnOnce(&mut Value)) -> Result<Change, Malformed> {
        let mut value: Value = serde_json::from_str(body).unwrap();
        change(&mut value);
        parsed(&value.to_string()).map(|event| event.change)
    }

    fn remove(value: &mut Value, pointer: &str, name: &str) {
        value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    }

    #[test]
    fn a_deleted_user() {
        let event = parsed(DELETED).unwrap();
        assert_eq!(event.id, "msg_1");
        assert_eq!(event.at, Some("2026-11-22T10:01:40.789Z".parse().unwrap()));
        assert_eq!(event.change, Change::Deleted { sub: "user_2pQm4Rk8".to_owned() });
    }

    #[test]
    fn an_updated_user_tells_the_primary_address_and_whether_they_are_kept_out() {
        let expected = |suspended| Change::Profile {
            sub: "user_2pQm4Rk8".to_owned(),
            email: Some("ada@example.com".to_owned()),
            name: Some("Ada Lovelace".to_owned()),
            suspended,
        };
        assert_eq!(parsed(UPDATED).unwrap().change, expected(Some(false)));
        for (banned, locked, suspended) in [
            (json!(true), json!(false), Some(true)),
            (json!(false), json!(true), Some(true)),
            (json!(null), json!(true), Some(true)),
            (json!(null), json!(false), Some(false)),
            (json!(null), json!(null), None),
        ] {
            let change = with(UPDATED, |value| {
                value["data"]["banned"] = banned;
                value["data"]["locked"] = locked;
            });
            assert_eq!(change, Ok(expected(suspended)));
        }
        let unknown = with(UPDATED, |value| {
            value["data"]["primary_email_address_id"] = json!(null);
            value["data"]["first_name"] = json!(null);
            value["data"]["last_name"] = json!(null);
        });
        let sub = "user_2pQm4Rk8".to_owned();
        assert_eq!(unknown, Ok(Change::Profile { sub, email: None, name: None, suspended: Some(false) }));
    }

    #[test]
    fn b083_a_membership_that_ended_tells_all_names_of_its_group() {
        let groups = ["org_2Ab", "analytical-engines", "Analytical Engines", "org:admin", "admin"];
        let event = parsed(LEFT).unwrap();
        assert_eq!(event.at, Some("2026-11-22T10:00:50.321Z".parse().unwrap()));
        assert_eq!(
            event.change,
            Change::LeftGroup { sub: "user_2pQm4Rk8".to_owned(), groups: groups.map(str::to_owned).to_vec() }
        );
        // The least that names the group.
        let bare = with(LEFT, |value| {
            for name in ["slug", "name"] {
                remove(value, "/data/organization", name);
            }
            value["data"]["role"] = json!(null);
        });
        let groups = vec!["org_2Ab".to_owned()];
        assert_eq!(bare, Ok(Change::LeftGroup { sub: "user_2pQm4Rk8".to_owned(), groups }));
    }

    #[test]
    fn the_time_may_be_the_users_own() {
        let mut value: Value = serde_json::from_str(UPDATED).unwrap();
        remove(&mut value, "", "timestamp");
        let at = parsed(&value.to_string()).unwrap().at;
        assert_eq!(at, Some("2026-11-22T10:00:00.123Z".parse().unwrap()));
        remove(&mut value, "/data", "updated_at");
        assert_eq!(parsed(&value.to_string()).unwrap().at, None);
    }

    #[test]
    fn other_events_are_ignored_whatever_they_hold() {
        for kind in
            ["user.created", "organizationMembership.updated", "organization.deleted", "session.ended"]
        {
            let body = json!({ "type": kind, "data": 7, "timestamp": "x" }).to_string();
            assert_eq!(parsed(&body).unwrap().change, ignored(kind));
        }
    }

    #[test]
    fn malformed_events_are_refused() {
        for (body, pointer, name) in [
            (DELETED, "/data", "id"),
            (DELETED, "", "type"),
            (DELETED, "", "data"),
            (UPDATED, "/data", "id"),
            (LEFT, "/data", "public_user_data"),
            (LEFT, "/data/public_user_data", "user_id"),
            (LEFT, "/data", "organization"),
            (LEFT, "/data/organization", "id"),
        ] {
            assert_eq!(with(body, |value| remove(value, pointer, name)), Err(Malformed::Missing(name)));
        }
        for (body, pointer, name) in [
            (DELETED, "/data", "id"),
            (UPDATED, "/data", "banned"),
            (UPDATED, "/data", "email_addresses"),
            (LEFT, "/data", "role"),
            (LEFT, "/data/organization", "slug"),
            (LEFT, "", "timestamp"),
        ] {
            let changed = with(body, |value| value.pointer_mut(pointer).unwrap()[name] = json!({}));
            assert_eq!(changed, Err(Malformed::WrongType(name)), "{name}");
        }
        let long = with(LEFT, |value| value["data"]["organization"]["slug"] = json!("x".repeat(1025)));
        assert_eq!(long, Err(Malformed::BadText("slug")));
        assert_eq!(parsed("[]"), Err(Malformed::WrongType("event")));
        assert!(matches!(parsed("{"), Err(Malformed::NotJson { .. })));
        assert!(matches!(parsed("{} {}"), Err(Malformed::NotJson { .. })));
    }
}
