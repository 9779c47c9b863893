/** The strings behind the stage, for tests: on a port of its own, which no oddity reaches. */

import { json, readJson } from "../provider/http.mjs";
import { accessToken, forged, idToken } from "./tokens.mjs";

/** The handler of the control port. */
export function control(idp) {
    const { accounts, keys, oddities, settings, store, tally } = idp;
    const routes = {
        "GET /control/state": () => ({ ...tally, kids: keys.kids() }),
        // Who sits at a browser that has no pages; without an account, the pages are there again.
        "POST /control/auto": ({ account, deny = false }) => {
            settings.auto = account || undefined;
            settings.deny = deny;
            return {};
        },
        "POST /control/account": ({ account, deleted = false, ...changes }) => {
            if (deleted) accounts.delete(account);
            else accounts.change(account, changes);
            return accounts.claims(account) ?? {};
        },
        "POST /control/client": ({ client_id, ...changes }) => {
            const before = store.get("Client", client_id);
            if (!before) throw Object.assign(new Error("no such client"), { status: 404 });
            const redirect_uris = [...new Set([...before.redirect_uris, ...(changes.redirect_uris ?? [])])];
            store.set("Client", client_id, { ...before, ...changes, redirect_uris });
            return {};
        },
        "POST /control/rotate": ({ keep = true }) => {
            keys.rotate({ keep });
            idp.renew();
            return { kids: keys.kids() };
        },
        "POST /control/retire": () => {
            keys.retire();
            idp.renew();
            return { kids: keys.kids() };
        },
        "POST /control/fault": (fault) => (oddities.fault(fault), {}),
        "POST /control/replace": (replacements) => (oddities.replace(replacements), {}),
        "POST /control/token": async ({ kind = "id", ...about }) => ({
            token: await { id: idToken, access: accessToken, forged }[kind](idp, about),
        }),
    };
    return async (request, response) => {
        const route = routes[`${request.method} ${new URL(request.url, "http://control").pathname}`];
        if (!route) return json(response, 404, { error: "not_found", routes: Object.keys(routes) });
        return json(response, 200, await route(await readJson(request)));
    };
}
