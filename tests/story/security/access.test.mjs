// SPDX-License-Identifier: Apache-2.0
// Who may call what: each route of the program's table, tried by everybody. (OWASP API1, API3 and API5.)
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {start} from '../lib/admit.mjs';
import {expect} from '../lib/client.mjs';
import {spec} from '../lib/spec.mjs';
import {requestFor, routes} from './calls.mjs';

// Status by caller: nobody, a stranger (a user), a rival (organizer of another event), the owner of the
// booking, the manager (organizer of the event), an administrator.
const CALLERS = ['nobody', 'stranger', 'rival', 'owner', 'manager', 'admin'];
const EXPECTED = {
    'POST /v1/users': [201, 201, 201, 201, 201, 201],
    'GET /v1/users': [401, 403, 403, 403, 403, 200],
    'PATCH /v1/users/{id}': [401, 403, 403, 403, 403, 200],
    'POST /v1/sessions': [200, 200, 200, 200, 200, 200],
    'DELETE /v1/sessions': [401, 204, 204, 204, 204, 204],
    'GET /v1/me': [401, 200, 200, 200, 200, 200],
    'PATCH /v1/me': [401, 200, 200, 200, 200, 200],
    'DELETE /v1/me': [401, 204, 204, 204, 204, 204],
    'GET /v1/me/export': [401, 200, 200, 200, 200, 200],
    'POST /v1/me/email-confirmation': [401, 202, 202, 202, 202, 202],
    'PUT /v1/email-confirmations/{token}': [404, 404, 404, 404, 404, 404], // whoever comes needs the link
    'POST /v1/password-resets': [202, 202, 202, 202, 202, 202],
    'PUT /v1/password-resets/{token}': [404, 404, 404, 404, 404, 404],
    'POST /v1/events': [401, 403, 201, 403, 201, 201],
    'GET /v1/events': [200, 200, 200, 200, 200, 200],
    'GET /v1/events/{id}': [200, 200, 200, 200, 200, 200],
    'PATCH /v1/events/{id}': [401, 403, 403, 403, 200, 200],
    'DELETE /v1/events/{id}': [401, 403, 403, 403, 200, 200],
    'GET /v1/events/{id}/status': [200, 200, 200, 200, 200, 200],
    'GET /v1/events/{id}/stream': [200, 200, 200, 200, 200, 200],
    'POST /v1/events/{id}/bookings': [401, 201, 201, 201, 201, 201],
    'GET /v1/events/{id}/bookings': [401, 403, 403, 403, 200, 200],
    'GET /v1/events/{id}/bookings.csv': [401, 403, 403, 403, 200, 200],
    'GET /v1/events/{id}/tickets': [401, 403, 403, 403, 200, 200],
    'GET /v1/bookings': [401, 200, 200, 200, 200, 200],
    'GET /v1/bookings/{reference}': [401, 404, 404, 200, 200, 200],
    'DELETE /v1/bookings/{reference}': [401, 404, 404, 200, 200, 200],
    'POST /v1/bookings/{reference}/cancel': [401, 404, 404, 200, 200, 200],
    'POST /v1/bookings/{reference}/payments': [401, 404, 404, 403, 201, 201],
    'GET /v1/bookings/{reference}/history': [401, 404, 404, 200, 200, 200],
    'GET /v1/journal': [401, 403, 200, 403, 200, 200],
    'GET /v1/bookings/{reference}/stream': [401, 404, 404, 200, 200, 200],
    'POST /v1/webhooks': [401, 403, 201, 403, 201, 201],
    'GET /v1/webhooks': [401, 200, 200, 200, 200, 200],
    'GET /v1/webhooks/{id}': [401, 404, 404, 404, 200, 200],
    'PATCH /v1/webhooks/{id}': [401, 404, 404, 404, 200, 200],
    'DELETE /v1/webhooks/{id}': [401, 404, 404, 404, 204, 204],
    'POST /v1/webhooks/{id}/secret': [401, 404, 404, 404, 200, 200],
    'POST /v1/webhooks/{id}/test': [401, 404, 404, 404, 202, 202],
    'GET /v1/webhooks/{id}/deliveries': [401, 404, 404, 404, 200, 200],
    'POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver': [401, 404, 404, 404, 404, 404],
    'POST /register': [201, 201, 201, 201, 201, 201],
    'POST /create-user': [201, 201, 201, 201, 201, 201],
    'POST /login': [200, 200, 200, 200, 200, 200],
    'POST /initialize': [401, 403, 201, 403, 201, 201],
    'POST /book': [401, 201, 201, 201, 201, 201],
    'POST /cancel': [401, 404, 404, 200, 200, 200],
    'GET /status/{id}': [200, 200, 200, 200, 200, 200],
    'GET /healthz': [200, 200, 200, 200, 200, 200],
    'GET /readyz': [200, 200, 200, 200, 200, 200],
    'GET /metrics': [401, 401, 401, 401, 401, 401],
    'GET /openapi.json': [200, 200, 200, 200, 200, 200],
    'GET /docs': [200, 200, 200, 200, 200, 200],
    'GET /docs/{file}': [200, 200, 200, 200, 200, 200],
    'GET /confirm': [200, 200, 200, 200, 200, 200],
    'GET /reset': [200, 200, 200, 200, 200, 200],
};

// Of a draft, whom it is not shown to cannot tell that it is there.
const OF_A_DRAFT = {
    'GET /v1/events/{id}': [404, 404, 404, 404, 200, 200],
    'PATCH /v1/events/{id}': [401, 404, 404, 404, 200, 200],
    'DELETE /v1/events/{id}': [401, 404, 404, 404, 204, 204],
    'GET /v1/events/{id}/status': [404, 404, 404, 404, 200, 200],
    'GET /v1/events/{id}/stream': [404, 404, 404, 404, 200, 200],
    'POST /v1/events/{id}/bookings': [401, 404, 404, 404, 409, 409],
    'GET /v1/events/{id}/bookings': [401, 404, 404, 404, 200, 200],
    'GET /v1/events/{id}/bookings.csv': [401, 404, 404, 404, 200, 200],
    'GET /v1/events/{id}/tickets': [401, 404, 404, 404, 200, 200],
    'GET /status/{id}': [404, 404, 404, 404, 200, 200],
};

// These end the account or its tokens: each caller sends a double, of the same role.
const ENDING = ['DELETE /v1/sessions', 'DELETE /v1/me'];

describe('who may call', () => {
    let server, people, asset, nothing;
    before(async () => {
        // Roles count only where not everybody may organize.
        server = await start({admin: true, env: {OPEN_ORGANIZING: 'off'}});
        const admin = await server.admin();
        const [stranger, rival, owner, manager] = await server.crowd(4);
        people = {nobody: server.nobody, stranger, rival, owner, manager, admin};
        for (const organizer of [rival, manager]) await grant(organizer, 'organizer');
        await rival.createEvent({name: 'Of the rival', capacity: 5});
        asset = /"\/docs\/([^"]+\.js)"/.exec((await server.nobody.get('/docs')).text)?.[1] ??
            /docs\/([\w.-]+\.(?:js|css))/.exec((await server.nobody.get('/docs')).text)[1];
        nothing = '0000-0000-0000';
    });
    after(() => server?.finish());

    async function grant(person, role) {
        expect(await people.admin.patch(`/v1/users/${person.id}`, {role}), 200);
    }

    /** Somebody new who may do just what `caller` may. */
    async function double(caller) {
        const person = await server.person();
        const role = {rival: 'organizer', manager: 'organizer', admin: 'admin'}[caller];
        if (role) await grant(person, role);
        return person;
    }

    /** One of the manager's, who may have only so many. */
    async function newWebhook() {
        const {data} = expect(await people.manager.get('/v1/webhooks?limit=100'), 200);
        for (const {id} of data) expect(await people.manager.delete(`/v1/webhooks/${id}`), 204);
        return expect(await people.manager.post('/v1/webhooks', {url: 'https://hook.example.invalid/'}), 201);
    }

    async function newWorld(status = 'on_sale') {
        const event = await people.manager.createEvent({name: 'Tried', capacity: 5, price: 100, status});
        const booking = status === 'on_sale' ? await people.owner.book(event.id, 2) : undefined;
        return {event, reference: booking?.reference ?? nothing, victim: people.stranger, webhook: await newWebhook(), asset};
    }

    /** What a refusal must not change. */
    const look = async ({event, reference, webhook}) => [
        expect(await people.manager.get(`/v1/webhooks/${webhook.id}`), 200),
        expect(await people.manager.get(`/v1/events/${event.id}`), 200),
        (await people.owner.get(`/v1/bookings/${reference}`)).body.status,
        expect(await people.stranger.get('/v1/me'), 200),
    ];

    async function attempt(route, caller, status, world) {
        const who = ENDING.includes(route.name) && caller !== 'nobody' ? await double(caller) : people[caller];
        const {path, body, headers} = requestFor(route, world);
        const was = status >= 400 ? await look(world) : undefined;
        if (route.method === 'GET') {
            const head = await who.call('HEAD', path, {headers});
            assert.equal(head.status, status, `HEAD by ${caller}`);
        }
        const answer = await who.call(route.method, path, {body, headers});
        assert.equal(answer.status, status, `${caller}: ${answer.text.slice(0, 300)}`);
        if (was) assert.deepEqual(await look(world), was, `${caller} was refused, and yet`);
        return answer;
    }

    it('is said of each route in the table, and of no other', () => {
        assert.deepEqual(Object.keys(EXPECTED).sort(), routes.map((route) => route.name).sort());
    });

    it('the specification has the routes of the table', () => {
        const plain = (name) => name.replace(/\{\w+\}/g, '{}');
        const specified = Object.entries(spec.paths).flatMap(([path, item]) =>
            ['get', 'post', 'put', 'patch', 'delete'].filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${path}`));
        const own = routes.map((route) => route.name).filter((name) => name !== 'GET /docs/{file}');
        assert.deepEqual(own.map(plain).sort(), specified.map(plain).sort());
    });

    for (const route of routes) {
        it(route.name, async () => {
            for (const [index, caller] of CALLERS.entries())
                await attempt(route, caller, EXPECTED[route.name][index], await newWorld());
        });
        if (OF_A_DRAFT[route.name] || /\/events\/\{id\}|\/status\//.test(route.path))
            it(`${route.name} of a draft`, async () => {
                for (const [index, caller] of CALLERS.entries())
                    await attempt(route, caller, OF_A_DRAFT[route.name][index], await newWorld('draft'));
            });
    }

    it('somebody else\'s booking looks like one that never was', async () => {
        const world = await newWorld();
        const said = ({status, body}) => [status, {...body, request_id: undefined}];
        for (const route of routes.filter(({path, name}) => path.includes('{reference}') || name === 'POST /cancel'))
            for (const caller of ['stranger', 'rival']) {
                const answers = [];
                for (const reference of [world.reference, nothing]) {
                    const {path, body} = requestFor(route, {...world, reference});
                    answers.push(said(await people[caller].call(route.method, path, {body})));
                }
                assert.deepEqual(answers[0], answers[1], `${route.name} by ${caller}`);
            }
    });

    it('an organizer who is one no more manages nothing', async () => {
        const former = await double('manager');
        const event = await former.createEvent({name: 'Of old', capacity: 2, status: 'draft'});
        await grant(former, 'user');
        for (const [method, path, body] of [['GET', ''], ['PATCH', '', {venue: 'x'}], ['DELETE', ''], ['GET', '/bookings']])
            expect(await former.call(method, `/v1/events/${event.id}${path}`, {body}), 404, 'no_such_event');
        expect(await former.post('/v1/events', {name: 'New', capacity: 1}), 403, 'forbidden');
    });

    it('lists hold what is one\'s own, and nothing of others', async () => {
        const {reference} = await newWorld();
        for (const caller of ['stranger', 'rival', 'manager']) {
            const {data} = await people[caller].walk('/v1/webhooks', 100);
            assert.ok(data.every((webhook) => webhook.user_id === people[caller].id));
        }
        for (const caller of ['stranger', 'rival', 'manager', 'admin']) {
            const {data} = await people[caller].walk('/v1/bookings', 100);
            assert.ok(data.every((booking) => booking.user_id === people[caller].id && booking.reference !== reference));
            const {text, body} = await people[caller].get('/v1/me/export');
            assert.ok(!text.includes(reference), `${caller}'s export has another's booking`);
            assert.ok(body.webhooks.every((webhook) => webhook.user_id === people[caller].id));
        }
        const {data} = await people.stranger.walk('/v1/events?q=Tried', 100);
        assert.ok(data.every((event) => event.status !== 'draft'));
    });

    it('the owner of a booking is shown nothing of the manager but a number', async () => {
        const {reference} = await newWorld();
        await people.manager.cancel(reference, 1);
        for (const path of ['', '/history']) {
            const {text} = await people.owner.get(`/v1/bookings/${reference}${path}`);
            for (const told of [people.manager.email, people.manager.user.name]) assert.ok(!text.includes(told));
        }
    });
});
