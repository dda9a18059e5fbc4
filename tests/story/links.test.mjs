// SPDX-License-Identifier: Apache-2.0
// What links in mail bring about. That they come by mail is another story's business.
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {newDirectory, onEachStore, PASSWORD, run, sqlite3, start} from './lib/admit.mjs';
import {expect, expectInvalid} from './lib/client.mjs';
import {CONFIRM, confirmToken, linkToken, MAIL, RESET, resetToken} from './lib/link.mjs';

const GARBAGE = ['x', 'A'.repeat(64), `${'A'.repeat(63)}=`, 'A'.repeat(65), '%00'.repeat(64), '..%2f..', '_'.repeat(64)];

onEachStore('links', {env: MAIL}, (server) => {
    const put = (path, body) => server().nobody.call('PUT', path, {body});
    const confirm = (token) => put(`/v1/email-confirmations/${token}`);
    const me = async (person) => expect(await person.get('/v1/me'), 200);

    it('confirm an address, twice as well as once', async () => {
        const person = await server().person();
        assert.equal(person.user.email_verified, false);
        const token = confirmToken(person.id, person.email);
        expect(await confirm(token), 204);
        assert.deepEqual(await me(person), {...person.user, email_verified: true});
        expect(await confirm(token), 204);
        expect(await person.post('/v1/me/email-confirmation'), 409, 'already_confirmed');
    });

    it('are for one address, one person, one purpose and some time', async () => {
        const [person, other] = await server().crowd(2);
        const wrong = [
            confirmToken(other.id, person.email), confirmToken(987654, person.email), confirmToken(person.id, other.email),
            confirmToken(person.id, person.email, Date.now() - 1), linkToken(RESET, person.id, [person.email, '']),
            linkToken(CONFIRM, person.id, ['', person.email]), ...GARBAGE,
        ];
        for (const token of wrong) expect(await confirm(token), 404, 'invalid_link');
        for (const token of [...wrong, confirmToken(person.id, person.email)])
            expect(await put(`/v1/password-resets/${token}`, {password: 'a new password'}), 404, 'invalid_link');
        assert.deepEqual([await me(person), await me(other)], [person.user, other.user]);
    });

    it('to an address that one has no more are void', async () => {
        const person = await server().person();
        const token = confirmToken(person.id, person.email);
        expect(await confirm(token), 204);
        const email = `moved-${person.email}`;
        const moved = expect(await person.patch('/v1/me', {email, current_password: PASSWORD}), 200);
        assert.equal(moved.email_verified, false);
        expect(await confirm(token), 404, 'invalid_link');
        expect(await confirm(confirmToken(person.id, email)), 204);
        assert.equal((await me(person)).email_verified, true);
    });

    it('can be asked for again, by who has an address', async () => {
        const person = await server().person();
        expect(await person.post('/v1/me/email-confirmation'), 202);
        expect(await server().nobody.post('/v1/me/email-confirmation'), 401);
        const name = `nameless-${process.pid}`;
        expect(await server().nobody.post('/register', {username: name, password: PASSWORD}), 201);
        const {token} = expect(await server().nobody.post('/v1/sessions', {login: name, password: PASSWORD}), 200);
        expect(await server().nobody.post('/v1/me/email-confirmation', undefined, {token}), 409, 'no_email');
    });

    it('for a new password are asked for alike, whether there is such an account or not', async () => {
        const person = await server().person();
        const answers = [];
        for (const email of [person.email, person.email.toUpperCase(), 'nobody-here@example.org'])
            answers.push(await server().nobody.post('/v1/password-resets', {email}));
        for (const answer of answers) {
            expect(answer, 202);
            assert.equal(answer.text, answers[0].text);
            assert.deepEqual(Object.keys(answer.headers).sort(), Object.keys(answers[0].headers).sort());
        }
        expectInvalid(await server().nobody.post('/v1/password-resets', {email: 'nobody', login: 'x'}), '/email', '/login');
        expectInvalid(await put(`/v1/password-resets/${'A'.repeat(64)}`, {password: 'short'}), '/password');
        expectInvalid(await put(`/v1/email-confirmations/${'A'.repeat(64)}`, {email: person.email}), '/email');
    });
});

describe('a new password', () => {
    let server;
    before(async () => (server = await start({env: MAIL})));
    after(() => server?.finish());
    const hashOf = (person) => sqlite3(server.directory, `SELECT password_hash FROM users WHERE id = ${person.id};`);
    const reset = (token, password) => server.nobody.call('PUT', `/v1/password-resets/${token}`, {body: {password}});
    const signIn = (person, password) => server.nobody.post('/v1/sessions', {login: person.email, password});

    it('is chosen once with a link, and ends what was before', async () => {
        const person = await server.person();
        const session = await person.signIn();
        const hash = await hashOf(person);
        const [token, another] = [resetToken(person.id, person.email, hash), resetToken(person.id, person.email, hash, Date.now() + 7200_000)];
        expectInvalid(await reset(token, 'short'), '/password'); // which does not use it up
        expect(await reset(token, 'a new password'), 204);
        expect(await signIn(person, PASSWORD), 401, 'bad_credentials');
        expect(await server.nobody.get('/v1/me', {token: session.token}), 401);
        const {user} = expect(await signIn(person, 'a new password'), 200);
        assert.equal(user.email_verified, true);
        for (const used of [token, another]) expect(await reset(used, 'yet another one'), 404, 'invalid_link');
        expect(await signIn(person, 'a new password'), 200);
    });

    it('is set by one of several who use the link at once', async () => {
        const person = await server.person();
        const token = resetToken(person.id, person.email, await hashOf(person));
        const passwords = ['first password', 'second password', 'third password'];
        const answers = await Promise.all(passwords.map((password) => reset(token, password)));
        assert.deepEqual(answers.map((answer) => answer.status).sort(), [204, 404, 404]);
        for (const [index, password] of passwords.entries())
            assert.equal((await signIn(person, password)).status, answers[index].status === 204 ? 200 : 401);
    });

    it('is not set with a link that is too old, or of somebody else, or for another address', async () => {
        const [person, other] = await server.crowd(2);
        const hash = await hashOf(person);
        for (const token of [resetToken(person.id, person.email, hash, Date.now() - 1), resetToken(other.id, person.email, hash),
            resetToken(person.id, other.email, hash), resetToken(person.id, person.email, await hashOf(other)), ...GARBAGE])
            expect(await reset(token, 'a new password'), 404, 'invalid_link');
        expect(await signIn(person, PASSWORD), 200);
        const token = resetToken(person.id, person.email, hash);
        expect(await person.patch('/v1/me', {email: `new-${person.email}`, current_password: PASSWORD}), 200);
        expect(await reset(token, 'a new password'), 404, 'invalid_link');
    });

    it('leaves nothing of the link in the log', async () => {
        const person = await server.person();
        const token = resetToken(person.id, person.email, await hashOf(person));
        const path = `/v1/password-resets/${token}`;
        for (const [method, address] of [['PUT', path], ['GET', path], ['PUT', `${path}/`], ['PUT', `${path}/x?y=1`], ['PUT', `/v1/email-confirmations/${token}`]])
            await server.nobody.call(method, address, {body: method === 'GET' ? undefined : {}});
        await server.nobody.call('PUT', `${path}?password=x`, {body: {password: 'a new password'}});
        expect(await server.nobody.get('/healthz'), 200);
        const lines = server.logged((line) => line.message === 'request' && line.method === 'PUT');
        assert.ok(lines.some((line) => line.path === '/v1/password-resets/{token}'), JSON.stringify(lines.at(-1)));
        assert.ok(!JSON.stringify(server.log).includes(token.slice(0, 30)), 'the token was logged');
    });
});

describe('asking for mail', () => {
    it('is limited for each address and each account', async () => {
        const server = await start({env: {...MAIL, RATE_LIMIT: '1000/s'}});
        const person = await server.person();
        const ask = (email) => server.nobody.post('/v1/password-resets', {email});
        for (const email of [person.email, 'nobody-here@example.org']) {
            for (let i = 0; i < 5; i++) expect(await ask(email), 202);
            const refused = await ask(email.toUpperCase());
            expect(refused, 429, 'rate_limited');
            assert.ok(Number(refused.headers['retry-after']) > 60, refused.headers['retry-after']);
        }
        for (let i = 0; i < 5; i++) expect(await person.post('/v1/me/email-confirmation'), 202);
        expect(await person.post('/v1/me/email-confirmation'), 429, 'rate_limited');
        await server.finish();
    });

    it('is answered where none can be sent, and said once to the operator', async () => {
        const server = await start();
        for (let i = 0; i < 3; i++) expect(await server.nobody.post('/v1/password-resets', {email: 'a@example.org'}), 202);
        await server.stop();
        assert.equal(server.logged((line) => line.level === 'warn' && /SMTP_URL/.test(line.message)).length, 1);
    });
});

describe('REQUIRE_VERIFIED_EMAIL=on', () => {
    let server;
    before(async () => (server = await start({env: {...MAIL, REQUIRE_VERIFIED_EMAIL: 'on'}})));
    after(() => server?.finish());

    it('keeps from booking who has not confirmed his address', async () => {
        const [organizer, person] = await server.crowd(2);
        const event = await organizer.createEvent({name: 'Confirmed only', capacity: 5});
        const ask = () => person.post(`/v1/events/${event.id}/bookings`, {quantity: 1});
        expect(await ask(), 403, 'email_not_verified');
        const classic = await person.post('/book', {eventId: event.id});
        expect(classic, 403);
        assert.equal(classic.body.code, 'email_not_verified');
        expect(await person.post('/v1/events/987654/bookings', {quantity: 1}), 404, 'no_such_event');
        expect(await server.nobody.call('PUT', `/v1/email-confirmations/${confirmToken(person.id, person.email)}`), 204);
        const booking = expect(await ask(), 201);
        expect(await person.patch('/v1/me', {email: `new-${person.email}`, current_password: PASSWORD}), 200);
        expect(await ask(), 403, 'email_not_verified');
        await person.cancel(booking.reference); // what one has one can give back
    });

    it('needs mail to be sent', async () => {
        const {code, stderr} = await run(['serve', '--port', '0'], {env: {DATABASE_URL: 'memory:', REQUIRE_VERIFIED_EMAIL: 'on'}});
        assert.equal(code, 1);
        assert.match(stderr, /REQUIRE_VERIFIED_EMAIL is on and SMTP_URL is not given/);
    });
});

describe('MAIL_TEMPLATES', () => {
    it('that are no good are refused at the start, by file and line', async () => {
        const directory = await newDirectory();
        const mails = join(directory, 'mails');
        await mkdir(mails);
        const serve = () => run(['serve', '--port', '0'], {env: {...MAIL, DATABASE_URL: 'memory:', MAIL_TEMPLATES: 'mails'}, cwd: directory});
        await writeFile(join(mails, 'booking.confirmed.txt'), 'Subject: Yes\n\nHello {{nmae}},\n');
        const {code, stderr} = await serve();
        assert.equal(code, 1);
        assert.match(stderr, /mails\/booking\.confirmed\.txt, line 3: there is no value "nmae" here; there are name, email/);
    });
});

describe('the pages that links lead to', () => {
    let server;
    before(async () => (server = await start({store: 'memory'})));
    after(() => server?.finish());

    for (const path of ['/confirm', '/reset'])
        it(`${path} may run its own script, and nothing else`, async () => {
            const page = await server.nobody.get(path);
            expect(page, 200);
            const hash = (name) => createHash('sha256').update(new RegExp(`<${name}>([^]*?)</${name}>`).exec(page.text)[1]).digest('base64');
            assert.equal(page.headers['content-security-policy'], `default-src 'none'; connect-src 'self'; img-src data:; script-src 'sha256-${hash('script')}'; ` +
                `style-src 'sha256-${hash('style')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`);
            assert.equal(page.headers['referrer-policy'], 'no-referrer');
            assert.ok(!/<script [^>]|<style [^>]|<link rel="stylesheet"|\son\w+=/.test(page.text), 'more than one of each');
        });
});
