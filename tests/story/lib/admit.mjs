// SPDX-License-Identifier: Apache-2.0
// Runs the program: its commands to their end, and its server in a directory of its own.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import http from 'node:http';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {after, before, describe} from 'node:test';
import {fileURLToPath} from 'node:url';
import {Caller, expect} from './client.mjs';
import {newDatabase, serverKinds} from './databases.mjs';
import {SECRET, token as signToken} from './token.mjs';
import {inTurns, slow} from './time.mjs';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const PROGRAM = process.env.ADMIT ? resolve(process.env.ADMIT) : join(ROOT, 'build/admit');
export const PASSWORD = 'correct horse battery';

// What the one who runs the tests has set must not change what they show.
const inherited = ['PATH', 'HOME', 'LD_LIBRARY_PATH', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS', 'TSAN_OPTIONS'];

function environment(own) {
    const all = {};
    for (const name of inherited)
        if (process.env[name] !== undefined) all[name] = process.env[name];
    return {...all, ...own};
}

export function newDirectory() {
    return mkdtemp(join(tmpdir(), 'admit-story-'));
}

export const inDirectory = (directory) => `sqlite:${join(directory, 'admit.db')}`;

/** A command of admit, or any other `program`, to its end: {code, signal, stdout, stderr}. */
export function run(args, {env = {}, cwd, input = '', program = PROGRAM, seconds = 20} = {}) {
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, {cwd, env: environment(env)});
        const result = {stdout: '', stderr: ''};
        const timer = setTimeout(() => {
            child.kill('SIGKILL');
            reject(new Error(`${program} ${args.join(' ')}: does not end\n${result.stderr}`));
        }, seconds * 1000 * slow);
        child.on('error', reject);
        child.stdout.on('data', (part) => (result.stdout += part));
        child.stderr.on('data', (part) => (result.stderr += part));
        child.on('close', (code, signal) => {
            clearTimeout(timer);
            resolve({...result, code, signal});
        });
        child.stdin.on('error', () => {}); // it may end without having read
        child.stdin.end(input);
    });
}

/** run(), and it must succeed. Gives what it printed. */
export async function runWell(args, options) {
    const result = await run(args, options);
    assert.equal(result.code, 0, `admit ${args.join(' ')}: ${result.code ?? result.signal}\n${result.stdout}${result.stderr}`);
    return result.stdout;
}

/** Statements for the sqlite3 command, in the database of the directory. */
export async function sqlite3(directory, statements, file = 'admit.db') {
    const result = await run(['-bail', join(directory, file)], {program: 'sqlite3', input: statements});
    assert.equal(result.code, 0, result.stderr);
    return result.stdout.trim();
}

/** `admit check` must find nothing wrong. */
export async function check(database, cwd) {
    return runWell(['check'], {env: {DATABASE_URL: database}, cwd, seconds: 60});
}

/** Somebody with an account. */
class Person extends Caller {
    constructor(server, user, password) {
        super(server, signToken(user.id));
        this.user = user;
        this.id = user.id;
        this.email = user.email;
        this.password = password;
    }

    /** A token from the server itself; ours has no milliseconds, which matters after a sign-out. */
    async signIn() {
        const session = expect(await this.server.nobody.post('/v1/sessions', {login: this.email, password: this.password}), 200);
        this.token = session.token;
        return session;
    }
}

class Server {
    constructor(options, directory, child) {
        this.options = options;
        this.directory = directory;
        this.child = child;
        this.log = [];
        this.stdout = '';
        this.agent = new http.Agent({keepAlive: true});
        this.nobody = new Caller(this);
        this.people = 0;
        this.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({code, signal})));
    }

    get database() {
        return this.options.database;
    }

    get isStored() {
        return !this.database.startsWith('memory:');
    }

    /** One more account; names are made up where they are not given. */
    async person(details = {}) {
        const number = ++this.people;
        const body = {
            email: `visitor-${number}-${process.pid}@example.org`,
            name: `Visitor ${number}`,
            password: PASSWORD,
            ...details,
        };
        const user = expect(await this.nobody.post('/v1/users', body), 201);
        return new Person(this, user, body.password);
    }

    /** Many accounts; a few at once, for each takes a processor some 50 ms. */
    crowd(count) {
        return inTurns(Array.from({length: count}), 4, () => this.person());
    }

    /** The administrator, where start() was asked for one. */
    async admin() {
        const login = {login: 'admin@example.org', password: PASSWORD};
        const session = expect(await this.nobody.post('/v1/sessions', login), 200);
        return new Person(this, session.user, PASSWORD);
    }

    /** A person that an earlier server on the same database knew. */
    again(person) {
        return new Person(this, person.user, person.password);
    }

    /** Lines of the log as objects. */
    logged(test = () => true) {
        return this.log.filter(test);
    }

    /** SIGTERM; everything must end well, and without an error in the log. */
    async stop() {
        this.agent.destroy();
        this.child.kill('SIGTERM');
        const timer = setTimeout(() => this.child.kill('SIGABRT'), 20_000 * slow);
        const {code, signal} = await this.ended;
        clearTimeout(timer);
        assert.equal(code, 0, `the server ended with ${code ?? signal}\n${this.#tail()}`);
        const errors = this.logged((line) => line.level === 'error');
        assert.deepEqual(errors, [], 'errors in the log');
    }

    /** SIGKILL, as a power cut would. */
    async kill() {
        this.child.kill('SIGKILL');
        await this.ended;
        this.agent.destroy();
    }

    /** stop(), `admit check` where something is kept, and directory and database go. */
    async finish() {
        await this.stop();
        if (this.isStored) await check(this.database, this.directory);
        await this.options.drop?.();
        await rm(this.directory, {recursive: true, force: true});
    }

    /** A server after this one, on the same database. */
    restart(options = {}) {
        return start({...this.options, directory: this.directory, admin: false, ...options});
    }

    #tail() {
        return this.log.slice(-20).map((line) => JSON.stringify(line)).join('\n');
    }
}

function readLog(server) {
    let rest = '';
    server.child.stderr.setEncoding('utf8');
    server.child.stderr.on('data', (part) => {
        const lines = (rest + part).split('\n');
        rest = lines.pop();
        for (const line of lines) {
            let fields;
            try {
                fields = JSON.parse(line);
            } catch {
                fields = {level: 'none', message: line}; // of a sanitizer, say, or LOG_FORMAT=text
                const port = /^\S+ info {2}listening .*\bport=(\d+)/.exec(line)?.[1];
                if (port) server.child.emit('listening', Number(port));
            }
            server.log.push(fields);
            if (fields.message === 'listening' && fields.port > 0) server.child.emit('listening', fields.port);
        }
    });
}

function listening(server) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
            server.child.kill('SIGKILL');
            reject(new Error(`no "listening" in the log: ${JSON.stringify(server.log)}`));
        }, 20_000 * slow);
        server.child.once('listening', (port) => {
            clearTimeout(timer);
            resolve(port);
        });
        server.ended.then(({code, signal}) => {
            clearTimeout(timer);
            reject(new Error(`the server ended with ${code ?? signal}: ${JSON.stringify(server.log)}`));
        });
        server.child.once('error', reject);
    });
}

async function emptyStore(store, directory) {
    if (serverKinds.includes(store)) return newDatabase(store);
    return {url: store === 'memory' ? 'memory:' : inDirectory(directory)};
}

/**
 * Starts a server and waits until it listens.
 *   store      'sqlite' (in the directory), 'memory', or one of serverKinds: in a new database
 *   database   or just any DATABASE_URL
 *   directory  one that is there; otherwise a new one
 *   admin      makes admin@example.org an administrator before
 *   env, args  more settings
 *   under      a command that runs it, with the program and its arguments behind: ['valgrind']
 */
export async function start(options = {}) {
    const directory = options.directory ?? (await newDirectory());
    const {url: database, drop} = options.database ? {url: options.database, drop: options.drop} : await emptyStore(options.store, directory);
    if (options.admin) {
        const env = {DATABASE_URL: database, LOG_LEVEL: 'warn'};
        await runWell(['user', 'add', 'admin@example.org', '--name', 'Administrator', '--role', 'admin'],
            {env, cwd: directory, input: `${PASSWORD}\n`});
    }
    const env = environment({
        DATABASE_URL: database,
        JWT_SECRET: SECRET,
        RATE_LIMIT: 'off',
        HASHERS: '2', // the stories make more accounts than is usual
        LOG_FORMAT: 'json',
        ...options.env,
    });
    for (const name of Object.keys(env)) if (env[name] === null) delete env[name];
    const args = ['serve', '--port', String(options.port ?? 0), ...(options.args ?? [])];
    const [program, ...command] = [...(options.under ?? []), PROGRAM, ...args];
    const child = spawn(program, command, {cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe']});
    const server = new Server({...options, database, drop}, directory, child);
    const leaveNothingBehind = () => child.kill('SIGKILL');
    process.once('exit', leaveNothingBehind);
    server.ended.then(() => process.off('exit', leaveNothingBehind));
    child.stdout.on('data', (part) => (server.stdout += part));
    readLog(server);
    server.port = await listening(server);
    server.url = `http://127.0.0.1:${server.port}`;
    return server;
}

/** Those that the tests are run on: TEST_STORES=memory for that one only. */
export const stores = process.env.TEST_STORES?.split(',') ?? ['sqlite', 'memory', ...serverKinds];

/** The same stories on each store: `tell` is called with a function that gives the server. */
export function onEachStore(title, options, tell) {
    for (const store of stores) {
        describe(`${title} (${store})`, () => {
            let server;
            before(async () => {
                // An administrator is made at the command line, where a memory store is not.
                server = await start({...options, store, admin: options.admin && store !== 'memory'});
            });
            after(() => server?.finish());
            tell(() => server, store);
        });
    }
}
