// SPDX-License-Identifier: Apache-2.0
// What must hold after every run: nothing oversold, nothing lost, nothing made up.
//
// wrk counts what was answered with 2xx; the requests tell of which kind they were. A request that was under way when
// wrk hung up may or may not have happened: rows lie between the acknowledged and the sent.

/**
 * `asked`: one for each program that asked: {sent: {r, b, c}, answered, bad, broken, unanswered, short, connections}.
 * `before`, `after`: countRows(). `rows`: what new bookings must be.
 */
export function acknowledgedChecks(asked, before, after, rows = 'any') {
    const checks = [];
    const check = (what, ok, why) => checks.push({what, ok, why: ok ? '' : why});
    const sum = (pick) => asked.reduce((total, each) => total + pick(each), 0);

    const bad = sum((each) => each.bad);
    const broken = sum((each) => (each.broken ?? 0) + (each.unanswered ?? 0));
    check('every answer is 2xx', bad === 0, `${bad} are not`);
    check('every connection held', broken === 0, `${broken} errors`);
    check('there were requests enough', sum((each) => Number(each.short)) === 0, 'the prepared ones ran out');

    // openloop has all answers and counts them by kind. wrk knows their sum: the rest of what it sent was under way
    // (one on each connection, and one that it composes only to look at).
    const least = (kind) => sum((each) => (each.good ? each.good[kind] : Math.max(0, each.sent[kind] - each.connections - 1)));
    const most = (kind) => sum((each) => each.sent[kind]);
    const made = after.total;
    const ended = after.ended - before.ended;
    check('acknowledged bookings are rows', made >= least('b'), `${least('b')} acknowledged, ${made} rows`);
    check('rows are bookings that were asked for', made <= most('b'), `${most('b')} asked for, ${made} rows`);
    check('acknowledged cancellations are rows', ended >= least('c'), `${least('c')} acknowledged, ${ended} rows`);
    check('rows are cancellations that were asked for', ended <= most('c'), `${most('c')} asked for, ${ended} rows`);

    // Without reads the sum of all is known to the one.
    if (most('r') === 0) {
        const acknowledged = sum((each) => each.answered - each.bad);
        check('acknowledged answers are rows', made + ended >= acknowledged, `${acknowledged} acknowledged, ${made + ended} rows`);
    }
    if (rows !== 'any') check(`new bookings are ${rows}`, after[rows] === made, `${after[rows]} of ${made} are`);
    return checks;
}

export const rulesCheck = ({passed, said}) => ({what: 'admit check', ok: passed, why: passed ? '' : said.trim().slice(0, 500)});
