// SPDX-License-Identifier: Apache-2.0
// Webhooks as their owners see them: made, changed, removed, and what may not be registered; and what their
// receivers get, verified by the specification's own library.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {rm, symlink, writeFile} from 'node:fs/promises';
import net from 'node:net';
import {join} from 'node:path';
import {before, describe, it} from 'node:test';
import {isDeepStrictEqual} from 'node:util';
import {Webhook, WebhookVerificationError} from 'standardwebhooks';
import {newDirectory, onEachStore, ROOT, start} from './lib/admit.mjs';
import {expect, expectInvalid} from './lib/client.mjs';
import {Receiver} from './lib/receiver.mjs';
import {until} from './lib/time.mjs';

const URL = 'https://hook.example.invalid/a?b=c';
const ALL = ['booking.confirmed', 'booking.waiting', 'booking.promoted', 'booking.cancelled', 'event.changed', 'event.cancelled', 'event.sold_out'];

onEachStore('webhooks', {}, (server) => {
    let owner, other;
    before(async () => {
        [owner, other] = await server().crowd(2);
    });

    it('are made, and their secret is shown once', async () => {
        const answer = await owner.post('/v1/webhooks', {url: URL});
        const made = expect(answer, 201);
        assert.equal(answer.headers.location, `/v1/webhooks/${made.id}`);
        assert.match(made.secret, /^whsec_/);
        assert.equal(Buffer.from(made.secret.slice(6), 'base64').length, 32);
        const {secret, ...shown} = made;
        assert.deepEqual({...shown, id: 0, created_at: 0, updated_at: 0}, {
            id: 0, user_id: owner.id, url: URL, description: '', everything: false, types: ALL, status: 'on', failing_since: null, created_at: 0, updated_at: 0,
        });
        assert.deepEqual(expect(await owner.get(`/v1/webhooks/${made.id}`), 200), shown);
        const another = expect(await owner.post('/v1/webhooks', {url: URL}), 201);
        assert.notEqual(another.secret, secret);
        const {data} = await owner.walk('/v1/webhooks', 1);
        assert.deepEqual(data.map(({id}) => id), [made.id, another.id]);
        assert.ok(!JSON.stringify(data).includes('whsec_'));
        assert.deepEqual(expect(await other.get('/v1/webhooks'), 200), {data: [], next_cursor: null});
        assert.deepEqual(expect(await owner.get(`/v1/webhooks/${made.id}/deliveries`), 200), {data: [], next_cursor: null});
    });

    it('are changed by what is given', async () => {
        const {id, secret, ...made} = expect(await owner.post('/v1/webhooks', {url: URL, types: ['booking.waiting', 'event.changed', 'booking.waiting'], description: 'Büro'}), 201);
        assert.deepEqual(made.types, ['booking.waiting', 'event.changed']);
        const path = `/v1/webhooks/${id}`;
        const change = async (body, expected = body) => {
            const changed = expect(await owner.patch(path, body), 200);
            Object.assign(made, expected, {updated_at: changed.updated_at});
            assert.deepEqual(changed, {id, ...made});
            assert.deepEqual(expect(await owner.get(path), 200), changed);
        };
        await change({url: 'https://other.example.invalid/'});
        await change({types: ['event.sold_out', 'booking.confirmed']}, {types: ['booking.confirmed', 'event.sold_out']});
        await change({description: ''});
        await change({status: 'off'});
        expect(await owner.post(`${path}/test`), 409, 'webhook_off');
        await change({status: 'on'});
        await change({});
        const rotated = expect(await owner.post(`${path}/secret`), 200);
        assert.match(rotated.secret, /^whsec_/);
        assert.notEqual(rotated.secret, secret);
    });

    it('are removed', async () => {
        const {id} = expect(await owner.post('/v1/webhooks', {url: URL}), 201);
        expect(await other.delete(`/v1/webhooks/${id}`), 404, 'no_such_webhook');
        expect(await owner.delete(`/v1/webhooks/${id}`), 204);
        for (const answer of [await owner.get(`/v1/webhooks/${id}`), await owner.delete(`/v1/webhooks/${id}`), await owner.patch(`/v1/webhooks/${id}`, {status: 'on'})])
            expect(answer, 404, 'no_such_webhook');
        for (const id of ['0', 'x', '99999999999999999999', '-1']) expect(await owner.get(`/v1/webhooks/${id}`), 404, 'no_such_webhook');
    });

    it('go with their owner', async () => {
        const leaving = await server().person();
        const {id} = expect(await leaving.post('/v1/webhooks', {url: URL}), 201);
        expect(await leaving.delete('/v1/me', {password: leaving.password}), 204);
        expect(await owner.get(`/v1/webhooks/${id}`), 404, 'no_such_webhook');
    });

    for (const url of ['http://example.org/', 'ftp://example.org/', 'example.org', '', 'https://user:pass@example.org/', 'https://example.org/#x',
        'https://example.org:25/', 'https://exa mple.org/', 'https://bücher.example/', `https://example.org/${'x'.repeat(2000)}`,
        'https://localhost/', 'https://127.0.0.1/', 'https://127.1/', 'https://2130706433/', 'https://0x7f.1/', 'https://[::1]/', 'https://[::ffff:127.0.0.1]/',
        'https://10.0.0.1/', 'https://169.254.169.254/latest/', 'https://[fd00::1]/', 'https://db.internal/', 'https://printer/'])
        it(`do not go to ${url.slice(0, 40)}`, async () => {
            expectInvalid(await owner.post('/v1/webhooks', {url}), '/url');
        });

    it('want what they are told to be one of the types', async () => {
        for (const types of [['booking.confirmed', 'webhook.test'], ['account.welcome'], [7], [null]])
            expectInvalid(await owner.post('/v1/webhooks', {url: URL, types}), `/types/${types.length - 1}`);
        for (const types of [[], 'booking.confirmed', {}, Array(8).fill('booking.confirmed')])
            expectInvalid(await owner.post('/v1/webhooks', {url: URL, types}), '/types');
        expectInvalid(await owner.post('/v1/webhooks', {}), '/url');
        expectInvalid(await owner.post('/v1/webhooks', {url: null, types: null, everything: 'no', description: 'x'.repeat(201)}), '/url', '/types', '/everything', '/description');
        expectInvalid(await owner.patch(`/v1/webhooks/1`, {status: 'disabled', everything: true}), '/status', '/everything');
    });

    it('of all events are for administrators', async () => {
        expect(await owner.post('/v1/webhooks', {url: URL, everything: true}), 403, 'forbidden');
    });

    it('are twenty at most', async () => {
        const many = await server().person();
        const answers = await Promise.all(Array.from({length: 30}, () => many.post('/v1/webhooks', {url: URL})));
        const refused = answers.filter(({status}) => status !== 201);
        for (const answer of refused) expect(answer, 422, 'too_many');
        assert.equal(refused.length, 10);
        const {data} = await many.walk('/v1/webhooks', 7);
        assert.equal(data.length, 20);
        expect(await many.delete(`/v1/webhooks/${data[0].id}`), 204);
        expect(await many.post('/v1/webhooks', {url: URL}), 201);
    });
});

describe('an administrator', () => {
    it('sees everybody\'s webhooks, and may hear of all events', async () => {
        const server = await start({admin: true});
        const admin = await server.admin(), owner = await server.person();
        const own = expect(await owner.post('/v1/webhooks', {url: URL}), 201);
        const all = expect(await admin.post('/v1/webhooks', {url: URL, everything: true}), 201);
        assert.equal(all.everything, true);
        assert.deepEqual((await admin.walk('/v1/webhooks', 100)).data.map(({id}) => id), [own.id, all.id]);
        assert.equal(expect(await admin.patch(`/v1/webhooks/${own.id}`, {status: 'off'}), 200).user_id, owner.id);
        await server.finish();
    });
});

describe('settings', () => {
    it('may turn them off', async () => {
        const server = await start({env: {WEBHOOKS: 'off'}});
        const person = await server.person();
        expect(await person.post('/v1/webhooks', {url: URL}), 403, 'forbidden');
        await server.finish();
    });
    it('may allow private addresses', async () => {
        const server = await start({env: {WEBHOOK_ALLOW_PRIVATE: 'on'}});
        const person = await server.person();
        for (const url of ['http://127.0.0.1:8080/', 'https://[::1]/', 'http://db.internal:25/']) expect(await person.post('/v1/webhooks', {url}), 201);
        expectInvalid(await person.post('/v1/webhooks', {url: 'ftp://127.0.0.1/'}), '/url');
        await server.finish();
    });
});

/** The number of a port that was free a moment ago. */
function freePort() {
    return new Promise((resolve) => {
        const server = net.createServer().listen(0, () => {
            const {port} = server.address();
            server.close(() => resolve(port));
        });
    });
}

/** A server on a port of its own, an organizer on it, a receiver, and the webhook between them. */
async function connected(tell, {env = {}, answer, store = 'sqlite', details = {}} = {}) {
    const receiver = await Receiver.start(answer);
    const server = await start({store, env: {WEBHOOK_ALLOW_PRIVATE: 'on', RETRY_FIRST: '1s', ...env}});
    try {
        const [owner, guest] = await server.crowd(2);
        const webhook = expect(await owner.post('/v1/webhooks', {url: receiver.url, ...details}), 201);
        await tell({server, receiver, owner, guest, webhook, path: `/v1/webhooks/${webhook.id}`});
        await server.finish();
    } finally {
        server.child.kill('SIGKILL');
        await receiver.close();
    }
}

describe('what is sent', () => {
    const headersOf = ({headers}) => Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('webhook-')));
    const isGood = (secret, message, text = message.text) => {
        try {
            return isDeepStrictEqual(new Webhook(secret).verify(text, headersOf(message)), JSON.parse(text));
        } catch (error) {
            assert.ok(error instanceof WebhookVerificationError, error);
            return false;
        }
    };

    it('is verified by the specification\'s own library', () => connected(async ({receiver, owner, guest, webhook}) => {
        const event = await owner.createEvent({name: 'Größe "Ü" \u2028 🎭', capacity: 1});
        const {reference} = await guest.book(event.id);
        await until('the booking', () => receiver.typesOf(reference).length > 0);
        const message = receiver.told.find(({type}) => type === 'booking.confirmed');
        assert.ok(isGood(webhook.secret, message));
        assert.equal(message.data.booking.event.name, event.name);
        assert.match(message.headers['webhook-signature'], /^v1,[A-Za-z0-9+/]{43}=$/);
        assert.equal(message.headers['content-type'], 'application/json');
        // What is another secret's, or was changed on its way, is not.
        const other = expect(await owner.post('/v1/webhooks', {url: receiver.url, types: ['event.changed']}), 201);
        assert.ok(!isGood(other.secret, message));
        assert.ok(!isGood(webhook.secret, message, message.text.replace('"quantity":1', '"quantity":2')));
        const moved = {...message, headers: {...message.headers, 'webhook-id': 'msg_other'}};
        assert.ok(!isGood(webhook.secret, moved));
    }));

    it('is signed by both secrets while the old one is good', () => connected(async ({receiver, owner, webhook, path}) => {
        const {secret} = expect(await owner.post(`${path}/secret`), 200);
        expect(await owner.post(`${path}/test`), 202);
        await until('the test', () => receiver.told.length === 1);
        const [message] = receiver.told;
        assert.equal(message.type, 'webhook.test');
        assert.equal(message.headers['webhook-signature'].split(' ').length, 2);
        assert.ok(isGood(webhook.secret, message) && isGood(secret, message));
    }));

    it('is shown among the deliveries, and can be sent again', () => connected(async ({receiver, owner, path}) => {
        expect(await owner.post(`${path}/test`), 202);
        const [delivery] = await until('a delivery that was sent', async () => {
            const {data} = expect(await owner.get(`${path}/deliveries?status=sent`), 200);
            return data.length > 0 && data;
        });
        assert.deepEqual([delivery.type, delivery.status, delivery.tries, delivery.answer, delivery.error], ['webhook.test', 'sent', 1, 204, null]);
        assert.equal(delivery.message_id, receiver.told[0].id);
        assert.match(delivery.message_id, /^msg_\w{4}-\w{4}-\w{4}_w\d+$/); // no number that tells how much is going on
        for (const id of ['1', '0000-0000-0000', 'x', '']) expect(await owner.post(`${path}/deliveries/${id}/redeliver`), 404, 'not_found');
        expect(await owner.post(`${path}/deliveries/${delivery.id}/redeliver`), 202);
        await until('it again', () => receiver.messages.length === 2);
        assert.equal(receiver.messages[1].id, receiver.messages[0].id);
        const other = expect(await owner.post('/v1/webhooks', {url: receiver.url}), 201);
        expect(await owner.post(`/v1/webhooks/${other.id}/deliveries/${delivery.id}/redeliver`), 404, 'not_found');
        assert.deepEqual(expect(await owner.get(`/v1/webhooks/${other.id}/deliveries`), 200).data, []);
    }));

    it('is no longer when its webhook is off, and none of it is lost', () => connected(async ({receiver, owner, guest, path}) => {
        const event = await owner.createEvent({name: 'Off and on', capacity: 5});
        expect(await owner.patch(path, {status: 'off'}), 200);
        await guest.book(event.id);
        expect(await owner.patch(path, {status: 'on'}), 200);
        const {reference} = await guest.book(event.id);
        await until('the later booking', () => receiver.typesOf(reference).length > 0);
    }));

    it('stops where the server says that it is gone', () => connected(async ({receiver, owner, path}) => {
        expect(await owner.post(`${path}/test`), 202);
        await until('it is disabled', async () => expect(await owner.get(path), 200).status === 'disabled');
        expect(await owner.post(`${path}/test`), 409, 'webhook_off');
        receiver.answer = (message, response) => response.end();
        assert.equal(expect(await owner.patch(path, {status: 'on'}), 200).status, 'on');
        expect(await owner.post(`${path}/test`), 202);
        await until('it is sent again', () => receiver.messages.length >= 2);
    }, {answer: (message, response) => response.writeHead(410).end()}));

    it('is only what was asked for', () => connected(async ({receiver, owner, guest}) => {
        const event = await owner.createEvent({name: 'Asked for', capacity: 1});
        const {reference} = await guest.book(event.id);
        await guest.cancel(reference);
        await until('the end', () => receiver.typesOf(reference).includes('booking.cancelled'));
        assert.deepEqual(receiver.typesOf(reference), ['booking.cancelled']);
    }, {details: {types: ['booking.cancelled']}}));
});

describe('who may hear no more', () => {
    for (const [was, everything] of [['admin', true], ['organizer', false]])
        it(`is told nothing: one who was ${was}`, async () => {
            const [mine, theirs] = [await Receiver.start(), await Receiver.start()];
            const server = await start({admin: true, env: {OPEN_ORGANIZING: 'off', WEBHOOK_ALLOW_PRIVATE: 'on', RETRY_FIRST: '1s'}});
            const [admin, [former, guest]] = [await server.admin(), await server.crowd(2)];
            const grant = async (role) => expect(await admin.patch(`/v1/users/${former.id}`, {role}), 200);
            await grant(was);
            const event = await former.createEvent({name: 'Of one who was', capacity: 9});
            expect(await former.post('/v1/webhooks', {url: theirs.url, everything}), 201);
            expect(await admin.post('/v1/webhooks', {url: mine.url, everything: true}), 201);
            const told = async () => {
                const {reference} = await guest.book(event.id);
                await until('the administrator is told', () => mine.typesOf(reference).length > 0);
                return reference;
            };
            const heard = await told();
            await until('he is told while he may', () => theirs.typesOf(heard).length > 0);
            await grant('user');
            const missed = await told();
            await grant(was);
            const again = await told();
            await until('he is told again', () => theirs.typesOf(again).length > 0);
            assert.deepEqual(theirs.typesOf(missed), []);
            await server.finish();
            await Promise.all([mine.close(), theirs.close()]);
        });
});

describe('a private address', () => {
    it('is not sent to when it is no longer allowed', async () => {
        const receiver = await Receiver.start();
        let server = await start({env: {WEBHOOK_ALLOW_PRIVATE: 'on', RETRY_FIRST: '1s'}});
        const owner = await server.person();
        const {id} = expect(await owner.post('/v1/webhooks', {url: receiver.url}), 201);
        await server.stop();
        server = await server.restart({env: {WEBHOOK_ALLOW_PRIVATE: 'off', RETRY_FIRST: '1s'}});
        const again = server.again(owner);
        expect(await again.post(`/v1/webhooks/${id}/test`), 202);
        const delivery = await until('it was tried', async () =>
            expect(await again.get(`/v1/webhooks/${id}/deliveries`), 200).data.find(({error}) => error));
        assert.match(delivery.error, /must begin with https:|private host/);
        assert.equal(receiver.messages.length, 0);
        await server.finish();
        await receiver.close();
    });

    it('is sent to from within the sandbox where it is allowed', () => connected(async ({server, receiver, owner, path}) => {
        const [line] = server.logged(({message}) => message === 'sandbox');
        expect(await owner.post(`${path}/test`), 202);
        await until('the test', () => receiver.told.length === 1);
        assert.ok(line.off || line.no_new_privileges === 'yes');
    }, {details: {}}));
});

describe('"Verifying a webhook" of docs/integrating.md', () => {
    it('takes what is signed, and nothing else', async () => {
        const text = readFileSync(join(ROOT, 'docs/integrating.md'), 'utf8');
        const example = /## Verifying a webhook[^]*?```js\n([^]*?)```/.exec(text)[1];
        const directory = await newDirectory();
        await writeFile(join(directory, 'receive.mjs'), example);
        await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
        await connected(async ({server, owner, guest}) => {
            const port = await freePort();
            const webhook = expect(await owner.post('/v1/webhooks', {url: `http://localhost:${port}/`}), 201);
            const child = spawn('node', ['receive.mjs', webhook.secret, String(port)], {cwd: directory, stdio: ['ignore', 'pipe', 'inherit']});
            let said = '';
            child.stdout.on('data', (part) => (said += part));
            try {
                const event = await owner.createEvent({name: 'Shown', capacity: 1});
                const {reference} = await guest.book(event.id);
                await until('the example has it', () => said.includes(`booking.confirmed ${reference}`), 20);
                const post = (headers) => fetch(`http://localhost:${port}/`, {method: 'POST', body: '{"type":"x"}', headers});
                assert.equal((await post({})).status, 400);
                assert.equal((await post({'webhook-id': 'a', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)), 'webhook-signature': 'v1,AAAA'})).status, 400);
            } finally {
                child.kill();
            }
        });
        await rm(directory, {recursive: true});
    });
});
