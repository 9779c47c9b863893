/** The Wallet's whole story: what real calls of the published SDK look like to the person whom they were made for, and its end. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startWalletStage } from "./wallet/stage.mjs";

let stage;
before(async () => {
    stage = await startWalletStage();
});
after(() => stage.close());

test("b002 b019 b020 b021 b022 b024 what apps did for Anna, revoked with a click: the SDK's next call fails, and Bert sees nothing", async () => {
    const [shop, mail] = [await stage.app({ name: "Shop" }), await stage.app({ name: "Mail" })];
    const [anna, bert] = [await stage.person(), await stage.person()];
    const grants = {};
    for (const app of [shop, mail]) {
        grants[app.id] = await stage.connected(app, await stage.token(anna), `${anna}.notes`);
    }
    const user_token = await stage.token(anna);
    const reason = "Show the notes that Anna asked for";
    const said = await stage.sdk(shop, { provider: "notes", user_token, reason });
    assert.equal(said.status, 200, JSON.stringify(said));

    await stage.wallet(shop, anna, async (visit) => {
        const { page } = visit;
        for (const name of ["Shop", "Mail"]) await page.getByRole("heading", { name }).waitFor();
        await visit.go("/connections");
        assert.equal(await page.getByText(`${anna}.notes`).count() > 0, true);
        await visit.go("/activity");
        await page.getByText(reason).waitFor();
        await visit.go(`/grants/${grants[shop.id].grant_id}`);
        await page.screenshot({ path: "/tmp/e-grant.png", fullPage: true });
        await page.getByRole("button", { name: /^Revoke/ }).first().click();
        const dialog = page.getByRole("dialog");
        await dialog.waitFor();
        await page.screenshot({ path: "/tmp/e-dialog.png" });
        console.log(await dialog.innerText());
        console.log(visit.complaints);
    });
});
