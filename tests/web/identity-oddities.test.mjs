/** What providers get wrong in a sign-in, and what the program and the person are told then. No page has to be looked at. */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { startIdentityStage } from "./identity/stage.mjs";
import { heading, walker } from "./identity/walker.mjs";

let stage;
before(async () => {
    stage = await startIdentityStage();
    await stage.idp.control("auto", { account: "carol" });
});
after(() => stage.close());
afterEach(() => stage.idp.control("replace", {}));

const exchanges = async () => (await stage.idp.state()).requests["/token"] ?? 0;

/** A sign-in by somebody whom nobody has to look at. */
async function walked(app) {
    const session = await stage.signIn(app);
    return { session, page: await walker()(session.auth_url) };
}

/** A sign-in that ends in an error for the program and says so to the person; the error's code. */
async function fails(app) {
    const { session, page } = await walked(app);
    assert.equal(heading(page), "You are not signed in");
    const { status, user_token, error_code, error_message } = await session.poll();
    assert.deepEqual([status, user_token], ["error", undefined]);
    assert.ok(error_message.length > 5);
    return error_code;
}

/** One that gives a token which counts. */
async function succeeds(app) {
    const { session, page } = await walked(app);
    assert.equal(heading(page), "You are signed in to Shop");
    const { user_token, user_info } = await session.poll();
    assert.deepEqual(user_info, { sub: "carol", email: "carol@example.test", name: "Carol" });
    assert.equal((await app.post("/auth/verify-token", { token: user_token })).body.sub, "carol");
}

test("an ID token that is not the answer to this very request is not taken", async () => {
    const app = await stage.app({ providers: [] });
    const now = Math.floor(Date.now() / 1000);
    const { issuer, client_id } = stage.idp;
    for (const id_token of [
        { nonce: "another" },
        { nonce: null },
        { aud: "somebody-else" },
        { aud: ["somebody-else", "other"], azp: client_id },
        { aud: [client_id, "other"], azp: "other" },
        { aud: [client_id, "other"] },
        { aud: null },
        { iss: "https://evil.example" },
        { iss: `${issuer}/` },
        { exp: now - 120 },
        { exp: null },
        { iat: null },
        { iat: now + 3600 },
        { sub: null },
    ]) {
        await stage.idp.control("replace", { id_token });
        assert.equal(await fails(app), "id_token_invalid", JSON.stringify(id_token));
    }
    assert.deepEqual((await app.operate("GET", "/users")).items, []);
});

test("further audiences with `azp` are no reason to refuse, nor is a profile at the userinfo endpoint alone", async () => {
    const app = await stage.app({ providers: [] });
    const { client_id } = stage.idp;
    for (const id_token of [
        { aud: [client_id, "other"], azp: client_id },
        { aud: [client_id] },
        { email: null, name: null },
    ]) {
        await stage.idp.control("replace", { id_token });
        await succeeds(app);
    }
});

test("a redirect must name its issuer where the provider says that it does (RFC 9207)", async () => {
    const app = await stage.app({ providers: [] });
    for (const response of [{ iss: "https://evil.example" }, { iss: null }]) {
        await stage.idp.control("replace", { response });
        const before = await exchanges();
        const { session, page } = await walked(app);
        assert.deepEqual([page.status, heading(page)], [400, "This answer does not fit"]);
        assert.equal((await session.poll()).status, "pending", "it can be begun again");
        assert.equal(await exchanges(), before, "the code went nowhere");
    }
    await stage.idp.control("replace", { discovery: { authorization_response_iss_parameter_supported: null } });
    const old = await stage.app({ providers: [] });
    await stage.idp.control("replace", { response: { iss: null } });
    await succeeds(old);
});

test("a token endpoint that fails is told to program and person", async () => {
    const app = await stage.app({ providers: [] });
    for (const [mode, code] of [
        ["status", "identity_provider_unavailable"],
        ["reset", "identity_provider_unavailable"],
        ["refusal", "code_refused"],
        ["html", "id_token_invalid"],
    ]) {
        await stage.idp.control("fault", { at: "token", mode });
        try {
            assert.equal(await fails(app), code, mode);
        } finally {
            await stage.idp.control("fault", { at: "token" });
        }
    }
    await succeeds(app);
});

test("keys that cannot be had: no sign-in, and afterwards again", async () => {
    const app = await stage.app({ providers: [] });
    for (const mode of ["status", "reset", "huge", "html", "empty", "redirect"]) {
        // A vault that has just started has no keys yet.
        await stage.vault.crash();
        await stage.idp.control("fault", { at: "jwks", mode });
        try {
            assert.equal(await fails(app), "identity_provider_unavailable", mode);
        } finally {
            await stage.idp.control("fault", { at: "jwks" });
        }
    }
    await stage.vault.crash();
    await succeeds(app);
    assert.equal((await app.operate("GET", "/users")).items.length, 1);
});
