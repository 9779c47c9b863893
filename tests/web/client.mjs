/** A small OAuth client by plain `fetch`, against which the bench itself is checked. */

import { createHash, randomBytes } from "node:crypto";

export const SCOPE = "openid offline_access profile email notes:read notes:write";

export class Client {
    constructor(provider, redirectUri) {
        this.provider = provider;
        this.redirectUri = redirectUri;
    }

    /** An authorization request; `url` is where the browser goes, the rest is what the client keeps. */
    request(parameters = {}) {
        const verifier = randomBytes(32).toString("base64url");
        const state = randomBytes(16).toString("base64url");
        const query = new URLSearchParams({
            client_id: this.provider.client_id,
            response_type: "code",
            redirect_uri: this.redirectUri,
            scope: SCOPE,
            state,
            code_challenge: createHash("sha256").update(verifier).digest("base64url"),
            code_challenge_method: "S256",
        });
        for (const [name, value] of Object.entries(parameters)) {
            if (value === undefined) query.delete(name);
            else query.set(name, value);
        }
        return { url: `${this.provider.issuer}/auth?${query}`, state, verifier };
    }

    /** Follows a request of an account that consents by itself; the query of the redirect. */
    async answered(url) {
        const reply = await fetch(url, { redirect: "manual" });
        const location = reply.headers.get("location");
        if (!location) throw new Error(`no redirect: ${reply.status} ${await reply.text()}`);
        const to = new URL(location);
        return { to: `${to.origin}${to.pathname}`, query: Object.fromEntries(to.searchParams) };
    }

    async connect(parameters) {
        const { url, verifier } = this.request(parameters);
        const { query } = await this.answered(url);
        return this.exchange(query.code, verifier);
    }

    exchange(code, verifier) {
        return this.token({
            grant_type: "authorization_code",
            code,
            code_verifier: verifier,
            redirect_uri: this.redirectUri,
        });
    }

    refresh(refresh_token) {
        return this.token({ grant_type: "refresh_token", refresh_token });
    }

    token(parameters) {
        return this.#post("/token", parameters);
    }

    revoke(token) {
        return this.#post("/token/revocation", { token });
    }

    async call(accessToken, path = "/notes", method = "GET") {
        const headers = accessToken ? { authorization: `Bearer ${accessToken}` } : {};
        const reply = await fetch(`${this.provider.api}${path}`, { method, headers });
        return { status: reply.status, challenge: reply.headers.get("www-authenticate"), body: await reply.json() };
    }

    async #post(path, parameters) {
        // RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined.
        const form = (text) => new URLSearchParams({ v: text }).toString().slice(2);
        const { client_id, client_secret, issuer } = this.provider;
        const basic = Buffer.from(`${form(client_id)}:${form(client_secret)}`).toString("base64");
        const reply = await fetch(`${issuer}${path}`, {
            method: "POST",
            headers: { authorization: `Basic ${basic}` },
            body: new URLSearchParams(parameters),
        });
        const text = await reply.text();
        return { status: reply.status, body: text && JSON.parse(text) };
    }
}
