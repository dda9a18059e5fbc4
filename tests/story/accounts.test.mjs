// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {onEachStore, PASSWORD, start} from './lib/admit.mjs';
import {expect, expectInvalid} from './lib/client.mjs';
import {claimsOf} from './lib/token.mjs';
import {inDays, past, soon} from './lib/time.mjs';

const without = (body, ...names) => Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)));

onEachStore('accounts', {}, (server) => {
    const signIn = (login, password = PASSWORD) => server().nobody.post('/v1/sessions', {login, password});
    const withToken = (token, path = '/v1/me') => server().nobody.get(path, {token});

    describe('registering', () => {
        it('gives an account, and never shows the password', async () => {
            const answer = await server().nobody.post('/v1/users', {
                email: 'Full@Example.org', username: 'Full.Name-1', name: 'Somebody <b>bold</b>', password: PASSWORD,
            });
            const user = expect(answer, 201);
            assert.equal(user.email, 'Full@Example.org');
            assert.equal(user.username, 'Full.Name-1');
            assert.equal(user.name, 'Somebody <b>bold</b>');
            assert.equal(user.role, 'user');
            assert.ok(Math.abs(Date.parse(user.created_at) - Date.now()) < 60_000, user.created_at);
            assert.ok(!answer.text.includes(PASSWORD));
        });

        it('needs no user name', async () => {
            const person = await server().person();
            assert.equal(person.user.username, null);
        });

        it('refuses an e-mail address that somebody has in another case', async () => {
            const person = await server().person();
            const answer = await server().nobody.post('/v1/users', {
                email: person.email.toUpperCase(), name: 'Another', password: 'another password',
            });
            expect(answer, 409, 'email_taken');
            expect(await signIn(person.email, 'another password'), 401, 'bad_credentials');
            expect(await signIn(person.email), 200);
        });

        it('refuses a user name that somebody has in another case', async () => {
            await server().person({username: 'one-of-a-kind'});
            const answer = await server().nobody.post('/v1/users', {
                email: 'kind@example.org', username: 'One-Of-A-Kind', name: 'Another', password: PASSWORD,
            });
            expect(answer, 409, 'username_taken');
            expect(await signIn('kind@example.org'), 401, 'bad_credentials');
        });

        it('lets one win of several who ask for the same address at once', async () => {
            const spellings = ['race@example.org', 'Race@example.org', 'rAce@example.org', 'RACE@EXAMPLE.ORG'];
            const answers = await Promise.all(spellings.map((email, index) =>
                server().nobody.post('/v1/users', {email, name: `Runner ${index}`, password: PASSWORD})));
            assert.deepEqual(answers.map((answer) => answer.status).sort(), [201, 409, 409, 409]);
        });

        it('names every bad field at once', async () => {
            const answer = await server().nobody.post('/v1/users', {
                email: 'no address', username: 'a b', name: '', password: 12345678, nickname: 'x',
            });
            expectInvalid(answer, '/email', '/username', '/name', '/password', '/nickname');
        });

        it('names what is missing', async () => {
            expectInvalid(await server().nobody.post('/v1/users', {}), '/email', '/name', '/password');
        });

        it('counts the bytes of a password: 8 to 256', async () => {
            const register = (email, password) => server().nobody.post('/v1/users', {email, name: 'Byte', password});
            expectInvalid(await register('bytes-7@example.org', 'x'.repeat(7)), '/password');
            expectInvalid(await register('bytes-257@example.org', 'x'.repeat(257)), '/password');
            expectInvalid(await register('bytes-258@example.org', 'é'.repeat(129)), '/password');
            for (const [email, password] of [['bytes-8@example.org', 'x'.repeat(8)], ['bytes-256@example.org', 'é'.repeat(128)]]) {
                expect(await register(email, password), 201);
                expect(await signIn(email, password), 200);
            }
        });

        it('counts the characters of a name: 1 to 200', async () => {
            const register = (email, name) => server().nobody.post('/v1/users', {email, name, password: PASSWORD});
            expectInvalid(await register('long-201@example.org', '🎫'.repeat(201)), '/name');
            const user = expect(await register('long-200@example.org', '🎫'.repeat(200)), 201);
            assert.equal(user.name, '🎫'.repeat(200));
        });

        for (const email of ['plain', '@example.org', 'a b@example.org', 'a@', `${'x'.repeat(250)}@example.org`, 'a@b@example.org', '']) {
            it(`refuses the address ${JSON.stringify(email.slice(0, 20))}`, async () => {
                expectInvalid(await server().nobody.post('/v1/users', {email, name: 'N', password: PASSWORD}), '/email');
            });
        }
    });

    describe('signing in', () => {
        it('works with the e-mail address and with the user name, in any case', async () => {
            const person = await server().person({username: 'sign-in-name'});
            for (const login of [person.email, person.email.toUpperCase(), 'sign-in-name', 'SIGN-IN-NAME']) {
                const session = expect(await signIn(login), 200);
                assert.equal(session.token_type, 'Bearer');
                assert.deepEqual(session.user, person.user);
                const claims = claimsOf(session.token);
                assert.equal(claims.sub, String(person.id));
                assert.equal(claims.exp - claims.iat, session.expires_in);
                assert.deepEqual(expect(await withToken(session.token), 200), person.user);
            }
        });

        it('answers an unknown login and a wrong password alike', async () => {
            const person = await server().person();
            const wrong = await signIn(person.email, 'not the password');
            const unknown = await signIn('nobody-here@example.org', 'not the password');
            expect(wrong, 401, 'bad_credentials');
            assert.deepEqual(without(unknown.body, 'request_id'), without(wrong.body, 'request_id'));
            assert.deepEqual(Object.keys(unknown.headers).sort(), Object.keys(wrong.headers).sort());
        });

        it('does not take a password of another type', async () => {
            const person = await server().person({password: '12345678'});
            expectInvalid(await signIn(person.email, 12345678), '/password');
            expectInvalid(await server().nobody.post('/v1/sessions', {login: [person.email], password: '12345678'}), '/login');
        });

        it('gives a token that is not to be stored by caches', async () => {
            const person = await server().person();
            const answer = await signIn(person.email);
            assert.match(answer.headers['cache-control'], /no-store/);
        });
    });

    describe('tokens', () => {
        it('come with Bearer in any case, and without', async () => {
            const person = await server().person();
            const {token} = await person.signIn();
            for (const value of [`Bearer ${token}`, `bearer ${token}`, token]) {
                const answer = await server().nobody.get('/v1/me', {headers: {Authorization: value}});
                assert.equal(expect(answer, 200).id, person.id);
            }
        });

        it('all stop working when one signs out, and a new one works at once', async () => {
            const person = await server().person();
            const other = await server().person();
            const tokens = [(await person.signIn()).token, (await person.signIn()).token, person.token];
            await other.signIn();
            // Both have been used: what a loop remembers of a token must be forgotten.
            for (const token of tokens) expect(await withToken(token), 200);
            expect(await person.delete('/v1/sessions'), 204);
            for (const token of tokens) expect(await withToken(token), 401, 'unauthorized');
            const {token} = await person.signIn();
            expect(await withToken(token), 200);
            expect(await other.get('/v1/me'), 200);
        });
    });

    describe('my profile', () => {
        it('takes a new name without a password, and the token goes on', async () => {
            const person = await server().person();
            const changed = expect(await person.patch('/v1/me', {name: 'Another Name'}), 200);
            assert.deepEqual(changed, {...person.user, name: 'Another Name'});
            assert.deepEqual(expect(await person.get('/v1/me'), 200), changed);
        });

        it('takes a user name, which then signs in', async () => {
            const person = await server().person();
            expect(await person.patch('/v1/me', {username: 'found-later'}), 200);
            expect(await signIn('found-later'), 200);
        });

        it('takes a new e-mail address only with the current password', async () => {
            const person = await server().person();
            expectInvalid(await person.patch('/v1/me', {email: 'moved@example.org'}), '/current_password');
            expect(await person.patch('/v1/me', {email: 'moved@example.org', current_password: 'a wrong one'}), 403, 'wrong_password');
            assert.equal(expect(await person.get('/v1/me'), 200).email, person.email);

            const changed = expect(await person.patch('/v1/me', {email: 'moved@example.org', current_password: PASSWORD}), 200);
            assert.equal(changed.email, 'moved@example.org');
            expect(await signIn(person.email), 401, 'bad_credentials');
            expect(await signIn('moved@example.org'), 200);
            await server().person({email: person.email}); // it is free again
        });

        it('may write my own address in another case', async () => {
            const person = await server().person();
            const email = person.email.toUpperCase();
            assert.equal(expect(await person.patch('/v1/me', {email, current_password: PASSWORD}), 200).email, email);
        });

        it('does not take what belongs to others', async () => {
            const other = await server().person({username: 'belongs-to-me'});
            const person = await server().person();
            const email = other.email.toUpperCase();
            expect(await person.patch('/v1/me', {email, current_password: PASSWORD}), 409, 'email_taken');
            expect(await person.patch('/v1/me', {username: 'Belongs-To-Me'}), 409, 'username_taken');
            assert.deepEqual(expect(await person.get('/v1/me'), 200), person.user);
        });

        it('ends every earlier token with a new password', async () => {
            const person = await server().person();
            const {token} = await person.signIn();
            expectInvalid(await person.patch('/v1/me', {password: 'a new password'}), '/current_password');
            expect(await person.patch('/v1/me', {password: 'a new password', current_password: 'no, not this'}), 403, 'wrong_password');
            expect(await withToken(token), 200);

            expect(await person.patch('/v1/me', {password: 'a new password', current_password: PASSWORD}), 200);
            expect(await withToken(token), 401, 'unauthorized');
            expect(await signIn(person.email, PASSWORD), 401, 'bad_credentials');
            const session = expect(await signIn(person.email, 'a new password'), 200);
            expect(await withToken(session.token), 200);
        });

        it('does not let one grant oneself a role', async () => {
            const person = await server().person();
            expectInvalid(await person.patch('/v1/me', {role: 'admin'}), '/role');
            expect(await person.get('/v1/users'), 403, 'forbidden');
            expect(await person.patch(`/v1/users/${person.id}`, {role: 'admin'}), 403, 'forbidden');
        });

        it('says whether I want news by mail, and whether my address was confirmed', async () => {
            const person = await server().person();
            assert.deepEqual(person.user.notify, {email: true});
            assert.equal(person.user.email_verified, false);
            const changed = expect(await person.patch('/v1/me', {notify: {email: false}}), 200);
            assert.deepEqual(changed, {...person.user, notify: {email: false}});
            assert.deepEqual(expect(await person.patch('/v1/me', {notify: {}}), 200), changed);
            assert.deepEqual(expect(await person.patch('/v1/me', {name: 'Still Quiet'}), 200), {...changed, name: 'Still Quiet'});
            expectInvalid(await person.patch('/v1/me', {notify: {email: 'no', sms: true}}), '/notify/email', '/notify/sms');
            for (const notify of [true, null, []]) expectInvalid(await person.patch('/v1/me', {notify}), '/notify');
        });

        it('is nobody else\'s business', async () => {
            expect(await server().nobody.get('/v1/me'), 401, 'unauthorized');
            expect(await server().nobody.get('/v1/users'), 401, 'unauthorized');
            expect(await server().nobody.get('/v1/me/export'), 401, 'unauthorized');
        });
    });

    describe('the data held on me', () => {
        it('comes as a whole: account, bookings with history and payments, events, webhooks', async () => {
            const organizer = await server().person();
            const visitor = await server().person();
            const event = await organizer.createEvent({name: 'Exported', capacity: 2, price: 1500});
            const booking = await visitor.book(event.id, 2);
            const paid = expect(await organizer.post(`/v1/bookings/${booking.reference}/payments`, {amount: 1500, method: 'cash'}), 201);
            const waiting = await visitor.book(event.id, 1);
            await visitor.cancel(waiting.reference);

            const mine = expect(await visitor.get('/v1/me/export'), 200);
            assert.deepEqual(mine.user, visitor.user);
            assert.deepEqual(mine.bookings.map((each) => each.reference).sort(), [booking.reference, waiting.reference].sort());
            const kept = mine.bookings.find((each) => each.reference === booking.reference);
            assert.deepEqual(kept.payments.map((each) => [each.id, each.amount, each.method]), [[paid.id, 1500, 'cash']]);
            assert.deepEqual(kept.history.map((each) => [each.from, each.to, each.quantity]), [[null, 'confirmed', 2]]);
            assert.deepEqual(mine.events, []);
            assert.deepEqual(mine.webhooks, []);

            const {secret, ...webhook} = expect(await organizer.post('/v1/webhooks', {url: 'https://hook.example.invalid/'}), 201);
            const theirs = expect(await organizer.get('/v1/me/export'), 200);
            assert.deepEqual(theirs.events.map((each) => each.id), [event.id]);
            assert.deepEqual(theirs.bookings, []);
            assert.deepEqual(theirs.webhooks, [webhook]);
            assert.ok(!JSON.stringify(theirs).includes(secret));
        });

        it('is erased with my password: bookings to come are given back, totals stay right', async () => {
            const organizer = await server().person();
            const leaver = await server().person({name: 'Leaver of the house', username: 'leaver'});
            const next = await server().person();
            const starts = soon();
            const begun = await organizer.createEvent({name: 'Has begun', capacity: 5, starts_at: starts});
            await leaver.book(begun.id, 2);
            const event = await organizer.createEvent({name: 'To come', capacity: 3, starts_at: inDays(9)});
            await leaver.book(event.id, 2);
            const line = await next.book(event.id, 3);
            assert.equal(line.status, 'waiting');
            await past(starts);

            expect(await leaver.delete('/v1/me', {password: 'a wrong one'}), 403, 'wrong_password');
            expect(await leaver.get('/v1/me'), 200);
            expect(await leaver.delete('/v1/me', {password: PASSWORD}), 204);

            expect(await leaver.get('/v1/me'), 401, 'unauthorized');
            expect(await signIn(leaver.email), 401, 'bad_credentials');
            expect(await signIn('leaver'), 401, 'bad_credentials');
            assert.equal((await next.booking(line.reference)).status, 'confirmed');
            const status = expect(await server().nobody.get(`/v1/events/${begun.id}/status`), 200);
            assert.deepEqual([status.booked, status.available], [2, 3]);

            for (const id of [begun.id, event.id]) {
                const bookings = await organizer.get(`/v1/events/${id}/bookings`);
                const csv = await organizer.get(`/v1/events/${id}/bookings.csv`);
                for (const {text} of [bookings, csv]) {
                    assert.ok(!text.includes('Leaver of the house'), 'the name is still there');
                    assert.ok(!text.includes(leaver.email), 'the address is still there');
                }
            }
            await server().person({email: leaver.email, username: 'leaver'}); // both are free again
        });
    });
});

describe('roles', () => {
    let server, admin;
    before(async () => {
        server = await start({admin: true, env: {OPEN_ORGANIZING: 'off'}});
        admin = await server.admin();
    });
    after(() => server?.finish());

    it('an account made at the command line has its role', () => {
        assert.equal(admin.user.role, 'admin');
        assert.equal(admin.user.name, 'Administrator');
    });

    it('an administrator finds users by name, user name and address', async () => {
        const person = await server.person({email: 'findable@example.org', username: 'needle-1', name: 'Haystack Person'});
        for (const q of ['findable', 'needle', 'HAYSTACK', 'person haystack']) {
            const found = expect(await admin.get(`/v1/users?q=${encodeURIComponent(q)}`), 200);
            assert.deepEqual(found.data.map((user) => user.id), [person.id], q);
        }
        assert.deepEqual(expect(await admin.get('/v1/users?q=nowhere-to-be-found'), 200).data, []);
    });

    it('an administrator walks all users, each once', async () => {
        await server.crowd(5);
        const {data, pages} = await admin.walk('/v1/users', 2);
        const ids = data.map((user) => user.id);
        assert.deepEqual(ids, [...new Set(ids)].sort((a, b) => a - b));
        assert.ok(ids.length >= 6 && pages === Math.ceil(ids.length / 2), `${ids.length} users on ${pages} pages`);
    });

    it('others are kept out', async () => {
        const person = await server.person();
        expect(await person.get('/v1/users'), 403, 'forbidden');
        expect(await person.patch(`/v1/users/${person.id}`, {role: 'admin'}), 403, 'forbidden');
        expect(await server.nobody.patch(`/v1/users/${person.id}`, {role: 'admin'}), 401, 'unauthorized');
    });

    it('an organizer may create events, and a user may not while organizing is not open', async () => {
        const person = await server.person();
        expect(await person.post('/v1/events', {name: 'Mine', capacity: 5}), 403, 'forbidden');
        expect(await person.post('/initialize', {name: 'Mine', tickets: 5}), 403, 'forbidden');

        const granted = expect(await admin.patch(`/v1/users/${person.id}`, {role: 'organizer'}), 200);
        assert.deepEqual(granted, {...person.user, role: 'organizer'});
        const event = await person.createEvent({name: 'Mine', capacity: 5});

        // The token is the same: what it allows is not written in it.
        expect(await admin.patch(`/v1/users/${person.id}`, {role: 'user'}), 200);
        expect(await person.patch(`/v1/events/${event.id}`, {name: 'Still mine'}), 403, 'forbidden');
        expect(await person.get(`/v1/events/${event.id}/bookings`), 403, 'forbidden');
    });

    it('an administrator manages what others made', async () => {
        const person = await server.person();
        await admin.patch(`/v1/users/${person.id}`, {role: 'organizer'});
        const draft = await person.createEvent({name: 'Somebody\'s draft', capacity: 5, status: 'draft'});
        expect(await admin.get(`/v1/events/${draft.id}`), 200);
        expect(await admin.patch(`/v1/events/${draft.id}`, {status: 'on_sale'}), 200);
        const visitor = await server.person();
        const booking = await visitor.book(draft.id);
        assert.equal((await admin.booking(booking.reference)).user_id, visitor.id);
        assert.equal((await admin.cancel(booking.reference)).status, 'cancelled');
    });

    it('a role or a user that does not exist is refused', async () => {
        const person = await server.person();
        expectInvalid(await admin.patch(`/v1/users/${person.id}`, {role: 'emperor'}), '/role');
        expectInvalid(await admin.patch(`/v1/users/${person.id}`, {}), '/role');
        expect(await admin.patch('/v1/users/987654', {role: 'user'}), 404, 'not_found');
    });
});
