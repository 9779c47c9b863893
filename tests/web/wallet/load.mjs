/** How a page is loaded: what goes over the wire, and when somebody can use it. */

/** A cold load of an address, on a processor that is `slowdown` times slower: `{ms, files}` until what `ready` selects is there. */
export async function load(browser, url, ready, { slowdown = 1, cookies = [] } = {}) {
    const context = await browser.newContext({ serviceWorkers: "block" });
    try {
        await context.addCookies(cookies);
        const page = await context.newPage();
        const debug = await context.newCDPSession(page);
        await debug.send("Network.enable");
        await debug.send("Network.setCacheDisabled", { cacheDisabled: true });
        await debug.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
        const files = new Map();
        debug.on("Network.responseReceived", ({ requestId, response }) => {
            const { pathname } = new URL(response.url);
            files.set(requestId, { path: pathname, headers: response.headers, bytes: 0 });
        });
        debug.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
            const file = files.get(requestId);
            if (file) file.bytes = encodedDataLength;
        });
        // By the page's own clock, from the beginning of the navigation to the frame in which it is there and the thread is free.
        await page.addInitScript((ready) => {
            globalThis.usable = new Promise((resolve) => {
                const look = () => (document.querySelector(ready) ? setTimeout(() => resolve(performance.now())) : requestAnimationFrame(look));
                requestAnimationFrame(look);
            });
        }, ready);
        await page.goto(url);
        const ms = await page.evaluate(() => globalThis.usable);
        await page.waitForLoadState("networkidle");
        return { ms, files: [...files.values()] };
    } finally {
        await context.close();
    }
}

/** What counts as the first view: module, scripts and styles. */
export function firstView(files) {
    return files.filter(({ path }) => /\.(wasm|js|css)$/.test(path));
}

export function sum(numbers) {
    return numbers.reduce((a, b) => a + b, 0);
}

export function median(numbers) {
    return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
