/** The rest of the bench: Chromium, the host app with the published package, and a vault to talk to. */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { LOOKS, accessibility, launch, open, screenshot } from "./browser.mjs";
import { Client } from "./client.mjs";
import { startHostApp, told, waitFor } from "./host-app.mjs";
import { startProviderProgram } from "./program.mjs";
import { html, listen } from "./provider/http.mjs";
import { sign, startVault } from "./vault.mjs";

const STRICT = { "content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'" };
const GOOD = `<!doctype html><html lang="en"><head><title>Good</title></head>
<body><main><h1>Good</h1><p>Read me.</p></main></body></html>`;
const BAD = `<!doctype html><html><head><title>Bad</title></head>
<body><main><h1>Bad</h1><p style="color:#ccc;background:#fff">Read me.</p><input><img src="/nothing"></main>
<script>1</script></body></html>`;

describe("Chromium", () => {
    let browser;
    before(async () => {
        browser = await launch();
    });
    after(() => browser.close());

    test("axe finds what is wrong, nothing where nothing is, and the page's policy does not stop it", async () => {
        const server = await listen((request, response) => {
            if (request.url === "/good") return html(response, 200, GOOD, STRICT);
            if (request.url === "/bad") return html(response, 200, BAD, STRICT);
            return response.writeHead(404).end();
        });
        try {
            for (const look of LOOKS) {
                const { context, complaints } = await open(browser, look);
                const page = await context.newPage();
                await page.goto(`${server.url}/good`);
                const dark = await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches);
                assert.equal(dark, look.colorScheme === "dark");
                assert.equal(await page.evaluate(() => innerWidth), look.viewport.width);
                assert.deepEqual(await accessibility(page), []);
                assert.deepEqual(complaints, []);
                await context.close();
            }
            const { context, complaints } = await open(browser, LOOKS[0]);
            const page = await context.newPage();
            await page.goto(`${server.url}/bad`);
            const found = await accessibility(page);
            for (const rule of ["html-has-lang", "label", "image-alt"]) {
                assert.ok(found.some((line) => line.startsWith(`${rule} `)), `${rule} in ${found}`);
            }
            for (const directive of ["script-src-elem", "style-src-attr", "img-src"]) {
                assert.ok(complaints.some((line) => line.includes(`policy: ${directive}`)), `${directive} in ${complaints}`);
            }
            await context.close();
        } finally {
            await server.close();
        }
    });

    test("pictures are kept where the environment says", async () => {
        const folder = await mkdtemp(join(tmpdir(), "alter-pictures-"));
        const before = process.env.SCREENSHOTS;
        const { context } = await open(browser);
        try {
            const page = await context.newPage();
            await page.setContent(GOOD);
            process.env.SCREENSHOTS = folder;
            const path = await screenshot(page, "good");
            assert.deepEqual((await readFile(path)).subarray(1, 4).toString(), "PNG");
        } finally {
            if (before === undefined) delete process.env.SCREENSHOTS;
            else process.env.SCREENSHOTS = before;
            await context.close();
            await rm(folder, { recursive: true });
        }
    });

    test("a person signs in at the provider, unticks a scope and allows; another one denies", async () => {
        const provider = await startProviderProgram(["--redirect-uri", "http://127.0.0.1:9/callback"]);
        const client = new Client(provider, "http://127.0.0.1:9/callback");
        const { context } = await open(browser);
        try {
            const page = await context.newPage();
            const answer = async (decide) => {
                const { url, verifier } = client.request();
                const came = page.waitForRequest((request) => request.url().startsWith(client.redirectUri));
                await page.goto(url);
                await decide();
                const { searchParams } = new URL((await came).url());
                return { code: searchParams.get("code"), error: searchParams.get("error"), verifier };
            };
            const allowed = await answer(async () => {
                await page.getByLabel("User name").fill("carol");
                await page.getByLabel("notes:write").uncheck();
                await page.getByRole("button", { name: "Allow" }).click();
            });
            const { body } = await client.exchange(allowed.code, allowed.verifier);
            const call = await client.call(body.access_token);
            assert.equal(call.body.sub, "carol");
            assert.ok(body.scope.includes("notes:read") && !body.scope.includes("notes:write"), body.scope);

            const denied = await answer(async () => {
                await page.getByText("Signed in as carol").waitFor();
                await page.getByRole("button", { name: "Deny" }).click();
            });
            assert.deepEqual([denied.code, denied.error], [null, "access_denied"]);
        } finally {
            await context.close();
            await provider.stop();
        }
    });

    describe("the host app", () => {
        /** Stands where the vault would: a page that does what its address says. */
        const scene = (behaviour) => `<!doctype html><title>Connect</title><script>
            const send = (data) => opener.postMessage(data, "*");
            const grant = { grant_id: "g1", provider: "notes", account_identifier: "alice" };
            ${behaviour}
        </script>`;
        const SCENES = {
            success: `send({ type: "alter_connect_success", grants: [grant] });`,
            error: `send({ type: "alter_connect_error", error: "connect_denied", error_description: "No." });`,
            closes: `window.close();`,
            shows: `send({ type: "alter_connect_error", error: location.hash });`,
        };
        let host;
        let servers;
        const at = {};
        before(async () => {
            host = await startHostApp();
            servers = await Promise.all(
                Object.entries(SCENES).map(async ([name, behaviour]) => {
                    const server = await listen((_, response) => html(response, 200, scene(behaviour)));
                    at[name] = server.url;
                    return server;
                }),
            );
        });
        after(() => Promise.all([host, ...servers].map((server) => server.close())));

        const connect = async (base, then, options) => {
            const { context, complaints } = await open(browser, options);
            try {
                const page = await context.newPage();
                await page.goto(host.page("sess_1/+", base));
                await page.locator("html[data-ready]").waitFor();
                await page.getByRole("button", { name: "Connect" }).click();
                return await then(page, complaints);
            } finally {
                await context.close();
            }
        };

        test("the package tells it of success, of an error and of a closed window", async () => {
            await connect(at.success, async (page, complaints) => {
                const [grant] = await waitFor(page, "success").then(({ value }) => value);
                assert.deepEqual([grant.grant_id, grant.provider, grant.operation], ["g1", "notes", "creation"]);
                assert.ok((await told(page)).some(({ callback, value }) => callback === "event" && value.name === "connect_opened"));
                assert.deepEqual(complaints, []);
            });
            await connect(at.error, async (page) => {
                const { value } = await waitFor(page, "error");
                assert.deepEqual([value.code, value.message], ["connect_denied", "No."]);
            });
            await connect(at.closes, async (page) => {
                assert.equal((await waitFor(page, "exit", "error", "success")).callback, "exit");
            });
        });

        test("the session travels in the fragment, encoded", async () => {
            await connect(at.shows, async (page) => {
                assert.equal((await waitFor(page, "error")).value.code, "#session=sess_1%2F%2B");
            });
        });

        test("a phone is redirected, and the result of the way back is read before the package takes it", async () => {
            await connect(
                at.shows,
                async (page) => {
                    await page.waitForURL(`${at.shows}/sdk/oauth/connect#session=sess_1%2F%2B`);
                    const result = new URLSearchParams({
                        alter_connect_success: "true",
                        grant_id: "g1",
                        provider: "notes",
                        account_identifier: "alice",
                    });
                    await page.goto(`${host.returnUrl}?${result}`);
                    const { value } = await waitFor(page, "returned");
                    assert.deepEqual(value, Object.fromEntries(result));
                    await page.waitForFunction(() => !location.search.includes("alter_connect_success"));
                },
                { phone: true },
            );
        });
    });
});

test("signatures are those of the published client", () => {
    const key = `alter_rk_${"a".repeat(22)}_l77ykl`;
    const frozen = { now: 1760000000, nonce: "0".repeat(32) };
    const body = '{"limit":1,"offset":0}';
    const of = (...call) => sign(key, ...call)["x-alter-signature"];
    assert.equal(
        of("POST", "/sdk/grants/list", body, frozen),
        "7c522a4c37e67bc03717b46833f1adce6ee98b73310f6916d01b529ec730adf8",
    );
    assert.equal(
        of("POST", "/sdk/grants/list", body, { ...frozen, caller: "svc" }),
        "316bf3df42b3edcd55385310b96b7b6b21311bc1f968a94d39a9373137012e72",
    );
    assert.equal(
        of("GET", "/sdk/agents/a%20b?q=&name=x%20y/z", undefined, frozen),
        "1e3579a07b505225d6d4ff07032c4e5871a633ede75cf2ffd5a2a2e33a78fbb0",
    );
});

test("a vault starts, knows its operator and its app, survives a crash, and stops", async () => {
    const vault = await startVault();
    try {
        const app = await vault.app();
        const list = () => app.post("/grants/list", { limit: 1, offset: 0 });
        const reply = await list();
        assert.deepEqual([reply.status, reply.body.total], [200, 0]);
        assert.equal((await vault.signed(`${app.key.slice(0, -1)}!`, "POST", "/sdk/grants/list", {})).status, 401);
        const { status } = await fetch(`${vault.baseUrl}/portal/v1/apps`);
        assert.equal(status, 401);
        await vault.crash();
        assert.equal((await list()).status, 200);
    } finally {
        await vault.stop();
    }
});
