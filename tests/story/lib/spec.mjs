// SPDX-License-Identifier: Apache-2.0
// Every answer seen in the stories is held against api/openapi.yaml: the operation must know the
// status, the body must fit the schema, the headers must be there. What the contract says of
// every answer whatever the operation is checked here, too.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import {parse} from 'yaml';

export const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export const spec = parse(readFileSync(new URL('../../../api/openapi.yaml', import.meta.url), 'utf8'));

const ajv = new Ajv({strict: false, allErrors: true, validateSchema: false});
addFormats(ajv);
ajv.addSchema(spec, 'spec');

const escape = (part) => part.replaceAll('~', '~0').replaceAll('/', '~1');

/** Follows `$ref`s at `pointer` (a list of keys); gives the value and the keys of where it is. */
function follow(pointer) {
    let value = pointer.reduce((at, key) => at?.[key], spec);
    while (value?.$ref) {
        pointer = value.$ref.slice(2).split('/').map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
        value = pointer.reduce((at, key) => at[key], spec);
    }
    return {value, pointer};
}

const compiled = new Map();
function fits(pointer, value, what) {
    const name = `spec#/${pointer.map(escape).join('/')}`;
    if (!compiled.has(name)) compiled.set(name, ajv.compile({$ref: encodeURI(name)}));
    const check = compiled.get(name);
    if (check(value)) return;
    assert.fail(`${what} does not fit the specification: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value)}`);
}

/** Fails where the value is not what the schema of that name says. */
export function checkIs(schema, value) {
    fits(['components', 'schemas', schema], value, schema);
}

// Constant paths first, so that "/v1/events/{id}" does not take what has a row of its own.
const templates = Object.keys(spec.paths)
    .sort((a, b) => a.split('{').length - b.split('{').length)
    .map((path) => ({
        path,
        match: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{[^}]*\}/g, '[^/]+')}$`),
    }));

/** The path of the specification that an address belongs to, or undefined. */
export function templateOf(address) {
    const path = address.split('?')[0];
    return templates.find((template) => template.match.test(path))?.path;
}

/** Is it one of the short routes, whose errors are `{error, code}`? */
export function isClassic(template) {
    return Object.values(spec.paths[template] ?? {}).some((operation) => operation.tags?.includes('Classic'));
}

function checkEverywhere(what, answer) {
    assert.match(answer.headers['x-request-id'] ?? '', /^[\x21-\x7e]{1,128}$/, `${what}: no X-Request-Id`);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', `${what}: no nosniff`);
    assert.ok(answer.headers['cache-control'], `${what}: no Cache-Control`);
    assert.notEqual(answer.status, 500, `${what}: ${answer.text}`);
    if (mediaType(answer) !== 'application/problem+json' || answer.body === undefined) return;
    fits(['components', 'schemas', 'Problem'], answer.body, what);
    assert.equal(answer.body.status, answer.status, `${what}: the status in the body`);
    // An answer that is repeated is that of the first request, to the letter.
    if (!answer.headers['idempotency-replayed'])
        assert.equal(answer.body.request_id, answer.headers['x-request-id'], `${what}: the request_id in the body`);
    assert.equal(answer.body.type, `urn:admit:problem:${answer.body.code}`, `${what}: the type`);
}

export function mediaType(answer) {
    return answer.headers['content-type']?.split(';')[0].trim();
}

function checkHeaders(what, response, answer) {
    for (const name of Object.keys(response.value.headers ?? {})) {
        const header = follow([...response.pointer, 'headers', name]);
        const text = answer.headers[name.toLowerCase()];
        if (text === undefined) {
            assert.ok(!header.value.required, `${what}: no ${name}`);
            continue;
        }
        const isNumber = header.value.schema.type === 'integer' && /^\d+$/.test(text);
        fits([...header.pointer, 'schema'], isNumber ? Number(text) : text, `${what}: ${name}`);
    }
}

function checkBody(what, response, answer) {
    const content = response.value.content;
    if (!content) {
        assert.equal(answer.text, '', `${what}: a body where there is none`);
        return;
    }
    const type = mediaType(answer);
    assert.ok(content[type], `${what}: ${type} is not one of ${Object.keys(content)}`);
    if (content[type].schema)
        fits([...response.pointer, 'content', type, 'schema'], type.endsWith('json') ? answer.body : answer.text, what);
}

/** Where the specification has nothing to say: unknown addresses and methods it does not list. */
function checkUnlisted(what, template, answer) {
    if (!template) assert.equal(answer.status, 404, `${what}: an address that the specification does not know`);
    else assert.ok(answer.status >= 400, `${what}: a method that the specification does not know`);
    const schema = template && isClassic(template) ? 'ClassicError' : 'Problem';
    fits(['components', 'schemas', schema], answer.body, what);
}

/** Fails where the answer is not what api/openapi.yaml promises. */
export function checkAnswer(method, address, answer) {
    const what = `${method} ${address} -> ${answer.status}`;
    checkEverywhere(what, answer);
    const template = templateOf(address);
    if (method === 'OPTIONS' || (!template && address.startsWith('/docs/'))) return;
    const isHead = method === 'HEAD';
    const operation = spec.paths[template]?.[isHead ? 'get' : method.toLowerCase()];
    if (!operation) {
        if (!isHead) checkUnlisted(what, template, answer);
        return;
    }
    const responses = ['paths', template, isHead ? 'get' : method.toLowerCase(), 'responses'];
    let key = String(answer.status);
    if (!operation.responses[key] && answer.status >= 400) key = 'default';
    const response = follow([...responses, key]);
    assert.ok(response.value, `${what}: the specification does not know this status`);
    checkHeaders(what, response, answer);
    if (isHead) assert.equal(answer.text, '', `${what}: HEAD with a body`);
    else checkBody(what, response, answer);
}
