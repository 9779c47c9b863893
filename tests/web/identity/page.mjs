/** The provider's pages: who are you, and its way out. Apps of one house ask for no consent. */

import { escape, html, readBody } from "../provider/http.mjs";

/** `GET` shows the page, `POST` decides. Who is signed in already is not asked again, unless the client wants them to be. */
export async function interaction({ provider, accounts, settings, resource }, request, response) {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    const finish = (result) =>
        provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    const deny = () => finish({ error: "access_denied", error_description: "The person said no" });
    const admit = async (accountId) => {
        const grant = new provider.Grant({ accountId, clientId: params.client_id });
        grant.addOIDCScope(params.scope);
        grant.addResourceScope(resource, params.scope);
        return finish({ login: { accountId }, consent: { grantId: await grant.save() } });
    };
    const asksWho = prompt.name === "login";
    if (settings.auto) return settings.deny ? deny() : admit(asksWho ? params.login_hint || settings.auto : session.accountId);
    if (!asksWho) return admit(session.accountId);
    if (request.method === "GET") return html(response, 200, page(params));
    const form = new URLSearchParams(await readBody(request));
    if (form.get("decision") !== "in") return deny();
    const account = form.get("account")?.trim();
    return accounts.find(account) ? admit(account) : html(response, 400, page(params, "No such account."));
}

/** The page that asks whether to sign out, and the one that says that it is done. */
export function signOut(ctx, form) {
    const id = /id="([^"]+)"/.exec(form ?? "")?.[1];
    const ask = `<button form="${id}" name="logout" value="yes">Sign out</button>`;
    ctx.type = "html";
    ctx.body = whole("Sign out", id ? `${form}${ask}` : "<p>You are signed out</p>");
}

function page(params, problem) {
    return whole(
        "Sign in",
        `${problem ? `<p role="alert">${escape(problem)}</p>` : ""}
<p>to go on to <strong>${escape(params.client_id)}</strong></p>
<form method="post">
<p><label>User name <input name="account" required value="${escape(params.login_hint ?? "")}"></label></p>
<button name="decision" value="in">Sign in</button>
<button name="decision" value="out" formnovalidate>Cancel</button>
</form>`,
    );
}

function whole(title, content) {
    return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>${title}</h1>${content}</main></body></html>`;
}
