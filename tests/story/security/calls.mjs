// SPDX-License-Identifier: Apache-2.0
// Every route of the program, read from its own table, with a request that is good for it. A route
// that is not here fails the tests that go through all of them.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {PASSWORD, ROOT} from '../lib/admit.mjs';

const source = readFileSync(join(ROOT, 'src/api/routes.c'), 'utf8');
const row = /\{ HTTP_(\w+),\s+"([^"]+)",\s+ACCESS_(\w+),\s+([\w| ]+),\s+\w+ \}/g;

/** {name: 'POST /book', method, path, access, flags} of each row of src/api/routes.c. */
export const routes = [...source.matchAll(row)].map(([, method, path, access, flags]) =>
    ({name: `${method} ${path}`, method, path, access, flags: flags.split(' | ')}));

assert.equal(routes.length, source.match(/\{ HTTP_/g).length, 'a row of src/api/routes.c is written in another way');

let made = 0;
const fresh = () => `fresh-${process.pid}-${++made}`;

/**
 * What is asked for with each route, of `world`: {event, reference, victim, webhook, asset}. Answers
 * {path, body, headers}, the path ready to use.
 */
const requests = {
    'POST /v1/users': () => ({body: {email: `${fresh()}@example.org`, name: 'Fresh', password: PASSWORD}}),
    'PATCH /v1/users/{id}': ({victim}) => ({id: victim.id, body: {role: 'user'}}),
    'POST /v1/sessions': ({victim}) => ({body: {login: victim.email, password: PASSWORD}}),
    'PATCH /v1/me': () => ({body: {name: 'Renamed'}}),
    'DELETE /v1/me': () => ({body: {password: PASSWORD}}),
    'PUT /v1/email-confirmations/{token}': () => ({token: 'A'.repeat(64), body: {}}),
    'POST /v1/password-resets': () => ({body: {email: `${fresh()}@example.org`}}),
    'PUT /v1/password-resets/{token}': () => ({token: 'A'.repeat(64), body: {password: PASSWORD}}),
    'POST /v1/events': () => ({body: {name: 'Another', ticket_types: [{name: 'A', capacity: 1}]}}),
    'PATCH /v1/events/{id}': () => ({body: {venue: 'Elsewhere', ticket_types: [{name: 'B', capacity: 1}]}}),
    'POST /v1/events/{id}/bookings': () => ({body: {quantity: 1}}),
    'DELETE /v1/bookings/{reference}': () => ({body: {quantity: 1}}),
    'POST /v1/bookings/{reference}/cancel': () => ({body: {quantity: 1}}),
    'POST /v1/bookings/{reference}/payments': () => ({body: {amount: 1, method: 'cash'}}),
    'POST /v1/webhooks': () => ({body: {url: 'https://hook.example.invalid/'}}),
    'GET /v1/webhooks/{id}': ({webhook}) => ({id: webhook.id}),
    'PATCH /v1/webhooks/{id}': ({webhook}) => ({id: webhook.id, body: {description: 'Changed'}}),
    'DELETE /v1/webhooks/{id}': ({webhook}) => ({id: webhook.id}),
    'POST /v1/webhooks/{id}/secret': ({webhook}) => ({id: webhook.id}),
    'POST /v1/webhooks/{id}/test': ({webhook}) => ({id: webhook.id}),
    'GET /v1/webhooks/{id}/deliveries': ({webhook}) => ({id: webhook.id}),
    'POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver': ({webhook}) => ({id: webhook.id, delivery: '0000-0000-0000'}),
    'POST /register': () => ({body: {username: fresh(), password: PASSWORD}}),
    'POST /create-user': () => ({body: {username: fresh(), password: PASSWORD}}),
    'POST /login': ({victim}) => ({body: {email: victim.email, password: PASSWORD}}),
    'POST /initialize': () => ({body: {name: 'Another', tickets: 1}}),
    'POST /book': ({event}) => ({body: {eventId: event.id}}),
    'POST /cancel': ({reference}) => ({body: {bookingId: reference}}),
    'GET /metrics': () => ({headers: {'X-Forwarded-For': '192.0.2.1'}}), // or every test would be let in
    'GET /docs/{file}': ({asset}) => ({file: asset}),
};

export function requestFor(route, world) {
    const {body, headers, ...variables} = requests[route.name]?.(world) ?? {};
    const all = {id: world.event?.id, reference: world.reference, ...variables};
    const path = route.path.replace(/\{(\w+)\}/g, (_, name) => {
        assert.ok(all[name] !== undefined, `${route.name}: what is {${name}}?`);
        return all[name];
    });
    assert.equal(body !== undefined, route.flags.some((flag) => /BODY/.test(flag)), `${route.name}: a body or none`);
    return {path, body, headers};
}
