/** Sign-in for programs (`/sdk/auth/…`) in Chromium, at the pages of a certified provider. */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { open } from "./browser.mjs";
import { signInAs, startIdentityStage } from "./identity/stage.mjs";
import { problems } from "./looks.mjs";
import { html, listen } from "./provider/http.mjs";
import { startVault } from "./vault.mjs";

let stage;
before(async () => {
    stage = await startIdentityStage();
});
after(() => stage.close());
afterEach(() => stage.idp.control("replace", {}));

const title = (page) => page.getByRole("heading", { level: 1 });
const atVault = (page) => page.waitForURL((url) => url.href.startsWith(`${stage.vault.baseUrl}/`));
const exchanges = async () => (await stage.idp.state()).requests["/token"] ?? 0;

/** A whole sign-in as far as the vault's last page; `then` looks at it. */
async function signedIn(app, account, then = () => undefined) {
    const session = await stage.signIn(app);
    await stage.visit(session, async (visit) => {
        await signInAs(visit.page, account);
        await atVault(visit.page);
        await title(visit.page).waitFor();
        await then({ ...visit, session });
    });
    return session;
}

/** Catches the redirect back to the vault before it arrives; its address. */
async function callback(page, walk) {
    const debug = await page.context().newCDPSession(page);
    await debug.send("Fetch.enable", { patterns: [{ urlPattern: `${stage.vault.baseUrl}/sdk/auth/callback*` }] });
    const paused = new Promise((resolve) => debug.once("Fetch.requestPaused", resolve));
    const caught = paused.then(async ({ requestId, request }) => {
        await debug.send("Fetch.failRequest", { requestId, errorReason: "Aborted" });
        return request.url;
    });
    const [url] = await Promise.all([caught, walk()]);
    await debug.detach();
    return url;
}

test("b065 signed in as alice: the token is a good one, and finds what alice has connected", async () => {
    const app = await stage.app();
    const session = await stage.signIn(app);
    const waiting = session.poll(10_000);
    await stage.visit(session, async ({ page, complaints }) => {
        await signInAs(page, "alice");
        await atVault(page);
        await title(page).waitFor();
        assert.equal(page.url().includes("code="), false, "the code is out of the address");
        assert.deepEqual(complaints, []);
    });
    const { status, user_token, user_info } = await waiting;
    assert.equal(status, "completed");
    assert.deepEqual(user_info, { sub: "alice", email: "alice@example.test", name: "Alice" });
    const verified = await app.post("/auth/verify-token", { token: user_token });
    assert.deepEqual([verified.status, verified.body.sub], [200, "alice"]);
    assert.equal(await stage.call(app, { provider_id: "notes", user_token }), "404 grant_not_found");
    await stage.connected(app, user_token, "alice.notes");
    assert.equal(await stage.call(app, { provider_id: "notes", user_token }), "alice.notes");
    // The app's own tokens are the same user's.
    const own = await stage.token("alice");
    assert.equal(await stage.call(app, { provider_id: "notes", user_token: own }), "alice.notes");
});

test("an account that does not exist gets nowhere; then the right one is good", async () => {
    const app = await stage.app({ providers: [] });
    const session = await stage.signIn(app);
    await stage.visit(session, async ({ page }) => {
        await signInAs(page, "mallory");
        await page.getByText("No such account").waitFor();
        assert.equal((await session.poll()).status, "pending");
        await signInAs(page, "bob");
        await atVault(page);
    });
    assert.equal((await session.poll(5000)).user_info.sub, "bob");
});

test("denied: the program is told, and nobody is known", async () => {
    const app = await stage.app({ providers: [] });
    const session = await stage.signIn(app);
    await stage.visit(session, async ({ page }) => {
        await page.getByRole("button", { name: "Cancel" }).click();
        await atVault(page);
        await title(page).waitFor();
    });
    const { status, error_code, user_token } = await session.poll(5000);
    assert.deepEqual([status, error_code, user_token], ["error", "sign_in_denied", undefined]);
    assert.deepEqual((await app.operate("GET", "/users")).items, []);
});

test("what one browser has begun no other one finishes, and nothing is finished twice", async () => {
    const app = await stage.app({ providers: [] });
    const session = await stage.signIn(app);
    await stage.visit(session, async ({ page }) => {
        const url = await callback(page, () => signInAs(page, "alice"));
        const before = await exchanges();
        const thief = await open(stage.stage.browser);
        const theirs = await thief.context.newPage();
        const stolen = await theirs.goto(url);
        assert.ok([400, 403].includes(stolen.status()), String(stolen.status()));
        assert.equal(await exchanges(), before, "the code went nowhere");
        assert.equal((await session.poll()).status, "pending");
        await thief.context.close();
        for (const state of ["x", undefined]) {
            const changed = new URL(url);
            if (state) changed.searchParams.set("state", state);
            else changed.searchParams.delete("state");
            assert.equal((await page.goto(changed.href)).status(), 400, state);
        }
        assert.equal(await exchanges(), before);
        assert.equal((await page.goto(url)).status(), 200);
        assert.equal((await session.poll(5000)).status, "completed");
        const after = await exchanges();
        const again = await page.goto(url);
        assert.ok([400, 410].includes(again.status()), String(again.status()));
        assert.equal(await exchanges(), after, "the code is sent once");
    });
    assert.equal((await session.poll()).user_info.sub, "alice");
});

test("a link on somebody else's page asks first, and nobody is signed in by opening it", async () => {
    const app = await stage.app({ name: "Inbox Helper", providers: [] });
    const [first, session] = [await stage.signIn(app), await stage.signIn(app)];
    const site = await listen((request, response) =>
        html(response, 200, `<!doctype html><title>Evil</title><a href="${session.auth_url}">Win</a>`),
    );
    try {
        await stage.visit(first, async ({ page }) => {
            // They are signed in at their provider: one click would be enough for it.
            await signInAs(page, "alice");
            await atVault(page);
            await page.goto(site.url.replace("127.0.0.1", "localhost"));
            await page.getByRole("link", { name: "Win" }).click();
            await page.getByRole("heading", { level: 1, name: "Sign in to Inbox Helper?" }).waitFor();
            assert.deepEqual(await problems(page, "sign-in-asks"), []);
            assert.equal((await session.poll()).status, "pending");
            await page.getByRole("button", { name: "Go on to sign in" }).click();
            await page.waitForURL(`${stage.vault.baseUrl}/sdk/auth/result/*`);
        });
    } finally {
        await site.close();
    }
    assert.equal((await session.poll(5000)).user_info.sub, "alice");
});

test("a provider that answers by a form: it comes from another site, without cookies, and is good all the same", async () => {
    const app = await stage.app({ providers: [] });
    await stage.idp.control("replace", { mode: "form_post" });
    const session = await stage.signIn(app);
    await stage.visit(session, async ({ page }) => {
        const posted = page.waitForRequest((request) => request.method() === "POST" && request.url().includes("/sdk/auth/callback"));
        await signInAs(page, "bob");
        assert.equal((await (await posted).allHeaders()).cookie, undefined);
        await page.getByRole("heading", { name: "You are signed in" }).waitFor();
        assert.ok(!page.url().includes("code="), page.url());
    });
    assert.equal((await session.poll(5000)).user_info.sub, "bob");
});

test("every answer to a browser is strict about what may run, who may frame it, and what it tells others", async () => {
    const app = await stage.app({ providers: [] });
    const session = await stage.signIn(app);
    const answers = [];
    await stage.visit({ auth_url: "about:blank" }, async ({ page, context }) => {
        context.on("response", (response) => {
            if (response.url().startsWith(`${stage.vault.baseUrl}/sdk/auth/`)) answers.push(read(response));
        });
        await page.goto(session.auth_url);
        await signInAs(page, "alice");
        await atVault(page);
        await title(page).waitFor();
        const cookies = (await context.cookies(stage.vault.baseUrl)).filter(({ name }) => name.startsWith("alter_"));
        assert.deepEqual(cookies.map(({ httpOnly, sameSite }) => [httpOnly, sameSite]), [[true, "Lax"]]);
    });
    const { user_token } = await session.poll(5000);
    const all = await Promise.all(answers);
    assert.deepEqual(all.map(({ status }) => status), [303, 303, 200], "to the provider, back, and the page at the end");
    for (const { url, headers } of all) {
        assert.equal(headers["referrer-policy"], "no-referrer", url);
        assert.equal(headers["cache-control"], "no-store", url);
        assert.equal(headers["x-content-type-options"], "nosniff", url);
        assert.match(headers["content-security-policy"], /default-src 'none'/, url);
        assert.match(headers["content-security-policy"], /frame-ancestors 'none'/, url);
        assert.doesNotMatch(headers["content-security-policy"], /unsafe|http/, url);
        assert.ok(!url.includes(user_token) && !headers.location?.includes(user_token));
    }
    const result = new URL(all[2].url);
    assert.equal(result.search, "", "nothing is left in the address");
});

/** A response while its page is still there. */
async function read(response) {
    return { url: response.url(), status: response.status(), headers: response.headers() };
}

test("a vault that stops holds nobody: a poll that waits is answered at once", async () => {
    const vault = await startVault();
    const app = await vault.app();
    await app.operate("POST", "/identity-provider", { issuer: stage.idp.issuer });
    const { client_id, client_secret } = stage.idp;
    await app.operate("PUT", "/identity-provider/client", { client_id, client_secret });
    const { session_token } = (await app.post("/auth/session", {})).body;
    const held = app.post("/auth/poll", { session_token, wait_ms: 25_000 });
    // It is answered at once or held; held is what is to be seen here.
    assert.equal(await Promise.race([held, new Promise((resolve) => setTimeout(resolve, 300, "held"))]), "held");
    const begun = performance.now();
    const [{ status, body }] = await Promise.all([held, vault.stop()]);
    assert.deepEqual([status, body.status], [200, "pending"]);
    const ms = performance.now() - begun;
    assert.ok(ms < 5000, `${ms} ms`);
});

test("back-channel logout: the provider tells the vault, and its own tokens of before are over", async () => {
    const app = await stage.app({ providers: [] });
    const { webhook } = await app.operate("PUT", "/identity-provider/webhooks/backchannel-logout", {});
    await stage.idp.control("client", { client_id: stage.idp.client_id, backchannel_logout_uri: webhook.url });
    const taken = async (token) => (await app.post("/auth/verify-token", { token })).status;
    try {
        const session = await stage.signIn(app);
        await stage.visit(session, async ({ page }) => {
            await signInAs(page, "bob");
            await atVault(page);
            const { user_token } = await session.poll(5000);
            const [other, own] = [await stage.token("alice", { client_id: stage.idp.client_id }), await stage.token("bob")];
            assert.equal(await taken(user_token), 200);
            await page.goto(`${stage.idp.issuer}/session/end`);
            await page.getByRole("button", { name: "Sign out" }).click();
            await page.getByText("You are signed out").waitFor();
            assert.deepEqual((await stage.idp.state()).logouts, { ok: 1, failed: [] });
            assert.equal(await taken(user_token), 401, "issued to the vault, before the end of the session");
            assert.deepEqual([await taken(other), await taken(own)], [200, 200], "nobody else's, and not the app's own");
        });
        // Whoever signs in again is there again.
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const again = await signedIn(app, "bob");
        assert.equal(await taken((await again.poll(5000)).user_token), 200);
    } finally {
        await stage.idp.control("client", { client_id: stage.idp.client_id, backchannel_logout_uri: undefined });
    }
});

/** By name, how the page is reached at which a sign-in ends. */
const ENDS = {
    done: { walk: (page) => signInAs(page, "alice") },
    denied: { walk: (page) => page.getByRole("button", { name: "Cancel" }).click() },
    failed: { walk: (page) => signInAs(page, "alice"), odd: { id_token: { nonce: "another" } } },
};

/** Of the console's errors all but the status of a page that refuses: for Chromium that is an error as well. */
const isComplaint = (line) => !/the server responded with a status of 4\d\d \([A-Z]/.test(line);

for (const [name, { walk, odd }] of Object.entries(ENDS)) {
    test(`the page at the end, ${name}: axe finds nothing in any look, nothing is too wide, nothing is complained of`, async () => {
        const app = await stage.app({ name: "Inbox Helper", providers: [] });
        const session = await stage.signIn(app);
        if (odd) await stage.idp.control("replace", odd);
        await stage.visit(session, async ({ page, complaints }) => {
            await walk(page);
            await atVault(page);
            await title(page).waitFor();
            assert.deepEqual(await problems(page, `sign-in-${name}`), []);
            assert.ok((await page.title()).length > 0);
            assert.deepEqual(complaints.filter(isComplaint), []);
        });
    });
}

// The last one: afterwards the vault's clock is ahead of the provider's, by more than its logout tokens live.
test("the window is closed half way: it waits, and expires", async () => {
    const app = await stage.app({ providers: [] });
    const session = await stage.signIn(app);
    await stage.visit(session, ({ page }) => page.getByLabel("User name").waitFor());
    assert.equal((await session.poll()).status, "pending");
    await stage.vault.pass(601);
    assert.equal((await session.poll()).status, "expired");
    await stage.visit(session, async ({ page }) => {
        await title(page).waitFor();
        assert.ok(page.url().startsWith(stage.vault.baseUrl), "no way to the provider any more");
    });
});
