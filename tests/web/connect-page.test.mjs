/**
 * The quality of Connect's pages: each state at phone and desktop width, in light and in dark, for eyes, keyboards and screen
 * readers. With `SCREENSHOTS` set, each is kept as a picture.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startStage } from "./connect.mjs";
import { problems } from "./looks.mjs";
import { STATES } from "./states.mjs";

let stage;
before(async () => {
    stage = await startStage();
});
after(() => stage.close());

for (const [name, reach] of Object.entries(STATES)) {
    test(`${name}: axe finds nothing in any look, nothing is too wide, nothing is complained of`, async () => {
        await reach(stage, async (page, complaints) => {
            assert.deepEqual(await problems(page, name), []);
            assert.deepEqual(complaints(), []);
        });
    });
}
