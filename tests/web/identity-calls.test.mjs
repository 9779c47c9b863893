/** Calls for users through the published browser client's grants: found by their token, never anybody else's. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startIdentityStage } from "./identity/stage.mjs";

let stage;
before(async () => {
    stage = await startIdentityStage();
});
after(() => stage.close());

test("b055 b066 two users connect through the package: each acts with their own, and sees only their own", async () => {
    const app = await stage.app();
    const [anna, bert] = [await stage.person(), await stage.person()];
    const tokens = { [anna]: await stage.token(anna), [bert]: await stage.token(bert) };
    const grants = {};
    for (const who of [anna, bert]) grants[who] = await stage.connected(app, tokens[who], `${who}.notes`);
    for (const who of [anna, bert]) {
        const user_token = tokens[who];
        assert.equal(await stage.call(app, { provider_id: "notes", user_token }), `${who}.notes`);
        const { body } = await app.post("/grants/list", { user_token });
        assert.deepEqual(body.grants.map(({ grant_id, principal_type }) => [grant_id, principal_type]), [
            [grants[who].grant_id, "user"],
        ]);
        const other = who === anna ? bert : anna;
        const theirs = { grant_id: grants[other].grant_id, user_token };
        assert.equal(await stage.call(app, theirs), "404 grant_not_found");
        const revoke = await app.post(`/oauth/grants/${grants[other].grant_id}/revoke`, { user_token });
        assert.deepEqual([revoke.status, revoke.body.error], [404, "grant_not_found"]);
        // A new token of theirs is as good, an access token too.
        for (const kind of ["id", "access"]) {
            const fresh = await stage.token(who, { kind });
            assert.equal(await stage.call(app, { provider_id: "notes", user_token: fresh }), `${who}.notes`);
        }
    }
    assert.equal(await stage.call(app, { provider_id: "notes", user_token: await stage.token(await stage.person()) }), "404 grant_not_found");
});

test("b071 keys rotate at the provider, and nobody has to do anything", async () => {
    const app = await stage.app();
    const who = await stage.person();
    const old = await stage.token(who);
    await stage.connected(app, old, who);
    const call = (user_token) => stage.call(app, { provider_id: "notes", user_token });
    for (let round = 0; round < 2; round += 1) {
        await stage.idp.control("rotate", {});
        // A vault that has just started has fetched nothing yet; one that runs asks again when ten seconds are over.
        await stage.vault.pass(11);
        assert.equal(await call(await stage.token(who)), who);
        assert.equal(await call(old), who, "its key is published still");
    }
    await stage.idp.control("retire", {});
    await stage.vault.pass(11);
    assert.equal(await call(old), "401 jwt_validation_error");
    assert.equal(await call(await stage.token(who)), who);
});

test("b070 with an audience, tokens for others are refused; the vault's own client is one", async () => {
    const app = await stage.app({ add: { audience: stage.idp.resource } });
    const who = await stage.person();
    const taken = async (about) => {
        const found = await stage.resolved(app, await stage.token(who, about));
        return found.external_subject_id === who || `${found.status} ${found.error}`;
    };
    assert.equal(await taken({ kind: "access" }), true);
    assert.equal(await taken({ client_id: stage.idp.client_id }), true);
    assert.equal(await taken({}), "401 jwt_validation_error", "the app's client is not the API");
    const { client_id, resource } = stage.idp;
    for (const [aud, azp, good] of [
        [[resource, "other"], null, true],
        [["other"], null, false],
        [`${resource}/`, null, false],
        [[client_id, "other"], client_id, true],
        [[client_id, "other"], "other", false],
        [[client_id, "other"], null, false],
        [null, null, false],
        [[], null, false],
        [{}, null, false],
    ]) {
        const answer = await taken({ kind: "forged", claims: { aud, azp } });
        assert.equal(answer, good || "401 jwt_validation_error", JSON.stringify([aud, azp]));
    }
});

test("a token of another provider is nobody's here", async () => {
    const app = await stage.app({ providers: [] });
    const forged = { kind: "forged", claims: { iss: stage.notes.issuer } };
    assert.deepEqual(await stage.resolved(app, await stage.token(await stage.person(), forged)), {
        status: 401,
        error: "jwt_validation_error",
    });
});
