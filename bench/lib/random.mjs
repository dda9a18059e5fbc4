// SPDX-License-Identifier: Apache-2.0
// Random in the same way every time, so that two versions of admit are given the same work.

/** mulberry32 */
export function random(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ state >>> 15, state | 1);
        t = (t + Math.imul(t ^ t >>> 7, t | 61)) ^ t;
        return ((t ^ t >>> 14) >>> 0) / 4294967296;
    };
}

export function shuffled(list, next) {
    const all = [...list];
    for (let i = all.length - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1));
        [all[i], all[j]] = [all[j], all[i]];
    }
    return all;
}

export const upTo = (most) => Array.from({length: most}, (_, index) => index + 1);
