#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Hours instead of seconds: a mixed load at a fixed rate, and memory, descriptors and latency looked at all the while. At the
// end they have to be as they were at the beginning.
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {killAll} from './lib/children.mjs';
import {admitCheck, copyOf, prepared} from './lib/database.mjs';
import {openLoop, writeLines} from './lib/load.mjs';
import {ROOT, buildTools, makePlace} from './lib/place.mjs';
import {random} from './lib/random.mjs';
import {MANY, MANY_COUNT, PEOPLE, SIGNERS} from './lib/recipes.mjs';
import {median} from './lib/results.mjs';
import {request, startAdmit} from './lib/server.mjs';
import {writeSoakChart} from './lib/soakchart.mjs';
import {PASSWORD} from './lib/tokens.mjs';
import {MIXED_EVERY, cancellations, mixedLap} from './lib/workloads.mjs';

const usage = `node bench/soak.mjs [options]        or: make soak ARGS="[options]"

  --minutes N     how long (60)
  --rate N        requests a second (300)
  --warm N        seconds at 8,000 requests a second before, which fills the caches of pages (60)
  --write         draws docs/soak.svg
  --report FILE   no soak: draws and prints an earlier one
  --json FILE     where the results go (build/bench/soak.json)
`;

const WINDOW_S = 10;
const CONNECTIONS = 32;
const WARM_RATE = 8000;
const BOOKINGS = 400_000; // at the beginning
// What must not grow over the time: some slack for what malloc keeps, and for connections that come and go.
const MEMORY_FACTOR = 1.25;
const DESCRIPTORS_MORE = 8;

/** Clients beside the load, a few each second, until it is over: what a box office meets that wrk never does. */
async function beside(port, state) {
    const next = random(11);
    const somebody = () => 1 + Math.floor(next() * PEOPLE);
    const event = () => MANY + Math.floor(next() * MANY_COUNT);
    const vanish = (text) => new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1', () => socket.write(text, () => setTimeout(() => socket.destroy(), 100)));
        socket.on('error', () => {}).on('close', resolve);
    });
    for (let second = 0; !state.over; second++) {
        const path = `/v1/events/${event()}/bookings`;
        const keyed = {userId: somebody(), body: {quantity: 1}, headers: {'Idempotency-Key': `soak-${second}`}};
        const answers = await Promise.all([request(port, 'POST', path, keyed), request(port, 'POST', path, keyed)]);
        if (answers[0].status !== 201 || JSON.stringify(answers[0].body) !== JSON.stringify(answers[1].body))
            state.wrong.push(`a key sent twice: ${answers.map(({status}) => status)}`);
        if (second % 2 === 0) {
            const login = {login: `user${1 + Math.floor(next() * SIGNERS)}`, password: PASSWORD};
            const {status} = await request(port, 'POST', '/v1/sessions', {body: login});
            if (status !== 200) state.wrong.push(`a sign-in: ${status}`);
        }
        await Promise.all([vanish('GET /v1/events HTT'), vanish(`GET /v1/events/${event()} HTTP/1.1\r\nHost: x\r\n\r\n`)]);
        state.rounds++;
        await sleep(800);
    }
}

/** One window of the load; the figures of openloop, with what the process held in its middle. */
async function window(soak, rate, seconds) {
    const laps = Math.ceil((rate * seconds) / MIXED_EVERY) + 1;
    const lines = Array.from({length: laps}, () => mixedLap(soak.next)).flat();
    const leavers = soak.leavers.splice(0, laps);
    if (leavers.length < laps) throw new Error('the bookings to cancel ran out');
    const file = path.join(soak.place.work, 'soak.lines');
    await writeLines(file, [...lines, ...leavers]);
    const [figures, held] = await Promise.all([
        openLoop(soak.place, soak.server.port, {connections: CONNECTIONS, rate, seconds, file, every: MIXED_EVERY}),
        sleep(seconds * 500).then(() => ({memory_mib: soak.server.memory().now_mib, descriptors: soak.server.descriptors()})),
    ]);
    return {...held, p50_us: figures.all.p50_us, p99_us: figures.all.p99_us, max_us: figures.all.max_us,
        answered: figures.answered, bad: figures.bad, unanswered: figures.unanswered};
}

async function run(options) {
    const place = makePlace();
    buildTools(place);
    const [minutes, rate, warm] = [Number(options.minutes ?? 60), Number(options.rate ?? 300), Number(options.warm ?? 60)];
    if (!(minutes > 0 && rate >= MIXED_EVERY && warm >= 0)) throw new Error('--minutes, --rate (50 at least) and --warm are numbers');
    const database = copyOf(await prepared(place, 'soak', {histories: BOOKINGS}), path.join(place.work, 'soak.db'));
    const next = random(10);
    const soak = {place, next, leavers: await cancellations(database, next), server: await startAdmit(database, place.work)};
    const results = {begun: new Date().toISOString().slice(0, 16).replace('T', ' '), rate, samples: [], wrong: []};
    const state = {over: false, rounds: 0, wrong: results.wrong};
    const others = beside(soak.server.port, state).catch((error) => results.wrong.push(error.message));
    if (warm) await window(soak, WARM_RATE, warm);
    const begin = performance.now();
    const cpu = soak.server.processor();
    while (performance.now() - begin < minutes * 60_000) {
        const sample = {minute: (performance.now() - begin) / 60_000, ...await window(soak, rate, WINDOW_S)};
        results.samples.push(sample);
        if (results.samples.length % 30 === 1) console.log(inWords(sample));
    }
    results.minutes = (performance.now() - begin) / 60_000;
    results.server_cpu = (soak.server.processor() - cpu) / (results.minutes * 60);
    state.over = true;
    await others;
    results.beside = state.rounds;
    results.wrong.push(...await soak.server.stop());
    const {passed, said} = await admitCheck(database);
    if (!passed) results.wrong.push(said.trim());
    return results;
}

const inWords = ({minute, memory_mib, descriptors, p50_us, p99_us}) =>
    `${minute.toFixed(1).padStart(6)} min  ${memory_mib.toFixed(1)} MiB  ${descriptors} descriptors  p50 ${(p50_us / 1000).toFixed(2)} ms  p99 ${(p99_us / 1000).toFixed(2)} ms`;

/** The first and the last tenth, as medians; and what is wrong with the whole. */
function judge({samples, wrong}) {
    const tenth = Math.max(1, Math.floor(samples.length / 10));
    const middle = (list) => Object.fromEntries(Object.keys(samples[0]).map((name) => [name, median(list.map((sample) => sample[name]))]));
    const [first, last] = [middle(samples.slice(0, tenth)), middle(samples.slice(-tenth))];
    const all = [...wrong];
    const sum = (name) => samples.reduce((total, sample) => total + sample[name], 0);
    if (sum('bad') > 0) all.push(`${sum('bad')} answers were not 2xx`);
    if (sum('unanswered') > 0) all.push(`${sum('unanswered')} requests were not answered`);
    if (last.memory_mib > MEMORY_FACTOR * first.memory_mib) all.push('memory grew');
    if (last.descriptors > first.descriptors + DESCRIPTORS_MORE) all.push('descriptors grew');
    return {first, last, answered: sum('answered'), wrong: all};
}

async function main() {
    const text = {type: 'string'};
    const flag = {type: 'boolean'};
    const {values: options} = parseArgs({options: {minutes: text, rate: text, warm: text, json: text, report: text, write: flag, help: flag}});
    if (options.help) return console.log(usage);
    const results = options.report ? JSON.parse(readFileSync(options.report, 'utf8')) : await run(options);
    const {first, last, answered, wrong} = judge(results);
    console.log(`${results.minutes.toFixed(1)} minutes at ${results.rate}/s: ${answered} answers, ${results.beside} rounds of others beside, ` +
        `${(100 * results.server_cpu).toFixed(1)} % of a processor\nfirst tenth ${inWords(first)}\nlast tenth  ${inWords(last)}`);
    for (const sentence of wrong) console.log(`WRONG: ${sentence}`);
    if (!options.report) {
        const file = path.resolve(options.json ?? path.join(ROOT, 'build/bench/soak.json'));
        mkdirSync(path.dirname(file), {recursive: true});
        writeFileSync(file, JSON.stringify(results));
    }
    if (options.write) writeSoakChart(path.join(ROOT, 'docs/soak.svg'), results);
    if (wrong.length) process.exitCode = 1;
}

process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
main().catch((error) => {
    console.error(`soak: ${error.message}`);
    process.exit(1);
});
