/**
 * A certified OpenID provider (`oidc-provider`) with an API behind it, on loopback: rotation and reuse detection are on,
 * PKCE with S256 is required, `iss` is in every authorization response (RFC 9207), introspection is off.
 */

import { generateKeyPairSync, randomBytes } from "node:crypto";

import { Provider } from "oidc-provider";

import { api } from "./api.mjs";
import { automatic } from "./automatic.mjs";
import { API_SCOPES, interaction } from "./consent.mjs";
import { control, newCounters } from "./control.mjs";
import { Faults } from "./faults.mjs";
import { listen } from "./http.mjs";
import { Store } from "./store.mjs";

const DAY = 24 * 60 * 60;

/**
 * Starts the provider.
 *
 * `accessTokenTtl` and `refreshTokenTtl` are seconds; `auto` is the account that consents to everything without a page;
 * `clientAuth` is the client's `token_endpoint_auth_method`; `offlineOnly` issues refresh tokens to those alone that ask
 * for `offline_access` with `prompt=consent`, as OpenID Connect Core section 11 has it.
 */
export async function startProvider(options = {}) {
    const settings = {
        accessTokenTtl: options.accessTokenTtl ?? 3600,
        auto: options.auto,
        deny: false,
        claims: {},
        pageHeaders: {},
    };
    const store = new Store();
    const faults = new Faults();
    const counters = newCounters();
    const client = {
        client_id: "vault",
        client_secret: `${randomBytes(24).toString("base64url")}%+/ &`,
        redirect_uris: options.redirectUris ?? [],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: options.clientAuth ?? "client_secret_basic",
    };
    store.set("Client", client.client_id, client);

    // The issuer is known only once the port is, and the library wants it first.
    let handle;
    const server = await listen((request, response) => handle(request, response), options.port);
    const provider = new Provider(server.url, configuration(store, settings, options));
    count(provider, counters);
    const library = provider.callback();
    const auto = automatic(server.url, settings);
    handle = (request, response) => {
        const { pathname } = new URL(request.url, server.url);
        if (pathname.startsWith("/api/")) return api(provider, counters, request, response);
        if (pathname.startsWith("/interaction/")) return interaction(provider, settings, request, response);
        if (pathname === "/auth" && auto.concerns(request)) return auto.answer(request, response);
        const endpoint = { "/token": "token", "/token/revocation": "revocation" }[pathname];
        const next = () => library(request, response);
        return endpoint ? faults.pass(endpoint, counters, request, response, next) : next();
    };
    const strings = await listen(control({ store, faults, settings, counters, client: client.client_id }));
    return {
        issuer: server.url,
        client_id: client.client_id,
        client_secret: client.client_secret,
        api: `${server.url}/api`,
        control: `${strings.url}/control`,
        close: () => Promise.all([server.close(), strings.close()]),
    };
}

function configuration(store, settings, options) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const refreshTokenTtl = options.refreshTokenTtl ?? 14 * DAY;
    return {
        adapter: store.adapter,
        jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" }] },
        cookies: { keys: [randomBytes(24).toString("base64url")] },
        scopes: ["openid", "offline_access", "profile", "email", ...API_SCOPES],
        claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"] },
        pkce: { required: () => true },
        allowOmittingSingleRegisteredRedirectUri: false,
        features: {
            devInteractions: { enabled: false },
            revocation: { enabled: true },
            introspection: { enabled: false },
            rpInitiatedLogout: { enabled: false },
            resourceIndicators: { enabled: false },
            pushedAuthorizationRequests: { enabled: false },
        },
        rotateRefreshToken: true,
        ...(options.offlineOnly ? {} : { issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token") }),
        expiresWithSession: () => false,
        // Every connection asks anew and has a grant of its own.
        loadExistingGrant: (ctx) => {
            const granted = ctx.oidc.result?.consent?.grantId;
            return granted ? ctx.oidc.provider.Grant.find(granted) : undefined;
        },
        ttl: {
            AccessToken: () => settings.accessTokenTtl,
            AuthorizationCode: 60,
            IdToken: 3600,
            RefreshToken: refreshTokenTtl,
            Grant: refreshTokenTtl,
            Interaction: 600,
            Session: DAY,
        },
        findAccount: (_, id) => ({
            accountId: id,
            claims: () => ({
                sub: id,
                name: id.charAt(0).toUpperCase() + id.slice(1),
                email: `${id}@example.test`,
                email_verified: true,
                ...settings.claims[id],
            }),
        }),
        renderError: (ctx, out) => {
            ctx.type = "json";
            ctx.body = out;
        },
    };
}

function count(provider, counters) {
    const failed = (tally, code) => {
        tally.errors[code] = (tally.errors[code] ?? 0) + 1;
    };
    provider.use(async (ctx, next) => {
        await next();
        if (ctx.oidc?.route === "token") {
            const tally = counters.exchanges[ctx.oidc.params?.grant_type] ?? counters.exchanges.authorization_code;
            if (ctx.status === 200) tally.ok += 1;
            else failed(tally, ctx.body?.error ?? ctx.status);
        } else if (ctx.oidc?.route === "revocation") {
            if (ctx.status === 200) counters.revocations.ok += 1;
            else failed(counters.revocations, ctx.body?.error ?? ctx.status);
        }
    });
    provider.on("grant.error", (ctx, error) => {
        if (/already used|already consumed|used twice/.test(error.error_detail ?? "")) counters.reuses += 1;
    });
    provider.on("server_error", (_, error) => console.error(error));
}
