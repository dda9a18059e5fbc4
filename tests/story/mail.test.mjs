// SPDX-License-Identifier: Apache-2.0
// Who is written to, and what: a real server of mail, on each store.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {PASSWORD, start} from './lib/admit.mjs';
import {expect} from './lib/client.mjs';
import {serverKinds} from './lib/databases.mjs';
import {linkIn, Mailboxes} from './lib/mailbox.mjs';
import {Receiver} from './lib/receiver.mjs';
import {inDays} from './lib/time.mjs';
import {refusal} from '../courier/courier.mjs';

for (const store of ['sqlite', 'memory', ...serverKinds])
    describe(`mail (${store})`, () => {
        let boxes, server;
        before(async () => {
            boxes = await Mailboxes.start();
            server = await start({store, env: {...boxes.env, WEBHOOK_ALLOW_PRIVATE: 'on'}});
        });
        after(async () => {
            await server?.finish();
            await boxes?.close();
        });
        const put = (path, body = {}) => server.nobody.call('PUT', path, {body});
        /** Somebody whose welcome has come. */
        const welcomed = async (details) => {
            const person = await server.person(details);
            await boxes.wait(person.email);
            return person;
        };
        const subjects = async (person, count) => (await boxes.wait(person.email, count)).map((mail) => mail.subject);

        it('welcomes a new account, and its link confirms the address', async () => {
            const person = await server.person({name: 'Ána <b>'});
            const [mail] = await boxes.wait(person.email);
            assert.equal(mail.subject, 'Welcome to tickets.example.org');
            assert.equal(mail.headers['auto-submitted'], 'auto-generated');
            assert.ok(!mail.text.includes('Ána'), 'a name is not repeated to an address that is not confirmed');
            const {page, token} = linkIn(mail);
            assert.equal(page, 'confirm');
            assert.ok(mail.html.includes(`href="https://tickets.example.org/confirm#${token}"`), mail.html);
            expect(await put(`/v1/email-confirmations/${token}`), 204);
            assert.equal(expect(await person.get('/v1/me'), 200).email_verified, true);
        });

        it('tells the owner of a webhook that it was switched off', async () => {
            const owner = await welcomed();
            const receiver = await Receiver.start((message, response) => response.writeHead(410).end());
            expect(await owner.post('/v1/webhooks', {url: receiver.url}), 201);
            const event = await owner.createEvent({name: 'Gone', capacity: 1});
            await (await welcomed()).book(event.id);
            const [, mail] = await boxes.wait(owner.email, 2);
            assert.equal(mail.subject, 'A webhook was switched off');
            assert.ok(mail.text.includes(receiver.url), mail.text);
            assert.match(mail.text, /The last answer: .*410/);
            await receiver.close();
        });

        it('tells of a booking from beginning to end, in order', async () => {
            const organizer = await welcomed();
            const [first, second] = [await welcomed({name: 'Ána "first"'}), await welcomed()];
            const event = await organizer.createEvent({name: 'Café, concert; \\ 🎫', venue: 'Hall', capacity: 2, price: 1250, starts_at: inDays(30), timezone: 'Europe/Madrid'});
            // A mail shows what is when it is sent, so each is waited for before the next thing happens.
            const come = (ofFirst, ofSecond) => Promise.all([boxes.wait(first.email, ofFirst), boxes.wait(second.email, ofSecond)]);
            const booking = await first.book(event.id, 2);
            const waiting = await second.book(event.id, 1);
            assert.equal(waiting.status, 'waiting');
            await come(2, 2);
            await first.cancel(booking.reference, 1);
            await come(3, 3);
            expect(await organizer.patch(`/v1/events/${event.id}`, {venue: 'Another Hall'}), 200);
            await come(4, 4);
            expect(await organizer.delete(`/v1/events/${event.id}`), 200);

            const of = async (person, count) => (await boxes.wait(person.email, count)).slice(1);
            const [booked, fewer, changed, cancelled] = await of(first, 5);
            assert.deepEqual([booked, fewer, changed, cancelled].map(({subject}) => subject),
                ['Booked', 'Cancelled', 'Changed', 'Cancelled by the organizer'].map((word) => `${word}: ${event.name}`));
            assert.match(booked.text, /Hello Ána "first",/);
            assert.match(booked.text, /Tickets: 2 \(General admission\), number 1-2\r?\nTo pay: 25\.00 EUR/);
            assert.ok(booked.text.includes(booking.reference));
            assert.match(fewer.text, /Tickets cancelled: 1 \(General admission\)\r?\nTickets left: 1, number/);
            assert.match(changed.text, /Where: Another Hall/);
            assert.match(cancelled.text, /this event will not take place/);
            const entries = [booked, fewer, changed, cancelled].map(({calendar}) => calendar);
            assert.deepEqual(entries.map(({METHOD}) => METHOD), ['REQUEST', 'REQUEST', 'REQUEST', 'CANCEL']);
            assert.deepEqual([...new Set(entries.map(({UID}) => UID))], [`${booking.reference}@example.org`]);
            const sequences = entries.map(({SEQUENCE}) => Number(SEQUENCE));
            assert.deepEqual(sequences, [...sequences].sort((a, b) => a - b));
            assert.ok(sequences[2] > sequences[0] && sequences[3] > sequences[2], sequences.join());
            assert.equal(Date.parse(entries[0].DTSTART.replace(/(....)(..)(..T..)(..)/, '$1-$2-$3:$4:')), Date.parse(event.starts_at));

            const [joined, promoted, ...rest] = await of(second, 5);
            assert.equal(joined.subject, `On the waiting list: ${event.name}`);
            assert.match(joined.text, /Place in line: 1\r?\n/);
            assert.equal(joined.calendar, null);
            assert.equal(promoted.subject, `You have a ticket: ${event.name}`);
            assert.equal(promoted.calendar.METHOD, 'REQUEST');
            assert.deepEqual(rest.map(({calendar}) => calendar.METHOD), ['REQUEST', 'CANCEL']);
        });

        it('leaves in peace who does not want it, but for what is of his account', async () => {
            const [organizer, person] = [await welcomed(), await welcomed()];
            expect(await person.patch('/v1/me', {notify: {email: false}}), 200);
            const event = await organizer.createEvent({name: 'Quiet', capacity: 5});
            await person.book(event.id);
            await organizer.book(event.id); // behind it: when this is told, the other would have been
            await boxes.wait(organizer.email, 2);
            expect(await person.patch('/v1/me', {password: 'staple battery horse', current_password: PASSWORD}), 200);
            assert.deepEqual(await subjects(person, 2), ['Welcome to tickets.example.org', 'Your password was changed']);
        });

        it('brings a link for a new password, and says that it was changed', async () => {
            const person = await welcomed();
            expect(await server.nobody.post('/v1/password-resets', {email: person.email.toUpperCase()}), 202);
            expect(await server.nobody.post('/v1/password-resets', {email: 'nobody-at-all@example.org'}), 202);
            const [, mail] = await boxes.wait(person.email, 2);
            const {page, token} = linkIn(mail);
            assert.equal(page, 'reset');
            assert.match(mail.text, /good for 30 minutes/);
            expect(await put(`/v1/password-resets/${token}`, {password: 'staple battery horse'}), 204);
            expect(await server.nobody.post('/v1/sessions', {login: person.email, password: 'staple battery horse'}), 200);
            expect(await put(`/v1/password-resets/${token}`, {password: 'another battery horse'}), 404, 'invalid_link');
            assert.equal((await subjects(person, 3))[2], 'Your password was changed');
            assert.deepEqual(boxes.of('nobody-at-all@example.org'), []);
        });

        it('goes to a new address, and to be confirmed there', async () => {
            const person = await welcomed();
            const email = `new-${person.email}`;
            expect(await person.patch('/v1/me', {email, current_password: PASSWORD}), 200);
            const [mail] = await boxes.wait(email);
            assert.equal(mail.subject, 'Please confirm your e-mail address');
            const [, told] = await boxes.wait(person.email, 2);
            assert.equal(told.subject, 'Your e-mail address was changed');
            assert.match(told.text, new RegExp(`^${person.email} was the address of your account`, 'm'));
            assert.ok(!JSON.stringify(told).includes(email), 'the new address is not for whoever reads there');
            expect(await put(`/v1/email-confirmations/${linkIn(mail).token}`), 204);
            assert.equal(expect(await person.get('/v1/me'), 200).email_verified, true);
        });
    });

describe('a mail server that says no', () => {
    it('for now, is asked again, with the same Message-ID', async () => {
        const seen = [];
        const boxes = await Mailboxes.start({onRcptTo(address, session, callback) {
            seen.push(address.address);
            const times = seen.filter((each) => each === address.address).length;
            callback(times < 2 ? refusal(451, 'greylisted, come back later') : undefined);
        }});
        const server = await start({env: boxes.env});
        const person = await server.person();
        const mails = await boxes.wait(person.email);
        assert.equal(mails.length, 1);
        assert.match(mails[0].headers['message-id'], /^<[0-9a-f]{32}@example\.org>$/);
        assert.ok(seen.filter((each) => each === person.email).length >= 2);
        await server.finish();
        await boxes.close();
    });

    it('for good, keeps nobody else from his mail', async () => {
        const boxes = await Mailboxes.start({onRcptTo: (address, session, callback) =>
            callback(address.address.startsWith('unknown') ? refusal(550, 'no such user') : undefined)});
        const server = await start({env: boxes.env});
        const unknown = await server.person({email: `unknown-${process.pid}@example.org`});
        const person = await server.person();
        await boxes.wait(person.email);
        assert.deepEqual(boxes.of(unknown.email), []);
        await server.finish();
        await boxes.close();
    });

    it('by not being there, slows nothing, and gets what was due when it is back', async () => {
        const boxes = await Mailboxes.start();
        await boxes.close();
        const server = await start({env: boxes.env});
        const organizer = await server.person();
        const event = await organizer.createEvent({name: 'While the mail is away', capacity: 20});
        for (let i = 0; i < 10; i++) await organizer.book(event.id);
        const back = await Mailboxes.start();
        await server.stop();
        // Another process goes on where this one stood.
        const next = await server.restart({env: back.env});
        const mails = await back.wait(organizer.email, 11);
        assert.equal(new Set(mails.map(({headers}) => headers['message-id'])).size, 11);
        await next.finish();
        await back.close();
    });
});
