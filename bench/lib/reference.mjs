// SPDX-License-Identifier: Apache-2.0
// The public names of bookings (src/core/reference.h), so that a workload can name bookings that no answer of
// this run has told it. The key is one of the bench's own.
const ROUNDS = 8;
const HALF_MASK = 0x3fffffff;
const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export const REFERENCE_KEY = '000102030405060708090a0b0c0d0e0f';

/** SipHash-2-4 of the five bytes round, half (little endian); the low 32 bits. 64-bit words are [high, low]. */
function makeHash(hex) {
    const key = Buffer.from(hex, 'hex');
    const [k0l, k0h, k1l, k1h] = [0, 4, 8, 12].map((at) => key.readUInt32LE(at));
    let ah, al, bh, bl, ch, cl, dh, dl;
    const low = (x, y) => (x + y) >>> 0;
    const carry = (sum, x) => (sum < x ? 1 : 0);
    function sipRound() {
        let l, h;
        al = low(l = al, bl); ah = (ah + bh + carry(al, l)) >>> 0;
        h = bh; bh = (bh << 13 | bl >>> 19) >>> 0; bl = (bl << 13 | h >>> 19) >>> 0;
        bh = (bh ^ ah) >>> 0; bl = (bl ^ al) >>> 0;
        [ah, al] = [al, ah];
        cl = low(l = cl, dl); ch = (ch + dh + carry(cl, l)) >>> 0;
        h = dh; dh = (dh << 16 | dl >>> 16) >>> 0; dl = (dl << 16 | h >>> 16) >>> 0;
        dh = (dh ^ ch) >>> 0; dl = (dl ^ cl) >>> 0;
        al = low(l = al, dl); ah = (ah + dh + carry(al, l)) >>> 0;
        h = dh; dh = (dh << 21 | dl >>> 11) >>> 0; dl = (dl << 21 | h >>> 11) >>> 0;
        dh = (dh ^ ah) >>> 0; dl = (dl ^ al) >>> 0;
        cl = low(l = cl, bl); ch = (ch + bh + carry(cl, l)) >>> 0;
        h = bh; bh = (bh << 17 | bl >>> 15) >>> 0; bl = (bl << 17 | h >>> 15) >>> 0;
        bh = (bh ^ ch) >>> 0; bl = (bl ^ cl) >>> 0;
        [ch, cl] = [cl, ch];
    }
    return (round, half) => {
        [ah, al, bh, bl] = [k0h ^ 0x736f6d65, k0l ^ 0x70736575, k1h ^ 0x646f7261, k1l ^ 0x6e646f6d].map((x) => x >>> 0);
        [ch, cl, dh, dl] = [k0h ^ 0x6c796765, k0l ^ 0x6e657261, k1h ^ 0x74656462, k1l ^ 0x79746573].map((x) => x >>> 0);
        const ml = (round | half << 8) >>> 0; // the message, and its length in the highest byte
        const mh = (half >>> 24 | 5 << 24) >>> 0;
        dh = (dh ^ mh) >>> 0; dl = (dl ^ ml) >>> 0;
        sipRound(); sipRound();
        ah = (ah ^ mh) >>> 0; al = (al ^ ml) >>> 0;
        cl = (cl ^ 0xff) >>> 0;
        sipRound(); sipRound(); sipRound(); sipRound();
        return (al ^ bl ^ cl ^ dl) >>> 0;
    };
}

const hash = makeHash(REFERENCE_KEY);

/** K7Q2-M9XD-4TZB */
export function referenceOf(id) {
    let left = Math.floor(id / (HALF_MASK + 1));
    let right = id % (HALF_MASK + 1);
    for (let round = 0; round < ROUNDS; round++)
        [left, right] = [right, (left ^ (hash(round, right) & HALF_MASK)) >>> 0];
    let text = '';
    for (const half of [left, right])
        for (let shift = 25; shift >= 0; shift -= 5) text += SYMBOLS[half >>> shift & 31];
    return `${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8)}`;
}
