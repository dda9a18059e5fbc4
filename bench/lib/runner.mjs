// SPDX-License-Identifier: Apache-2.0
// One run of one workload: a database as prepared, a server, somebody who asks, and the checks.
import path from 'node:path';
import {acknowledgedChecks, rulesCheck} from './checks.mjs';
import {admitCheck, copyOf, countRows, preparedOn, remove} from './database.mjs';
import {wrkEach} from './load.mjs';
import {USER_HZ, processorTimes} from './place.mjs';
import {sizesOf} from './recipes.mjs';
import {startAdmit} from './server.mjs';
import {databaseOf, startServer} from './servers.mjs';
import {linesFile} from './workloads.mjs';

/** The database to run on: a new copy, or for those that are kept the one copy of this bench. */
function databaseFor(bench, workload) {
    const kept = workload.kept && bench.copies.get(workload.database);
    if (kept) return kept;
    const file = path.join(bench.place.work, workload.kept ? `${workload.database}.db` : 'run.db');
    copyOf(bench.databases[workload.database], file);
    if (workload.kept) bench.copies.set(workload.database, file);
    return file;
}

/** The same on a server, where there are no copies: it is made there, for this run or for all. */
async function databaseOn(server, bench, workload) {
    const name = workload.kept ? `admit_${workload.database}` : 'admit_run'; // "full" alone is a word of SQL
    const known = `${server.kind} ${name}`;
    if (bench.copies.has(known)) return databaseOf(server, name);
    const database = await preparedOn(server, workload.database, sizesOf(bench, workload.database), name);
    if (workload.kept) bench.copies.set(known, name);
    return database;
}

/** Runs `ask` and notes what of the processors it cost the server, and what others took meanwhile. */
async function timed(run, ask) {
    const spent = () => [...run.servers, ...(run.store ? [run.store] : [])].reduce((sum, each) => sum + each.processor(), 0);
    const [machine, server] = [processorTimes(), spent()];
    const figures = await ask();
    const after = processorTimes();
    const server_cpu_s = spent() - server;
    const all = Math.max(1, after.all - machine.all) / USER_HZ;
    const busy = all - (after.idle - machine.idle) / USER_HZ;
    figures.server_cpu_us = server_cpu_s * 1e6 / Math.max(1, figures.answered);
    // Of all processors: the host, and whoever else was at work. Before the run begins, wrk reads its requests: that is its own time.
    figures.stolen = (after.stolen - machine.stolen) / USER_HZ / all;
    figures.others = Math.max(0, busy - server_cpu_s - figures.client_cpu_s - (figures.beside?.client_cpu_s ?? 0)) / all;
    run.asked.push(...(figures.each ?? [figures]));
    delete figures.each;
    return figures;
}

async function standard(run) {
    const {bench, workload} = run;
    const beside = workload.beside && await workload.beside(run);
    return run.timed(async () => {
        const [figures, other] = await Promise.all([wrkEach(run.ports, {...run.load, connections: run.connections, seconds: bench.seconds}), beside?.()]);
        if (!other) return figures;
        run.asked.push(other);
        const {name, per_second, client_cpu_s} = other;
        return {...figures, beside: {name, per_second, client_cpu_s, p50_us: (other.all ?? other).p50_us, p99_us: (other.all ?? other).p99_us}};
    });
}

async function warmUp(run) {
    if (!run.bench.warm) return;
    const figures = await wrkEach(run.ports, {...run.load, connections: run.connections, seconds: run.bench.warm});
    run.asked.push(...(figures.each ?? [figures]));
    run.load.from = figures.sent.r + figures.sent.b;
    run.load.once = figures.sent.c;
}

/** Stops them all, and gives what they complained of. */
async function stopServers(run) {
    const complaints = [];
    for (const server of run.servers.splice(0)) complaints.push(...await server.stop());
    return complaints;
}

async function withServers(run) {
    const {workload} = run;
    const before = await countRows(run.database);
    try {
        for (let i = 0; i < (workload.processes ?? 1); i++) run.servers.push(await startAdmit(run.database, run.bench.place.work));
        run.ports = run.servers.map(({port}) => port);
        [run.port] = run.ports;
        await warmUp(run);
        const figures = await (workload.measured ?? standard)(run);
        const memory = run.servers.map((server) => server.memory());
        const looked = await workload.after?.(run) ?? [];
        const complaints = await stopServers(run);
        const checks = [
            ...looked,
            {what: 'nothing to complain of in its log', ok: complaints.length === 0, why: complaints[0] ?? ''},
            rulesCheck(await admitCheck(run.database)),
            ...acknowledgedChecks(run.asked, before, await countRows(run.database, before.first), workload.rows),
        ];
        const most = (field) => Math.max(...memory.map((each) => each[field]));
        return {...figures, memory_mib: most('now_mib'), memory_most_mib: most('most_mib'), checks};
    } finally {
        await stopServers(run).catch(() => {});
    }
}

async function onDatabase(bench, workload, connections, database, store) {
    const file = await linesFile(bench, workload, database);
    const run = {bench, workload, connections, database, store, servers: [], asked: [], load: {file, from: 0, once: 0, ...workload.wrk}};
    run.timed = (ask) => timed(run, ask);
    return withServers(run);
}

/** On a server, which is up for this run alone. */
async function onServer(bench, workload, connections) {
    const server = await startServer(bench.place, workload.store);
    try {
        if (workload.measure) return await workload.measure(bench, server);
        const database = await databaseOn(server, bench, workload);
        const figures = await onDatabase(bench, workload, connections, database, server);
        if (!workload.kept) await server.drop(database.name);
        return figures;
    } finally {
        await server.stop();
    }
}

/** The figures of one run, with `checks`: [{what, ok, why}]. */
export async function runWorkload(bench, workload, connections) {
    if (workload.store) return onServer(bench, workload, connections);
    const database = workload.database && databaseFor(bench, workload);
    try {
        if (workload.measure) return await workload.measure(bench, database);
        return await onDatabase(bench, workload, connections, database);
    } finally {
        if (database && !workload.kept) remove(database);
    }
}
