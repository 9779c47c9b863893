/** What apps, accounts and agents write is text: hostile as it may be, it is shown as it is and does nothing. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { secretsIn } from "./wallet/leaks.mjs";
import { startWalletStage } from "./wallet/stage.mjs";

let stage;
before(async () => {
    stage = await startWalletStage();
});
after(() => stage.close());

const IMAGE = '<img src=x onerror="globalThis.hacked=1">';
const SCRIPT = "<script>globalThis.hacked=1</script>";
const REORDERED = "pay \u202e001 \u2066to\u2069 Bob\u200b\ufeff";
const SHOWN = "pay [U+202E]001 [U+2066]to[U+2069] Bob[U+200B][U+FEFF]";
const LONG = "w".repeat(2000);
const CLICK = "javascript:globalThis.hacked=1";

/** What is not within the window. */
function outside(page) {
    return page.evaluate(() =>
        [...document.querySelectorAll("main, main *")]
            .filter((element) => {
                const { left, right, width, height } = element.getBoundingClientRect();
                return width > 1 && height > 1 && (left < -1 || right > innerWidth + 1);
            })
            .map((element) => `${element.tagName}.${element.className}`),
    );
}

test("b002 hostile reasons and names are shown word for word, do nothing, and break no page", async () => {
    const name = `Shop ${IMAGE}`;
    const app = await stage.app({ name });
    await app.operate("PATCH", "", { description: `${SCRIPT} ${REORDERED}`, website_url: "https://shop.example/?q=%3Cscript%3E" });
    const refused = await stage.vault.portal("PATCH", `/apps/${app.id}`, { website_url: CLICK });
    assert.ok(refused.status >= 400 && refused.status < 500, "no address that runs");
    const account = "mallory.notes";
    await stage.notes.control("claims", { account, name: `${SCRIPT} ${REORDERED}` });
    const profile = { name: `Anna ${IMAGE}`, email: "anna@example.test" };
    const { who, grants } = await stage.holder([app], { account, profile, requested_grant: { label: `Label ${SCRIPT}` } });
    const reasons = [IMAGE, SCRIPT, REORDERED, LONG, `{{7*7}} \${7*7} &lt;b&gt; ${CLICK}`];
    for (const reason of reasons) {
        const { status, body } = await app.proxy(grants[0].grant_id, "GET", `${stage.notes.api}/notes`, { reason });
        assert.equal(status, 200, JSON.stringify(body));
    }
    const tooLong = await app.proxy(grants[0].grant_id, "GET", `${stage.notes.api}/notes`, { reason: "w".repeat(10_240) });
    assert.ok([200, 400, 413, 422].includes(tooLong.status), "10 KB are cut or refused before they are anybody's to see");
    const query = `<script>globalThis.hacked=1</script>`;
    await app.proxy(grants[0].grant_id, "GET", `${stage.notes.api}/notes/${encodeURIComponent(IMAGE)}?q=${encodeURIComponent(query)}`, { reason: "an address" });

    await stage.wallet(app, who, async (visit) => {
        const { page } = visit;
        await page.addInitScript(() => addEventListener("click", (event) => {
            if (event.target.closest?.("a[href^='javascript']")) globalThis.hacked = 1;
        }));
        for (const path of ["/", "/connections", "/activity", `/grants/${grants[0].grant_id}`]) {
            await visit.go(path);
            for (const width of [320, 1280]) {
                await page.setViewportSize({ width, height: 800 });
                assert.deepEqual(await outside(page), [], `${path} at ${width}`);
            }
            const found = await page.evaluate(() => ({
                hacked: globalThis.hacked,
                images: document.querySelectorAll("img[src='x'], [onerror]").length,
                scripts: document.querySelectorAll("script:not([src])").length,
                links: [...document.links].filter((link) => !/^https?:|^mailto:/.test(link.href)).length,
                hidden: /[\u200b\u202a-\u202e\u2066-\u2069\ufeff]/.test(document.body.textContent),
            }));
            assert.deepEqual(found, { hacked: undefined, images: 0, scripts: 0, links: 0, hidden: false }, path);
            assert.ok((await page.locator("main").innerText()).includes(name), `the name on ${path}`);
        }
        await visit.go("/activity", "Activity");
        for (const reason of [IMAGE, SCRIPT, SHOWN, reasons[4]]) await page.getByText(reason, { exact: true }).first().waitFor();
        const long = page.getByRole("listitem").filter({ hasText: LONG.slice(0, 200) }).first();
        assert.ok((await long.boundingBox()).height < 400, "a long reason is folded");
        await long.getByRole("button", { name: "Show all" }).click();
        await page.getByText(LONG, { exact: true }).first().waitFor();
        assert.deepEqual(await outside(page), []);
        await visit.go("/connections", "Connections");
        await page.getByText(SCRIPT, { exact: false }).first().waitFor();
        await page.getByRole("button", { name: /^Your account/ }).getByText(profile.name).waitFor();
        await page.getByRole("button", { name: /^Revoke access/ }).click();
        await page.getByRole("dialog").getByText(IMAGE).first().waitFor();
        assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
        await page.keyboard.press("Escape");

        await page.goto(`${stage.origin}/sign-in?app=${app.id}&error=${encodeURIComponent(IMAGE)}`);
        await page.getByText("The sign-in did not work.").waitFor();
        assert.ok(!(await page.locator("body").innerText()).includes("onerror=\"globalThis.hacked=1\">\n\nSee"), "nothing of the address");
        await page.goto(`${stage.origin}/sign-in?app=${encodeURIComponent(IMAGE)}&state=${encodeURIComponent(SCRIPT)}`);
        await visit.heading();
        assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
        assert.deepEqual(visit.complaints, []);
    });
});

test("b018 no markup from text, no inline code, nothing from elsewhere: the page's policy stops even its own scripts", async () => {
    const app = await stage.app({ name: "Shop" });
    const { who } = await stage.holder([app]);
    await stage.wallet(app, who, async (visit) => {
        const { page } = visit;
        assert.deepEqual(visit.complaints, []);
        const tried = await page.evaluate(async () => {
            // What the debugger itself evaluates may do more than the page.
            await new Promise((resolve) => setTimeout(resolve));
            const attempts = {
                innerHTML: () => (document.createElement("div").innerHTML = "<b>x</b>"),
                outerHTML: () => (document.body.firstElementChild.outerHTML = "<b>x</b>"),
                insertAdjacentHTML: () => document.body.insertAdjacentHTML("beforeend", "<b>x</b>"),
                write: () => document.write("<b>x</b>"),
                eval: () => (0, eval)("1"),
                Function: () => new Function("return 1"),
                srcdoc: () => (document.createElement("iframe").srcdoc = "<b>x</b>"),
                scriptSrc: () => (document.createElement("script").src = "/x.js"),
                scriptText: () => (document.createElement("script").text = "1"),
                parse: () => new DOMParser().parseFromString("<b>x</b>", "text/html"),
                policy: () => trustedTypes.createPolicy("mine", { createHTML: (text) => text }),
                "the template's": () => (document.createElement("template").innerHTML = "<img src=x onerror=alert(1)>"),
                "the template's script": () => (document.createElement("template").innerHTML = "<script></script>"),
            };
            return Object.entries(attempts).filter(([, attempt]) => {
                try {
                    attempt();
                    return true;
                } catch {
                    return false;
                }
            }).map(([name]) => name);
        });
        assert.deepEqual(tried, [], "what was not refused");
        const loaded = await page.evaluate(async () => {
            const result = (element) => new Promise((resolve) => {
                element.onload = () => resolve("loaded");
                element.onerror = () => resolve("refused");
                document.body.append(element);
            });
            const image = Object.assign(new Image(), { src: "http://localhost:1/x.png" });
            const style = Object.assign(document.createElement("style"), { textContent: "h1 { color: rgb(1, 2, 3) }" });
            document.head.append(style);
            const fetched = await fetch("http://localhost:1/").then(() => "loaded", () => "refused");
            const color = getComputedStyle(document.querySelector("h1")).color;
            return [await result(image), fetched, color === "rgb(1, 2, 3)" ? "loaded" : "refused"];
        });
        assert.deepEqual(loaded, ["refused", "refused", "refused"]);
        const directives = new Set(visit.reported.map((line) => /policy: (\S+) forbids/.exec(line)?.[1]));
        for (const directive of ["require-trusted-types-for", "trusted-types", "img-src", "connect-src", "style-src-elem"]) {
            assert.ok(directives.has(directive), `${directive} in ${[...directives]}`);
        }
    });
});

test("b018 no token and no secret reaches the browser; scripts keep the app's id and the theme alone", async () => {
    const app = await stage.app({ name: "Shop" });
    const { who, user_token, grants } = await stage.holder([app]);
    await stage.sdk(app, { grant_id: grants[0].grant_id, reason: "Seen" });
    await stage.wallet(app, undefined, async (visit) => {
        const { page, context } = visit;
        const answers = [];
        const addresses = [];
        context.on("request", (request) => addresses.push(request.url()));
        context.on("response", (response) => {
            const isOurs = response.url().startsWith(stage.origin) && response.status() !== 303;
            if (isOurs) answers.push(response.text().then((text) => `${response.url()}\n${text}`, () => ""));
        });
        await visit.signIn(app, who);
        for (const path of ["/connections", "/activity", "/approvals", `/grants/${grants[0].grant_id}`]) await visit.go(path);
        await page.getByRole("button", { name: /^Your account/ }).click();
        await page.getByRole("radio", { name: "Dark" }).check({ force: true });
        const kept = await page.evaluate(async () => ({
            local: Object.keys(localStorage).sort(),
            session: sessionStorage.length,
            cookies: document.cookie,
            databases: (await indexedDB.databases()).length,
            caches: (await caches.keys()).length,
            workers: (await navigator.serviceWorker.getRegistrations()).length,
        }));
        assert.deepEqual(kept, { local: ["wallet.app", "wallet.theme"], session: 0, cookies: "", databases: 0, caches: 0, workers: 0 });
        const stored = await page.evaluate(() => Object.values({ ...localStorage }));
        assert.deepEqual(stored.sort(), [app.id, "dark"].sort());
        const cookie = (await visit.cookie()).value;
        const secrets = [app.key, stage.vault.token, cookie, user_token, stage.idp.client_secret, stage.notes.client_secret];
        const { access_tokens, refresh_tokens } = await stage.notes.control("issued");
        const all = [...secrets, ...access_tokens, ...refresh_tokens];
        const texts = await Promise.all(answers);
        assert.ok(texts.filter((text) => text.includes("/wallet/api/")).length >= 5);
        assert.deepEqual(secretsIn([...texts, ...stored, await page.content(), await page.title()], all), []);
        // Codes come back in an address, once; the page that follows has none.
        const ours = addresses.filter((url) => url.startsWith(stage.origin) && !url.includes("/api/auth/callback"));
        assert.deepEqual(secretsIn(ours, all), []);
        for (const url of ours) assert.doesNotMatch(url, /code=|token/, url);
        const hosts = new Set(addresses.map((url) => new URL(url).origin));
        assert.deepEqual([...hosts].sort(), [stage.origin, stage.idp.issuer].sort(), "nobody else is asked for anything");
        assert.deepEqual(visit.complaints, []);
    });
});

test("b018 every answer is strict: what may run, who may frame it, what is told to others, what is kept", async () => {
    const app = await stage.app({ name: "Shop" });
    await stage.wallet(app, await stage.person(), async (visit) => {
        const answers = [];
        visit.context.on("response", (response) => {
            if (response.url().startsWith(stage.origin)) answers.push({ url: response.url(), headers: response.headers() });
        });
        for (const path of ["/", "/activity", "/nowhere", "/sign-in"]) await visit.go(path);
        await visit.api("/grants/none");
        const pages = answers.filter(({ headers }) => headers["content-type"]?.startsWith("text/html"));
        assert.ok(pages.length >= 4);
        for (const { url, headers } of pages) {
            const policy = headers["content-security-policy"];
            const parts = Object.fromEntries(policy.split(";").map((part) => part.trim().split(/ (.*)/)));
            const decisive = ["default-src", "frame-ancestors", "base-uri", "form-action", "trusted-types", "require-trusted-types-for"];
            assert.deepEqual(decisive.map((name) => parts[name]), ["'none'", "'none'", "'none'", "'self'", "'none'", "'script'"], url);
            assert.equal(parts["script-src"], "'self' 'wasm-unsafe-eval'");
            assert.doesNotMatch(policy, /unsafe-(inline|hashes)|'unsafe-eval'|http|\*/, url);
            assert.equal(headers["cross-origin-opener-policy"], "same-origin", url);
            assert.equal(headers["cache-control"], "no-cache", url);
        }
        for (const { url, headers } of answers) {
            assert.equal(headers["x-content-type-options"], "nosniff", url);
            const { pathname } = new URL(url);
            if (pathname.startsWith("/wallet/api/")) assert.equal(headers["cache-control"], "no-store", url);
            else assert.equal(headers["referrer-policy"], "no-referrer", url);
            if (/-[0-9a-f]{16}\./.test(pathname)) assert.match(headers["cache-control"], /immutable/, url);
        }
    });
});
