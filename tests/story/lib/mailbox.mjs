// SPDX-License-Identifier: Apache-2.0
// Somebody's mailbox: what comes to a mail server, read by Python's own program.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mailServer} from '../../courier/courier.mjs';
import {until} from './time.mjs';

const READER = `
import email, email.policy, json, sys
mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
body = lambda kind: (lambda part: part and part.get_content())(mail.get_body((kind,)))
calendar = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
print(json.dumps({
    "headers": {name.lower(): str(value) for name, value in mail.items()}, "subject": str(mail["Subject"]),
    "text": body("plain"), "html": body("html"), "defects": [str(defect) for part in mail.walk() for defect in part.defects],
    "calendar": calendar and calendar[0].get_payload(decode=True).decode() or None,
}))
`;

/** {headers, subject, text, html, calendar: {METHOD, UID, SEQUENCE, ...} or null}. */
export function readMail(source) {
    const {status, stdout, stderr} = spawnSync('python3', ['-c', READER], {input: source, encoding: 'utf8'});
    assert.equal(status, 0, stderr);
    const mail = JSON.parse(stdout);
    assert.deepEqual(mail.defects, []);
    const lines = mail.calendar?.replaceAll('\r\n ', '').split('\r\n').map((line) => /^([A-Z-]+)[^:]*:(.*)$/.exec(line)).filter(Boolean);
    return {...mail, calendar: lines ? Object.fromEntries(lines.map(([, name, value]) => [name, value])) : null};
}

/** A mail server and what came to it; `env` is what admit needs to know of it. */
export class Mailboxes {
    static async start(options = {}) {
        const boxes = new Mailboxes();
        boxes.server = await mailServer(options);
        boxes.env = {
            SMTP_URL: `smtp://127.0.0.1:${boxes.server.port}`, MAIL_FROM: 'Box Office <tickets@example.org>',
            PUBLIC_URL: 'https://tickets.example.org', RETRY_FIRST: '1s',
        };
        return boxes;
    }

    /** All that came to the address, oldest first. */
    of(address) {
        return this.server.mails.filter(({to}) => to.includes(address)).map(({text}) => readMail(text));
    }

    /** The mails to the address, when there are `count`. */
    async wait(address, count = 1) {
        const came = () => this.server.mails.filter(({to}) => to.includes(address));
        await until(`mail ${count} to ${address}`, () => came().length >= count, 30);
        return this.of(address);
    }

    close() {
        return this.server.close();
    }
}

/** The path of the only link in a mail, with what stands behind '#'. */
export function linkIn(mail) {
    const [link, more] = [...mail.text.matchAll(/https:\/\/tickets\.example\.org\/(\w+)#([\w-]+)/g)];
    assert.ok(link && !more, mail.text);
    return {page: link[1], token: link[2]};
}
