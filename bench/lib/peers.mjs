// SPDX-License-Identifier: Apache-2.0
// What people would use instead, under the same requests. None is timed before it has sold 100 tickets to 200 people correctly.
import path from 'node:path';
import {start, stop} from './children.mjs';
import {line, wrk, writeLines} from './load.mjs';
import {startMariadb} from './mariadb.mjs';
import {BENCH, processorTimes} from './place.mjs';
import {random, shuffled, upTo} from './random.mjs';
import {PEOPLE} from './recipes.mjs';
import {freePort, request, waitUntilReady} from './server.mjs';
import {SECRET} from './tokens.mjs';

const WORKERS = 2;
// Each worker's connections: more only wait for the same row's lock.
const CONNECTIONS = 10;
const CAPACITY = 10_000_000;
const ASKING = 200;
const TICKETS = 100;

async function rowsOf(mariadb, event) {
    const [[counts]] = await mariadb.root.query(`SELECT
        (SELECT count(*) FROM bookings WHERE event_id = ${event} AND status = 'confirmed') AS confirmed,
        (SELECT count(*) FROM bookings WHERE event_id = ${event} AND status = 'waiting') AS waiting,
        (SELECT count(*) FROM tickets WHERE event_id = ${event}) AS tickets,
        (SELECT count(DISTINCT number) FROM tickets WHERE event_id = ${event}) AS numbers,
        (SELECT coalesce(max(number), 0) FROM tickets WHERE event_id = ${event}) AS highest,
        (SELECT booked FROM events WHERE id = ${event}) AS booked, (SELECT waiting FROM events WHERE id = ${event}) AS line`);
    return Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, Number(value)]));
}

const addEvent = async (mariadb, capacity) =>
    (await mariadb.root.query('INSERT INTO events (name, capacity) VALUES (?, ?)', ['Rush', capacity]))[0].insertId;

/** 200 people ask at once for one of 100 tickets: what is wrong with the outcome, or nothing. */
export async function proveCorrect(mariadb, {port, child}) {
    const event = await addEvent(mariadb, TICKETS);
    const answers = await Promise.all(upTo(ASKING).map((userId) =>
        request(port, 'POST', `/v1/events/${event}/bookings`, {userId, body: {quantity: 1}})));
    const wrong = child.log ? [child.log.slice(0, 300)] : [];
    const same = (what, is, wanted) => JSON.stringify(is) !== JSON.stringify(wanted) && wrong.push(`${what}: ${JSON.stringify(is).slice(0, 200)}`);
    const sorted = (list) => list.sort((a, b) => a - b);
    const of = (status) => answers.filter((answer) => answer.status === status).map((answer) => answer.body);
    same('confirmed', of(201).length, TICKETS);
    same('waiting', of(202).length, ASKING - TICKETS);
    same('numbers', sorted(of(201).flatMap((booking) => booking.numbers)), upTo(TICKETS));
    same('positions', sorted(of(202).map((booking) => booking.position)), upTo(ASKING - TICKETS));
    same('rows', await rowsOf(mariadb, event), {confirmed: TICKETS, waiting: ASKING - TICKETS, tickets: TICKETS, numbers: TICKETS, highest: TICKETS,
        booked: TICKETS, line: ASKING - TICKETS});
    return wrong;
}

export async function startPeer(bench, mariadb, kind) {
    const module = await import(path.join(BENCH, 'peers', `${kind}.mjs`));
    await mariadb.reset(module.routine);
    const users = upTo(PEOPLE).map((id) => [id, `user${id}`]);
    await mariadb.root.query('INSERT INTO users (id, username) VALUES ?', [users]);
    const port = await freePort();
    const settings = {port, workers: WORKERS, secret: SECRET, database: {...mariadb.login, connectionLimit: CONNECTIONS}};
    const child = start(process.execPath, [path.join(BENCH, 'peers/server.mjs'), kind], {
        env: {PATH: process.env.PATH, NODE_ENV: 'production', PEER: JSON.stringify(settings)}, cwd: bench.place.work,
    });
    await waitUntilReady(child, port, '/healthz');
    return {title: module.title, port, child, stop: () => stop(child)};
}

function checksOf(rows, asked) {
    const sent = asked.reduce((sum, each) => sum + each.sent.b, 0);
    const acknowledged = asked.reduce((sum, each) => sum + each.answered - each.bad, 0);
    const bad = asked.reduce((sum, each) => sum + each.bad + each.broken, 0);
    const check = (what, ok, why) => ({what, ok, why: ok ? '' : why});
    return [
        check('every answer is 2xx', bad === 0, `${bad} are not`),
        check('acknowledged bookings are rows', rows.confirmed >= acknowledged && rows.confirmed <= sent,
            `${acknowledged} acknowledged, ${sent} sent, ${rows.confirmed} rows`),
        check('tickets, numbers and counter agree',
            [rows.tickets, rows.numbers, rows.highest, rows.booked].every((count) => count === rows.confirmed), JSON.stringify(rows)),
    ];
}

async function timePeer(bench, mariadb, peer, connections) {
    const event = await addEvent(mariadb, CAPACITY);
    const file = path.join(bench.place.work, 'peer.lines');
    await writeLines(file, shuffled(upTo(PEOPLE), random(1)).map((user) => line('b', 'POST', `/v1/events/${event}/bookings`, user, {quantity: 1})));
    const asked = [];
    const ask = async (seconds) => asked.push(await wrk(peer.port, {connections, seconds, file}));
    if (bench.warm) await ask(bench.warm);
    const before = processorTimes();
    await ask(bench.seconds);
    const after = processorTimes();
    const figures = asked.at(-1);
    figures.stolen = (after.stolen - before.stolen) / Math.max(1, after.all - before.all);
    // What was under way when wrk hung up is still being done: rows are counted when it is.
    let rows = await rowsOf(mariadb, event);
    for (let last = -1; last !== rows.confirmed; rows = await rowsOf(mariadb, event)) {
        last = rows.confirmed;
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return {...figures, checks: checksOf(rows, asked)};
}

/** All peers at all counts of connections; `note(name, title, connections, figures)` for each run. */
export async function runPeers(bench, kinds, note) {
    const mariadb = await startMariadb(bench.place);
    try {
        for (const kind of kinds) {
            const peer = await startPeer(bench, mariadb, kind);
            try {
                const wrong = await proveCorrect(mariadb, peer);
                if (wrong.length) throw new Error(`the peer '${kind}' is not correct: ${wrong.join('; ')}`);
                for (const connections of bench.peerConnections)
                    note(`peer-${kind}`, peer.title, connections, await timePeer(bench, mariadb, peer, connections));
            } finally {
                await peer.stop();
            }
        }
    } finally {
        await mariadb.stop();
    }
}
