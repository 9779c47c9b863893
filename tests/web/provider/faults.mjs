/** Trouble on request at the token and revocation endpoints: slow, unreachable, or a reply that never arrives. */

import { json } from "./http.mjs";

/**
 * `status`: answers 503 and does nothing. `reset`: closes the connection and does nothing. `lost`: does everything, then
 * closes the connection instead of answering.
 */
export const OUTAGES = ["status", "reset", "lost"];

export class Faults {
    #outage;
    #left = Infinity;
    #endpoints = [];
    #delay = { before: 0, after: 0 };

    /** `times`: how many requests it concerns; without it, all until it is switched off. */
    outage({ on, mode = "status", times, endpoints = ["token", "revocation"] }) {
        if (on && !OUTAGES.includes(mode)) throw bad(`mode must be one of ${OUTAGES.join(", ")}`);
        this.#outage = on ? mode : undefined;
        this.#left = times ?? Infinity;
        this.#endpoints = endpoints;
    }

    /** Milliseconds until a request is worked on (`when: "before"`) or until its reply is sent (`"after"`). */
    delay({ ms, when = "before" }) {
        if (!(ms >= 0) || !(when in this.#delay)) throw bad("ms must not be negative, when is before or after");
        this.#delay[when] = ms;
    }

    /** Lets the request through to `next`, or not; `endpoint` is `token` or `revocation`. */
    async pass(endpoint, counters, request, response, next) {
        const mode = this.#take(endpoint);
        await sleep(this.#delay.before);
        if (mode === "status") {
            counters.outages.status += 1;
            request.resume();
            return json(response, 503, { error: "temporarily_unavailable" }, { "retry-after": "1" });
        }
        if (mode === "reset") {
            counters.outages.reset += 1;
            return request.socket.resetAndDestroy();
        }
        const after = this.#delay.after;
        if (mode === "lost" || after > 0) {
            const end = response.end;
            response.end = (...args) => {
                sleep(after).then(() => {
                    if (mode !== "lost") return end.apply(response, args);
                    counters.outages.lost += 1;
                    return request.socket.resetAndDestroy();
                });
                return response;
            };
        }
        return next();
    }

    #take(endpoint) {
        if (!this.#outage || this.#left <= 0 || !this.#endpoints.includes(endpoint)) return undefined;
        this.#left -= 1;
        return this.#outage;
    }
}

/** An injected fault is a span of time; there is no event to wait for. */
function sleep(ms) {
    return ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : Promise.resolve();
}

function bad(message) {
    return Object.assign(new Error(message), { status: 400 });
}
