/** Connect under attack, in the browser: frames, foreign forms, carried links, markup in names, impatient people. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { open } from "./browser.mjs";
import { allow, start, startStage, until } from "./connect.mjs";
import { waitFor } from "./host-app.mjs";
import { html, listen } from "./provider/http.mjs";

const EVIL = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>'"&`;

let stage;
before(async () => {
    stage = await startStage();
});
after(() => stage.close());

const codes = async () => (await stage.notes.state()).exchanges.authorization_code;
const grants = async (app) => (await app.post("/grants/list", {})).body.grants;

/** A site of somebody else's, which has one page. */
async function elsewhere(page, then) {
    const server = await listen((request, response) =>
        request.url === "/" ? html(response, 200, page) : response.writeHead(404).end(),
    );
    try {
        // Another host than the vault's for the browser: `localhost` is not `127.0.0.1`, neither as origin nor as site.
        return await then(server.url.replace("127.0.0.1", "localhost"));
    } finally {
        await server.close();
    }
}

/** Allows, and catches the provider's redirect back to the vault before it arrives; its address. */
async function callback(page, account = "alice") {
    // By the debugger's own means: Playwright's routes do not see where a redirect leads.
    const debug = await page.context().newCDPSession(page);
    await debug.send("Fetch.enable", { patterns: [{ urlPattern: `${stage.vault.baseUrl}/sdk/oauth/callback/*` }] });
    const paused = new Promise((resolve) => debug.once("Fetch.requestPaused", resolve));
    const caught = paused.then(async ({ requestId, request }) => {
        await debug.send("Fetch.failRequest", { requestId, errorReason: "Aborted" });
        return request.url;
    });
    const [url] = await Promise.all([caught, allow(page, account)]);
    await debug.detach();
    return url;
}

describe("other sites", () => {
    test("no page of Connect can be framed", async () => {
        const session = await stage.session(await stage.app());
        const frame = `<!doctype html><title>Evil</title><iframe src="${session.url}"></iframe>`;
        await elsewhere(frame, async (url) => {
            const { context, complaints } = await open(stage.browser);
            const page = await context.newPage();
            const refused = page.waitForEvent("console", (message) => /frame-ancestors/.test(message.text()));
            const instead = page.waitForEvent("framenavigated", (frame) => /^chrome-error:/.test(frame.url()));
            await page.goto(url);
            await refused;
            assert.equal(await instead, page.frames()[1]);
            assert.ok(complaints.length > 0);
            await context.close();
        });
        // The link was not used up by it.
        await stage.link(session, ({ page }) => page.getByRole("button", { name: "Connect Notes" }).waitFor());
    });

    test("a form of another site does nothing, nor does one with another session's token", async () => {
        const app = await stage.app({ providers: ["notes", "boards"] });
        const [session, other] = [await stage.session(app), await stage.session(app)];
        await stage.link(session, async ({ page, context }) => {
            await page.waitForURL(session.page);
            const second = await context.newPage();
            await second.goto(other.url);
            await second.waitForURL(other.page);
            const foreign = await second.locator("input[name=form_token]").first().inputValue();
            for (const [action, fields] of [
                ["start", { provider: "notes" }],
                ["decline", { provider: "notes" }],
                ["finish", { form_token: "" }],
                ["finish", { form_token: foreign }],
            ]) {
                const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
                const form = `<form method="post" action="${session.page}/${action}">${inputs.join("")}</form>`;
                await elsewhere(`<!doctype html>${form}<script>document.forms[0].submit()</script>`, async (url) => {
                    const attack = await context.newPage();
                    await attack.goto(url);
                    await attack.getByRole("heading", { name: "This form is out of date" }).waitFor();
                    await attack.close();
                });
                // Also where no browser says where a form is from, and the cookie comes with it, the token decides.
                const bare = await context.request.post(`${session.page}/${action}`, { form: fields });
                assert.equal(bare.status(), 403);
            }
            assert.deepEqual(await session.poll(), { status: "pending", declined_providers: [] });
        });
    });

    test("a session cannot be planted in somebody's browser by a form of another site", async () => {
        const session = await stage.session(await stage.app());
        const form = `<!doctype html><form method="post" action="${stage.vault.baseUrl}/sdk/oauth/connect">
            <input name="session" value="${session.token}"></form><script>document.forms[0].submit()</script>`;
        await elsewhere(form, async (url) => {
            const { context } = await open(stage.browser);
            const page = await context.newPage();
            await page.goto(url);
            await page.getByRole("heading", { name: "This form is out of date" }).waitFor();
            assert.deepEqual(await context.cookies(), []);
            await context.close();
        });
    });

    test("a page that opens Connect itself, and is not the app's, learns nothing", async () => {
        const session = await stage.session(await stage.app());
        const spy = `<!doctype html><button onclick="w = window.open('${session.url}')">Go</button><script>
            heard = []; onmessage = (event) => heard.push(event.data)</script>`;
        await elsewhere(spy, async (url) => {
            const { context } = await open(stage.browser);
            const page = await context.newPage();
            await page.goto(url);
            const [popup] = await Promise.all([page.waitForEvent("popup"), page.getByRole("button").click()]);
            await start(popup);
            await allow(popup, "alice");
            await popup.getByRole("heading", { name: "Connected to" }).waitFor();
            if (!popup.isClosed()) await popup.waitForEvent("close");
            assert.deepEqual(await page.evaluate(() => globalThis.heard), []);
            await context.close();
        });
    });
});

describe("the redirect back", () => {
    test("carried to another browser it creates nothing and uses nothing up; replayed it creates nothing either", async () => {
        const app = await stage.app();
        const session = await stage.session(app);
        await stage.link(session, async ({ page }) => {
            await start(page);
            const before = await codes();
            const url = await callback(page);
            for (const prepare of [
                async () => {},
                // The thief has a session of the same app, and a cookie of the vault.
                async (thief) => {
                    const own = await stage.session(app);
                    await thief.goto(own.url);
                    await thief.waitForURL(own.page);
                },
            ]) {
                const { context } = await open(stage.browser);
                const thief = await context.newPage();
                await prepare(thief);
                await thief.goto(url);
                await thief.getByRole("heading", { name: "Opened somewhere else" }).waitFor();
                await context.close();
            }
            assert.deepEqual([await codes(), await grants(app)], [before, []]);
            await page.goto(url);
            await page.getByRole("heading", { name: "Connected to Shop" }).waitFor();
            await page.goto(url);
            await page.getByRole("heading", { name: "This sign-in was used already" }).waitFor();
            assert.deepEqual([(await codes()).ok - before.ok, (await grants(app)).length], [1, 1]);
        });
        assert.equal((await session.poll()).grants.length, 1);
    });

    test("changed on the way it creates nothing", async () => {
        const app = await stage.app({ providers: ["notes", "boards"] });
        const other = await stage.app();
        for (const change of [
            (url) => url.searchParams.set("iss", stage.boards.issuer),
            (url) => url.searchParams.delete("iss"),
            (url) => url.searchParams.append("code", "another"),
            (url) => url.searchParams.set("state", "A".repeat(43)),
            (url) => url.searchParams.delete("state"),
            (url) => (url.pathname = url.pathname.replace(/notes$/, "boards")),
            (url) => (url.pathname = url.pathname.replace(app.id, other.id)),
        ]) {
            const session = await stage.session(app);
            const before = await codes();
            await stage.link(session, async ({ page }) => {
                await start(page);
                const url = new URL(await callback(page));
                change(url);
                await page.goto(url.href);
                const said = await page.getByRole("heading", { level: 1 }).textContent();
                assert.match(said, /^This (answer does not fit|sign-in was used already)/, String(change));
            });
            assert.deepEqual([await codes(), await grants(app)], [before, []], String(change));
        }
    });

    test("with the code of another sign-in, which the provider gave to somebody else, it creates nothing", async () => {
        const app = await stage.app();
        const sessions = [await stage.session(app), await stage.session(app)];
        const stolen = await stage.link(sessions[0], async ({ page }) => {
            await start(page);
            return new URL(await callback(page, "victim")).searchParams.get("code");
        });
        await stage.link(sessions[1], async ({ page }) => {
            await start(page);
            const url = new URL(await callback(page, "attacker"));
            url.searchParams.set("code", stolen);
            await page.goto(url.href);
            assert.match(await page.getByRole("alert").textContent(), /no longer accepts this sign-in/);
        });
        assert.deepEqual(await grants(app), []);
    });

    test("what the provider says beside its error is not repeated, on no page and to no app", async () => {
        const session = await stage.session(await stage.app());
        await stage.popup(session, async ({ page, popup, complaints }) => {
            await start(popup);
            const came = new URL(await callback(popup));
            const error = new URL(came.origin + came.pathname);
            for (const name of ["state", "iss"]) error.searchParams.set(name, came.searchParams.get(name));
            error.searchParams.set("error", `server_error${EVIL}`);
            error.searchParams.set("error_description", EVIL);
            await popup.goto(error.href);
            await popup.getByRole("alert").waitFor();
            assert.ok(!(await popup.content()).includes("onerror"));
            assert.notEqual(await popup.title(), "owned");
            await popup.getByRole("button", { name: "Cancel" }).click();
            const { value } = await waitFor(page, "error");
            assert.ok(!JSON.stringify(value).includes("onerror"));
            assert.deepEqual(complaints, []);
        });
    });
});

describe("markup in what others chose", () => {
    test("the names of app, provider, permission, field and account are text", async () => {
        const change = (definition) => ({
            ...definition,
            name: `N${EVIL}`.slice(0, 60),
            variables: [{ name: "workspace", label: `W${EVIL}`, source: "user", shape: "text", example: EVIL }],
            scopes: {
                ...definition.scopes,
                known: definition.scopes.known.map((scope) => ({ ...scope, description: `${scope.scope} ${EVIL}` })),
            },
            authorization: { ...definition.authorization, params: { x_workspace: "{workspace}" } },
        });
        const app = await stage.app({ name: `Shop ${EVIL}`, changes: { notes: change } });
        const session = await stage.session(app, { requested_grant: { label: "<b>x</b>" } });
        await stage.link(session, async ({ page, complaints }) => {
            await page.waitForURL(session.page);
            await page.locator("input[type=text]").fill(EVIL);
            const markup = "main img, main script, main b";
            assert.equal(await page.locator(markup).count(), 0);
            assert.ok((await page.locator("main").textContent()).includes("<img src=x"));
            await page.getByRole("button", { name: /^Connect/ }).click();
            await allow(page, "alice");
            await page.getByRole("heading", { name: "Connected to" }).waitFor();
            assert.equal(await page.locator(markup).count(), 0);
            assert.notEqual(await page.title(), "owned");
            assert.deepEqual(complaints, []);
        });
    });

    test("an account's name from the provider is text, and cannot break out of the message", async () => {
        await stage.notes.control("claims", { account: "mallory", name: EVIL, email: EVIL });
        const session = await stage.session(await stage.app({ providers: ["notes", "boards"] }));
        await stage.popup(session, async ({ page, popup, complaints }) => {
            await start(popup);
            await allow(popup, "mallory");
            await popup.getByText("Connected as").waitFor();
            assert.equal(await popup.locator("main img, main script").count(), 0);
            await popup.getByRole("button", { name: "Done for now" }).click();
            const { value } = await waitFor(page, "success");
            assert.equal(value[0].metadata.account_display_name, EVIL);
            assert.deepEqual(complaints, []);
        });
    });
});

describe("impatience", () => {
    test("a double click on Connect is one request", async () => {
        const session = await stage.session(await stage.app());
        await stage.link(session, async ({ page }) => {
            const starts = [];
            page.on("request", (request) => request.url().endsWith("/start") && starts.push(request));
            await page.getByRole("button", { name: "Connect Notes" }).dblclick();
            await allow(page, "alice");
            await page.getByRole("heading", { name: "Connected to" }).waitFor();
            assert.equal(starts.length, 1);
        });
        assert.equal((await session.poll()).grants.length, 1);
    });

    test("a click that was never answered can be repeated", async () => {
        const session = await stage.session(await stage.app());
        await stage.link(session, async ({ page }) => {
            await page.waitForURL(session.page);
            await page.clock.install();
            await page.route(`${session.page}/start`, (route) => route.abort("aborted"));
            const button = page.getByRole("button", { name: "Connect Notes" });
            await button.click({ noWaitAfter: true });
            await page.waitForFunction(() => document.querySelector("form[data-sent]"));
            await page.unroute(`${session.page}/start`);
            await page.clock.runFor(5000);
            await button.click();
            await page.getByRole("button", { name: "Allow" }).waitFor();
        });
    });

    test("the back button after the end shows the end", async () => {
        const app = await stage.app();
        const session = await stage.session(app);
        await stage.link(session, async ({ page }) => {
            await start(page);
            await allow(page, "alice");
            await page.getByRole("heading", { name: "Connected to" }).waitFor();
            const before = await codes();
            const seen = [];
            while (await page.goBack()) {
                if (!page.url().startsWith(session.page)) continue;
                seen.push(page.url());
                await page.getByRole("heading", { name: "Connected to" }).waitFor();
            }
            assert.ok(seen.length > 0);
            await page.goto(session.page);
            await page.getByRole("heading", { name: "Connected to" }).waitFor();
            assert.deepEqual([await codes(), (await grants(app)).length], [before, 1]);
        });
    });

    test("back from the provider's page, and once more: the first answer is still good, and one grant comes of it", async () => {
        const app = await stage.app();
        const session = await stage.session(app);
        await stage.link(session, async ({ page }) => {
            await start(page);
            await page.getByRole("button", { name: "Allow" }).waitFor();
            await page.goto(session.page);
            await start(page);
            await allow(page, "alice");
            await page.getByRole("heading", { name: "Connected to" }).waitFor();
        });
        assert.equal((await grants(app)).length, 1);
    });

    test("two tabs of one session at once: one grant, and both tell of it", async () => {
        const app = await stage.app();
        const session = await stage.session(app);
        await stage.link(session, async ({ page, context }) => {
            const other = await context.newPage();
            await other.goto(session.url);
            await Promise.all([start(page), start(other)]);
            const urls = [await callback(page), await callback(other)];
            await Promise.all([page.goto(urls[0]), other.goto(urls[1])]);
            const said = await Promise.all([page, other].map((tab) => tab.getByRole("heading", { level: 1 }).textContent()));
            assert.ok(said.includes("Connected to Shop"), said);
            for (const tab of [page, other]) {
                await tab.goto(session.page);
                await tab.getByRole("heading", { name: "Connected to Shop" }).waitFor();
            }
        });
        assert.deepEqual([(await grants(app)).length, (await session.poll()).grants.length], [1, 1]);
    });

    test("two tabs, two accounts: the session takes one, and the other leaves nothing at the provider", async () => {
        const app = await stage.app();
        const session = await stage.session(app, { switch_account: true });
        const accounts = ["tabitha", "tobias"];
        await stage.link(session, async ({ page, context }) => {
            const other = await context.newPage();
            await other.goto(session.url);
            await start(page);
            const first = await callback(page, accounts[0]);
            await start(other);
            const second = await callback(other, accounts[1]);
            await Promise.all([page.goto(first), other.goto(second)]);
        });
        const listed = await grants(app);
        assert.equal(listed.length, 1);
        const [kept] = (await session.poll()).grants;
        const lost = accounts.find((account) => account !== kept.account_identifier);
        const onRecord = async (account) => (await stage.notes.state()).grants_by_account[account] ?? 0;
        assert.equal(await onRecord(kept.account_identifier), 1);
        assert.ok(await until(async () => (await onRecord(lost)) === 0, 1000), `${lost} is still on record`);
    });
});
