/** The bench's own identity provider: what tests of the vault lean on must hold before they do. */

import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { after, before, test } from "node:test";

import { Client } from "./client.mjs";
import { walker } from "./identity/walker.mjs";
import { startIdentityProgram } from "./program.mjs";
import { listen } from "./provider/http.mjs";

const REDIRECT = "http://127.0.0.1:9/callback";

let idp;
let client;
before(async () => {
    idp = await startIdentityProgram();
    await idp.control("client", { client_id: "shop", redirect_uris: [REDIRECT] });
    client = new Client(idp.app, REDIRECT);
});
after(() => idp.stop());

const minted = async (about) => (await idp.control("token", about)).token;
const published = async () => (await (await fetch(`${idp.issuer}/jwks`)).json()).keys;

/** Header and claims of a token whose signature is good by the published keys. */
async function read(token) {
    const [header, claims, signature] = token.split(".");
    const { kid, alg } = JSON.parse(Buffer.from(header, "base64url"));
    const jwk = (await published()).find((key) => key.kid === kid);
    assert.ok(jwk, `${kid} is not published`);
    assert.equal(jwk.alg, alg);
    const key = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
    const isGood = verify("sha256", Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, "base64url"));
    return { header: JSON.parse(Buffer.from(header, "base64url")), claims: JSON.parse(Buffer.from(claims, "base64url")), isGood };
}

/** Signs an account in at the app's client, by the whole way. */
async function signedIn(account, parameters = {}) {
    await idp.control("auto", { account });
    const { body } = await client.connect({ scope: "openid profile email", ...parameters });
    await idp.control("auto", {});
    return body;
}

test("a sign-in gives an ID token with profile and groups, and an access token for the app's API", async () => {
    await idp.control("account", { account: "alice", groups: ["staff"] });
    const body = await signedIn("alice", { resource: idp.resource, nonce: "n1" });
    const id = await read(body.id_token);
    assert.deepEqual([id.isGood, id.header.alg], [true, "ES256"]);
    const { sub, aud, iss, nonce, name, email, groups } = id.claims;
    assert.deepEqual(
        { sub, aud, iss, nonce, name, email, groups },
        { sub: "alice", aud: "shop", iss: idp.issuer, nonce: "n1", name: "Alice", email: "alice@example.test", groups: ["staff"] },
    );
    const access = await read(body.access_token);
    assert.deepEqual([access.isGood, access.header.typ], [true, "at+jwt"]);
    assert.deepEqual([access.claims.aud, access.claims.client_id, access.claims.groups], [idp.resource, "shop", ["staff"]]);
});

test("a token without a browser is what a sign-in gives", async () => {
    const body = await signedIn("bob", { resource: idp.resource });
    for (const [kind, real] of [["id", body.id_token], ["access", body.access_token]]) {
        const [made, given] = [await read(await minted({ kind, account: "bob" })), await read(real)];
        assert.equal(made.isGood, true);
        assert.deepEqual(made.header, given.header);
        const shape = ({ at_hash: _, jti: __, iat, exp, ...claims }) => ({ ...claims, life: exp - iat });
        assert.deepEqual(shape(made.claims), shape(given.claims));
    }
});

test("what is forged is as asked: signed by its key or by another's in its name", async () => {
    const odd = await read(await minted({ kind: "forged", account: "alice", claims: { aud: ["a", "shop"], iat: null } }));
    assert.deepEqual([odd.isGood, odd.claims.aud, "iat" in odd.claims], [true, ["a", "shop"], false]);
    assert.equal((await read(await minted({ kind: "forged", account: "alice", stranger: true }))).isGood, false);
    assert.equal((await read(await minted({ kind: "forged", account: "alice", alg: "RS256" }))).isGood, true);
});

test("keys rotate under way: old tokens stay good until their key is retired, sessions go on", async () => {
    const old = await minted({ account: "alice" });
    const [kid] = (await idp.state()).kids;
    const { kids } = await idp.control("rotate", {});
    assert.deepEqual((await published()).map((key) => key.kid), kids);
    assert.ok(kids.length === 4 && kids[0] !== kid && kids.includes(kid));
    assert.equal((await read(old)).isGood, true);
    assert.equal((await read((await signedIn("alice")).id_token)).header.kid, kids[1]);
    await idp.control("retire", {});
    assert.equal((await published()).length, 2);
    await assert.rejects(read(old), /is not published/);
});

test("each fault and each oddity shows, and ends", async () => {
    const jwks = (options) => fetch(`${idp.issuer}/jwks`, { redirect: "manual", ...options });
    for (const [mode, shows] of [
        ["status", async () => (await jwks()).status === 503],
        ["reset", () => jwks().then(() => false, () => true)],
        ["huge", async () => (await (await jwks()).text()).length > 1024 * 1024],
        ["html", async () => (await jwks()).headers.get("content-type").startsWith("text/html")],
        ["empty", async () => (await (await jwks()).json()).keys.length === 0],
        ["redirect", async () => (await jwks()).status === 302],
        ["slow", () => jwks({ signal: AbortSignal.timeout(100) }).then(() => false, () => true)],
    ]) {
        await idp.control("fault", { at: "jwks", mode, ms: 300 });
        assert.equal(await shows(), true, mode);
    }
    await idp.control("fault", { at: "jwks" });
    assert.equal((await published()).length, 2);

    await idp.control("replace", {
        id_token: { nonce: "other", iat: null, aud: ["shop", "x"] },
        response: { iss: null },
        discovery: { authorization_response_iss_parameter_supported: null, issuer: "https://evil.example" },
    });
    const document = await (await fetch(`${idp.issuer}/.well-known/openid-configuration`)).json();
    assert.deepEqual([document.issuer, document.authorization_response_iss_parameter_supported], ["https://evil.example", undefined]);
    const { isGood, claims } = await read((await signedIn("alice", { nonce: "mine" })).id_token);
    assert.deepEqual([isGood, claims.nonce, "iat" in claims, claims.aud], [true, "other", false, ["shop", "x"]]);
    await idp.control("auto", { account: "alice" });
    const { query } = await client.answered(client.request({ scope: "openid" }).url);
    assert.deepEqual(["code" in query, "iss" in query, "state" in query], [true, false, true]);
    await idp.control("replace", {});
    const again = await client.answered(client.request({ scope: "openid" }).url);
    assert.equal(again.query.iss, idp.issuer);
    await idp.control("auto", {});
});

test("whoever signs out is signed out at the clients that have an address for it", async () => {
    const heard = [];
    const server = await listen(async (request, response) => {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        heard.push(new URLSearchParams(Buffer.concat(chunks).toString()).get("logout_token"));
        response.writeHead(200).end();
    });
    await idp.control("client", { client_id: "shop", backchannel_logout_uri: `${server.url}/logout` });
    try {
        const go = walker(REDIRECT);
        const form = await go(client.request({ scope: "openid" }).url);
        const back = await go(form.url, { account: "carol", decision: "in" });
        assert.ok(back.url.searchParams.has("code"));
        const { text } = await go(`${idp.issuer}/session/end`);
        const [, xsrf] = /name="xsrf" value="([^"]+)"/.exec(text);
        await go(`${idp.issuer}/session/end/confirm`, { xsrf, logout: "yes" });
        const { isGood, header, claims } = await read(heard[0]);
        assert.deepEqual([heard.length, isGood, header.typ, claims.sub, claims.aud], [1, true, "logout+jwt", "carol", "shop"]);
        assert.equal((await idp.state()).logouts.ok, 1);
    } finally {
        await server.close();
        await idp.control("client", { client_id: "shop", backchannel_logout_uri: undefined });
    }
});
