/** Every state that a page of Connect can be in, each by the way on which people get there. */

import { allow, deny, start } from "./connect.mjs";

/** A provider that has to know more before its page can open. */
const asks = (definition) => ({
    ...definition,
    variables: [
        { name: "workspace", label: "Workspace", source: "user", shape: "dns_label", example: "acme" },
        { name: "region", label: "Region", source: "user", shape: { one_of: ["eu", "us"] }, default: "eu" },
    ],
    authorization: { ...definition.authorization, params: { x_workspace: "{workspace}", x_region: "{region}" } },
});

/** Of the console's errors all but the status of a page that refuses: for Chromium that is an error as well. */
const isComplaint = (line) => !/the server responded with a status of 4\d\d \([A-Z]/.test(line);

const LONG = "Internationale Buchhaltungsdatenverarbeitungsgesellschaft für Freie Berufe";

const NAMED = ["notes:read", "notes:write", "openid", "profile", "email", "offline_access"];
const UNKNOWN_SCOPE = { allowed: NAMED, default: NAMED, required: [] };

const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();
const connect = (page, name = "Notes") => start(page, name).then(() => allow(page, "alice"));
const inbox = (stage, options) => stage.app({ name: "Inbox Helper", ...options });
const both = (stage) => inbox(stage, { providers: ["notes", "boards"], scopes: UNKNOWN_SCOPE });
const asking = (stage) => inbox(stage, { changes: { notes: asks } });

/**
 * By name a function of `(stage, then)`: reaches the state in a browser session of its own, and hands `then` its page,
 * and a function that says what the pages have complained of.
 */
export const STATES = {
    "arrival-without-token": link("/sdk/oauth/connect", "This link is incomplete"),
    unknown: link("/sdk/oauth/connect#session=sess_none", "This link does not work"),
    one: visit(inbox, {}, (page) => heading(page, "Connect Notes to Inbox Helper")),
    two: visit(both, {}, (page) => heading(page, "Connect your accounts to Inbox Helper")),
    "two-connected-and-declined": visit(both, {}, async (page) => {
        await connect(page);
        await page.getByText("Connected as").waitFor();
        await page.getByRole("button", { name: "Not now: Boards" }).click();
        await page.getByText("Not connected").waitFor();
    }),
    "long-names": visit((stage) => stage.app({ name: LONG }), {}, (page) => heading(page, /Buchhaltung/)),
    direct: visit(inbox, { direct: true, allowed_providers: ["notes"] }, async (page, { session }) => {
        // The page goes on at once; here it may not.
        await page.getByRole("button", { name: "Allow" }).waitFor();
        await page.route(`${session.page}/start`, (route) => route.abort("aborted"));
        await page.goto(session.page, { waitUntil: "commit" });
        await page.getByRole("button", { name: "Go on" }).waitFor();
    }),
    form: visit(asking, {}, (page) => page.getByLabel("Workspace").waitFor()),
    "form-error": visit(asking, {}, async (page) => {
        await page.getByLabel("Workspace").fill("not a name!");
        await start(page);
        await page.getByText("This must be one part of a host name").waitFor();
    }),
    failed: visit(both, {}, async (page, { stage }) => {
        await stage.notes.control("outage", { on: true, endpoints: ["token"] });
        try {
            await connect(page);
            await page.getByRole("button", { name: "Try Notes again" }).waitFor();
        } finally {
            await stage.notes.control("outage", { on: false });
        }
    }),
    leaving: visit(inbox, {}, async (page, { stage }) => {
        await page.route(`${stage.notes.issuer}/**`, (route) => route.abort("aborted"));
        await start(page);
        await heading(page, /Going to/);
    }),
    "done-popup": visit(inbox, {}, async (page) => {
        await connect(page);
        await heading(page, "Connected to Inbox Helper");
    }),
    "done-redirect": visit(inbox, { return_url: "http://127.0.0.1:9/back" }, async (page) => {
        // The page goes on at once; here it may not.
        await page.route("http://127.0.0.1:9/**", (route) => route.abort("aborted"));
        await connect(page);
        await heading(page, "Connected to Inbox Helper");
    }),
    "done-nothing": visit(inbox, {}, async (page) => {
        await start(page);
        await deny(page);
        await heading(page, "Nothing was connected");
    }),
    used: visit(inbox, {}, async (page, { session }) => {
        await start(page);
        const other = await page.context().newPage();
        await other.goto(session.page);
        await other.getByRole("button", { name: "Cancel" }).click();
        await heading(other, "Nothing was connected");
        await other.close();
        await allow(page, "alice");
        await heading(page, "This link was used already");
    }),
    elsewhere: async (stage, then) => {
        const session = await stage.session(await inbox(stage));
        await stage.link(session, async ({ page }) => {
            await page.waitForURL(session.page);
            await link(`/sdk/oauth/connect#session=${session.token}`, "Opened somewhere else")(stage, then);
        });
    },
    expired: async (stage, then) => {
        const session = await stage.session(await inbox(stage));
        await stage.vault.pass(601);
        await link(`/sdk/oauth/connect#session=${session.token}`, "This link has expired")(stage, then);
    },
};

/** The link of a new session of the app that `make` makes, opened; `walk` goes on from there. */
function visit(make, options, walk) {
    return async (stage, then) => {
        const session = await stage.session(await make(stage), options);
        await stage.link(session, async ({ page, complaints }) => {
            if (!options.direct) await page.waitForURL(session.page);
            await walk(page, { stage, session });
            await then(page, () => complaints.filter(isComplaint));
        });
    };
}

/** An address that leads to a page which says why not. */
function link(path, name) {
    return (stage, then) =>
        stage.link({ url: stage.vault.baseUrl + path }, async ({ page, complaints }) => {
            await heading(page, name);
            await then(page, () => complaints.filter(isComplaint));
        });
}
