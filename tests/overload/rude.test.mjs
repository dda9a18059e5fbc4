// SPDX-License-Identifier: Apache-2.0
// Thousands of clients that do not behave, and somebody beside them who only wants a ticket. Counted, not timed: what is measured is
// in bench/overload.mjs. That a request as a whole has a deadline is shown in tests/unit/http/test_limits.c.
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {after, before, describe, it} from 'node:test';
import {PASSWORD, run, runWell, start} from '../story/lib/admit.mjs';
import {expect} from '../story/lib/client.mjs';
import {answersIn} from '../story/lib/raw.mjs';
import {inTurns, sleep, slow, until} from '../story/lib/time.mjs';
import {asManyAs, closeHalf, connectMany, neverRead, trickle, vanish} from './rude.mjs';

const MIB = 1024 * 1024;
const isPlain = slow === 1; // sanitizers need memory of their own

const memoryOf = (pid) => 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const descriptorsOf = (pid) => readdirSync(`/proc/${pid}/fd`).length;

/** Seconds of processor, of all threads. */
function processorOf(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
}

describe('beside clients that do not behave', () => {
    let server, organizer, visitor, event;
    before(async () => {
        server = await start();
        [organizer, visitor] = await server.crowd(2);
        event = await organizer.createEvent({name: 'Besieged', capacity: 100_000});
    });
    after(() => server?.finish());

    const request = (more = '') => `POST /v1/events/${event.id}/bookings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${visitor.token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: 14\r\n${more}\r\n{"quantity":1}`;

    /** Lets `disturb` put sockets up; bookings beside them succeed, memory stays bounded, and all descriptors come back. */
    async function besieged(disturb, {megabytes, bookings = 100}) {
        for (let i = 0; i < 20; i++) await visitor.book(event.id);
        const pid = server.child.pid;
        const [memory, descriptors] = [memoryOf(pid), descriptorsOf(pid)];
        const sockets = await disturb();
        const booked = await inTurns(Array.from({length: bookings}), 8, () => visitor.book(event.id));
        assert.ok(booked.every(({status}) => status === 'confirmed'));
        const more = (memoryOf(pid) - memory) / MIB;
        if (isPlain) assert.ok(more <= megabytes, `${more.toFixed(1)} MiB more`);
        for (const socket of sockets) socket.destroy();
        await until('the descriptors', () => descriptorsOf(pid) <= descriptors + 8, 20);
        expect(await server.nobody.get('/readyz'), 200);
    }

    it('10,000 connections, or as many as may be, on which nothing comes', async (t) => {
        const count = asManyAs(10_000, server.child.pid);
        t.diagnostic(`${count} connections`);
        await besieged(() => connectMany(server, count), {megabytes: 8 + count * 0.012});
    });

    it('1,000 clients that send a byte now and then', async () => {
        let trickling;
        await besieged(async () => {
            trickling = await trickle(server, 1000, request(), 500);
            await sleep(1200);
            return trickling.sockets;
        }, {megabytes: 24});
        trickling.stop();
    });

    it('200 clients that ask for all there is and never read', async () => {
        await besieged(async () => {
            const sockets = await neverRead(server, 200);
            await sleep(500);
            return sockets;
        }, {megabytes: 60}); // 120 KB of requests each, and of the answers nothing
    });

    it('1,000 clients that ask for a ticket and are gone', async () => {
        const before = expect(await server.nobody.get(`/v1/events/${event.id}/status`), 200).booked;
        await besieged(async () => {
            await inTurns(Array.from({length: 1000}), 100, () => vanish(server, request()));
            return [];
        }, {megabytes: 24, bookings: 50});
        const {booked} = expect(await server.nobody.get(`/v1/events/${event.id}/status`), 200);
        assert.ok(booked >= before + 70 && booked <= before + 1070, `${booked - before}`);
    });

    it('500 clients that close their half are answered', async () => {
        await besieged(async () => {
            const answers = await inTurns(Array.from({length: 500}), 100, async () => answersIn(await closeHalf(server, request()))[0]?.status);
            assert.deepEqual(answers, Array(500).fill(201));
            return [];
        }, {megabytes: 16, bookings: 20});
    });

    it('a storm of sign-ins: they are answered or refused, and bookings go on', async () => {
        const wrong = () => server.nobody.post('/v1/sessions', {login: organizer.email, password: PASSWORD});
        let isOver = false;
        const storm = Promise.all(Array.from({length: 100}, async () => {
            const statuses = [];
            while (!isOver) {
                const answer = await wrong();
                statuses.push(answer.status);
                if (answer.status === 503) {
                    expect(answer, 503, 'overloaded');
                    assert.match(answer.headers['retry-after'], /^\d+$/);
                    await sleep(20);
                }
            }
            return statuses;
        }));
        for (let i = 0; i < 100; i++) assert.equal((await visitor.book(event.id)).status, 'confirmed');
        isOver = true;
        const statuses = (await storm).flat();
        assert.ok(statuses.includes(200), 'somebody gets in');
        assert.ok(statuses.every((status) => status === 200 || status === 503), [...new Set(statuses)].join());
    });
});

describe('without descriptors', () => {
    it('it neither spins nor falls, serves those it has, and all again when some are given back', async () => {
        const server = await start();
        const [visitor] = await server.crowd(1);
        const event = await visitor.createEvent({name: 'Narrow', capacity: 1000});
        const {pid} = server.child;
        const limit = descriptorsOf(pid) + 20;
        await runWell(['--pid', String(pid), `--nofile=${limit}:${limit}`], {program: 'prlimit'});
        const first = await connectMany(server, 5);
        const sockets = await connectMany(server, 200); // the system takes them, and keeps them waiting
        await until('the warning', () => server.logged(({message}) => message === 'cannot accept connections').length > 0);
        assert.ok(descriptorsOf(pid) <= limit + 8, `${descriptorsOf(pid)} of ${limit}`);
        const used = processorOf(pid);
        await sleep(2000);
        assert.ok(processorOf(pid) - used < 0.5 * slow, `${processorOf(pid) - used} s of processor in two seconds`);
        assert.equal(server.logged(({message}) => message === 'cannot accept connections').length, 1, 'and says so once');

        // The connection that the visitor has is as good as ever.
        assert.equal((await visitor.book(event.id)).status, 'confirmed');
        for (const socket of [...first, ...sockets]) socket.destroy();
        await until('a new connection', async () => (await run(['-s', '-o', '/dev/null', '-w', '%{http_code}', `${server.url}/healthz`], {program: 'curl'})).stdout === '200');
        for (let i = 0; i < 20; i++) assert.equal((await visitor.book(event.id)).status, 'confirmed');
        await server.finish();
    });
});
