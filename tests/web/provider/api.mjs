/** The resource API behind the provider: it believes the provider's own store and nobody else. */

import { json } from "./http.mjs";

const NEEDS = { GET: "notes:read", POST: "notes:write" };

/** `GET|POST /api/*`: echoes who calls and with which scopes, or refuses as RFC 6750 section 3 does. */
export async function api(provider, counters, request, response) {
    const { pathname } = new URL(request.url, "http://api");
    const scheme = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(request.headers.authorization ?? "");
    if (!scheme) return refuse(counters, response, 401, {});
    const token = await provider.AccessToken.find(scheme[1]);
    const grant = token?.isValid ? await provider.Grant.find(token.grantId) : undefined;
    if (!grant) {
        return refuse(counters, response, 401, {
            error: "invalid_token",
            error_description: "unknown, expired or revoked",
        });
    }
    const needed = NEEDS[request.method];
    if (!needed) return json(response, 405, { error: "method_not_allowed" }, { allow: "GET, POST" });
    if (!token.scopes.has(needed)) {
        return refuse(counters, response, 403, { error: "insufficient_scope", scope: needed });
    }
    counters.api.ok += 1;
    return json(response, 200, { sub: token.accountId, scope: token.scope, path: pathname });
}

function refuse(counters, response, status, fields) {
    counters.api[status] += 1;
    const challenge = Object.entries({ realm: "notes", ...fields }).map(([name, value]) => `${name}="${value}"`);
    const headers = { "www-authenticate": `Bearer ${challenge.join(", ")}` };
    return json(response, status, { error: fields.error ?? "unauthorized" }, headers);
}
