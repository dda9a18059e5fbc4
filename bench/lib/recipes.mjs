// SPDX-License-Identifier: Apache-2.0
// What the databases of the bench hold, as statements that make it: in the words of SQLite, PostgreSQL or MariaDB where
// these differ (dialects.mjs), which they do little.
import {REFERENCE_KEY} from './reference.mjs';

const DAY_MS = 86_400_000;
const CAPACITY_MOST = 10_000_000;
const LINE_BLOCK = 1024; // ids; LINE_BLOCK_BITS in src/core/working_set.h

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

const now = Date.now();

// Random enough: neighbours lie far apart, and what is picked by two seeds has nothing to do with each other (which two
// multiples of the same number would have).
const PRIMES = [1000000007, 999999937, 998244353, 982451653, 961748941, 941083987, 920419823, 899809343, 879190747];
const FACTORS = [654435769, 736338717, 284659201, 517123943, 399215881, 862718293, 178956973, 943718411, 611953157];
const hashed = (i, count, seed = 0) => `((((${i}) * ${FACTORS[seed]} + 12345) % ${PRIMES[seed]}) % ${count})`;
const somebody = (i) => `${hashed(i, PEOPLE)} + 1`;
/** Whole, also where / gives fractions. */
const quotient = (a, b) => `((${a}) - (${a}) % ${b}) / ${b}`;

// ---- pieces: statements in a dialect ----

const people = ({rows}, count) => `
    INSERT INTO users (id, username, username_folded, name, password_hash, role, created_at, erased_at)
    SELECT i, 'user' || i, 'user' || i, 'User ' || i, '', 0, ${now}, 0 FROM ${rows(1, count)};`;

/** Events `from` on, each with one ticket type. The options give SQL expressions of the id i. */
function events({rows}, from, count, {capacity = CAPACITY_MOST, most = 0, name = `'Concert ' || i`, venue = `'The Hall'`, description = `''`} = {}) {
    const starts = `${Math.ceil(now / DAY_MS + 30) * DAY_MS} + (i % 300) * ${DAY_MS} + 72000000`;
    return `
        INSERT INTO events (id, organizer_id, status, starts_at, ends_at, local_day, max_per_user, version, created_at, updated_at,
            currency, timezone, name, name_folded, venue, description)
        SELECT i, 1, 1, ${starts}, 0, ${quotient(starts, DAY_MS)}, ${most}, 1, ${now}, ${now},
            'EUR', 'UTC', ${name}, lower(${name}), ${venue}, ${description} FROM ${rows(from, count)};
        INSERT INTO event_counters (event_id, next_number, ever_booked) SELECT i, 1, 0 FROM ${rows(from, count)};
        INSERT INTO ticket_types (id, event_id, name, capacity, booked, held, waiting, wanted, price, max_per_booking, sales_start, sales_end)
        SELECT i, i, 'General admission', ${capacity}, 0, 0, 0, 0, 0, 0, 0, 0 FROM ${rows(from, count)};`;
}

/**
 * `each` bookings of one ticket for each of the events `from` to from + count - 1, in turn: booking first + k
 * (k from 0) is for event from + k % count. All confirmed, with their tickets, or all waiting.
 */
function bookings({rows}, first, from, count, each, {status = 3, user = somebody} = {}) {
    const total = count * each;
    const at = `${now} - (${first + total} - i) * 10`;
    const event = `${from} + (i - ${first}) % ${count}`;
    const all = rows(first, total);
    // Event by event, as they lie in their table.
    const nth = quotient('i', each);
    const tickets = status === 3 ? `
        INSERT INTO tickets (event_id, number, booking_id, is_booked)
        SELECT ${from} + ${nth}, i % ${each} + 1, ${first} + (i % ${each}) * ${count} + ${nth}, 1 FROM ${rows(0, total)};
        UPDATE ticket_types SET booked = ${each} WHERE id BETWEEN ${from} AND ${from + count - 1};
        UPDATE event_counters SET next_number = ${each + 1}, ever_booked = 1 WHERE event_id BETWEEN ${from} AND ${from + count - 1};`
        : `UPDATE ticket_types SET waiting = ${each}, wanted = ${each} WHERE id BETWEEN ${from} AND ${from + count - 1};
        INSERT INTO line_blocks (ticket_type_id, block, waiting, wanted)
        SELECT ${event}, ${quotient('i', LINE_BLOCK)}, count(*), count(*) FROM ${all} GROUP BY 1, 2;`;
    return `
        INSERT INTO bookings (id, user_id, event_id, ticket_type_id, quantity, status, unit_price, paid, created_at, updated_at, expires_at)
        SELECT i, ${user('i')}, ${event}, ${event}, 1, ${status}, 0, 0, ${at}, ${at}, 0 FROM ${all};
        INSERT INTO journal (booking_id, id, event_id, ticket_type_id, from_status, to_status, quantity, actor_id, at, reason)
        SELECT i, i, ${event}, ${event}, 0, ${status}, 1, ${user('i')}, ${at}, '' FROM ${all};
        ${tickets}`;
}

/** At the end: the next ids, and the key that public names are made with. */
const housekeeping = ({next, setting}) => [
    ...[['event', 'events'], ['ticket_type', 'ticket_types'], ['booking', 'bookings'], ['user', 'users']]
        .map(([sequence, table]) => next(sequence, `SELECT coalesce(max(id), 0) + 1 FROM ${table}`)),
    next('journal', 'SELECT coalesce(max(booking_id), 0) + 1 FROM journal'),
    setting('reference_key', REFERENCE_KEY),
];

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

/** In the words of SQLite alone. */
function searchable(dialect, from, count) {
    const name = `${pick('adjective', 1)} || ' ' || ${pick('noun', 2)} || ' ' || ${pick('kind', 3)} || ' ' || i`;
    const said = [5, 6, 7, 8].map((seed) => pick('said', seed));
    const word = (text, fields) => `INSERT INTO event_words (event_id, word, fields)
        SELECT i, ${text}, ${fields} FROM ${dialect.rows(from, count)} WHERE true ON CONFLICT DO NOTHING;`;
    return `${wordTables()}
        ${events(dialect, from, count, {name, venue: pick('venue', 4), description: said.join(` || ' ' || `), capacity: 500})}
        ${word(pick('adjective', 1), 1)} ${word(pick('noun', 2), 1)} ${word(pick('kind', 3), 1)} ${word('CAST(i AS TEXT)', 1)}
        ${word(pick('venue', 4), 2)} ${said.map((text) => word(text, 4)).join('\n')}`;
}

// ---- the databases ----

const recipes = {
    hall: (dialect) => [people(dialect, PEOPLE), events(dialect, HOT, 1), events(dialect, GONE, 1, {capacity: 1}),
        events(dialect, LIMITED, LIMITED_COUNT, {most: LIMITED_MOST}), events(dialect, MANY, MANY_COUNT), bookings(dialect, 1, GONE, 1, 1)],
    histories: (dialect, {histories}) => [people(dialect, PEOPLE), events(dialect, MANY, MANY_COUNT, {capacity: 100_000}),
        bookings(dialect, 1, MANY, MANY_COUNT, histories / MANY_COUNT)],
    soak: (dialect, sizes) => recipes.histories(dialect, sizes),
    search: (dialect, {searchable: count}) => [people(dialect, PEOPLE), searchable(dialect, 1, count)],
    churn: (dialect, {churn}) => [people(dialect, PEOPLE), events(dialect, HOT, 1, {capacity: churn / 2}),
        bookings(dialect, 1, HOT, 1, churn / 2), bookings(dialect, 1 + churn / 2, HOT, 1, churn / 2, {status: 1})],
    line: (dialect, {line}) => [people(dialect, PEOPLE), events(dialect, GONE, 1, {capacity: 1000}), bookings(dialect, 1, GONE, 1, 1000),
        bookings(dialect, 1001, GONE, 1, line, {status: 1})],
    // Every second booking belongs to one of those with tokens; the others to a million who come seldom.
    full: (dialect, {full, line, crowd}) => [people(dialect, PEOPLE + crowd), events(dialect, HOT, 1), events(dialect, GONE, 1, {capacity: 1000}),
        events(dialect, MANY, MANY_COUNT, {capacity: 100_000}),
        bookings(dialect, 1, MANY, MANY_COUNT, full / MANY_COUNT,
            {user: (i) => `CASE WHEN ${i} % 2 = 1 THEN ${somebody(i)} ELSE ${PEOPLE + 1} + ${hashed(i, crowd)} END`}),
        bookings(dialect, full + 1, GONE, 1, 1000), bookings(dialect, full + 1001, GONE, 1, line, {status: 1})],
};

/** Of the sizes of the bench, those that the database of that name depends on. */
export function sizesOf({sizes: {full, line, crowd, searchable, histories, churn}}, name) {
    return {hall: {}, histories: {histories}, search: {searchable}, churn: {churn}, line: {line}, full: {full, line, crowd}}[name];
}

/** The statements that make the database of that name, in an empty one that has its tables. */
export const recipe = (name, dialect, sizes) => [...recipes[name](dialect, sizes), ...housekeeping(dialect)];

/** Sales begin in thirty days from when it was made: a week old is too old. */
export const week = Math.floor(now / (7 * DAY_MS));
