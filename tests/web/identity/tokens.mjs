/** Tokens without a browser: as the library makes and signs them, and such as it never would. */

/** An ID token of the app's client (or of another) for an account, as at the end of a sign-in. */
export async function idToken({ provider, accounts }, { account, client_id = "shop" }) {
    const token = new provider.IdToken(accounts.claims(account), { client: await provider.Client.find(client_id) });
    token.scope = "openid profile email";
    return token.issue({ use: "idtoken" });
}

/** An access token of the app's client for the app's API, as RFC 9068 has it. */
export async function accessToken({ provider, accounts, resource }, { account, client_id = "shop" }) {
    const token = new provider.AccessToken({
        accountId: account,
        client: await provider.Client.find(client_id),
        resourceServer: new provider.ResourceServer(resource, api(resource)),
        extra: accounts.belongings(account),
    });
    return token.save();
}

/** What the provider knows of the API. */
export function api(resource) {
    return { scope: "", audience: resource, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } };
}

/**
 * Signed by the provider's key, with any header and claims: on top of what a good one has, `null` removes. With `stranger`
 * the key is not the provider's, but has its name.
 */
export function forged({ issuer, keys, accounts }, { account, alg = "ES256", header = {}, claims = {}, stranger = false }) {
    const now = Math.floor(Date.now() / 1000);
    const good = { iss: issuer, aud: "shop", iat: now, exp: now + 3600, ...accounts.claims(account) };
    const all = Object.entries({ ...good, ...claims }).filter(([, value]) => value !== null);
    return keys.sign(alg, header, Object.fromEntries(all), { stranger });
}
