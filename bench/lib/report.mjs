// SPDX-License-Identifier: Apache-2.0
// The figures as people read them: tables for the terminal and for docs/performance.md.
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {Figures, median} from './results.mjs';
import {scaleInWords, wanted} from './wanted.mjs';

const BEGIN = '<!-- bench:begin, written by make bench ARGS=--write -->';
const END = '<!-- bench:end -->';

/** What a workload is held against, at the same count of connections. */
const AGAINST = {
    rush: 'noop', 'rush-limited': 'rush', 'rush-keyed': 'rush', 'rush-told': 'rush', 'sold-out': 'rush', churn: 'rush', spread: 'rush', login: 'rush',
    status: 'noop', event: 'noop', history: 'noop', 'full-rush': 'rush', 'full-history': 'history', 'full-history-rare': 'history',
    stream: 'rush', 'full-position': 'position', 'full-status': 'status',
    'rush-postgres': 'rush', 'pair-postgres': 'rush-postgres', 'full-rush-postgres': 'rush-postgres',
    'rush-mariadb': 'rush', 'pair-mariadb': 'rush-mariadb', 'full-rush-mariadb': 'rush-mariadb',
    'peer-sequelize': 'rush', 'peer-lock': 'rush', 'peer-update': 'rush', 'peer-procedure': 'rush',
};

const whole = (value) => (Number.isFinite(value) ? Math.round(value).toLocaleString('en') : '');
const percent = (value) => `${(100 * value).toFixed(0)} %`;
const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : '');

/** A ratio that says something, however small. */
function ratio(value) {
    if (!Number.isFinite(value)) return '';
    return value >= 0.1 ? value.toFixed(2) : `1/${Math.round(1 / value)}`;
}

const columns = ['workload', 'connections', 'a second', 'least to most', 'against', 'p50 ms', 'p99 ms', 'max ms', 'MiB', 'CPU µs', 'checks'];

function row(figures, {name, connections}) {
    const middle = (field) => figures.median(name, connections, field);
    const runs = figures.of(name, connections);
    const failed = runs.flatMap((run) => run.checks).filter((check) => !check.ok).length;
    const ofWhat = AGAINST[name];
    const [least, most] = [figures.least(name, connections, 'per_second'), figures.most(name, connections, 'per_second')];
    const part = ofWhat && figures.ratio([name, connections], [ofWhat, connections]);
    const isChecked = runs.some((run) => run.checks.length > 0);
    return [
        name, connections || '', whole(middle('per_second')), runs.length > 1 ? `${whole(least)} to ${whole(most)}` : '',
        Number.isFinite(part) ? `${ratio(part)} ${ofWhat}` : '', fixed(middle('p50_us') / 1000, 2), fixed(middle('p99_us') / 1000, 2),
        fixed(figures.most(name, connections, 'max_us') / 1000, 1), whole(figures.most(name, connections, 'memory_most_mib')),
        fixed(middle('server_cpu_us'), 1), !isChecked ? '' : failed ? `${failed} FAILED` : 'ok',
    ].map(String);
}

function remarks(figures) {
    const list = [];
    const login = figures.of('login')[0];
    if (login) {
        const beside = (field) => figures.median('login', login.connections, (run) => run.beside?.[field]);
        list.push(`login: ${fixed(beside('per_second'), 1)} sign-ins a second beside the rush, p50 ${whole(beside('p50_us') / 1000)} ms.`);
    }
    const mixed = figures.of('mixed')[0];
    if (mixed) {
        const p99 = (kind) => fixed(figures.median('mixed', mixed.connections, (run) => run.kinds?.[kind].p99_us) / 1000, 2);
        const peak = whole(figures.median('mixed', mixed.connections, 'peak_per_second'));
        list.push(`mixed: the peak was ${peak} a second in a closed loop on 64 connections; at half of it, ` +
            `counted from when a request should have been sent: p99 of reads ${p99('reads')} ms, of bookings ${p99('bookings')} ms, of cancellations ${p99('cancellations')} ms.`);
    }
    const stream = figures.of('stream')[0];
    if (stream) {
        const of = (field) => figures.median('stream', stream.connections, (run) => run.heard?.[field]);
        list.push(`stream: ${whole(stream.heard.listeners)} listeners; a state is with all of them ${whole(of('behind_us') / 1000)} ms after the first has it, a new one came after ` +
            `${whole(of('apart_us') / 1000)} ms at most; ${fixed(of('kib_each'), 1)} KiB of the server's memory for each; ${fixed(of('of_rush'), 2)} of the rush without them, in the same run.`);
    }
    if (figures.of('full-start').length) {
        const of = (field) => figures.median('full-start', 0, field);
        list.push(`full-start: ready after ${whole(of('ready_ms'))} ms, the first ticket sold after ${whole(of('sold_ms'))} ms, ${whole(of('memory_mib'))} MiB resident.`);
    }
    const shares = (field) => figures.runs.map((run) => run[field]).filter(Number.isFinite);
    const [stolen, others] = ['stolen', 'others'].map(shares);
    if (stolen.length) list.push(`The host took up to ${percent(Math.max(...stolen))} of the processors during a run.`);
    if (others.length) list.push(`Others on this machine took ${percent(median(others))} of the processors during a run in the median, ${percent(Math.max(...others))} at most.`);
    return list;
}

/** {facts, table: [[...]], remarks, wanted: [[...]], scale} of the results of a bench. */
export function summary(results) {
    const figures = new Figures(results);
    const {machine, sizes, options} = results;
    return {
        facts: [
            `${machine.processor}, ${machine.processors} processors, ${machine.memory_mib} MiB; Linux ${machine.kernel}, ${machine.filesystem}; ` +
            `load ${machine.load_at_start.toFixed(2)} at the start`,
            `${machine.admit}; SQLite ${machine.sqlite}; MariaDB ${machine.mariadb}; PostgreSQL ${machine.postgres ?? 'not there'}; Node ${machine.node}; ${machine.wrk}`,
            `${results.quick ? 'quick' : 'full'}, ${results.begun}: ${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds'}, ` +
            `${options.seconds} s a run after ${options.warm} s to get warm; ` +
            `the full database has ${whole(sizes.full)} bookings and ${whole(sizes.line)} waiting, the search ${whole(sizes.searchable)} events`,
        ],
        table: [columns, ...figures.keys().filter((key) => key.name !== 'full-start').map((key) => row(figures, key))],
        remarks: remarks(figures),
        wanted: [['what', 'wanted', 'measured', 'reached'], ...wanted(figures).map((each) =>
            [each.what, each.wanted, each.measured, each.reached === undefined ? '-' : each.reached ? 'yes' : 'no'])],
        scale: scaleInWords(figures),
    };
}

const isNumber = (text) => /^[\d,.]+$/.test(text);

export function asText(table) {
    const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)));
    const padded = (cell, column) => (isNumber(cell) ? cell.padStart(widths[column]) : cell.padEnd(widths[column]));
    return table.map((cells) => cells.map(padded).join('  ').trimEnd()).join('\n');
}

export function asMarkdown(table) {
    const right = table[0].map((_, column) => table.slice(1).every((cells) => cells[column] === '' || isNumber(cells[column])));
    const rule = right.map((isRight) => (isRight ? '--:' : '---'));
    return [table[0], rule, ...table.slice(1)].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function print(results) {
    const all = summary(results);
    console.log(`\n${all.facts.join('\n')}\n\n${asText(all.table)}\n`);
    for (const remark of all.remarks) console.log(remark);
    console.log(`\n${all.scale}\n${asText(all.wanted)}\n`);
    for (const {name, connections, round, checks} of results.runs)
        for (const {what, why} of checks.filter(({ok}) => !ok)) console.log(`FAILED ${name} ${connections}, round ${round}: ${what}: ${why}`);
}

/** Replaces what stands between the markers, or adds it. */
export function writeDocument(file, results) {
    const all = summary(results);
    const failed = results.runs.flatMap((run) => run.checks).filter(({ok}) => !ok).length;
    const checks = failed ? `**${failed} checks failed.**` : 'After every run all checks held: `admit check`, and acknowledged answers against rows.';
    const text = [BEGIN, ...all.facts.map((fact) => `* ${fact}`), '', '![Bookings a second by connections](rush.svg)', '', asMarkdown(all.table), '',
        ...all.remarks.map((remark) => `* ${remark}`), `* ${checks}`, '', all.scale, '', asMarkdown(all.wanted), END].join('\n');
    const old = existsSync(file) ? readFileSync(file, 'utf8') : `# Performance\n\n${BEGIN}\n${END}\n`;
    const [from, to] = [old.indexOf(BEGIN), old.indexOf(END)];
    writeFileSync(file, from >= 0 && to > from ? old.slice(0, from) + text + old.slice(to + END.length) : `${old}\n${text}\n`);
}
