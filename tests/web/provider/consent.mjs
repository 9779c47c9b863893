/** The provider's own page: who are you, and may this app? One page, two buttons, a box for each scope of the API. */

import { escape, html, readBody } from "./http.mjs";

export const API_SCOPES = ["notes:read", "notes:write"];
const ACCOUNT = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** `GET` shows the page, `POST` decides. `settings.auto` names the account that consents without being asked. */
export async function interaction(provider, settings, request, response) {
    const details = await provider.interactionDetails(request, response);
    const { prompt, params, session } = details;
    const known = session?.accountId;
    const asksWho = prompt.name === "login";
    if (settings.auto && request.method === "GET") {
        const account = asksWho ? params.login_hint || settings.auto : known;
        return settings.deny
            ? deny(provider, request, response)
            : allow(provider, details, account, API_SCOPES, request, response);
    }
    if (request.method === "GET") {
        return html(response, 200, page(params, asksWho ? undefined : known), settings.pageHeaders);
    }
    const form = new URLSearchParams(await readBody(request));
    if (form.get("decision") !== "allow") return deny(provider, request, response);
    const account = asksWho ? form.get("account")?.trim() : known;
    if (!ACCOUNT.test(account ?? "")) return html(response, 400, page(params, undefined, "No such account."));
    return allow(provider, details, account, form.getAll("scope"), request, response);
}

/** Sign-in and consent in one step, always under a grant of its own: what one connection revokes, no other one loses. */
async function allow(provider, { params }, accountId, apiScopes, request, response) {
    const asked = (params.scope ?? "").split(" ").filter(Boolean);
    const refused = asked.filter((scope) => API_SCOPES.includes(scope) && !apiScopes.includes(scope));
    const grant = new provider.Grant({ accountId, clientId: params.client_id });
    grant.addOIDCScope(asked.join(" "));
    if (refused.length > 0) grant.rejectOIDCScope(refused.join(" "));
    const result = { login: { accountId }, consent: { grantId: await grant.save() } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

async function deny(provider, request, response) {
    const result = { error: "access_denied", error_description: "The account's owner said no" };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

function page(params, account, problem) {
    const asked = (params.scope ?? "").split(" ").filter((scope) => API_SCOPES.includes(scope));
    const boxes = asked.map(
        (scope) => `<p><label><input type="checkbox" name="scope" value="${scope}" checked> ${scope}</label></p>`,
    );
    const who = account
        ? `<p>Signed in as <strong>${escape(account)}</strong></p>`
        : `<p><label>User name <input name="account" required value="${escape(params.login_hint ?? "")}"></label></p>`;
    return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Notes: sign in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main>
<h1>Notes</h1>
${problem ? `<p role="alert">${escape(problem)}</p>` : ""}
<p><strong>${escape(params.client_id)}</strong> asks for: ${escape(params.scope ?? "nothing")}</p>
<form method="post">
${who}
${boxes.join("\n")}
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny" formnovalidate>Deny</button>
</form>
</main></body></html>`;
}
