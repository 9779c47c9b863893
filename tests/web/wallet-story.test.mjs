/** The Wallet's whole story: what real calls of the published SDK look like to the person whom they were made for, and its end. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { signInAs } from "./identity/stage.mjs";
import { startWalletStage } from "./wallet/stage.mjs";

let stage;
before(async () => {
    stage = await startWalletStage();
});
after(() => stage.close());

test("b002 b019 b020 b021 b022 b024 what apps did for Anna, revoked with a click: the SDK's next call fails, and Bert sees nothing", async () => {
    const strangers = await stage.otherIdp();
    const shop = await stage.app({ name: "Shop" });
    const mail = await stage.app({ name: "Mail" });
    const bank = await stage.app({ name: "Bank", idp: strangers });
    const anna = await stage.holder([shop, mail]);
    const bert = await stage.person();
    // Somebody of the same name at another provider is somebody else.
    await strangers.control("account", { account: anna.who });
    const other = (await strangers.control("token", { account: anna.who })).token;
    await stage.connected(bank, other, "another.notes");

    const { user_token, grants } = anna;
    const reason = "Show the notes that Anna asked for";
    const said = await stage.sdk(shop, { provider: "notes", user_token, reason });
    assert.deepEqual([said.status, said.body?.sub], [200, anna.account], JSON.stringify(said));
    const elsewhere = await stage.sdk(bank, { provider: "notes", user_token: other, reason: "Bank's own business" });
    assert.equal(elsewhere.status, 200, JSON.stringify(elsewhere));

    await stage.wallet(shop, anna.who, async (visit) => {
        const { page } = visit;
        assert.deepEqual(await page.getByRole("heading", { level: 2 }).allTextContents(), ["Mail", "Shop"]);
        await page.getByText("2 apps can act for you, through 2 connections.").waitFor();

        await page.getByRole("link", { name: "Connections" }).click();
        await visit.heading("Connections");
        for (const app of ["Shop", "Mail"]) {
            const line = visit.connection(app);
            await line.getByRole("heading", { name: anna.account }).waitFor();
            await line.getByText(/It can read your notes, add notes and change them/).waitFor();
            await line.getByText("Active").waitFor();
        }
        assert.equal(await visit.connection("Bank").count(), 0, "another provider's app is not here");

        await page.getByRole("link", { name: "Activity" }).click();
        await visit.heading("Activity");
        const row = page.getByRole("listitem").filter({ hasText: reason });
        assert.match(await row.innerText(), /Notes\s*Shop\s*GET\s*127\.0\.0\.1\/api\/notes[^]*Succeeded\s*HTTP 200/);
        assert.equal(await page.getByText("Bank").count(), 0);

        await row.getByRole("button", { name: /^Details/ }).click();
        await row.getByRole("link", { name: "Open details and history" }).click();
        await visit.heading("Notes for Shop");
        assert.equal(page.url(), `${stage.origin}/grants/${grants[0].grant_id}`);
        await page.getByRole("button", { name: "Revoke access of Shop to Notes" }).click();
        const dialog = page.getByRole("dialog");
        await dialog.getByText("The next time Shop uses Notes for you, it fails. This takes effect at once.").waitFor();
        await dialog.getByText(`The vault's tokens for ${anna.account} are deleted.`).waitFor();
        await dialog.getByLabel(/^Reason/).fill("I moved to another shop");
        await dialog.getByRole("button", { name: "Revoke access" }).click();
        await dialog.getByText("Access has ended. This is what was done:").waitFor();

        const refused = await stage.sdk(shop, { grant_id: grants[0].grant_id, reason: "After the end" });
        assert.equal(refused.error, "GrantRevokedError", JSON.stringify(refused));
        const goesOn = await stage.sdk(mail, { provider: "notes", user_token });
        assert.equal(goesOn.status, 200, "the other app's grant goes on");

        // The receipt, as it is once the provider has answered.
        await dialog.getByText(/^Notes confirmed at .+ that access has ended$/).waitFor();
        const receipt = await dialog.innerText();
        for (const part of ["here in the Wallet", "Deleted from the vault", "I moved to another shop"]) {
            assert.ok(receipt.includes(part), `${part} in ${receipt}`);
        }
        await dialog.getByRole("button", { name: "Done" }).click();
        await page.getByText("Revoked", { exact: true }).first().waitFor();
        assert.equal(await page.getByRole("button", { name: /^Revoke/ }).count(), 0);
        // Entries are there when they come into view.
        await page.getByText(/^That is everything/).scrollIntoViewIfNeeded();
        await page.getByText("You ended Shop's access to Notes").waitFor();
        await visit.go(`/activity`, "Activity");
        await page.getByText("You ended Shop's access to Notes").waitFor();
        await page.getByText("Refused: access had been revoked").waitFor();
        await page.getByText("After the end").waitFor();

        await visit.signOut();
        assert.equal(await visit.cookie(), undefined);
        assert.equal(new URL(page.url()).searchParams.get("state"), shop.id, "the page knows the app, nobody else's choice is lost");
        await visit.go(`/sign-in?app=${shop.id}`);
        await page.getByRole("link", { name: "Continue with Shop" }).click();
        await signInAs(page, bert);
        await page.waitForURL(`${stage.origin}/`);
        await page.getByText("No app has access").waitFor();
        for (const path of ["/", "/connections", "/activity", `/grants/${grants[1].grant_id}`]) {
            await visit.go(path);
            const text = await page.locator("body").innerText();
            for (const hers of [anna.who, anna.account, reason, "Mail"]) assert.ok(!text.includes(hers), `${hers} on ${path}`);
        }
        const { body } = await visit.api("/overview");
        assert.deepEqual([body.apps, body.grants, body.agents], [[], [], []]);
        assert.deepEqual(visit.complaints, []);
    });
});

test("b023 a person of another identity provider sees that provider's app alone, and what is shared by a name is not shared", async () => {
    const strangers = await stage.otherIdp();
    const [shop, bank] = [await stage.app({ name: "Shop" }), await stage.app({ name: "Bank", idp: strangers })];
    const { who } = await stage.holder([shop]);
    await strangers.control("account", { account: who });
    const token = (await strangers.control("token", { account: who })).token;
    await stage.connected(bank, token, "another.notes");
    await stage.wallet(bank, who, async (visit) => {
        assert.deepEqual(await visit.page.getByRole("heading", { level: 2 }).allTextContents(), ["Bank"]);
        await visit.go("/activity", "Activity");
        const { body } = await visit.api("/activity?limit=500");
        assert.deepEqual(new Set(body.items.map(({ app_id }) => app_id)), new Set([bank.id]));
        assert.deepEqual(visit.complaints, []);
    });
});
