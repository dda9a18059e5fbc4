// SPDX-License-Identifier: Apache-2.0
// One run of one workload: a database as prepared, a server, somebody who asks, and the checks.
import path from 'node:path';
import {acknowledgedChecks, rulesCheck} from './checks.mjs';
import {admitCheck, copyOf, countRows, remove} from './database.mjs';
import {wrk} from './load.mjs';
import {USER_HZ, processorTimes} from './place.mjs';
import {startAdmit} from './server.mjs';
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

/** Runs `ask` and notes what of the processors it cost the server, and what others took meanwhile. */
async function timed(run, ask) {
    const [machine, server] = [processorTimes(), run.server.processor()];
    const figures = await ask();
    const after = processorTimes();
    const server_cpu_s = run.server.processor() - server;
    const all = Math.max(1, after.all - machine.all) / USER_HZ;
    const busy = all - (after.idle - machine.idle) / USER_HZ;
    figures.server_cpu_us = server_cpu_s * 1e6 / Math.max(1, figures.answered);
    // Of all processors: the host, and whoever else was at work. Before the run begins, wrk reads its requests: that is its own time.
    figures.stolen = (after.stolen - machine.stolen) / USER_HZ / all;
    figures.others = Math.max(0, busy - server_cpu_s - figures.client_cpu_s - (figures.beside?.client_cpu_s ?? 0)) / all;
    run.asked.push(figures);
    return figures;
}

async function standard(run) {
    const {bench, workload} = run;
    const beside = workload.beside && await workload.beside(run);
    return run.timed(async () => {
        const [figures, other] = await Promise.all([wrk(run.port, {...run.load, connections: run.connections, seconds: bench.seconds}), beside?.()]);
        if (!other) return figures;
        run.asked.push(other);
        const {name, per_second, client_cpu_s} = other;
        return {...figures, beside: {name, per_second, client_cpu_s, p50_us: (other.all ?? other).p50_us, p99_us: (other.all ?? other).p99_us}};
    });
}

async function warmUp(run) {
    if (!run.bench.warm) return;
    const figures = await wrk(run.port, {...run.load, connections: run.connections, seconds: run.bench.warm});
    run.asked.push(figures);
    run.load.from = figures.sent.r + figures.sent.b;
    run.load.once = figures.sent.c;
}

async function withServer(run) {
    const {workload} = run;
    const before = await countRows(run.database);
    run.server = await startAdmit(run.database, run.bench.place.work);
    run.port = run.server.port;
    try {
        await warmUp(run);
        const figures = await (workload.measured ?? standard)(run);
        const memory = run.server.memory();
        const looked = await workload.after?.(run) ?? [];
        const complaints = await run.server.stop();
        run.server = null;
        const checks = [
            ...looked,
            {what: 'nothing to complain of in its log', ok: complaints.length === 0, why: complaints[0] ?? ''},
            rulesCheck(await admitCheck(run.database)),
            ...acknowledgedChecks(run.asked, before, await countRows(run.database, before.first), workload.rows),
        ];
        return {...figures, memory_mib: memory.now_mib, memory_most_mib: memory.most_mib, checks};
    } finally {
        await run.server?.stop().catch(() => {});
    }
}

/** The figures of one run, with `checks`: [{what, ok, why}]. */
export async function runWorkload(bench, workload, connections) {
    const database = workload.database && databaseFor(bench, workload);
    try {
        if (workload.measure) return await workload.measure(bench, database);
        const file = await linesFile(bench, workload, database);
        const run = {bench, workload, connections, database, asked: [], load: {file, from: 0, once: 0, ...workload.wrk}};
        run.timed = (ask) => timed(run, ask);
        return await withServer(run);
    } finally {
        if (database && !workload.kept) remove(database);
    }
}
