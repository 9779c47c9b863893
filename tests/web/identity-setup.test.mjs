/** Setting up an identity provider, against a certified one. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startIdentityStage } from "./identity/stage.mjs";

let stage;
before(async () => {
    stage = await startIdentityStage();
});
after(() => stage.close());

const bare = () => stage.stage.app({ providers: [] });
const portal = (app, method, path, body) => stage.vault.portal(method, `/apps/${app.id}/identity-provider${path}`, body);
const code = ({ status, body }) => `${status} ${body.error}`;

test("b075 b076 discovery proposes type and claims, and stores nothing", async () => {
    const app = await bare();
    const { status, body } = await portal(app, "POST", "/discover", { issuer: stage.idp.issuer });
    assert.equal(status, 200);
    const { issuer, idp_type, claims, jwks_uri, token_endpoint, authorization_endpoint, end_session_endpoint } = body;
    assert.deepEqual(
        { issuer, idp_type, claims, jwks_uri, token_endpoint, authorization_endpoint, end_session_endpoint },
        {
            issuer: stage.idp.issuer,
            idp_type: "custom_oidc",
            claims: { user_id: "sub", groups: null, roles: null },
            jwks_uri: `${stage.idp.issuer}/jwks`,
            token_endpoint: `${stage.idp.issuer}/token`,
            authorization_endpoint: `${stage.idp.issuer}/auth`,
            end_session_endpoint: `${stage.idp.issuer}/session/end`,
        },
    );
    assert.equal(body.usable_keys, 2);
    assert.equal(code(await portal(app, "GET", "")), "404 identity_provider_not_found");
    assert.equal(code(await app.post("/auth/session", {})), "400 identity_provider_not_configured");
});

test("b079 the addresses to enter at the provider are those that sign-in uses", async () => {
    const app = await stage.app({ providers: [] });
    const shown = await app.operate("GET", "/identity-provider");
    const base = stage.vault.baseUrl;
    assert.deepEqual(
        [shown.sdk_redirect_uri, shown.wallet_redirect_uri, shown.wallet_logout_uri],
        [`${base}/sdk/auth/callback`, `${base}/api/auth/callback`, `${base}/sign-in`],
    );
    assert.deepEqual([shown.client.client_id, shown.client.has_client_secret], [stage.idp.client_id, true]);
    assert.ok(!JSON.stringify(shown).includes(stage.idp.client_secret));
});

test("b077 one provider at a time, and the same one again is the same", async () => {
    const app = await stage.app({ providers: [] });
    const sub = await stage.person();
    const { app_user_id } = await stage.resolved(app, await stage.token(sub));
    assert.equal(code(await portal(app, "POST", "", { issuer: stage.idp.issuer })), "409 identity_provider_exists");
    await app.operate("DELETE", "/identity-provider");
    assert.equal((await stage.resolved(app, await stage.token(sub))).status, 401);
    const again = await portal(app, "POST", "", { issuer: stage.idp.issuer });
    assert.deepEqual([again.status, again.body.idp_id], [201, app.idp.idp_id]);
    assert.equal((await stage.resolved(app, await stage.token(sub))).app_user_id, app_user_id);
});

test("b074 the claims lock with the first user", async () => {
    const app = await stage.app({ providers: [] });
    assert.equal((await app.operate("GET", "/identity-provider")).claims_locked, false);
    const before = await app.operate("PATCH", "/identity-provider", { claims: { roles: null } });
    assert.equal(before.claims.roles, null);
    await stage.resolved(app, await stage.token(await stage.person()));
    assert.equal((await app.operate("GET", "/identity-provider")).claims_locked, true);
    for (const claims of [{ user_id: "email" }, { groups: "teams" }, { roles: "roles" }]) {
        assert.equal(code(await portal(app, "PATCH", "", { claims })), "409 claims_locked", JSON.stringify(claims));
    }
});

test("b078 a provider that cannot be reached, or says that it is another, is not stored", async () => {
    const app = await bare();
    const refused = async (issuer, what) => {
        for (const path of ["/discover", ""]) {
            const { status, body } = await portal(app, "POST", path, { issuer });
            assert.ok(status >= 400 && status < 500 && body.error, `${what}: ${status} ${JSON.stringify(body)}`);
        }
        assert.equal((await portal(app, "GET", "")).status, 404, what);
    };
    await refused("http://127.0.0.1:9", "nobody there");
    await refused(`${stage.idp.issuer}/.well-known/openid-configuration`, "not an issuer");
    await refused("https://169.254.169.254/", "no address of the network");
    for (const discovery of [
        { issuer: "https://evil.example" },
        { issuer: null },
        { jwks_uri: null },
        { jwks_uri: "http://169.254.169.254/keys" },
        { authorization_endpoint: "javascript:alert(1)" },
        { id_token_signing_alg_values_supported: ["HS256"] },
    ]) {
        await stage.idp.control("replace", { discovery });
        await refused(stage.idp.issuer, JSON.stringify(discovery));
    }
    await stage.idp.control("replace", {});
    for (const mode of ["status", "reset", "html", "huge", "redirect"]) {
        for (const at of ["discovery", "jwks"]) {
            await stage.idp.control("fault", { at, mode });
            await refused(stage.idp.issuer, `${at}: ${mode}`);
            await stage.idp.control("fault", { at });
        }
    }
    assert.equal((await portal(app, "POST", "", { issuer: stage.idp.issuer })).status, 201);
});
