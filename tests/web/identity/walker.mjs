/** A browser by hand, for walks on which no page has to be looked at: cookies, redirects, forms that are sent. */

const MAX_STEPS = 12;

/** Goes where it is led, as far as `until` (an address that nobody is at); `{url, status, text}` of where it ends. */
export function walker(until) {
    const jar = new Map();
    return async function go(to, fields, step = 0) {
        if (step > MAX_STEPS) throw new Error(`the way does not end: ${to}`);
        const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
        const form = fields && { method: "POST", body: new URLSearchParams(fields) };
        const reply = await fetch(to, { ...form, redirect: "manual", headers: { cookie } });
        for (const line of reply.headers.getSetCookie()) {
            const [pair] = line.split(";");
            jar.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
        }
        const next = reply.headers.get("location");
        if (!next) return { url: new URL(to), status: reply.status, text: await reply.text() };
        const url = new URL(next, to);
        const isEnd = until && url.href.startsWith(until);
        return isEnd ? { url, status: reply.status, text: "" } : go(url.href, undefined, step + 1);
    };
}

/** The main heading of a page. */
export function heading({ text }) {
    return /<h1[^>]*>([^<]*)<\/h1>/.exec(text)?.[1];
}
