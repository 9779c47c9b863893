/** Connect by keyboard and by screen reader, and what its pages promise to browsers in their headers. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { allow, start, startStage } from "./connect.mjs";

let stage;
before(async () => {
    stage = await startStage();
});
after(() => stage.close());

/** Tabs from where the focus is; the accessible name of what has it then, which must be seen to have it. */
async function tab(page) {
    await page.keyboard.press("Tab");
    return page.evaluate(() => {
        const element = document.activeElement;
        if (element === document.body) return null;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) throw new Error(`no visible focus on ${element.outerHTML}`);
        const { top, bottom } = element.getBoundingClientRect();
        if (top < 0 || bottom > innerHeight) throw new Error(`out of sight: ${element.outerHTML}`);
        return element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent.trim();
    });
}

async function tabs(page) {
    const names = [];
    for (let name = await tab(page); name !== null; name = await tab(page)) names.push(name);
    return names;
}

test("by keyboard alone: everything is reached in the order of reading, and Enter connects", async () => {
    const app = await stage.app({ providers: ["notes", "boards"] });
    const session = await stage.session(app, { allowed_providers: ["notes", "boards"] });
    await stage.link(session, async ({ page }) => {
        await page.waitForURL(session.page);
        await page.getByRole("heading", { level: 1 }).waitFor();
        const all = ["Connect Notes", "Not now: Notes", "Connect Boards", "Not now: Boards", "Cancel"];
        assert.deepEqual(await tabs(page), all);
        assert.deepEqual(await tabs(page), all, "and there is a way out again");
        // No now, by keyboard; then yes to the other.
        assert.deepEqual([await tab(page), await tab(page)], all.slice(0, 2));
        await page.keyboard.press("Enter");
        await page.getByText("Not connected").waitFor();
        assert.deepEqual(await tabs(page), ["Connect Notes", "Connect Boards", "Not now: Boards", "Cancel"]);
        for (let name = await tab(page); name !== "Connect Boards"; name = await tab(page)) assert.ok(name);
        await page.keyboard.press("Space");
        await allow(page, "alice");
        await page.getByText("Connected as").waitFor();
        assert.deepEqual(await tabs(page), ["Connect Notes", "Done"]);
        await tab(page);
        assert.equal(await tab(page), "Done");
        await page.keyboard.press("Enter");
        await page.getByRole("heading", { name: "Connected to Shop" }).waitFor();
    });
});

const workspace = (definition) => ({
    ...definition,
    variables: [
        { name: "workspace", label: "Workspace", source: "user", shape: "dns_label", example: "acme" },
        { name: "project", label: "Project", source: "user", shape: "digits" },
    ],
    authorization: { ...definition.authorization, params: { x_workspace: "{workspace}", x_project: "{project}" } },
});

test("what is wrong with a form is where the focus is, in words, and what was typed is still there", async () => {
    const session = await stage.session(await stage.app({ changes: { notes: workspace } }));
    await stage.link(session, async ({ page }) => {
        await page.waitForURL(session.page);
        assert.deepEqual(await tabs(page), ["Workspace", "Project", "Connect Notes", "Cancel"]);
        await page.getByLabel("Workspace").fill("no, not this");
        await page.getByLabel("Project").fill("17");
        await page.keyboard.press("Enter");
        const wrong = page.getByRole("textbox", { name: "Workspace" });
        await page.waitForFunction(() => document.activeElement?.getAttribute("aria-invalid") === "true");
        assert.equal(await wrong.evaluate((field) => field === document.activeElement), true);
        const described = await wrong.evaluate((field) =>
            field
                .getAttribute("aria-describedby")
                .trim()
                .split(/\s+/)
                .map((id) => document.getElementById(id).textContent),
        );
        assert.equal(described.length, 2);
        assert.match(described[0], /^This must be one part of a host name/);
        assert.equal(described[1], "For example: acme");
        assert.equal(await wrong.inputValue(), "no, not this");
        assert.equal(await page.getByLabel("Project").inputValue(), "17");
        assert.equal(await page.getByLabel("Project").getAttribute("aria-invalid"), null);

        await wrong.fill("acme");
        const asked = page.waitForRequest((request) => request.url().startsWith(`${stage.notes.issuer}/auth?`));
        await page.keyboard.press("Enter");
        const query = new URL((await asked).url()).searchParams;
        assert.deepEqual([query.get("x_workspace"), query.get("x_project")], ["acme", "17"]);
    });
});

test("a failure at the provider has the focus when the page comes back", async () => {
    const session = await stage.session(await stage.app());
    await stage.notes.control("outage", { on: true, endpoints: ["token"] });
    try {
        await stage.link(session, async ({ page }) => {
            await start(page);
            await allow(page, "alice");
            const alert = page.getByRole("alert");
            await alert.waitFor();
            assert.equal(await alert.evaluate((element) => element === document.activeElement), true);
            assert.match(await alert.textContent(), /could not be reached\. Try again/);
            assert.equal(await tab(page), "Try Notes again", "and the way on is the next thing");
        });
    } finally {
        await stage.notes.control("outage", { on: false });
    }
});

test("what a screen reader says", async () => {
    const app = await stage.app({ providers: ["notes", "boards"] });
    const session = await stage.session(app, { allowed_providers: ["notes", "boards"] });
    await stage.link(session, async ({ page }) => {
        await page.waitForURL(session.page);
        const [notes, boards] = [waiting("Notes"), waiting("Boards")];
        assert.equal(await page.locator("main").ariaSnapshot(), whole([...notes, ...boards], "Cancel"));
        await start(page);
        await allow(page, "alice");
        await page.getByText("Connected as").waitFor();
        const done = [
            '    - listitem "Notes":',
            '      - heading "Notes" [level=2]',
            "      - paragraph:",
            "        - text: Connected as",
            "        - strong: Alice",
        ];
        assert.equal(await page.locator("main").ariaSnapshot(), whole([...done, ...boards], "Done for now"));
    });
});

function whole(items, end) {
    return [
        "- main:",
        '  - heading "Connect your accounts to Shop" [level=1]',
        "  - paragraph: Shop asks to use these accounts for you. You sign in at the service itself; Shop never sees your password or a key.",
        "  - list:",
        ...items,
        '  - paragraph: "You can end this at any time: in Shop, or in the settings of the service that you connect."',
        `  - button "${end}"`,
    ].join("\n");
}

function waiting(name) {
    const what = name.toLowerCase();
    return [
        `    - listitem "${name}":`,
        `      - heading "${name}" [level=2]`,
        '      - paragraph: "It will be able to:"',
        '      - list "It will be able to:":',
        `        - listitem: read your ${what}`,
        `        - listitem: add ${what} and change them`,
        "        - listitem: know which account it is",
        "        - listitem: see your name",
        "        - listitem: see your e-mail address",
        `      - button "Connect ${name}"`,
        `      - 'button "Not now: ${name}"': Not now`,
    ];
}

test("every answer to a browser is strict about what may run, who may frame it, and what it tells others", async () => {
    const session = await stage.session(await stage.app(), { return_url: stage.host.returnUrl });
    const answers = [];
    const loaded = [];
    await stage.visit(
        session,
        async ({ page, context }) => {
            context.on("response", (response) => {
                if (response.url().startsWith(stage.vault.baseUrl)) answers.push(read(response));
            });
            context.on("request", (request) => {
                const isOurs = !request.isNavigationRequest() && request.frame().url().startsWith(stage.vault.baseUrl);
                if (isOurs) loaded.push(request.url());
            });
            await page.getByRole("button", { name: "Connect" }).click();
            await start(page);
            await allow(page, "alice");
            await page.waitForURL((url) => url.href.startsWith(stage.host.returnUrl));
        },
        { phone: true },
    );
    assert.ok(loaded.length > 0);
    for (const url of loaded) assert.ok(url.startsWith(`${stage.vault.baseUrl}/`), `a page of Connect loads ${url}`);
    const all = await Promise.all(answers);
    const pages = all.filter((answer) => !answer.url.includes("/assets/"));
    const kinds = new Set(pages.map((answer) => `${answer.method} ${answer.status}`));
    for (const kind of ["GET 200", "POST 303", "POST 200", "GET 303"]) assert.ok(kinds.has(kind), `${kind} in ${[...kinds]}`);
    for (const { what, headers, cookies, referrer } of pages) {
        const policy = headers["content-security-policy"].split(";").map((part) => part.trim().split(/ (.*)/));
        const of = Object.fromEntries(policy);
        const decisive = [of["default-src"], of["frame-ancestors"], of["base-uri"], of["form-action"]];
        assert.deepEqual(decisive, ["'none'", "'none'", "'none'", "'self'"], what);
        for (const [name, sources] of policy) assert.match(sources, /^'(none|self)'$/, `${name} of ${what}`);
        assert.equal(headers["referrer-policy"], "no-referrer", what);
        assert.equal(headers["x-content-type-options"], "nosniff", what);
        assert.equal(headers["cache-control"], "no-store", what);
        assert.equal(headers["cross-origin-opener-policy"], undefined, what);
        for (const cookie of cookies) {
            assert.match(cookie, /^alter_connect_\w+=[\w-]+; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/);
        }
        assert.ok(!referrer?.includes(session.id), `${what} was told ${referrer}`);
    }
    assert.equal(pages.flatMap(({ cookies }) => cookies).length, 1);
    const assets = all.filter((answer) => answer.url.includes("/assets/"));
    assert.ok(assets.length >= 2);
    for (const { headers } of assets) assert.match(headers["cache-control"], /immutable/);
});

/** A response while its page is still there. */
async function read(response) {
    const request = response.request();
    const fields = await response.headersArray();
    return {
        what: `${request.method()} ${response.url()}`,
        url: response.url(),
        method: request.method(),
        status: response.status(),
        headers: response.headers(),
        cookies: fields.filter(({ name }) => name.toLowerCase() === "set-cookie").map(({ value }) => value),
        referrer: request.headers().referer,
    };
}
