// SPDX-License-Identifier: Apache-2.0
// Waiting. Everything takes longer under a sanitizer: TEST_SLOW says how many times.
import {setTimeout as sleep} from 'node:timers/promises';

const asked = Number(process.env.TEST_SLOW ?? (process.env.ADMIT_SLOW ? 10 : 1));
export const slow = Number.isFinite(asked) && asked >= 1 ? asked : 1;

export {sleep};

const text = (at) => new Date(at).toISOString().replace(/\.000Z$/, 'Z');

/** So many days from now, on the hour, as the interface writes times. */
export function inDays(days, hour = 19) {
    const at = new Date(Date.now() + days * 86_400_000);
    at.setUTCHours(hour, 0, 0, 0);
    return text(at);
}

/** A moment that can be waited for, and in which a few requests can still be made before. */
export function soon() {
    return text(Date.now() + 1500 * Math.min(slow, 5));
}

/** Waits until the moment is certainly over. */
export async function past(moment) {
    await sleep(Math.max(0, Date.parse(moment) - Date.now()) + 50);
}

/** Asks again and again until the answer is not falsy. */
export async function until(what, ask, seconds = 10) {
    const end = Date.now() + seconds * 1000 * slow;
    for (;;) {
        const answer = await ask();
        if (answer) return answer;
        if (Date.now() > end) throw new Error(`${what}: waited for ${seconds * slow} s in vain`);
        await sleep(20);
    }
}

/** What the promise gives; an error when it gives nothing for so long. */
export async function within(seconds, what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: waited for ${seconds * slow} s in vain`)), seconds * 1000 * slow);
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

/** Like Promise.all(items.map(act)), with at most `width` under way at once. */
export async function inTurns(items, width, act) {
    const results = new Array(items.length);
    let next = 0;
    const worker = async () => {
        while (next < items.length) {
            const index = next++;
            results[index] = await act(items[index], index);
        }
    };
    await Promise.all(Array.from({length: Math.min(width, items.length)}, worker));
    return results;
}
