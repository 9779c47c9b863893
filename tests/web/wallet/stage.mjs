/** What the tests of the Wallet share: the stage of identity with the Wallet's site, people who are signed in, and the published SDK. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { open } from "../browser.mjs";
import { IdentityStage, signInAs, startIdentityStage } from "../identity/stage.mjs";

const ROOT = join(import.meta.dirname, "../../..");
/** The site as `cargo xtask wallet` builds it. */
export const SITE = process.env.ALTER_WALLET_DIR ?? join(ROOT, "target/wallet/dist");
/** A Python that has the published SDK. */
const PYTHON = process.env.ALTER_SDK_PYTHON ?? join(ROOT, ".venv/bin/python");

/** Everything started; `close()` ends it. */
export async function startWalletStage(args = []) {
    const stage = await startIdentityStage(["--wallet-dir", SITE, ...args]);
    return Object.setPrototypeOf(stage, WalletStage.prototype);
}

export class WalletStage extends IdentityStage {
    get origin() {
        return this.vault.baseUrl;
    }

    /** The page in a browser of its own, signed in with an account of the provider's; `then` gets a `Visit`. */
    async wallet(app, account, then, options = {}) {
        const { context, complaints } = await open(this.stage.browser, options);
        try {
            const visit = new Visit(this, context, await context.newPage(), complaints);
            if (account) await visit.signIn(app, account);
            return await then(visit);
        } finally {
            await context.close();
        }
    }

    /** A call by the published SDK: `{status, body}`, or `{error}` with the name of the exception that it raises. */
    async sdk(app, { url = `${this.notes.api}/notes`, ...call }) {
        const asked = JSON.stringify({ api_key: app.key, base_url: this.origin, url, ...call });
        const script = join(import.meta.dirname, "call.py");
        const { stdout } = await promisify(execFile)(PYTHON, [script, asked]);
        return JSON.parse(stdout);
    }
}

/** One person's browser. */
export class Visit {
    constructor(stage, context, page, complaints) {
        Object.assign(this, { stage, context, page, complaints });
    }

    /** From the app's link to the Wallet's first page. */
    async signIn(app, account) {
        const { page } = this;
        await page.goto(`${this.stage.origin}/sign-in?app=${app.id}`);
        await page.getByRole("link", { name: /^Continue with/ }).click();
        await signInAs(page, account);
        await page.waitForURL(`${this.stage.origin}/`);
        await page.getByRole("heading", { level: 1, name: "Apps" }).waitFor();
    }

    /** Another page of the Wallet, by its address. */
    async go(path) {
        await this.page.goto(this.stage.origin + path);
        await this.page.getByRole("heading", { level: 1 }).waitFor();
    }

    /** What the page's own script would be told: `{status, body}`. */
    async api(path, { method = "GET", headers = {}, body } = {}) {
        return this.page.evaluate(
            async ([path, method, headers, body]) => {
                const typed = body === undefined ? headers : { "content-type": "application/json", ...headers };
                const reply = await fetch(`/wallet/api${path}`, { method, headers: typed, body });
                const text = await reply.text();
                return { status: reply.status, body: text.startsWith("{") ? JSON.parse(text) : text };
            },
            [path, method, headers, body === undefined ? undefined : JSON.stringify(body)],
        );
    }

    /** The session's cookie, which no script can read. */
    async cookie() {
        const cookies = await this.context.cookies(this.stage.origin);
        return cookies.find(({ name }) => name.endsWith("alter_wallet"));
    }
}
