// SPDX-License-Identifier: Apache-2.0
// A server of an organizer's that webhooks are sent to.
import http from 'node:http';

export class Receiver {
    /** `answer(message, response)` ends the response; it gets 204 where it does not care. */
    static async start(answer = (message, response) => response.writeHead(204).end()) {
        const receiver = new Receiver();
        Object.assign(receiver, {messages: [], answer, sockets: new Set()});
        receiver.server = http.createServer((request, response) => {
            const parts = [];
            request.on('data', (part) => parts.push(part));
            request.on('end', () => {
                const text = Buffer.concat(parts).toString();
                const message = {id: request.headers['webhook-id'], headers: request.headers, text, ...JSON.parse(text)};
                receiver.messages.push(message);
                receiver.answer(message, response);
            });
        });
        receiver.server.on('connection', (socket) => {
            socket.unref(); // a test that failed must end, too
            receiver.sockets.add(socket);
            socket.on('close', () => receiver.sockets.delete(socket));
        });
        await receiver.#listen(0);
        return receiver;
    }

    #listen(port) {
        return new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen(port, '127.0.0.1', () => {
                this.server.unref();
                this.port = this.server.address().port;
                this.url = `http://127.0.0.1:${this.port}/hook`;
                resolve();
            });
        });
    }

    /** What it was told, each once, in the order in which it first came. */
    get told() {
        const seen = new Set();
        return this.messages.filter(({id}) => !seen.has(id) && seen.add(id));
    }

    /** The types of what it was told about that booking. */
    typesOf(reference) {
        return this.told.filter(({data}) => data.booking?.reference === reference).map(({type}) => type);
    }

    close() {
        for (const socket of this.sockets) socket.destroy();
        return new Promise((resolve) => this.server.close(resolve));
    }

    /** Again, where it was. */
    open() {
        return this.#listen(this.port);
    }
}
