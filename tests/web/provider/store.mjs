/**
 * What the provider remembers, in memory and countable: the adapter of `oidc-provider` for every kind of artefact.
 *
 * Stricter than the library's own: consuming what is consumed already is a reuse even when two requests read it before
 * either of them wrote, so that a client that races itself is caught here as it would be at a provider with a lock.
 */

import { errors } from "oidc-provider";

export class Store {
    #items = new Map();
    /** How often a consumed refresh token or code was presented again while the first use was still under way. */
    races = 0;
    /** Every token and code that was ever made, by kind: an opaque one is its own id. */
    issued = Object.fromEntries(ISSUED.map((kind) => [kind, new Set()]));

    /** The factory that `oidc-provider` asks for an adapter of each kind. */
    adapter = (kind) => new Adapter(this, kind);

    get(kind, id) {
        const key = `${kind}:${id}`;
        const item = this.#items.get(key);
        if (item && item.expiresAt <= Date.now()) {
            this.#items.delete(key);
            return undefined;
        }
        return item?.payload;
    }

    set(kind, id, payload) {
        this.issued[kind]?.add(id);
        // The library's clock has whole seconds; what it calls expired is gone here in the same moment.
        const expiresAt = payload.exp === undefined ? Infinity : payload.exp * 1000;
        this.#items.set(`${kind}:${id}`, { kind, id, payload, expiresAt });
    }

    delete(kind, id) {
        this.#items.delete(`${kind}:${id}`);
    }

    /** The live payloads of a kind. */
    *of(kind) {
        for (const { kind: other, id } of [...this.#items.values()]) {
            const payload = other === kind ? this.get(kind, id) : undefined;
            if (payload) yield payload;
        }
    }

    find(kind, field, value) {
        for (const payload of this.of(kind)) if (payload[field] === value) return payload;
        return undefined;
    }

    /** Deletes all live artefacts of a kind that match, and says how many there were. */
    drop(kind, matches) {
        let dropped = 0;
        for (const { kind: other, id } of [...this.#items.values()]) {
            const payload = other === kind ? this.get(kind, id) : undefined;
            if (payload && matches(payload)) {
                this.delete(kind, id);
                dropped += 1;
            }
        }
        return dropped;
    }

    /** Deletes a grant and whatever was issued under it. */
    revokeGrant(grantId) {
        for (const kind of ISSUED) this.drop(kind, (payload) => payload.grantId === grantId);
        this.delete("Grant", grantId);
    }
}

const ISSUED = ["AccessToken", "AuthorizationCode", "RefreshToken"];

class Adapter {
    constructor(store, kind) {
        this.store = store;
        this.kind = kind;
    }

    async upsert(id, payload) {
        this.store.set(this.kind, id, payload);
    }

    async find(id) {
        return this.store.get(this.kind, id);
    }

    async findByUid(uid) {
        return this.store.find(this.kind, "uid", uid);
    }

    async findByUserCode(userCode) {
        return this.store.find(this.kind, "userCode", userCode);
    }

    async consume(id) {
        const payload = this.store.get(this.kind, id);
        if (payload?.consumed === undefined) {
            if (payload) payload.consumed = Math.floor(Date.now() / 1000);
            return;
        }
        this.store.races += 1;
        this.store.revokeGrant(payload.grantId);
        throw new errors.InvalidGrant("used twice at the same time");
    }

    async destroy(id) {
        this.store.delete(this.kind, id);
    }

    async revokeByGrantId(grantId) {
        this.store.drop(this.kind, (payload) => payload.grantId === grantId);
    }
}
