/**
 * The app of a customer: a page with the published `@alter-ai/connect`, unmodified, and a button. What the package calls
 * back is written into the page, so that a test reads what the app would have been told.
 */

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { escape, html, listen } from "./provider/http.mjs";

const PACKAGE = dirname(fileURLToPath(import.meta.resolve("@alter-ai/connect")));

/**
 * Serves
 *   `/`          the page: `?token=…&base=…` is what its button opens Connect with;
 *   `/returned`  where the redirect flow comes back to (`return_url`): the page that a phone sees.
 */
export async function startHostApp() {
    const bundle = await readFile(join(PACKAGE, "alter-connect.esm.js"), "utf8");
    const server = await listen((request, response) => {
        const { pathname } = new URL(request.url, "http://host");
        if (pathname === "/connect.js") return script(response, bundle);
        if (pathname === "/app.js") return script(response, APP);
        if (pathname === "/") return html(response, 200, page("Shop"));
        if (pathname === "/returned") return html(response, 200, page("Shop, returned to"));
        if (pathname === "/favicon.ico") return response.writeHead(204).end();
        return html(response, 404, "nothing here");
    });
    return {
        origin: server.url,
        returnUrl: `${server.url}/returned`,
        /** The page's address for a session. */
        page: (token, base) => `${server.url}/?${new URLSearchParams({ token, base })}`,
        close: server.close,
    };
}

/** What the app has been told so far: a list of `{callback, value}`, in order. */
export function told(page) {
    return page.evaluate(() => globalThis.told);
}

/** Waits until the app has been called back by one of these, and returns the value. */
export async function waitFor(page, ...callbacks) {
    const handle = await page.waitForFunction(
        (names) => globalThis.told?.find(({ callback }) => names.includes(callback)),
        callbacks,
    );
    return handle.jsonValue();
}

// The result of a redirect is in the query, and the package takes it away while it is created (it tells its listeners
// before there can be any): an app has to read it first, and so does this one.
const APP = `
import AlterConnect from "/connect.js";

globalThis.told = [];
const out = document.querySelector("output");
const tell = (callback) => (value) => {
    globalThis.told.push({ callback, value: value ?? null });
    out.textContent = JSON.stringify(globalThis.told, null, 1);
};
const query = new URLSearchParams(location.search);
const kept = Object.fromEntries(query);
if ("alter_connect_success" in kept || "alter_connect_error" in kept) tell("returned")(kept);

const connect = AlterConnect.create();
document.querySelector("button").addEventListener("click", () => {
    connect
        .open({
            token: query.get("token") ?? "",
            baseURL: query.get("base") ?? "",
            onSuccess: tell("success"),
            onError: tell("error"),
            onExit: tell("exit"),
            onEvent: (name, metadata) => tell("event")({ name, metadata }),
        })
        .catch(({ code, message }) => tell("refused")({ code, message }));
});
document.documentElement.dataset.ready = "true";
`;

function page(title) {
    return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<script type="module" src="/app.js"></script></head>
<body><main><h1>${escape(title)}</h1><button type="button">Connect</button><output></output></main></body>
</html>`;
}

function script(response, text) {
    response.writeHead(200, { "content-type": "text/javascript; charset=utf-8", "cache-control": "no-store" });
    response.end(text);
}
