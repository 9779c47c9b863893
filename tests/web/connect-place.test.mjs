/** Connect and sign-in where they are not alone: behind a proxy that adds a path, and at a provider that cuts the popup off from the app. */

import assert from "node:assert/strict";
import { request as send } from "node:http";
import { after, before, test } from "node:test";

import { allow, openPopup, start, startStage } from "./connect.mjs";
import { told, waitFor } from "./host-app.mjs";
import { auth0Delivery, auth0Entry } from "./identity/events.mjs";
import { IdentityStage, signInAs } from "./identity/stage.mjs";
import { startIdentityProgram } from "./program.mjs";
import { html, listen } from "./provider/http.mjs";

const PREFIX = "/vault";

let proxy;
let stage;
let behind;
before(async () => {
    proxy = await listen((request, response) => forward(behind, request, response));
    stage = await startStage(["--public-url", proxy.url + PREFIX]);
    behind = new URL(stage.vault.baseUrl);
});
after(async () => {
    await stage.close();
    await proxy.close();
});

/** What stands in front of a vault: it takes the prefix away, and knows nothing of other paths. */
function forward(to, request, response) {
    if (!request.url.startsWith(`${PREFIX}/`)) return response.writeHead(404).end();
    const { method, headers } = request;
    const path = request.url.slice(PREFIX.length);
    const onward = send({ host: to.hostname, port: to.port, path, method, headers }, (reply) => {
        response.writeHead(reply.statusCode, reply.rawHeaders);
        reply.pipe(response);
    });
    onward.on("error", () => response.destroy());
    return request.pipe(onward);
}

test("under a path of somebody else's address: links, forms, styles, the way back and the message all find their way", async () => {
    const app = await stage.app({ providers: ["notes", "boards"] });
    const session = await stage.session(app);
    assert.ok(session.url.startsWith(`${proxy.url}${PREFIX}/sdk/oauth/connect#session=`), session.url);
    await stage.visit(session, async ({ page, complaints }) => {
        await page.goto(stage.host.page(session.token, proxy.url + PREFIX));
        await page.locator("html[data-ready]").waitFor();
        const popup = await openPopup(page);
        await popup.getByRole("button", { name: "Not now: Boards" }).click();
        await popup.getByText("Not connected").waitFor();
        assert.notEqual(await popup.evaluate(() => getComputedStyle(document.querySelector(".card")).borderRadius), "0px");
        await start(popup);
        await allow(popup, "alice");
        await popup.getByRole("button", { name: "Done", exact: true }).click();
        const { value } = await waitFor(page, "success", "error", "exit");
        assert.equal(value[0].account_identifier, "alice");
        assert.deepEqual(complaints, []);
    });
});

test("a provider that cuts the popup off from the app: the user is told, and the server finds the grant", async () => {
    const session = await stage.session(await stage.app());
    await stage.notes.control("page-headers", { headers: { "cross-origin-opener-policy": "same-origin" } });
    await stage.visit(session, async ({ page }) => {
        await page.goto(stage.host.page(session.token, proxy.url + PREFIX));
        await page.locator("html[data-ready]").waitFor();
        const popup = await openPopup(page);
        await start(popup);
        await allow(popup, "alice");
        await popup.getByText("You can close this window.").waitFor();
        assert.equal(await popup.evaluate(() => globalThis.opener), null);
        assert.ok((await told(page)).every(({ callback }) => callback !== "success"));
    });
    assert.equal((await session.poll()).status, "completed");
});

test("sign-in under such a path: the link, what asks first, the way back, the result, and webhooks", async () => {
    const people = new IdentityStage(stage, await startIdentityProgram());
    try {
        const app = await people.app({ name: "Inbox Helper", providers: [] });
        const { webhook, secret } = await app.operate("PUT", "/identity-provider/webhooks/auth0", {});
        for (const url of [app.idp.sdk_redirect_uri, app.idp.wallet_redirect_uri, app.idp.wallet_logout_uri, webhook.url]) {
            assert.ok(url.startsWith(`${proxy.url}${PREFIX}/`), url);
        }
        const session = await people.signIn(app);
        assert.ok(session.auth_url.startsWith(`${proxy.url}${PREFIX}/sdk/auth/start/`), session.auth_url);
        const site = await listen((_, response) => html(response, 200, `<!doctype html><a href="${session.auth_url}">Go</a>`));
        await stage.link({ url: site.url.replace("127.0.0.1", "localhost") }, async ({ page, complaints }) => {
            await page.getByRole("link", { name: "Go" }).click();
            await page.getByRole("button", { name: "Go on to sign in" }).click();
            await signInAs(page, "alice");
            await page.getByRole("heading", { name: "You are signed in to Inbox Helper" }).waitFor();
            assert.ok(page.url().startsWith(`${proxy.url}${PREFIX}/sdk/auth/result/`), page.url());
            assert.deepEqual(complaints, []);
        }).finally(site.close);
        const { user_token } = await session.poll(5000);
        assert.equal((await people.resolved(app, user_token)).external_subject_id, "alice");
        const { status } = await people.deliver(webhook.url, auth0Delivery(secret, [auth0Entry("ublkdu", "alice")]));
        assert.equal(status, 200);
        assert.deepEqual(await people.resolved(app, user_token), { status: 403, error: "user_suspended" });
    } finally {
        await people.idp.stop();
    }
});
