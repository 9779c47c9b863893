/** What the tests of the Wallet share: the stage of identity with the Wallet's site, a second identity provider, and the published SDK. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { open } from "../browser.mjs";
import { IdentityStage, startIdentityStage } from "../identity/stage.mjs";
import { startIdentityProgram } from "../program.mjs";
import { Visit } from "./visit.mjs";

const ROOT = join(import.meta.dirname, "../../..");
/** The site as `cargo xtask wallet` builds it. */
export const SITE = process.env.ALTER_WALLET_DIR ?? join(ROOT, "target/wallet/dist");
/** A Python that has the published SDK. */
const PYTHON = process.env.ALTER_SDK_PYTHON ?? join(ROOT, ".venv/bin/python");

/** Everything started; `close()` ends it. `args` are the vault's. */
export async function startWalletStage(args = []) {
    const stage = await startIdentityStage(["--wallet-dir", SITE, ...args]);
    return Object.setPrototypeOf(stage, WalletStage.prototype);
}

export class WalletStage extends IdentityStage {
    get origin() {
        return this.vault.baseUrl;
    }

    /** An identity provider that has nothing to do with the first: a process of its own. */
    async otherIdp() {
        this.strangers ??= await startIdentityProgram();
        return this.strangers;
    }

    /** A new app, whose users sign out at the provider too; `idp` is another provider than the stage's. */
    async app({ idp = this.idp, ...options } = {}) {
        const app = await super.app.call(Object.create(this, { idp: { value: idp } }), options);
        const post_logout_redirect_uris = [app.idp.wallet_logout_uri];
        await idp.control("client", { client_id: idp.client_id, post_logout_redirect_uris });
        return app;
    }

    /** Somebody with an account connected to each of the apps; `grants` are theirs, in the order of the apps. */
    async holder(apps, { account, profile, ...options } = {}) {
        const who = await this.person(profile);
        const user_token = await this.token(who);
        const grants = [];
        for (const app of apps) grants.push(await this.connected(app, user_token, account ?? `${who}.notes`, options));
        return { who, user_token, grants, account: account ?? `${who}.notes` };
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

    async close() {
        await Promise.all([super.close(), this.strangers?.stop()]);
    }
}
