// SPDX-License-Identifier: Apache-2.0
// Database servers of the bench's own, in a directory of their own, durable, reached by Unix sockets, and databases in them.
// A database of a server is {url, kind, directory, sql(text)}; one in a file is only the file's name (database.mjs).
import {mkdirSync, readFileSync, readdirSync} from 'node:fs';
import path from 'node:path';
import {once} from 'node:events';
import {runWell, start} from './children.mjs';
import {ROOT, USER_HZ} from './place.mjs';

const READY_S = 120;
export const SERVER_NAMES = {postgres: 'PostgreSQL', mariadb: 'MariaDB'};
export const SERVER_KINDS = Object.keys(SERVER_NAMES);

// A commit is on disk when it is acknowledged, and as much is kept in memory as in the MariaDB of the peers.
const POSTGRES = {fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', shared_buffers: '512MB', max_wal_size: '4GB', max_connections: '200'};
export const postgresInWords = 'fsync=on, synchronous_commit=on, 512 MiB shared buffers, Unix socket';

/** What it has used of the processors, in 1/USER_HZ s: itself, its children, and those of them that have ended. */
function processorOf(pid) {
    const fieldsOf = (id) => readFileSync(`/proc/${id}/stat`, 'utf8').replace(/^.*\) /, '').split(' ').map(Number);
    const [user, system, endedUser, endedSystem] = fieldsOf(pid).slice(11, 15);
    let sum = user + system + endedUser + endedSystem;
    for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        try {
            const fields = fieldsOf(id);
            if (fields[1] === pid) sum += fields[11] + fields[12];
        } catch { /* it has just ended */ }
    }
    return sum;
}

async function startPostgres(place) {
    const directory = path.join(place.work, 'postgres');
    mkdirSync(directory, {recursive: true});
    const settings = Object.entries(POSTGRES).map(([name, value]) => `${name}=${value}`);
    const child = start('python3', [path.join(ROOT, 'tests/servers/run'), 'postgres', directory, ...settings], {stdio: ['pipe', 'pipe', 'pipe']});
    const timer = setTimeout(() => child.kill('SIGTERM'), READY_S * 1000);
    const [said] = await Promise.race([once(child.stdout, 'data'), child.ended.then(() => ['']), child.failed]);
    clearTimeout(timer);
    if (!said) throw new Error(`PostgreSQL does not start: ${child.log}`);
    const {username, password, port} = new URL(String(said).trim());
    const url = (name) => `postgres://${username}:${password}@/${name}?host=${encodeURIComponent(directory)}&port=${port}`;
    const pid = Number(readFileSync(path.join(directory, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
    const sql = (name, text) => runWell('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', url(name)], {input: `${text};\n`});
    return {
        kind: 'postgres', directory, pid, url, sql,
        floor: (name) => [url(name)],
        create: (name) => sql('postgres', `CREATE DATABASE ${name}`),
        drop: (name) => sql('postgres', `DROP DATABASE IF EXISTS ${name}`),
        inBulk: (statements) => `SET synchronous_commit = off; SET work_mem = '64MB'; BEGIN; ${statements}; COMMIT`,
        /** What is still to be done after much was written, so that no run does it. */
        settle: (name) => sql(name, 'VACUUM ANALYZE; CHECKPOINT'),
        async stop() {
            child.stdin.end();
            const {code, signal} = await child.ended;
            if (code !== 0) throw new Error(`PostgreSQL ended with ${code ?? signal}: ${child.log}`);
        },
    };
}

async function startMariadb(place) {
    const mariadb = await (await import('./mariadb.mjs')).startMariadb(place);
    const {socketPath, user, password} = mariadb.login;
    const sql = async (name, text) => {
        const [results] = await mariadb.root.query(`USE ${name}; ${text.trim().replace(/[;\s]+$/, '')}`);
        const rows = results.at(-1);
        return Array.isArray(rows) ? rows.map((row) => Object.values(row).join('|')).join('\n') : '';
    };
    return {
        kind: 'mariadb', directory: mariadb.directory, pid: mariadb.pid, sql,
        url: (name) => `mysql://${user}:${password}@localhost/${name}?socket=${encodeURIComponent(socketPath)}`,
        floor: (name) => [socketPath, user, password, name],
        create: (name) => sql('mysql', `CREATE DATABASE ${name} CHARACTER SET utf8mb4`),
        drop: (name) => sql('mysql', `DROP DATABASE IF EXISTS ${name}`),
        inBulk: (statements) => `SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT'), unique_checks = 0, foreign_key_checks = 0;
            START TRANSACTION; ${statements}; COMMIT; SET sql_mode = DEFAULT, unique_checks = DEFAULT, foreign_key_checks = DEFAULT`,
        settle: (name) => sql(name, 'FLUSH TABLES'),
        stop: () => mariadb.stop(),
    };
}

/** Starts it, and makes it the first time: what was in it is there again. */
export async function startServer(place, kind) {
    const server = await {postgres: startPostgres, mariadb: startMariadb}[kind](place);
    return {...server, processor: () => processorOf(server.pid) / USER_HZ};
}

/** A database of the server, which is there. */
export const databaseOf = (server, name) =>
    ({kind: server.kind, name, url: server.url(name), directory: server.directory, sql: (text) => server.sql(name, text), server});

/** An empty database of that name, in place of one that is there. */
export async function newDatabase(server, name) {
    await server.drop(name);
    await server.create(name);
    return databaseOf(server, name);
}
