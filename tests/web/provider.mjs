/**
 * The provider as a program: `node provider.mjs [--access-token-ttl 60] [--auto alice] …`.
 *
 * Prints one line of JSON when it is ready: `{issuer, client_id, client_secret, api, control}`. Stops on SIGTERM or
 * SIGINT, and with `--until-eof` also when its standard input ends, so that it does not outlive the test that started it.
 */

import { parseArgs } from "node:util";

import { startProvider } from "./provider/server.mjs";

const { values } = parseArgs({
    options: {
        "access-token-ttl": { type: "string", default: process.env.ACCESS_TOKEN_TTL ?? "3600" },
        "refresh-token-ttl": { type: "string", default: process.env.REFRESH_TOKEN_TTL ?? "1209600" },
        "redirect-uri": { type: "string", multiple: true, default: [] },
        "client-auth": { type: "string", default: process.env.CLIENT_AUTH ?? "client_secret_basic" },
        "offline-only": { type: "boolean", default: process.env.OFFLINE_ONLY === "1" },
        auto: { type: "string", default: process.env.AUTO === "1" ? "alice" : "" },
        port: { type: "string", default: "0" },
        "until-eof": { type: "boolean", default: false },
    },
});

const provider = await startProvider({
    accessTokenTtl: positive("access-token-ttl"),
    refreshTokenTtl: positive("refresh-token-ttl"),
    redirectUris: values["redirect-uri"],
    clientAuth: values["client-auth"],
    offlineOnly: values["offline-only"],
    auto: values.auto || undefined,
    port: Number(values.port),
});
const { close, ...ready } = provider;
console.log(JSON.stringify(ready));

const stop = () => close().then(() => process.exit(0));
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
if (values["until-eof"]) process.stdin.resume().once("end", stop);

function positive(name) {
    const number = Number(values[name]);
    if (!(number > 0)) throw new Error(`--${name} must be a positive number of seconds`);
    return number;
}
