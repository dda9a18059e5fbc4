// SPDX-License-Identifier: Apache-2.0
// How many instructions a request costs, of all threads of the server: a figure that a busy machine
// hardly changes, unlike the time. callgrind counts while one client asks the same things one after
// the other, on one connection and a real file, so every batch is a batch of one.
//
// expected.json has what was counted last. More fails, so that the hot path does not grow by the way;
// markedly less fails too, so that what was gained is written down and kept:
//
//     make test ARGS=instructions WRITE_INSTRUCTIONS=1
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {run, runWell, start} from '../story/lib/admit.mjs';
import {expect} from '../story/lib/client.mjs';

const EXPECTED = new URL('expected.json', import.meta.url);
const TO_WRITE = 'make test ARGS=instructions WRITE_INSTRUCTIONS=1';
const isWriting = Boolean(process.env.WRITE_INSTRUCTIONS);

const PEOPLE = 8;
const WARM = 40; // every token has been seen, every statement prepared, every buffer is as large as it gets

const SETTINGS = {
    HTTP_LOOPS: '1', LANES: '1', READERS: '1', HASHERS: '1',
    RATE_LIMIT: '1000000/s:1000000', // on, as it usually is, and never reached
    // The C library chooses its string functions by the processor. These are the ones every x86-64 has.
    GLIBC_TUNABLES: 'glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,-LZCNT,-MOVBE,-RTM',
};

/** The counted requests: `count` of them, each by one of the people. */
const requests = {
    'GET /healthz': {count: 1000, status: 200, ask: ({server}) => server.nobody.get('/healthz')},
    'status of an event': {count: 1000, status: 200, ask: ({person, event}) => person.get(`/v1/events/${event.id}/status`)},
    'booking': {count: 300, status: 201, ask: ({person, event}) => person.post(`/v1/events/${event.id}/bookings`, {quantity: 1})},
    'booking with Idempotency-Key': {
        count: 300, status: 201, ask: ({person, event, number}) => person.post(`/v1/events/${event.id}/bookings`, {quantity: 1},
            {headers: {'Idempotency-Key': `request-${String(number).padStart(6, '0')}`}}),
    },
};

/** What a sanitizer adds is not the program's; and elsewhere nobody has counted yet. */
async function reasonToSkip(expected) {
    if (process.env.ASAN_OPTIONS || process.env.TSAN_OPTIONS) return 'not with a sanitizer, whose instructions would be counted';
    if (/\bcfi$/.test(process.env.BUILD ?? '')) return 'counted with gcc, and valgrind cannot read what clang says of its programs';
    if (!expected[process.arch] && !isWriting) return `nothing was counted on ${process.arch} yet: ${TO_WRITE}`;
    const valgrind = await run(['--version'], {program: 'valgrind'}).catch(() => null);
    return valgrind?.code === 0 ? false : 'valgrind is not installed here';
}

/** A server with an event and people, who were made at full speed, now run by callgrind. */
async function startCounted() {
    const first = await start();
    const people = await first.crowd(PEOPLE);
    const event = await people[0].createEvent({name: 'Counted', capacity: 1_000_000});
    await first.stop();
    const under = ['valgrind', '--tool=callgrind', `--callgrind-out-file=${join(first.directory, 'callgrind.out')}`,
        `--vgdb-prefix=${join(first.directory, 'vgdb')}`];
    const server = await first.restart({under, env: SETTINGS});
    server.agent.maxSockets = 1;
    return {server, event, people: people.map((person) => server.again(person)), dumps: 0};
}

/** How many instructions were executed since this was called last. */
async function instructions(counted) {
    const {server} = counted;
    await runWell([`--vgdb-prefix=${join(server.directory, 'vgdb')}`, `--pid=${server.child.pid}`, 'dump'], {program: 'vgdb', seconds: 60});
    const dump = readFileSync(join(server.directory, `callgrind.out.${++counted.dumps}`), 'utf8');
    return Number(/^totals: (\d+)$/m.exec(dump)[1]);
}

async function instructionsOf(counted, {ask, status, count}) {
    const askAll = async (from, to) => {
        for (let number = from; number < to; number++)
            expect(await ask({...counted, person: counted.people[number % PEOPLE], number}), status);
    };
    await askAll(0, WARM);
    await instructions(counted);
    await askAll(WARM, WARM + count);
    return Math.round((await instructions(counted)) / count);
}

/** What is wrong with a figure, or nothing. */
function complaint(what, was, is, tolerance) {
    const change = is / was - 1;
    if (Math.abs(change) <= tolerance) return '';
    const percent = `${Math.abs(100 * change).toFixed(1)} %`;
    const figures = `${what}: ${is} instructions, ${was} are expected: ${percent}`;
    if (change < 0) return `${figures} fewer. Well done; keep it with "${TO_WRITE}".`;
    return `${figures} more. If that is what the change is worth, "${TO_WRITE}" makes it the expected figure.`;
}

const expected = JSON.parse(readFileSync(EXPECTED, 'utf8'));
const skip = await reasonToSkip(expected);

describe('Instructions', () => {
    const found = {};
    let counted;

    before(async () => {
        if (!skip) counted = await startCounted();
    });
    after(async () => {
        await counted?.server.finish();
        if (skip || !isWriting) return;
        const all = {...expected, [process.arch]: found};
        writeFileSync(EXPECTED, `${JSON.stringify(all, null, 4)}\n`);
    });

    for (const [what, request] of Object.entries(requests)) {
        it(`of ${what}`, {skip}, async (test) => {
            found[what] = await instructionsOf(counted, request);
            test.diagnostic(`${found[what]} instructions`);
            if (!isWriting) assert.equal(complaint(what, expected[process.arch][what], found[what], expected.tolerance), '');
        });
    }
});
