// SPDX-License-Identifier: Apache-2.0
// The running server has the routes of api/openapi.yaml, all of them and no others.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {start} from './lib/admit.mjs';
import {METHODS, spec} from './lib/spec.mjs';

describe('the routes', () => {
    let server;
    before(async () => (server = await start({store: 'memory'})));
    after(() => server?.finish());

    for (const [path, item] of Object.entries(spec.paths)) {
        const address = path.replace('{reference}', 'K7Q2-M9XD-4TZB').replace(/\{[^}]+\}/g, '1');
        const listed = METHODS.filter((method) => item[method]);
        const allowed = [...listed, ...(item.get ? ['head'] : []), 'options'].map((method) => method.toUpperCase()).sort();

        describe(path, () => {
            for (const method of listed) {
                it(`answers ${method.toUpperCase()}`, async () => {
                    const answer = await server.nobody.call(method.toUpperCase(), address, {body: method === 'get' ? undefined : {}});
                    assert.notEqual(answer.status, 405);
                    assert.notEqual(answer.body?.code, 'not_found');
                    const needsToken = item[method].security?.length && !item[method].security.some((way) => Object.keys(way).length === 0);
                    assert.equal(answer.status === 401 && answer.body?.code === 'unauthorized', Boolean(needsToken), `who may call: ${answer.status}`);
                });
            }

            for (const method of METHODS.filter((each) => !item[each])) {
                it(`does not answer ${method.toUpperCase()}, and says what it does`, async () => {
                    const answer = await server.nobody.call(method.toUpperCase(), address);
                    assert.equal(answer.status, 405, answer.text);
                    assert.equal(answer.body.code, 'method_not_allowed');
                    assert.deepEqual(answer.headers.allow.split(/, */).sort(), allowed);
                });
            }

            it('answers OPTIONS with the same list', async () => {
                const answer = await server.nobody.call('OPTIONS', address);
                assert.ok([200, 204].includes(answer.status));
                assert.deepEqual(answer.headers.allow.split(/, */).sort(), allowed);
            });

            if (item.get) {
                it('answers HEAD', async () => {
                    assert.notEqual((await server.nobody.call('HEAD', address)).status, 405);
                });
            }

            it('has no other path behind it', async () => {
                const answer = await server.nobody.get(`${address}/nothing/here`);
                assert.equal(answer.status, 404);
            });
        });
    }
});
