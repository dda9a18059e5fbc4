// SPDX-License-Identifier: Apache-2.0
// Mails to a mail server, and what one does that is full, slow, strict or broken.
import assert from 'node:assert/strict';
import {readFile, rm} from 'node:fs/promises';
import {after, before, describe, it} from 'node:test';
import {Courier, certificate, mailServer, rawServer, refusal, until, webServer} from './courier.mjs';

let cert, tls;
before(async () => {
    cert = await certificate();
    tls = {key: await readFile(cert.key), cert: await readFile(cert.cert)};
});
after(() => rm(cert.directory, {recursive: true}));

/** `url(port)` is the SMTP_URL. */
async function withBoth({server: options = {}, speak, url = (port) => `smtp://127.0.0.1:${port}`, args = []}, tell) {
    const server = speak ? await rawServer(speak) : await mailServer(options);
    const courier = Courier.start(['--allow-private', '--ca', cert.cert, '--smtp', url(server.port), ...args]);
    try {
        await tell(courier, server);
        assert.equal(await courier.stop(), 0, courier.stderr);
    } finally {
        courier.child.kill('SIGKILL');
        await server.close();
    }
}

const signIn = (auth, session, callback) =>
    auth.username === 'me@example.org' && auth.password === 'p:w/#' ? callback(null, {user: 'me'}) : callback(refusal(535, 'no such login'));

describe('a mail', () => {
    it('arrives as it was given', () => withBoth({}, async (courier, server) => {
        const body = 'Subject: dots\r\n\r\n.\r\n..\r\n. a line\r\n' + 'é'.repeat(400) + '\r\nend\r\n';
        const report = await courier.mail({body});
        assert.deepEqual(report, {id: 1, fate: 'delivered', answer: 250, error: '', retry_after_s: 0});
        assert.deepEqual(server.mails, [{from: 'office@example.org', to: ['ana@example.org'], text: body, secure: false, user: undefined}]);
    }));

    it('of a megabyte arrives', () => withBoth({}, async (courier, server) => {
        const body = `Subject: x\r\n\r\n${`${'y'.repeat(70)}\r\n`.repeat(12_000)}`;
        assert.equal((await courier.mail({body})).fate, 'delivered');
        assert.equal(server.mails[0].text, body);
    }));

    it('goes to an address in another script', () => withBoth({}, async (courier, server) => {
        assert.equal((await courier.mail({to: 'änne@example.org'})).fate, 'delivered');
        assert.deepEqual(server.mails[0].to, ['änne@example.org']);
    }));

    it('after the other uses one connection', () => withBoth({args: ['--each-most', '1']}, async (courier, server) => {
        const ids = Array.from({length: 10}, () => courier.begin({from: 'office@example.org', to: 'ana@example.org'}));
        for (const id of ids) assert.equal((await courier.report(id)).fate, 'delivered');
        assert.equal(server.mails.length, 10);
        assert.equal(server.connections, 1);
    }));

    for (const to of ['', 'ana', 'ana@example.org\r\nRCPT TO:<eve@example.org>', '<ana@example.org>', 'ana@example.org> NOTIFY=NEVER', 'a b@example.org'])
        it(`does not go to ${JSON.stringify(to)}`, () => withBoth({}, async (courier, server) => {
            const report = await courier.mail({to});
            assert.deepEqual([report.fate, report.error], ['refused', 'the recipient is no address that mail can go to']);
            assert.equal(server.connections, 0);
        }));
});

describe('a mail server that refuses', () => {
    const refused = (title, options, fate, answer, error = /the mail server answered: /) =>
        it(title, () => withBoth({server: options}, async (courier, server) => {
            const report = await courier.mail();
            assert.deepEqual([report.fate, report.answer], [fate, answer]);
            assert.match(report.error, error);
            assert.match(report.error, /^[ -~]{1,255}$/);
            assert.equal(server.mails.length, 0);
        }));
    const by = (name, code, text) => ({[name]: (address, session, callback) => callback(refusal(code, text))});
    const behind = (code) => ({
        onData: (stream, session, callback) => stream.resume().on('end', () => callback(refusal(code, 'not this one'))),
    });

    refused('the recipient for good is believed', by('onRcptTo', 550, '5.1.1 nobody of that name\x1b[2J é'), 'refused', 550, /5\.1\.1 nobody of that name/);
    refused('the recipient for now is asked again', by('onRcptTo', 450, '4.2.0 greylisted, come back in five minutes'), 'failed', 450, /greylisted/);
    refused('the sender is asked again: we may be at fault', by('onMailFrom', 550, 'who are you'), 'failed', 550);
    refused('the mail for good is believed', behind(554), 'refused', 554, /not this one/);
    refused('the mail for now is asked again', behind(451), 'failed', 451);
    refused('the connection is asked again', {onConnect: (session, callback) => callback(refusal(554, 'go away'))}, 'failed', 554);

    it('one recipient takes the next', () => withBoth({
        args: ['--each-most', '1'],
        server: {onRcptTo: (to, session, callback) => callback(to.address.startsWith('no') ? refusal(550, 'nobody') : null)},
    }, async (courier, server) => {
        for (let i = 0; i < 3; i++) {
            assert.equal((await courier.mail({to: 'nobody@example.org'})).fate, 'refused');
            assert.equal((await courier.mail()).fate, 'delivered');
        }
        assert.equal(server.mails.length, 3);
    }));

    it('for a while takes it later', async () => {
        let asked = 0;
        const onRcptTo = (to, session, callback) => callback(++asked === 1 ? refusal(451, 'greylisted') : null);
        await withBoth({server: {onRcptTo}}, async (courier, server) => {
            assert.equal((await courier.mail()).fate, 'failed');
            assert.equal((await courier.mail()).fate, 'delivered');
            assert.equal(server.mails.length, 1);
        });
    });
});

describe('encryption', () => {
    const login = 'me%40example.org:p%3Aw%2F%23';

    it('by STARTTLS is used when it is wanted', () => withBoth({
        server: {...tls, onAuth: signIn}, url: (port) => `smtp://${login}@127.0.0.1:${port}?starttls=required`,
    }, async (courier, server) => {
        const report = await courier.mail();
        assert.equal(report.fate, 'delivered', report.error);
        assert.equal(server.mails[0].secure, true);
        assert.equal(server.mails[0].user, 'me');
    }));
    it('by smtps is used', () => withBoth({
        server: {...tls, secure: true, onAuth: signIn}, url: (port) => `smtps://${login}@127.0.0.1:${port}`,
    }, async (courier, server) => {
        const report = await courier.mail();
        assert.equal(report.fate, 'delivered', report.error);
        assert.equal(server.mails[0].secure, true);
    }));
    it('is not done without', async () => {
        const said = [];
        await withBoth({
            // One that has it taken out on the way, and would like to have the password.
            speak: (socket) => {
                socket.write('220 mail ESMTP\r\n');
                socket.on('data', (part) => {
                    said.push(String(part));
                    socket.write(/^EHLO/.test(part) ? '250-mail\r\n250 AUTH PLAIN LOGIN\r\n' : '250 fine\r\n');
                });
            },
            url: (port) => `smtp://${login}@127.0.0.1:${port}?starttls=required`,
        }, async (courier) => {
            const report = await courier.mail();
            assert.equal(report.fate, 'failed');
            assert.match(report.error, /STARTTLS/);
        });
        assert.ok(said.length > 0);
        assert.doesNotMatch(said.join(''), /AUTH|MAIL/);
    });
    it('by a certificate that nobody knows is refused', async () => {
        const other = await certificate();
        const strange = {key: await readFile(other.key), cert: await readFile(other.cert)};
        await withBoth({server: {...strange, onAuth: signIn}, url: (port) => `smtp://${login}@127.0.0.1:${port}?starttls=required`},
            async (courier, server) => {
                const report = await courier.mail();
                assert.equal(report.fate, 'failed');
                assert.match(report.error, /certificate/);
                assert.equal(server.mails.length, 0);
            });
        await rm(other.directory, {recursive: true});
    });
    it('does not help a wrong password', () => withBoth({
        server: {...tls, secure: true, onAuth: signIn}, url: (port) => `smtps://me%40example.org:wrong@127.0.0.1:${port}`,
    }, async (courier, server) => {
        const report = await courier.mail();
        assert.deepEqual([report.fate, report.answer], ['failed', 535]);
        assert.doesNotMatch(report.error, /wrong/);
        assert.equal(server.mails.length, 0);
    }));
    it('is not needed for a password on this machine', () => withBoth({
        server: {allowInsecureAuth: true, onAuth: signIn}, url: (port) => `smtp://${login}@127.0.0.1:${port}`,
    }, async (courier, server) => {
        const report = await courier.mail();
        assert.equal(report.fate, 'delivered', report.error);
        assert.equal(server.mails[0].user, 'me');
    }));
});

describe('a mail server that hangs', () => {
    const hold = (stream, session, callback, held) => stream.resume().on('end', () => held.push(callback));

    it('is left after a while', () => withBoth({speak: () => {}, args: ['--mail-try', '500']}, async (courier) => {
        const report = await courier.mail();
        assert.deepEqual([report.fate, report.answer], ['failed', 0]);
        assert.match(report.error, /did not answer within/);
    }));

    it('up in the middle is failed', () => withBoth({
        speak: (socket) => {
            socket.write('220 mail\r\n');
            socket.on('data', (part) => (/^DATA/.test(part) ? socket.destroy() : socket.write('250 fine\r\n')));
        },
    }, async (courier) => {
        assert.equal((await courier.mail()).fate, 'failed');
    }));

    it('behind a mail does not hold up POSTs, nor others of the mails', async () => {
        const held = [], web = await webServer((request, response) => response.end());
        let isFirst = true;
        const onData = (stream, session, callback) => {
            if (isFirst) hold(stream, session, callback, held);
            else stream.resume().on('end', () => callback());
            isFirst = false;
        };
        await withBoth({server: {onData}, args: ['--each-most', '2']}, async (courier) => {
            const first = courier.begin({from: 'office@example.org', to: 'ana@example.org'});
            await until('the first mail hangs', () => held.length === 1);
            for (let i = 0; i < 5; i++) {
                assert.equal((await courier.send({url: web.url})).fate, 'delivered');
                assert.equal((await courier.mail()).fate, 'delivered');
            }
            assert.equal(courier.reports.get(first), undefined);
            held[0]();
            assert.equal((await courier.report(first)).fate, 'delivered');
        });
        await web.close();
    });

    it('behind a mail does not hold up the end', async () => {
        const held = [];
        await withBoth({server: {onData: (...all) => hold(...all, held)}, args: ['--each-most', '1', '--mail-try', '60000']}, async (courier) => {
            const first = courier.begin({from: 'office@example.org', to: 'ana@example.org'});
            const second = courier.begin({from: 'office@example.org', to: 'ana@example.org'});
            await until('the first mail hangs', () => held.length === 1);
            assert.equal(await courier.stop(50), 0);
            assert.equal(courier.reports.get(first).fate, 'failed');
            assert.match(courier.reports.get(first).error, /stopped/);
            assert.equal(courier.reports.get(second).fate, 'untried');
        });
    });

    it('at the farewell does not hold up the end', async () => {
        await withBoth({
            speak: (socket) => {
                socket.write('220 mail\r\n');
                socket.on('data', (part) => {
                    if (/^QUIT/.test(part)) socket.asked = true;
                    else if (/^DATA/.test(part)) socket.write('354 go on\r\n');
                    else if (!/^Subject/.test(part) || /\r\n\.\r\n$/.test(part)) socket.write('250 fine\r\n');
                });
            },
        }, async (courier) => {
            assert.equal((await courier.mail()).fate, 'delivered');
        });
    });
});
