/** The bench's own provider: what tests of the vault lean on must hold before they do. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, beforeEach, test } from "node:test";

import { Client } from "./client.mjs";
import { startProviderProgram } from "./program.mjs";
import { Store } from "./provider/store.mjs";

const REDIRECT = "http://127.0.0.1:9/callback";

let provider;
let client;

before(async () => {
    provider = await startProviderProgram([], { AUTO: "1" });
    await provider.control("redirect_uris", { uris: [REDIRECT] });
    client = new Client(provider, REDIRECT);
});
after(() => provider.stop());
beforeEach(async () => {
    for (const account of ["alice", "bob"]) await provider.control("revoke-grant", { account });
});

test("a code is exchanged once, with its verifier, and the API believes the token", async () => {
    const { url, state, verifier } = client.request();
    const { to, query } = await client.answered(url);
    assert.equal(to, REDIRECT);
    assert.equal(query.state, state);
    assert.equal(query.iss, provider.issuer, "RFC 9207");
    const wrong = await client.exchange(query.code, "x".repeat(43));
    assert.deepEqual([wrong.status, wrong.body.error], [400, "invalid_grant"]);

    const first = await client.exchange(query.code, verifier);
    assert.equal(first.status, 200);
    assert.equal(first.body.token_type, "Bearer");
    assert.ok(first.body.refresh_token && first.body.expires_in > 0);
    assert.deepEqual((await client.call(first.body.access_token)).body, {
        sub: "alice",
        scope: first.body.scope,
        path: "/api/notes",
    });

    const again = await client.exchange(query.code, verifier);
    assert.deepEqual([again.status, again.body.error], [400, "invalid_grant"]);
    assert.equal((await client.call(first.body.access_token)).status, 401, "a code used twice ends its grant");
});

test("what is not asked for properly is refused", async () => {
    for (const [parameters, error] of [
        [{ code_challenge: undefined, code_challenge_method: undefined }, "invalid_request"],
        [{ code_challenge_method: "plain" }, "invalid_request"],
    ]) {
        const { query } = await client.answered(client.request(parameters).url);
        assert.equal(query.error, error);
        assert.equal(query.code, undefined);
        assert.equal(query.iss, provider.issuer);
    }
    for (const parameters of [{ redirect_uri: `${REDIRECT}/` }, { redirect_uri: undefined }, { client_id: "nobody" }]) {
        const reply = await fetch(client.request(parameters).url, { redirect: "manual" });
        assert.equal(reply.status, 400, JSON.stringify(parameters));
        assert.equal(reply.headers.get("location"), null);
    }
    const stranger = new Client({ ...provider, client_secret: "wrong" }, REDIRECT);
    assert.equal((await stranger.refresh("any")).body.error, "invalid_client");
});

test("a denial comes back as RFC 6749 has it", async () => {
    await provider.control("auto", { account: "alice", deny: true });
    try {
        const { url, state } = client.request();
        const { query } = await client.answered(url);
        assert.deepEqual([query.error, query.state, query.iss], ["access_denied", state, provider.issuer]);
    } finally {
        await provider.control("auto", { account: "alice" });
    }
    assert.equal((await provider.state()).grants, 0);
});

test("a refresh token rotates, and the new pair works", async () => {
    const first = (await client.connect()).body;
    const second = await client.refresh(first.refresh_token);
    const issued = await provider.control("issued");
    for (const { access_token, refresh_token } of [first, second.body]) {
        assert.ok(issued.access_tokens.includes(access_token) && issued.refresh_tokens.includes(refresh_token));
    }
    assert.equal(second.status, 200);
    assert.notEqual(second.body.refresh_token, first.refresh_token);
    assert.equal((await client.call(second.body.access_token)).status, 200);
    const state = await provider.state();
    assert.deepEqual(state.refresh_tokens, { live: 1, consumed: 1 });
    assert.equal(state.access_tokens, 2);
});

test("a consumed refresh token ends the whole grant", async () => {
    const before = await provider.state();
    const first = (await client.connect()).body;
    const second = (await client.refresh(first.refresh_token)).body;
    const reuse = await client.refresh(first.refresh_token);
    assert.deepEqual([reuse.status, reuse.body.error], [400, "invalid_grant"]);
    assert.equal((await client.refresh(second.refresh_token)).body.error, "invalid_grant");
    assert.equal((await client.call(second.access_token)).status, 401);
    const state = await provider.state();
    assert.deepEqual([state.grants, state.refresh_tokens.live, state.access_tokens], [0, 0, 0]);
    assert.equal(state.reuses, before.reuses + 1);
    const counted = (now, name) => now.exchanges.refresh_token[name] ?? now.exchanges.refresh_token.errors[name] ?? 0;
    assert.equal(counted(state, "ok"), counted(before, "ok") + 1);
    assert.equal(counted(state, "invalid_grant"), counted(before, "invalid_grant") + 2);
});

test("of two refreshes at once at most one is answered, and the grant ends", async () => {
    const first = (await client.connect()).body;
    const replies = await Promise.all(Array.from({ length: 8 }, () => client.refresh(first.refresh_token)));
    assert.ok(replies.filter((reply) => reply.status === 200).length <= 1);
    assert.ok(replies.every((reply) => reply.status === 200 || reply.body.error === "invalid_grant"));
    const state = await provider.state();
    assert.equal(state.refresh_tokens.live, 0);
});

test("a second use is caught although both had read the token before either of them wrote", async () => {
    const store = new Store();
    const tokens = store.adapter("RefreshToken");
    await store.adapter("Grant").upsert("g", { jti: "g" });
    await tokens.upsert("t", { jti: "t", grantId: "g" });
    const uses = await Promise.allSettled([tokens.consume("t"), tokens.consume("t")]);
    assert.deepEqual(uses.map(({ status }) => status), ["fulfilled", "rejected"]);
    assert.equal(uses[1].reason.error, "invalid_grant");
    assert.deepEqual([store.races, store.get("Grant", "g"), store.get("RefreshToken", "t")], [1, undefined, undefined]);
});

test("the provider does not outlive who started it", async () => {
    const { program, issuer } = await startProviderProgram();
    program.child.stdin.end();
    const [code] = await once(program.child, "exit");
    assert.equal(code, 0);
    await assert.rejects(fetch(issuer));
});

test("revoking the refresh token takes the grant with it; an unknown token is no error", async () => {
    const before = await provider.state();
    const pair = (await client.connect()).body;
    assert.equal((await provider.state()).grants, 1);
    assert.equal((await client.revoke(pair.refresh_token)).status, 200);
    assert.equal((await client.revoke("never-issued")).status, 200);
    assert.equal((await client.call(pair.access_token)).status, 401);
    const state = await provider.state();
    assert.deepEqual([state.grants, state.refresh_tokens.live, state.access_tokens], [0, 0, 0]);
    assert.equal(state.revocations.ok, before.revocations.ok + 2);
});

test("connections are grants of their own", async () => {
    const one = (await client.connect()).body;
    const two = (await client.connect()).body;
    const other = (await client.connect({ login_hint: "bob" })).body;
    assert.deepEqual((await provider.state()).grants_by_account, { alice: 2, bob: 1 });
    await client.revoke(one.refresh_token);
    assert.equal((await client.call(two.access_token)).status, 200);
    assert.equal((await provider.control("revoke-grant", { account: "alice" })).revoked, 1);
    assert.equal((await client.call(two.access_token)).status, 401);
    assert.equal((await client.call(other.access_token)).body.sub, "bob");
});

test("the API refuses as RFC 6750 does", async () => {
    const bare = await client.call(undefined);
    assert.deepEqual([bare.status, bare.challenge], [401, 'Bearer realm="notes"']);
    const unknown = await client.call("unknown");
    assert.equal(unknown.status, 401);
    assert.match(unknown.challenge, /error="invalid_token"/);
    const reader = (await client.connect({ scope: "openid notes:read" })).body;
    assert.equal((await client.call(reader.access_token)).status, 200);
    const writing = await client.call(reader.access_token, "/notes", "POST");
    assert.equal(writing.status, 403);
    assert.match(writing.challenge, /error="insufficient_scope", scope="notes:write"/);
});

test("access tokens end when their time is over, or at once", async () => {
    await provider.control("access-token-ttl", { seconds: 1 });
    const pair = (await client.connect()).body;
    await provider.control("access-token-ttl", { seconds: 3600 });
    assert.equal(pair.expires_in, 1);
    const expired = Date.now() + 2_500;
    while ((await client.call(pair.access_token)).status === 200) assert.ok(Date.now() < expired);
    const next = (await client.refresh(pair.refresh_token)).body;
    assert.equal((await client.call(next.access_token)).status, 200);
    assert.equal((await provider.control("expire-access-tokens", {})).expired, 1);
    assert.equal((await client.call(next.access_token)).status, 401);
    assert.equal((await client.refresh(next.refresh_token)).status, 200, "the grant lives on");
});

test("outages: 503, a closed connection, and a reply that is lost after the work was done", async () => {
    const pair = (await client.connect()).body;
    await provider.control("outage", { on: true, mode: "status", times: 1 });
    assert.equal((await client.refresh(pair.refresh_token)).status, 503);
    await provider.control("outage", { on: true, mode: "reset", times: 1 });
    await assert.rejects(client.revoke(pair.refresh_token));
    const next = await client.refresh(pair.refresh_token);
    assert.equal(next.status, 200, "neither of the two touched anything");

    await provider.control("outage", { on: true, mode: "lost", endpoints: ["token"] });
    await assert.rejects(client.refresh(next.body.refresh_token));
    await provider.control("outage", { on: false });
    assert.equal((await client.refresh(next.body.refresh_token)).body.error, "invalid_grant", "it had been consumed");
});

test("delays before the work and before the reply", async () => {
    const pair = (await client.connect()).body;
    for (const when of ["before", "after"]) {
        await provider.control("delay", { ms: 150, when });
        const begun = performance.now();
        assert.equal((await client.revoke("never-issued")).status, 200);
        await provider.control("delay", { ms: 0, when });
        assert.ok(performance.now() - begun >= 150);
    }
    assert.equal((await client.call(pair.access_token)).status, 200);
});

test("further clients: with the secret in the form, and without one", async () => {
    for (const metadata of [
        { client_id: "vault-post", token_endpoint_auth_method: "client_secret_post" },
        { client_id: "vault-public", token_endpoint_auth_method: "none" },
    ]) {
        const { client_id, client_secret } = await provider.control("clients", metadata);
        assert.equal(client_secret === undefined, metadata.token_endpoint_auth_method === "none");
        const other = new Client({ ...provider, client_id }, REDIRECT);
        const { url, verifier } = other.request();
        const { query } = await other.answered(url);
        const form = {
            grant_type: "authorization_code",
            code: query.code,
            code_verifier: verifier,
            redirect_uri: REDIRECT,
            client_id,
        };
        const post = (body) => fetch(`${provider.issuer}/token`, { method: "POST", body: new URLSearchParams(body) });
        if (client_secret) {
            assert.equal((await post({ ...form, client_secret: "wrong" })).status, 401);
            form.client_secret = client_secret;
        }
        assert.equal((await post(form)).status, 200, client_id);
    }
});

test("who it is, by the userinfo endpoint; no introspection", async () => {
    const pair = (await client.connect()).body;
    const headers = { authorization: `Bearer ${pair.access_token}` };
    const who = await (await fetch(`${provider.issuer}/me`, { headers })).json();
    assert.deepEqual(who, { sub: "alice", name: "Alice", email: "alice@example.test", email_verified: true });
    const discovery = await (await fetch(`${provider.issuer}/.well-known/openid-configuration`)).json();
    assert.equal(discovery.authorization_response_iss_parameter_supported, true);
    assert.deepEqual(discovery.code_challenge_methods_supported, ["S256"]);
    assert.equal(discovery.introspection_endpoint, undefined);
    assert.equal(discovery.revocation_endpoint, `${provider.issuer}/token/revocation`);
});
