/** Connect where it is not alone: behind a proxy that adds a path, and at a provider that cuts the popup off from the app. */

import assert from "node:assert/strict";
import { request as send } from "node:http";
import { after, before, test } from "node:test";

import { allow, openPopup, start, startStage } from "./connect.mjs";
import { told, waitFor } from "./host-app.mjs";
import { listen } from "./provider/http.mjs";

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
