// SPDX-License-Identifier: Apache-2.0
// Live numbers: who listens sees what who asks would see, soon after.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {rm, writeFile} from 'node:fs/promises';
import https from 'node:https';
import {join} from 'node:path';
import {after, afterEach, before, describe, it} from 'node:test';
import {isDeepStrictEqual} from 'node:util';
import {newDirectory, onEachStore, ROOT, runWell, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {serverKinds} from './lib/databases.mjs';
import {Stream} from './lib/stream.mjs';
import {until} from './lib/time.mjs';
import {token as signToken} from './lib/token.mjs';

const opened = [];
async function listen(server, path, options) {
    const stream = await Stream.open(server, path, options);
    opened.push(stream);
    return stream;
}
afterEach(() => opened.splice(0).forEach((stream) => stream.close()));

const toEvent = (server, event, {token, ...more} = {}) => listen(server, `/v1/events/${event.id}/stream`, {token, schema: 'EventStatus', ...more});
const toBooking = (who, {reference}, more = {}) =>
    listen(who.server, `/v1/bookings/${reference}/stream`, {token: who.token, schema: 'Booking', ...more});

onEachStore('streams', {}, (server, store) => {
    let organizer, people;
    before(async () => {
        organizer = await server().person();
        people = await server().crowd(6);
    });
    const statusOf = async (event) => expect(await server().nobody.get(`/v1/events/${event.id}/status`), 200);

    describe('of an event', () => {
        it('begin with its status, and tell each change', async () => {
            const event = await organizer.createEvent({name: 'Told \u2028 <b>"live"</b>\\', capacity: 3});
            const stream = await toEvent(server(), event);
            assert.equal(stream.status, 200);
            assert.equal(stream.headers['content-type'], 'text/event-stream');
            assert.equal(stream.headers['cache-control'], 'no-store');
            await stream.until('the first state', () => true);
            assert.deepEqual(stream.state, await statusOf(event));
            assert.ok(stream.retry >= 1000);
            const booking = await people[0].book(event.id, 2);
            await stream.until('the booking', ({booked}) => booked === 2);
            await people[1].book(event.id, 2);
            await stream.until('the line', ({waiting}) => waiting === 1);
            await people[0].cancel(booking.reference);
            await stream.until('the promotion', ({waiting, booked}) => waiting === 0 && booked === 2);
            expect(await organizer.patch(`/v1/events/${event.id}`, {name: 'Another name'}), 200);
            await stream.until('the name', ({name}) => name === 'Another name');
            assert.deepEqual(stream.state, await statusOf(event));
        });

        it('end with the newest of very many changes, and tell no more than ten a second', async () => {
            const event = await organizer.createEvent({name: 'Fast', capacity: 1000});
            const began = Date.now();
            const streams = await Promise.all(Array.from({length: 20}, () => toEvent(server(), event)));
            for (let i = 0; i < 10; i++) await Promise.all(people.map((person) => person.book(event.id)));
            for (const stream of streams) {
                await stream.until('all of them', ({booked}) => booked === 60);
                assert.ok(stream.events.length <= (Date.now() - began) / 100 + 2, `${stream.events.length} in ${Date.now() - began} ms`);
                assert.equal(new Set(stream.events.map(({id}) => id)).size, stream.events.length, 'each state once');
                assert.deepEqual(stream.events.map(({state}) => state.booked), stream.events.map(({state}) => state.booked).sort((a, b) => a - b));
            }
        });

        it('tell who comes back only what is new', async () => {
            const event = await organizer.createEvent({name: 'Again', capacity: 5});
            const first = await toEvent(server(), event);
            await first.until('the first state', () => true);
            const {id} = first.events[0];
            first.close();
            const same = await toEvent(server(), event, {id});
            const other = await toEvent(server(), event, {id: '0123456789abcdef'});
            await other.until('the state', () => true);
            assert.equal(other.events[0].id, id);
            await people[0].book(event.id);
            await same.until('the booking', ({booked}) => booked === 1);
            assert.equal(same.events.length, 1, 'and not what was known');
        });

        it('go on when it is cancelled, and end when it is gone', async () => {
            const sold = await organizer.createEvent({name: 'Off', capacity: 5});
            const empty = await organizer.createEvent({name: 'Gone', capacity: 5});
            await people[0].book(sold.id);
            const [one, other] = [await toEvent(server(), sold), await toEvent(server(), empty)];
            await one.until('the first state', ({status}) => status === 'on_sale');
            await other.until('the first state', () => true);
            expect(await organizer.delete(`/v1/events/${sold.id}`), 200);
            expect(await organizer.delete(`/v1/events/${empty.id}`), 204);
            await one.until('the end of it', ({status, booked}) => status === 'cancelled' && booked === 0);
            assert.equal(await other.end(), 'well');
            assert.equal((await toEvent(server(), empty, {schema: undefined})).status, 404);
        });

        it('that becomes a draft end but for those who manage it', async () => {
            const event = await organizer.createEvent({name: 'Withdrawn', capacity: 5});
            const nobody = await toEvent(server(), event);
            const somebody = await toEvent(server(), event, {token: people[0].token});
            const manager = await toEvent(server(), event, {token: organizer.token});
            for (const stream of [nobody, somebody, manager]) await stream.until('the first state', () => true);
            expect(await organizer.patch(`/v1/events/${event.id}`, {status: 'draft'}), 200);
            assert.equal(await nobody.end(), 'well');
            assert.equal(await somebody.end(), 'well');
            await manager.until('the draft', ({status}) => status === 'draft');
            assert.equal((await toEvent(server(), event, {schema: undefined})).status, 404);
        });

        it('there is none of an event that there is not', async () => {
            for (const id of ['0', '999999999', 'x', '18446744073709551616'])
                expect(await server().nobody.get(`/v1/events/${id}/stream`), 404, 'no_such_event');
        });
    });

    describe('of a booking', () => {
        it('tell the place in line as others leave, and the tickets when they come', async () => {
            const event = await organizer.createEvent({name: 'Line', capacity: 2, price: 700});
            const held = await people[0].book(event.id, 2);
            const before = await people[1].book(event.id, 1);
            await people[2].book(event.id, 1);
            const mine = await people[3].book(event.id, 2);
            const stream = await toBooking(people[3], mine);
            await stream.until('the first state', ({position, ahead}) => position === 3 && ahead === 2);
            assert.deepEqual(stream.state, await people[3].booking(mine.reference));
            await people[1].cancel(before.reference);
            await stream.until('the next place', ({position, ahead}) => position === 2 && ahead === 1);
            await people[0].cancel(held.reference);
            await stream.until('the place after that', ({position, ahead}) => position === 1 && ahead === 0);
            expect(await organizer.patch(`/v1/events/${event.id}`, {ticket_types: [{id: event.ticket_types[0].id, capacity: 3}]}), 200);
            await stream.until('the tickets', ({status, tickets}) => status === 'confirmed' && tickets.length === 2);
            const path = `/v1/bookings/${mine.reference}/payments`;
            expect(await organizer.post(path, {amount: 1400, method: 'cash'}), 201);
            await stream.until('the payment', ({payment}) => payment.status === 'paid');
            await people[3].cancel(mine.reference);
            await stream.until('the end of it', ({status}) => status === 'cancelled');
            assert.deepEqual(stream.state, await people[3].booking(mine.reference));
            assert.equal(new Set(stream.events.map(({id}) => id)).size, stream.events.length, 'each state once');
        });

        it('show each listener his own, and managers whose it is', async () => {
            const event = await organizer.createEvent({name: 'Own', capacity: 1});
            const bookings = [];
            for (const person of people) bookings.push(await person.book(event.id));
            const streams = await Promise.all(people.map((person, index) => toBooking(person, bookings[index])));
            const managers = await toBooking(organizer, bookings[3]);
            for (const [index, stream] of streams.entries())
                await stream.until('the first state', ({position}) => (position ?? 0) === index);
            await managers.until('the first state', ({user}) => user.name === people[3].user.name);
            await people[0].cancel(bookings[0].reference);
            for (const [index, stream] of streams.entries()) {
                await stream.until('the move', ({position, status}) => (position ?? status) === (['cancelled', 'confirmed'][index] ?? index - 1));
                assert.deepEqual(stream.state, await people[index].booking(bookings[index].reference));
            }
            await managers.until('the move', ({position}) => position === 2);
        });

        it('tell who comes back only what is new', async () => {
            const event = await organizer.createEvent({name: 'Back', capacity: 5});
            const booking = await people[0].book(event.id, 2);
            const first = await toBooking(people[0], booking);
            await first.until('the first state', () => true);
            first.close();
            const same = await toBooking(people[0], booking, {id: first.events[0].id});
            await people[0].cancel(booking.reference, 1);
            await same.until('the change', ({quantity}) => quantity === 1);
            assert.equal(same.events.length, 1);
        });

        it('a long line of them all move up, and none is forgotten', async () => {
            const event = await organizer.createEvent({name: 'Long line', capacity: 1});
            const bookings = await Promise.all(Array.from({length: 120}, (_, index) => people[index % people.length].book(event.id)));
            const waiting = bookings.filter(({status}) => status === 'waiting');
            const at = (mine) => people.find(({id}) => id === mine.user_id);
            const streams = await Promise.all(waiting.map((mine) => toBooking(at(mine), mine)));
            for (const [index, stream] of streams.entries())
                await stream.until('the first state', ({position}) => position === waiting[index].position);
            const [held] = bookings.filter(({status}) => status === 'confirmed');
            await at(held).cancel(held.reference);
            for (const mine of waiting.filter(({position}) => position % 3 === 2)) await at(mine).cancel(mine.reference);
            for (const [index, stream] of streams.entries()) {
                const wanted = await at(waiting[index]).booking(waiting[index].reference);
                await stream.until('the newest state', (state) => isDeepStrictEqual(state, wanted));
            }
        });

        it('of somebody else looks like one that never was', async () => {
            const event = await organizer.createEvent({name: 'Private', capacity: 5});
            const {reference} = await people[0].book(event.id);
            const answers = [];
            for (const each of [reference, '0000-0000-0000', 'nonsense'])
                answers.push(await people[1].get(`/v1/bookings/${each}/stream`));
            for (const answer of answers) expect(answer, 404, 'no_such_booking');
            const [his, none] = answers.map(({body}) => ({...body, request_id: ''}));
            assert.deepEqual(his, none);
            expect(await server().nobody.get(`/v1/bookings/${reference}/stream`), 401);
        });
    });

    describe('and tokens', () => {
        it('end when who listens signs out everywhere', async () => {
            const person = await server().person();
            await person.signIn();
            const event = await organizer.createEvent({name: 'Out', capacity: 5});
            const booking = await person.book(event.id);
            const streams = [await toBooking(person, booking), await toEvent(server(), event, {token: person.token})];
            const others = await toEvent(server(), event, {token: people[0].token});
            for (const stream of [...streams, others]) await stream.until('the first state', () => true);
            expect(await person.delete('/v1/sessions'), 204);
            for (const stream of streams) assert.equal(await stream.end(), 'well');
            assert.equal((await toBooking(person, booking, {schema: undefined})).status, 401);
            await people[0].book(event.id);
            await others.until('the booking', ({booked}) => booked === 2);
        });

        it('end when the token does', async () => {
            const event = await organizer.createEvent({name: 'Short', capacity: 5});
            const booking = await people[0].book(event.id);
            const exp = Math.floor(Date.now() / 1000) + 3;
            const stream = await toBooking(people[0], booking, {token: signToken(people[0].id, {exp})});
            await stream.until('the first state', () => true);
            assert.equal(await stream.end(), 'well');
            assert.ok(Date.now() >= exp * 1000);
        });
    });

    it('have a head without a stream', async () => {
        const event = await organizer.createEvent({name: 'Head', capacity: 5});
        const answer = await server().nobody.call('HEAD', `/v1/events/${event.id}/stream`);
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['content-type'], 'text/event-stream');
        assert.equal(answer.headers['content-length'], undefined);
    });

    it('are counted while they last', async () => {
        const event = await organizer.createEvent({name: 'Counted', capacity: 5});
        const count = async () => Number(/^admit_http_streams (\d+)$/m.exec((await server().nobody.get('/metrics')).text)[1]);
        await until('earlier ones to be gone', async () => (await count()) === 0);
        const streams = await Promise.all([1, 2, 3].map(() => toEvent(server(), event)));
        await until('three', async () => (await count()) === 3);
        streams[1].close();
        await until('two', async () => (await count()) === 2);
    });

    if (store !== 'memory')
        it('have the same ids after a restart, which ends them well', async (t) => {
            const mine = await start(store === 'sqlite' ? {} : {store});
            let second;
            t.after(() => second.finish());
            const person = await mine.person();
            const event = await person.createEvent({name: 'Restarted', capacity: 5});
            const booking = await person.book(event.id);
            const streams = [await toEvent(mine, event), await toBooking(person, booking)];
            for (const stream of streams) await stream.until('the first state', () => true);
            await mine.stop();
            for (const stream of streams) assert.equal(await stream.end(), 'well');
            second = await mine.restart();
            const again = [await toEvent(second, event), await toBooking(second.again(person), booking)];
            for (const [index, stream] of again.entries()) {
                await stream.until('the first state', () => true);
                assert.deepEqual(stream.events[0], streams[index].events[0]);
            }
            again.forEach((stream) => stream.close());
        });
});

describe('a stream of what one may see no more', () => {
    it('ends with the booking where cancelled ones are not kept', async () => {
        const server = await start({env: {KEEP_CANCELLED: '0'}});
        const person = await server.person();
        const event = await person.createEvent({name: 'Forgotten', capacity: 5});
        const booking = await person.book(event.id);
        const stream = await toBooking(person, booking);
        await stream.until('the first state', () => true);
        await person.cancel(booking.reference);
        assert.equal(await stream.end(), 'well');
        assert.equal((await toBooking(person, booking, {schema: undefined})).status, 404);
        await server.finish();
    });

    it('ends when a role is taken away', async () => {
        const server = await start({admin: true});
        const admin = await server.admin();
        const [organizer, helper] = await server.crowd(2);
        const event = await organizer.createEvent({name: 'Watched', capacity: 5});
        const booking = await organizer.book(event.id);
        assert.equal((await toBooking(helper, booking, {schema: undefined})).status, 404);
        expect(await admin.patch(`/v1/users/${helper.id}`, {role: 'admin'}), 200);
        const [stream, owners] = [await toBooking(helper, booking), await toBooking(organizer, booking)];
        for (const each of [stream, owners]) await each.until('the first state', () => true);
        expect(await admin.patch(`/v1/users/${helper.id}`, {role: 'user'}), 200);
        assert.equal(await stream.end(), 'well');
        await organizer.cancel(booking.reference);
        await owners.until('the end of it', ({status}) => status === 'cancelled');
        owners.close();
        await server.finish();
    });
});

describe('the rate of requests', () => {
    it('counts the opening of a stream, and nothing that it tells', async () => {
        const first = await start();
        const person = await first.person();
        const event = await person.createEvent({name: 'Limited', capacity: 50});
        await first.stop();
        const server = await first.restart({env: {RATE_LIMIT: '1/h:2'}});
        const again = server.again(person);
        const stream = await toEvent(server, event, {token: person.token});
        assert.equal(stream.status, 200);
        assert.match(stream.headers.ratelimit, /r=1;/);
        await stream.until('the first state', () => true);
        await again.book(event.id);
        await stream.until('the booking', ({booked}) => booked === 1);
        expect(await again.get(`/v1/events/${event.id}/stream`), 429, 'rate_limited');
        stream.close();
        await server.finish();
    });
});

describe('streams over TLS', () => {
    const patch = (server, {token}, path, body) => new Promise((resolve, reject) => {
        const headers = {Authorization: `Bearer ${token}`, 'Content-Type': 'application/json'};
        const request = https.request(new URL(path, server.url), {method: 'PATCH', headers, agent: false, rejectUnauthorized: false});
        request.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject).end(JSON.stringify(body));
    });

    it('tell the same', async () => {
        const directory = await newDirectory();
        const [cert, key] = ['admit.crt', 'admit.key'].map((name) => join(directory, name));
        await runWell(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost',
            '-keyout', key, '-out', cert], {program: 'openssl'});
        const plain = await start();
        const person = await plain.person();
        const event = await person.createEvent({name: 'Hidden', capacity: 50});
        await plain.stop();
        const server = await plain.restart({env: {TLS_CERT: cert, TLS_KEY: key}});
        server.url = server.url.replace('http:', 'https:');
        const options = {rejectUnauthorized: false};
        const streams = await Promise.all(Array.from({length: 5}, () => toEvent(server, event, options)));
        for (const stream of streams) await stream.until('the first state', () => true);
        assert.equal(await patch(server, person, `/v1/events/${event.id}`, {name: 'Shown'}), 200);
        for (const stream of streams) await stream.until('the change', ({name}) => name === 'Shown');
        await server.stop();
        for (const stream of streams) assert.equal(await stream.end(), 'well');
        await (await server.restart({env: {}})).finish();
        await rm(directory, {recursive: true});
    });
});

for (const kind of serverKinds)
    describe(`streams of several processes (${kind})`, () => {
        let servers, organizer, person;
        before(async () => {
            const first = await start({store: kind});
            servers = [first, await start({database: first.database})];
            organizer = await first.person();
            person = await first.person();
        });
        after(async () => {
            await servers?.[1].finish();
            await servers?.[0].finish();
        });
        const at = (who, index) => Object.assign(servers[index].again(who), {token: who.token});

        it('tell what the other one commits', async () => {
            const event = await organizer.createEvent({name: 'Shared', capacity: 1});
            const first = await at(organizer, 0).book(event.id);
            const mine = await at(person, 0).book(event.id);
            const events = [await toEvent(servers[0], event), await toEvent(servers[1], event)];
            const bookings = [await toBooking(at(person, 0), mine), await toBooking(at(person, 1), mine)];
            for (const stream of events) await stream.until('the line', ({waiting}) => waiting === 1);
            for (const stream of bookings) await stream.until('the place', ({position}) => position === 1);
            await at(organizer, 0).cancel(first.reference);
            for (const stream of events) await stream.until('the promotion', ({waiting}) => waiting === 0);
            for (const stream of bookings) await stream.until('the ticket', ({status}) => status === 'confirmed');
            for (const [one, other] of [events, bookings]) assert.deepEqual(one.events.at(-1), other.events.at(-1), 'an id means the same everywhere');
        });

        it('of an event end when the other one takes it back', async () => {
            const event = await organizer.createEvent({name: 'Taken back', capacity: 1});
            const streams = [await toEvent(servers[0], event), await toEvent(servers[1], event)];
            for (const stream of streams) await stream.until('the first state', () => true);
            expect(await at(organizer, 1).delete(`/v1/events/${event.id}`), 204);
            for (const stream of streams) assert.equal(await stream.end(), 'well');
        });

        it('tell, if later, what moves no number of the event', async () => {
            const event = await organizer.createEvent({name: 'Paid', capacity: 1, price: 500});
            const booking = await at(person, 0).book(event.id);
            // Or it would be read anew as the booking shows there.
            await (await toEvent(servers[1], event)).until('the booking', ({booked}) => booked === 1);
            const stream = await toBooking(at(person, 1), booking);
            await stream.until('the first state', ({payment}) => payment.status === 'due');
            expect(await at(organizer, 0).post(`/v1/bookings/${booking.reference}/payments`, {amount: 500, method: 'cash'}), 201);
            await stream.until('the payment', ({payment}) => payment.status === 'paid', 30);
        });

        it('end when the token is revoked at the other one', async () => {
            const visitor = await servers[0].person();
            await visitor.signIn();
            const event = await organizer.createEvent({name: 'Far', capacity: 1});
            const booking = await visitor.book(event.id);
            const stream = await toBooking(at(visitor, 1), booking);
            await stream.until('the first state', () => true);
            expect(await visitor.delete('/v1/sessions'), 204);
            assert.equal(await stream.end(), 'well');
        });
    });

describe('"Live numbers" of docs/integrating.md', () => {
    const [, section] = readFileSync(join(ROOT, 'docs/integrating.md'), 'utf8').split('\n## Live numbers\n');
    const [, ofBooking] = [...section.split('\n## ')[0].matchAll(/^```js\n(.*?)^```$/gms)].map(([, script]) => script);

    it('follows a booking through a restart', async (t) => {
        const directory = await newDirectory();
        t.after(() => rm(directory, {recursive: true}));
        assert.match(ofBooking, /, 2000\)/);
        await writeFile(join(directory, 'follow.mjs'), ofBooking.replace(', 2000)', ', 20)'));
        const server = await start({});
        const [organizer, visitor] = await server.crowd(2);
        const event = await organizer.createEvent({name: 'Followed', capacity: 1});
        const held = await organizer.book(event.id);
        const {reference} = await visitor.book(event.id);
        const child = spawn(process.execPath, ['follow.mjs', server.url, visitor.token, reference], {cwd: directory});
        t.after(() => child.kill('SIGKILL'));
        let said = '';
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += part));
        await until('the place', () => said === 'waiting 1\n');
        await server.stop();
        const second = await server.restart({port: server.port});
        await until('it to be back', async () => /^admit_http_streams 1$/m.test((await second.nobody.get('/metrics')).text));
        await second.again(organizer).cancel(held.reference);
        await until('the ticket', () => said !== 'waiting 1\n');
        assert.equal(said, 'waiting 1\nconfirmed \n', 'what was known is not told again');
        await second.finish();
    });
});
