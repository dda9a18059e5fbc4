// SPDX-License-Identifier: Apache-2.0
// Where the bench works, with which programs, and on what machine.
import {execFileSync} from 'node:child_process';
import {chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, statfsSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

export const BENCH = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const ROOT = path.dirname(BENCH);
export const ADMIT = path.resolve(process.env.ADMIT ?? path.join(ROOT, 'build/admit'));

const MEMORY_FILESYSTEMS = new Set([0x01021994, 0x858458f6]); // tmpfs, ramfs

/**
 * BENCH_DIR keeps what takes long to make from one bench to the next; otherwise all of it goes when the bench ends.
 * Everything of this bench is in `work`, prepared databases in `cache`.
 */
export function makePlace(keep) {
    const given = process.env.BENCH_DIR;
    const base = given ? path.resolve(given) : mkdtempSync(path.join(os.tmpdir(), 'admit-bench-'));
    mkdirSync(base, {recursive: true});
    if (MEMORY_FILESYSTEMS.has(statfsSync(base).type))
        throw new Error(`${base} is in memory, where fsync does nothing: name a directory on a disk in BENCH_DIR`);
    const cache = path.join(base, 'cache');
    mkdirSync(cache, {recursive: true});
    const work = mkdtempSync(path.join(base, 'run-'));
    // MariaDB may run as somebody else, in a directory of its own within.
    chmodSync(work, 0o711);
    if (!given) chmodSync(base, 0o711);
    process.on('exit', () => {
        if (!keep) rmSync(given ? work : base, {recursive: true, force: true});
    });
    return {base, cache, work};
}

const flagsOf = (...libraries) => execFileSync('pkg-config', ['--cflags', '--libs', ...libraries], {encoding: 'utf8'}).trim().split(/\s+/);

/** The C programs of the bench, built where it works. */
export function buildTools(place) {
    for (const [name, libraries] of [['openloop', []], ['listeners', []], ['floor', ['-lsqlite3']], ['locking', [...flagsOf('libpq', 'libmariadb'), '-pthread']]]) {
        const program = path.join(place.work, name);
        execFileSync(process.env.CC ?? 'cc', ['-std=gnu17', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra',
            path.join(BENCH, `${name}.c`), '-o', program, ...libraries]);
        place[name] = program;
    }
    const stripped = path.join(place.work, 'admit-stripped');
    execFileSync('strip', ['-o', stripped, ADMIT]);
    place.binaryBytes = statSync(stripped).size;
}

function said(program, args, cwd) {
    try {
        return execFileSync(program, args, {encoding: 'utf8', cwd, stdio: ['ignore', 'pipe', 'pipe']}).trim().split('\n')[0];
    } catch (error) {
        return String(error.stdout ?? '').trim().split('\n')[0] || 'not there';
    }
}

export function machine(place) {
    const cpus = os.cpus();
    const revision = said('git', ['describe', '--always', '--dirty'], ROOT);
    let filesystem = 'unknown';
    try { // the mount that is the longest beginning of our path
        const mounts = readFileSync('/proc/mounts', 'utf8').split('\n').map((line) => line.split(' '))
            .filter(([, where]) => where && (place.base + '/').startsWith(where.endsWith('/') ? where : `${where}/`))
            .sort((a, b) => b[1].length - a[1].length);
        filesystem = mounts[0][2];
    } catch { /* not Linux as we know it */ }
    return {
        processor: cpus[0]?.model.trim() ?? 'unknown',
        processors: cpus.length,
        memory_mib: Math.round(os.totalmem() / 1048576),
        kernel: os.release(),
        filesystem,
        load_at_start: os.loadavg()[0],
        admit: `${said(ADMIT, ['version'])} (${revision})`,
        wrk: said('wrk', ['-v']).replace(/ Copyright.*/, ''),
        sqlite: said('sqlite3', ['--version']).split(' ')[0],
        mariadb: said('/usr/sbin/mariadbd', ['--version']).match(/Ver (\S+)/)?.[1] ?? 'not there',
        postgres: said('psql', ['--version']).match(/ (\d[\d.]*)/)?.[1] ?? 'not there',
        node: process.version,
    };
}

export const USER_HZ = 100;

/** Of the whole machine, in 1/USER_HZ s: stolen by the host, idle, all. */
export function processorTimes() {
    const values = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number);
    return {stolen: values[7] ?? 0, idle: values[3] + values[4], all: values.slice(0, 8).reduce((a, b) => a + b, 0)};
}
