// SPDX-License-Identifier: Apache-2.0
// What the three peers on mysql2 share: a pool, and a transaction around what they do.
import mysql from 'mysql2/promise';

export function openPool(database) {
    return mysql.createPool({...database, connectionLimit: database.connectionLimit, waitForConnections: true});
}

/** Commits what `act` did with the connection, or rolls it back when it threw. */
export async function transaction(pool, act) {
    const connection = await pool.getConnection();
    try {
        await connection.query('START TRANSACTION');
        const result = await act(connection);
        await connection.query('COMMIT');
        return result;
    } catch (error) {
        await connection.query('ROLLBACK').catch(() => connection.destroy());
        throw error;
    } finally {
        connection.release();
    }
}

/** Ticket numbers `first` and up. */
export const numbersFrom = (first, quantity) => Array.from({length: quantity}, (_, index) => first + index);

export async function insertBooking(connection, userId, eventId, quantity, status) {
    const [result] = await connection.execute(
        'INSERT INTO bookings (user_id, event_id, quantity, status) VALUES (?, ?, ?, ?)',
        [userId, eventId, quantity, status]);
    return result.insertId;
}

export async function insertTickets(connection, eventId, bookingId, numbers) {
    if (numbers.length === 1) { // prepared, which is faster than a text with a list in it
        await connection.execute('INSERT INTO tickets (event_id, number, booking_id) VALUES (?, ?, ?)',
            [eventId, numbers[0], bookingId]);
        return;
    }
    await connection.query('INSERT INTO tickets (event_id, number, booking_id) VALUES ?',
        [numbers.map((number) => [eventId, number, bookingId])]);
}
