// SPDX-License-Identifier: Apache-2.0
// A MariaDB of the bench's own: its own directory and socket, nothing of the system's, ended by its process.
import {chownSync, existsSync, mkdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import mysql from 'mysql2/promise';
import {run, start, stop} from './children.mjs';
import {BENCH} from './place.mjs';

const NOBODY = 65534; // what MariaDB runs as where the bench is root; it refuses to be root itself
const READY_S = 30;

// A commit is on disk when it is acknowledged, as admit's is. No binary log, which is Debian's default too, and one fsync less.
const SETTINGS = [
    '--innodb-flush-log-at-trx-commit=1', '--skip-log-bin', '--innodb-buffer-pool-size=512M', '--innodb-log-file-size=512M',
    '--skip-networking', '--skip-grant-tables=0', '--max-connections=200', '--performance-schema=OFF', '--skip-name-resolve',
];
export const settingsInWords = 'innodb_flush_log_at_trx_commit=1, no binary log, 512 MiB buffer pool, Unix socket';

const found = (name) => ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'].map((folder) => path.join(folder, name)).find(existsSync);
export const isInstalled = () => Boolean(found('mariadbd') && found('mariadb-install-db'));

const identity = process.getuid() === 0 ? {uid: NOBODY, gid: NOBODY} : {};
const where = (place) => {
    const directory = path.join(place.work, 'mariadb');
    return {directory, data: path.join(directory, 'data'), socketPath: path.join(directory, 'socket')};
};

async function install(place) {
    const {directory, data} = where(place);
    mkdirSync(directory, {recursive: true});
    if (identity.uid) chownSync(directory, identity.uid, identity.gid);
    const done = await run(found('mariadb-install-db'), ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal',
        '--skip-test-db', '--skip-name-resolve'], {...identity, cwd: directory, env: {PATH: process.env.PATH, HOME: directory}});
    if (done.code !== 0) throw new Error(`mariadb-install-db: ${done.stdout}${done.stderr}`);
}

async function connect(child, socketPath) {
    const end = Date.now() + READY_S * 1000;
    for (;;) {
        try {
            return await mysql.createConnection({socketPath, user: 'root', multipleStatements: true});
        } catch (error) {
            if (child.exitCode !== null || Date.now() > end) throw new Error(`MariaDB does not start: ${error.message}: ${child.log}`);
            await sleep(50);
        }
    }
}

/** Starts it, and makes it the first time. `root` is a connection that may do everything. */
export async function startMariadb(place) {
    const {directory, data, socketPath} = where(place);
    if (!existsSync(data)) await install(place);
    const child = start(found('mariadbd'), ['--no-defaults', `--datadir=${data}`, `--socket=${socketPath}`, `--pid-file=${path.join(directory, 'pid')}`,
        `--tmpdir=${directory}`, ...SETTINGS], {...identity, cwd: directory, env: {PATH: process.env.PATH, HOME: directory}});
    const root = await connect(child, socketPath);
    await root.query(`CREATE DATABASE IF NOT EXISTS box CHARACTER SET utf8mb4; CREATE USER IF NOT EXISTS box@localhost IDENTIFIED BY 'box';
        GRANT ALL ON *.* TO box@localhost; USE box`);
    return {
        root, directory, pid: child.pid,
        login: {socketPath, user: 'box', password: 'box', database: 'box'},
        memory_mib: () => Number(readFileSync(`/proc/${child.pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m)[1]) / 1024,
        /** Empty tables, as for the first time. */
        async reset(routine) {
            await root.query('DROP DATABASE box; CREATE DATABASE box CHARACTER SET utf8mb4; USE box');
            await root.query(readFileSync(path.join(BENCH, 'peers/schema.sql'), 'utf8'));
            if (routine) await root.query(routine);
        },
        async stop() {
            await root.end().catch(() => {});
            const {code, signal} = await stop(child, 60);
            if (code !== 0) throw new Error(`MariaDB ended with ${code ?? signal}: ${child.log}`);
        },
    };
}
