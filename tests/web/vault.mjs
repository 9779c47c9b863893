/** The real binary, its operator's side, and calls signed as the published clients sign them. */

import { execFile } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { start } from "./program.mjs";

const ROOT = join(import.meta.dirname, "../..");
/** `ALTER_BIN`, or the debug build of this work tree. */
const BINARY = process.env.ALTER_BIN ?? join(ROOT, "target/debug/alter");

/** A vault on a free port with an empty data directory, which may send credentials to this machine. */
export async function startVault({ args = [] } = {}) {
    const directory = await mkdtemp(join(tmpdir(), "alter-web-"));
    const dataDir = join(directory, "data");
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ALTER_")));
    const serve = ["--data-dir", dataDir, "--output", "json", "serve", "--durability", "process"];
    const run = (listen, more = {}) =>
        start(BINARY, [...serve, "--listen", listen, "--allow-loopback-http", ...args], {
            env: { ...env, ...more },
            cwd: directory,
        });
    let program;
    try {
        program = await run("127.0.0.1:0");
        const token = (await readFile(program.ready.operator_token_file, "utf8")).trim();
        return new Vault(program, run, directory, token);
    } catch (error) {
        await program?.kill();
        await rm(directory, { recursive: true, force: true });
        throw error;
    }
}

class Vault {
    #program;
    #run;
    #directory;
    /** Seconds by which the vault's clock is ahead. */
    #ahead = 0;

    constructor(program, run, directory, token) {
        this.#program = program;
        this.#run = run;
        this.#directory = directory;
        this.baseUrl = program.ready.base_url;
        this.dataDir = program.ready.data_dir;
        this.token = token;
    }

    /** What it has logged so far. */
    get log() {
        return this.#program.log;
    }

    /** The portal's JSON API with the operator's token: `{status, body}`. */
    portal(method, path, body) {
        const headers = { authorization: `Bearer ${this.token}` };
        return this.#send(method, `/portal/v1${path}`, headers, body === undefined ? undefined : JSON.stringify(body));
    }

    /** The same where anything but success is a bug of the test; the body. */
    async operate(method, path, body) {
        const reply = await this.portal(method, path, body);
        if (reply.status >= 300) {
            throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
        }
        return reply.body;
    }

    /** A new app with a key, as an operator makes it. */
    async app(name = "Shop") {
        const { app_id } = await this.operate("POST", "/apps", { name });
        const { api_key } = await this.operate("POST", `/apps/${app_id}/keys`, { name: "test" });
        return new App(this, app_id, api_key);
    }

    /** A signed call of an app: `{status, headers, body}`. */
    signed(key, method, target, body, options) {
        const text = body === undefined ? undefined : JSON.stringify(body);
        const now = Math.floor(Date.now() / 1000) + this.#ahead;
        return this.#send(method, target, sign(key, method, target, text, { now, ...options }), text);
    }

    /** Ends it as a crash would, and starts it again on the same data and the same port. */
    async crash() {
        const { host } = new URL(this.baseUrl);
        await this.#program.kill();
        const env = this.#ahead === 0 ? {} : { CLOCK_SHIFT: String(this.#ahead), LD_PRELOAD: await clock(this.#directory) };
        this.#program = await this.#run(host, env);
    }

    /** Lets time pass for the vault, which is started again for it. No other clock moves. */
    async pass(seconds) {
        this.#ahead += seconds;
        await this.crash();
    }

    /** Stops it in an orderly way and removes its data; a vault that ends with an error is one. */
    async stop() {
        try {
            await this.#program.stop();
        } finally {
            await rm(this.#directory, { recursive: true, force: true });
        }
    }

    async #send(method, target, headers, body) {
        const typed = body === undefined ? headers : { ...headers, "content-type": "application/json" };
        const sent = fetch(this.baseUrl + target, { method, headers: typed, body, redirect: "manual" });
        const reply = await sent.catch((error) => {
            throw new Error(`${method} ${target}: ${error.cause ?? error}; the vault's log:\n${this.log}`);
        });
        const text = await reply.text();
        const isJson = reply.headers.get("content-type")?.includes("json");
        return { status: reply.status, headers: reply.headers, body: isJson ? JSON.parse(text) : text };
    }
}

/** One app, its operator's view and its own calls. */
class App {
    constructor(vault, id, key) {
        this.vault = vault;
        this.id = id;
        this.key = key;
    }

    /** The portal below `/apps/{id}`; the body of a success. */
    operate(method, path, body) {
        return this.vault.operate(method, `/apps/${this.id}${path}`, body);
    }

    /** A signed `POST` below `/sdk`. */
    post(path, body, options) {
        return this.vault.signed(this.key, "POST", `/sdk${path}`, body, options);
    }

    /** A call through the vault. */
    proxy(grantId, method, url, more = {}) {
        return this.post("/proxy", { method, url, grant_id: grantId, ...more });
    }
}

/**
 * The headers of a signed call. `now` is in Unix seconds; `caller` is signed with its type `service`. The target is
 * signed percent-decoded, its query sorted and written anew.
 */
export function sign(key, method, target, body = "", { now, nonce, caller } = {}) {
    const timestamp = String(now ?? Math.floor(Date.now() / 1000));
    const fresh = nonce ?? randomBytes(16).toString("hex");
    const hash = createHash("sha256").update(body).digest("hex");
    const lines = [method, canonical(target), timestamp, fresh, hash, ""];
    if (caller) lines.push(`caller:${caller}`, "caller-type:service");
    const signingKey = createHmac("sha256", key).update("alter-signing-v1").digest();
    const signature = createHmac("sha256", signingKey).update(lines.join("\n")).digest("hex");
    return {
        "x-api-key": key,
        "x-alter-timestamp": timestamp,
        "x-alter-nonce": fresh,
        "x-alter-content-sha256": hash,
        "x-alter-signature": signature,
        ...(caller && {
            "x-alter-signature-v2": signature,
            "x-alter-caller": caller,
            "x-alter-caller-type": "service",
        }),
    };
}

/** Builds what sets a program's clock forward. */
async function clock(directory) {
    const library = join(directory, "clock.so");
    const source = join(import.meta.dirname, "clock.c");
    await promisify(execFile)("cc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
    return library;
}

function canonical(target) {
    const at = target.indexOf("?");
    const path = decodeURIComponent(at < 0 ? target : target.slice(0, at));
    const pairs = at < 0 ? [] : [...new URLSearchParams(target.slice(at + 1))];
    if (pairs.length === 0) return path;
    const order = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
    pairs.sort(([name, value], [otherName, otherValue]) => order(name, otherName) || order(value, otherValue));
    return `${path}?${pairs.map((pair) => pair.map(form).join("=")).join("&")}`;
}

/** Form encoding as the clients write it: `~` stays, `*` does not. */
function form(text) {
    return encodeURIComponent(text)
        .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
        .replaceAll("%20", "+");
}
