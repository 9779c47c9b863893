/** The site with the made-up API that it is developed with: what no vault can be brought to say, or not so much of it. */

import { start } from "../../../wallet-frontend/dev/mock.mjs";
import { open } from "../browser.mjs";
import { SITE } from "./stage.mjs";

/** Started; `visit(options, then)` is a browser of its own. */
export async function startMock(browser, { rows = 500 } = {}) {
    const { url, close } = await start({ dist: SITE, rows });
    const visit = async (options, then) => {
        const { context, complaints } = await open(browser, options);
        try {
            return await then({ page: await context.newPage(), context, complaints });
        } finally {
            await context.close();
        }
    };
    return { url, close, visit };
}
