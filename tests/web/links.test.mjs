// SPDX-License-Identifier: Apache-2.0
// The pages that links in mail lead to, in a real browser.
import assert from 'node:assert/strict';
import {after, before, it} from 'node:test';
import {chromium} from 'playwright-core';
import {PASSWORD, sqlite3, start} from '../story/lib/admit.mjs';
import {expect} from '../story/lib/client.mjs';
import {confirmToken, MAIL, resetToken} from '../story/lib/link.mjs';
import {slow} from '../story/lib/time.mjs';

let browser, server;
before(async () => {
    server = await start({env: MAIL});
    browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
        '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']});
});
after(async () => {
    await browser?.close();
    await server?.finish();
});

/** Opens the link; nothing may be said against it on the console but that an answer was an error. */
async function open(link, story) {
    const context = await browser.newContext();
    const faults = [], asked = [];
    try {
        const page = await context.newPage();
        page.setDefaultTimeout(20_000 * slow);
        page.on('console', (line) => line.type() === 'error' && !/status of 4\d\d/.test(line.text()) && faults.push(line.text()));
        page.on('pageerror', (error) => faults.push(error.message));
        page.on('request', (request) => asked.push(request.url()));
        await page.goto(server.url + link);
        await story(page);
    } finally {
        await context.close();
    }
    assert.deepEqual(faults, []);
    assert.ok(asked.every((url) => url.startsWith(server.url) || url.startsWith('data:')), asked.join(' '));
}

const says = (page, text) => page.locator('#message', {hasText: text}).waitFor();

it('an address is confirmed by who presses the button, not by who looks', async () => {
    const person = await server.person();
    const token = confirmToken(person.id, person.email);
    await open(`/confirm#${token}`, async (page) => {
        await page.locator('#confirm').waitFor();
        assert.ok(!page.url().includes(token), 'the token stays in the address');
        assert.equal(await page.locator('#reset').isVisible(), false);
        assert.equal(expect(await person.get('/v1/me'), 200).email_verified, false);
        await page.locator('#confirm button').click();
        await says(page, 'your address is confirmed');
    });
    assert.equal(expect(await person.get('/v1/me'), 200).email_verified, true);
});

it('a new password is chosen, once', async () => {
    const person = await server.person();
    const hash = await sqlite3(server.directory, `SELECT password_hash FROM users WHERE id = ${person.id};`);
    const link = `/reset#${resetToken(person.id, person.email, hash)}`;
    const choose = async (page, password) => {
        await page.locator('#password').fill(password);
        await page.locator('#reset button').click();
    };
    await open(link, async (page) => {
        await choose(page, 'staple battery horse');
        await says(page, 'sign in with your new password');
    });
    expect(await server.nobody.post('/v1/sessions', {login: person.email, password: 'staple battery horse'}), 200);
    expect(await server.nobody.post('/v1/sessions', {login: person.email, password: PASSWORD}), 401);
    await open(link, async (page) => {
        await choose(page, 'another battery horse');
        await says(page, 'This link was used, is too old, or is not complete');
        assert.ok(await page.locator('#reset button').isEnabled());
    });
});

it('a link without its end is said to be none', () => open('/reset', async (page) => {
    await says(page, 'The link is not complete');
    assert.equal(await page.locator('form:visible').count(), 0);
}));
