#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Four times the load that it can carry. First how much that is, in a closed loop; then four times as much, open loop: it comes
// whether or not anything is answered.
import path from 'node:path';
import {parseArgs} from 'node:util';
import {killAll} from './lib/children.mjs';
import {admitCheck, copyOf, countRows, prepared, remove} from './lib/database.mjs';
import {line, openLoop, wrk, writeLines} from './lib/load.mjs';
import {buildTools, makePlace} from './lib/place.mjs';
import {random, shuffled, upTo} from './lib/random.mjs';
import {HOT, PEOPLE} from './lib/recipes.mjs';
import {startAdmit} from './lib/server.mjs';

const usage = `node bench/overload.mjs [options]

  --seconds N      how long each half is (6)
  --times N        how many times the load that it can carry (4)
  --quantity N     tickets in a booking: what makes the lane, and not HTTP, the narrow place (40)
  --connections N  of the open loop (4096)
`;

const CLOSED_CONNECTIONS = 256;

function given() {
    const text = {type: 'string'};
    const {values} = parseArgs({options: {seconds: text, times: text, quantity: text, connections: text, help: {type: 'boolean'}}});
    if (values.help) return undefined;
    const number = (name, fallback) => Number(values[name] ?? fallback);
    return {seconds: number('seconds', 6), times: number('times', 4), quantity: number('quantity', 40), connections: number('connections', 4096)};
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

process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
const options = given();
if (options) {
    measure(options).catch((error) => {
        console.error(`overload: ${error.message}`);
        process.exit(1);
    });
} else {
    console.log(usage);
}
