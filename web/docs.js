// SPDX-License-Identifier: Apache-2.0
//
// The documentation page: Swagger UI, and above it a form that fetches a token and hands it over.
//
// The token lives in this page only and is gone on reload: what is not stored cannot be stolen from
// storage. Whatever the server says is shown with textContent, never as HTML.

const byId = (id) => document.getElementById(id);
const signIn = byId('sign-in');
const register = byId('register');
const message = byId('message');
const problems = byId('problems');

// How much of an answer without an end is shown.
const STREAM_MS = 3000;

let signedIn = false;

const ui = window.SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#calls',
    deepLinking: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    persistAuthorization: false,
    tryItOutEnabled: true,
    validatorUrl: null,
    // Before that, Swagger UI does not know the scheme a token is for; the buttons start disabled.
    onComplete: () => setFormsEnabled(true),
    requestInterceptor: (request) => Object.assign(request, { userFetch: fetchBeginning }),
    responseInterceptor: noticeDeadToken,
});

// As fetch(), but for a stream of events: Swagger UI would wait for its end. What comes in the first seconds is
// shown like any other answer.
async function fetchBeginning(url, options) {
    const control = new AbortController();
    const response = await fetch(url, { ...options, signal: control.signal });
    if (response.headers.get('Content-Type') !== 'text/event-stream') {
        return response;
    }
    setTimeout(() => control.abort(), STREAM_MS);
    const { status, statusText, headers } = response;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    try {
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
            text += part.value;
        }
    } catch (error) {
        if (!control.signal.aborted) {
            throw error;
        }
    }
    return new Response(text, { status, statusText, headers });
}

function setFormsEnabled(enabled) {
    for (const button of document.querySelectorAll('.account form button')) {
        button.disabled = !enabled;
    }
}

// Says one line, and below it what is wrong with each field.
function say(text, errors = null) {
    message.textContent = text;
    message.classList.toggle('bad', errors !== null);
    problems.replaceChildren(...(errors ?? []).map(({ pointer, detail }) => {
        const item = document.createElement('li');
        item.textContent = `${pointer.slice(1)}: ${detail}`;
        return item;
    }));
    problems.hidden = problems.childElementCount === 0;
}

class Refused extends Error {
    constructor(problem) {
        super(problem.detail);
        this.errors = problem.errors ?? [];
    }
}

async function post(path, body) {
    let response;
    try {
        response = await fetch(path, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            credentials: 'omit',
            body: JSON.stringify(body),
        });
    } catch {
        throw new Refused({ detail: 'The server cannot be reached.' });
    }
    // A proxy in between may answer with a page of its own.
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) {
        throw new Refused({ ...answer, detail: answer.detail ?? `The server answered ${response.status}.` });
    }
    return answer;
}

// What was left empty is left out: the server refuses an empty user name.
function fields(form) {
    return Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ''));
}

async function openSession(credentials) {
    const session = await post('/v1/sessions', credentials);
    ui.preauthorizeApiKey('bearer', session.token);
    signedIn = true;
    signIn.reset();
    register.reset();
    byId('register-box').open = false;
    byId('who').textContent = session.user.name || session.user.username || session.user.email;
    byId('role').textContent = `(${session.user.role}, id ${session.user.id})`;
    byId('signed-out').hidden = true;
    byId('signed-in').hidden = false;
    byId('sign-out').focus();
    say('The calls below are now sent with your token.');
}

function closeSession(text) {
    ui.authActions.logout(['bearer']);
    signedIn = false;
    byId('who').textContent = '';
    byId('signed-in').hidden = true;
    byId('signed-out').hidden = false;
    say(text);
}

// The token may die while the page is open: expired, signed out everywhere, account erased.
function noticeDeadToken(response) {
    if (signedIn && response.status === 401 && response.body?.code === 'unauthorized') {
        closeSession('The token is not accepted any more. Sign in again.');
    }
    return response;
}

function onSubmit(form, action) {
    form.addEventListener('submit', async (event) => {
        event.preventDefault();
        setFormsEnabled(false);
        say('One moment …');
        try {
            await action(fields(form));
        } catch (error) {
            if (!(error instanceof Refused)) {
                say('Something went wrong in this page.', []);
                throw error;
            }
            say(error.message, error.errors);
        } finally {
            setFormsEnabled(true);
        }
    });
}

onSubmit(signIn, openSession);
onSubmit(register, async (account) => {
    await post('/v1/users', account);
    await openSession({ login: account.email, password: account.password });
});
byId('sign-out').addEventListener('click', () => {
    closeSession('Signed out here; the token itself lives on until it expires. To end it, sign out everywhere below.');
    signIn.elements.login.focus();
});

// Swagger UI takes over links within the page: it scrolls, and leaves the focus behind.
document.querySelector('.skip').addEventListener('click', () => byId('calls').focus());
