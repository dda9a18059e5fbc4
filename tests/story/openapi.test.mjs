// SPDX-License-Identifier: Apache-2.0
//
// The specification itself: is it OpenAPI 3.1, is it whole, and are its examples what it says they are?
// Whether the running server keeps to it is another test's business.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import YAML from 'yaml';

const source = readFileSync(new URL('../../api/openapi.yaml', import.meta.url), 'utf8');
const spec = YAML.parse(source);

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

// Every call, and what it asks of the caller: nothing, a token, or a token if there is one; "once" for those
// that honour an Idempotency-Key.
const CALLS = `
POST   /v1/users                            none
GET    /v1/users                            token
PATCH  /v1/users/{id}                       token
POST   /v1/sessions                         none
DELETE /v1/sessions                         token
GET    /v1/me                               token
PATCH  /v1/me                               token
DELETE /v1/me                               token
GET    /v1/me/export                        token
POST   /v1/me/email-confirmation            token
PUT    /v1/email-confirmations/{token}      none
POST   /v1/password-resets                  none
PUT    /v1/password-resets/{token}          none
POST   /v1/events                           token    once
GET    /v1/events                           optional
GET    /v1/events/{id}                      optional
PATCH  /v1/events/{id}                      token
DELETE /v1/events/{id}                      token
GET    /v1/events/{id}/status               optional
GET    /v1/events/{id}/stream               optional
POST   /v1/events/{id}/bookings             token    once
GET    /v1/events/{id}/bookings             token
GET    /v1/events/{id}/bookings.csv         token
GET    /v1/events/{id}/tickets              token
GET    /v1/bookings                         token
GET    /v1/bookings/{reference}             token
DELETE /v1/bookings/{reference}             token
POST   /v1/bookings/{reference}/cancel      token    once
POST   /v1/bookings/{reference}/payments    token    once
GET    /v1/bookings/{reference}/history     token
GET    /v1/journal                          token
GET    /v1/bookings/{reference}/stream      token
POST   /v1/webhooks                         token
GET    /v1/webhooks                         token
GET    /v1/webhooks/{id}                    token
PATCH  /v1/webhooks/{id}                    token
DELETE /v1/webhooks/{id}                    token
POST   /v1/webhooks/{id}/secret             token
POST   /v1/webhooks/{id}/test               token
GET    /v1/webhooks/{id}/deliveries         token
POST   /v1/webhooks/{id}/deliveries/{delivery}/redeliver token
POST   /register                            none
POST   /create-user                         none
POST   /login                               none
POST   /initialize                          token    once
POST   /book                                token    once
POST   /cancel                              token    once
GET    /status/{eventId}                    optional
GET    /healthz                             none
GET    /readyz                              none
GET    /metrics                             optional
GET    /docs                                none
GET    /confirm                             none
GET    /reset                               none
GET    /openapi.json                        none
`.trim().split('\n').map((line) => {
    const [method, path, access, once] = line.split(/\s+/);
    return { name: `${method} ${path}`, access, once: once === 'once' };
});

const SIGN_IN = ['POST /v1/sessions', 'POST /login'];
const OPERATIONS = ['/healthz', '/readyz', '/metrics', '/docs', '/openapi.json', '/confirm', '/reset'];

// Follows references, and remembers where in the document it ended up.
function resolve(node, pointer) {
    while (node.$ref) {
        pointer = node.$ref;
        node = pointer.slice(2).split('/').reduce((at, key) => at?.[key], spec);
        assert.ok(node, `${pointer} leads nowhere`);
    }
    return { node, pointer };
}

const escape = (key) => key.replaceAll('~', '~0').replaceAll('/', '~1');
const entries = (object) => Object.entries(object ?? {});

const operations = entries(spec.paths).flatMap(([path, item]) =>
    entries(item).filter(([method]) => METHODS.includes(method)).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        path,
        operation,
        parameters: [...(item.parameters ?? []), ...(operation.parameters ?? [])]
            .map((parameter) => resolve(parameter).node),
        responses: Object.fromEntries(entries(operation.responses)
            .map(([status, response]) => [status, resolve(response).node])),
    })));

const ajv = new Ajv2020({ allErrors: true, strictTypes: false, strictRequired: false, validateFormats: true });
addFormats(ajv);
// ajv takes the whole document for a schema, to find what is in it; these words of its top mean nothing there.
ajv.addVocabulary(Object.keys(spec));
ajv.addSchema(spec, 'openapi.json', false, false);

function validate(pointer, value) {
    const check = ajv.getSchema(`openapi.json${pointer}`);
    assert.ok(check, `no schema at ${pointer}`);
    return check(value) ? [] : check.errors.map((error) => `${error.instancePath} ${error.message}`);
}

const isObject = (node) => typeof node === 'object' && node !== null;

// Calls 'visit' for every object and array under 'node', with its JSON pointer as a fragment.
function walk(node, pointer, visit) {
    visit(node, pointer);
    for (const [key, child] of Object.entries(node)) {
        if (isObject(child)) {
            walk(child, `${pointer}/${escape(key)}`, visit);
        }
    }
}

function codesOf(response) {
    return entries(response.content).flatMap(([, media]) =>
        (media.schema?.allOf ?? []).flatMap((part) => part.properties?.code?.enum ?? []));
}

test('the file is OpenAPI 3.1', async () => {
    const result = await new Validator().validate(YAML.parse(source));
    assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
    assert.match(spec.openapi, /^3\.1\./);
});

test('a YAML 1.1 reader and a YAML 1.2 reader understand the same', () => {
    assert.deepEqual(YAML.parse(source, { version: '1.1', schema: 'yaml-1.1' }), spec);
});

test('every reference leads somewhere, and every component is used', () => {
    const used = new Set();
    walk(spec, '#', (node) => {
        if (typeof node.$ref === 'string') {
            used.add(resolve(node).pointer);
            used.add(node.$ref);
        }
    });
    for (const [kind, components] of entries(spec.components)) {
        for (const name of Object.keys(components).filter(() => kind !== 'securitySchemes')) {
            assert.ok(used.has(`#/components/${kind}/${name}`), `components/${kind}/${name} is not used`);
        }
    }
});

test('it has every call, and no other', () => {
    assert.deepEqual(operations.map(({ name }) => name).sort(), CALLS.map(({ name }) => name).sort());
});

test('every call has a name of its own, a summary, a description and one known tag', () => {
    const tags = spec.tags.map(({ name }) => name);
    const ids = new Set();
    for (const { name, operation } of operations) {
        assert.match(operation.operationId ?? '', /^[a-z][A-Za-z]+$/, name);
        assert.ok(!ids.has(operation.operationId), `${name}: ${operation.operationId} is taken`);
        ids.add(operation.operationId);
        assert.ok(operation.summary, `${name} has no summary`);
        assert.ok(operation.description, `${name} has no description`);
        assert.equal(operation.tags?.length, 1, `${name} needs one tag`);
        assert.ok(tags.includes(operation.tags[0]), `${name}: unknown tag ${operation.tags[0]}`);
    }
});

test('every call says whether it needs a token, and answers 401 exactly where that can happen', () => {
    const access = new Map(CALLS.map((call) => [call.name, call.access]));
    for (const { name, operation, responses } of operations) {
        assert.ok(operation.security, `${name} does not say`);
        const open = operation.security.length === 0 || operation.security.some((way) => !Object.keys(way).length);
        const closed = operation.security.some((way) => Object.keys(way).length);
        assert.equal(closed ? (open ? 'optional' : 'token') : 'none', access.get(name), name);
        assert.equal('401' in responses, closed || SIGN_IN.includes(name), `${name} and 401`);
    }
});

test('every parameter of a path is declared, and nothing else is said to be in the path', () => {
    for (const { name, path, parameters } of operations) {
        const declared = parameters.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name);
        const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, key]) => key);
        assert.deepEqual(declared.sort(), wanted.sort(), name);
    }
});

test('an Idempotency-Key is declared exactly where it is honoured, with what may come of it', () => {
    const once = CALLS.filter((call) => call.once).map((call) => call.name);
    const declared = operations.filter(({ parameters }) =>
        parameters.some((parameter) => parameter.in === 'header' && parameter.name === 'Idempotency-Key'));
    assert.deepEqual(declared.map(({ name }) => name).sort(), once.sort());
    for (const { name, responses } of declared) {
        assert.ok(codesOf(responses['409'] ?? {}).includes('idempotency_in_progress'), `${name}: 409`);
        assert.ok(codesOf(responses['422'] ?? {}).includes('idempotency_key_reused'), `${name}: 422`);
        for (const [status, { headers }] of entries(responses).filter(([key]) => key.startsWith('2'))) {
            assert.ok(headers['Idempotency-Replayed'], `${name}: ${status} may be replayed`);
        }
    }
});

test('lists have pages: limit, cursor, next_cursor and Link', () => {
    const lists = operations.filter(({ parameters }) => parameters.some(({ name }) => name === 'cursor'));
    assert.deepEqual(lists.map(({ operation }) => operation.operationId).sort(), ['listDeliveries',
        'listEventBookings', 'listEventTickets', 'listEvents', 'listMyBookings', 'listUsers', 'listWebhooks']);
    for (const { name, parameters, responses } of lists) {
        const limit = parameters.find((parameter) => parameter.name === 'limit');
        assert.deepEqual(limit?.schema, { type: 'integer', minimum: 1, maximum: 100, default: 20 }, name);
        assert.ok(responses['200'].headers.Link, `${name} has no Link`);
        const { node } = resolve(responses['200'].content['application/json'].schema);
        assert.deepEqual(node.required, ['data', 'next_cursor'], name);
    }
});

test('every call but those of operations lists what can happen to any request', () => {
    for (const { name, path, operation, responses } of operations) {
        const always = OPERATIONS.includes(path) ? ['default'] : ['429', '500', '503', 'default'];
        const withBody = operation.requestBody ? ['400', '408', '413', '415'] : [];
        for (const status of [...always, ...withBody]) {
            assert.ok(responses[status], `${name} does not mention ${status}`);
        }
    }
});

test('every answer has its headers', () => {
    const wanted = {
        201: (name) => (/ \/v1\/events/.test(name) ? ['Location'] : []),
        202: (name) => (/ \/v1\/events/.test(name) ? ['Location'] : []),
        304: () => ['ETag'],
        401: () => ['WWW-Authenticate'],
        429: () => ['Retry-After'],
        503: () => ['Retry-After'],
        default: () => ['Allow'],
    };
    for (const { name, path, responses } of operations) {
        for (const [status, { headers = {} }] of entries(responses)) {
            const limits = OPERATIONS.includes(path) || ['408', 'default'].includes(status)
                ? [] : ['RateLimit', 'RateLimit-Policy'];
            for (const header of ['X-Request-Id', ...limits, ...(wanted[status]?.(name) ?? [])]) {
                assert.ok(headers[header], `${name}: ${status} without ${header}`);
            }
        }
    }
    for (const name of ['POST /v1/events', 'GET /v1/events/{id}', 'PATCH /v1/events/{id}']) {
        const { responses } = operations.find((operation) => operation.name === name);
        assert.ok((responses['200'] ?? responses['201']).headers.ETag, `${name} without ETag`);
    }
});

test('errors are problems, and {error, code} on the classic routes', () => {
    for (const { name, operation, responses } of operations) {
        for (const [status, response] of entries(responses).filter(([key]) => !/^[123]/.test(key))) {
            // What is refused before there is a whole request is not the route's to answer.
            const classic = operation.tags.includes('Classic') && !['408', '413'].includes(status);
            const type = classic ? 'application/json' : 'application/problem+json';
            const schema = response.content?.[type]?.schema;
            const base = `#/components/schemas/${classic ? 'ClassicError' : 'Problem'}`;
            assert.equal(schema?.allOf?.[0].$ref, base, `${name}: ${status}`);
            assert.ok(codesOf(response).length > 0, `${name}: ${status} names no codes`);
            if (!classic && status !== 'default') {
                assert.equal(schema.allOf[1].properties.status.const, Number(status), `${name}: ${status}`);
            }
        }
    }
});

test('every error code can come, and has an example', () => {
    const codes = [...new Set(operations.flatMap(({ responses }) => Object.values(responses).flatMap(codesOf)))];
    assert.deepEqual(codes.sort(), [...spec.components.schemas.Code.enum].sort());
    for (const { name, responses } of operations) {
        for (const [status, response] of entries(responses)) {
            const shown = entries(response.content).flatMap(([, media]) => entries(media.examples))
                .map(([, example]) => resolve(example).node.value.code).filter(Boolean);
            assert.deepEqual(shown.sort(), codesOf(response).sort(), `${name}: ${status}`);
        }
    }
});

test('request bodies and JSON answers have examples', () => {
    for (const { name, operation, responses } of operations) {
        const bodies = operation.requestBody ? { request: resolve(operation.requestBody).node } : {};
        for (const [where, { content }] of entries({ ...bodies, ...responses })) {
            const json = content?.['application/json'] ?? content?.['application/problem+json'];
            if (json && name !== 'GET /openapi.json') {
                assert.ok(Object.keys(json.examples ?? {}).length > 0, `${name}: ${where} has no example`);
            }
        }
    }
});

test('every example is what its schema says', () => {
    let count = 0;
    walk(spec, '#', (node, pointer) => {
        if (!isObject(node.schema)) {
            return;
        }
        // Even without an example: a misspelt keyword shows when the schema is compiled.
        assert.ok(ajv.getSchema(`openapi.json${pointer}/schema`), pointer);
        const examples = entries(node.examples).map(([, example]) => resolve(example).node.value);
        if ('example' in node) {
            examples.push(node.example);
        }
        for (const example of examples) {
            count++;
            assert.deepEqual(validate(`${pointer}/schema`, example), [], `${pointer} ${JSON.stringify(example)}`);
        }
    });
    assert.ok(count > 100, `only ${count} examples found`);
});

test('every default is what its schema says', () => {
    walk(spec, '#', (node, pointer) => {
        if (node.default !== undefined && node.type !== undefined && !isObject(node.default)) {
            assert.deepEqual(validate(pointer, node.default), [], pointer);
        }
    });
});

test('no object takes a member that is not declared', () => {
    // The specification is not described here, and the bases are closed by those who use them.
    const open = ['#/components/responses/Specification/content/application~1json/schema',
        '#/components/schemas/BookingFields', '#/components/schemas/ChangeFields', '#/components/schemas/PaymentFields', '#/components/schemas/WebhookFields',
        '#/components/schemas/WebhookWithSecret/allOf/1'];
    walk(spec, '#', (node, pointer) => {
        if (node.type === 'object' && !open.includes(pointer)) {
            assert.equal(node.additionalProperties ?? node.unevaluatedProperties, false, `${pointer} is open`);
        }
        if (node.allOf?.some(({ $ref }) => $ref?.endsWith('Fields'))) {
            assert.equal(node.unevaluatedProperties, false, `${pointer} is open`);
        }
    });
});

test('every member that is required is declared', () => {
    walk(spec, '#', (node, pointer) => {
        if (node.type === 'object' && Array.isArray(node.required) && node.properties) {
            for (const key of node.required) {
                assert.ok(key in node.properties, `${pointer} requires ${key}`);
            }
        }
    });
});

test('a drift in an answer shows', () => {
    const { confirmed, waiting, event, invalid, stale } = spec.components.examples;
    const refused = (name, value) => assert.notDeepEqual(validate(`#/components/schemas/${name}`, value), [], name);
    refused('Booking', { ...confirmed.value, seat: 1 });
    refused('Booking', { ...confirmed.value, position: 1, ahead: 0 });
    refused('Booking', { ...confirmed.value, reference: 'k7q2m9xd4tzb' });
    refused('Booking', { ...confirmed.value, created_at: '2027-01-04T10:10:00+01:00' });
    refused('Booking', { ...waiting.value, ahead: -1 });
    refused('ManagedBooking', confirmed.value);
    refused('ExportedBooking', confirmed.value);
    refused('Event', { ...event.value, available: -1 });
    refused('Event', { ...event.value, ticket_types: [] });
    refused('Event', { ...event.value, secret: 1 });
    refused('Problem', { ...invalid.value, errors: [] });
    refused('Problem', { ...stale.value, errors: invalid.value.errors });
    refused('Problem', { ...stale.value, code: 'unheard_of' });
});

test('the rules for request bodies hold', () => {
    const taken = (name, value) => assert.deepEqual(validate(`#/components/schemas/${name}`, value), [], name);
    const refused = (name, value) => assert.notDeepEqual(validate(`#/components/schemas/${name}`, value), [], name);
    taken('NewEvent', { name: 'A', capacity: 1, price: 0 });
    refused('NewEvent', { name: 'A' });
    refused('NewEvent', { name: 'A', capacity: 1, ticket_types: [{ name: 'B', capacity: 1 }] });
    refused('NewEvent', { name: 'A', price: 1, ticket_types: [{ name: 'B', capacity: 1 }] });
    refused('NewEvent', { name: 'A', capacity: 1, status: 'closed' });
    refused('NewEvent', { name: 'A\u0000', capacity: 1 });
    taken('EventChange', {});
    taken('EventChange', { starts_at: null, ends_at: null, max_per_user: null });
    taken('EventChange', { ticket_types: [{ id: 1, capacity: 0, max_per_booking: null, sales_start: null,
        sales_end: null }, { name: 'B', capacity: 1 }] });
    refused('EventChange', { ticket_types: [{ name: 'B' }] });
    refused('EventChange', { name: null });
    refused('EventChange', { status: 'cancelled' });
    taken('UserChange', { name: 'B' });
    refused('UserChange', { password: 'long enough' });
    refused('UserChange', { email: 'visitor@example.org' });
    refused('NewBooking', { quantity: 0 });
    refused('NewBooking', { quantity: '2' });
    refused('NewBooking', { quantity: 1.5 });
    taken('Cancellation', {});
    taken('ClassicUser', { email: 'visitor@example.org', password: 'long enough' });
    refused('ClassicUser', { password: 'long enough' });
    refused('ClassicEvent', { tickets: 1 });
    refused('ClassicEvent', { name: 'A', tickets: 1, time: '19:00' });
    refused('ClassicCancellation', {});
});
