/** Connect on a phone: the package sends the page itself there, and the result comes back in the address (`return_url`). */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { open } from "./browser.mjs";
import { allow, deny, start, startStage } from "./connect.mjs";
import { told, waitFor } from "./host-app.mjs";
import { html, listen } from "./provider/http.mjs";

const PHONE = { phone: true };

let stage;
before(async () => {
    stage = await startStage();
});
after(() => stage.close());

/** Opens Connect from the host app on a phone: it is the same page that goes there. */
async function leave(page, session) {
    await page.getByRole("button", { name: "Connect" }).click();
    await page.waitForURL(session.page);
}

test("success comes back with one grant in the query, and the app's own query stays", async () => {
    const app = await stage.app();
    const session = await stage.session(app, { return_url: `${stage.host.returnUrl}?order=7&note=a%20b%26c` });
    await stage.visit(
        session,
        async ({ page, complaints }) => {
            await leave(page, session);
            await start(page);
            await allow(page, "alice");
            const { value } = await waitFor(page, "returned");
            const { grant_id, timestamp, scopes, ...rest } = value;
            assert.deepEqual(rest, {
                order: "7",
                note: "a b&c",
                alter_connect_success: "true",
                provider: "notes",
                provider_name: "Notes",
                account_identifier: "alice",
                operation: "creation",
                status: "active",
            });
            assert.deepEqual(scopes.split(",").sort(), ["email", "notes:read", "notes:write", "openid", "profile"]);
            assert.ok(Date.parse(timestamp) > 0);
            const { body } = await app.proxy(grant_id, "GET", `${stage.notes.api}/notes`, { reason: "look" });
            assert.equal(body.status_code, 200);
            assert.equal((await session.poll()).grants[0].grant_id, grant_id);
            // The package takes the result out of the address, so that nobody shares or repeats it.
            await page.waitForFunction(() => !location.search.includes("alter_connect"));
            assert.deepEqual(complaints, []);
        },
        PHONE,
    );
});

test("a no comes back as an error: at the provider, on our page, and in a direct session", async () => {
    const app = await stage.app();
    for (const [options, decide] of [
        [{}, (page) => start(page).then(() => deny(page))],
        [{}, (page) => page.getByRole("button", { name: "Cancel" }).click()],
        [{ direct: true, allowed_providers: ["notes"] }, deny],
    ]) {
        const session = await stage.session(app, { return_url: `${stage.host.returnUrl}?order=7`, ...options });
        await stage.visit(
            session,
            async ({ page, complaints }) => {
                await page.getByRole("button", { name: "Connect" }).click();
                await decide(page);
                const { value } = await waitFor(page, "returned");
                const { error_description, ...rest } = value;
                const code = "connect_denied";
                assert.deepEqual(rest, { order: "7", alter_connect_error: code, error_code: code });
                assert.ok(error_description.length > 10);
                assert.deepEqual(complaints, []);
            },
            PHONE,
        );
        assert.equal((await session.poll()).error.error_code, "connect_denied");
    }
});

test("of two providers the first is in the query, and the server has both", async () => {
    const app = await stage.app({ providers: ["notes", "boards"] });
    const session = await stage.session(app, { return_url: stage.host.returnUrl, allowed_providers: ["notes", "boards"] });
    await stage.visit(
        session,
        async ({ page }) => {
            await leave(page, session);
            await start(page, "Boards");
            await allow(page, "bob");
            await page.getByText("Connected as Bob").waitFor();
            await start(page, "Notes");
            await allow(page, "alice");
            const { value } = await waitFor(page, "returned");
            assert.deepEqual([value.provider, value.account_identifier], ["notes", "alice"]);
        },
        PHONE,
    );
    assert.deepEqual((await session.poll()).grants.map((grant) => grant.provider_id), ["notes", "boards"]);
});

test("the way back leads where the app's server said, whatever the address in the browser says", async () => {
    const session = await stage.session(await stage.app(), { return_url: stage.host.returnUrl });
    await stage.link(
        session,
        async ({ page }) => {
            await page.waitForURL(session.page);
            await page.goto(`${session.page}?return_url=https%3A%2F%2Fevil.example%2F`);
            await page.getByRole("button", { name: "Cancel" }).click();
            await page.waitForURL((url) => url.href.startsWith(`${stage.host.returnUrl}?`));
            assert.equal((await told(page))[0].callback, "returned");
        },
        PHONE,
    );
});

test("an address that cannot be returned to is refused when the session is made", async () => {
    const app = await stage.app();
    for (const return_url of [
        "http://shop.example/",
        "javascript:alert(1)",
        "//shop.example",
        "https://user@shop.example/",
        "https://shop.example/#part",
        "https://shop.example/?grant_id=1",
        "https://shop.example\\@evil.example/",
    ]) {
        const { status, body } = await app.post("/oauth/connect/session", { return_url });
        assert.deepEqual([status, body.error], [422, "invalid_return_url"], return_url);
    }
});

test("an app that somebody else opened in a window of its own is returned to, and its window is not closed", async () => {
    const session = await stage.session(await stage.app(), { return_url: stage.host.returnUrl });
    const shop = stage.host.page(session.token, stage.vault.baseUrl);
    const mail = await listen((_, response) => html(response, 200, `<!doctype html><button>Shop</button>`));
    const { context } = await open(stage.browser, PHONE);
    try {
        const inbox = await context.newPage();
        await inbox.goto(mail.url.replace("127.0.0.1", "localhost"));
        const [page] = await Promise.all([
            inbox.waitForEvent("popup"),
            inbox.evaluate((url) => void window.open(url), shop),
        ]);
        await page.locator("html[data-ready]").waitFor();
        await leave(page, session);
        await start(page);
        await allow(page, "alice");
        const { value } = await waitFor(page, "returned");
        assert.equal(value.account_identifier, "alice");
    } finally {
        await context.close();
        await mail.close();
    }
});
