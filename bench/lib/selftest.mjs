// SPDX-License-Identifier: Apache-2.0
// Shows that the checks of the bench can fail: a good run passes, and each way of spoiling it is noticed by the check that is
// meant to. A check that nothing can fail proves nothing.
import path from 'node:path';
import {acknowledgedChecks, rulesCheck} from './checks.mjs';
import {runWell} from './children.mjs';
import {admitCheck, copyOf, countRows, prepared, preparedOn} from './database.mjs';
import {wrk, wrkEach} from './load.mjs';
import {HOT} from './recipes.mjs';
import {startAdmit} from './server.mjs';
import {SERVER_KINDS, SERVER_NAMES, startServer} from './servers.mjs';
import {allPromoted, exactPositions, linesFile, workloads} from './workloads.mjs';

const CONNECTIONS = 16;
const LINE = 2000;
const CHURN = 2000;

const change = (database, text) => runWell('sqlite3', ['-bail', database], {input: `PRAGMA ignore_check_constraints = ON; ${text}`});

/** Takes a booking away with every trace: the rules still hold, but somebody was told that they have a ticket. */
const vanish = (count) => `
    CREATE TEMP TABLE gone AS SELECT id FROM bookings WHERE event_id = ${HOT} ORDER BY id DESC LIMIT ${count};
    DELETE FROM journal WHERE booking_id IN gone;
    DELETE FROM tickets WHERE booking_id IN gone;
    DELETE FROM bookings WHERE id IN gone;
    UPDATE ticket_types SET booked = booked - ${count} WHERE id = ${HOT};
    UPDATE event_counters SET next_number = next_number - ${count} WHERE event_id = ${HOT};`;

/** And puts bookings there that nobody asked for, as the rules want them. */
const appear = (count) => `
    CREATE TEMP TABLE made AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
        SELECT i, (SELECT max(id) FROM bookings) + i AS id, (SELECT next_number FROM event_counters WHERE event_id = ${HOT}) + i - 1 AS number FROM n;
    INSERT INTO bookings SELECT id, 1, ${HOT}, ${HOT}, 1, 3, 0, 0, 1, 1, 0 FROM made;
    INSERT INTO tickets SELECT ${HOT}, number, id, 1 FROM made;
    INSERT INTO journal SELECT id, id, ${HOT}, ${HOT}, 0, 3, 1, 1, 1, '' FROM made;
    UPDATE ticket_types SET booked = booked + ${count} WHERE id = ${HOT};
    UPDATE event_counters SET next_number = next_number + ${count} WHERE event_id = ${HOT};`;

const failedOf = (checks) => checks.filter(({ok}) => !ok).map(({what}) => what);

class SelfTest {
    constructor() {
        this.failures = 0;
    }

    /** `wanted` must be among the checks that failed; with nothing wanted, none may fail. */
    expect(about, checks, wanted) {
        const failed = failedOf(checks);
        const ok = wanted ? failed.includes(wanted) : failed.length === 0;
        if (!ok) this.failures++;
        const noticed = failed.length ? `noticed by "${failed.join('", "')}"` : 'all checks hold';
        console.log(`${ok ? 'ok' : 'NOT OK'}  ${about}: ${noticed}${ok || !wanted ? '' : `, "${wanted}" should have`}`);
    }
}

async function rush(bench, test) {
    const workload = workloads.find(({name}) => name === 'rush');
    const database = copyOf(await prepared(bench.place, 'hall', {}), path.join(bench.place.work, 'self.db'));
    const before = await countRows(database);
    const file = await linesFile(bench, workload, database);
    const server = await startAdmit(database, bench.place.work);
    const figures = await wrk(server.port, {connections: CONNECTIONS, seconds: 1, file});
    const nowhereFile = await linesFile(bench, {name: 'nowhere', lines: () => ['r\tGET\t/nowhere\t\t\n']});
    const nowhere = await wrk(server.port, {connections: CONNECTIONS, seconds: 1, file: nowhereFile});
    await server.stop();
    const look = async (where, asked = [figures], rows = 'confirmed') =>
        [rulesCheck(await admitCheck(where)), ...acknowledgedChecks(asked, before, await countRows(where, before.first), rows)];
    const {total} = await countRows(database, before.first);
    const spoilt = async (about, text, wanted) => {
        const copy = copyOf(database, path.join(bench.place.work, 'spoilt.db'));
        await change(copy, text);
        test.expect(about, await look(copy), wanted);
    };

    test.expect('a run as it should be', await look(database));
    await spoilt('an acknowledged booking is gone, without a trace', vanish(total - figures.answered + 1), 'acknowledged answers are rows');
    await spoilt('all but a few bookings are gone', vanish(total - 5), 'acknowledged bookings are rows');
    await spoilt('there are bookings that nobody asked for', appear(figures.sent.b - total + 1), 'rows are bookings that were asked for');
    await spoilt('one more is sold than counted', `UPDATE ticket_types SET booked = booked - 1 WHERE id = ${HOT}`, 'admit check');
    await spoilt('more are sold than there are', `UPDATE ticket_types SET capacity = 10 WHERE id = ${HOT}`, 'admit check');
    await spoilt('a ticket has no row', `DELETE FROM tickets WHERE event_id = ${HOT} AND number = 5`, 'admit check');
    await spoilt('two bookings have the same ticket', `UPDATE tickets SET booking_id = (SELECT booking_id FROM tickets WHERE event_id = ${HOT} AND number = 6)
        WHERE event_id = ${HOT} AND number = 5`, 'admit check');
    await spoilt('the journal has a hole', `DELETE FROM journal WHERE booking_id = (SELECT max(id) FROM bookings)`, 'admit check');
    await spoilt('a booking waits that was said to be confirmed', `UPDATE bookings SET status = 1 WHERE id = ${before.first + 7}`, 'new bookings are confirmed');
    await spoilt('a booking was cancelled that nobody cancelled', `UPDATE bookings SET status = 4 WHERE id = ${before.first + 7}`, 'rows are cancellations that were asked for');
    test.expect('answers that are not 2xx', await look(database, [figures, nowhere]), 'every answer is 2xx');
    test.expect('a connection broke', await look(database, [{...figures, broken: 1}]), 'every connection held');
    test.expect('the prepared requests ran out', await look(database, [{...figures, short: 1}]), 'there were requests enough');
    test.expect('an acknowledged cancellation did not happen',
        await look(database, [figures, {sent: {r: 0, b: 0, c: 1}, good: {r: 0, b: 0, c: 1}, answered: 1, bad: 0, short: 0}]), 'acknowledged cancellations are rows');
}

async function line(bench, test) {
    const database = copyOf(await prepared(bench.place, 'line', {line: LINE}), path.join(bench.place.work, 'line.db'));
    const other = copyOf(database, path.join(bench.place.work, 'other.db'));
    await change(other, `DELETE FROM bookings WHERE status = 1 AND id % 100 = 0 AND id < 1000 + ${LINE / 4}`);
    const server = await startAdmit(database, bench.place.work);
    const look = (where) => exactPositions({bench: {...bench, round: 0}, port: server.port, database: where});
    test.expect('places in the line as they are', await look(database));
    test.expect('places in the line, a few people beside', await look(other), 'the position is exact');
    await server.stop();
}

async function churn(bench, test) {
    const database = copyOf(await prepared(bench.place, 'churn', {churn: CHURN}), path.join(bench.place.work, 'churn.db'));
    test.expect('all that was cancelled was promoted', await allPromoted({database}));
    await change(database, `UPDATE ticket_types SET booked = booked - 1 WHERE id = ${HOT}`);
    test.expect('one that was cancelled was not', await allPromoted({database}), 'every cancellation promoted');
}

async function peers(bench, test) {
    const {isInstalled, startMariadb} = await import('./mariadb.mjs');
    const {PEERS} = await import('./kinds.mjs');
    const {proveCorrect, startPeer} = await import('./peers.mjs');
    if (!isInstalled()) throw new Error('MariaDB is missing: tools/setup bench');
    const mariadb = await startMariadb(bench.place);
    try {
        for (const kind of [...PEERS, 'naive']) {
            const peer = await startPeer(bench, mariadb, kind);
            const wrong = await proveCorrect(mariadb, peer).finally(() => peer.stop());
            const check = {what: '200 for 100', ok: wrong.length === 0};
            test.expect(peer.title, [check], kind === 'naive' ? '200 for 100' : undefined);
        }
    } finally {
        await mariadb.stop();
    }
}

/** The same checks where the rows are on a server, by two processes. */
async function servers(bench, test) {
    const workload = workloads.find(({name}) => name === 'rush');
    for (const kind of SERVER_KINDS) {
        const server = await startServer(bench.place, kind);
        try {
            const database = await preparedOn(server, 'hall', {}, 'self');
            const before = await countRows(database);
            const file = await linesFile(bench, workload, database);
            const pair = [await startAdmit(database, bench.place.work), await startAdmit(database, bench.place.work)];
            const {each} = await wrkEach(pair.map(({port}) => port), {connections: CONNECTIONS, seconds: 1, file});
            for (const admit of pair) await admit.stop();
            const look = async () => [rulesCheck(await admitCheck(database)),
                ...acknowledgedChecks(each, before, await countRows(database, before.first), 'confirmed')];
            test.expect(`two processes on ${SERVER_NAMES[kind]} as they should be`, await look());
            await database.sql(`DELETE FROM tickets WHERE event_id = ${HOT} AND number = 5`);
            test.expect(`${SERVER_NAMES[kind]}: a ticket has no row`, await look(), 'admit check');
            await database.sql(`DELETE FROM bookings WHERE event_id = ${HOT} AND id > ${before.first + 5}`);
            test.expect(`${SERVER_NAMES[kind]}: all but a few bookings are gone`, await look(), 'acknowledged bookings are rows');
        } finally {
            await server.stop();
        }
    }
}

export async function selfTest(bench) {
    const test = new SelfTest();
    for (const part of [rush, line, churn, servers, peers]) await part(bench, test);
    console.log(test.failures ? `${test.failures} NOT OK` : 'the checks hold, and each can fail');
    return test.failures === 0;
}
