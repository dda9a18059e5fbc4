// SPDX-License-Identifier: Apache-2.0
// One peer: an express application in two cluster workers, in front of MariaDB.
//
//     node server.mjs KIND       sequelize, lock, update or procedure; PEER in the environment is JSON:
//                                {port, workers, secret, database: {socketPath, user, password, database, connectionLimit}}
import cluster from 'node:cluster';
import express from 'express';
import jwt from 'jsonwebtoken';

const kind = process.argv[2];
const settings = JSON.parse(process.env.PEER);

function signedIn(request, response, next) {
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    try {
        if (scheme !== 'Bearer') throw new Error('no token');
        request.userId = Number(jwt.verify(token, settings.secret, {algorithms: ['HS256']}).sub);
    } catch {
        response.status(401).json({error: 'unauthorized'});
        return;
    }
    next();
}

function application(box) {
    const app = express();
    app.disable('x-powered-by');
    app.disable('etag');
    app.get('/healthz', (request, response) => response.json({status: 'ok'}));
    app.post('/v1/events/:id/bookings', signedIn, express.json({limit: '64kb'}), async (request, response) => {
        const eventId = Number(request.params.id);
        const quantity = request.body?.quantity;
        if (!Number.isSafeInteger(eventId) || !Number.isInteger(quantity) || quantity < 1 || quantity > 100) {
            response.status(400).json({error: 'invalid'});
            return;
        }
        const booking = await box.book(request.userId, eventId, quantity);
        if (!booking) {
            response.status(404).json({error: 'no such event'});
            return;
        }
        response.status(booking.status === 'confirmed' ? 201 : 202).json({
            ...booking, event_id: eventId, user_id: request.userId, quantity,
        });
    });
    app.use((error, request, response, next) => {
        console.error(error.message);
        response.status(error.status ?? 500).json({error: 'internal'});
    });
    return app;
}

if (cluster.isPrimary) {
    for (let i = 0; i < settings.workers; i++) cluster.fork();
    cluster.on('exit', () => process.exit(1)); // the bench should notice
    process.on('SIGTERM', () => {
        for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
        process.exit(0);
    });
    cluster.on('listening', () => {
        if (Object.values(cluster.workers).every((worker) => worker.state === 'listening')) process.send?.('ready');
    });
} else {
    const {open} = await import(`./${kind}.mjs`);
    const server = application(open(settings.database)).listen(settings.port, '127.0.0.1', 2048);
    server.keepAliveTimeout = 60_000;
}
