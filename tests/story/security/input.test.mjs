// SPDX-License-Identifier: Apache-2.0
// What a body may set, and what a cursor or a key may bring about. (OWASP API3.)
import assert from 'node:assert/strict';
import {before, describe, it} from 'node:test';
import {onEachStore} from '../lib/admit.mjs';
import {expect, expectInvalid} from '../lib/client.mjs';
import {requestFor, routes} from './calls.mjs';

// What rows of the database have, what other systems trust, and what JavaScript trips over.
const TEMPTING = {
    id: 1, user_id: 1, organizer_id: 1, event_id: 1, booking_id: 1, role: 'admin', roles: ['admin'], admin: true, is_admin: true,
    status: 'confirmed', state: 'paid', booked: 0, held: 0, available: 100, waiting: 0, wanted: 0, paid: 1000000, payment: {status: 'paid', paid: 100},
    price: 0, unit_price: 0, total: 0, currency: 'XXX', reference: 'K7Q2-M9XD-4TZB', tickets: [{number: 1}], numbers: [1], number: 1,
    position: 1, ahead: 0, version: 99, created_at: '2020-01-01T00:00:00Z', updated_at: '2020-01-01T00:00:00Z', password_hash: 'x',
    next_number: 1, ever_booked: false, actor_id: 1, token: 'x', erased_at: null, revoked_at: null, constructor: {}, prototype: {}, $where: '1',
};

// Of these, what a route takes by right.
const KNOWN = {
    'PATCH /v1/users/{id}': ['role'],
    'POST /v1/events': ['status', 'currency', 'price'], // price, where it does not go with each type, is refused by another name
    'PATCH /v1/events/{id}': ['status', 'currency'],
    'POST /initialize': ['tickets', 'price'],
    'PATCH /v1/webhooks/{id}': ['status'],
};

onEachStore('input', {}, (server) => {
    let organizer, visitor, world;
    before(async () => {
        [organizer, visitor] = await server().crowd(2);
        const event = await organizer.createEvent({name: 'Set', capacity: 9, price: 500});
        const {reference} = await organizer.book(event.id, 2);
        const webhook = expect(await organizer.post('/v1/webhooks', {url: 'https://hook.example.invalid/'}), 201);
        world = {event, reference, victim: visitor, webhook};
    });
    const look = async () => [
        expect(await organizer.get(`/v1/events/${world.event.id}`), 200),
        await organizer.booking(world.reference),
        expect(await organizer.get('/v1/me'), 200),
        (await organizer.walk('/v1/bookings', 100)).data.length,
        (await organizer.walk(`/v1/events?organizer=${organizer.id}`, 100)).data.length,
    ];

    describe('a body sets what is said to be settable, and nothing else', () => {
        for (const route of routes.filter(({flags}) => flags.some((flag) => /BODY/.test(flag))))
            it(route.name, async () => {
                const {path, body} = requestFor(route, world);
                const more = Object.fromEntries(Object.entries(TEMPTING).filter(([name]) => !KNOWN[route.name]?.includes(name) && !(name in body)));
                const was = await look();
                const answer = await organizer.call(route.method, path, {body: `{"__proto__":{"role":"admin"},${JSON.stringify({...body, ...more}).slice(1)}`});
                if (route.access === 'ADMIN') expect(answer, 403);
                else if (route.flags.includes('CLASSIC')) {
                    expect(answer, 400, 'invalid');
                    for (const name of ['__proto__', ...Object.keys(more)]) assert.ok(answer.body.error.includes(`${name} is not known`), `${name}: ${answer.text}`);
                } else expectInvalid(answer, '/__proto__', ...Object.keys(more).map((name) => `/${name}`));
                assert.deepEqual(await look(), was);
            });

        it('nor does a ticket type', async () => {
            const {id, price, ...more} = TEMPTING;
            const was = await look();
            const pointers = Object.keys(more).map((name) => `/ticket_types/0/${name}`);
            expectInvalid(await organizer.post('/v1/events', {name: 'x', ticket_types: [{name: 'A', capacity: 1, ...more}]}), ...pointers);
            const type = world.event.ticket_types[0];
            expectInvalid(await organizer.patch(`/v1/events/${world.event.id}`, {ticket_types: [{id: type.id, capacity: 20, ...more}]}), ...pointers);
            assert.deepEqual(await look(), was);
        });

        it('and the address sets nothing', async () => {
            const made = await organizer.post('/v1/events?organizer_id=1&status=draft&id=7', {name: 'Asked', capacity: 1});
            expect(made, 201);
            assert.deepEqual([made.body.organizer_id, made.body.status], [organizer.id, 'on_sale']);
            assert.equal(expect(await visitor.post(`/v1/events/${made.body.id}/bookings?user_id=1&price=0`, {quantity: 1}), 201).user_id, visitor.id);
        });

        it('methods are not overridden by a header', async () => {
            const was = await look();
            for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])
                expect(await organizer.get(`/v1/events/${world.event.id}`, {headers: {[name]: 'DELETE'}}), 200);
            assert.deepEqual(await look(), was);
        });
    });

    describe('a cursor', () => {
        const lists = () => ['/v1/events?sort=name', '/v1/events', '/v1/bookings', `/v1/events/${world.event.id}/bookings`, `/v1/events/${world.event.id}/tickets`];
        before(async () => {
            for (let i = 0; i < 3; i++) {
                await visitor.book((await organizer.createEvent({name: `Page ${i}`, capacity: 3})).id);
                await visitor.book(world.event.id);
            }
        });

        it('that was changed is refused, or shows what the caller may see anyway', async () => {
            for (const path of lists())
                for (const who of [visitor, organizer]) {
                    const first = await who.get(`${path}${path.includes('?') ? '&' : '?'}limit=1`);
                    if (first.status === 403 || !first.body.next_cursor) continue;
                    const all = JSON.stringify((await who.walk(path, 100)).data);
                    const bytes = Buffer.from(first.body.next_cursor, 'base64url');
                    for (let at = 0; at < bytes.length; at++)
                        for (const bit of [1, 128]) {
                            const changed = Buffer.from(bytes);
                            changed[at] ^= bit;
                            const answer = await who.get(`${path}${path.includes('?') ? '&' : '?'}cursor=${changed.toString('base64url')}`);
                            expect(answer, [200, 400]);
                            for (const item of answer.body.data ?? []) assert.ok(all.includes(JSON.stringify(item)), `${path}: ${JSON.stringify(item)}`);
                        }
                }
        });

        it('of another list is refused, or shows what the caller may see anyway', async () => {
            const cursors = [];
            for (const path of lists())
                cursors.push((await organizer.get(`${path}${path.includes('?') ? '&' : '?'}limit=1`)).body.next_cursor);
            for (const path of lists())
                for (const cursor of cursors.filter(Boolean))
                    expect(await organizer.get(`${path}${path.includes('?') ? '&' : '?'}cursor=${cursor}`), [200, 400]);
        });

        it('of somebody else shows nothing of his', async () => {
            const {next_cursor: cursor} = expect(await visitor.get('/v1/bookings?limit=1'), 200);
            const {data} = expect(await organizer.get(`/v1/bookings?cursor=${cursor}`), 200);
            assert.ok(data.every((booking) => booking.user_id === organizer.id));
        });
    });

    describe('an Idempotency-Key', () => {
        const key = (value) => ({headers: {'Idempotency-Key': value}});

        it('of somebody else gives nothing of his answer', async () => {
            const path = `/v1/events/${world.event.id}/bookings`;
            const mine = expect(await visitor.post(path, {quantity: 1}, key('stolen')), 201);
            const answer = await organizer.post(path, {quantity: 1}, key('stolen'));
            assert.equal(answer.headers['idempotency-replayed'], undefined);
            assert.notEqual(expect(answer, 201).reference, mine.reference);
        });

        it('does not outlive what gave the right: who is signed out gets nothing again', async () => {
            const person = await server().person();
            await person.signIn();
            const path = `/v1/events/${world.event.id}/bookings`;
            expect(await person.post(path, {quantity: 1}, key('mine')), [201, 202]);
            expect(await person.delete('/v1/sessions'), 204);
            expect(await person.post(path, {quantity: 1}, key('mine')), 401, 'unauthorized');
        });

        it('is any bytes, and never more than a key', async () => {
            const path = `/v1/events/${world.event.id}/bookings`;
            for (const value of ["' OR 1=1 --", '../../x', '%00', '{"a":1}', '\u00ff\u00fe', `${organizer.id}:stolen`, `user:${visitor.id}`])
                expect(await visitor.post(path, {quantity: 1}, key(value)), [201, 202]);
        });
    });
});
