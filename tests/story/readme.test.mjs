// SPDX-License-Identifier: Apache-2.0
// What the documents tell a stranger to type is typed here, and what they point to must be there.
import assert from 'node:assert/strict';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {rm} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {inDirectory, newDirectory, PASSWORD, ROOT, run, runWell, start} from './lib/admit.mjs';
import {until} from './lib/time.mjs';

const read = (path) => readFileSync(join(ROOT, path), 'utf8');
const readme = read('README.md');
const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs];

/** The text below a heading, up to the next one. */
function section(heading) {
    const [, rest] = readme.split(`\n## ${heading}\n`);
    assert.ok(rest, `README has no "${heading}"`);
    return rest.split('\n## ')[0];
}

const fenced = (text) => [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, lines]) => lines);
const codeSpans = (text) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);
const withoutFences = (text) => text.replace(/^```.*?^```$/gms, '');

/** The rows of a table, without its head; each is its cells. */
function table(text) {
    const rows = text.split('\n').filter((line) => line.startsWith('|'));
    return rows.slice(2).map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim()));
}

/** The answers that a few calls of curl printed, one after the other. */
function answers(text) {
    return text.trim().split(/(?<=\})\s*(?=\{)/).map((body) => JSON.parse(body));
}

async function paste(script, program = 'sh') {
    const {code, stdout, stderr} = await run(['-eu', '-c', script], {program});
    assert.equal(code, 0, stdout + stderr);
    return answers(stdout);
}

describe('"One booking" of README', () => {
    for (const shell of ['sh', 'bash']) {
        it(`can be pasted into ${shell}`, async (t) => {
            const server = await start({env: {RATE_LIMIT: null}});
            t.after(() => server.finish());
            const [script, ...others] = fenced(section('One booking'));
            assert.deepEqual(others, []);
            assert.match(script, /localhost:8000/);
            const [user, event, booking, status, history, ...more] =
                await paste(script.replaceAll('localhost:8000', new URL(server.url).host), shell);
            assert.deepEqual(more, []);
            assert.equal(user.email, 'me@example.org');
            assert.deepEqual([event.id, event.name, event.capacity, event.organizer_id], [1, 'Concert', 100, user.id]);
            assert.deepEqual([booking.status, booking.quantity, booking.tickets, booking.user_id],
                ['confirmed', 2, [{number: 1}, {number: 2}], user.id]);
            assert.deepEqual([status.event_id, status.booked, status.available, status.waiting], [1, 2, 98, 0]);
            assert.deepEqual(history.data, [booking]);
        });
    }
});

describe('the greeting of "admit serve"', () => {
    async function greetedBy(env, use) {
        const server = await start({store: 'memory', env: {ADMIT_GREET: '1', ...env}});
        try {
            await until('the greeting', () => /\ncurl .*\n\n$/.test(server.stdout));
            const lines = server.stdout.split('\n').filter((line) => /^(curl|TOKEN=)/.test(line));
            assert.equal(lines.length, 3, server.stdout);
            await use(lines, server);
        } finally {
            await server.finish();
        }
    }

    async function works(lines, shell) {
        const [user, event, ...more] = await paste(lines.join('\n'), shell);
        assert.deepEqual(more, []);
        assert.equal(user.email, 'me@example.org');
        assert.deepEqual([event.name, event.capacity, event.organizer_id], ['Concert', 100, user.id]);
    }

    for (const shell of ['sh', 'bash']) {
        it(`can be pasted into ${shell}`, () => greetedBy({}, async (lines, server) => {
            assert.ok(server.stdout.includes(`http://localhost:${server.port}/docs`), server.stdout);
            await works(lines, shell);
        }));
    }

    it('can be pasted where all addresses are listened to', () => greetedBy({HOST: '0.0.0.0'}, (lines) => works(lines)));

    const hasIpv6 = existsSync('/proc/net/if_inet6') && /^0{31}1 /m.test(readFileSync('/proc/net/if_inet6', 'utf8'));
    it('can be pasted where the address is one of IPv6', {skip: !hasIpv6 && 'this machine has no ::1'}, () =>
        greetedBy({HOST: '::1'}, (lines) => works(lines)));

    it('names the address that others see', () => greetedBy({PUBLIC_URL: 'https://tickets.example.org/'}, (lines, server) => {
        assert.ok(server.stdout.includes(' https://tickets.example.org/docs'), server.stdout);
        for (const line of lines) assert.match(line, / https:\/\/tickets\.example\.org\/v1\//);
    }));

    it('is for people only', async () => {
        const server = await start({store: 'memory'});
        await server.finish();
        assert.equal(server.stdout, '');
    });
});

describe('the commands that README names', () => {
    const named = [...codeSpans(withoutFences(readme)).filter((code) => code.startsWith('admit ')),
        ...codeSpans(section('Commands')).filter((code) => code.startsWith('user '))];
    const commands = [...new Set(named.map((code) => code.replace(/^admit /, '')))].filter((command) => !command.includes('--help'));
    let directory, options;
    before(async () => {
        directory = await newDirectory();
        options = {cwd: directory, env: {DATABASE_URL: inDirectory(directory)}};
    });
    after(() => rm(directory, {recursive: true}));

    it('are all that there are', async () => {
        const sorted = (names) => [...new Set(names)].sort();
        const help = await runWell(['--help'], options);
        const known = [...help.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name]) => name);
        assert.ok(known.length >= 5, help);
        assert.deepEqual(sorted(commands.map((command) => command.split(' ')[0])), sorted(known));
        const ofUser = commands.filter((command) => command.startsWith('user ')).map((command) => command.split(' ')[1]);
        const usage = await runWell(['user', '--help'], options);
        assert.deepEqual(sorted(ofUser), sorted([...usage.matchAll(/admit user ([a-z]+)/g)].map(([, verb]) => verb)));
    });

    for (const command of commands) {
        it(`explain themselves: ${command}`, async () => {
            const words = command.split(' ');
            const help = await runWell([...words, '--help'], options);
            const verbs = words.filter((word) => /^[a-z]+$/.test(word) && word !== 'admin').join(' ');
            assert.ok(help.includes(`admit ${verbs}`), help);
            for (const word of words.filter((word) => /^--|^[A-Z]+$/.test(word))) assert.ok(help.includes(word), `${word}: ${help}`);
        });
    }

    it('do what it says of them, one after the other', async () => {
        await runWell(['migrate'], options);
        await runWell(['user', 'add', 'chief@example.org', '--role', 'admin'], {...options, input: `${PASSWORD}\n`});
        await runWell(['user', 'role', 'chief@example.org', 'organizer'], options);
        assert.match(await runWell(['user', 'list'], options), /chief@example\.org/);
        assert.equal(await runWell(['outbox', 'list'], options), '');
        await runWell(['backup', 'copy.db'], options);
        assert.ok(existsSync(join(directory, 'copy.db')));
        await runWell(['check'], {...options, env: {DATABASE_URL: `sqlite:${join(directory, 'copy.db')}`}});
        assert.match(await runWell(['version'], options), /\d/);
    });
});

describe('the settings that README names', () => {
    const text = section('Settings');
    const isName = (code) => /^[A-Z][A-Z_]+$/.test(code);
    let help;
    before(async () => (help = await runWell(['serve', '--help'])));
    const lineOf = (name) => help.split('\n').find((line) => new RegExp(` ${name} `).test(line));

    it('are settings', () => {
        const names = codeSpans(text).filter(isName);
        assert.ok(names.length >= 15);
        for (const name of names) assert.ok(lineOf(name), `${name} is not in "admit serve --help"`);
        for (const flag of codeSpans(text).filter((code) => /^--[a-z-]+$/.test(code))) assert.ok(help.includes(`  ${flag} `), flag);
    });

    it('have the defaults that it gives', () => {
        let count = 0;
        for (const [names, defaults] of table(text)) {
            for (const [index, value] of codeSpans(defaults).entries()) {
                const line = lineOf(codeSpans(names)[index]);
                assert.ok(line.includes(`(${value})`), `${value}: ${line}`);
                count++;
            }
        }
        assert.ok(count >= 6);
    });
});

describe('the verbs of make that the documents name', () => {
    const make = (...args) => runWell(['--no-print-directory', '-C', ROOT, ...args], {program: 'make'});

    it('are verbs of the Makefile', async () => {
        const known = [...(await make('help')).matchAll(/^make ([a-z]+)/gm)].map(([, verb]) => verb);
        assert.ok(known.includes('run') && known.includes('test'), known.join());
        for (const document of documents) {
            const text = read(document);
            const typed = [...fenced(text).join('').split('\n'), ...codeSpans(withoutFences(text))].filter((line) => /^make [a-z]/.test(line));
            for (const line of typed)
                for (const word of line.replace(/#.*/, '').replace(/[A-Z_]+=("[^"]*"|\S+)/g, '').trim().split(/\s+/).slice(1))
                    assert.ok(known.includes(word), `${document}: ${line}`);
        }
    });

    it('pass ARGS on', async () => {
        const [given] = codeSpans(section('Start')).filter((code) => code.startsWith('make run ARGS='));
        const args = given.match(/ARGS="(.*)"/)[1];
        assert.match(await make('-n', 'run', `ARGS=${args}`), new RegExp(`build/admit serve ${args}$`, 'm'));
        assert.match(await make('-n', 'test', 'ARGS=base/str'), /tools\/test .*base\/str$/m);
    });
});

describe('the programs of the bench', () => {
    const options = new Map(readdirSync(join(ROOT, 'bench')).filter((name) => name.endsWith('.mjs')).map((name) => [`bench/${name}`, '']));

    for (const program of options.keys()) {
        it(`start: ${program}`, async () => {
            options.set(program, await runWell([join(ROOT, program), '--help'], {program: process.execPath}));
            assert.match(options.get(program), /^ {2}--[a-z]+ /m);
        });
    }

    it('have the options that the documents give them', () => {
        const typed = documents.flatMap((document) => fenced(read(document)).join('').split('\n'))
            .map((line) => line.match(/^(?:node (bench\/\w+\.mjs)|make (bench|soak) ARGS=)(.*?)(#.*)?$/)).filter(Boolean);
        assert.ok(typed.length >= 3);
        for (const [line, program, verb, given] of typed)
            for (const [flag] of given.matchAll(/--[a-z]+/g))
                assert.ok(options.get(program ?? `bench/${verb}.mjs`).includes(`  ${flag} `), line);
    });
});

describe('what the documents point to', () => {
    const anchors = (text) => [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
        title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'));

    for (const document of documents) {
        it(`is there: ${document}`, () => {
            const text = withoutFences(read(document));
            const missing = [];
            for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
                if (/^(https?|mailto):/.test(target)) continue;
                const [path, anchor] = target.split('#');
                const file = path === '' ? join(ROOT, document) : join(ROOT, dirname(document), path);
                if (!existsSync(file)) missing.push(target);
                else if (anchor && !anchors(readFileSync(file, 'utf8')).includes(anchor)) missing.push(target);
            }
            // And what is named as a file of ours: `src/api/routes.c`, `tests/rules/`, `tools/setup`.
            for (const code of codeSpans(text)) {
                const [path] = code.split(' ');
                if (!/^(src|tests|tools|docs|deploy|api|web|bench)\/[\w./-]*$/.test(path)) continue;
                if (![ROOT, join(ROOT, 'src')].some((folder) => existsSync(join(folder, path)))) missing.push(path);
            }
            assert.deepEqual(missing, [], 'not there');
        });
    }
});
