/** The life of a grant against a certified provider: connected in a browser, used, refreshed, ended from either side. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { Client } from "./client.mjs";
import { allow, connected, start, startStage, until } from "./connect.mjs";

let stage;
let account;
let count = 0;
before(async () => {
    stage = await startStage();
});
after(() => stage.close());
beforeEach(() => {
    account = `user${(count += 1)}`;
});

/** Calls the provider's API through the vault: its status, or the vault's error code. */
async function call(app, { grant_id }) {
    const { status, body } = await app.proxy(grant_id, "GET", `${stage.notes.api}/notes`, { reason: "look" });
    return status === 200 ? body.status_code : `${status} ${body.error}`;
}

/** The provider forgets all access tokens. The vault does not take a 401 to a fresh token for a sign of age: time passes too. */
async function expire() {
    await stage.notes.control("expire-access-tokens", {});
    await stage.vault.pass(61);
}

/** The account's owner ends the access in the provider's settings, a while after connecting. */
async function endAtProvider() {
    await stage.notes.control("revoke-grant", { account });
    await stage.vault.pass(61);
}

const refreshes = async () => (await stage.notes.state()).exchanges.refresh_token;
const onRecord = async () => (await stage.notes.state()).grants_by_account[account] ?? 0;
const receipt = async (app, { grant_id }) => (await app.operate("GET", `/grants/${grant_id}`)).connection.provider_revocation;

test("expired at the provider: the call refreshes, the pair rotates, and the app notices nothing", async () => {
    const app = await stage.app();
    const grant = await connected(stage, app, account);
    assert.equal(await call(app, grant), 200);
    for (let round = 1; round <= 3; round += 1) {
        const before = await refreshes();
        await expire();
        assert.deepEqual(await Promise.all([call(app, grant), call(app, grant), call(app, grant)]), [200, 200, 200]);
        const after = await refreshes();
        assert.deepEqual([after.ok - before.ok, after.errors], [1, {}], `round ${round}`);
    }
    assert.equal((await stage.notes.state()).reuses, 0);
});

test("expired by the clock: refreshed before the provider has to refuse", async () => {
    const app = await stage.app();
    const grant = await connected(stage, app, account);
    const before = await stage.notes.state();
    await stage.vault.pass(3600);
    assert.equal(await call(app, grant), 200);
    const after = await stage.notes.state();
    assert.equal(after.exchanges.refresh_token.ok - before.exchanges.refresh_token.ok, 1);
    assert.equal(after.api[401], before.api[401]);
});

test("an old refresh token presented by a thief ends the grant; reconnecting repairs it under the same id", async () => {
    const app = await stage.app();
    const grant = await connected(stage, app, account);
    const [first] = (await stage.notes.control("issued")).refresh_tokens.slice(-1);
    await expire();
    assert.equal(await call(app, grant), 200);

    const thief = await new Client(stage.notes, "http://127.0.0.1:9/").refresh(first);
    assert.deepEqual([thief.status, thief.body.error], [400, "invalid_grant"]);
    assert.equal(await onRecord(), 0, "the provider has ended the whole line");
    await stage.vault.pass(3600);
    assert.equal(await call(app, grant), "403 credential_revoked");
    assert.equal(await call(app, grant), "403 credential_revoked");

    const repair = await stage.session(app, { repair_grant_id: grant.grant_id });
    await stage.link(repair, async ({ page, complaints }) => {
        await page.getByRole("heading", { name: "Reconnect Notes to Shop" }).waitFor();
        await page.getByRole("button", { name: "Reconnect Notes" }).click();
        await allow(page, account);
        await page.getByRole("heading", { name: "Connected to Shop" }).waitFor();
        assert.deepEqual(complaints, []);
    });
    const { grants } = await repair.poll();
    assert.deepEqual([grants[0].grant_id, grants[0].operation], [grant.grant_id, "reauth"]);
    assert.equal(await call(app, grant), 200);
});

test("a repair with another account changes nothing and leaves nothing at the provider", async () => {
    const app = await stage.app();
    const grant = await connected(stage, app, account);
    await endAtProvider();
    assert.notEqual(await call(app, grant), 200);
    assert.equal(await call(app, grant), "403 credential_revoked");
    const repair = await stage.session(app, { repair_grant_id: grant.grant_id });
    await stage.link(repair, async ({ page, context }) => {
        await page.getByRole("button", { name: "Reconnect Notes" }).click();
        await allow(page, `${account}-other`);
        await page.getByText("This is another account than the one to reconnect.").waitFor();
        const left = async () => !(await stage.notes.state()).grants_by_account[`${account}-other`];
        assert.ok(await until(left, 1000), "what was not kept is revoked");
        assert.equal(await call(app, grant), "403 credential_revoked");
        // Another try with the right account, in a provider session of its own.
        await context.clearCookies({ domain: "127.0.0.1", name: /^_/ });
        await page.getByRole("button", { name: "Try Notes again" }).click();
        await allow(page, account);
        await page.getByRole("heading", { name: "Connected to" }).waitFor();
    });
    assert.equal(await call(app, grant), 200);
});

test("revoked by the app: refused at once, and the provider's own record is gone within a second", async () => {
    const app = await stage.app();
    const grant = await connected(stage, app, account);
    assert.deepEqual([await call(app, grant), await onRecord()], [200, 1]);
    const revoked = await app.post(`/oauth/grants/${grant.grant_id}/revoke`, { reason: "moved away" });
    assert.ok(revoked.status < 300, JSON.stringify(revoked.body));
    const denied = await call(app, grant);
    assert.match(String(denied), /^(403|410) grant_/);
    assert.ok(await until(async () => (await onRecord()) === 0, 1000), "still on record after a second");
    assert.ok(await until(async () => (await receipt(app, grant)).status === "revoked", 2000), "the receipt");
});

test("revoked while the provider is down: pending, and told as soon as it is back", async () => {
    const app = await stage.app();
    const grant = await connected(stage, app, account);
    await stage.notes.control("outage", { on: true, mode: "reset", endpoints: ["revocation"] });
    await app.operate("POST", `/grants/${grant.grant_id}/revoke`, {});
    assert.match(String(await call(app, grant)), /^(403|410) grant_/);
    const failed = async () => (await stage.notes.state()).outages.reset > 0;
    assert.ok(await until(failed, 5000), "it was tried");
    assert.deepEqual([(await receipt(app, grant)).status, await onRecord()], ["pending", 1]);
    await stage.notes.control("outage", { on: false });
    assert.ok(await until(async () => (await onRecord()) === 0, 30_000), "the provider was told");
    assert.ok(await until(async () => (await receipt(app, grant)).status === "revoked", 2000));
});

test("ended by the user in the provider's settings: the next call says that it has to be reconnected", async () => {
    const app = await stage.app();
    const grant = await connected(stage, app, account);
    await endAtProvider();
    assert.notEqual(await call(app, grant), 200);
    assert.equal(await call(app, grant), "403 credential_revoked");
    const session = await stage.session(app);
    await stage.link(session, async ({ page }) => {
        await start(page);
        await allow(page, account);
        await page.getByRole("heading", { name: "Connected to" }).waitFor();
    });
    // Not a repair by name: the same account of the same principal is the same connection all the same.
    const [again] = (await session.poll()).grants;
    assert.deepEqual([again.grant_id, again.operation], [grant.grant_id, "reauth"]);
    assert.equal(await call(app, grant), 200);
});

test("a vault that dies between consent and call has lost nothing", async () => {
    const app = await stage.app();
    const grant = await connected(stage, app, account);
    await stage.vault.crash();
    assert.equal(await call(app, grant), 200);
    await expire();
    await stage.vault.crash();
    assert.equal(await call(app, grant), 200);
});
