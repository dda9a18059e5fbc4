// SPDX-License-Identifier: Apache-2.0
// Sequelize: models, a managed transaction, and a lock on the event's row.
import {DataTypes, Sequelize} from 'sequelize';
import {numbersFrom} from './pool.mjs';

export const title = 'Sequelize, row lock';

function define(sequelize) {
    // Sequelize writes into what it is given, so each column gets its own.
    const id = () => ({type: DataTypes.BIGINT.UNSIGNED, primaryKey: true, autoIncrement: true});
    const other = (more) => ({type: DataTypes.BIGINT.UNSIGNED, allowNull: false, ...more});
    const count = (more) => ({type: DataTypes.INTEGER.UNSIGNED, allowNull: false, ...more});
    const none = {defaultValue: 0};
    const Event = sequelize.define('Event', {
        id: id(), name: DataTypes.STRING(200), capacity: count(), booked: count(none), waiting: count(none),
    }, {tableName: 'events'});
    const Booking = sequelize.define('Booking', {
        id: id(), user_id: other(), event_id: other(), quantity: count(), status: DataTypes.ENUM('confirmed', 'waiting'),
    }, {tableName: 'bookings'});
    const Ticket = sequelize.define('Ticket', {
        event_id: other({primaryKey: true}), number: count({primaryKey: true}), booking_id: other(),
    }, {tableName: 'tickets'});
    return {Event, Booking, Ticket};
}

export function open(database) {
    const sequelize = new Sequelize(database.database, database.user, database.password, {
        dialect: 'mysql',
        dialectOptions: {socketPath: database.socketPath},
        pool: {max: database.connectionLimit, min: database.connectionLimit, acquire: 60_000},
        logging: false,
        define: {timestamps: false},
    });
    const {Event, Booking, Ticket} = define(sequelize);
    const book = (userId, eventId, quantity) => sequelize.transaction(async (transaction) => {
        const event = await Event.findByPk(eventId, {transaction, lock: transaction.LOCK.UPDATE});
        if (!event) return null;
        const fits = event.waiting === 0 && event.booked + quantity <= event.capacity;
        const status = fits ? 'confirmed' : 'waiting';
        const booking = await Booking.create({user_id: userId, event_id: eventId, quantity, status}, {transaction});
        if (!fits) {
            await event.update({waiting: event.waiting + 1}, {transaction});
            return {id: booking.id, status, position: event.waiting};
        }
        const numbers = numbersFrom(event.booked + 1, quantity);
        await Ticket.bulkCreate(numbers.map((number) => ({event_id: eventId, number, booking_id: booking.id})), {transaction});
        await event.update({booked: event.booked + quantity}, {transaction});
        return {id: booking.id, status, numbers};
    });
    return {book};
}
