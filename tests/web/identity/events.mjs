/**
 * What identity providers send when something happens to a user, in the shapes that they send it in. The signatures of
 * Clerk's are made by the package that Clerk's own are made with.
 */

import { randomBytes } from "node:crypto";

import { Webhook } from "svix";

/** The shared secret of an endpoint, as Clerk's dashboard shows it. */
export function clerkSecret() {
    return `whsec_${randomBytes(24).toString("base64")}`;
}

/**
 * A signed delivery, `{headers, body}`. `at` is when it is signed; an attempt to deliver the same again has the same `id`.
 */
export function svixDelivery(secret, event, { id = `msg_${randomBytes(12).toString("hex")}`, at = new Date() } = {}) {
    const body = JSON.stringify(event);
    return {
        body,
        headers: {
            "content-type": "application/json",
            "svix-id": id,
            "svix-timestamp": String(Math.floor(at.getTime() / 1000)),
            "svix-signature": new Webhook(secret).sign(id, at, body),
        },
    };
}

const clerk = (type, data, at) => ({
    data,
    event_attributes: { http_request: { client_ip: "203.0.113.7", user_agent: "Mozilla/5.0" } },
    instance_id: "ins_2mY7aQb1",
    object: "event",
    timestamp: at.getTime(),
    type,
});

export function clerkUserDeleted(sub, at = new Date()) {
    return clerk("user.deleted", { deleted: true, id: sub, object: "user" }, at);
}

/** `changes` are fields of Clerk's user: `{first_name, last_name, banned, locked, …}`. */
export function clerkUserUpdated(sub, { email = `${sub}@example.test`, ...changes } = {}, at = new Date()) {
    const verification = { status: "verified", strategy: "email_code", attempts: null, expire_at: null };
    const user = {
        id: sub,
        object: "user",
        username: null,
        first_name: "Ada",
        last_name: "Lovelace",
        image_url: "https://img.example.test/a",
        has_image: false,
        primary_email_address_id: "idn_2",
        primary_phone_number_id: null,
        primary_web3_wallet_id: null,
        password_enabled: true,
        two_factor_enabled: false,
        totp_enabled: false,
        backup_code_enabled: false,
        email_addresses: [
            { id: "idn_1", object: "email_address", email_address: "old@example.test", verification, linked_to: [] },
            { id: "idn_2", object: "email_address", email_address: email, verification, linked_to: [] },
        ],
        phone_numbers: [],
        web3_wallets: [],
        passkeys: [],
        external_accounts: [],
        saml_accounts: [],
        public_metadata: {},
        private_metadata: {},
        unsafe_metadata: {},
        external_id: null,
        last_sign_in_at: at.getTime() - 60_000,
        banned: false,
        locked: false,
        lockout_expires_in_seconds: null,
        verification_attempts_remaining: 100,
        created_at: at.getTime() - 86_400_000,
        updated_at: at.getTime(),
        delete_self_enabled: true,
        create_organization_enabled: true,
        last_active_at: at.getTime() - 60_000,
        profile_image_url: "https://img.example.test/a",
        ...changes,
    };
    return clerk("user.updated", user, at);
}

/** `organization` is `{id, slug, name}`. */
export function clerkMembershipDeleted(sub, organization, role = "org:member", at = new Date()) {
    const times = { created_at: at.getTime() - 86_400_000, updated_at: at.getTime() };
    const membership = {
        id: "orgmem_2Zt1",
        object: "organization_membership",
        organization: {
            object: "organization",
            name: organization.id,
            slug: organization.id,
            image_url: "https://img.example.test/o",
            has_image: false,
            created_by: "user_somebody",
            max_allowed_memberships: 5,
            public_metadata: {},
            ...times,
            ...organization,
        },
        permissions: [],
        public_metadata: {},
        private_metadata: {},
        public_user_data: {
            user_id: sub,
            first_name: "Ada",
            last_name: "Lovelace",
            identifier: `${sub}@example.test`,
            image_url: "https://img.example.test/a",
            has_image: false,
            profile_image_url: "https://img.example.test/a",
        },
        role,
        role_name: "Member",
        ...times,
    };
    return clerk("organizationMembership.deleted", membership, at);
}

/** An item of an Auth0 log stream; `type` is Auth0's code (`sdu`, `ublkdu`, `ubuu`, `sul`, …). */
export function auth0Entry(type, sub, at = new Date()) {
    const log_id = `900${at.toISOString().replace(/\D/g, "")}000000${BigInt(`0x${randomBytes(8).toString("hex")}`)}`;
    return {
        log_id,
        data: {
            date: at.toISOString(),
            type,
            description: AUTH0[type] ?? "",
            connection: "Username-Password-Authentication",
            connection_id: "con_7aB2",
            client_id: "mGmtDashboard01",
            client_name: "",
            ip: "203.0.113.7",
            user_agent: "Other 0.0.0 / Other 0.0.0",
            details: { request: { method: "delete", auth: { user: { user_id: "auth0|admin" } } } },
            user_id: sub,
            user_name: `${sub}@example.test`,
            strategy: "auth0",
            strategy_type: "database",
            log_id,
            tenant_name: "example",
            _id: log_id,
            isMobile: false,
        },
    };
}

const AUTH0 = {
    sdu: "User successfully deleted",
    ublkdu: "User blocked",
    ubuu: "User unblocked",
    sul: "Successful login",
    limit_sul: "Too many logins of one user",
};

/** How a stream is set to send its items: in one array, or a line for each. */
export function auth0Delivery(token, entries, format = "array") {
    const body = format === "array" ? JSON.stringify(entries) : entries.map((entry) => JSON.stringify(entry)).join("\n");
    const type = format === "array" ? "application/json" : "application/x-ndjson";
    return { body, headers: { "content-type": type, authorization: token } };
}
