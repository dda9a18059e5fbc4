// SPDX-License-Identifier: Apache-2.0
// The examples in deploy/ are tried as far as this machine has what they are for: nginx is started in
// front of a server, systemd reads the unit, and of the Dockerfile everything but the building.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {existsSync, readFileSync} from 'node:fs';
import {readFile, rm, writeFile} from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {newDirectory, PASSWORD, PROGRAM, ROOT, run, runWell, start} from './lib/admit.mjs';
import {slow, until} from './lib/time.mjs';

const read = (name) => readFileSync(join(ROOT, 'deploy', name), 'utf8');

function find(program) {
    return [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'].map((folder) => join(folder, program)).find((path) => existsSync(path));
}

const without = (program) => !find(program) && `${program} is not installed here`;

/** Numbers of ports that were free a moment ago. */
async function freePorts(count) {
    const servers = await Promise.all(Array.from({length: count}, () => new Promise((resolve) => {
        const server = net.createServer().listen(0, '127.0.0.1', () => resolve(server));
    })));
    return Promise.all(servers.map((server) => new Promise((resolve) => {
        const {port} = server.address();
        server.close(() => resolve(port));
    })));
}

/** Every name=value that is given to the program must be a setting of it. */
async function assertSettings(names) {
    const help = await runWell(['serve', '--help']);
    assert.ok(names.length > 0);
    for (const name of names) assert.match(help, new RegExp(` ${name} `), `${name} is not a setting`);
}

/** The example as it is, but for addresses, ports and the certificate, which only tickets.example.org has. */
function adapted(directory, ports, admitPort) {
    let own = read('nginx.conf');
    const replace = (from, to) => {
        assert.ok(own.includes(from), from);
        own = own.replaceAll(from, to);
    };
    replace('/etc/ssl/tickets', directory);
    replace('127.0.0.1:8000', `127.0.0.1:${admitPort}`);
    for (const [index, port] of ports.entries()) {
        const usual = [80, 443][index];
        own = own.replace(new RegExp(`^ *listen \\[::\\]:${usual}\\b.*;\n`, 'm'), ''); // not every machine has IPv6
        replace(`listen ${usual}`, `listen 127.0.0.1:${port}`);
    }
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`);
    return `daemon off; pid ${directory}/pid; error_log ${directory}/error.log;
        events {} http { access_log off; ${temporary.join(' ')}\n${own}\n}`;
}

/** nginx with the example, in front of what listens on the port; tested first, as an operator would. */
class Nginx {
    static async start(admitPort) {
        const proxy = new Nginx();
        const directory = (proxy.directory = await newDirectory());
        proxy.ports = await freePorts(2);
        await runWell(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=tickets.example.org',
            '-keyout', join(directory, 'privkey.pem'), '-out', join(directory, 'fullchain.pem')], {program: 'openssl'});
        await writeFile(join(directory, 'nginx.conf'), adapted(directory, proxy.ports, admitPort));
        const args = ['-p', directory, '-e', join(directory, 'error.log'), '-c', join(directory, 'nginx.conf')];
        const tested = await run(['-t', ...args], {program: find('nginx')});
        assert.equal(tested.code, 0, tested.stderr);
        assert.doesNotMatch(tested.stderr, /\[(warn|error|crit|alert|emerg)\]/);
        proxy.child = spawn(find('nginx'), args, {stdio: 'ignore'});
        proxy.ended = new Promise((resolve) => proxy.child.once('exit', resolve));
        await until('nginx', () => proxy.call('/healthz').then(() => true, () => false));
        return proxy;
    }

    async stop() {
        this.child.kill('SIGTERM');
        await this.ended;
        await rm(this.directory, {recursive: true, force: true});
    }

    call(path, {method = 'GET', headers = {}, body, from = '127.0.0.1', plain = false} = {}) {
        return new Promise((resolve, reject) => {
            const sent = (plain ? http : https).request({
                host: '127.0.0.1', port: this.ports[plain ? 0 : 1], path, method, agent: false, localAddress: from, rejectUnauthorized: false,
                headers: {Host: 'tickets.example.org', ...(body && {'Content-Type': 'application/json'}), ...headers},
            });
            sent.setTimeout(10_000 * slow, () => sent.destroy(new Error(`${path}: no answer`)));
            sent.on('error', reject);
            sent.on('response', (response) => {
                let text = '';
                response.on('data', (part) => (text += part));
                response.on('end', () => resolve({status: response.statusCode, headers: response.headers, text}));
            });
            sent.end(body && JSON.stringify(body));
        });
    }
}

describe('deploy/nginx.conf', {skip: without('nginx')}, () => {
    let server, nginx;
    before(async () => {
        const env = {METRICS_TOKEN: 'the-token-for-metrics', TRUST_PROXY: 'loopback', RATE_LIMIT: '1/m:3', PUBLIC_URL: 'https://tickets.example.org'};
        server = await start({store: 'memory', env});
        nginx = await Nginx.start(server.port);
    });
    after(async () => {
        await nginx?.stop();
        await server?.finish();
    });
    const call = (...args) => nginx.call(...args);

    it('speaks TLS to clients, and passes on what they want', async () => {
        const from = '127.0.0.2';
        const body = {email: 'proxy@example.org', name: 'Proxied', password: PASSWORD};
        const made = await call('/v1/users', {method: 'POST', body, from});
        assert.equal(made.status, 201, made.text);
        const page = await call('/docs', {from});
        assert.equal(page.status, 200);
        assert.match(page.headers['content-security-policy'], /default-src 'none'/);
        assert.match(page.headers['strict-transport-security'], /max-age=\d+/);
    });

    it('sends those who come without it to the same address with it', async () => {
        const {status, headers} = await call('/v1/events?q=a', {plain: true});
        assert.deepEqual([status, headers.location], [301, 'https://tickets.example.org/v1/events?q=a']);
    });

    it('tells admit who asks, and lets nobody claim to be another', async () => {
        const statuses = async (from) => {
            const all = [];
            for (let i = 0; i < 5; i++) all.push((await call('/v1/events', {from, headers: {'X-Forwarded-For': `192.0.2.${i}`}})).status);
            return all;
        };
        assert.deepEqual(await statuses('127.0.0.3'), [200, 200, 200, 429, 429]);
        assert.deepEqual(await statuses('127.0.0.4'), [200, 200, 200, 429, 429], 'each has a limit of their own');
    });

    it('shows /metrics to this machine only', async () => {
        const headers = {Authorization: 'Bearer the-token-for-metrics'}; // which admit wants of all that a proxy speaks for
        assert.equal((await call('/metrics', {headers})).status, 200);
        assert.equal((await call('/metrics', {headers, from: '127.0.0.5'})).status, 403);
    });

    it('refuses a body that is too large by itself', async () => {
        const {status, headers} = await call('/v1/users', {method: 'POST', body: {name: 'x'.repeat(70_000)}, from: '127.0.0.6'});
        assert.equal(status, 413);
        assert.equal(headers['x-request-id'], undefined, 'admit has not seen it');
    });

    it('asks for nothing twice', async (t) => {
        // Answers the first request of a connection, and closes at the next: nginx would try again, if it might.
        const asked = [];
        const lost = net.createServer((socket) => {
            socket.on('error', () => {});
            let count = 0;
            socket.on('data', (part) => {
                asked.push(part.toString('latin1').split(' HTTP')[0]);
                if (++count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
                else socket.destroy();
            });
        });
        await new Promise((resolve) => lost.listen(0, '127.0.0.1', resolve));
        t.after(() => lost.close());
        const other = await Nginx.start(lost.address().port);
        t.after(() => other.stop());
        asked.length = 0;
        const {status} = await other.call('/book', {method: 'POST'});
        assert.deepEqual([status, asked], [502, ['POST /book']]);
    });
});

describe('deploy/admit.service', () => {
    const unit = read('admit.service');
    const values = (name) => [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value);

    it('is understood by systemd', {skip: without('systemd-analyze')}, async () => {
        const directory = await newDirectory();
        const verify = async (text) => {
            const file = join(directory, 'admit.service'); // its name is part of what is verified
            await writeFile(file, text.replaceAll('/usr/local/bin/admit', PROGRAM));
            const {code, stdout, stderr} = await run(['verify', '--man=no', file], {program: 'systemd-analyze'});
            return (stdout + stderr).split('\n').filter((line) => line.includes('admit')).join('\n') + (code === 0 ? '' : `\n(${code})`);
        };
        assert.equal(await verify(unit), '');
        assert.match(await verify(unit.replace('ProtectHome=yes', 'ProtectHome=maybe\nProtectHouse=yes')), /maybe[^]*ProtectHouse/, 'it says so otherwise');
        await rm(directory, {recursive: true});
    });

    it('leaves little to who takes the service over', {skip: without('systemd-analyze')}, async () => {
        const score = async (text) => {
            const directory = await newDirectory();
            const file = join(directory, 'admit.service');
            await writeFile(file, text);
            const {code, stdout, stderr} = await run(['security', '--offline=yes', '--threshold=20', '--no-pager', file], {program: 'systemd-analyze'});
            await rm(directory, {recursive: true});
            return {code, exposure: Number(stdout.match(/exposure level for admit.service: ([\d.]+)/)?.[1]), said: stdout + stderr};
        };
        const {code, exposure, said} = await score(unit);
        assert.equal(code, 0, said);
        assert.ok(exposure <= 2, said);
        assert.notEqual((await score(unit.replace(/^Protect.*$/gm, ''))).code, 0, 'it can be worse');
    });

    it('gives the program settings that there are', () =>
        assertSettings(values('Environment').map((value) => value.split('=')[0])));

    it('leaves more time to drain than the program takes', () => {
        const drain = Number(readFileSync(join(ROOT, 'src/commands/serve.c'), 'utf8').match(/DRAIN_MS = (\d+)/)[1]);
        assert.ok(Number(values('TimeoutStopSec')[0]) * 1000 > drain);
    });

    it('keeps the database where only the service gets', () => {
        const [state] = values('StateDirectory');
        assert.ok(values('Environment').includes(`DATABASE_URL=sqlite:/var/lib/${state}/admit.db`));
        assert.deepEqual([values('DynamicUser'), values('StateDirectoryMode'), values('UMask')], [['yes'], ['0700'], ['0077']]);
    });
});

describe('deploy/Dockerfile', () => {
    // Comments go, lines that end in \ are joined: [instruction, rest] of each stage.
    const instructions = read('Dockerfile').replace(/^#.*\n/gm, '').replace(/\\\n/g, ' ').split('\n').filter(Boolean)
        .map((line) => line.match(/^([A-Z]+) +(.*)$/).slice(1));
    const final = instructions.slice(instructions.findLastIndex(([name]) => name === 'FROM'));
    const all = (name, from = instructions) => from.filter(([each]) => each === name).map(([, rest]) => rest);

    const packages = all('RUN', final)[0].match(/apt-get install (.*?)&&/)[1].trim().split(/\s+/).filter((word) => !word.startsWith('-'));
    const hasDpkg = find('dpkg-query') && find('ldd');

    it('installs the libraries that the program needs, and no others', {skip: !hasDpkg && 'not a Debian'}, async () => {
        const linked = await runWell([PROGRAM], {program: 'ldd'});
        const owners = new Map();
        for (const [, library, path] of linked.matchAll(/^\s*(\S+) => (\S+) /gm)) {
            if (/^lib(a|t|ub)san\.so/.test(library)) continue; // the sanitizers' runs; nobody deploys those
            // dpkg knows a library by /usr/lib or by /lib, which are the same folder.
            const found = await run(['-S', `*/${path.split('/').at(-1)}`], {program: 'dpkg-query'});
            owners.set(library, found.stdout.split('\n').map((line) => line.split(':')[0]).filter(Boolean));
        }
        const binary = await readFile(PROGRAM, 'latin1');
        const needed = [...owners].filter(([library]) => binary.includes(`${library}\0`) && !/^lib(c|m|[alut]*san)\.so/.test(library));
        assert.ok(needed.length >= 5, linked);
        for (const [library, names] of needed) assert.ok(names.some((name) => packages.includes(name)), `${library} is in ${names}`);
        const used = new Set([...owners.values()].flat());
        used.add('ca-certificates'); // whom to trust: mail and webhooks go to strangers over TLS
        for (const name of packages) assert.ok(used.has(name), `${name} holds nothing that the program is linked with`);
    });

    it('builds with the release that the packages are of', () => {
        assert.deepEqual(all('FROM').map((from) => from.split(' ')[0]), ['debian:12-slim', 'debian:12-slim']);
    });

    it('copies what is there', () => {
        const ignored = read('Dockerfile.dockerignore').split('\n');
        for (const copy of all('COPY').filter((rest) => !rest.startsWith('--from')))
            for (const path of copy.split(/\s+/).slice(0, -1)) {
                assert.ok(existsSync(join(ROOT, path)), path);
                assert.ok(!ignored.includes(path), `${path} is ignored`);
            }
    });

    it('gives the program settings and a command that there are', async () => {
        await assertSettings(all('ENV', final).flatMap((rest) => rest.split(/\s+/)).map((word) => word.split('=')[0]));
        const command = [...JSON.parse(all('ENTRYPOINT', final)[0]), ...JSON.parse(all('CMD', final)[0])];
        assert.deepEqual(command, ['admit', 'serve']);
        await runWell([...command.slice(1), '--help']);
    });

    it('looks after its health with what is in the image', {skip: without('bash')}, async (t) => {
        const [program, ...args] = JSON.parse(all('HEALTHCHECK', final)[0].replace(/^.*?CMD /, ''));
        const look = (port) => run(args, {program, env: {PORT: String(port)}, seconds: 5});
        const server = await start({store: 'memory'});
        const healthy = await look(server.port).finally(() => server.finish());
        assert.equal(healthy.code, 0, healthy.stderr);
        assert.notEqual((await look(server.port)).code, 0, 'nobody is there');

        const ill = http.createServer((request, response) => response.writeHead(503).end());
        await new Promise((resolve) => ill.listen(0, '127.0.0.1', resolve));
        t.after(() => ill.close());
        assert.notEqual((await look(ill.address().port)).code, 0, 'not well');
    });
});
