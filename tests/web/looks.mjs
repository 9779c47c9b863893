/** A page as people with different eyes, windows and settings have it. */

import { LOOKS, accessibility, screenshot } from "./browser.mjs";

/** Where content has to reflow (WCAG 2.2, 1.4.10), and the size of the window that the package opens. */
const NARROW = { width: 320, height: 640 };
const POPUP = { width: 500, height: 700 };
/** What readers may set (WCAG 2.2, 1.4.12). */
const SPACED = [
    "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }",
    "p { margin-bottom: 2em !important }",
];

/** What axe finds on it in any look, and what is too wide. It looks different afterwards. */
export async function problems(page, name) {
    const problems = [];
    const note = (how, found) => problems.push(...found.map((problem) => `${how}: ${problem}`));
    for (const { name: look, viewport, colorScheme } of LOOKS) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        await screenshot(page, `${name}-${look}`);
        note(look, [...(await accessibility(page)), ...(await overflow(page))]);
    }
    for (const [how, viewport] of Object.entries({ narrow: NARROW, popup: POPUP })) {
        await page.setViewportSize(viewport);
        await screenshot(page, `${name}-${how}`);
        note(how, await overflow(page));
    }
    await page.setViewportSize(LOOKS[0].viewport);
    await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
    await screenshot(page, `${name}-large`);
    note("text twice as large", await overflow(page));
    await page.evaluate((rules) => {
        document.documentElement.style.fontSize = "";
        for (const rule of rules) document.styleSheets[0].insertRule(rule);
    }, SPACED);
    note("spaced text", await overflow(page));
    if ((await page.locator("h1:visible").count()) !== 1) problems.push("headings of the first level: not one");
    return problems;
}

/** What sticks out of the window, or out of its own box, by more than rounding; not what is for screen readers alone. */
export function overflow(page) {
    return page.evaluate(() => {
        const shown = [...document.querySelectorAll("body, body *")].filter((element) => {
            const { width, height } = element.getBoundingClientRect();
            return width > 1 && height > 1;
        });
        const wide = shown.filter((element) => {
            const { left, right } = element.getBoundingClientRect();
            const { display, textOverflow } = getComputedStyle(element);
            // What is shortened on purpose says so.
            const isBox = display !== "inline" && textOverflow !== "ellipsis" && element.tagName !== "SELECT";
            return left < -1 || right > innerWidth + 1 || (isBox && element.scrollWidth > element.clientWidth + 1);
        });
        return wide.map((element) => `${element.tagName}.${element.className} is ${element.scrollWidth} wide`);
    });
}
