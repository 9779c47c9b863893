/** The little of HTTP that the servers of this bench share. */

import { createServer } from "node:http";
import { once } from "node:events";

const MAX_BODY = 64 * 1024;

/** Listens on a free loopback port; a handler that throws answers 500 and its error. */
export async function listen(handler, port = 0) {
    const server = createServer(async (request, response) => {
        try {
            await handler(request, response);
        } catch (error) {
            console.error(error);
            if (response.headersSent) response.destroy();
            else json(response, error.status ?? 500, { error: error.message });
        }
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${server.address().port}`;
    const close = async () => {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
    };
    return { url, close };
}

export async function readBody(request) {
    const chunks = [];
    let length = 0;
    for await (const chunk of request) {
        length += chunk.length;
        if (length > MAX_BODY) throw Object.assign(new Error("the body is too long"), { status: 413 });
        chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
}

export async function readJson(request) {
    const text = await readBody(request);
    try {
        return text === "" ? {} : JSON.parse(text);
    } catch {
        throw Object.assign(new Error("the body is not JSON"), { status: 400 });
    }
}

export function json(response, status, document, headers = {}) {
    const body = JSON.stringify(document);
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
    response.end(body);
}

export function html(response, status, body, headers = {}) {
    response.writeHead(status, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store", ...headers });
    response.end(body);
}

export function escape(text) {
    const named = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
    return String(text).replace(/[&<>"']/g, (character) => named[character]);
}
