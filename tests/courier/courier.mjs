// SPDX-License-Identifier: Apache-2.0
// The courier by itself, and the servers of strangers that it is sent to.
import {spawn} from 'node:child_process';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import {join, resolve} from 'node:path';
import {createInterface} from 'node:readline';
import {SMTPServer} from 'smtp-server';
import {newDirectory, ROOT, runWell} from '../story/lib/admit.mjs';
import {slow, until} from '../story/lib/time.mjs';

const PROGRAM = join(process.env.BUILD ? resolve(process.env.BUILD) : join(ROOT, 'build/meson'), 'courier');

export class Courier {
    static start(args = [], env = {}) {
        const courier = new Courier();
        courier.reports = new Map();
        courier.told = [];
        courier.orders = 0;
        courier.stderr = '';
        courier.child = spawn(PROGRAM, args, {stdio: ['pipe', 'pipe', 'pipe'], env: {...process.env, ...env}});
        courier.child.stderr.on('data', (part) => (courier.stderr += part));
        courier.ended = new Promise((resolve) => courier.child.on('close', (code, signal) => resolve(code ?? signal)));
        createInterface(courier.child.stdout).on('line', (line) => {
            const report = JSON.parse(line);
            if (report.id) courier.reports.set(report.id, report);
            else courier.told.push(report);
        });
        return courier;
    }

    write(order) {
        this.child.stdin.write(`${JSON.stringify(order)}\n`);
    }

    /** Gives the order's number. */
    begin(order) {
        const id = ++this.orders;
        this.write({id, body: '{}', headers: [], receiver: 1, ...order});
        return id;
    }

    report(id) {
        return until(`a report of ${id}`, () => this.reports.get(id) ?? (this.child.exitCode !== null && {fate: this.stderr}), 30);
    }

    send(order) {
        return this.report(this.begin(order));
    }

    mail(order = {}) {
        return this.send({from: 'office@example.org', to: 'ana@example.org', body: 'Subject: x\r\n\r\ny\r\n', ...order});
    }

    async busy() {
        const count = this.told.length;
        this.write({busy: true});
        return until('what is busy', () => this.told[count]);
    }

    /** 0, or what is wrong with its end. */
    async stop(ms = 0) {
        const timer = setTimeout(() => this.child.kill('SIGABRT'), 20_000 * slow + ms);
        this.write({stop: ms});
        this.child.stdin.end();
        const code = await this.ended;
        clearTimeout(timer);
        return code;
    }
}

/** A certificate for a few names, by itself. */
export async function certificate(names = 'DNS:localhost,DNS:hook.example.org,IP:127.0.0.1') {
    const directory = await newDirectory();
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(directory, name));
    await runWell(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=test',
        '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', cert], {program: 'openssl'});
    return {directory, key, cert};
}

function listen(server, host = '127.0.0.1') {
    return new Promise((resolve, reject) => server.once('error', reject).listen(0, host, () => resolve(server.address().port)));
}

/** A web server that notes what it is asked: `answer(request, response, body)`. */
export async function webServer(answer, tls) {
    const requests = [], sockets = new Set();
    let connections = 0;
    const server = (tls ? https : http).createServer(tls ?? {}, (request, response) => {
        const parts = [];
        request.on('data', (part) => parts.push(part));
        request.on('end', () => {
            const body = Buffer.concat(parts).toString();
            requests.push({method: request.method, url: request.url, headers: request.headers, body});
            answer(request, response, body);
        });
    });
    server.on('connection', (socket) => {
        connections++;
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    });
    const port = await listen(server);
    return {
        requests, sockets, port,
        get connections() {
            return connections;
        },
        url: `http${tls ? 's' : ''}://127.0.0.1:${port}`,
        close: () => new Promise((resolve) => {
            server.close(resolve);
            for (const socket of sockets) socket.destroy();
        }),
    };
}

/** A server that speaks no protocol but what `speak(socket)` does. */
export async function rawServer(speak) {
    const sockets = new Set();
    const server = net.createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {}).on('close', () => sockets.delete(socket));
        socket.on('data', (part) => (socket.seen = `${socket.seen ?? ''}${part}`));
        speak(socket);
    });
    const port = await listen(server);
    return {
        port, sockets,
        url: `http://127.0.0.1:${port}`,
        close: () => new Promise((resolve) => {
            server.close(resolve);
            for (const socket of sockets) socket.destroy();
        }),
    };
}

export function refusal(code, text) {
    return Object.assign(new Error(text), {responseCode: code});
}

/** npm's smtp-server; `options` are its own, and `mails` what it took. */
export async function mailServer(options = {}) {
    const mails = [];
    let connections = 0;
    const server = new SMTPServer({
        authOptional: true,
        disabledCommands: options.key ? [] : ['STARTTLS'],
        disableReverseLookup: true,
        closeTimeout: 1,
        onConnect(session, callback) {
            connections++;
            callback();
        },
        onData(stream, session, callback) {
            const parts = [];
            stream.on('data', (part) => parts.push(part));
            stream.on('end', () => {
                const {mailFrom, rcptTo} = session.envelope;
                mails.push({
                    from: mailFrom.address, to: rcptTo.map((to) => to.address), text: Buffer.concat(parts).toString(),
                    secure: session.secure, user: session.user,
                });
                callback();
            });
        },
        ...options,
    });
    server.on('error', () => {}); // of single connections
    const port = await listen(server.server);
    return {
        mails, port,
        get connections() {
            return connections;
        },
        close: () => new Promise((resolve) => server.close(resolve)),
    };
}

export {slow, until};
