/** What the made-up API knows: apps, agents and grants in each state, texts that mean harm, and rows without end. */

import { deflateSync } from "node:zlib";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Markup, orders of text, nothing to see, and far too long. */
export const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
export const REORDERED = "Pay \u202Egnp.eciovni\u202C to Bob\u200B";
export const LONG = `Ten kilobytes: ${"the agent explains itself at length. ".repeat(280)}end.`;

export function data(mode, rows) {
    const now = Date.now();
    const at = (ms) => new Date(now + ms).toISOString();
    const empty = mode === "empty";
    const apps = empty ? [] : [TRIPS, MAIL, SHOP].map((it) => ({ ...it }));
    const agents = empty ? [] : [
        agent(1, TRIPS, "booking-assistant", "Booking assistant", true),
        agent(2, TRIPS, "price-watch", "Price watch", true),
        agent(3, MAIL, "triage", null, true),
        agent(4, SHOP, "rtl", REORDERED, false),
    ];
    let grants = empty ? [] : fixtures(at);
    if (mode === "many") {
        grants = Array.from({ length: 60 }, (_, n) => ({
            ...grants[n % grants.length],
            grant_id: uuid(0x900 + n),
            label: `Number ${n + 1}`,
        }));
    }
    const approvals = mode === "approvals" ? waiting(at) : [];
    const state = {
        rows: empty ? 0 : rows,
        now,
        apps,
        agents,
        grants,
        approvals,
        logos: new Map([[TRIPS.app_id, png(24, 96, 160, 66)]]),
        session: {
            user_id: uuid(0x77),
            name: "Ada Winter",
            email: "ada.winter@example.com",
            subject: "ada",
            issuer: "https://accounts.example.com",
            app: TRIPS,
            expires_at: at(20 * HOUR),
            idle_seconds: 8 * 3600,
        },
        overview: () => ({
            user_id: uuid(0x77),
            apps,
            agents,
            grants: state.grants,
            truncated: mode === "many",
            pending_approvals: approvals.length,
            now: new Date().toISOString(),
        }),
        detail(id) {
            const grant = state.grants.find((it) => it.grant_id === id);
            if (!grant) return undefined;
            const same = (it) => it !== grant && it.connection_id && it.connection_id === grant.connection_id;
            return {
                app: apps.find((it) => it.app_id === grant.app_id),
                grant,
                siblings: state.grants.filter(same),
                agents: agents.filter((it) => it.app_id === grant.app_id),
                support_email: grant.app_id === TRIPS.app_id ? "help@trips.example" : undefined,
                now: new Date().toISOString(),
            };
        },
        revoke(id, reason) {
            const grant = state.grants.find((it) => it.grant_id === id);
            if (!grant?.may_revoke) return undefined;
            const own = grant.holder.type === "you";
            const others = state.grants.filter(
                (it) => own && it !== grant && it.connection_id && it.connection_id === grant.connection_id && it.status === "active",
            );
            for (const it of [grant, ...others]) {
                const deleted = own && it.kind === "oauth";
                Object.assign(it, {
                    status: "revoked",
                    may_revoke: false,
                    extendable_to: null,
                    reconnect: null,
                    ended: {
                        at: new Date().toISOString(),
                        from: "wallet",
                        reason,
                        tokens_deleted: deleted,
                        provider_revocation: deleted ? { status: "revoked", at: new Date().toISOString() } : null,
                    },
                });
            }
            return { grant, ended_with_it: others.map((it) => it.grant_id) };
        },
        extend(id, expires_at) {
            const grant = state.grants.find((it) => it.grant_id === id);
            if (!grant?.extendable_to) return undefined;
            grant.expires_at = expires_at;
            grant.status = "active";
            return grant;
        },
    };
    return state;
}

/** A page of rows, newest first, each made of its number. */
export function activityOf(state, query) {
    const limit = Math.min(Number(query.get("limit") ?? 100), 500);
    const items = [];
    let n = Number(query.get("cursor") ?? 0);
    // As the real one: an answer looks at a bounded number of rows, and may be short although more follow.
    for (let seen = 0; n < state.rows && items.length < limit && seen < 5_000; n += 1, seen += 1) {
        const row = rowOf(state, n);
        if (fits(row, query)) items.push(row);
    }
    return { items, next_cursor: n < state.rows ? String(n) : null };
}

export function countsOf(state, query) {
    const buckets = new Map();
    let n = Number(query.get("cursor") ?? 0);
    for (let seen = 0; n < state.rows && seen < 5_000; n += 1, seen += 1) {
        const row = rowOf(state, n);
        if (row.event !== "call" || !fits(row, query)) continue;
        const at = Math.floor(Date.parse(row.created_at) / (30 * MINUTE)) * 30 * MINUTE;
        const bucket = buckets.get(at) ?? { at: new Date(at).toISOString(), calls: 0, failed: 0 };
        bucket.calls += 1;
        bucket.failed += row.outcome === "success" ? 0 : 1;
        buckets.set(at, bucket);
    }
    return { buckets: [...buckets.values()], next_cursor: n < state.rows ? String(n) : null };
}

export function csvOf(state, query) {
    const names = ["created_at", "event", "outcome", "provider_id", "method", "host", "path", "status", "latency_ms", "reason"];
    const lines = [names.join(",")];
    for (let n = 0; n < Math.min(state.rows, 5_000); n += 1) {
        const row = rowOf(state, n);
        if (fits(row, query)) lines.push(names.map((name) => JSON.stringify(row[name] ?? "")).join(","));
    }
    return `${lines.join("\r\n")}\r\n`;
}

function fits(row, query) {
    const is = (name) => !query.get(name) || String(row[name]) === query.get(name);
    const q = query.get("q")?.toLowerCase();
    const texts = [row.reason, row.host, row.path, row.method, row.provider_id];
    return ["app_id", "grant_id", "agent_id", "provider_id", "event", "outcome"].every(is)
        && (!q || texts.some((it) => it?.toLowerCase().includes(q)))
        && (!query.get("since") || row.created_at >= new Date(query.get("since")).toISOString())
        && (!query.get("until") || row.created_at < new Date(query.get("until")).toISOString());
}

const REASONS = [
    "Find a free slot for the flight to Lisbon",
    "Read the itinerary that you forwarded",
    "Compare prices before Friday",
    "Add the hotel to your calendar",
    null,
    "You asked: what is on tomorrow?",
];
const CALLS = [
    ["google", "GET", "www.googleapis.com", "/calendar/v3/calendars/primary/events"],
    ["google", "POST", "www.googleapis.com", "/calendar/v3/calendars/primary/events"],
    ["github", "GET", "api.github.com", "/repos/ada/notes/issues"],
    ["slack", "POST", "slack.com", "/api/chat.postMessage"],
    ["stripe", "GET", "api.stripe.com", "/v1/charges"],
];
const OUTCOMES = ["success", "success", "success", "success", "success", "success", "success", "provider_error", "denied"];

function rowOf(state, n) {
    const mix = (n * 2_654_435_761) >>> 0;
    const [provider_id, method, host, path] = CALLS[mix % CALLS.length];
    const grant = state.grants.find((it) => it.provider_id === provider_id) ?? state.grants[0];
    const agent = mix % 3 === 0 ? state.agents.find((it) => it.app_id === grant.app_id) : undefined;
    const outcome = OUTCOMES[(mix >>> 4) % OUTCOMES.length];
    // More by day than by night, the newest a minute ago.
    const created = state.now - MINUTE - n * 4 * MINUTE - (mix % (3 * MINUTE));
    const reason = n === 2 ? HOSTILE : n === 4 ? REORDERED : n === 6 ? LONG : REASONS[(mix >>> 8) % REASONS.length];
    const row = {
        ...BLANK_ROW,
        id: uuid(0x10_0000 + n),
        created_at: new Date(created).toISOString(),
        event: "call",
        outcome,
        app_id: grant.app_id,
        actor_type: agent ? "agent" : "app",
        agent_id: agent?.agent_id ?? null,
        grant_id: grant.grant_id,
        grant_kind: grant.kind,
        grant_label: grant.label,
        provider_id,
        principal_type: "user",
        principal_user_id: uuid(0x77),
        user_id: uuid(0x77),
        method,
        host,
        path: n === 3 ? `/v1/${"a-very-long-path-segment/".repeat(12)}` : path,
        status: outcome === "success" ? (method === "POST" ? 201 : 200) : outcome === "provider_error" ? [403, 429, 500][mix % 3] : null,
        error_code: outcome === "denied" ? "insufficient_scope" : null,
        latency_ms: 40 + (mix % 900),
        request_bytes: method === "POST" ? 220 : 0,
        response_bytes: 512 + (mix % 40_000),
        reason,
        surface: "sdk",
    };
    if (n % 97 !== 11) return row;
    const event = ["grant.created", "connection.reconnected", "grant.expired"][n % 3];
    return { ...row, event, outcome: "success", method: null, host: null, path: null, status: null, latency_ms: null, reason: null };
}

const BLANK_ROW = {
    caller_key_id: null, caller_key_prefix: null, caller: null, caller_type: null, operator_token_id: null, ip: null,
    principal_idp_id: null, principal_group_id: null, principal_agent_id: null, truncated: false, redacted: false, context: {},
    traceparent: null, detail: {},
};

const TRIPS = app(1, "Trips", "Plans journeys and books them.", "https://trips.example", "#18603f", "#7fd6a0", true);
const MAIL = app(2, "Inbox Helper", "Sorts your mail and drafts answers.", "https://inbox.example", "#ffd400", null, false);
const SHOP = app(3, "Über-Shop & Söhne <b>GmbH</b> with a name that does not end", null, null, null, null, false);

function app(n, name, description, website_url, color, color_dark, logo) {
    const app_id = uuid(n);
    const logo_url = logo ? `/wallet/api/logos/${app_id}/abc123` : null;
    return { app_id, name, description, website_url, branding: { logo_url, color, color_dark } };
}

function agent(n, app, name, display_name, active) {
    return { agent_id: uuid(0x200 + n), app_id: app.app_id, name, display_name, active };
}

function fixtures(at) {
    const scope = (scope, words = null) => ({ scope, words });
    const calendar = scope("https://www.googleapis.com/auth/calendar.events", "read and change events in your calendar");
    const mail = scope("https://www.googleapis.com/auth/gmail.readonly", "read your mail");
    const base = {
        label: null, account: null, scopes: [], status: "active", reconnect: null, expires_at: null, last_used_at: null, agent_ids: [],
        may_revoke: true, extendable_to: null, ended: null, connection_id: null, holder: { type: "you" },
    };
    const oauth = (n, app, provider_id, provider_name, more) => ({
        ...base, grant_id: uuid(0x300 + n), app_id: app.app_id, provider_id, provider_name, kind: "oauth",
        connection_id: uuid(0x400 + n), created_at: at(-n * 9 * DAY), ...more,
    });
    const google = { identifier: "ada.winter@gmail.com", display_name: "Ada Winter" };
    return [
        oauth(1, TRIPS, "google", "Google", {
            account: google, scopes: [calendar, mail], last_used_at: at(-3 * MINUTE), expires_at: at(80 * DAY),
            agent_ids: [uuid(0x201), uuid(0x202)], extendable_to: at(351 * DAY), label: "Family calendar",
        }),
        oauth(2, TRIPS, "google", "Google", {
            connection_id: uuid(0x401), account: google, scopes: [calendar], last_used_at: at(-50 * MINUTE),
            holder: { type: "agent", agent_id: uuid(0x201) },
        }),
        oauth(3, MAIL, "google", "Google", {
            account: { identifier: "ada@work.example", display_name: null }, scopes: [mail, scope("https://www.googleapis.com/auth/drive.metadata.readonly")],
            last_used_at: at(-26 * HOUR), reconnect: { since: at(-25 * HOUR), cause: "invalid_grant" }, agent_ids: [uuid(0x203)],
        }),
        oauth(4, TRIPS, "github", "GitHub", {
            account: { identifier: "ada-winter", display_name: "Ada" }, scopes: [scope("repo", "read and change your repositories"), scope("read:user", "read your profile")],
            last_used_at: at(-5 * HOUR), expires_at: at(3 * HOUR + 12 * MINUTE), extendable_to: at(30 * DAY),
        }),
        oauth(5, MAIL, "slack", "Slack", {
            account: { identifier: "U02ADA", display_name: "Ada at Winterworks" }, scopes: [scope("chat:write"), scope("channels:history")],
            last_used_at: at(-40 * DAY), created_at: at(-200 * DAY),
        }),
        {
            ...base, grant_id: uuid(0x306), app_id: SHOP.app_id, provider_id: "stripe", provider_name: "Stripe", kind: "managed_secret",
            holder: { type: "group", name: "Finance & <i>Controlling</i>" }, created_at: at(-90 * DAY), last_used_at: at(-2 * HOUR), may_revoke: false,
            label: "Invoices",
        },
        {
            ...base, grant_id: uuid(0x307), app_id: SHOP.app_id, provider_id: "weather-api", provider_name: HOSTILE, kind: "managed_secret",
            created_at: at(-3 * DAY), label: REORDERED, expires_at: at(4 * MINUTE + 20_000),
        },
        oauth(8, MAIL, "notion", "Notion", {
            account: { identifier: "ada@notion.example", display_name: null }, scopes: [], status: "expired", expires_at: at(-2 * DAY),
            extendable_to: at(20 * DAY), last_used_at: at(-3 * DAY),
        }),
        oauth(9, TRIPS, "dropbox", "Dropbox", {
            account: { identifier: "ada.winter@example.com", display_name: null }, scopes: [scope("files.content.read", "read your files")],
            status: "revoked", may_revoke: false, last_used_at: at(-12 * DAY),
            ended: {
                at: at(-11 * DAY), from: "wallet", reason: "I no longer use it", tokens_deleted: true,
                provider_revocation: { status: "failed", at: at(-11 * DAY) },
            },
        }),
    ];
}

function waiting(at) {
    return [
        {
            approval_id: uuid(0x501), app_id: TRIPS.app_id, agent_id: uuid(0x201), grant_id: uuid(0x301), provider_id: "google", method: "POST",
            url: "https://www.googleapis.com/calendar/v3/calendars/primary/events?sendUpdates=all",
            payload: '{\n  "summary": "Flight TP 571 to Lisbon",\n  "start": "2026-12-03T07:05:00+01:00",\n  "attendees": ["bob@example.com"]\n}',
            reason: "You asked me to book the early flight and to tell Bob.", created_at: at(-2 * MINUTE), expires_at: at(8 * MINUTE),
        },
        {
            approval_id: uuid(0x502), app_id: SHOP.app_id, agent_id: null, grant_id: uuid(0x306), provider_id: "stripe", method: "DELETE",
            url: "https://api.stripe.com/v1/customers/cus_9s6XKzkNRiz8i3", payload: null, reason: REORDERED + HOSTILE, created_at: at(-30 * MINUTE),
            expires_at: at(26 * HOUR),
        },
    ];
}

function uuid(n) {
    return `0198c2f4-7b1e-7c3a-9d52-${n.toString(16).padStart(12, "0")}`;
}

/** A square picture in one colour with a lighter disc. */
function png(r, g, b, size) {
    const raw = Buffer.alloc(size * (size * 3 + 1));
    for (let y = 0; y < size; y += 1) {
        for (let x = 0; x < size; x += 1) {
            const inside = Math.hypot(x - size / 2, y - size / 2) < size / 3.4;
            raw.set(inside ? [255, 255, 255] : [r, g, b], y * (size * 3 + 1) + 1 + x * 3);
        }
    }
    const head = Buffer.alloc(13);
    head.writeUInt32BE(size, 0);
    head.writeUInt32BE(size, 4);
    head.set([8, 2, 0, 0, 0], 8);
    const parts = [["IHDR", head], ["IDAT", deflateSync(raw)], ["IEND", Buffer.alloc(0)]].map(([name, body]) => chunk(name, body));
    return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), ...parts]);
}

function chunk(name, body) {
    const typed = Buffer.concat([Buffer.from(name, "latin1"), body]);
    const out = Buffer.alloc(typed.length + 8);
    out.writeUInt32BE(body.length, 0);
    typed.copy(out, 4);
    out.writeUInt32BE(crc(typed), typed.length + 4);
    return out;
}

function crc(bytes) {
    let sum = 0xffff_ffff;
    for (const byte of bytes) {
        sum ^= byte;
        for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb8_8320 : sum >>> 1;
    }
    return (sum ^ 0xffff_ffff) >>> 0;
}
