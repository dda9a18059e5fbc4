// SPDX-License-Identifier: Apache-2.0
// What must be reached, and whether it is. Absolute rates hold for a machine whose noop reaches 88,000 a second on 64
// connections; where it is slower they shrink with it, where it is faster they stay.
import {PEERS} from './kinds.mjs';
import {SERVER_NAMES} from './servers.mjs';

const NOOP_OF_REFERENCE = 88_000;
const FULL_BOOKINGS = 10_000_000;
const FULL_WAITING = 1_000_000;

const format = {
    rate: (value) => Math.round(value).toLocaleString('en'),
    ratio: (value) => value.toFixed(2),
    times: (value) => `${value.toFixed(0)} times`,
    ms: (value) => `${value.toFixed(1)} ms`,
    kib: (value) => `${value.toFixed(1)} KiB`,
    mib: (value) => `${value.toFixed(1)} MiB`,
};

function rows(figures) {
    const list = [];
    const {results} = figures;
    const noop = figures.median('noop', 64);
    const scale = noop ? Math.min(1, noop / NOOP_OF_REFERENCE) : 1;
    const add = (what, kind, direction, bound, value) => list.push({what, kind, direction, bound, value});
    const least = (what, kind, bound, value) => add(what, kind, 'least', bound, value);
    const most = (what, kind, bound, value) => add(what, kind, 'most', bound, value);
    const ms = (name, connections, field) => figures.median(name, connections, field) / 1000;

    least('rush, 256 connections: bookings a second', 'rate', 55_000 * scale, figures.median('rush', 256));
    least('rush, 256 connections: of noop', 'ratio', 0.6, figures.ratio(['rush', 256], ['noop', 256]));
    // The best peer wherever it is at its best; admit at 256.
    const best = (kinds) => Math.max(...figures.runs.filter((run) => kinds.some((kind) => run.name === `peer-${kind}`))
        .map((run) => figures.median(run.name, run.connections)));
    const rush = figures.median('rush', 256);
    const beside = (kinds) => (figures.runs.some((run) => kinds.some((kind) => run.name === `peer-${kind}`)) ? rush / best(kinds) : undefined);
    least('rush, 256 connections: of the best peer at its best', 'times', 25, beside(PEERS));
    least('rush, 256 connections: of the Sequelize peer at its best', 'times', 75, beside(['sequelize']));
    most('rush, 64 connections: p99', 'ms', 4, ms('rush', 64, 'p99_us'));
    least('rush, 1,024 connections: bookings a second', 'rate', 50_000 * scale, figures.median('rush', 1024));
    most('rush, 1,024 connections: p99', 'ms', 40, ms('rush', 1024, 'p99_us'));
    least('rush, 1 connection: of the commit rate of the floor', 'ratio', 0.8, figures.ratio(['rush', 1], ['floor-commit', 0]));
    for (const [name, bound] of [['rush-limited', 0.7], ['rush-keyed', 0.6], ['rush-told', 0.95], ['sold-out', 0.8], ['churn', 0.5], ['spread', 0.7]])
        least(`${name}: of rush`, 'ratio', bound, figures.ratio([name, 256], ['rush', 256]));
    least('status: of noop', 'ratio', 0.8, figures.ratio(['status', 64], ['noop', 64]));
    least('event: of noop', 'ratio', 0.8, figures.ratio(['event', 64], ['noop', 64]));
    most('search, 64 connections: p99', 'ms', 10, ms('search', 64, 'p99_us'));

    const heard = (field) => figures.median('stream', 256, (run) => run.heard?.[field]);
    least('stream, 10,000 listeners: of rush', 'ratio', 0.8, heard('of_rush'));
    most('stream: a commit is with every listener after', 'ms', 500, heard('late_ms'));
    most('stream: memory for each listener', 'kib', 16, heard('kib_each'));
    const isFull = results.sizes.full >= FULL_BOOKINGS && results.sizes.line >= FULL_WAITING;
    const full = (value) => (isFull ? value : undefined);
    least('full: rush, of empty', 'ratio', 0.9, full(figures.ratio(['full-rush', 256], ['rush', 256])));
    most('full: rush, p99', 'ms', 20, full(ms('full-rush', 256, 'p99_us')));
    most('full: rush, longest answer of all rounds', 'ms', 100, full(figures.most('full-rush', 256, 'max_us') / 1000));
    most('full: history, p99', 'ms', 10, full(ms('full-history', 64, 'p99_us')));
    most('full: history of people with a handful, p99', 'ms', 10, full(ms('full-history-rare', 64, 'p99_us')));
    most('full: position, p99 (exact: see the checks)', 'ms', 10, full(ms('full-position', 64, 'p99_us')));
    least('full: status, of empty', 'ratio', 0.95, full(figures.ratio(['full-status', 64], ['status', 64])));
    most('full: resident after start', 'mib', 64, full(figures.median('full-start', 0, 'memory_mib')));
    most('full: start until the first ticket is sold', 'ms', 1000, full(figures.median('full-start', 0, 'sold_ms')));
    for (const [store, title] of Object.entries(SERVER_NAMES)) {
        const rushOn = [`rush-${store}`, 256];
        least(`rush on ${title}, 256 connections: bookings a second`, 'rate', 20_000 * scale, figures.median(...rushOn));
        least(`rush on ${title}, 256 connections: of 64 connections by hand`, 'times', 10, figures.ratio(rushOn, [`floor-${store}`, 0]));
        least(`two processes on ${title}: of one`, 'ratio', 0.8, figures.ratio([`pair-${store}`, 256], rushOn));
        least(`full: rush on ${title}, of empty`, 'ratio', 0.7, full(figures.ratio([`full-rush-${store}`, 256], rushOn)));
    }
    const crowded = figures.runs.filter((run) => run.connections === 1024 && run.memory_most_mib).map((run) => run.memory_most_mib);
    most('resident at most, 1,024 connections, any workload', 'mib', 256, crowded.length ? Math.max(...crowded) : undefined);
    most('the program without debug symbols', 'mib', 5, results.binary_bytes / 1048576);
    return list;
}

/** [{what, wanted, measured, reached}]; reached is undefined where this bench did not measure it. */
export function wanted(figures) {
    return rows(figures).map(({what, kind, direction, bound, value}) => {
        const isMeasured = Number.isFinite(value);
        return {
            what,
            wanted: `${direction === 'least' ? 'at least' : 'at most'} ${format[kind](bound)}`,
            measured: isMeasured ? format[kind](value) : 'not measured',
            reached: isMeasured ? (direction === 'least' ? value >= bound : value <= bound) : undefined,
        };
    });
}

export function scaleInWords(figures) {
    const noop = figures.median('noop', 64);
    if (!noop) return 'noop was not measured: absolute rates are those of a machine that reaches 88,000.';
    const reached = `noop reached ${format.rate(noop)} a second on 64 connections`;
    return noop >= NOOP_OF_REFERENCE ? `${reached}: the absolute rates wanted stand as they are.`
        : `${reached}, ${format.ratio(noop / NOOP_OF_REFERENCE)} of the 88,000 that the absolute rates are for: those wanted are reduced to that part.`;
}
