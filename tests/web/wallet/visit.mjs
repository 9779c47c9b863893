/** One person's browser at the Wallet. */

import { signInAs } from "../identity/stage.mjs";

/** Of the console's errors all but the status of what was refused: for Chromium that is an error as well. */
const isComplaint = (line) => !/the server responded with a status of 4\d\d \(/.test(line);

export class Visit {
    constructor(stage, context, page, complaints) {
        Object.assign(this, { stage, context, page, reported: complaints });
    }

    /** What the pages have complained of, beyond answers that refuse. */
    get complaints() {
        return this.reported.filter(isComplaint);
    }

    /** From the app's link to the Wallet's first page. */
    async signIn(app, account) {
        const { page } = this;
        await page.goto(`${this.stage.origin}/sign-in?app=${app.id}`);
        await page.getByRole("link", { name: /^Continue with/ }).click();
        await signInAs(page, account);
        await page.waitForURL(`${this.stage.origin}/`);
        await this.heading("Apps");
    }

    /** From any page by the menu, and the identity provider's own way out, back to the Wallet's first page for guests. */
    async signOut() {
        const { page } = this;
        await page.getByRole("button", { name: /^Your account/ }).click();
        await page.getByRole("button", { name: "Sign out" }).click();
        await page.waitForURL((url) => !url.href.startsWith(this.stage.origin));
        await page.getByRole("button", { name: "Sign out" }).click();
        await page.waitForURL(`${this.stage.origin}/sign-in?**`);
        await page.getByText("You are signed out.").waitFor();
    }

    /** Another page of the Wallet, by its address, when its content is there. */
    async go(path, name) {
        await this.page.goto(this.stage.origin + path);
        await this.heading(name);
    }

    /** Waits until the page has a heading, and nothing of it is still being loaded. */
    async heading(name) {
        await this.page.getByRole("heading", { level: 1, ...(name && { name }) }).waitFor();
        await this.page.waitForFunction(() => !document.querySelector("[aria-busy=true], .skeleton, .skeletons"));
    }

    /** One line of the connections' page: what one app can do with one account. */
    connection(app, provider = "Notes") {
        const way = this.page.getByRole("link", { name: `Details and history: ${provider} for ${app}`, exact: true });
        return this.page.getByRole("listitem").filter({ has: way });
    }

    /** What the page's own script would be told: `{status, body}`. */
    async api(path, { method = "GET", headers = {}, body } = {}) {
        return this.page.evaluate(
            async ([path, method, headers, body]) => {
                const typed = body === undefined ? headers : { "content-type": "application/json", ...headers };
                const reply = await fetch(`/wallet/api${path}`, { method, headers: typed, body });
                const text = await reply.text();
                return { status: reply.status, body: text.startsWith("{") ? JSON.parse(text) : text };
            },
            [path, method, headers, body === undefined ? undefined : JSON.stringify(body)],
        );
    }

    /** A write as the page's script makes it. */
    async write(path, body = {}) {
        const { csrf_token } = (await this.api("/session")).body;
        return this.api(path, { method: "POST", headers: { "x-alter-csrf": csrf_token }, body });
    }

    /** The session's cookie, which no script can read. */
    async cookie() {
        const cookies = await this.context.cookies(this.stage.origin);
        return cookies.find(({ name }) => name.endsWith("alter_wallet"));
    }
}
