/** Attacks on the Wallet: by other people, by other sites' pages, by what was kept of a session, and by what apps write. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { signInAs } from "./identity/stage.mjs";
import { html, listen } from "./provider/http.mjs";
import { startWalletStage } from "./wallet/stage.mjs";

let stage;
let shop;
let anna;
before(async () => {
    stage = await startWalletStage();
    shop = await stage.app({ name: "Shop" });
    anna = await stage.holder([shop]);
});
after(() => stage.close());

const UNKNOWN = "0198c2f4-7b1e-7c3a-9d52-1f0a6b7c8d9e";
const active = async () => (await shop.operate("GET", `/grants/${anna.grants[0].grant_id}`)).status;

/** A site of somebody else's, for browsers another one than the vault's; `body` is its page. */
async function evil(body, then) {
    const site = await listen((request, response) => html(response, 200, `<!doctype html><title>Evil</title>${body}`));
    try {
        await then(site.url.replace("127.0.0.1", "localhost"));
    } finally {
        await site.close();
    }
}

test("b023 ids of others: whatever is asked or sent, the answer is that of ids that do not exist", async () => {
    const id = anna.grants[0].grant_id;
    const bert = await stage.person();
    await stage.wallet(shop, bert, async (visit) => {
        const asks = (id) => [
            visit.api(`/grants/${id}`),
            visit.api(`/activity?grant_id=${id}`),
            visit.api(`/activity/counts?grant_id=${id}`),
            visit.api(`/activity/export?grant_id=${id}`),
            visit.write(`/grants/${id}/revoke`),
            visit.write(`/grants/${id}/extend`, { expires_at: new Date(Date.now() + 1e8).toISOString() }),
            visit.write(`/approvals/${id}/decide`, { decision: "approve" }),
        ];
        const [hers, none] = [await Promise.all(asks(id)), await Promise.all(asks(UNKNOWN))];
        assert.deepEqual(hers, none);
        assert.deepEqual([hers[0].status, hers[0].body.error], [404, "grant_not_found"]);
        assert.deepEqual([hers[4].status, hers[4].body.error], [404, "grant_not_found"]);
        for (const query of [`app_id=${shop.id}`, "q=notes", "provider_id=notes", "event=call", "limit=500"]) {
            const { body } = await visit.api(`/activity?${query}`);
            assert.ok(!JSON.stringify(body).includes(anna.account), query);
        }
        await visit.go(`/grants/${id}`);
        await visit.page.getByText("There is no such connection, or it is not one of yours.").waitFor();
        const said = await visit.page.locator("main").innerText();
        await visit.go(`/grants/${UNKNOWN}`);
        await visit.page.getByText("There is no such connection, or it is not one of yours.").waitFor();
        assert.equal(await visit.page.locator("main").innerText(), said);
        for (const odd of ["none", "%2e%2e%2fsession", "'%20or%201=1", `${id}%00`]) {
            assert.equal((await visit.api(`/grants/${odd}`)).status, 404, odd);
        }
        assert.deepEqual(visit.complaints, []);
    });
    assert.equal(await active(), "active");
});

test("b024 a write without its header, with another's, from another origin or of another kind changes nothing", async () => {
    const path = `/wallet/api/grants/${anna.grants[0].grant_id}/revoke`;
    const bert = await stage.person();
    const tokenOf = async (visit) => (await visit.api("/session")).body.csrf_token;
    const other = await stage.wallet(shop, bert, tokenOf);
    await stage.wallet(shop, anna.who, async (visit) => {
        const own = await tokenOf(visit);
        const { name, value } = await visit.cookie();
        const good = { origin: stage.origin, "content-type": "application/json", "x-alter-csrf": own, cookie: `${name}=${value}` };
        const send = (changes, body = "{}") => {
            const headers = Object.entries({ ...good, ...changes }).filter(([, value]) => value !== undefined);
            return fetch(stage.origin + path, { method: "POST", headers: Object.fromEntries(headers), body, redirect: "manual" });
        };
        const forged = {
            "no header": { "x-alter-csrf": undefined },
            "an empty header": { "x-alter-csrf": "" },
            "somebody else's header": { "x-alter-csrf": other },
            "no origin": { origin: undefined },
            "origin null": { origin: "null" },
            "another origin": { origin: "http://evil.example" },
            "another port": { origin: "http://127.0.0.1:1" },
            "an origin that begins like it": { origin: `${stage.origin}.evil.example` },
            "another site, as the browser says": { "sec-fetch-site": "cross-site" },
            "a neighbour, as the browser says": { "sec-fetch-site": "same-site" },
        };
        for (const [what, changes] of Object.entries(forged)) {
            const reply = await send(changes);
            assert.deepEqual([reply.status, (await reply.json()).error], [403, "csrf_failed"], what);
        }
        for (const type of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", undefined]) {
            const { status } = await send({ "content-type": type });
            assert.ok(status >= 400 && status < 500, `${type}: ${status}`);
        }
        const without = await send({ cookie: undefined });
        assert.deepEqual([without.status, (await without.json()).error], [401, "wallet_session_required"]);
        for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
            const { status } = await fetch(stage.origin + path, { method, headers: good });
            assert.ok([404, 405].includes(status), `${method}: ${status}`);
        }
        assert.equal(await active(), "active");
        // What only the site's own page sends is good: the refusals above were for what was changed.
        const extend = { method: "POST", headers: good, body: '{"expires_at":"2020-01-01T00:00:00Z"}' };
        const reply = await fetch(stage.origin + path.replace("revoke", "extend"), extend);
        assert.notEqual((await reply.json()).error, "csrf_failed");
    });
});

test("b024 somebody else's page in the same browser can neither write nor read, and holds no frame", async () => {
    const id = anna.grants[0].grant_id;
    const form = (type, target) => `<form method="post" enctype="${type}" action="${stage.origin}${target}" target="_blank">
        <input name="reason" value="x"><button>${type}</button></form>`;
    const types = ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"];
    const forms = types.map((type) => form(type, `/wallet/api/grants/${id}/revoke`)).join("");
    const page = `${forms}<iframe src="${stage.origin}/grants/${id}" width="400" height="400"></iframe>`;
    await evil(page, async (url) => {
        await stage.wallet(shop, anna.who, async (visit) => {
            const { csrf_token } = (await visit.api("/session")).body;
            const tab = await visit.context.newPage();
            await tab.goto(url);
            const framed = tab.frames().find((frame) => frame !== tab.mainFrame());
            await tab.waitForTimeout(200);
            assert.equal(await framed.evaluate(() => document.body?.innerText.includes("Notes") ?? false).catch(() => false), false);
            for (const type of types) {
                const [opened] = await Promise.all([visit.context.waitForEvent("page"), tab.getByRole("button", { name: type }).click()]);
                const refused = opened.waitForResponse((response) => response.url().includes("/revoke")).catch(() => undefined);
                await opened.waitForLoadState();
                const said = await opened.locator("body").innerText();
                assert.match(said, /csrf_failed|wallet_session_required|content/i, type);
                await opened.close();
                await refused;
            }
            const fetched = await tab.evaluate(
                async ([origin, id, token]) => {
                    const ask = (path, init) => fetch(`${origin}/wallet/api${path}`, { credentials: "include", ...init }).then(
                        (reply) => reply.text(),
                        (error) => error.name,
                    );
                    const headers = { "content-type": "application/json", "x-alter-csrf": token };
                    return Promise.all([
                        ask("/session"),
                        ask("/overview"),
                        ask("/activity/export"),
                        ask(`/grants/${id}/revoke`, { method: "POST", headers, body: "{}" }),
                        ask(`/grants/${id}/revoke`, { method: "POST", mode: "no-cors", body: "{}" }),
                    ]);
                },
                [stage.origin, id, csrf_token],
            );
            assert.deepEqual(fetched.slice(0, 4), Array(4).fill("TypeError"), "nothing is readable");
            assert.equal(fetched[4], "", "an answer that nobody can read");
            await visit.go(`/grants/${id}`, "Notes for Shop");
            await visit.page.getByText("Active", { exact: true }).waitFor();
        });
    });
    assert.equal(await active(), "active");
});

test("b018 a sign-in that was caught: not in another browser, not with another state, and not twice", async () => {
    const caught = async (visit, account) => {
        const { page } = visit;
        // Redirects pass by Playwright's own routes.
        const debug = await page.context().newCDPSession(page);
        await debug.send("Fetch.enable", { patterns: [{ urlPattern: `${stage.origin}/api/auth/callback*` }] });
        const taken = new Promise((resolve) => debug.once("Fetch.requestPaused", resolve));
        await page.goto(`${stage.origin}/sign-in?app=${shop.id}`);
        await page.getByRole("link", { name: /^Continue with/ }).click();
        const caught = taken.then(async ({ requestId, request }) => {
            await debug.send("Fetch.failRequest", { requestId, errorReason: "Aborted" });
            return request.url;
        });
        const [url] = await Promise.all([caught, signInAs(page, account)]);
        await debug.detach();
        return url;
    };
    await stage.wallet(shop, undefined, async (visit) => {
        const url = await caught(visit, anna.who);
        const errorOf = (page) => new URL(page.url()).searchParams.get("error");
        await stage.wallet(shop, undefined, async (thief) => {
            await thief.page.goto(url);
            await thief.heading();
            assert.equal(errorOf(thief.page), "sign_in_other_browser");
            assert.equal(await thief.cookie(), undefined);
            assert.equal((await thief.api("/session")).status, 401);
        });
        for (const state of [`${shop.id}.x`, "x", `${UNKNOWN}.${new URL(url).searchParams.get("state").split(".")[1]}`]) {
            const changed = new URL(url);
            changed.searchParams.set("state", state);
            await visit.page.goto(changed.href);
            await visit.heading();
            assert.ok(errorOf(visit.page), state);
            assert.equal(await visit.cookie(), undefined, state);
        }
        await visit.page.goto(url);
        await visit.heading("Apps");
        const first = await visit.cookie();
        await visit.page.goto(url);
        await visit.page.waitForURL(`${stage.origin}/sign-in?**`);
        assert.ok(errorOf(visit.page), "replayed");
        const after = await visit.cookie();
        assert.equal(after?.value, first.value, "the session that is there is left alone");
    });
});

test("b018 a session cookie that was stolen is worth nothing after the sign-out, and none is taken over", async () => {
    await stage.wallet(shop, anna.who, async (visit) => {
        const stolen = await visit.cookie();
        assert.deepEqual([stolen.httpOnly, stolen.sameSite, stolen.path], [true, "Lax", "/"]);
        const asThief = (path, headers = {}) =>
            fetch(`${stage.origin}/wallet/api${path}`, { headers: { cookie: `${stolen.name}=${stolen.value}`, ...headers } });
        assert.equal((await asThief("/session")).status, 200);
        await visit.signOut();
        for (const path of ["/session", "/overview", "/activity", "/activity/export", `/grants/${anna.grants[0].grant_id}`]) {
            const reply = await asThief(path);
            assert.deepEqual([reply.status, (await reply.json()).error], [401, "wallet_session_required"], path);
        }
        // Fixation: what an attacker put there before a sign-in is not what it is after.
        await visit.context.addCookies([stolen]);
        await visit.signIn(shop, anna.who);
        const fresh = await visit.cookie();
        const [before, now] = [stolen, fresh].map(({ value }) => Buffer.from(value, "base64url"));
        assert.notDeepEqual(now.subarray(0, 16), before.subarray(0, 16), "another id");
        assert.notDeepEqual(now.subarray(48), before.subarray(48), "another secret");
        assert.equal((await asThief("/session")).status, 401);
    });
});
