// SPDX-License-Identifier: Apache-2.0
// Databases to begin with, made by SQL (recipes.mjs) where the server would take hours: people without an Argon2 run each,
// ten million bookings with their tickets and journal. `admit check` must pass on each before it is used.
//
// A database is the name of a file, of SQLite, or one of a server (servers.mjs).
import {createHash} from 'node:crypto';
import {constants, copyFileSync, existsSync, openSync, closeSync, fdatasyncSync, readFileSync, renameSync, rmSync} from 'node:fs';
import path from 'node:path';
import {run, runWell} from './children.mjs';
import {dialects} from './dialects.mjs';
import {ADMIT, BENCH} from './place.mjs';
import {PEOPLE, SIGNERS, recipe, week} from './recipes.mjs';
import {newDatabase} from './servers.mjs';
import {PASSWORD} from './tokens.mjs';

const isFile = (database) => typeof database === 'string';

/** How commands of admit find it. */
export function surroundings(database) {
    const DATABASE_URL = isFile(database) ? `sqlite:${database}` : database.url;
    return {env: {PATH: process.env.PATH, DATABASE_URL, LOG_LEVEL: 'warn'}, cwd: isFile(database) ? path.dirname(database) : path.dirname(database.directory)};
}

export function sql(database, text) {
    if (!isFile(database)) return database.sql(text);
    return runWell('sqlite3', ['-bail', '-readonly', '-cmd', '.timeout 20000', database], {input: `${text};\n`});
}
const change = (database, text) => runWell('sqlite3', ['-bail', database], {input: text});

/** Rows of the first column as numbers, or of all columns as lists of numbers. */
export async function numbers(database, text) {
    const out = (await sql(database, text)).trim();
    return out ? out.split('\n').map((row) => row.split('|').map(Number)) : [];
}

// For who makes a file that nobody needs if the machine stops meanwhile.
const FAST = `PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -500000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = OFF;`;

/** Indices of what is filled in bulk are made afterwards: three times as fast. */
async function fill(database, statements) {
    const indices = (await sql(database, `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
        AND tbl_name IN ('users', 'events', 'event_words', 'bookings', 'tickets', 'journal')`)).trim();
    const drops = [...indices.matchAll(/^(\w+)\|CREATE/gm)].map(([, name]) => `DROP INDEX ${name};`);
    const makes = indices.replace(/^\w+\|(?=CREATE)/gm, ';\n');
    await change(database, `${FAST} BEGIN; ${drops.join(' ')} ${statements.join('\n')} ${makes}; COMMIT;`);
}

/** One account through the program itself, for a true password hash; many others are given the same. */
async function givePasswords(database) {
    await runWell(ADMIT, ['user', 'add', 'organizer@example.org', '--name', 'Organizer', '--role', 'admin'],
        {...surroundings(database), input: `${PASSWORD}\n`});
    await change(database, `UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = ${PEOPLE + 1}) WHERE id <= ${SIGNERS};`);
}

export async function admitCheck(database) {
    const {code, stdout, stderr} = await run(ADMIT, ['check'], surroundings(database));
    return {passed: code === 0, said: stdout + stderr};
}

async function checkedAsMade(database, name) {
    const {passed, said} = await admitCheck(database);
    if (!passed) throw new Error(`the database '${name}' was not made as the schema wants it (bench/lib/recipes.mjs): ${said}`);
}

const sources = ['recipes', 'dialects', 'database'].map((name) => readFileSync(path.join(BENCH, 'lib', `${name}.mjs`)));

/** The prepared database of that name, from the cache where it is there. Never written to again: see copyOf(). */
export async function prepared(place, name, sizes) {
    const draft = path.join(place.cache, `${name}.new`);
    rmSync(draft, {force: true});
    await runWell(ADMIT, ['migrate'], surroundings(draft));
    const schema = await sql(draft, 'SELECT sql FROM sqlite_master ORDER BY name');
    const hash = createHash('sha256').update(schema);
    for (const source of sources) hash.update(source);
    const mark = hash.update(JSON.stringify([sizes, week])).digest('hex').slice(0, 12);
    const file = path.join(place.cache, `${name}-${mark}.db`);
    if (existsSync(file)) {
        for (const end of ['', '-wal', '-shm']) rmSync(draft + end, {force: true});
        return file;
    }
    await fill(draft, recipe(name, dialects.sqlite, sizes));
    if (name === 'hall' || name === 'soak') await givePasswords(draft);
    await checkedAsMade(draft, name);
    for (const end of ['-wal', '-shm']) rmSync(draft + end, {force: true});
    renameSync(draft, file);
    return file;
}

/** The same on a server, in a new database `as`. */
export async function preparedOn(server, name, sizes, as) {
    const database = await newDatabase(server, as);
    await runWell(ADMIT, ['migrate'], surroundings(database));
    await database.sql(server.inBulk(recipe(name, dialects[server.kind], sizes).map((text) => text.trim().replace(/;$/, '')).join('; ')));
    await server.settle(as);
    await checkedAsMade(database, name);
    return database;
}

/** Written out before it is used, so that no run pays for another's copy. */
export function copyOf(original, copy) {
    for (const end of ['-wal', '-shm']) rmSync(copy + end, {force: true});
    copyFileSync(original, copy, constants.COPYFILE_FICLONE);
    const file = openSync(copy, 'r+');
    fdatasyncSync(file);
    closeSync(file);
    return copy;
}

export function remove(database) {
    for (const end of ['', '-wal', '-shm']) rmSync(database + end, {force: true});
}

/** What was there before a run, to see afterwards what it added. */
export async function countRows(database, from = null) {
    const first = from ?? (await numbers(database, 'SELECT coalesce(max(id), 0) + 1 FROM bookings'))[0][0];
    const rows = await numbers(database, `SELECT status, count(*) FROM bookings WHERE id >= ${first} GROUP BY status`);
    const [[ended]] = await numbers(database, `SELECT count(*) FROM bookings ${isFile(database) ? 'INDEXED BY bookings_ended' : ''} WHERE status IN (4, 5)`);
    const of = (status) => rows.find(([which]) => which === status)?.[1] ?? 0;
    return {first, total: rows.reduce((sum, [, count]) => sum + count, 0), waiting: of(1), confirmed: of(3), ended};
}
