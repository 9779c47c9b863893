/**
 * A certified OpenID provider (`oidc-provider`) as an app's identity provider, on loopback. Two clients: the vault's, for
 * sign-in (ID tokens by RS256), and the app's own (by ES256), whose access tokens for its API are JWTs (RFC 9068). Signing
 * out tells both over the back channel, when they have an address for it.
 *
 * Keys change at run time as they do at real providers: what was signed and who has signed in stays. The library takes its
 * keys when it is made, so it is made anew over the same store.
 */

import { randomBytes } from "node:crypto";

import { Provider } from "oidc-provider";

import { automatic } from "../provider/automatic.mjs";
import { listen } from "../provider/http.mjs";
import { Store } from "../provider/store.mjs";
import { Accounts } from "./accounts.mjs";
import { control } from "./control.mjs";
import { Keys } from "./keys.mjs";
import { Oddities } from "./oddities.mjs";
import { interaction, signOut } from "./page.mjs";
import { api } from "./tokens.mjs";

const HOUR = 60 * 60;
/** The API that the app's access tokens are for. */
const RESOURCE = "https://api.shop.test";

/** Starts it; `port` 0 is a free one. */
export async function startIdentityProvider({ port = 0 } = {}) {
    const accounts = new Accounts(["alice", "bob", "carol"]);
    const keys = new Keys();
    const oddities = new Oddities(keys);
    const settings = { auto: undefined, deny: false };
    const tally = { requests: {}, logouts: { ok: 0, failed: [] } };
    const store = new Store();
    const vault = client("vault-sign-in", "RS256");
    const app = client("shop", "ES256");
    for (const one of [vault, app]) store.set("Client", one.client_id, one);
    const cookies = [randomBytes(24).toString("base64url")];

    // The issuer is known only once the port is, and the library wants it first.
    let handle;
    const server = await listen((request, response) => handle(request, response), port);
    // By another name than the vault's: for browsers, two sites.
    const issuer = server.url.replace("127.0.0.1", "localhost");
    const idp = { issuer, resource: RESOURCE, accounts, keys, oddities, settings, store, tally };
    idp.renew = () => {
        idp.provider = new Provider(issuer, configuration(idp, cookies));
        watch(idp);
        idp.library = idp.provider.callback();
    };
    idp.renew();
    const auto = automatic(issuer, settings);
    handle = (request, response) => {
        const { pathname } = new URL(request.url, issuer);
        tally.requests[pathname] = (tally.requests[pathname] ?? 0) + 1;
        if (pathname.startsWith("/interaction/")) return interaction(idp, request, response);
        if (pathname === "/auth" && auto.concerns(request)) return auto.answer(request, response);
        return oddities.pass(pathname, request, response, () => idp.library(request, response));
    };
    const strings = await listen(control(idp));
    return {
        issuer,
        client_id: vault.client_id,
        client_secret: vault.client_secret,
        app: { client_id: app.client_id, client_secret: app.client_secret, issuer },
        resource: RESOURCE,
        control: `${strings.url}/control`,
        close: () => Promise.all([server.close(), strings.close()]),
    };
}

function client(client_id, id_token_signed_response_alg) {
    return {
        client_id,
        client_secret: `${randomBytes(24).toString("base64url")}%+/ &`,
        // A client must have one; nobody is there.
        redirect_uris: ["http://127.0.0.1:9/"],
        grant_types: ["authorization_code"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_basic",
        id_token_signed_response_alg,
    };
}

function configuration({ accounts, keys, store }, cookies) {
    return {
        adapter: store.adapter,
        jwks: { keys: keys.private() },
        cookies: { keys: cookies },
        scopes: ["openid", "profile", "email"],
        claims: { openid: ["sub", "groups", "roles"], profile: ["name"], email: ["email", "email_verified"] },
        // Profile and groups are in the ID token too, as most products have it.
        conformIdTokenClaims: false,
        allowOmittingSingleRegisteredRedirectUri: false,
        features: {
            devInteractions: { enabled: false },
            introspection: { enabled: false },
            pushedAuthorizationRequests: { enabled: false },
            backchannelLogout: { enabled: true },
            rpInitiatedLogout: { enabled: true, logoutSource: signOut, postLogoutSuccessSource: signOut },
            resourceIndicators: {
                enabled: true,
                getResourceServerInfo: () => api(RESOURCE),
                useGrantedResource: () => true,
            },
        },
        extraTokenClaims: (_, token) => accounts.belongings(token.accountId),
        ttl: {
            AccessToken: HOUR,
            AuthorizationCode: 60,
            Grant: 24 * HOUR,
            IdToken: HOUR,
            Interaction: 600,
            Session: 24 * HOUR,
        },
        findAccount: (_, id) => accounts.find(id),
        // The library's own guard keeps it from this machine, and everything here is on it.
        fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
        renderError: (ctx, out) => {
            ctx.type = "json";
            ctx.body = out;
        },
    };
}

function watch({ provider, oddities, tally }) {
    provider.use(async (ctx, next) => {
        await next();
        oddities.change(ctx);
    });
    provider.on("backchannel.success", () => (tally.logouts.ok += 1));
    provider.on("backchannel.error", (_, error) => tally.logouts.failed.push(error.message));
    provider.on("server_error", (_, error) => console.error(error));
}
