/** The signing keys: an RSA and an EC one at a time sign, older ones may still be published. */

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

export class Keys {
    #all = pair();

    /** New keys sign from now on. The old ones stay published, or not. */
    rotate({ keep = true } = {}) {
        this.#all = [...pair(), ...(keep ? this.#all : [])];
    }

    /** Only what signs now is published from now on. */
    retire() {
        this.#all = this.#all.slice(0, 2);
    }

    /** As JWKs with their private parts; what signs is first. */
    private() {
        return this.#all.map(({ jwk }) => jwk);
    }

    kids() {
        return this.#all.map(({ jwk }) => jwk.kid);
    }

    /** Signs any header and claims with the key for `alg`, or with one that nobody has heard of. */
    sign(alg, header, claims, { stranger = false } = {}) {
        const { jwk, key } = (stranger ? pair() : this.#all).find(({ jwk }) => jwk.alg === alg);
        const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
        const kid = stranger ? this.#all.find((known) => known.jwk.alg === alg).jwk.kid : jwk.kid;
        const input = `${encode({ alg, kid, ...header })}.${encode(claims)}`;
        return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
    }
}

function pair() {
    return [made("RS256", "rsa", { modulusLength: 2048 }), made("ES256", "ec", { namedCurve: "P-256" })];
}

function made(alg, type, options) {
    const { privateKey: key } = generateKeyPairSync(type, options);
    const kid = `${alg.toLowerCase()}-${randomBytes(6).toString("hex")}`;
    return { key, jwk: { ...key.export({ format: "jwk" }), alg, use: "sig", kid } };
}
