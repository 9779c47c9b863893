/** Consent without a page: the whole walk from `/auth` to the redirect, done by the provider with itself as browser. */

import { html } from "./http.mjs";

const MARK = "x-provider-walks";
const MAX_STEPS = 8;

/** So that a client without a cookie jar gets to its redirect URI with one request. */
export function automatic(issuer, settings) {
    return {
        concerns: (request) => settings.auto !== undefined && !(MARK in request.headers),
        answer: async (request, response) => {
            const cookies = new Map();
            let at = new URL(request.url, issuer).href;
            for (let step = 0; step < MAX_STEPS && at.startsWith(`${issuer}/`); step += 1) {
                const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
                const reply = await fetch(at, { redirect: "manual", headers: { [MARK]: "1", cookie } });
                for (const line of reply.headers.getSetCookie()) {
                    const [pair] = line.split(";");
                    cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
                }
                const next = reply.headers.get("location");
                if (!next) return html(response, reply.status, await reply.text());
                at = new URL(next, at).href;
            }
            response.writeHead(303, { location: at, "cache-control": "no-store" });
            return response.end();
        },
    };
}
