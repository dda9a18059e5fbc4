#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Measures admit beside its peers on this machine, and checks after every run that nothing was oversold or lost.
import {mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {writeChart} from './lib/chart.mjs';
import {killAll} from './lib/children.mjs';
import {prepared} from './lib/database.mjs';
import {PEERS} from './lib/kinds.mjs';
import {ADMIT, ROOT, buildTools, machine, makePlace} from './lib/place.mjs';
import {PEOPLE, sizesOf} from './lib/recipes.mjs';
import {print, writeDocument} from './lib/report.mjs';
import {runWorkload} from './lib/runner.mjs';
import {postgresInWords} from './lib/servers.mjs';
import {workloads} from './lib/workloads.mjs';

const usage = `node bench/bench.mjs [options]        or: make bench ARGS="[options]"

  --quick            under three minutes: one round, runs of a second, small databases, fewer counts of connections
  --only NAMES       only these workloads, and "peers" or "peer-lock": --only rush,noop,peers
  --connections N,N  only these counts
  --rounds N         how often everything is run in turn (3; quick: 1)
  --seconds N        how long a run is (8; quick: 1)
  --warm N           and before it, to get warm (2; quick: 1)
  --full N           bookings in the full database (10,000,000; quick: 200,000)
  --line N           how many wait in the long line (1,000,000; quick: 50,000)
  --write            writes docs/performance.md and docs/rush.svg
  --report FILE      no bench: prints the results of an earlier one, and writes them with --write
  --json FILE        where the results go (build/bench/results.json)
  --self-test        shows that the checks can fail
  --keep             leaves the directory of the bench behind
  --list             the workloads

BENCH_DIR in the environment names a directory on a disk, in which prepared databases are kept for the next bench; ten
million bookings take some minutes and 5 GB. ADMIT names another program than build/admit. HTTP_LOOPS, LANES, READERS, HASHERS
and QUEUE_DEPTH are passed on.
`;

const SCALES = {
    full: {rounds: 3, seconds: 8, warm: 2, full: 10_000_000, line: 1_000_000, crowd: 1_000_000, searchable: 100_000, histories: 400_000},
    quick: {rounds: 1, seconds: 1, warm: 1, full: 200_000, line: 50_000, crowd: 40_000, searchable: 100_000, histories: 100_000},
};
const CHURN_A_SECOND = 45_000; // cancellations: more than there could be

function given() {
    const text = {type: 'string'};
    const flag = {type: 'boolean'};
    const {values} = parseArgs({options: {
        quick: flag, write: flag, keep: flag, list: flag, help: flag, 'self-test': flag, only: text, connections: text, rounds: text, seconds: text,
        warm: text, full: text, line: text, report: text, json: text,
    }});
    return values;
}

function makeBench(options) {
    const scale = {...SCALES[options.quick ? 'quick' : 'full']};
    for (const name of ['rounds', 'seconds', 'warm', 'full', 'line']) {
        if (options[name] === undefined) continue;
        scale[name] = Number(options[name]);
        const isFit = Number.isInteger(scale[name]) && scale[name] >= (name === 'warm' ? 0 : 1);
        if (!isFit) throw new Error(`--${name} ${options[name]}: a whole number is wanted`);
    }
    // Of the recipes that share their bookings out to 1,000 events.
    scale.full = Math.max(1, Math.round(scale.full / 1000)) * 1000;
    scale.crowd = Math.max(PEOPLE, scale.crowd);
    const {rounds, seconds, warm, ...sizes} = scale;
    const place = makePlace(options.keep);
    return {
        place, rounds, seconds, warm, asking_s: seconds + warm,
        sizes: {...sizes, churn: (seconds + warm) * CHURN_A_SECOND},
        quick: Boolean(options.quick), peerConnections: options.quick ? [64, 256] : [1, 8, 64, 256, 1024],
        databases: {}, copies: new Map(), written: new Set(), round: 0,
    };
}

function chosen(bench, options) {
    const names = options.only?.split(',');
    const counts = options.connections?.split(',').map(Number);
    const known = [...workloads.map(({name}) => name), 'peers', ...PEERS.map((kind) => `peer-${kind}`)];
    for (const name of names ?? []) if (!known.includes(name)) throw new Error(`there is no workload '${name}'; --list names them`);
    const list = workloads.filter(({name}) => !names || names.includes(name)).flatMap((workload) => {
        if (!workload.connections) return [{workload, connections: 0}];
        const usual = workload.connections[bench.quick ? 'quick' : 'all'];
        return (counts ?? usual).map((connections) => ({workload, connections}));
    });
    if (counts) bench.peerConnections = counts;
    return {list, peers: PEERS.filter((kind) => !names || names.includes('peers') || names.includes(`peer-${kind}`))};
}

function note(results, run) {
    results.runs.push(run);
    const failed = run.checks.filter(({ok}) => !ok);
    const rate = run.sold_ms === undefined ? `${Math.round(run.per_second).toLocaleString('en')}/s` : `${Math.round(run.sold_ms)} ms`;
    const p99 = run.p99_us ? `p99 ${(run.p99_us / 1000).toFixed(2)} ms` : '';
    const others = run.others > 0.05 ? `(others took ${Math.round(100 * run.others)} % of the processors)` : '';
    console.log([`${run.round}`, run.name.padEnd(18), String(run.connections || '').padStart(5), rate.padStart(12), p99.padEnd(14),
        failed.length ? failed.map(({what, why}) => `FAILED ${what}: ${why}`).join('; ') : run.checks.length ? 'checked' : '', others].join('  ').trimEnd());
}

async function prepare(bench, list) {
    const names = new Set(list.filter(({workload}) => !workload.store).map(({workload}) => workload.database ?? 'hall'));
    for (const name of names) {
        const begin = Date.now();
        bench.databases[name] = await prepared(bench.place, name, sizesOf(bench, name));
        const {size} = statSync(bench.databases[name]);
        console.log(`database '${name}': ${(size / 1048576).toFixed(0)} MiB, ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    }
}

async function measure(bench, {list, peers}) {
    const results = {
        begun: new Date().toISOString().slice(0, 16).replace('T', ' '), quick: bench.quick, machine: machine(bench.place),
        options: {rounds: bench.rounds, seconds: bench.seconds, warm: bench.warm}, sizes: bench.sizes, binary_bytes: bench.place.binaryBytes, runs: [],
    };
    await prepare(bench, list);
    const {runPeers} = peers.length ? await import('./lib/peers.mjs') : {};
    const uses = (store) => list.some(({workload}) => workload.store === store);
    if (peers.length || uses('mariadb')) {
        const {isInstalled, settingsInWords} = await import('./lib/mariadb.mjs');
        if (!isInstalled()) throw new Error('MariaDB is missing: tools/setup bench');
        results.machine.mariadb += ` (${settingsInWords})`;
    }
    if (uses('postgres')) results.machine.postgres += ` (${postgresInWords})`;
    for (bench.round = 1; bench.round <= bench.rounds; bench.round++) {
        for (const {workload, connections} of list) {
            const run = await runWorkload(bench, workload, connections);
            note(results, {name: workload.name, connections, round: bench.round, ...run});
        }
        const noteOf = (name, title, connections, run) => note(results, {name, title, round: bench.round, ...run, connections});
        if (peers.length) await runPeers(bench, peers, noteOf);
    }
    return results;
}

function write(results) {
    writeChart(path.join(ROOT, 'docs/rush.svg'), results);
    writeDocument(path.join(ROOT, 'docs/performance.md'), results);
    console.log('written: docs/performance.md, docs/rush.svg');
}

async function main() {
    const options = given();
    if (options.help) return console.log(usage);
    if (options.list) {
        for (const {name, about, connections} of workloads) console.log(`${name.padEnd(18)} ${(connections?.all ?? []).join(', ').padEnd(20)} ${about}`);
        return;
    }
    if (options.report) {
        const results = JSON.parse(readFileSync(options.report, 'utf8'));
        print(results);
        if (options.write) write(results);
        return;
    }
    statSync(ADMIT); // says its name where it is not there
    const bench = makeBench(options);
    buildTools(bench.place);
    if (options['self-test']) {
        const {selfTest} = await import('./lib/selftest.mjs');
        process.exitCode = await selfTest(bench) ? 0 : 1;
        return;
    }
    const begin = Date.now();
    const results = await measure(bench, chosen(bench, options));
    const file = path.resolve(options.json ?? path.join(ROOT, 'build/bench/results.json'));
    mkdirSync(path.dirname(file), {recursive: true});
    writeFileSync(file, JSON.stringify(results, null, 1));
    print(results);
    console.log(`${((Date.now() - begin) / 1000).toFixed(0)} s; results in ${path.relative(process.cwd(), file)}`);
    if (options.write) write(results);
    if (results.runs.some((run) => run.checks.some(({ok}) => !ok))) process.exitCode = 1;
}

process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
main().catch((error) => {
    console.error(`bench: ${error.message}`);
    process.exit(1);
});
