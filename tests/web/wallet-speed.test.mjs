/** How much the Wallet weighs, and how soon it can be used beside a page that has nothing on it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startVault } from "./vault.mjs";
import { firstView, load, median, sum } from "./wallet/load.mjs";
import { startMock } from "./wallet/mock.mjs";
import { startWalletStage } from "./wallet/stage.mjs";

const BLANK = process.env.ALTER_WALLET_BLANK ?? join(import.meta.dirname, "../../target/wallet/blank");
/** What may go over the wire for the first view on a cold cache, in bytes. */
const MOST = 180_000;
/** As slow as a phone is, next to this machine. */
const SLOWDOWN = 4;
const ROUNDS = 3;
const APPS = ".app-card";

let stage;
before(async () => {
    stage = await startWalletStage();
});
after(() => stage.close());

async function signedIn(then) {
    const app = await stage.app({ name: "Shop" });
    const { who } = await stage.holder([app]);
    return stage.wallet(app, who, async (visit) => then([await visit.cookie()]));
}

test("the first view is small: module, scripts and styles, as they go over the wire", async () => {
    await signedIn(async (cookies) => {
        const { files } = await load(stage.stage.browser, `${stage.origin}/`, APPS, { cookies });
        const view = firstView(files);
        const bytes = sum(view.map((file) => file.bytes));
        for (const file of view) console.log(`${file.path}: ${file.bytes} bytes`);
        console.log(`first view: ${bytes} bytes`);
        assert.ok(view.length >= 3 && view.every((file) => file.bytes > 0));
        for (const { path, headers } of view) assert.equal(headers["content-encoding"], "br", path);
        assert.ok(bytes <= MOST, `${bytes} bytes`);
        assert.ok(files.length <= 12, `${files.length} requests: ${files.map(({ path }) => path)}`);
    });
});

test("it can be used nearly as soon as a page with nothing on it, with a slow processor", async () => {
    const blank = await startVault({ args: ["--wallet-dir", BLANK] });
    try {
        await signedIn(async (cookies) => {
            const times = { wallet: [], blank: [] };
            const { browser } = stage.stage;
            // In turn, so that what else the machine does falls on both.
            for (let round = 0; round < ROUNDS; round += 1) {
                const one = await load(browser, `${stage.origin}/`, APPS, { slowdown: SLOWDOWN, cookies });
                const none = await load(browser, `${blank.baseUrl}/`, "h1", { slowdown: SLOWDOWN });
                times.wallet.push(one.ms);
                times.blank.push(none.ms);
            }
            const [wallet, nothing] = [median(times.wallet), median(times.blank)];
            console.log(`usable after ${Math.round(wallet)} ms, a blank page after ${Math.round(nothing)} ms: ${(wallet / nothing).toFixed(2)}`);
            assert.ok(wallet / nothing < 8, `${wallet} ms against ${nothing} ms`);
        });
    } finally {
        await blank.stop();
    }
});

test("of a hundred thousand entries no more are in the page than can be seen", async () => {
    const mock = await startMock(stage.stage.browser, { rows: 100_000 });
    try {
        await mock.visit({}, async ({ page, complaints }) => {
            await page.goto(`${mock.url}/activity?mock=`);
            const details = page.getByRole("button", { name: /^Details: / });
            await details.first().waitFor();
            const before = await page.evaluate(() => document.querySelectorAll("*").length);
            let deepest = 0;
            for (let step = 0; step < 25; step += 1) {
                await page.mouse.wheel(0, 4000);
                await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
                deepest = Math.max(deepest, await page.evaluate(() => document.querySelectorAll("*").length));
            }
            assert.ok((await page.evaluate(() => scrollY)) > 20_000, "it goes on");
            assert.ok(deepest < before * 3 + 2000, `${before} elements at first, ${deepest} later`);
            assert.deepEqual(complaints, []);
        });
    } finally {
        await mock.close();
    }
});
