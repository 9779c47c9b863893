/** What the tests of identity share: the stage of Connect, and a certified provider whose users the apps' are. */

import { open } from "../browser.mjs";
import { allow, closed, openPopup, start, startStage } from "../connect.mjs";
import { startIdentityProgram } from "../program.mjs";

/** Everything started; `close()` ends it. `args` are the vault's. */
export async function startIdentityStage(args = []) {
    const [stage, idp] = await Promise.all([startStage(args), startIdentityProgram()]);
    return new IdentityStage(stage, idp);
}

const CLAIMS = { groups: "groups", roles: "roles" };
let people = 0;

/** A stage of Connect with a provider beside it. */
export class IdentityStage {
    constructor(stage, idp) {
        this.stage = stage;
        this.idp = idp;
        this.vault = stage.vault;
        this.notes = stage.notes;
    }

    /** A new app whose users are the provider's; `idp` is what the vault says of it. `add` goes into its registration. */
    async app({ add = {}, ...options } = {}) {
        const app = await this.stage.app(options);
        const added = await app.operate("POST", "/identity-provider", { issuer: this.idp.issuer, claims: CLAIMS, ...add });
        const { client_id, client_secret } = this.idp;
        await app.operate("PUT", "/identity-provider/client", { client_id, client_secret });
        const redirect_uris = [added.sdk_redirect_uri, added.wallet_redirect_uri];
        await this.idp.control("client", { client_id, redirect_uris });
        return Object.assign(app, { idp: added });
    }

    /** Somebody who has an account at the provider, and has never been seen here. */
    async person(profile = {}) {
        const account = `person${(people += 1)}`;
        await this.idp.control("account", { account, ...profile });
        return account;
    }

    /** A token of theirs: an ID token of the app's own client, or `kind` `access` or `forged`. */
    async token(account, about = {}) {
        return (await this.idp.control("token", { account, ...about })).token;
    }

    /** What the vault makes of a token: the body of `/sdk/identity/resolve`, or `{status, error}`. */
    async resolved(app, user_token) {
        const { status, body } = await app.post("/identity/resolve", { user_token, include_profile: true });
        return status === 200 ? body : { status, error: body.error };
    }

    /** The user connects an account at the OAuth provider, through the published package; the grant as the app is told. */
    async connected(app, user_token, account, options = {}) {
        const more = { allowed_providers: ["notes"], user_token, ...options };
        const session = await this.stage.session(app, more);
        await this.stage.popup(session, async ({ popup }) => {
            await start(popup);
            await allow(popup, account);
            await closed(popup);
        });
        return (await session.poll()).grants[0];
    }

    /** Calls the OAuth provider's API for a user; the account it answers for, or the vault's status and code. */
    async call(app, which) {
        const { status, body } = await app.post("/proxy", { method: "GET", url: `${this.notes.api}/notes`, ...which });
        if (status !== 200) return `${status} ${body.error}`;
        return JSON.parse(Buffer.from(body.body_b64, "base64")).sub;
    }

    /** A sign-in that an app's program has begun. */
    async signIn(app) {
        const { status, body } = await app.post("/auth/session", {});
        if (status !== 201) throw new Error(`session: ${status} ${JSON.stringify(body)}`);
        const poll = async (wait_ms = 0) => (await app.post("/auth/poll", { session_token: body.session_token, wait_ms })).body;
        return { ...body, poll };
    }

    /** The sign-in's link in a browser session of its own. */
    async visit(session, then, options = {}) {
        const { context, complaints } = await open(this.stage.browser, options);
        try {
            const page = await context.newPage();
            await page.goto(session.auth_url);
            return await then({ page, context, complaints });
        } finally {
            await context.close();
        }
    }

    /** Delivers a webhook as its sender does: `{status, body}`. */
    async deliver(url, { headers, body }) {
        const reply = await fetch(url, { method: "POST", headers, body });
        return { status: reply.status, body: await reply.text() };
    }

    async close() {
        await Promise.all([this.stage.close(), this.idp.stop()]);
    }
}

/** Signs in at the provider's page. */
export async function signInAs(page, account) {
    await page.getByLabel("User name").fill(account);
    await page.getByRole("button", { name: "Sign in" }).click();
}

export { allow, closed, openPopup, start };
