/**
 * An identity provider as a program: `node identity-provider.mjs [--port 0]`.
 *
 * Prints one line of JSON when it is ready: `{issuer, client_id, client_secret, app, resource, control}`. Stops on SIGTERM
 * or SIGINT, and with `--until-eof` also when its standard input ends, so that it does not outlive the test that started it.
 */

import { parseArgs } from "node:util";

import { startIdentityProvider } from "./identity/server.mjs";

const { values } = parseArgs({
    options: {
        port: { type: "string", default: "0" },
        "until-eof": { type: "boolean", default: false },
    },
});

const { close, ...ready } = await startIdentityProvider({ port: Number(values.port) });
console.log(JSON.stringify(ready));

const stop = () => close().then(() => process.exit(0));
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
if (values["until-eof"]) process.stdin.resume().once("end", stop);
