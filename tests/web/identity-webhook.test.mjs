/** What identity providers tell of their users: signed by the official package, in the shapes that they send. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { allow, start, until } from "./connect.mjs";
import {
    auth0Delivery,
    auth0Entry,
    clerkMembershipDeleted,
    clerkSecret,
    clerkUserDeleted,
    clerkUserUpdated,
    svixDelivery,
} from "./identity/events.mjs";
import { startIdentityStage } from "./identity/stage.mjs";

let stage;
before(async () => {
    stage = await startIdentityStage();
});
after(() => stage.close());

const onRecord = async (account) => (await stage.notes.state()).grants_by_account[account] ?? 0;
const webhook = (app, kind, body = {}) => app.operate("PUT", `/identity-provider/webhooks/${kind}`, body);

/** An app that hears one kind of webhook, and a user of it who has connected something. */
async function subject(kind, body, profile = {}) {
    const app = await stage.app();
    const { webhook: shown, secret } = await webhook(app, kind, body);
    assert.equal(shown.url, `${stage.vault.baseUrl}/webhooks/${app.idp.idp_id}/${kind}`);
    const who = await stage.person(profile);
    const user_token = await stage.token(who);
    const grant = await stage.connected(app, user_token, who);
    const user_id = (await stage.resolved(app, user_token)).app_user_id;
    const call = (token = user_token) => stage.call(app, { provider_id: "notes", user_token: token });
    assert.equal(await call(), who);
    const status = async () => (await app.operate("GET", `/users/${user_id}`)).status;
    return { app, url: shown.url, secret, who, user_token, user_id, grant, call, status };
}

/** Makes sure that nothing of a user is left anywhere. */
async function gone({ app, who, user_id, grant, call }) {
    assert.equal(await call(), "403 user_deprovisioned");
    const ended = async () => (await app.operate("GET", `/users/${user_id}`)).deprovision.grants_revoked === 1;
    assert.ok(await until(ended, 5000), "its grants are not ended");
    assert.equal((await app.operate("GET", `/grants/${grant.grant_id}`)).status, "revoked");
    assert.ok(await until(async () => (await onRecord(who)) === 0, 5000), "the provider has them on record still");
    assert.match(await stage.call(app, { grant_id: grant.grant_id }), /^403 (grant_revoked|user_deprovisioned)$/);
    assert.equal(await call(await stage.token(who)), "403 user_deprovisioned", "a new token is no way back");
    const rows = (await stage.vault.operate("GET", "/audit?limit=1000&event=user.deprovisioned")).items;
    assert.equal(rows.filter((row) => row.user_id === user_id).length, 1, "said once");
}

const ok = async (url, delivery, what) => {
    const { status, body } = await stage.deliver(url, delivery);
    assert.ok(status >= 200 && status < 300, `${what ?? "delivery"}: ${status} ${body}`);
};
const refused = async (url, delivery, what) => {
    const { status, body } = await stage.deliver(url, delivery);
    assert.deepEqual([status, JSON.parse(body).error], [401, "webhook_unauthorized"], what);
};

describe("clerk, signed by the svix package", () => {
    test("b008 b009 b082 a deleted user: the token that is still good is refused, grants and tokens are gone", async () => {
        const secret = clerkSecret();
        const user = await subject("clerk", { secret });
        const begun = performance.now();
        await ok(user.url, svixDelivery(secret, clerkUserDeleted(user.who)));
        assert.equal(await user.call(), "403 user_deprovisioned");
        const ms = performance.now() - begun;
        assert.ok(ms < 2000, `${ms} ms`);
        await gone(user);
    });

    test("b082 forged, late, changed and unsigned deliveries do nothing", async () => {
        const secret = clerkSecret();
        const user = await subject("clerk", { secret });
        const event = clerkUserDeleted(user.who);
        const good = svixDelivery(secret, event);
        const with_ = (headers, body = good.body) => ({ body, headers: { ...good.headers, ...headers } });
        const minutes = (n) => new Date(Date.now() + n * 60_000);
        const later = String(Number(good.headers["svix-timestamp"]) + 1);
        for (const [what, delivery] of [
            ["another secret", svixDelivery(clerkSecret(), event)],
            ["another body", with_({}, good.body.replace(user.who, "root"))],
            ["another id", with_({ "svix-id": "msg_other" })],
            ["another time", with_({ "svix-timestamp": later })],
            ["late", svixDelivery(secret, event, { at: minutes(-6) })],
            ["early", svixDelivery(secret, event, { at: minutes(6) })],
            ["no signature", with_({ "svix-signature": "" })],
            ["another version", with_({ "svix-signature": good.headers["svix-signature"].replace("v1,", "v1a,") })],
            ["nothing", { body: good.body, headers: { "content-type": "application/json" } }],
            ["not a time", with_({ "svix-timestamp": "now" })],
        ]) {
            await refused(user.url, delivery, what);
        }
        // Nor at another address: another kind, an app that has none, nobody.
        const other = await stage.app({ providers: [] });
        const base = `${stage.vault.baseUrl}/webhooks`;
        for (const url of [
            user.url.replace("clerk", "workos"),
            `${base}/${other.idp.idp_id}/clerk`,
            `${base}/00000000-0000-8000-8000-000000000000/clerk`,
        ]) {
            await refused(url, good, url);
        }
        assert.deepEqual([await user.status(), await user.call()], ["active", user.who]);
    });

    test("b085 the same again changes nothing", async () => {
        const secret = clerkSecret();
        const user = await subject("clerk", { secret });
        const at = new Date(Date.now() - 60_000);
        const ban = svixDelivery(secret, clerkUserUpdated(user.who, { banned: true }, at));
        await ok(user.url, ban);
        assert.equal(await user.call(), "403 user_suspended");
        await ok(user.url, svixDelivery(secret, clerkUserUpdated(user.who, { banned: false }, new Date(at.getTime() + 1000))));
        assert.equal(await user.call(), user.who);
        await ok(user.url, ban, "delivered again");
        assert.deepEqual([await user.status(), await user.call()], ["active", user.who]);
        // What happened before, told late under an id of its own, changes nothing either.
        await ok(user.url, svixDelivery(secret, clerkUserUpdated(user.who, { banned: true }, new Date(at.getTime() - 1000))));
        assert.equal(await user.call(), user.who);
        const deletion = svixDelivery(secret, clerkUserDeleted(user.who));
        await Promise.all(Array.from({ length: 8 }, () => ok(user.url, deletion, "eight at once")));
        await gone(user);
    });

    test("b083 who leaves an organization loses what it has, and an older token does not bring it back", async () => {
        const secret = clerkSecret();
        const app = await stage.app({ providers: [] });
        const { webhook: shown } = await webhook(app, "clerk", { secret });
        const who = await stage.person({ groups: ["org_acme", "org_other"] });
        const user_token = await stage.token(who);
        const before = await stage.resolved(app, user_token);
        assert.deepEqual(before.group_ids.toSorted(), ["org_acme", "org_other"]);
        // What was told a second ago at the earliest is younger than the token.
        await new Promise((resolve) => setTimeout(resolve, 1000));
        await ok(shown.url, svixDelivery(secret, clerkMembershipDeleted(who, { id: "org_acme", slug: "acme", name: "Acme" })));
        assert.deepEqual((await stage.resolved(app, user_token)).group_ids, ["org_other"]);
        const old = await stage.token(who, { kind: "forged", claims: { iat: Math.floor(Date.now() / 1000) - 60 } });
        assert.deepEqual((await stage.resolved(app, old)).group_ids, ["org_other"]);
    });

    test("a profile that changed, and events that are of no interest", async () => {
        const secret = clerkSecret();
        const user = await subject("clerk", { secret });
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const changed = { email: "new@example.test", first_name: "Grace", last_name: "Hopper" };
        await ok(user.url, svixDelivery(secret, clerkUserUpdated(user.who, changed)));
        const shown = await user.app.operate("GET", `/users/${user.user_id}`);
        assert.deepEqual([shown.email, shown.name, shown.status], ["new@example.test", "Grace Hopper", "active"]);
        const { data: _, ...envelope } = clerkUserDeleted(user.who);
        await ok(user.url, svixDelivery(secret, { ...envelope, type: "session.created", data: { id: "sess_1" } }));
        assert.equal(await user.call(), user.who);
    });

    test("rotated: the old secret is refused at once", async () => {
        const [first, second] = [clerkSecret(), clerkSecret()];
        const user = await subject("clerk", { secret: first });
        await webhook(user.app, "clerk", { secret: second, rotate: true });
        await refused(user.url, svixDelivery(first, clerkUserDeleted(user.who)));
        assert.equal(await user.call(), user.who);
        await ok(user.url, svixDelivery(second, clerkUserDeleted(user.who)));
        await gone(user);
        const shown = await user.app.operate("GET", "/identity-provider/webhooks");
        for (const secret of [first, second]) assert.ok(!JSON.stringify(shown).includes(secret.slice(6)));
    });
});

test("who is deleted while they connect gets nothing, and nothing of it is left at the provider", async () => {
    const secret = clerkSecret();
    const app = await stage.app();
    const { webhook: shown } = await webhook(app, "clerk", { secret });
    const [who, account] = [await stage.person(), "too.late"];
    const user_token = await stage.token(who);
    const more = { allowed_providers: ["notes"], user_token };
    const session = await stage.stage.session(app, more);
    await stage.stage.link(session, async ({ page }) => {
        await start(page);
        await page.getByRole("button", { name: "Allow" }).waitFor();
        await ok(shown.url, svixDelivery(secret, clerkUserDeleted(who)));
        await allow(page, account);
        await page.waitForURL((url) => url.href.startsWith(stage.vault.baseUrl));
        await page.getByRole("heading", { level: 1 }).waitFor();
        assert.equal(await page.getByText("Connected").count(), 0);
    });
    assert.notEqual((await session.poll()).status, "completed");
    assert.deepEqual((await app.operate("GET", "/grants")).items, []);
    assert.ok(await until(async () => (await onRecord(account)) === 0, 5000), "the provider has them on record still");
});

describe("auth0 log streams", () => {
    test("b080 b084 deleted, blocked and unblocked act, logins and limits do not", async () => {
        const user = await subject("auth0");
        assert.ok(user.secret.length > 30, "shown once");
        const shown = await user.app.operate("GET", "/identity-provider/webhooks");
        assert.ok(!JSON.stringify(shown).includes(user.secret));
        let time = Date.now() - 60_000;
        const tell = async (types, format) => {
            const entries = types.map((type) => auth0Entry(type, user.who, new Date((time += 1000))));
            await ok(user.url, auth0Delivery(user.secret, entries, format), types.join());
        };
        await tell(["sul", "limit_sul", "s", "f", "sapi", "fdu"]);
        assert.equal(await user.call(), user.who);
        await tell(["sul", "ublkdu", "limit_sul"]);
        assert.deepEqual([await user.call(), await onRecord(user.who)], ["403 user_suspended", 1]);
        await tell(["ubuu"], "lines");
        assert.equal(await user.call(), user.who);
        await tell(["ublkdu", "ubuu"], "lines");
        assert.equal(await user.call(), user.who);
        await tell(["sdu"]);
        await gone(user);
        await tell(["ubuu"]);
        assert.equal(await user.call(), "403 user_deprovisioned", "who was deleted is not unblocked");
    });

    test("b081 a wrong token is refused, and a rotated one at once", async () => {
        const user = await subject("auth0");
        const entries = [auth0Entry("sdu", user.who)];
        for (const token of ["", "wrong", user.secret.slice(0, -1), `${user.secret}x`, `Basic ${user.secret}`]) {
            await refused(user.url, auth0Delivery(token, entries), token);
        }
        const { secret } = await webhook(user.app, "auth0", { rotate: true });
        assert.notEqual(secret, user.secret);
        await refused(user.url, auth0Delivery(user.secret, entries), "the old one");
        assert.equal(await user.call(), user.who);
        await ok(user.url, auth0Delivery(`Bearer ${secret}`, entries));
        await gone(user);
    });

    test("somebody whom the vault has never seen is noted as gone", async () => {
        const app = await stage.app({ providers: [] });
        const { webhook: shown, secret } = await webhook(app, "auth0");
        const who = await stage.person();
        await ok(shown.url, auth0Delivery(secret, [auth0Entry("sdu", who)]));
        assert.deepEqual(await stage.resolved(app, await stage.token(who)), { status: 403, error: "user_deprovisioned" });
    });

    test("what cannot be read is refused as a whole", async () => {
        const user = await subject("auth0");
        const good = JSON.stringify(auth0Entry("sdu", user.who));
        for (const body of [`[${good},{"log_id":"1"}]`, `[${good}`, "", "{}", `${good}\nnonsense`]) {
            const { headers } = auth0Delivery(user.secret, []);
            const { status } = await stage.deliver(user.url, { headers, body });
            assert.ok(status >= 400 && status < 500, `${body}: ${status}`);
        }
        assert.deepEqual([await user.status(), await user.call()], ["active", user.who]);
    });

    // The last one: afterwards the vault's clock is ahead.
    test("b085 what is delivered again after an operator let them back changes nothing", async () => {
        const user = await subject("auth0");
        const entries = [auth0Entry("sdu", user.who)];
        await ok(user.url, auth0Delivery(user.secret, entries));
        await gone(user);
        // One more look makes sure that nothing was missed.
        await stage.vault.pass(31);
        const back = async () => (await stage.vault.portal("POST", `/apps/${user.app.id}/users/${user.user_id}/reactivate`, {})).status;
        assert.equal(await until(async () => (await back()) === 200, 5000), true);
        await ok(user.url, auth0Delivery(user.secret, entries), "again");
        assert.equal(await user.status(), "active");
        assert.equal(await user.call(), "404 grant_not_found", "what was revoked stays revoked");
    });
});
