#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Four times the load that it can carry. First how much that is, in a closed loop; then four times as much, open loop: it comes
// whether or not anything is answered.
import path from 'node:path';
import {parseArgs} from 'node:util';
import {setTimeout as sleep} from 'node:timers/promises';
import {asManyAs, closeHalf, connectMany, neverRead, pipeline, trickle, vanish} from '../tests/overload/rude.mjs';
import {killAll} from './lib/children.mjs';
import {admitCheck, copyOf, countRows, prepared, remove} from './lib/database.mjs';
import {line, openLoop, wrk, writeLines} from './lib/load.mjs';
import {buildTools, makePlace} from './lib/place.mjs';
import {random, shuffled, upTo} from './lib/random.mjs';
import {HOT, PEOPLE} from './lib/recipes.mjs';
import {request, startAdmit} from './lib/server.mjs';
import {tokenOf} from './lib/tokens.mjs';

const usage = `node bench/overload.mjs [options]

  --seconds N      how long each half is (6)
  --times N        how many times the load that it can carry (4)
  --quantity N     tickets in a booking: what makes the lane, and not HTTP, the narrow place (160)
  --connections N  of the open loop (4096)
  --rude           instead: single tickets on 64 connections, alone and beside each kind of client that does not behave
  --rounds N       of these, each kind once in every round (3)
  --only WORD      of these, those whose name has this word in it
`;

const CLOSED_CONNECTIONS = 256;

function given() {
    const text = {type: 'string'};
    const {values} = parseArgs({options: {seconds: text, times: text, quantity: text, connections: text, rounds: text,
        only: text, rude: {type: 'boolean'}, help: {type: 'boolean'}}});
    if (values.help) return undefined;
    const number = (name, fallback) => Number(values[name] ?? fallback);
    return {rude: values.rude, only: values.only ?? '', rounds: number('rounds', 3), seconds: number('seconds', 6), times: number('times', 4), quantity: number('quantity', 160), connections: number('connections', 4096)};
}

const ms = (us) => `${(us / 1000).toFixed(1)} ms`;

async function measure({seconds, times, quantity, connections}) {
    const place = makePlace();
    buildTools(place);
    const file = path.join(place.work, 'overload.lines');
    await writeLines(file, shuffled(upTo(PEOPLE), random(1)).map((user) => line('b', 'POST', `/v1/events/${HOT}/bookings`, user, {quantity})));
    const original = await prepared(place, 'hall', {});
    const database = copyOf(original, path.join(place.work, 'overload.db'));
    const before = await countRows(database);
    const server = await startAdmit(database, place.work);
    const warm = await wrk(server.port, {connections: CLOSED_CONNECTIONS, seconds: 2, file});
    const peak = await wrk(server.port, {connections: CLOSED_CONNECTIONS, seconds, file, from: warm.sent.b});
    const rate = Math.round(times * peak.per_second);
    const idle = server.memory().now_mib;
    const over = await openLoop(place, server.port, {connections, rate, seconds, file});
    const memory = server.memory();
    const asked = over.sent.b / (over.duration_us / 1e6);
    const done = over.good.b / (over.duration_us / 1e6);
    const complaints = await server.stop();
    const after = await countRows(database, before.first);
    const {passed} = await admitCheck(database);
    remove(database);
    const acknowledged = warm.answered - warm.bad + peak.answered - peak.bad + over.good.b;
    const sent = warm.sent.b + peak.sent.b + over.sent.b - over.refused.count;
    const part = done / peak.per_second;
    console.log(`${quantity} tickets a booking, ${seconds} s each
peak           ${Math.round(peak.per_second)}/s on ${CLOSED_CONNECTIONS} connections, closed loop, p99 ${ms(peak.p99_us)}
then asked for ${rate}/s, ${times} times as many, on ${connections} connections; ${Math.round(asked)}/s were sent
accepted       ${Math.round(done)}/s, ${(100 * part).toFixed(0)} % of the peak; p50 ${ms(over.served.p50_us)}, p99 ${ms(over.served.p99_us)}, max ${ms(over.served.max_us)}
refused        ${over.refused.count} with 503, ${over.with_retry_after} of them with Retry-After; p50 ${ms(over.refused.p50_us)}, p99 ${ms(over.refused.p99_us)}, max ${ms(over.refused.max_us)}
other          ${over.bad - over.refused.count} other answers, ${over.unanswered} without one
memory         ${idle.toFixed(0)} MiB before, ${memory.most_mib.toFixed(0)} at most
client         ${(over.client_cpu_s / (over.duration_us / 1e6)).toFixed(2)} processors
rows           ${acknowledged} acknowledged, ${after.total} there, ${sent} sent at most; admit check ${passed ? 'passed' : 'FAILED'}; ${complaints.length} complaints`);
    if (!passed || after.total < acknowledged || after.total > sent || over.bad !== over.refused.count) process.exitCode = 1;
}

// ---- beside clients that do not behave ----

const BESIDE_CONNECTIONS = 64;

const asking = (user) => `POST /v1/events/${HOT}/bookings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tokenOf(user)}\r\n` +
    'Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{"quantity":1}';

/** Calls `act` so many times a second until stop(), which waits for those under way; what fails meanwhile fails for its client alone. */
function often(perSecond, act) {
    const underWay = new Set();
    const timer = setInterval(() => {
        for (let i = 0; i < perSecond / 20; i++) {
            const one = act().catch(() => {}).finally(() => underWay.delete(one));
            underWay.add(one);
        }
    }, 50);
    return async () => {
        clearInterval(timer);
        await Promise.all(underWay);
    };
}

const held = (sockets) => () => sockets.forEach((socket) => socket.destroy());

/** Each kind starts its clients and gives what ends them. */
const rude = {
    'nobody': async () => () => {},
    'idle connections, 10,000': async (server) => held(await connectMany(server, asManyAs(10_000, server.pid))),
    'a byte a second, 1,000 clients': async (server) => {
        const {sockets, stop} = await trickle(server, 1000, asking(1), 1000);
        return () => {
            stop();
            held(sockets)();
        };
    },
    'never read, 200 clients': async (server) => held(await neverRead(server, 200)),
    'ask and vanish, 500 a second': async (server) => often(500, () => vanish(server, asking(1))),
    'ask and half-close, 200 a second': async (server) => often(200, () => closeHalf(server, asking(1))),
    'pipeline 20 requests, 20 times a second': async (server) => often(20, () => pipeline(server, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n', 20)),
    'sign in, 100 at a time': async (server) => {
        let isOver = false;
        const clients = Array.from({length: 100}, async () => {
            while (!isOver) {
                const {status} = await request(server.port, 'POST', '/v1/sessions', {body: {login: 'nobody@example.org', password: 'a wrong password'}}).catch(() => ({}));
                if (status !== 401) await sleep(1000); // as Retry-After says
            }
        });
        return async () => {
            isOver = true;
            await Promise.all(clients);
        };
    },
};

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function measureRude({seconds, rounds, only}) {
    const kinds = Object.entries(rude).filter(([kind]) => kind === 'nobody' || kind.includes(only));
    const place = makePlace();
    buildTools(place);
    const file = path.join(place.work, 'overload.lines');
    await writeLines(file, shuffled(upTo(PEOPLE), random(1)).map((user) => line('b', 'POST', `/v1/events/${HOT}/bookings`, user, {quantity: 1})));
    const database = copyOf(await prepared(place, 'hall', {}), path.join(place.work, 'overload.db'));
    const server = await startAdmit(database, place.work);
    const found = Object.fromEntries(kinds.map(([kind]) => [kind, []]));
    let from = (await wrk(server.port, {connections: BESIDE_CONNECTIONS, seconds: 1, file})).sent.b;
    let bad = 0;
    for (let round = 0; round < rounds; round++)
        for (const [kind, start] of kinds) {
            const end = await start(server);
            const result = await wrk(server.port, {connections: BESIDE_CONNECTIONS, seconds, file, from});
            await end();
            from += result.sent.b;
            bad += result.bad;
            found[kind].push(result.per_second);
        }
    const complaints = await server.stop();
    const {passed} = await admitCheck(database);
    remove(database);
    const alone = median(found.nobody);
    console.log(`single tickets on ${BESIDE_CONNECTIONS} connections, ${rounds} rounds of ${seconds} s each, medians\n`);
    for (const [kind, rates] of Object.entries(found))
        console.log(`${`beside ${kind}`.padEnd(48)}${String(Math.round(median(rates))).padStart(7)}/s  ${(median(rates) / alone).toFixed(2)}`);
    console.log(`\n${bad} refused or wrong; admit check ${passed ? 'passed' : 'FAILED'}; ${complaints.length} complaints`);
    if (!passed) process.exitCode = 1;
}

process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
const options = given();
if (options) {
    (options.rude ? measureRude : measure)(options).catch((error) => {
        console.error(`overload: ${error.message}`);
        process.exit(1);
    });
} else {
    console.log(usage);
}
