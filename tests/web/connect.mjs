/** What the tests of Connect share: a vault, two certified providers, an app of a customer, Chromium, and visits to the page. */

import { launch, open } from "./browser.mjs";
import { startHostApp } from "./host-app.mjs";
import { startProviderProgram } from "./program.mjs";
import { startVault } from "./vault.mjs";

/**
 * Everything started; `close()` ends it. `notes` and `boards` are two providers, each a process of its own; `args` are the
 * vault's.
 */
export async function startStage(args = []) {
    const servers = [startVault({ args }), startHostApp(), startProviderProgram(), startProviderProgram()];
    const started = await Promise.all([launch(), ...servers]);
    const [browser, vault, host, notes, boards] = started;
    return new Stage({ browser, vault, host, notes, boards });
}

class Stage {
    constructor(parts) {
        Object.assign(this, parts);
    }

    /**
     * A new app that has the named providers (`notes`, `boards`) set up. `changes` are functions from a provider's definition to
     * another one, `website` is the app's page in the portal.
     */
    async app({ name = "Shop", providers = ["notes"], changes = {}, scopes = SCOPES, website } = {}) {
        const app = await this.vault.app(name);
        if (website) await app.operate("PATCH", "", { website_url: website });
        for (const id of providers) await register(app, id, this[id], changes[id], scopes);
        return app;
    }

    /** A session of an app, as its server asks for one. */
    async session(app, options = {}) {
        const { status, body } = await app.post("/oauth/connect/session", { allowed_origin: this.host.origin, ...options });
        if (status !== 200) throw new Error(`session: ${status} ${JSON.stringify(body)}`);
        return new Session(app, body);
    }

    /** The host app in a browser session of its own; `then` gets the page and what the pages complained of. */
    async visit(session, then, options = {}) {
        const { context, complaints } = await open(this.browser, options);
        try {
            const page = await context.newPage();
            await page.goto(this.host.page(session.token, this.vault.baseUrl));
            await page.locator("html[data-ready]").waitFor();
            return await then({ page, context, complaints });
        } finally {
            await context.close();
        }
    }

    /** The same with the popup that the package opens. */
    popup(session, then, options) {
        const opened = async (visit) => then({ ...visit, popup: await openPopup(visit.page) });
        return this.visit(session, opened, options);
    }

    /** The page alone, opened by its link, in a browser session of its own. */
    async link(session, then, options = {}) {
        const { context, complaints } = await open(this.browser, options);
        try {
            const page = await context.newPage();
            await page.goto(session.url);
            return await then({ page, context, complaints });
        } finally {
            await context.close();
        }
    }

    async close() {
        const { browser, vault, host, notes, boards } = this;
        const ends = [browser.close(), vault.stop(), host.close(), notes.stop(), boards.stop()];
        const failed = (await Promise.allSettled(ends)).find(({ status }) => status === "rejected");
        if (failed) throw failed.reason;
    }
}

class Session {
    constructor(app, body) {
        this.app = app;
        this.body = body;
        this.token = body.session_token;
        this.url = body.connect_url;
        const hex = Buffer.from(this.token.slice("sess_".length), "base64url").subarray(0, 16).toString("hex");
        this.id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
        /** Where the browser is once the token has left its address. */
        this.page = `${app.vault.baseUrl}/sdk/oauth/connect/${this.id}`;
    }

    /** How the app's server sees it. */
    async poll() {
        return (await this.app.post("/oauth/connect/session/poll", { session_token: this.token })).body;
    }
}

/** Clicks the host app's button, and waits for the window that the package opens. */
export async function openPopup(page) {
    const [popup] = await Promise.all([page.waitForEvent("popup"), page.getByRole("button", { name: "Connect" }).click()]);
    return popup;
}

/** Signs in at the provider's page and allows, without the scopes in `refuse`. */
export async function allow(page, account, { refuse = [] } = {}) {
    await page.getByRole("button", { name: "Allow" }).waitFor();
    const who = page.getByLabel("User name");
    if (await who.count()) await who.fill(account);
    else await page.getByText(`Signed in as ${account}`).waitFor();
    for (const scope of refuse) await page.getByLabel(scope).uncheck();
    await page.getByRole("button", { name: "Allow" }).click();
}

/** Waits until the window is gone. */
export async function closed(popup) {
    if (!popup.isClosed()) await popup.waitForEvent("close");
}

export function deny(page) {
    return page.getByRole("button", { name: "Deny" }).click();
}

/** Clicks the button of one provider on the Connect page. */
export function start(page, name = "Notes") {
    return page.getByRole("button", { name: `Connect ${name}`, exact: true }).click();
}

/** Connects an account from the app's server to its grant, without anything of it being looked at. */
export async function connected(stage, app, account, options = {}) {
    const session = await stage.session(app, { allowed_providers: ["notes"], ...options });
    await stage.link(session, async ({ page }) => {
        await start(page);
        await allow(page, account);
        await page.getByRole("heading", { name: "Connected to" }).waitFor();
    });
    const { grants } = await session.poll();
    return grants[0];
}

/** Asks again and again until the answer is true, for `ms` at most; what it last was. */
export async function until(ask, ms) {
    const deadline = performance.now() + ms;
    for (;;) {
        const answer = await ask();
        if (answer || performance.now() > deadline) return answer;
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

/** Both sides of a registration: the provider in the vault, the vault at the provider. */
async function register(app, id, provider, change = (same) => same, scopes) {
    const registered = await app.operate("POST", "/providers", {
        definition: change(definition(id, provider)),
        client_id: provider.client_id,
        client_secret: provider.client_secret,
        scopes,
    });
    await provider.control("redirect_uris", { uris: [registered.redirect_uri] });
    return registered;
}

const ALL = ["notes:read", "notes:write", "openid", "profile", "email"];
const SCOPES = { allowed: ALL, default: ALL, required: [] };

/** The provider as an operator describes it to the vault. */
function definition(id, { issuer }) {
    return {
        id,
        name: id.charAt(0).toUpperCase() + id.slice(1),
        category: "productivity",
        monogram: id.charAt(0).toUpperCase(),
        docs_url: "https://example.com/docs",
        authorization: {
            url: `${issuer}/auth`,
            pkce: "required",
            issuer,
            iss_required: true,
            switch_account_params: { prompt: "login" },
        },
        token: { url: `${issuer}/token`, auth: "basic" },
        scopes: {
            known: [
                { scope: "notes:read", description: `read your ${id}`, default: true },
                { scope: "notes:write", description: `add ${id} and change them` },
                { scope: "openid", description: "know which account it is" },
                { scope: "profile", description: "see your name" },
                { scope: "email", description: "see your e-mail address" },
            ],
        },
        refresh: { kind: "refresh_token", rotation: "always", grace: "none" },
        revocation: { url: `${issuer}/token/revocation` },
        api: { hosts: [new URL(issuer).host] },
        account: {
            source: { request: { url: `${issuer}/me` } },
            identifier: ["sub"],
            display_name: ["name"],
            email: ["email"],
        },
        evidence: { sources: ["https://example.com/docs"], date: "2026-11", endpoints: "medium", behaviour: "medium" },
    };
}
