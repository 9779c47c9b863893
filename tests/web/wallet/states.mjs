/** Every page of the Wallet's in every state that it can be in, by the made-up API: `mode` is its state, `reach` goes on from the address. */

const GRANT = (n) => `/grants/0198c2f4-7b1e-7c3a-9d52-000000000${n}`;
const APP = "0198c2f4-7b1e-7c3a-9d52-000000000001";

const opened = (name) => async (page) => {
    await page.getByRole("button", { name }).first().click();
    await page.getByRole("dialog").waitFor();
};

/** By name `{path, mode, reach, answers}`; `answers`: the API's refusals are part of it. */
export const STATES = {
    apps: { path: "/" },
    "apps-many": { path: "/", mode: "many" },
    "apps-empty": { path: "/", mode: "empty" },
    "apps-error": { path: "/", mode: "error", answers: true },
    "apps-loading": { path: "/", mode: "slow" },
    menu: {
        path: "/",
        reach: (page) => page.getByRole("button", { name: /^Your account/ }).click(),
    },
    connections: { path: "/connections" },
    "connections-empty": { path: "/connections", mode: "empty" },
    "connections-error": { path: "/connections", mode: "error", answers: true },
    activity: { path: "/activity" },
    "activity-unfolded": {
        path: "/activity",
        reach: async (page) => {
            await page.getByRole("button", { name: "Filters" }).click();
            await page.getByRole("button", { name: /^Details: / }).first().click();
        },
    },
    "activity-empty": { path: "/activity", mode: "empty" },
    "activity-error": { path: "/activity", mode: "error", answers: true },
    approvals: { path: "/approvals", mode: "approvals" },
    "approvals-empty": { path: "/approvals" },
    "approvals-error": { path: "/approvals", mode: "error", answers: true },
    grant: { path: GRANT(301) },
    "grant-hostile": { path: GRANT(307) },
    "grant-broken": { path: GRANT(303) },
    "grant-unknown": { path: GRANT(999), answers: true },
    revoke: { path: GRANT(301), reach: opened(/^Revoke access of/) },
    receipt: {
        path: GRANT(301),
        reach: async (page) => {
            await opened(/^Revoke access of/)(page);
            await page.getByRole("dialog").getByRole("button", { name: "Revoke access" }).click();
            await page.getByText("Access has ended. This is what was done:").waitFor();
        },
    },
    extend: { path: GRANT(301), reach: opened(/^Extend access/) },
    "sign-in": { path: `/sign-in?app=${APP}` },
    "sign-in-without-app": { path: "/sign-in", mode: "unlisted" },
    "sign-in-error": { path: "/sign-in?error=sign_in_denied" },
    "signed-out": { path: `/sign-in?state=${APP}` },
    suspended: { path: "/", mode: "suspended", answers: true },
    "not-found": { path: "/nowhere" },
};
