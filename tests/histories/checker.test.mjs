// SPDX-License-Identifier: Apache-2.0
// The checker itself: it takes what can be, and finds what cannot.
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {explain} from './checker.mjs';

const book = (began, ended, quantity, answer, join) => ({kind: 'book', began, ended, quantity, answer, join});
const cancel = (began, ended, reference, answer = {status: 'cancelled'}) => ({kind: 'cancel', began, ended, reference, answer});
const show = (began, ended, reference, answer) => ({kind: 'show', began, ended, reference, answer});
const count = (began, ended, booked, available, waiting) => ({kind: 'count', began, ended, answer: {booked, available, waiting}});
const confirmed = (reference, ...numbers) => ({status: 'confirmed', reference, ...(numbers.length ? {numbers} : {})});
const waiting = (reference, position, ahead) => ({status: 'waiting', reference, position, ahead});
const soldOut = {refused: 'sold_out'};
const already = {refused: 'already_cancelled'};

const good = {
    'nothing at all': [1, []],
    'one after the other': [1, [book(0, 1, 1, confirmed('a', 1)), book(2, 3, 1, waiting('b', 1, 0)), cancel(4, 5, 'a'), show(6, 7, 'b', confirmed('b', 1))]],
    'two at once, the later answer first': [1, [book(0, 9, 1, confirmed('a')), book(1, 2, 1, waiting('b', 1, 0))]],
    'a line that is told out of order': [1, [book(0, 1, 1, confirmed('a')), book(2, 9, 2, waiting('b', 1, 0)), book(2, 5, 1, waiting('c', 2, 2))]],
    'what would fit waits behind one who wants more': [2, [book(0, 1, 1, confirmed('a')), book(2, 3, 2, waiting('b', 1, 0)), book(4, 5, 1, waiting('c', 2, 2)), count(6, 7, 1, 1, 2)]],
    'a head that leaves lets the next in': [2, [book(0, 1, 1, confirmed('a')), book(2, 3, 2, waiting('b', 1, 0)), book(4, 5, 1, waiting('c', 2, 2)),
        cancel(6, 7, 'b'), show(8, 9, 'c', confirmed('c'))]],
    'a look during a change may see before or after': [1, [book(0, 1, 1, confirmed('a')), cancel(2, 9, 'a'), count(3, 4, 1, 0, 0), count(5, 6, 0, 1, 0)]],
    'of two who cancel one is too late': [1, [book(0, 1, 1, confirmed('a')), cancel(2, 9, 'a', already), cancel(3, 8, 'a')]],
    'one without an answer that happened': [1, [book(0, Infinity, 1), book(2, 3, 1, waiting('b', 1, 0))]],
    'one without an answer that did not': [1, [book(0, Infinity, 1), book(2, 3, 1, confirmed('b'))]],
    'a number that came back': [2, [book(0, 1, 1, confirmed('a', 1)), cancel(2, 5, 'a'), book(3, 4, 1, confirmed('b', 1))]],
};

const bad = {
    'a ticket more than there is': [1, [book(0, 1, 1, confirmed('a')), book(2, 3, 1, confirmed('b'))]],
    'a ticket more than there is, at once': [2, [book(0, 9, 1, confirmed('a')), book(0, 9, 1, confirmed('b')), book(0, 9, 1, confirmed('c'))]],
    'a refusal where there was one left': [1, [book(0, 1, 1, soldOut, false)]],
    'waiting where there was one left': [1, [book(0, 1, 1, waiting('a', 1, 0))]],
    'overtaking by who fits': [2, [book(0, 1, 1, confirmed('a')), book(2, 3, 2, waiting('b', 1, 0)), book(4, 5, 1, confirmed('c'))]],
    'overtaking when a ticket comes back': [1, [book(0, 1, 1, confirmed('a')), book(2, 3, 1, waiting('b', 1, 0)), book(4, 5, 1, waiting('c', 2, 1)),
        cancel(6, 7, 'a'), show(8, 9, 'c', confirmed('c'))]],
    'a stranger between a ticket given back and the line': [1, [book(0, 1, 1, confirmed('a')), book(2, 3, 1, waiting('b', 1, 0)), cancel(4, 9, 'a'), book(5, 8, 1, confirmed('c'))]],
    'a promotion that was lost': [1, [book(0, 1, 1, confirmed('a')), book(2, 3, 1, waiting('b', 1, 0)), cancel(4, 5, 'a'), show(6, 7, 'b', waiting('b', 1, 0))]],
    'a promotion that was counted and not made': [1, [book(0, 1, 1, confirmed('a')), book(2, 3, 1, waiting('b', 1, 0)), cancel(4, 5, 'a'), count(6, 7, 0, 1, 1)]],
    'a look at what was': [1, [book(0, 1, 1, confirmed('a')), count(2, 3, 0, 1, 0)]],
    'a look back after a look ahead': [1, [book(0, 9, 1, confirmed('a')), count(1, 2, 1, 0, 0), count(3, 4, 0, 1, 0)]],
    'a booking that shows as cancelled and is not': [1, [book(0, 1, 1, confirmed('a')), show(2, 3, 'a', {status: 'cancelled'})]],
    'two who both cancel': [1, [book(0, 1, 1, confirmed('a')), cancel(2, 9, 'a'), cancel(3, 8, 'a')]],
    'a position too far back': [1, [book(0, 1, 1, confirmed('a')), book(2, 3, 1, waiting('b', 2, 0))]],
    'tickets ahead that are not': [1, [book(0, 1, 1, confirmed('a')), book(2, 3, 1, waiting('b', 1, 1))]],
    'the same place twice': [1, [book(0, 1, 1, confirmed('a')), book(2, 9, 1, waiting('b', 1, 0)), book(2, 9, 1, waiting('c', 1, 0))]],
    'a number that two have': [2, [book(0, 1, 1, confirmed('a', 1)), book(2, 3, 1, confirmed('b', 1))]],
    'a number that changes': [1, [book(0, 1, 1, confirmed('a', 1)), show(2, 3, 'a', confirmed('a', 2))]],
    'a number too few': [2, [book(0, 1, 2, confirmed('a', 1))]],
    'a booking that nobody made': [1, [show(0, 1, 'a', confirmed('a'))]],
    'a booking that nobody made, cancelled': [1, [cancel(0, 1, 'a', already)]],
};

describe('the checker', () => {
    for (const [title, [capacity, operations]] of Object.entries(good))
        it(`takes ${title}`, () => {
            const {order, stuck} = explain({capacity, operations});
            assert.ok(order, JSON.stringify(stuck));
        });

    for (const [title, [capacity, operations]] of Object.entries(bad))
        it(`finds ${title}`, () => assert.equal(explain({capacity, operations}).order, undefined));

    it('does not depend on the order in which a history is written', () => {
        for (const [histories, found] of [[good, true], [bad, false]])
            for (const [capacity, operations] of Object.values(histories))
                assert.equal(Boolean(explain({capacity, operations: [...operations].reverse()}).order), found);
    });

    it('decides a long history with much at once', () => {
        const operations = [];
        for (let i = 0; i < 400; i++) operations.push(book(i, i + 6, 1, i < 200 ? confirmed(`r${i}`) : waiting(`r${i}`, i - 199, i - 200)));
        assert.ok(explain({capacity: 200, operations}).order);
        operations[390].answer = waiting('r390', 1, 0);
        assert.equal(explain({capacity: 200, operations}).order, undefined);
    });
});
