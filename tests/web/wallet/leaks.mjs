/** What must not be found anywhere. */

/** Signed tokens, whoever's they are, and the vault's own by their beginnings. A prefix of a key, for people, is none. */
const SHAPES = [/eyJ[\w-]{8,}\.eyJ[\w-]{8,}/, /sess_[\w-]{40,}/, /alter_(key|op)_\w+_[\w-]{24,}/];

/** Which of the texts hold one of the secrets, or something that looks like one; shortened. */
export function secretsIn(texts, secrets) {
    const found = (text) => secrets.some((secret) => text.includes(secret)) || SHAPES.some((shape) => shape.test(text));
    return texts.filter(found).map((text) => text.slice(0, 200));
}
