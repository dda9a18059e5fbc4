// SPDX-License-Identifier: Apache-2.0
// The picture of a soak: memory, descriptors and latency over time, below each other, on one axis of minutes.
import {writeFileSync} from 'node:fs';
import {STYLE, whole} from './chart.mjs';

const WIDTH = 780;
const LEFT = 70;
const RIGHT = 690;
const TOP = 84;
const PANEL = 110;
const STEP = 160;

/** The least round number that is not below the value: 1, 2 or 5 and noughts. */
function roundUp(value) {
    const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
    return [1, 2, 5, 10].map((factor) => factor * power).find((round) => round >= value);
}

const at = (value) => value.toFixed(1);

function panel(samples, index, {title, lines}) {
    const top = TOP + index * STEP;
    const bottom = top + PANEL;
    const end = samples.at(-1).minute;
    const most = roundUp(Math.max(...samples.flatMap((sample) => lines.map(([, pick]) => pick(sample)))));
    const x = (minute) => LEFT + (minute / end) * (RIGHT - LEFT);
    const y = (value) => bottom - (value / most) * PANEL;
    const parts = [`<text class="strong" x="${LEFT}" y="${top - 10}">${title}</text>`];
    for (const value of [0, most / 2, most])
        parts.push(`<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${at(y(value))}" y2="${at(y(value))}"/>`,
            `<text class="quiet" x="${LEFT - 8}" y="${at(y(value))}" dy="4" text-anchor="end">${value < 10 ? value : whole(value)}</text>`);
    lines.forEach(([name, pick], which) => {
        const steps = samples.map((sample, i) => `${i ? 'L' : 'M'}${at(x(sample.minute))} ${at(y(pick(sample)))}`);
        parts.push(`<path class="s${which}" style="stroke-width: 1.5" d="${steps.join(' ')}"/>`);
        if (name) parts.push(`<text class="quiet" x="${RIGHT + 6}" y="${at(y(pick(samples.at(-1))))}" dy="${which ? 12 : -2}">${name}</text>`);
    });
    if (index === 2)
        for (const part of [0, 0.25, 0.5, 0.75, 1])
            parts.push(`<text class="quiet" x="${at(x(part * end))}" y="${bottom + 20}" text-anchor="middle">${Math.round(part * end)}</text>`);
    return parts.join('\n');
}

/** `soak`: {rate, samples: [{minute, memory_mib, descriptors, p50_us, p99_us}]}. */
export function drawSoak({rate, samples}) {
    const panels = [
        {title: 'memory, MiB resident', lines: [['', (sample) => sample.memory_mib]]},
        {title: 'open descriptors', lines: [['', (sample) => sample.descriptors]]},
        {title: 'latency, ms, counted from when a request was due', lines: [['p99', (sample) => sample.p99_us / 1000], ['p50', (sample) => sample.p50_us / 1000]]},
    ].map((each, index) => panel(samples, index, each));
    const height = TOP + 2 * STEP + PANEL + 60;
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Memory, descriptors and latency over time">
<style>${STYLE}
</style>
<text class="title" x="16" y="28">A soak: ${whole(samples.at(-1).minute)} minutes at ${whole(rate)} requests a second</text>
<text class="quiet" x="16" y="48">reads 90, bookings 8, cancellations 2 of 100; sign-ins, keys sent twice and clients that vanish beside them</text>
${panels.join('\n')}
<text class="quiet" x="${(LEFT + RIGHT) / 2}" y="${height - 14}" text-anchor="middle">minutes</text>
</svg>
`;
}

export const writeSoakChart = (file, soak) => writeFileSync(file, drawSoak(soak));
