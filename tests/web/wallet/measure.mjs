#!/usr/bin/env node
/**
 * Measures the site as it was built, for `docs/performance.md`:
 *
 *     cargo xtask wallet && cargo xtask wallet --blank && node tests/web/wallet/measure.mjs [rounds]
 *
 * Prints what goes over the wire, when the page can be used with a processor four times slower, and the longest frame of a
 * scroll through 100,000 entries of made-up activity.
 */

import { join } from "node:path";

import { launch } from "../browser.mjs";
import { startVault } from "../vault.mjs";
import { firstView, load, median, sum } from "./load.mjs";
import { startMock } from "./mock.mjs";
import { SITE } from "./stage.mjs";

const BLANK = process.env.ALTER_WALLET_BLANK ?? join(import.meta.dirname, "../../../target/wallet/blank");
const ROUNDS = Number(process.argv[2] ?? 15);
/** Frames of a wheel that is turned quickly, and then of jumps with the bar. */
const TURNS = 400;
const JUMPS = 40;

const browser = await launch();
const [site, blank, mock] = await Promise.all([
    startVault({ args: ["--wallet-dir", SITE] }),
    startVault({ args: ["--wallet-dir", BLANK] }),
    startMock(browser, { rows: 100_000 }),
]);
try {
    const { files } = await load(browser, `${site.baseUrl}/sign-in`, "h1");
    for (const { path, bytes } of firstView(files)) console.log(`${path}: ${bytes} bytes`);
    console.log(`first view: ${sum(firstView(files).map(({ bytes }) => bytes))} bytes with headers, ${files.length} requests`);
    for (const slowdown of [1, 4]) {
        const times = { "sign-in": [], blank: [] };
        for (let round = 0; round < ROUNDS; round += 1) {
            times["sign-in"].push((await load(browser, `${site.baseUrl}/sign-in`, "h1", { slowdown })).ms);
            times.blank.push((await load(browser, `${blank.baseUrl}/`, "h1", { slowdown })).ms);
        }
        const [page, none] = [median(times["sign-in"]), median(times.blank)].map(Math.round);
        console.log(`usable, processor ${slowdown} times slower: ${page} ms, blank ${none} ms, ratio ${(page / none).toFixed(2)}`);
    }
    for (const slowdown of [1, 4]) await scroll(slowdown);
} finally {
    await Promise.all([site.stop(), blank.stop(), mock.close(), browser.close()]);
}

/** The frames of a scroll, by the page's own clock. */
async function scroll(slowdown) {
    await mock.visit({ reducedMotion: "no-preference" }, async ({ page, context }) => {
        await page.goto(`${mock.url}/activity?mock=`);
        await page.getByRole("button", { name: /^Details: / }).first().waitFor();
        const debug = await context.newCDPSession(page);
        await debug.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
        const frames = (count, step) =>
            page.evaluate(
                ([count, step]) =>
                    new Promise((resolve) => {
                        const all = [];
                        let last;
                        const frame = (now) => {
                            if (last !== undefined) all.push(now - last);
                            last = now;
                            if (all.length === count) return resolve(all);
                            scrollBy({ top: step || Math.random() * document.documentElement.scrollHeight - scrollY, behavior: "instant" });
                            requestAnimationFrame(frame);
                        };
                        requestAnimationFrame(frame);
                    }),
                [count, step],
            );
        say(`wheel, processor ${slowdown} times slower`, await frames(TURNS, 300));
        // The whole of it, as far as it has been read by then.
        say(`jumps, processor ${slowdown} times slower`, await frames(JUMPS, 0));
        console.log(`  at ${await page.evaluate(() => `${Math.round(scrollY)} of ${document.documentElement.scrollHeight}`)} pixels, ${await page.evaluate(() => document.querySelectorAll("*").length)} elements`);
    });
}

function say(what, frames) {
    const sorted = [...frames].sort((a, b) => a - b);
    const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(1);
    const over = frames.filter((ms) => ms > 50).length;
    console.log(`${what}: ${frames.length} frames, median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms, ${over} over 50 ms`);
}
