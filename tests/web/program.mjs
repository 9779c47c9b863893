/** Programs that print one line of JSON when they are ready: started, read, stopped. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const START_MS = 20_000;
const STOP_MS = 15_000;

/** Starts the program; what it says on standard error is kept in `log` and is part of every error. */
export async function start(command, args, { env = process.env, cwd } = {}) {
    const child = spawn(command, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
    const exited = new Promise((resolve) => {
        child.once("error", (error) => resolve(String(error)));
        child.once("exit", (code, signal) => resolve(code ?? signal));
    });
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
    const lines = createInterface({ input: child.stdout });
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, START_MS, "nothing in time")));
    const first = once(lines, "line").then(([line]) => ({ line }));
    const came = await Promise.race([first, exited, late]);
    clearTimeout(timer);
    if (came.line === undefined) {
        child.kill("SIGKILL");
        throw new Error(`${command} did not get ready (${came}):\n${log}`);
    }
    return {
        ready: JSON.parse(came.line),
        child,
        get log() {
            return log;
        },
        /** Asks it to stop; a program that does not go, or ends with an error, is an error. */
        stop: async () => {
            child.kill("SIGTERM");
            const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
            const how = await exited;
            clearTimeout(timer);
            if (how !== 0) throw new Error(`${command} stopped with ${how}:\n${log}`);
        },
        /** Ends it as a crash would. */
        kill: async () => {
            child.kill("SIGKILL");
            await exited;
        },
    };
}

/** The provider as a process of its own. `POST`s to its control port go through `control(path, body)`. */
export function startProviderProgram(args = [], env = {}) {
    return startServer("provider.mjs", args, env);
}

/** The same for the identity provider. */
export function startIdentityProgram() {
    return startServer("identity-provider.mjs");
}

async function startServer(script, args = [], env = {}) {
    const program = await start(process.execPath, [script, "--until-eof", ...args], {
        cwd: import.meta.dirname,
        env: { ...process.env, NODE_NO_WARNINGS: "1", ...env },
    });
    const control = async (path, body) => {
        const reply = await fetch(`${program.ready.control}/${path}`, {
            method: body === undefined ? "GET" : "POST",
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        if (!reply.ok) throw new Error(`control ${path}: ${reply.status} ${await reply.text()}`);
        return reply.json();
    };
    return { ...program.ready, program, control, state: () => control("state"), stop: program.stop };
}
