/** The Wallet's session: nobody's but its own, and over as soon as somebody is not to be let in any more. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { clerkSecret, clerkUserDeleted, svixDelivery } from "./identity/events.mjs";
import { signInAs } from "./identity/stage.mjs";
import { startWalletStage } from "./wallet/stage.mjs";

let stage;
before(async () => {
    stage = await startWalletStage();
});
after(() => stage.close());

test("b029 the app's own sign-in and the Wallet's do not know of each other, both ways", async () => {
    const app = await stage.app({ name: "Shop" });
    const { who, grants } = await stage.holder([app]);
    const program = await stage.signIn(app);
    await stage.wallet(app, who, async (visit) => {
        const { page, context } = visit;
        // In the same browser, the app's program signs the same person in.
        const tab = await context.newPage();
        await tab.goto(program.auth_url);
        const ask = tab.getByRole("button", { name: "Go on to sign in" });
        const done = tab.getByRole("heading", { name: "You are signed in" });
        await ask.or(done).or(tab.getByLabel("User name")).waitFor();
        if (await ask.count()) await ask.click();
        await done.or(tab.getByLabel("User name")).waitFor();
        if (await tab.getByLabel("User name").count()) await signInAs(tab, who);
        await done.waitFor();
        const { user_token } = await program.poll(5000);
        const good = async () => (await app.post("/auth/verify-token", { token: user_token })).status;
        assert.equal(await good(), 200);
        assert.equal((await visit.api("/session")).status, 200);
        // An end of one is not an end of the other.
        await tab.close();
        await page.reload();
        await visit.heading("Apps");
        await visit.write("/sign-out");
        assert.equal((await visit.api("/session")).status, 401);
        assert.equal(await good(), 200, "the app's session goes on");
    });
    assert.equal((await stage.sdk(app, { grant_id: grants[0].grant_id })).status, 200);
});

test("b029 the provider ends the person's sessions: so does the Wallet, with the next thing that is asked", async () => {
    const app = await stage.app({ name: "Shop" });
    const { webhook } = await app.operate("PUT", "/identity-provider/webhooks/backchannel-logout", {});
    const { client_id, issuer } = stage.idp;
    await stage.idp.control("client", { client_id, backchannel_logout_uri: webhook.url });
    try {
        const [{ who }, bert] = [await stage.holder([app]), await stage.person()];
        await stage.wallet(app, bert, (other) =>
            stage.wallet(app, who, async (visit) => {
                const { page, context } = visit;
                const tab = await context.newPage();
                await tab.goto(`${issuer}/session/end`);
                await tab.getByRole("button", { name: "Sign out" }).click();
                await tab.getByText("You are signed out").waitFor();
                assert.deepEqual((await stage.idp.state()).logouts.failed, []);
                const { status, body } = await visit.api("/session");
                assert.deepEqual([status, body.error], [401, "wallet_session_required"]);
                assert.equal((await other.api("/session")).status, 200, "nobody else's");
                await page.getByRole("link", { name: "Activity" }).click();
                await page.getByText("Your session is over. Sign in again to go on.").waitFor();
                const text = await page.locator("body").innerText();
                assert.ok(!text.includes(who), "nothing of hers is left on the page");
                assert.deepEqual(visit.complaints, []);
            }),
        );
    } finally {
        await stage.idp.control("client", { client_id, backchannel_logout_uri: undefined });
    }
});

test("b008 b009 whoever has left is out with the next request, is told so in words, and does not come in again", async () => {
    const app = await stage.app({ name: "Shop" });
    const secret = clerkSecret();
    const { webhook } = await app.operate("PUT", "/identity-provider/webhooks/clerk", { secret });
    const { who, grants } = await stage.holder([app]);
    await stage.wallet(app, who, async (visit) => {
        const { page } = visit;
        const delivery = await stage.deliver(webhook.url, svixDelivery(secret, clerkUserDeleted(who)));
        assert.ok(delivery.status < 300, delivery.body);
        for (const path of ["/session", "/overview", "/activity", `/grants/${grants[0].grant_id}`]) {
            const { status, body } = await visit.api(path);
            assert.ok([401, 403].includes(status), `${path}: ${status}`);
            assert.match(body.error, /^(user_deprovisioned|wallet_session_required)$/);
        }
        await page.getByRole("link", { name: "Activity" }).click();
        await page.getByText(/Your account has been removed|Your session is over/).first().waitFor();
        await page.goto(`${stage.origin}/sign-in?app=${app.id}`);
        await page.getByRole("link", { name: "Continue with Shop" }).click();
        // The provider still knows them; the vault does not let them in.
        await page.waitForURL(`${stage.origin}/sign-in?**error=**`);
        assert.equal(new URL(page.url()).searchParams.get("error"), "user_deprovisioned");
        await page.getByText("Your account has been removed, and no app can act for it any more.").waitFor();
        assert.deepEqual(visit.complaints, []);
    });
    const refused = await stage.sdk(app, { grant_id: grants[0].grant_id });
    assert.ok(refused.error, JSON.stringify(refused));
});

test("b008 a suspended person is told so, and is back when they are", async () => {
    const app = await stage.app({ name: "Shop" });
    const { who } = await stage.holder([app]);
    await stage.wallet(app, who, async (visit) => {
        const { page } = visit;
        const { user_id } = (await visit.api("/session")).body;
        await app.operate("POST", `/users/${user_id}/suspend`, {});
        const { status, body } = await visit.api("/overview");
        assert.deepEqual([status, body.error], [403, "user_suspended"]);
        await visit.go("/");
        await page.getByText(/^Your account is suspended/).first().waitFor();
        await app.operate("POST", `/users/${user_id}/reactivate`, {});
        // Their provider has not forgotten them.
        await page.goto(`${stage.origin}/sign-in?app=${app.id}`);
        await page.getByRole("link", { name: "Continue with Shop" }).click();
        await page.waitForURL(`${stage.origin}/`);
        await page.getByRole("heading", { name: "Shop" }).waitFor();
        assert.deepEqual(visit.complaints, []);
    });
});

test("a page that the browser kept and brings back starts anew", async () => {
    const app = await stage.app({ name: "Shop" });
    const { who } = await stage.holder([app]);
    await stage.wallet(app, who, async (visit) => {
        const { page } = visit;
        const shown = (persisted) => page.evaluate((persisted) => {
            window.kept = true;
            dispatchEvent(new PageTransitionEvent("pageshow", { persisted }));
            return document.querySelector("h1") !== null;
        }, persisted);
        await visit.heading("Apps");
        assert.ok(await shown(false), "a page that is shown for the first time stays");
        assert.ok(!(await shown(true)), "nothing of before is shown");
        await page.waitForFunction(() => !window.kept);
        await visit.heading("Apps");
        assert.deepEqual(visit.complaints, []);
    });
});

// The last one: afterwards the vault's clock is ahead.
test("b018 a session that nobody uses is over, and the page says so", async () => {
    const app = await stage.app({ name: "Shop" });
    const { who } = await stage.holder([app]);
    await stage.wallet(app, who, async (visit) => {
        await stage.vault.pass(8 * 3600 + 1);
        assert.equal((await visit.api("/session")).status, 401);
        await visit.page.getByRole("link", { name: "Activity" }).click();
        await visit.page.getByText("Your session is over. Sign in again to go on.").waitFor();
    });
});
