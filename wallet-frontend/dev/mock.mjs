#!/usr/bin/env node
/**
 * Serves the built site with made-up answers, for looking at it without a vault:
 *
 *     cargo xtask wallet --dev && node wallet-frontend/dev/mock.mjs [--port 4173] [--dist target/wallet/dist] [--rows 100000]
 *
 * State by address, so that each page can be seen in each state: `/?mock=empty`, `slow`, `error`, `offline`, `signed-out`,
 * `approvals`, `many`. The choice is kept in a cookie until `/?mock=` clears it. Nothing of this is part of the site.
 */

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { data, activityOf, countsOf, csvOf } from "./fixtures.mjs";

/** The policy of the real site. */
const POLICY = [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
].join("; ");

const TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
};

const CSRF = "mock-csrf-token";
const UUID = /^[0-9a-f-]{36}$/;

/** Starts it; the tests of the site use it as well. */
export async function start({ port = 0, dist = defaultDist(), rows = 100_000 } = {}) {
    const states = new Map();
    const server = createServer((request, response) => {
        answer(request, response, { dist, rows, states }).catch((error) => {
            response.writeHead(500, { "content-type": "text/plain" }).end(String(error?.stack ?? error));
        });
    });
    await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${server.address().port}`, close: () => new Promise((done) => server.close(done)) };
}

async function answer(request, response, { dist, rows, states }) {
    const url = new URL(request.url, "http://mock.invalid");
    const cookies = Object.fromEntries((request.headers.cookie ?? "").split(/; */).map((it) => it.split("=")));
    const mode = url.searchParams.get("mock") ?? cookies.mock ?? "";
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("referrer-policy", "no-referrer");
    response.setHeader("cross-origin-opener-policy", "same-origin");
    response.setHeader("cross-origin-resource-policy", "same-origin");
    if (url.searchParams.has("mock")) response.setHeader("set-cookie", `mock=${mode}; Path=/; SameSite=Lax`);
    // What is changed stays changed for that state.
    if (!states.has(mode) || url.searchParams.has("mock")) states.set(mode, data(mode, rows));
    const state = states.get(mode);
    if (url.pathname.startsWith("/wallet/api/")) return api(request, response, url, state, mode);
    if (url.pathname === "/api/auth/sign-in") {
        return response.writeHead(303, { location: "/?mock=", "set-cookie": "mock=; Path=/; Max-Age=0" }).end();
    }
    return site(request, response, url, dist);
}

async function site(request, response, url, dist) {
    const path = normalize(decodeURIComponent(url.pathname)).replace(/^(\.\.[/\\])+/, "");
    const isFile = extname(path) !== "";
    const file = join(dist, isFile ? path : "index.html");
    let body;
    try {
        body = await readFile(file);
    } catch {
        return response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
    }
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
    response.setHeader("content-security-policy", POLICY);
    response.setHeader("cache-control", /[.-][0-9a-f]{8,}\./.test(file) ? "public, max-age=31536000, immutable" : "no-cache");
    response.writeHead(200).end(request.method === "HEAD" ? undefined : body);
}

async function api(request, response, url, state, mode) {
    const path = url.pathname.slice("/wallet/api".length);
    const send = (status, body, headers = {}) => {
        response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
        response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    const fail = (status, error, message = error) => send(status, { error, message });
    if (mode === "offline") return request.socket.destroy();
    if (mode === "slow") await new Promise((done) => setTimeout(done, 3_000));
    const logo = /^\/logos\/([^/]+)\/[0-9a-f]+$/.exec(path);
    if (logo) {
        const body = state.logos.get(logo[1]);
        if (!body) return fail(404, "not_found");
        response.writeHead(200, { "content-type": "image/png", "content-security-policy": "default-src 'none'; sandbox" });
        return response.end(body);
    }
    if (path === "/sign-in") {
        const id = url.searchParams.get("app");
        const app = state.apps.find((it) => it.app_id === id) ?? null;
        return send(200, { app, apps: mode === "unlisted" ? [] : state.apps });
    }
    if (mode === "signed-out") return fail(401, "wallet_session_required", "Sign in first.");
    if (mode === "suspended") return fail(403, "user_suspended", "The user is suspended.");
    if (mode === "error") return fail(503, "unavailable", "The store does not answer.");
    if (request.method === "POST") return write(request, path, state, send, fail);
    if (path === "/session") return send(200, { ...state.session, csrf_token: CSRF });
    if (path === "/overview") return send(200, state.overview());
    if (path === "/approvals") return send(200, { items: state.approvals });
    if (path === "/activity") return send(200, activityOf(state, url.searchParams));
    if (path === "/activity/counts") return send(200, countsOf(state, url.searchParams));
    if (path === "/activity/export") {
        response.writeHead(200, {
            "content-type": "text/csv; charset=utf-8",
            "content-disposition": 'attachment; filename="activity.csv"',
        });
        return response.end(csvOf(state, url.searchParams));
    }
    const grant = /^\/grants\/([^/]+)$/.exec(path);
    const detail = grant && UUID.test(grant[1]) && state.detail(grant[1]);
    return detail ? send(200, detail) : fail(404, grant ? "grant_not_found" : "not_found", "There is no such grant.");
}

async function write(request, path, state, send, fail) {
    if (request.headers["x-alter-csrf"] !== CSRF) return fail(403, "csrf_failed", "The token does not belong to the session.");
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = JSON.parse(text || "{}");
    if (path === "/sign-out") return send(200, { location: `/sign-in?state=${state.apps[0]?.app_id ?? ""}` });
    const [, kind, id, verb] = path.split("/");
    // A moment, as it is on the wire: buttons show that they work.
    await new Promise((done) => setTimeout(done, 350));
    if (kind === "grants" && verb === "revoke") {
        const receipt = state.revoke(id, body.reason ?? null);
        return receipt ? send(200, receipt) : fail(404, "grant_not_found");
    }
    if (kind === "grants" && verb === "extend") {
        const extended = state.extend(id, body.expires_at);
        return extended ? send(200, extended) : fail(404, "grant_not_found");
    }
    if (kind === "approvals" && verb === "decide") {
        const at = state.approvals.findIndex((it) => it.approval_id === id);
        if (at < 0) return fail(404, "approval_not_found");
        state.approvals.splice(at, 1);
        return send(200, {});
    }
    return fail(404, "not_found");
}

function defaultDist() {
    return fileURLToPath(new URL("../../target/wallet/dist", import.meta.url));
}

function option(name) {
    const at = process.argv.indexOf(name);
    return at < 0 ? undefined : process.argv[at + 1];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const options = { port: Number(option("--port") ?? 4173), dist: option("--dist"), rows: Number(option("--rows") ?? 100_000) };
    console.log((await start(JSON.parse(JSON.stringify(options)))).url);
}
