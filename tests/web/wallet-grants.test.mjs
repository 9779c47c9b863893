/** What people do in the Wallet beside ending access: giving more time, mending what is broken, taking the record along. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { until } from "./connect.mjs";
import { allow, start } from "./identity/stage.mjs";
import { startMock } from "./wallet/mock.mjs";
import { startWalletStage } from "./wallet/stage.mjs";

let stage;
before(async () => {
    stage = await startWalletStage();
});
after(() => stage.close());

const HOUR = 3600;

test("b024 more time: up to the operator's longest life, and not a second more", async () => {
    const app = await stage.app({ name: "Shop" });
    const grant_policy = { default_ttl_seconds: HOUR, max_ttl_seconds: 30 * 24 * HOUR };
    const { who, grants } = await stage.holder([app], { grant_policy });
    const path = `/grants/${grants[0].grant_id}`;
    await stage.wallet(app, who, async (visit) => {
        const { page } = visit;
        await visit.go(path, "Notes for Shop");
        await page.getByText(/^in 5\d min \d\d s$/).waitFor();
        const before = (await visit.api(path)).body.grant;
        await page.getByRole("button", { name: "Extend access to Notes" }).click();
        const dialog = page.getByRole("dialog");
        await dialog.getByRole("radio", { name: /As long as allowed/ }).check();
        await dialog.getByRole("button", { name: "Extend" }).click();
        await page.getByText(/^Extended until /).waitFor();
        // Browsers count in milliseconds.
        const { expires_at } = (await visit.api(path)).body.grant;
        assert.equal(Date.parse(expires_at), Date.parse(before.extendable_to));
        assert.equal(Date.parse(expires_at) - Date.parse(before.created_at), grant_policy.max_ttl_seconds * 1000);
        assert.equal(await page.getByRole("button", { name: /^Extend/ }).count(), 0, "there is no more");

        const later = new Date(Date.parse(expires_at) + 1000).toISOString();
        for (const at of [later, before.expires_at, "2020-01-01T00:00:00Z"]) {
            const { status, body } = await visit.write(`${path}/extend`, { expires_at: at });
            assert.deepEqual([status, body.error], [422, "invalid_expires_at"], at);
        }
        await visit.go("/activity", "Activity");
        await page.getByText("You gave Shop more time with Notes").waitFor();
        assert.deepEqual(visit.complaints, []);
    });
    assert.equal((await stage.sdk(app, { grant_id: grants[0].grant_id })).status, 200);
});

test("b019 a connection that its provider ended says so, why and what to do; connected again it works", async () => {
    const app = await stage.app({ name: "Shop" });
    // Tokens that are over at once: the next call needs a new one, and learns of it.
    await stage.notes.control("access-token-ttl", { seconds: 1 });
    const { who, user_token, grants, account } = await stage.holder([app]);
    await stage.notes.control("access-token-ttl", { seconds: HOUR });
    const path = `/grants/${grants[0].grant_id}`;
    await stage.notes.control("revoke-grant", { account });
    const call = () => stage.sdk(app, { grant_id: grants[0].grant_id, reason: "Before anybody knew" });
    let failed;
    await until(async () => (failed = await call()).error, 10_000);
    assert.equal(failed.error, "CredentialRevokedError", JSON.stringify(failed));
    await stage.wallet(app, who, async (visit) => {
        const { page } = visit;
        await page.getByText("1 connection does not work").waitFor();
        await visit.go("/connections", "Connections");
        const line = visit.connection("Shop");
        await line.getByText("This connection does not work").waitFor();
        await line.getByText(/^Notes no longer accepts it\./).waitFor();
        await line.getByText(/connect the account again/).waitFor();
        await visit.go(path, "Notes for Shop");
        await page.getByText("Connect again from Shop. What you allowed stays as it is.").waitFor();

        const session = await stage.stage.session(app, { allowed_providers: ["notes"], user_token });
        await stage.stage.popup(session, async ({ popup }) => {
            await start(popup);
            await allow(popup, account);
            if (!popup.isClosed()) await popup.waitForEvent("close");
        });
        assert.equal((await session.poll()).grants[0].operation, "reauth");
        await visit.go(path, "Notes for Shop");
        await page.getByText("Active", { exact: true }).waitFor();
        assert.equal(await page.getByText("This connection does not work").count(), 0);
        assert.deepEqual(visit.complaints, []);
    });
    assert.equal((await stage.sdk(app, { grant_id: grants[0].grant_id })).status, 200);
});

test("b020 the page, its download, and the operator's record have the same rows", async () => {
    const [app, other] = [await stage.app({ name: "Shop" }), await stage.app({ name: "Mail" })];
    const mine = await stage.holder([app, other]);
    const theirs = await stage.holder([app]);
    const reasons = ['plain, with "quotes"', "=1+1", "two\nlines", "ünï – 日本"];
    for (const [index, reason] of reasons.entries()) {
        const { status } = await [app, other][index % 2].proxy(mine.grants[index % 2].grant_id, "GET", `${stage.notes.api}/notes?n=${index}`, { reason });
        assert.equal(status, 200);
    }
    await app.proxy(theirs.grants[0].grant_id, "GET", `${stage.notes.api}/notes`, { reason: "Not yours" });
    await stage.wallet(app, mine.who, async (visit) => {
        const { page } = visit;
        await visit.go("/activity", "Activity");
        await page.getByText("That is everything.").waitFor();
        const { items } = (await visit.api("/activity?limit=500")).body;
        assert.deepEqual(items.filter(({ event }) => event === "call").map(({ reason }) => reason), [...reasons].reverse());

        const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download CSV" }).click()]);
        assert.equal(download.suggestedFilename(), "wallet-activity.csv");
        const [columns, ...rows] = parsed(await readFile(await download.path(), "utf8"));
        const id = columns.indexOf("id");
        assert.deepEqual(rows.map((row) => row[id]), items.map((row) => row.id));
        const shown = await page.getByRole("button", { name: /^Details: / }).count();
        assert.equal(shown, items.length, "as many on the page");
        const said = rows.map((row) => row[columns.indexOf("reason")]).filter(Boolean);
        assert.deepEqual(said, ["ünï – 日本", "two\nlines", "'=1+1", 'plain, with "quotes"'], "nothing that a spreadsheet would run");

        // What each app's operator has of this person, and nothing else.
        const { user_id } = (await visit.api("/session")).body;
        const operators = [];
        for (const { id } of [app, other]) {
            const { items } = await stage.vault.operate("GET", `/apps/${id}/audit?limit=1000`);
            operators.push(...items.filter((row) => [row.user_id, row.principal_user_id].includes(user_id)));
        }
        operators.sort((a, b) => (a.id < b.id ? 1 : -1));
        assert.deepEqual(items, operators);
        assert.ok(!JSON.stringify(items).includes("Not yours"));

        const only = (await visit.api(`/activity?limit=500&app_id=${other.id}&event=call`)).body.items;
        assert.deepEqual(only.map(({ reason }) => reason), [reasons[3], reasons[1]]);
        await page.getByRole("searchbox").fill("日本");
        await page.getByText("two").waitFor({ state: "detached" });
        assert.equal(await page.getByRole("button", { name: /^Details: / }).count(), 1);
        const narrowed = await page.getByRole("link", { name: "Download CSV" }).getAttribute("href");
        assert.equal(new URL(narrowed, stage.origin).searchParams.get("q"), "日本", "and the download is of what is shown");
        assert.deepEqual(visit.complaints, []);
    });
});

// Apps cannot delegate to agents yet: an agent's access on somebody's own connection is what the site's made-up API has.
test("b022 an agent's access ends alone: the page says that the app keeps its own", async () => {
    const mock = await startMock(stage.stage.browser);
    try {
        await mock.visit({}, async ({ page, complaints }) => {
            await page.goto(`${mock.url}/?mock=`);
            await page.goto(`${mock.url}/grants/${WITH_AGENTS}`);
            const revoke = page.getByRole("button", { name: "Revoke access of Booking assistant to Google" });
            await revoke.first().click();
            const dialog = page.getByRole("dialog");
            await dialog.getByText(/^Only this agent loses access\. .+ itself keeps it\.$/).waitFor();
            const [sent] = await Promise.all([
                page.waitForRequest((request) => request.method() === "POST"),
                dialog.getByRole("button", { name: "Revoke access" }).click(),
            ]);
            await dialog.getByText("Access has ended. This is what was done:").waitFor();
            await dialog.getByText("Kept, because something else uses the same connection").waitFor();
            const [, id] = /\/grants\/([^/]+)\/revoke$/.exec(sent.url());
            const { grants } = await page.evaluate(() => fetch("/wallet/api/overview").then((reply) => reply.json()));
            const ended = grants.find(({ grant_id }) => grant_id === id);
            assert.deepEqual([ended.status, ended.holder.type], ["revoked", "agent"]);
            const own = grants.find((grant) => grant.connection_id === ended.connection_id && grant.holder.type === "you");
            assert.equal(own.status, "active");
            assert.deepEqual(complaints, []);
        });
    } finally {
        await mock.close();
    }
});

/** A grant of the made-up ones, on whose connection two agents have grants of their own. */
const WITH_AGENTS = "0198c2f4-7b1e-7c3a-9d52-000000000301";

/** The lines of a CSV file (RFC 4180). */
function parsed(text) {
    const lines = [[]];
    for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
        lines.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
        if (end === "") break;
        if (end !== ",") lines.push([]);
    }
    return lines.filter((line) => line.length > 1);
}
