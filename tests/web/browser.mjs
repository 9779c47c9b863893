/** Chromium as Debian packages it, headless, with everything that a page complains of collected. */

import { readFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";
const AXE = fileURLToPath(import.meta.resolve("axe-core/axe.min.js"));
/** WCAG 2.2, levels A and AA. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** For whatever a test waits for in a browser. */
const TIMEOUT_MS = 15_000;

const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };
/** How each page is looked at. */
export const LOOKS = [
    { name: "phone-light", viewport: PHONE, colorScheme: "light" },
    { name: "phone-dark", viewport: PHONE, colorScheme: "dark" },
    { name: "desktop-light", viewport: DESKTOP, colorScheme: "light" },
    { name: "desktop-dark", viewport: DESKTOP, colorScheme: "dark" },
];

/** Chromium's sandbox does not start for root. */
export function launch() {
    const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
    return chromium.launch({ executablePath: EXECUTABLE, args, chromiumSandbox: false });
}

/**
 * A browser session of its own. `complaints` fills with what its pages (popups too) report: errors on the console, uncaught
 * exceptions, violations of the content security policy, and requests to hosts other than loopback.
 *
 * `phone: true` makes it a phone for pages that ask (touch, user agent), not only a narrow window.
 */
export async function open(browser, { viewport = DESKTOP, colorScheme = "light", phone = false, ...more } = {}) {
    const touch = phone ? { isMobile: true, hasTouch: true, userAgent: PHONE_AGENT, viewport: PHONE } : { viewport };
    const context = await browser.newContext({ colorScheme, reducedMotion: "reduce", ...touch, ...more });
    context.setDefaultTimeout(TIMEOUT_MS);
    const complaints = [];
    await context.exposeBinding("__violation", (_, violation) => {
        complaints.push(`content security policy: ${violation}`);
    });
    await context.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) => {
            globalThis.__violation(`${event.effectiveDirective} forbids ${event.blockedURI || "inline"}`);
        });
    });
    context.on("console", (message) => {
        // A browser asks every site for an icon of its own accord; whether there is one is not the page's business.
        const { url } = message.location();
        if (message.type() !== "error" || url.endsWith("/favicon.ico")) return;
        complaints.push(`console: ${message.text()} (${url})`);
    });
    context.on("weberror", (error) => complaints.push(`uncaught: ${error.error()}`));
    context.on("request", (request) => {
        const { protocol, hostname } = new URL(request.url());
        if (protocol.startsWith("http") && !LOOPBACK.has(hostname)) complaints.push(`request: ${request.url()}`);
    });
    return { context, complaints };
}

/** What axe finds on the page as it is now, a line for each element concerned. */
export async function accessibility(page) {
    // Evaluated through the debugger: the page's own policy need not allow it, and no script tag is added.
    await page.evaluate(await axe());
    const { violations, passes } = await page.evaluate(
        (values) => globalThis.axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"] }),
        RULES,
    );
    if (passes.length === 0) throw new Error("axe checked nothing");
    return violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id} (${help}) at ${target.join(" ")}: ${failureSummary}`),
    );
}

/** Keeps a picture in the folder that `SCREENSHOTS` names; without the variable, none. */
export async function screenshot(page, name) {
    const folder = process.env.SCREENSHOTS;
    if (!folder) return undefined;
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${name}.png`);
    // Of a list without end the beginning is enough.
    const fullPage = await page.evaluate(() => document.documentElement.scrollHeight < 8 * innerHeight);
    await page.screenshot({ path, fullPage });
    return path;
}

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);
const PHONE_AGENT =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";

let source;
function axe() {
    source ??= readFile(AXE, "utf8");
    return source;
}
