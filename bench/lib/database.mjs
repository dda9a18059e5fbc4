// SPDX-License-Identifier: Apache-2.0
// Databases to begin with, made by SQL where the server would take hours: people without an Argon2 run each,
// ten million bookings with their tickets and journal. `admit check` must pass on each before it is used.
import {createHash} from 'node:crypto';
import {constants, copyFileSync, existsSync, openSync, closeSync, fdatasyncSync, readFileSync, renameSync, rmSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {run, runWell} from './children.mjs';
import {ADMIT} from './place.mjs';
import {REFERENCE_KEY} from './reference.mjs';
import {PASSWORD} from './tokens.mjs';

const DAY_MS = 86_400_000;
const CAPACITY_MOST = 10_000_000;
const LINE_BLOCK = 1024; // ids; LINE_BLOCK_BITS in src/core/working_set.h
const SEQUENCES = {event: 0, ticket_type: 1, booking: 2, user: 3, journal: 100};

export const PEOPLE = 20_000; // with tokens
export const SIGNERS = 1_000; // of them, with a password

// Where which events are. A ticket type has the id of its event.
export const HOT = 1; // nothing sold
export const GONE = 2; // nothing left: everybody waits
export const LIMITED = 3; // max_per_user 4, and those behind it
export const LIMITED_COUNT = 64;
export const LIMITED_MOST = 4;
export const MANY = 1001;
export const MANY_COUNT = 1000;

export const sql = (database, text) => runWell('sqlite3', ['-bail', '-readonly', '-cmd', '.timeout 20000', database], {input: `${text};\n`});
const change = (database, text) => runWell('sqlite3', ['-bail', database], {input: text});

/** Rows of the first column as numbers, or of all columns as lists of numbers. */
export async function numbers(database, text) {
    const out = (await sql(database, text)).trim();
    return out ? out.split('\n').map((row) => row.split('|').map(Number)) : [];
}

// For who makes a file that nobody needs if the machine stops meanwhile.
const FAST = `PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -500000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = OFF;`;
const counting = (from, count) =>
    `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${from + count - 1})`;
const now = Date.now();

// ---- pieces ----

const people = (count) => `${counting(1, count)}
    INSERT INTO users (id, username, username_folded, name, password_hash, role, created_at, erased_at)
    SELECT i, 'user' || i, 'user' || i, 'User ' || i, '', 0, ${now}, 0 FROM n;`;

/** Events `from` on, each with one ticket type. `of` gives SQL expressions of the id i. */
function events(from, count, {capacity = CAPACITY_MOST, most = 0, name = `'Concert ' || i`, venue = `'The Hall'`, description = `''`} = {}) {
    const starts = `${Math.ceil(now / DAY_MS + 30) * DAY_MS} + (i % 300) * ${DAY_MS} + 72000000`;
    return `${counting(from, count)}
        INSERT INTO events (id, organizer_id, status, starts_at, ends_at, local_day, max_per_user, version, created_at, updated_at,
            currency, timezone, name, name_folded, venue, description)
        SELECT i, 1, 1, ${starts}, 0, (${starts}) / ${DAY_MS}, ${most}, 1, ${now}, ${now},
            'EUR', 'UTC', ${name}, lower(${name}), ${venue}, ${description} FROM n;
        ${counting(from, count)} INSERT INTO event_counters (event_id, next_number, ever_booked) SELECT i, 1, 0 FROM n;
        ${counting(from, count)}
        INSERT INTO ticket_types (id, event_id, name, capacity, booked, held, waiting, wanted, price, max_per_booking, sales_start, sales_end)
        SELECT i, i, 'General admission', ${capacity}, 0, 0, 0, 0, 0, 0, 0, 0 FROM n;`;
}

// Random enough: neighbours lie far apart, and what is picked by two seeds has nothing to do with each other (which two
// multiples of the same number would have).
const PRIMES = [1000000007, 999999937, 998244353, 982451653, 961748941, 941083987, 920419823, 899809343, 879190747];
const FACTORS = [654435769, 736338717, 284659201, 517123943, 399215881, 862718293, 178956973, 943718411, 611953157];
const hashed = (i, count, seed = 0) => `((((${i}) * ${FACTORS[seed]} + 12345) % ${PRIMES[seed]}) % ${count})`;
const somebody = (i) => `${hashed(i, PEOPLE)} + 1`;

/**
 * `each` bookings of one ticket for each of the events `from` to from + count - 1, in turn: booking first + k
 * (k from 0) is for event from + k % count. All confirmed, with their tickets, or all waiting.
 */
function bookings(first, from, count, each, {status = 3, user = somebody} = {}) {
    const total = count * each;
    const at = `${now} - (${first + total} - i) * 10`;
    const event = `${from} + (i - ${first}) % ${count}`;
    const rows = counting(first, total);
    const tickets = status === 3 ? `
        WITH RECURSIVE e(e) AS (SELECT 0 UNION ALL SELECT e + 1 FROM e WHERE e < ${count - 1}),
            k(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM k WHERE k < ${each - 1})
        INSERT INTO tickets (event_id, number, booking_id, is_booked)
        SELECT ${from} + e, k + 1, ${first} + k * ${count} + e, 1 FROM e CROSS JOIN k;
        UPDATE ticket_types SET booked = ${each} WHERE id BETWEEN ${from} AND ${from + count - 1};
        UPDATE event_counters SET next_number = ${each + 1}, ever_booked = 1 WHERE event_id BETWEEN ${from} AND ${from + count - 1};`
        : `UPDATE ticket_types SET waiting = ${each}, wanted = ${each} WHERE id BETWEEN ${from} AND ${from + count - 1};
        ${rows} INSERT INTO line_blocks (ticket_type_id, block, waiting, wanted)
        SELECT ${event}, i / ${LINE_BLOCK}, count(*), count(*) FROM n GROUP BY 1, 2;`;
    return `${rows}
        INSERT INTO bookings (id, user_id, event_id, ticket_type_id, quantity, status, unit_price, paid, created_at, updated_at, expires_at)
        SELECT i, ${user('i')}, ${event}, ${event}, 1, ${status}, 0, 0, ${at}, ${at}, 0 FROM n;
        ${rows}
        INSERT INTO journal (booking_id, id, event_id, ticket_type_id, from_status, to_status, quantity, actor_id, at, reason)
        SELECT i, i, ${event}, ${event}, 0, ${status}, 1, ${user('i')}, ${at}, '' FROM n;
        ${tickets}`;
}

const sequences = `
    INSERT OR REPLACE INTO sequences (sequence, next)
    SELECT ${SEQUENCES.event}, coalesce(max(id), 0) + 1 FROM events
    UNION ALL SELECT ${SEQUENCES.ticket_type}, coalesce(max(id), 0) + 1 FROM ticket_types
    UNION ALL SELECT ${SEQUENCES.booking}, coalesce(max(id), 0) + 1 FROM bookings
    UNION ALL SELECT ${SEQUENCES.user}, coalesce(max(id), 0) + 1 FROM users
    UNION ALL SELECT ${SEQUENCES.journal}, coalesce(max(booking_id), 0) + 1 FROM journal;
    INSERT OR REPLACE INTO settings (name, value) VALUES ('reference_key', CAST('${REFERENCE_KEY}' AS BLOB));`;

const composed = (heads, tails) => tails.split(' ').flatMap((tail) => heads.split(' ').map((head) => head + tail));

/** Words that are searched for. The lists share none, so a word is in one field of an event. */
export const WORDS = {
    adjective: `amber bright calm daring early fading gentle hidden inner joyful kind lasting mellow northern open
        pale quiet restless silver tender upper velvet wild young zealous autumn burning crystal distant endless`.split(/\s+/),
    noun: composed('ka lo mi nu ra se to vi we zu', 'bel dor fin gar hol jan kem lur mos nid pol ras sul tam vor wen xil yar zan qun'),
    kind: 'concert lecture theatre festival reading ballet match exhibition'.split(' '),
    venue: composed('north south east west upper lower inner outer old new', 'gate field bridge park mill yard dock green cross side'),
    said: `evening audience music welcome program season artists family ticket doors tribute orchestra stories light
        city guests premiere seats harbour morning`.split(/\s+/),
};

function wordTables() {
    const rows = Object.entries(WORDS).flatMap(([list, words]) => words.map((word, index) => `('${list}', ${index}, '${word}')`));
    return `CREATE TEMP TABLE words (list TEXT, n INTEGER, word TEXT, PRIMARY KEY (list, n)); INSERT INTO words VALUES ${rows.join(', ')};`;
}

const pick = (list, seed) => `(SELECT word FROM words WHERE list = '${list}' AND n = ${hashed('i', WORDS[list].length, seed)})`;

function searchable(from, count) {
    const name = `${pick('adjective', 1)} || ' ' || ${pick('noun', 2)} || ' ' || ${pick('kind', 3)} || ' ' || i`;
    const said = [5, 6, 7, 8].map((seed) => pick('said', seed));
    const word = (text, fields) => `${counting(from, count)} INSERT INTO event_words (event_id, word, fields)
        SELECT i, ${text}, ${fields} FROM n WHERE true ON CONFLICT DO NOTHING;`;
    return `${wordTables()}
        ${events(from, count, {name, venue: pick('venue', 4), description: said.join(` || ' ' || `), capacity: 500})}
        ${word(pick('adjective', 1), 1)} ${word(pick('noun', 2), 1)} ${word(pick('kind', 3), 1)} ${word('CAST(i AS TEXT)', 1)}
        ${word(pick('venue', 4), 2)} ${said.map((text) => word(text, 4)).join('\n')}`;
}

// ---- the databases ----

/** What each database holds, for the sizes given. */
const recipes = {
    hall: () => [people(PEOPLE), events(HOT, 1), events(GONE, 1, {capacity: 1}), events(LIMITED, LIMITED_COUNT, {most: LIMITED_MOST}),
        events(MANY, MANY_COUNT), bookings(1, GONE, 1, 1)],
    histories: ({histories}) => [people(PEOPLE), events(MANY, MANY_COUNT, {capacity: 100_000}),
        bookings(1, MANY, MANY_COUNT, histories / MANY_COUNT)],
    soak: (sizes) => recipes.histories(sizes),
    search: ({searchable: count}) => [people(PEOPLE), searchable(1, count)],
    churn: ({churn}) => [people(PEOPLE), events(HOT, 1, {capacity: churn / 2}),
        bookings(1, HOT, 1, churn / 2), bookings(1 + churn / 2, HOT, 1, churn / 2, {status: 1})],
    line: ({line}) => [people(PEOPLE), events(GONE, 1, {capacity: 1000}), bookings(1, GONE, 1, 1000),
        bookings(1001, GONE, 1, line, {status: 1})],
    // Every second booking belongs to one of those with tokens; the others to a million who come seldom.
    full: ({full, line, crowd}) => [people(PEOPLE + crowd), events(HOT, 1), events(GONE, 1, {capacity: 1000}),
        events(MANY, MANY_COUNT, {capacity: 100_000}),
        bookings(1, MANY, MANY_COUNT, full / MANY_COUNT,
            {user: (i) => `CASE WHEN ${i} % 2 THEN ${somebody(i)} ELSE ${PEOPLE + 1} + ${hashed(i, crowd)} END`}),
        bookings(full + 1, GONE, 1, 1000), bookings(full + 1001, GONE, 1, line, {status: 1})],
};

/** Indices of what is filled in bulk are made afterwards: three times as fast. */
async function fill(database, pieces) {
    const indices = (await sql(database, `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
        AND tbl_name IN ('users', 'events', 'event_words', 'bookings', 'tickets', 'journal')`)).trim();
    const drops = [...indices.matchAll(/^(\w+)\|CREATE/gm)].map(([, name]) => `DROP INDEX ${name};`);
    const makes = indices.replace(/^\w+\|(?=CREATE)/gm, ';\n');
    await change(database, `${FAST} BEGIN; ${drops.join(' ')} ${pieces.join('\n')} ${sequences} ${makes}; COMMIT;`);
}

/** One account through the program itself, for a true password hash; many others are given the same. */
async function givePasswords(database) {
    await runWell(ADMIT, ['user', 'add', 'organizer@example.org', '--name', 'Organizer', '--role', 'admin'],
        {env: {PATH: process.env.PATH, DATABASE_URL: `sqlite:${database}`, LOG_LEVEL: 'warn'}, input: `${PASSWORD}\n`, cwd: path.dirname(database)});
    await change(database, `UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = ${PEOPLE + 1}) WHERE id <= ${SIGNERS};`);
}

export async function admitCheck(database) {
    const {code, stdout, stderr} = await run(ADMIT, ['check'],
        {env: {PATH: process.env.PATH, DATABASE_URL: `sqlite:${database}`, LOG_LEVEL: 'warn'}, cwd: path.dirname(database)});
    return {passed: code === 0, said: stdout + stderr};
}

const source = readFileSync(fileURLToPath(import.meta.url));

/** The prepared database of that name, from the cache where it is there. Never written to again: see copyOf(). */
export async function prepared(place, name, sizes) {
    const draft = path.join(place.cache, `${name}.new`);
    rmSync(draft, {force: true});
    await runWell(ADMIT, ['migrate'], {env: {PATH: process.env.PATH, DATABASE_URL: `sqlite:${draft}`, LOG_LEVEL: 'warn'}, cwd: place.work});
    const schema = await sql(draft, 'SELECT sql FROM sqlite_master ORDER BY name');
    // Sales begin in thirty days from when it was made: a week old is too old.
    const week = Math.floor(now / (7 * DAY_MS));
    const mark = createHash('sha256').update(schema).update(source).update(JSON.stringify([sizes, week])).digest('hex').slice(0, 12);
    const file = path.join(place.cache, `${name}-${mark}.db`);
    if (existsSync(file)) {
        for (const end of ['', '-wal', '-shm']) rmSync(draft + end, {force: true});
        return file;
    }
    await fill(draft, recipes[name](sizes));
    if (name === 'hall' || name === 'soak') await givePasswords(draft);
    const {passed, said} = await admitCheck(draft);
    if (!passed) throw new Error(`the database '${name}' was not made as the schema wants it (bench/lib/database.mjs): ${said}`);
    for (const end of ['-wal', '-shm']) rmSync(draft + end, {force: true});
    renameSync(draft, file);
    return file;
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
    const [[ended]] = await numbers(database, 'SELECT count(*) FROM bookings INDEXED BY bookings_ended WHERE status IN (4, 5)');
    const of = (status) => rows.find(([which]) => which === status)?.[1] ?? 0;
    return {first, total: rows.reduce((sum, [, count]) => sum + count, 0), waiting: of(1), confirmed: of(3), ended};
}
