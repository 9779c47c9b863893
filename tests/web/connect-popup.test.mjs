/** Connect in a popup: the published package, unmodified, in Chromium against the vault and a certified provider. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { allow, closed, connected, deny, openPopup, start, startStage } from "./connect.mjs";
import { told, waitFor } from "./host-app.mjs";

let stage;
before(async () => {
    stage = await startStage();
});
after(() => stage.close());

/** Exchanges of codes at a provider so far, whatever came of them. */
const exchanges = async (provider) => (await provider.state()).exchanges.authorization_code;
const callbacks = async (page) => (await told(page)).map(({ callback }) => callback).filter((name) => name !== "event");

describe("success", () => {
    test("the app gets every documented field, the grant works, and the window closes", async () => {
        const app = await stage.app();
        const session = await stage.session(app, { allowed_providers: [" NOTES ", "notes"] });
        assert.equal(session.url, `${stage.vault.baseUrl}/sdk/oauth/connect#session=${session.token}`);
        assert.deepEqual([session.body.expires_in, session.body.single_provider, session.body.direct], [600, true, false]);
        assert.equal((await session.poll()).status, "pending");
        await stage.popup(session, async ({ page, popup, context, complaints }) => {
            const urls = [];
            context.on("request", (request) => urls.push(request.url()));
            await start(popup);
            await allow(popup, "alice");
            const { value } = await waitFor(page, "success", "error", "exit");
            await closed(popup);
            assert.equal(value.length, 1);
            const [{ grant_id, timestamp, ...grant }] = value;
            assert.deepEqual({ ...grant, scopes: grant.scopes.toSorted() }, {
                provider: "notes",
                provider_name: "Notes",
                account_identifier: "alice",
                operation: "creation",
                scopes: ["email", "notes:read", "notes:write", "openid", "profile"],
                status: "active",
                metadata: { account_display_name: "Alice", account_email: "alice@example.test" },
            });
            assert.match(grant_id, /^[0-9a-f-]{36}$/);
            assert.ok(Math.abs(Date.now() - Date.parse(timestamp)) < 60_000, timestamp);
            assert.deepEqual(await callbacks(page), ["success"], "and nothing else, also not that the window was closed");
            assert.deepEqual(complaints, []);

            const { status, body } = await app.proxy(grant_id, "GET", `${stage.notes.api}/notes`, { reason: "look" });
            assert.deepEqual([status, body.status_code], [200, 200]);
            assert.equal(JSON.parse(Buffer.from(body.body_b64, "base64")).sub, "alice");

            const { status: polled, grants, ...rest } = await session.poll();
            assert.deepEqual(rest, { failed_grants: [], declined_providers: [] });
            assert.deepEqual([polled, grants.length, grants[0].grant_id], ["completed", 1, grant_id]);

            const secrets = [session.token, ...Object.values(await stage.notes.control("issued")).slice(0, 2).flat()];
            assert.ok(secrets.length >= 3 && urls.length > 5);
            for (const secret of secrets) assert.ok(!urls.some((url) => url.includes(secret)), "a token in an address");
        });
    });

    test("two providers in one session, the second after the first", async () => {
        const app = await stage.app({ providers: ["notes", "boards"] });
        const session = await stage.session(app);
        await stage.popup(session, async ({ page, popup, complaints }) => {
            await start(popup, "Boards");
            await allow(popup, "alice");
            await popup.getByText("Connected as Alice").waitFor();
            assert.deepEqual([await callbacks(page), (await session.poll()).status], [[], "pending"]);
            await start(popup, "Notes");
            await allow(popup, "bob");
            const { value } = await waitFor(page, "success");
            const accounts = value.map((grant) => [grant.provider, grant.account_identifier]).sort();
            assert.deepEqual(accounts, [["boards", "alice"], ["notes", "bob"]]);
            assert.deepEqual(complaints, []);
        });
        const calls = (await session.poll()).grants.map(({ grant_id, provider_id }) =>
            app.proxy(grant_id, "GET", `${stage[provider_id].api}/notes`, { reason: "look" }),
        );
        assert.deepEqual((await Promise.all(calls)).map(({ body }) => body.status_code), [200, 200]);
    });

    test("one of two declined, and the other goes on", async () => {
        const app = await stage.app({ providers: ["notes", "boards"] });
        const session = await stage.session(app);
        await stage.popup(session, async ({ page, popup }) => {
            await popup.getByRole("button", { name: "Not now: Boards" }).click();
            await popup.getByText("Not connected").waitFor();
            const pending = await session.poll();
            assert.equal(pending.status, "pending");
            const [{ declined_at, ...declined }] = pending.declined_providers;
            assert.deepEqual(declined, { provider_id: "boards", error_code: "user_declined" });
            assert.ok(Date.parse(declined_at) > 0);
            await start(popup, "Notes");
            await allow(popup, "alice");
            await popup.getByRole("button", { name: "Done", exact: true }).click();
            const { value } = await waitFor(page, "success");
            assert.deepEqual(value.map((grant) => grant.provider), ["notes"]);
        });
        const done = await session.poll();
        assert.deepEqual([done.status, done.grants.length], ["completed", 1]);
        assert.deepEqual(done.declined_providers.map((one) => one.provider_id), ["boards"]);
    });

    test("a no at one provider leaves the other, and can be taken back", async () => {
        const app = await stage.app({ providers: ["notes", "boards"] });
        const session = await stage.session(app);
        await stage.popup(session, async ({ page, popup }) => {
            for (const name of ["Boards", "Notes"]) {
                await start(popup, name);
                await deny(popup);
                await popup.getByRole("listitem", { name }).getByText("Not connected").waitFor();
            }
            assert.deepEqual([await callbacks(page), (await session.poll()).status], [[], "pending"]);
            await start(popup, "Boards");
            await allow(popup, "alice");
            await popup.getByRole("button", { name: "Done", exact: true }).click();
            assert.deepEqual((await waitFor(page, "success", "error")).value.map((grant) => grant.provider), ["boards"]);
        });
    });

    test("a scope that the user refuses is not the grant's", async () => {
        const known = ["notes:read", "openid", "profile", "email"];
        const scopes = { allowed: [...known, "notes:write"], default: known, required: ["notes:write"] };
        const app = await stage.app({ scopes });
        const session = await stage.session(app);
        const grant = await stage.popup(session, async ({ page, popup }) => {
            await start(popup);
            await allow(popup, "alice", { refuse: ["notes:write"] });
            return (await waitFor(page, "success")).value[0];
        });
        assert.deepEqual(grant.scopes.toSorted(), known.toSorted());
        const call = (method) => app.proxy(grant.grant_id, method, `${stage.notes.api}/notes`, { reason: "look" });
        assert.equal((await call("GET")).body.status_code, 200);
        assert.equal((await call("POST")).body.status_code, 403);
        const { connection } = await app.operate("GET", `/grants/${grant.grant_id}`);
        assert.deepEqual([connection.scope_mismatch, connection.missing_scopes], [true, ["notes:write"]]);
    });

    test("the same account again is the same grant; another one is chosen when the app asks for that", async () => {
        const app = await stage.app();
        const sessions = [await stage.session(app), await stage.session(app)];
        const switched = await stage.session(app, { switch_account: true });
        await stage.visit(sessions[0], async ({ page, context }) => {
            const through = async (session, account) => {
                await page.goto(stage.host.page(session.token, stage.vault.baseUrl));
                await page.locator("html[data-ready]").waitFor();
                const popup = await openPopup(page);
                await start(popup);
                await allow(popup, account);
                return (await waitFor(page, "success")).value[0];
            };
            const first = await through(sessions[0], "alice");
            // The provider knows the browser by now and asks for nobody's name.
            const again = await through(sessions[1], "alice");
            assert.deepEqual([again.grant_id, again.operation], [first.grant_id, "reauth"]);
            await context.pages()[0].bringToFront();
            const other = await through(switched, "bob");
            assert.deepEqual([other.account_identifier, other.operation], ["bob", "creation"]);
            assert.notEqual(other.grant_id, first.grant_id);
        });
    });

    test("a label is the grant's", async () => {
        const app = await stage.app();
        const grant = await connected(stage, app, "alice", { requested_grant: { label: "work" } });
        assert.equal((await app.operate("GET", `/grants/${grant.grant_id}`)).label, "work");
        const other = await connected(stage, app, "alice", { requested_grant: { label: "home" } });
        assert.notEqual(other.grant_id, grant.grant_id);
        const { body } = await app.post("/grants/list", {});
        assert.deepEqual(body.grants.map(({ label }) => label).sort(), ["home", "work"]);
    });

    test("direct: from the app's button to the provider's page without a click on ours", async () => {
        const app = await stage.app();
        const session = await stage.session(app, { allowed_providers: ["notes"], direct: true });
        assert.equal(session.body.direct, true);
        await stage.popup(session, async ({ page, popup, complaints }) => {
            await allow(popup, "alice");
            assert.equal((await waitFor(page, "success")).value[0].provider, "notes");
            assert.deepEqual(complaints, []);
        });
        await stage.popup(await stage.session(app, { allowed_providers: ["notes"], direct: true }), async ({ page, popup }) => {
            await deny(popup);
            assert.equal((await waitFor(page, "error", "success")).value.code, "connect_denied");
        });
    });
});

describe("no", () => {
    test("at the provider: the app hears of it, and so does its server", async () => {
        const session = await stage.session(await stage.app());
        await stage.popup(session, async ({ page, popup, complaints }) => {
            await start(popup);
            await deny(popup);
            const { callback, value } = await waitFor(page, "success", "error", "exit");
            assert.deepEqual([callback, value.code], ["error", "connect_denied"]);
            assert.ok(value.message.length > 10);
            assert.deepEqual(complaints, []);
        });
        const { status, error } = await session.poll();
        assert.deepEqual([status, error.error_code], ["error", "connect_denied"]);
    });

    test("on our own page, before the provider was asked anything", async () => {
        const session = await stage.session(await stage.app());
        const before = await exchanges(stage.notes);
        await stage.popup(session, async ({ page, popup }) => {
            await popup.getByRole("button", { name: "Cancel" }).click();
            assert.equal((await waitFor(page, "error", "success", "exit")).value.code, "connect_denied");
        });
        assert.equal((await session.poll()).status, "error");
        assert.deepEqual(await exchanges(stage.notes), before);
    });

    test("a window that is closed is an exit, and the link still works in that browser", async () => {
        const session = await stage.session(await stage.app());
        await stage.popup(session, async ({ page, popup }) => {
            await popup.getByRole("button", { name: "Connect Notes" }).waitFor();
            await popup.close();
            assert.equal((await waitFor(page, "exit", "error", "success")).callback, "exit");
            assert.equal((await session.poll()).status, "pending");
            const again = await openPopup(page);
            await start(again);
            await allow(again, "alice");
            assert.equal((await waitFor(page, "success")).value.length, 1);
        });
    });
});

describe("who is told", () => {
    test("a page of another origin than the app named never is; the server is", async () => {
        const session = await stage.session(await stage.app(), { allowed_origin: "https://shop.example" });
        await stage.popup(session, async ({ page, popup }) => {
            await start(popup);
            await allow(popup, "alice");
            await popup.getByRole("heading", { name: "Connected to" }).waitFor();
            await waitFor(page, "exit", "success", "error");
            assert.deepEqual(await callbacks(page), ["exit"]);
        });
        assert.equal((await session.poll()).status, "completed");
    });

    test("without an origin nobody is, and the window stays; the app's website is one", async () => {
        const unnamed = await stage.session(await stage.app(), { allowed_origin: null });
        await stage.popup(unnamed, async ({ page, popup, complaints }) => {
            await start(popup);
            await allow(popup, "alice");
            await popup.getByText("You can close this window.").waitFor();
            assert.deepEqual([popup.isClosed(), await callbacks(page), complaints], [false, [], []]);
        });
        assert.equal((await unnamed.poll()).status, "completed");
        const app = await stage.app({ website: `${stage.host.origin}/about` });
        await stage.popup(await stage.session(app, { allowed_origin: null }), async ({ page, popup }) => {
            await popup.getByRole("button", { name: "Cancel" }).click();
            assert.equal((await waitFor(page, "error")).value.code, "connect_denied");
        });
    });

    test("an origin is an origin", async () => {
        const app = await stage.app();
        for (const allowed_origin of ["https://shop.example/page", "*", "https://*.example", "http://shop.example", "null"]) {
            const { status, body } = await app.post("/oauth/connect/session", { allowed_origin });
            assert.deepEqual([status, body.error], [422, "invalid_allowed_origin"], allowed_origin);
        }
    });
});

describe("links", () => {
    test("a finished one, opened again, tells the same result and asks for nothing", async () => {
        const session = await stage.session(await stage.app());
        await stage.popup(session, async ({ page, popup }) => {
            await start(popup);
            await allow(popup, "alice");
            const first = (await waitFor(page, "success")).value;
            const before = await exchanges(stage.notes);
            await page.reload();
            await page.locator("html[data-ready]").waitFor();
            const again = await openPopup(page);
            assert.deepEqual((await waitFor(page, "success")).value, first);
            await closed(again);
            assert.deepEqual(await exchanges(stage.notes), before);
        });
        assert.equal((await session.poll()).grants.length, 1);
    });

    test("one that is unknown, cut short or of another kind says so", async () => {
        const session = await stage.session(await stage.app());
        const last = session.token.slice(-1) === "A" ? "B" : "A";
        for (const [token, words] of [
            [session.token.slice(0, -1) + last, "This link does not work"],
            [session.token.slice(0, -5), "This link does not work"],
            ["ms_sess_abc", "Not possible here"],
        ]) {
            await stage.link({ url: `${stage.vault.baseUrl}/sdk/oauth/connect#session=${token}` }, ({ page }) =>
                page.getByRole("heading", { name: words }).waitFor(),
            );
        }
        await stage.link(session, ({ page }) => page.getByRole("button", { name: "Connect Notes" }).waitFor());
    });

    test("one that somebody opened belongs to that browser", async () => {
        const session = await stage.session(await stage.app());
        await stage.popup(session, async ({ page, popup }) => {
            await popup.getByRole("button", { name: "Connect Notes" }).waitFor();
            await stage.link(session, async ({ page: other }) => {
                await other.getByRole("heading", { name: "Opened somewhere else" }).waitFor();
                await other.goto(session.page);
                await other.getByRole("heading", { name: "Opened somewhere else" }).waitFor();
            });
            await start(popup);
            await allow(popup, "alice");
            assert.equal((await waitFor(page, "success")).value.length, 1);
            await stage.link(session, ({ page: other }) =>
                other.getByRole("heading", { name: "Opened somewhere else" }).waitFor(),
            );
        });
    });

    test("one that has expired connects nothing, whether opened late or left open", async () => {
        const app = await stage.app();
        const [late, open] = [await stage.session(app), await stage.session(app)];
        const before = await exchanges(stage.notes);
        await stage.popup(open, async ({ page, popup }) => {
            await popup.getByRole("button", { name: "Connect Notes" }).waitFor();
            await stage.vault.pass(601);
            await start(popup);
            const { callback, value } = await waitFor(page, "exit", "error", "success");
            assert.deepEqual([callback, value.code], ["error", "session_expired"]);
            await closed(popup);
        });
        await stage.popup(late, ({ popup }) => popup.getByRole("heading", { name: "This link has expired" }).waitFor());
        assert.deepEqual([await late.poll(), await open.poll()], [{ status: "expired" }, { status: "expired" }]);
        assert.deepEqual(await exchanges(stage.notes), before);
    });
});
