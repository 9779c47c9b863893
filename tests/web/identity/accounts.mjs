/** Who has an account, and what the provider says of them. */

export class Accounts {
    #known = new Map();

    constructor(names) {
        for (const name of names) this.change(name, {});
    }

    /** Makes an account, or changes it: `{name, email, groups, roles}`. */
    change(sub, changes) {
        const before = this.#known.get(sub) ?? {
            name: sub.charAt(0).toUpperCase() + sub.slice(1),
            email: `${sub}@example.test`,
            email_verified: true,
        };
        this.#known.set(sub, { ...before, ...changes });
    }

    delete(sub) {
        this.#known.delete(sub);
    }

    /** All claims of an account; `undefined` when there is none. */
    claims(sub) {
        const known = this.#known.get(sub);
        return known && { ...known, sub };
    }

    /** What of them is in access tokens. */
    belongings(sub) {
        const { groups, roles } = this.#known.get(sub) ?? {};
        return { ...(groups && { groups }), ...(roles && { roles }) };
    }

    /** As `oidc-provider` wants it. */
    find(sub) {
        return this.#known.has(sub) ? { accountId: sub, claims: () => this.claims(sub) } : undefined;
    }
}
