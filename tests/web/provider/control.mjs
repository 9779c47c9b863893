/** The strings behind the stage, for tests: on a port of its own, which no outage reaches. */

import { json, readJson } from "./http.mjs";

/** The handler of the control port. */
export function control({ store, faults, settings, counters, client }) {
    const routes = {
        "GET /control/state": () => state(store, counters),
        // For tests that make sure that none of these turns up anywhere.
        "GET /control/issued": () => ({
            access_tokens: [...store.issued.AccessToken],
            refresh_tokens: [...store.issued.RefreshToken],
            codes: [...store.issued.AuthorizationCode],
        }),
        "POST /control/redirect_uris": ({ uris, client_id = client }) => {
            const metadata = store.get("Client", client_id);
            if (!metadata || !Array.isArray(uris)) throw bad("uris must be a list, client_id a client");
            const all = [...new Set([...metadata.redirect_uris, ...uris])];
            store.set("Client", client_id, { ...metadata, redirect_uris: all });
            return { client_id, redirect_uris: all };
        },
        "POST /control/clients": (metadata) => {
            if (!metadata.client_id) throw bad("client_id is missing");
            const added = { ...store.get("Client", client), ...metadata };
            if (added.token_endpoint_auth_method === "none") delete added.client_secret;
            store.set("Client", added.client_id, added);
            return added;
        },
        "POST /control/expire-access-tokens": () => ({ expired: store.drop("AccessToken", () => true) }),
        "POST /control/outage": (fault) => (faults.outage(fault), {}),
        "POST /control/delay": (fault) => (faults.delay(fault), {}),
        "POST /control/auto": ({ account, deny = false }) => {
            settings.auto = account || undefined;
            settings.deny = deny;
            return {};
        },
        // What the provider says of an account, in place of what it would say.
        "POST /control/claims": ({ account, ...claims }) => {
            settings.claims[account] = claims;
            return {};
        },
        "POST /control/page-headers": ({ headers }) => {
            settings.pageHeaders = headers;
            return {};
        },
        "POST /control/access-token-ttl": ({ seconds }) => {
            if (!(seconds > 0)) throw bad("seconds must be positive");
            settings.accessTokenTtl = seconds;
            return {};
        },
        "POST /control/revoke-grant": ({ account }) => {
            const ids = [...store.of("Grant")].filter((grant) => grant.accountId === account).map((grant) => grant.jti);
            for (const id of ids) store.revokeGrant(id);
            return { revoked: ids.length };
        },
    };
    return async (request, response) => {
        const route = routes[`${request.method} ${new URL(request.url, "http://control").pathname}`];
        if (!route) return json(response, 404, { error: "not_found", routes: Object.keys(routes) });
        return json(response, 200, await route(await readJson(request)));
    };
}

/** What is counted from the start of the provider on. */
export function newCounters() {
    return {
        exchanges: { authorization_code: tally(), refresh_token: tally() },
        revocations: tally(),
        reuses: 0,
        outages: { status: 0, reset: 0, lost: 0 },
        api: { ok: 0, 401: 0, 403: 0 },
    };
}

/** `ok`, and each OAuth error code with its number. */
function tally() {
    return { ok: 0, errors: {} };
}

function state(store, counters) {
    const grants = [...store.of("Grant")];
    // What was issued while its grant was being revoked is worth nothing, and is not counted.
    const alive = new Set(grants.map((grant) => grant.jti));
    const issued = (kind) => [...store.of(kind)].filter((token) => alive.has(token.grantId));
    const refresh = issued("RefreshToken");
    const consumed = refresh.filter((token) => token.consumed !== undefined).length;
    const accounts = {};
    for (const { accountId } of grants) accounts[accountId] = (accounts[accountId] ?? 0) + 1;
    return {
        grants: grants.length,
        grants_by_account: accounts,
        refresh_tokens: { live: refresh.length - consumed, consumed },
        access_tokens: issued("AccessToken").length,
        races: store.races,
        ...counters,
    };
}

function bad(message) {
    return Object.assign(new Error(message), { status: 400 });
}
