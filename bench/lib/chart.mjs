// SPDX-License-Identifier: Apache-2.0
// The picture of the rush: bookings a second by connections, admit and the peers. One line each, named at its end; readable
// on light and on dark paper. The scale is logarithmic, or the peers would all lie on the axis.
import {writeFileSync} from 'node:fs';
import {PEERS} from './kinds.mjs';
import {Figures} from './results.mjs';

const WIDTH = 780;
const HEIGHT = 420;
const PLOT = {left: 70, right: 500, top: 70, bottom: 360};
const LABEL_HEIGHT = 17;

export const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 16px; font-weight: 600; } .quiet { fill: #59636e; } .strong { font-weight: 600; }
    .grid { stroke: #d1d9e0; } path { fill: none; stroke-width: 2; stroke-linejoin: round; }
    .s0 { stroke: #0969da; } .s1 { stroke: #bc4c00; } .s2 { stroke: #8250df; } .s3 { stroke: #1a7f37; } .s4 { stroke: #bf3989; }
    circle { fill: #ffffff; stroke-width: 2; } path.s0 { stroke-width: 3; }
    @media (prefers-color-scheme: dark) {
        text { fill: #e6edf3; } .quiet { fill: #9198a1; } .grid { stroke: #3d444d; } circle { fill: #0d1117; }
        .s0 { stroke: #4493f8; } .s1 { stroke: #f0883e; } .s2 { stroke: #ab7df8; } .s3 { stroke: #3fb950; } .s4 { stroke: #f778ba; }
    }`;

const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
export const whole = (value) => Math.round(value).toLocaleString('en');

function seriesOf(figures) {
    const of = (name, title) => ({title, points: [...new Set(figures.of(name).map((run) => run.connections))].sort((a, b) => a - b)
        .map((connections) => ({connections, rate: figures.median(name, connections)}))});
    return [of('rush', 'admit'), ...PEERS.map((kind) => of(`peer-${kind}`, figures.of(`peer-${kind}`)[0]?.title ?? kind))]
        .filter((series) => series.points.length > 0);
}

/** Labels keep their order and do not lie on each other. */
function apart(labels) {
    const sorted = [...labels].sort((a, b) => a.y - b.y);
    for (let i = 1; i < sorted.length; i++) sorted[i].y = Math.max(sorted[i].y, sorted[i - 1].y + LABEL_HEIGHT);
    const over = sorted.length ? Math.max(0, sorted.at(-1).y - PLOT.bottom) : 0;
    for (const label of sorted) label.y -= over;
    return labels;
}

export function draw(results) {
    const series = seriesOf(new Figures(results));
    const counts = [...new Set(series.flatMap(({points}) => points.map(({connections}) => connections)))].sort((a, b) => a - b);
    const rates = series.flatMap(({points}) => points.map(({rate}) => rate)).filter((rate) => rate > 0);
    const [low, high] = [Math.floor(Math.log10(Math.min(...rates))), Math.ceil(Math.log10(Math.max(...rates)))];
    const x = (connections) => PLOT.left + 24 + (counts.indexOf(connections) * (PLOT.right - PLOT.left - 48)) / Math.max(1, counts.length - 1);
    const y = (rate) => PLOT.bottom - ((Math.log10(rate) - low) * (PLOT.bottom - PLOT.top)) / Math.max(1, high - low);
    const at = (value) => value.toFixed(1);

    const parts = [];
    for (let power = low; power <= high; power++) {
        const height = at(y(10 ** power));
        parts.push(`<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${height}" y2="${height}"/>`,
            `<text class="quiet" x="${PLOT.left - 8}" y="${height}" dy="4" text-anchor="end">${whole(10 ** power)}</text>`);
    }
    const below = (left, down, text) => `<text class="quiet" x="${at(left)}" y="${PLOT.bottom + down}" text-anchor="middle">${text}</text>`;
    parts.push(...counts.map((count) => below(x(count), 22, whole(count))), below((PLOT.left + PLOT.right) / 2, 44, 'connections'));
    series.forEach(({points}, index) => {
        const steps = points.map(({connections, rate}, i) => `${i ? 'L' : 'M'}${at(x(connections))} ${at(y(rate))}`);
        parts.push(`<path class="s${index}" d="${steps.join(' ')}"/>`);
        for (const {connections, rate} of points) {
            const [cx, cy] = [at(x(connections)), at(y(rate))];
            parts.push(`<circle class="s${index}" cx="${cx}" cy="${cy}" r="4"/>`);
            if (index === 0) parts.push(`<text class="strong" x="${cx}" y="${cy}" dy="-12" text-anchor="middle">${whole(rate)}</text>`);
        }
    });
    const labels = apart(series.map(({title, points}, index) => ({index, title, y: y(points.at(-1).rate) + 4,
        best: Math.max(...points.map(({rate}) => rate))})));
    for (const {index, title, y: height, best} of labels) {
        const text = index === 0 ? title : `${title}, ${whole(best)}`;
        parts.push(`<path class="s${index}" d="M${PLOT.right + 6} ${at(height - 4)} h12"/>`,
            `<text${index === 0 ? ' class="strong"' : ''} x="${PLOT.right + 24}" y="${at(height)}">${escaped(text)}</text>`);
    }
    const {machine, options} = results;
    const rounds = `medians of ${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds'}`;
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Bookings a second by connections, admit and four peers">
<style>${STYLE}
</style>
<text class="title" x="16" y="28">Bookings a second for one event, durable, by connections</text>
<text class="quiet" x="16" y="48">${machine.processors} processors, the client on them too; logarithmic; ${rounds}; beside a peer's name its best</text>
${parts.join('\n')}
</svg>
`;
}

export const writeChart = (file, results) => writeFileSync(file, draw(results));
