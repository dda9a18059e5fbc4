// SPDX-License-Identifier: Apache-2.0
// The documentation page in a real browser, against the real program. While a story runs, nothing may
// go wrong in the page: no error on the console, no breach of its own content security policy, no
// request to anybody but the server.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {chromium} from 'playwright-core';
import {PASSWORD, ROOT, start} from '../story/lib/admit.mjs';
import {expect} from '../story/lib/client.mjs';
import {METHODS, spec} from '../story/lib/spec.mjs';
import {slow, until} from '../story/lib/time.mjs';

const HOSTILE = '<img src=x onerror="window.hasRun=1"><script>window.hasRun=1</script>';
const NARROW = {width: 360, height: 740};

const calls = Object.values(spec.paths).flatMap((path) =>
    METHODS.filter((method) => path[method]).map((method) => path[method]));

let browser, server;
before(async () => {
    server = await start();
    browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
    });
});
after(async () => {
    await browser?.close();
    await server?.finish();
});

/** Collects in `faults` whatever a page must never do. */
async function watch(context, page, faults) {
    const origin = new URL(server.url).origin;
    await context.route((url) => /^(https?|wss?):$/.test(url.protocol) && url.origin !== origin, (route) => {
        faults.push(`a request to ${route.request().url()}`);
        return route.abort();
    });
    // The browser says this of every answer above 399; that an error is shown is what some stories are about.
    const isAnswer = (text) => /^Failed to load resource: the server responded with a status of 4\d\d /.test(text);
    page.on('console', (line) => {
        if (line.type() === 'error' && !isAnswer(line.text())) faults.push(`on the console: ${line.text()}`);
    });
    page.on('pageerror', (error) => faults.push(`thrown: ${error.message}`));
    page.on('dialog', (dialog) => {
        faults.push(`a dialog: ${dialog.message()}`);
        return dialog.dismiss();
    });
    await page.exposeFunction('tellViolation', (what) => faults.push(`against the policy: ${what}`));
    await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) =>
        window.tellViolation(`${event.effectiveDirective} ${event.blockedURI}`)));
}

/** A page of its own at /docs, ready for use; gives its faults. */
async function observe(story, {path = '/docs', ...options} = {}) {
    const context = await browser.newContext(options);
    const faults = [];
    try {
        const page = await context.newPage();
        page.setDefaultTimeout(20_000 * slow);
        await watch(context, page, faults);
        await page.goto(server.url + path);
        await page.locator('#sign-in button:enabled').waitFor();
        await story(page, context);
        if (await page.evaluate(() => 'hasRun' in window)) faults.push('what others wrote has run');
    } finally {
        await context.close();
    }
    return faults;
}

function onPage(title, story, options) {
    it(title, async () => assert.deepEqual(await observe(story, options), []));
}

const textOf = (page, selector) => page.locator(selector).innerText();
const isVisible = (page, selector) => page.locator(selector).isVisible();

async function signIn(page, login, password = PASSWORD) {
    await page.fill('#sign-in [name=login]', login);
    await page.fill('#sign-in [name=password]', password);
    await page.click('#sign-in button');
}

async function signInWell(page, person) {
    await signIn(page, person.email);
    await page.locator('#signed-in').waitFor();
}

async function register(page, fields) {
    if (!(await isVisible(page, '#register'))) await page.click('#register-box summary');
    for (const [name, value] of Object.entries(fields)) await page.fill(`#register [name=${name}]`, value);
    await page.click('#register button');
}

async function says(page, text) {
    await page.locator('#message', {hasText: text}).waitFor();
}

/**
 * One call of the page: opens it, fills it in, presses Execute. The buttons are pressed without the mouse's
 * way to them, which takes a second each on so long a page; that they can be reached is tested once.
 */
class Call {
    constructor(page, operationId) {
        const {tags: [tag]} = calls.find((call) => call.operationId === operationId);
        this.page = page;
        this.block = page.locator(`#operations-${tag}-${operationId}`);
    }

    async open() {
        if (!/\bis-open\b/.test(await this.block.getAttribute('class')))
            await this.block.locator('.opblock-summary-control').dispatchEvent('click');
        await this.block.locator('button.execute').waitFor();
        return this;
    }

    async fill(parameters, body) {
        const inputs = Object.entries(parameters).map(([name, value]) => [`tr[data-param-name="${name}"] input`, String(value)]);
        if (body) inputs.push(['textarea', JSON.stringify(body)]);
        for (const [selector, value] of inputs) {
            await this.block.locator(selector).fill(value);
            await this.block.locator(selector).blur(); // Swagger UI takes over what was typed when it pauses, or at this
        }
    }

    /** What is sent when nobody changes it: the example. */
    async body() {
        return JSON.parse(await this.block.locator('textarea').inputValue());
    }

    /** The answer as the page shows it. */
    async execute({body, ...parameters} = {}) {
        await this.open();
        await this.fill(parameters, body);
        const again = this.block.locator('button.btn-clear'); // of an earlier answer
        if (await again.count() > 0) await again.dispatchEvent('click');
        const request = this.page.waitForRequest((sent) => sent.resourceType() === 'fetch' || sent.resourceType() === 'xhr');
        await this.block.locator('button.execute').dispatchEvent('click');
        const answer = this.block.locator('.live-responses-table .response').first();
        await answer.waitFor();
        const status = parseInt(await answer.locator('.response-col_status').innerText(), 10);
        const shown = answer.locator('.response-col_description .highlight-code code, .response-col_description .microlight').first();
        const text = status === 204 ? '' : await shown.textContent();
        return {status, text, headers: (await request).headers(), body: /^\s*[{[]/.test(text) ? JSON.parse(text) : undefined};
    }
}

const call = (page, operationId) => new Call(page, operationId);

describe('the documentation page', () => {
    onPage('shows every call of /openapi.json, and loads nothing from elsewhere', async (page) => {
        const served = expect(await server.nobody.get('/openapi.json'), 200);
        const wanted = Object.values(served.paths).flatMap((path) => METHODS.filter((method) => path[method])
            .map((method) => `operations-${path[method].tags[0]}-${path[method].operationId}`));
        const shown = await page.locator('.opblock').evaluateAll((blocks) => blocks.map((block) => block.id));
        assert.ok(wanted.length > 30);
        assert.deepEqual(shown.sort(), wanted.sort());
        assert.match(await textOf(page, '.info .title'), /^admit/);
    });

    // One of each group: the browser takes almost a second for each.
    onPage('has its calls unfold, with a button to try them', async (page) => {
        const tags = new Map(calls.map((operation) => [operation.tags[0], operation]));
        for (const {operationId} of tags.values()) {
            const {block} = await call(page, operationId).open();
            assert.doesNotMatch(await block.innerText(), /could not render|could not resolve|unknown type/i, operationId);
        }
        assert.equal(await page.locator('.errors-wrapper').count(), 0);
    });

    for (const [title, viewport] of Object.entries({wide: {width: 1280, height: 900}, narrow: NARROW})) {
        onPage(`fits a ${title} window, with a call open in it`, async (page) => {
            const {block} = await call(page, 'createEvent').open();
            for (const selector of ['#sign-in button', '#register-box summary']) {
                const box = await page.locator(selector).boundingBox();
                assert.ok(box.x >= 0 && box.x + box.width <= viewport.width, selector);
            }
            const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
            assert.ok(content <= window, `${content} in ${window}: one has to scroll sideways`);
            const button = await block.locator('button.execute').boundingBox();
            assert.ok(button.x >= 0 && button.x + button.width <= viewport.width, 'Execute can be seen');
            await block.locator('button.execute').click({trial: true}); // nothing lies over it
        }, {viewport});
    }

    onPage('opens the call that its address names', async (page) => {
        await page.locator('#operations-Bookings-createBooking.is-open').waitFor();
    }, {path: '/docs#/Bookings/createBooking'});

    onPage('says what it needs where there is no script', async () => {
        const context = await browser.newContext({javaScriptEnabled: false});
        const page = await context.newPage();
        await page.goto(`${server.url}/docs`);
        assert.match(await textOf(page, 'noscript'), /needs JavaScript/);
        assert.ok(await page.locator('#sign-in button').isDisabled(), 'a password must not be sent by the browser itself');
        await context.close();
    });
});

describe('its form', () => {
    const fresh = {email: 'page@example.org', name: 'Somebody', password: PASSWORD};

    onPage('registers, signs in with that, and signs out', async (page) => {
        await register(page, {...fresh, username: 'page-user'});
        await page.locator('#signed-in').waitFor();
        assert.equal(await textOf(page, '#who'), 'Somebody');
        assert.match(await textOf(page, '#role'), /^\(user, id \d+\)$/);
        assert.ok(!(await isVisible(page, '#signed-out')));

        const me = await call(page, 'getMe').execute();
        assert.deepEqual([me.status, me.body.email, me.body.username], [200, fresh.email, 'page-user']);
        assert.match(me.headers.authorization, /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);

        await page.click('#sign-out');
        assert.ok(await isVisible(page, '#sign-in'));
        assert.equal(await textOf(page, '#who'), '');
        const after = await call(page, 'getMe').execute();
        assert.deepEqual([after.status, after.body.code], [401, 'unauthorized']);
        assert.equal(after.headers.authorization, undefined, 'the token is no longer sent');

        await signIn(page, 'page-user');
        await page.locator('#signed-in').waitFor();
        assert.equal((await call(page, 'getMe').execute()).status, 200);
    });

    onPage('shows what the server says to a wrong password, and can be used again', async (page) => {
        const person = await server.person();
        const refused = expect(await server.nobody.post('/v1/sessions', {login: person.email, password: 'not this one'}), 401);
        await signIn(page, person.email, 'not this one');
        await says(page, refused.detail);
        assert.equal(await page.locator('#message').getAttribute('role'), 'status', 'also to those who do not see it');
        assert.match(await page.locator('#message').getAttribute('class'), /\bbad\b/);
        assert.ok(!(await isVisible(page, '#signed-in')));
        assert.equal((await call(page, 'getMe').execute()).headers.authorization, undefined);
        await signInWell(page, person);
        assert.doesNotMatch(await textOf(page, '#message'), new RegExp(refused.detail));
    });

    onPage('names each field that is not right', async (page) => {
        await register(page, {email: 'page-two@example.org', name: 'Two', username: 'no spaces please', password: PASSWORD});
        await page.locator('#problems li').waitFor();
        assert.match(await textOf(page, '#problems'), /^username: \S/);
        const taken = {...fresh, email: (await server.person()).email};
        await register(page, {...taken, username: ''});
        await says(page, expect(await server.nobody.post('/v1/users', taken), 409, 'email_taken').detail);
        assert.ok(!(await isVisible(page, '#problems')), 'the list of before is gone');
    });

    onPage('makes sense of an answer that is not even JSON', async (page, context) => {
        await context.route('**/v1/sessions', (route) => route.fulfill({status: 404, contentType: 'text/html', body: '<h1>Not here</h1>'}));
        await signIn(page, fresh.email);
        await says(page, 'The server answered 404.');
    });

    it('says so when the server cannot be reached', async () => {
        const faults = await observe(async (page, context) => {
            await context.setOffline(true);
            await signIn(page, fresh.email);
            await says(page, 'The server cannot be reached.');
        });
        assert.equal(faults.length, 1, faults.join('\n'));
        assert.match(faults[0], /ERR_INTERNET_DISCONNECTED/);
    });

    onPage('needs no mouse', async (page) => {
        const person = await server.person();
        const press = (...keys) => keys.reduce((done, key) => done.then(() => page.keyboard.press(key)), Promise.resolve());
        const focused = () => page.evaluate(() => {
            const {activeElement: at} = document;
            return at.name ? `${at.form.id} ${at.name}` : at.id || at.className || at.textContent.trim();
        });
        await press('Tab');
        assert.equal(await focused(), 'skip');
        assert.ok((await page.locator('.skip').boundingBox()).x >= 0, 'it is seen when it has the focus');
        await press('Enter', 'Tab');
        assert.ok(await page.evaluate(() => document.getElementById('calls').contains(document.activeElement)), 'the form was skipped');

        await page.reload();
        await page.locator('#sign-in button:enabled').waitFor();
        await press('Tab', 'Tab');
        assert.equal(await focused(), 'sign-in login');
        assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
        await page.keyboard.type(person.email);
        await press('Tab');
        assert.equal(await focused(), 'sign-in password');
        await page.keyboard.type(PASSWORD);
        await press('Enter');
        await page.locator('#signed-in').waitFor();
        await page.waitForFunction(() => document.activeElement.id === 'sign-out');
        await press('Enter');
        assert.equal(await focused(), 'sign-in login');

        await press('Tab', 'Tab', 'Tab');
        assert.equal(await focused(), 'No account yet? Register');
        await press('Enter', 'Tab');
        for (const [name, text] of [['email', 'keys@example.org'], ['name', 'Keys'], ['username', ''], ['password', PASSWORD]]) {
            assert.equal(await focused(), `register ${name}`);
            if (text) await page.keyboard.type(text);
            await press('Tab');
        }
        await press('Space'); // on the button
        await page.locator('#signed-in').waitFor();
        assert.equal(await textOf(page, '#who'), 'Keys');
    });

    onPage('keeps the token nowhere', async (page, context) => {
        await signInWell(page, await server.person());
        const kept = await page.evaluate(() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie]));
        assert.doesNotMatch(kept, /eyJ/);
        assert.deepEqual(await context.cookies(), []);
        await page.reload();
        await page.locator('#sign-in').waitFor();
        assert.equal((await call(page, 'getMe').execute()).status, 401);
    });

    onPage('notices that the token has ended', async (page) => {
        await signInWell(page, await server.person());
        assert.equal((await call(page, 'signOut').execute()).status, 204);
        assert.equal((await call(page, 'getMe').execute()).status, 401);
        await says(page, 'not accepted any more');
        assert.ok(await isVisible(page, '#sign-in'));
    });
});

describe('a call that is tried', () => {
    onPage('creates an event from the example', async (page) => {
        await signInWell(page, await server.person());
        const create = await call(page, 'createEvent').open();
        const example = await create.body();
        const {status, body} = await create.execute();
        assert.equal(status, 201);
        for (const [name, value] of Object.entries(example).filter(([key]) => key !== 'ticket_types')) assert.equal(body[name], value, name);
        assert.equal(body.capacity, example.ticket_types[0].capacity);
        assert.deepEqual(expect(await server.nobody.get(`/v1/events/${body.id}`), 200).name, example.name);
    });

    onPage('books, waits in line, cancels, and shows the history', async (page) => {
        await signInWell(page, await server.person());
        const {body: event} = await call(page, 'createEvent').execute({body: {name: 'From the page', capacity: 3}});
        const book = call(page, 'createBooking');
        const example = await (await book.open()).body();
        assert.deepEqual(example, {quantity: 2});

        const first = await book.execute({id: event.id});
        assert.deepEqual([first.status, first.body.status, first.body.tickets], [201, 'confirmed', [{number: 1}, {number: 2}]]);
        const second = await book.execute({id: event.id});
        assert.deepEqual([second.status, second.body.status, second.body.position], [202, 'waiting', 1]);
        const third = await book.execute({id: event.id, body: {quantity: 1, join_waiting_list: false}});
        assert.deepEqual([third.status, third.body.code], [409, 'sold_out']);

        const cancelled = await call(page, 'cancelBooking').execute({reference: first.body.reference});
        assert.deepEqual([cancelled.status, cancelled.body.status], [200, 'cancelled']);
        const history = await call(page, 'listMyBookings').execute();
        assert.equal(history.status, 200);
        assert.deepEqual(history.body.data.map(({reference, status}) => [reference, status]),
            [[second.body.reference, 'confirmed'], [first.body.reference, 'cancelled']]);
        const status = await call(page, 'getEventStatus').execute({id: event.id});
        assert.deepEqual([status.body.booked, status.body.available, status.body.waiting], [2, 1, 0]);
    });

    onPage('shows the beginning of a stream', async (page) => {
        const person = await server.person();
        await signInWell(page, person);
        const event = await person.createEvent({name: 'Live', capacity: 3});
        const booking = await person.book(event.id, 3);
        const stream = call(page, 'streamEventStatus');
        const shown = stream.execute({id: event.id});
        await until('somebody to listen', async () => /^admit_http_streams 1$/m.test((await server.nobody.get('/metrics')).text));
        await person.cancel(booking.reference, 1);
        const {status, text} = await shown;
        assert.equal(status, 200);
        assert.match(text, /^data: .*"booked":3,.*\n\nid: .*\ndata: .*"booked":2,/m);
        const mine = await call(page, 'streamBooking').execute({reference: booking.reference});
        assert.match(mine.text, /^data: .*"quantity":2,/m);
        assert.equal((await stream.execute({id: 99_999})).status, 404);
        await until('nobody to listen', async () => /^admit_http_streams 0$/m.test((await server.nobody.get('/metrics')).text));
    });

    onPage('shows live numbers as docs/integrating.md does', async (page) => {
        const [, section] = readFileSync(join(ROOT, 'docs/integrating.md'), 'utf8').split('\n## Live numbers\n');
        const [, script] = /^```js\n(.*?)^```$/ms.exec(section);
        const person = await server.person();
        const event = await person.createEvent({name: 'Live', capacity: 2});
        const address = 'https://tickets.example.org/v1/events/7/stream';
        assert.ok(script.includes(address));
        await page.evaluate(() => document.body.append(Object.assign(document.createElement('p'), {id: 'left'})));
        await page.evaluate(script.replace(address, `${server.url}/v1/events/${event.id}/stream`));
        const shows = (text) => until(text, async () => (await textOf(page, '#left')) === text);
        await shows('2 left');
        await person.book(event.id);
        await shows('1 left');
        await person.book(event.id);
        await person.book(event.id);
        await shows('sold out, 1 waiting');
    });

    onPage('shows what others wrote as text', async (page) => {
        const person = await server.person({name: HOSTILE});
        const event = await person.createEvent({name: HOSTILE, description: HOSTILE, venue: HOSTILE, capacity: 1});
        await signInWell(page, person);
        assert.equal(await textOf(page, '#who'), HOSTILE);
        const shown = await call(page, 'getEvent').execute({id: event.id});
        assert.deepEqual([shown.body.name, shown.body.description, shown.body.venue], [HOSTILE, HOSTILE, HOSTILE]);
        assert.ok((await call(page, 'listEvents').execute()).body.data.some(({name}) => name === HOSTILE));
        await call(page, 'createBooking').execute({id: event.id, body: {quantity: 1}});
        assert.equal((await call(page, 'listMyBookings').execute()).body.data[0].event.name, HOSTILE);
        await call(page, 'exportEventBookings').execute({id: event.id});
        assert.equal(await page.locator('img[src="x"]').count(), 0);
    });

    onPage('and an answer that is not ours is text, too', async (page, context) => {
        const problem = {detail: HOSTILE, errors: [{pointer: `/${HOSTILE}`, detail: HOSTILE}]};
        await context.route('**/v1/sessions', (route) => route.fulfill({status: 400, json: problem}));
        await signIn(page, 'page@example.org');
        await says(page, HOSTILE);
        assert.equal(await textOf(page, '#problems'), `${HOSTILE}: ${HOSTILE}`);
        assert.equal(await page.locator('.account img, .account script').count(), 0);
    });
});

describe('those who watch the page', () => {
    it('see everything that must not be', async () => {
        const faults = await observe(async (page) => {
            const add = (name, fields) => page.evaluate(([name, fields]) =>
                document.body.append(Object.assign(document.createElement(name), fields)), [name, fields]);
            await add('script', {textContent: 'window.isInline = true'});
            await add('img', {src: 'https://elsewhere.example.org/x.png'});
            assert.equal(await page.evaluate(() => window.isInline), undefined);
            await page.evaluate(() => {
                console.error('said');
                setTimeout(() => alert('asked'));
                setTimeout(() => { throw new Error('broken'); });
                window.hasRun = true;
            });
            const frame = page.context().waitForEvent('page');
            await page.evaluate(() => void open('https://elsewhere.example.org/'));
            await (await frame).waitForLoadState().catch(() => {});
        });
        const wanted = ['against the policy: script-src', 'against the policy: img-src', 'on the console: said', 'a dialog: asked', 'thrown: broken',
            'a request to https://elsewhere.example.org/', 'what others wrote has run'];
        for (const fault of wanted) assert.ok(faults.some((seen) => seen.startsWith(fault)), `${fault}: ${JSON.stringify(faults)}`);
    });

    it('see where a request of the page would go', async () => {
        const faults = await observe(async (page) => {
            await page.goto('about:blank'); // where no policy holds it back
            await page.evaluate(() => fetch('https://elsewhere.example.org/', {mode: 'no-cors'}).catch(() => {}));
        });
        assert.match(faults.join(), /a request to https:\/\/elsewhere/);
    });
});
