/** What providers get wrong, on request: answers that do not come or are not right, and documents that say something else. */

import { html, json } from "../provider/http.mjs";

const ENDPOINTS = { discovery: "/.well-known/openid-configuration", jwks: "/jwks", token: "/token" };
/** More than any document of keys has. */
const HUGE = 2 * 1024 * 1024;

/** How an endpoint answers instead of the library. `ms` is how long `slow` takes. */
const FAULTS = {
    status: ({ response }) => json(response, 503, { error: "temporarily_unavailable" }),
    refusal: ({ response }) => json(response, 400, { error: "invalid_grant" }),
    reset: ({ request }) => request.socket.resetAndDestroy(),
    slow: ({ next, ms }) => new Promise((resolve) => setTimeout(resolve, ms)).then(next),
    huge: ({ response }) => json(response, 200, { keys: [], padding: "x".repeat(HUGE) }),
    html: ({ response }) => html(response, 200, "<!doctype html><title>Maintenance</title>"),
    empty: ({ response }) => json(response, 200, { keys: [] }),
    redirect: ({ request, response }) => {
        response.writeHead(302, { location: `${request.url}?again` });
        response.end();
    },
};

export class Oddities {
    #keys;
    #faults = new Map();
    #claims = {};
    #response = {};
    #documents = {};
    #mode;

    constructor(keys) {
        this.#keys = keys;
    }

    /** `at`: `discovery`, `jwks` or `token`; without `mode` it is as it should be again. */
    fault({ at, mode, ms = 0 }) {
        if (!(at in ENDPOINTS) || (mode && !(mode in FAULTS))) throw bad("no such endpoint or mode");
        if (mode) this.#faults.set(ENDPOINTS[at], { mode, ms });
        else this.#faults.delete(ENDPOINTS[at]);
    }

    /**
     * What replaces claims of ID tokens, fields of the authorization response and of the discovery document; `null` removes.
     * `mode`: in which response mode it answers, whatever was asked for.
     */
    replace({ id_token = {}, response = {}, discovery = {}, mode }) {
        this.#claims = id_token;
        this.#response = response;
        this.#documents = discovery;
        this.#mode = mode;
    }

    pass(pathname, request, response, next) {
        if (pathname === "/auth" && this.#mode) request.url += `&response_mode=${this.#mode}`;
        const fault = this.#faults.get(pathname);
        return fault ? FAULTS[fault.mode]({ request, response, next, ms: fault.ms }) : next();
    }

    /** Changes an answer of the library. */
    change(ctx) {
        const route = ctx.oidc?.route;
        if (route === "discovery") ctx.body = changed(ctx.body, this.#documents);
        const isToken = route === "token" && ctx.status === 200 && ctx.body?.id_token;
        if (isToken && Object.keys(this.#claims).length > 0) ctx.body.id_token = this.#signed(ctx.body.id_token);
        const location = ctx.response.get("location");
        if (["authorization", "resume"].includes(route) && location && Object.keys(this.#response).length > 0) {
            const to = new URL(location, ctx.href);
            const fields = changed(Object.fromEntries(to.searchParams), this.#response);
            if (to.searchParams.has("state")) {
                to.search = new URLSearchParams(fields);
                ctx.redirect(to.href);
            }
        }
    }

    #signed(token) {
        const [header, claims] = token.split(".").slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url")));
        return this.#keys.sign(header.alg, header, changed(claims, this.#claims));
    }
}

/** With some members replaced, and those without that are `null`. */
function changed(document, changes) {
    const all = Object.entries({ ...document, ...changes });
    return Object.fromEntries(all.filter(([, value]) => value !== null));
}

function bad(message) {
    return Object.assign(new Error(message), { status: 400 });
}
