// SPDX-License-Identifier: Apache-2.0
// The workloads. Each row says
//     name, about      what it is called and does
//     connections      at which counts of connections it runs; [all, in a --quick bench]
//     database         the prepared one it begins with (database.mjs); with `kept`, one copy serves all rounds
//     lines(bench)     the requests (load.mjs, lua/replay.lua)
//     wrk              more for wrk: every, block, laps, keyed
//     rows             what its new bookings have to be: confirmed, waiting, or any
//     beside(run)      what goes on at the same time
//     after(run)       what is looked at while the server is still up; a list of checks
//     store            the kind of server (servers.mjs) that the database is on, in place of a file
//     processes        how many of admit share it, and the connections between them; one where it is not said
//     measure(run)     in place of all that, for those that are not a wrk run on a server
import http from 'node:http';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {measureFloor, measureLocking} from './floor.mjs';
import {numbers} from './database.mjs';
import {line, openLoop, startListeners, wrk, writeLines} from './load.mjs';
import {random, shuffled, upTo} from './random.mjs';
import {GONE, HOT, LIMITED, LIMITED_COUNT, LIMITED_MOST, MANY, MANY_COUNT, PEOPLE, SIGNERS, WORDS} from './recipes.mjs';
import {referenceOf} from './reference.mjs';
import {request, startAdmit} from './server.mjs';
import {SERVER_KINDS, SERVER_NAMES} from './servers.mjs';
import {PASSWORD} from './tokens.mjs';

const DAY_MS = 86_400_000;
const STORM_CONNECTIONS = 16;
const LEAVING_RATE = 200; // a second
const EXACT_SAMPLES = 25;
const LISTENERS = 10_000;
// More than any run could send in a second, for what must not run out.
const FASTEST = 100_000;

const crowd = () => shuffled(upTo(PEOPLE), random(1));
const manyEvent = (next) => MANY + Math.floor(next() * MANY_COUNT);
const oneOf = (list, next) => list[Math.floor(next() * list.length)];
const book = (event, user) => line('b', 'POST', `/v1/events/${event}/bookings`, user, {quantity: 1});
const everybody = (event) => crowd().map((user) => book(event, user));

// ---- requests ----

const noop = () => [line('r', 'GET', '/healthz')];
const rush = () => everybody(HOT);
const soldOut = () => everybody(GONE);

/** Everybody takes what one may have of an event, then all go on to the next: one is hot at a time. */
function limited(bench) {
    const users = crowd();
    const enough = Math.min(LIMITED_COUNT, Math.ceil((FASTEST * bench.asking_s) / (PEOPLE * LIMITED_MOST)));
    return (function* () {
        for (let event = LIMITED; event < LIMITED + enough; event++) for (const user of users) yield book(event, user);
    })();
}

function spread() {
    const next = random(2);
    return crowd().flatMap((user) => upTo(3).map(() => book(manyEvent(next), user)));
}

function ofEvents(end) {
    const next = random(3);
    return crowd().map((user) => line('r', 'GET', `/v1/events/${manyEvent(next)}${end}`, user));
}

/**
 * Cancels bookings 1, 2, 3 ... by their owners. The first half are confirmed, the others the line in its order: each
 * cancellation promotes the head, which is itself cancelled half the table later. Between two cancellations somebody books.
 */
async function churn(bench, database) {
    const owners = await numbers(database, 'SELECT id, user_id FROM bookings ORDER BY id');
    return (function* () {
        yield* everybody(HOT);
        for (const [id, user] of owners) yield line('c', 'POST', `/v1/bookings/${referenceOf(id)}/cancel`, user, {});
    })();
}

/** A third rare words, a third common ones and beginnings of words, a third places, days and what is to be had. */
function searches() {
    const next = random(4);
    const day = () => new Date(Date.now() + (32 + Math.floor(next() * 200)) * DAY_MS).toISOString().slice(0, 10);
    const kinds = [
        () => `q=${oneOf(WORDS.noun, next)}`, () => `q=${oneOf(WORDS.noun, next)}+${oneOf(WORDS.kind, next)}`,
        () => `q=${oneOf(WORDS.adjective, next)}+${oneOf(WORDS.said, next)}`,
        () => `q=${oneOf(WORDS.kind, next)}`, () => `q=${oneOf(WORDS.noun, next).slice(0, 3)}`, () => `q=${oneOf(WORDS.said, next)}`,
        () => `venue=${oneOf(WORDS.venue, next)}`, () => `date=${day()}`,
        () => `available=true&from=${day()}T00:00:00Z&q=${oneOf(WORDS.kind, next)}`,
    ];
    return crowd().map((user, index) => line('r', 'GET', `/v1/events?${kinds[index % kinds.length]()}`, user));
}

/** Common words that no event has together: all events of the one are looked at in vain. */
function vainSearches() {
    const next = random(8);
    return crowd().map((user) => {
        const [one, other] = shuffled(WORDS.kind, next);
        return line('r', 'GET', `/v1/events?q=${one}+${other}`, user);
    });
}

const histories = (users = crowd()) => users.map((user) => line('r', 'GET', '/v1/bookings', user));
/** People with a handful of bookings among all: what they ask for lies far apart. */
const rareHistories = (bench) => histories(shuffled(upTo(PEOPLE), random(5)).map((i) => PEOPLE + 1 + i * Math.floor(bench.sizes.crowd / PEOPLE) - 1));

/** Some of those that wait, all over the line; [id, user]. */
async function waitingPeople(database, count, seed) {
    const [[from, to]] = await numbers(database, `SELECT min(id), max(id) FROM bookings WHERE ticket_type_id = ${GONE} AND status = 1`);
    const next = random(seed);
    const ids = Array.from({length: count}, () => from + Math.floor(next() * (to - from + 1)));
    return shuffled(await numbers(database, `SELECT id, user_id FROM bookings WHERE id IN (${ids}) AND status = 1`), next);
}

async function positions(bench, database) {
    const people = await waitingPeople(database, PEOPLE, 6 + bench.round);
    return people.map(([id, user]) => line('r', 'GET', `/v1/bookings/${referenceOf(id)}`, user));
}

export const MIXED_EVERY = 50; // 1 of 50 cancels, 4 book, 45 read

/** 49 requests, in any order; somebody cancels after them. */
export function mixedLap(next) {
    const user = () => 1 + Math.floor(next() * PEOPLE);
    const kinds = [
        [22, () => line('r', 'GET', `/v1/events/${manyEvent(next)}/status`, user())],
        [14, () => line('r', 'GET', `/v1/events/${manyEvent(next)}`, user())],
        [8, () => line('r', 'GET', '/v1/bookings', user())],
        [1, () => line('r', 'GET', '/v1/events?available=true', user())],
        [4, () => book(manyEvent(next), user())],
    ];
    return shuffled(kinds.flatMap(([count, make]) => Array.from({length: count}, make)), next);
}

/** Cancellations of all bookings by their owners, each to be used once. */
export async function cancellations(database, next) {
    const owners = shuffled(await numbers(database, 'SELECT id, user_id FROM bookings WHERE status = 3'), next);
    return owners.map(([id, owner]) => line('c', 'POST', `/v1/bookings/${referenceOf(id)}/cancel`, owner, {}));
}

async function mixed(bench, database) {
    const next = random(7);
    const leavers = await cancellations(database, next);
    return (function* () {
        for (let i = 0; i < PEOPLE / 10; i++) yield* mixedLap(next);
        yield* leavers.slice(0, FASTEST / MIXED_EVERY * bench.asking_s);
    })();
}

// ---- what goes on beside, and what is looked at after ----

async function signInStorm(run) {
    const file = path.join(run.bench.place.work, 'storm.lines');
    await writeLines(file, upTo(SIGNERS).map((i) => line('r', 'POST', '/v1/sessions', null, {login: `user${i}`, password: PASSWORD})));
    return async () => {
        const figures = await wrk(run.port, {connections: STORM_CONNECTIONS, seconds: run.bench.seconds, file});
        return {name: 'sign-ins', ...figures};
    };
}

/** People leave the middle of the line, at a rate. */
async function leaving(run) {
    const file = path.join(run.bench.place.work, 'leaving.lines');
    const count = LEAVING_RATE * run.bench.seconds;
    const people = await waitingPeople(run.database, 2 * count + 50, 1000 + run.bench.round);
    await writeLines(file, people.slice(0, count).map(([id, user]) => line('c', 'DELETE', `/v1/bookings/${referenceOf(id)}`, user)));
    return async () => ({
        name: 'leaving',
        ...await openLoop(run.bench.place, run.port, {connections: 8, rate: LEAVING_RATE, seconds: run.bench.seconds, file, every: 1}),
    });
}

/** Places in the line as the server says them, against a count of those before. */
export async function exactPositions(run) {
    const people = await waitingPeople(run.database, 2 * EXACT_SAMPLES, 2000 + run.bench.round);
    let wrong = '';
    for (const [id, user] of people.slice(0, EXACT_SAMPLES)) {
        const {body} = await request(run.port, 'GET', `/v1/bookings/${referenceOf(id)}`, {userId: user});
        const [[before, ahead]] = await numbers(run.database, `SELECT count(*), total(quantity) FROM bookings INDEXED BY bookings_waiting
            WHERE ticket_type_id = ${GONE} AND status = 1 AND id < ${id}`);
        if (body.position !== before + 1 || body.ahead !== ahead)
            wrong ||= `booking ${id} is at ${before + 1} with ${ahead} ahead, the server says ${body.position} and ${body.ahead}`;
    }
    return [{what: 'the position is exact', ok: wrong === '', why: wrong}];
}

/** Every cancellation gave its ticket to the line: as many are booked as before, which was all. */
export async function allPromoted(run) {
    const [[capacity, booked, waiting]] = await numbers(run.database, `SELECT capacity, booked, waiting FROM ticket_types WHERE id = ${HOT}`);
    const ok = booked === capacity && waiting > 0;
    return [{what: 'every cancellation promoted', ok, why: ok ? '' : `${booked} of ${capacity} booked, ${waiting} waiting`}];
}

// ---- those that are not one wrk run ----

/** Half of what it could do at most, at a fixed rate. */
async function measureMixed(run) {
    const {bench, port} = run;
    const peak = await run.timed(() => wrk(port, {...run.load, connections: 64, seconds: bench.seconds}));
    const rate = Math.round(peak.per_second / 2);
    const figures = await run.timed(() => openLoop(bench.place, port, {
        connections: run.connections, rate, seconds: bench.seconds, file: run.load.file, every: MIXED_EVERY, once: run.load.once + peak.sent.c,
    }));
    return {...figures, ...figures.all, per_second: figures.per_second, peak_per_second: peak.per_second, rate,
        kinds: {reads: figures.r, bookings: figures.b, cancellations: figures.c}};
}

/** The organizer of all events, user 1, has every booking told to a server of his. */
async function hear(run) {
    const heard = run.hook = {messages: 0};
    heard.server = http.createServer((asked, response) => {
        heard.messages++;
        asked.resume().on('end', () => response.writeHead(204).end());
    });
    await new Promise((resolve) => heard.server.listen(0, '127.0.0.1', resolve));
    heard.server.unref();
    const url = `http://127.0.0.1:${heard.server.address().port}/`;
    const {status} = await request(run.port, 'POST', '/v1/webhooks', {userId: 1, body: {url}});
    if (status !== 201) throw new Error(`no webhook could be made: ${status}`);
}

async function somethingHeard(run) {
    const {messages, server} = run.hook;
    server.closeAllConnections();
    server.close();
    return [{what: 'the webhook was told', ok: messages > 0, why: `${messages} messages`}];
}

/** What is left of the newest state's number when all is quiet again. */
async function calm(run) {
    const booked = async () => (await request(run.port, 'GET', `/v1/events/${HOT}/status`)).body.booked;
    for (let [was, now] = [-1, await booked()]; was !== now; [was, now] = [now, await booked()]) await sleep(1000);
}

/** A rush, and then another one with many who listen to its event; each is told the newest state, soon. */
async function measureStream(run) {
    const {bench, port, load, connections} = run;
    const rush = () => run.timed(() => wrk(port, {...load, connections, seconds: bench.seconds}));
    const alone = await rush();
    load.from += alone.sent.b;
    const before = run.servers[0].memory().now_mib;
    const listeners = await startListeners(bench.place, port, LISTENERS, `/v1/events/${HOT}/stream`);
    const memory_mib = run.servers[0].memory().now_mib - before;
    const figures = await rush();
    await calm(run);
    const heard = run.heard = await listeners.end();
    return {...figures, heard: {...heard, of_rush: figures.per_second / alone.per_second, kib_each: memory_mib * 1024 / LISTENERS,
        late_ms: (heard.behind_us + heard.apart_us) / 1000}};
}

/** All listened to the end, and all have what there was last. */
async function allHeard(run) {
    return [{what: 'everybody has the newest state', ok: run.heard.with_newest === LISTENERS && run.heard.ended === 0,
        why: `${run.heard.with_newest} of ${LISTENERS} have it, ${run.heard.ended} were cut off`}];
}

/** From exec to the first ticket sold, and what it holds in memory then. */
async function measureStart(bench, database) {
    const begin = performance.now();
    const server = await startAdmit(database, bench.place.work);
    const ready_ms = performance.now() - begin;
    const answer = await request(server.port, 'POST', `/v1/events/${HOT}/bookings`, {userId: 1, body: {quantity: 1}});
    const sold_ms = performance.now() - begin;
    await sleep(500);
    const memory = server.memory();
    await server.stop();
    return {ready_ms, sold_ms, memory_mib: memory.now_mib, memory_most_mib: memory.most_mib,
        checks: [{what: 'it sold', ok: answer.status === 201, why: `${answer.status}`}]};
}

// ---- the table ----

const all = (list, quick = list) => ({all: list, quick});

export const workloads = [
    {name: 'floor-disk', about: '4 KiB and fdatasync, again and again', measure: (bench) => measureFloor(bench, 'raw')},
    {name: 'floor-commit', about: 'one booking a transaction by SQLite alone, without HTTP', measure: (bench) => measureFloor(bench, 'commit')},
    {name: 'noop', about: 'GET /healthz: the HTTP layer alone', connections: all([1, 64, 256, 1024]), database: 'hall', lines: noop},
    {name: 'rush', about: 'everybody books one ticket of one event', connections: all([1, 8, 64, 256, 1024]), database: 'hall', lines: rush, rows: 'confirmed'},
    {name: 'rush-limited', about: 'the same with max_per_user: 4', connections: all([256]), database: 'hall', lines: limited,
        wrk: {block: PEOPLE, laps: LIMITED_MOST}, rows: 'confirmed'},
    {name: 'rush-keyed', about: 'the same with a fresh Idempotency-Key on every request', connections: all([256, 1024], [256]), database: 'hall', lines: rush,
        wrk: {keyed: 1}, rows: 'confirmed'},
    {name: 'rush-told', about: 'the same, and a webhook is told of each', connections: all([256]), database: 'hall', lines: rush, rows: 'confirmed',
        beside: hear, after: somethingHeard},
    {name: 'sold-out', about: 'the same when nothing is left: everybody joins the waiting list', connections: all([256, 1024], [256]), database: 'hall',
        lines: soldOut, rows: 'waiting'},
    {name: 'churn', about: 'half cancel, half book, a long line waits', connections: all([256]), database: 'churn', lines: churn, wrk: {every: 2},
        after: allPromoted},
    {name: 'spread', about: '1,000 events booked at random', connections: all([256]), database: 'hall', lines: spread, rows: 'confirmed'},
    {name: 'status', about: 'GET an event\'s status, of 1,000 at random', connections: all([64, 1024], [64]), database: 'hall', lines: () => ofEvents('/status')},
    {name: 'event', about: 'GET an event, of 1,000 at random', connections: all([64]), database: 'hall', lines: () => ofEvents('')},
    {name: 'search', about: 'searches in 100,000 events', connections: all([64]), database: 'search', lines: searches},
    {name: 'search-vain', about: 'two common words that no event has together', connections: all([8]), database: 'search', lines: vainSearches},
    {name: 'history', about: '"my bookings" of random users', connections: all([64]), database: 'histories', lines: () => histories()},
    {name: 'position', about: 'my place in a long line, while people leave its middle', connections: all([64]), database: 'line',
        lines: positions, beside: leaving, after: exactPositions},
    {name: 'login', about: `rush, with a storm of sign-ins on ${STORM_CONNECTIONS} connections beside it`, connections: all([64]), database: 'hall',
        lines: rush, rows: 'confirmed', beside: signInStorm},
    {name: 'mixed', about: 'reads 90, bookings 8, cancellations 2, at half of the peak, open loop', connections: all([256]), database: 'histories', lines: mixed,
        wrk: {every: MIXED_EVERY}, rows: 'confirmed', measured: measureMixed},
    {name: 'stream', about: `rush, with ${LISTENERS.toLocaleString('en')} who listen to the event`, connections: all([256]), database: 'hall', lines: rush, rows: 'confirmed',
        measured: measureStream, after: allHeard},
    {name: 'full-start', about: 'from start to the first ticket sold, with the full database', database: 'full', kept: true, measure: measureStart},
    {name: 'full-rush', about: 'rush, with the full database', connections: all([64, 256], [256]), database: 'full', kept: true, lines: rush, rows: 'confirmed'},
    {name: 'full-history', about: '"my bookings" of people with hundreds', connections: all([64]), database: 'full', kept: true, lines: () => histories()},
    {name: 'full-history-rare', about: '"my bookings" of people with a handful, far apart', connections: all([64]), database: 'full', kept: true, lines: rareHistories},
    {name: 'full-position', about: 'position, with the full database', connections: all([64]), database: 'full', kept: true,
        lines: positions, beside: leaving, after: exactPositions},
    {name: 'full-status', about: 'status, with the full database', connections: all([64]), database: 'full', kept: true, lines: () => ofEvents('/status')},
    ...SERVER_KINDS.flatMap((store) => [
        {name: `floor-${store}`, about: '64 connections by hand: BEGIN, SELECT FOR UPDATE, UPDATE, INSERT, INSERT, COMMIT', store, measure: measureLocking},
        {name: `rush-${store}`, about: `rush on ${SERVER_NAMES[store]}`, connections: all([64, 256], [256]), database: 'hall', store, lines: rush, rows: 'confirmed'},
        {name: `pair-${store}`, about: 'the same with two processes of admit, half of the connections each', connections: all([256]), database: 'hall', store,
            processes: 2, lines: rush, rows: 'confirmed'},
        {name: `full-rush-${store}`, about: `rush-${store}, with the full database`, connections: all([256]), database: 'full', store, kept: true,
            lines: rush, rows: 'confirmed'},
    ]),
];

/** The file that wrk and openloop read. Those of kept or changing databases are made anew for each run. */
export async function linesFile(bench, workload, database) {
    const file = path.join(bench.place.work, `${workload.name}.lines`);
    if (!bench.written.has(file) || workload.kept || workload.database === 'line') {
        await writeLines(file, await workload.lines(bench, database));
        bench.written.add(file);
    }
    return file;
}
