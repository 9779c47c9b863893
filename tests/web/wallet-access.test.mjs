/** The Wallet by keyboard, by screen reader, in every window and in both themes. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { accessibility, screenshot } from "./browser.mjs";
import { overflow } from "./looks.mjs";
import { startMock } from "./wallet/mock.mjs";
import { STATES } from "./wallet/states.mjs";
import { startWalletStage } from "./wallet/stage.mjs";

let stage;
let mock;
before(async () => {
    stage = await startWalletStage();
    mock = await startMock(stage.stage.browser);
});
after(() => Promise.all([stage.close(), mock.close()]));

const WIDTHS = [390, 820, 1440];
const THEMES = ["light", "dark"];

/** What is wrong with the page as it is, in any look. */
async function problems(page, name) {
    const found = [];
    const note = (how, lines) => found.push(...lines.map((line) => `${how}: ${line}`));
    for (const colorScheme of THEMES) {
        await page.emulateMedia({ colorScheme });
        for (const width of WIDTHS) {
            await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
            await screenshot(page, `wallet-${name}-${width}-${colorScheme}`);
            // Contrast and names are the same at every width; what is shown differs between narrow and wide.
            if (width !== 820) note(`${width} ${colorScheme}`, await accessibility(page));
            if (colorScheme === "light") note(`${width}`, await wide(page));
        }
    }
    await page.setViewportSize({ width: 320, height: 640 });
    note("320", await wide(page));
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (sideways > 0) found.push(`320: scrolls sideways by ${sideways}`);
    if ((await page.locator("h1:visible").count()) !== 1) found.push("headings of the first level: not one");
    return found;
}

/** What is too wide. A row's button can be pressed beyond what is seen of it: that is on purpose. */
async function wide(page) {
    return (await overflow(page)).filter((line) => !/^(DIV\.act-side|SECTION\.day) is/.test(line));
}

/** Whether nothing is on its way any more, or only what follows further down. */
const isThere = () => !document.querySelector(".card.skeleton") || document.querySelector("[aria-label^='Details: ']");

describe("every page in every state: axe finds nothing, nothing is too wide, nothing is complained of", () => {
    for (const [name, { mode = "", path, reach, answers = false }] of Object.entries(STATES)) {
        test(name, async () => {
            await mock.visit({}, async ({ page, complaints }) => {
                await page.goto(`${mock.url}/sign-in?mock=${mode}`);
                await page.goto(mock.url + path);
                await page.getByRole("heading", { level: 1 }).first().waitFor();
                if (mode !== "slow") await page.waitForFunction(isThere);
                await reach?.(page);
                assert.deepEqual(await problems(page, name), []);
                assert.ok((await page.title()).endsWith("Wallet"));
                const isExpected = (line) => answers && /Failed to load resource/.test(line);
                assert.deepEqual(complaints.filter((line) => !isExpected(line)), []);
            });
        });
    }
});

/** Tabs until the focus is on what has this name; it must be seen to be there. */
async function tabTo(page, name) {
    for (let step = 0; step < 60; step += 1) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => {
            const element = document.activeElement;
            if (!element || element === document.body) return "";
            const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
            const isSeen = (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow !== "none";
            const { top, bottom } = element.getBoundingClientRect();
            if (!isSeen) throw new Error(`no visible focus on ${element.outerHTML}`);
            if (bottom < 0 || top > innerHeight) throw new Error(`out of sight: ${element.outerHTML}`);
            return element.getAttribute("aria-label") ?? element.textContent.trim();
        });
        if (name.test(at)) return;
    }
    throw new Error(`Tab does not lead to ${name}`);
}

test("b024 by keyboard alone: to the grant, out of the question by Escape, and through it", async () => {
    const app = await stage.app({ name: "Shop" });
    const { who, grants } = await stage.holder([app]);
    await stage.wallet(app, who, async (visit) => {
        const { page } = visit;
        const { keyboard } = page;
        const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
        await visit.go("/", "Apps");
        await tabTo(page, /^Skip to content$/);
        await tabTo(page, /^Connections$/);
        await keyboard.press("Enter");
        await visit.heading("Connections");
        await tabTo(page, /^Details and history: Notes for Shop$/);
        await keyboard.press("Enter");
        await visit.heading("Notes for Shop");
        await tabTo(page, /^Revoke access of Shop to Notes$/);
        await keyboard.press("Enter");
        const dialog = page.getByRole("dialog");
        await dialog.waitFor();
        await page.waitForFunction(() => document.activeElement?.textContent === "Cancel");
        await keyboard.press("Escape");
        await dialog.waitFor({ state: "hidden" });
        assert.equal(await focused(), "Revoke access", "the focus is where it was");
        assert.equal((await app.operate("GET", `/grants/${grants[0].grant_id}`)).status, "active");

        await keyboard.press("Enter");
        await dialog.waitFor();
        await page.waitForFunction(() => document.activeElement?.textContent === "Cancel");
        await tabTo(page, /^Revoke access$/);
        const inside = await page.evaluate(() => document.querySelector("dialog[open]").contains(document.activeElement));
        assert.ok(inside, "the focus stays in the question");
        await keyboard.press("Enter");
        await page.waitForFunction(() => document.activeElement?.textContent === "Done");
        await keyboard.press("Enter");
        await dialog.waitFor({ state: "hidden" });
        await page.waitForFunction(() => document.activeElement !== document.body);
        assert.equal((await app.operate("GET", `/grants/${grants[0].grant_id}`)).status, "revoked");
        assert.deepEqual(visit.complaints, []);
    });
});

test("who wants less motion gets none, and who wants some gets little", async () => {
    for (const reducedMotion of ["reduce", "no-preference"]) {
        await mock.visit({ reducedMotion }, async ({ page }) => {
            await page.goto(`${mock.url}/grants/0198c2f4-7b1e-7c3a-9d52-000000000301?mock=`);
            await page.getByRole("button", { name: /^Revoke access of/ }).first().click();
            await page.getByRole("dialog").waitFor();
            const longest = await page.evaluate(() => {
                const seconds = (list) => Math.max(0, ...list.split(",").map(parseFloat));
                const moves = [...document.querySelectorAll("*")].map((element) => {
                    const { animationName, animationDuration, transitionDuration } = getComputedStyle(element);
                    return Math.max(animationName === "none" ? 0 : seconds(animationDuration), seconds(transitionDuration));
                });
                return Math.max(...moves);
            });
            if (reducedMotion === "reduce") assert.ok(longest <= 0.01, `${longest} s`);
            else assert.ok(longest <= 0.5, `${longest} s`);
        });
    }
});
