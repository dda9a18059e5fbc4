// SPDX-License-Identifier: Apache-2.0
// Is there an order of these operations, each at some moment between its call and its answer, in which
// a box office that does one thing at a time gives just these answers? (Linearizability: Herlihy and
// Wing. The search is that of Wing and Gong, with the memory of Lowe.)
//
// A history is of one ticket type: {capacity, operations}, each of which is
//
//     {kind, ..., began, ended, answer}
//
// with `began` and `ended` on one clock. Without an answer `ended` is Infinity: it may have happened at
// any time since, or never.
//
//     {kind: 'book', quantity, join}       {status: 'confirmed'|'waiting', reference, position?, ahead?, numbers?} or {refused: 'sold_out'}
//     {kind: 'cancel', reference}          {status: 'cancelled'} or {refused: 'already_cancelled'}
//     {kind: 'show', reference}            {status, position?, ahead?, numbers?}
//     {kind: 'count'}                      {booked, available, waiting}

/** The office: a value that is never changed. `active` is in the order in which requests came. */
class Office {
    constructor(capacity, active = [], cancelled = []) {
        this.capacity = capacity;
        this.active = active; // {reference, quantity, waits, numbers?}
        this.cancelled = cancelled;
    }

    get booked() {
        return this.active.reduce((sum, {waits, quantity}) => sum + (waits ? 0 : quantity), 0);
    }

    get line() {
        return this.active.filter(({waits}) => waits);
    }

    /** Two offices with the same key answer alike for ever. */
    get key() {
        const known = ({reference, quantity, numbers}) => `${reference} ${quantity} ${numbers ?? ''}`;
        const confirmed = this.active.filter(({waits}) => !waits).map(known).sort();
        return `${confirmed.join()}|${this.line.map(known).join()}`;
    }

    with(active, cancelled = this.cancelled) {
        return new Office(this.capacity, active, cancelled);
    }

    /** What comes free goes to the head of the line, as long as it fits; nobody overtakes. */
    served() {
        let free = this.capacity - this.booked;
        let blocked = false;
        return this.with(this.active.map((booking) => {
            if (!booking.waits || blocked) return booking;
            blocked = booking.quantity > free;
            if (blocked) return booking;
            free -= booking.quantity;
            return {...booking, waits: false};
        }));
    }

    place(reference) {
        const {line} = this;
        const at = line.findIndex((booking) => booking.reference === reference);
        return at < 0 ? {} : {position: at + 1, ahead: line.slice(0, at).reduce((sum, {quantity}) => sum + quantity, 0)};
    }

    /** The same office, knowing the numbers of a booking; undefined if those cannot be. */
    knowing(reference, numbers) {
        if (!numbers) return this;
        const {numbers: known, quantity} = this.active.find((booking) => booking.reference === reference);
        if (known) return String(known) === String(numbers) ? this : undefined;
        if (new Set(numbers).size !== quantity) return undefined;
        if (this.active.some((other) => other.numbers?.some((number) => numbers.includes(number)))) return undefined;
        return this.with(this.active.map((booking) => (booking.reference === reference ? {...booking, numbers: [...numbers]} : booking)));
    }
}

const agree = (said, is) => said === undefined || Object.entries(is).every(([name, value]) => said[name] === value);

const steps = {
    book(office, {quantity, join = true, answer, id}) {
        const served = office.line.length === 0 && quantity <= office.capacity - office.booked;
        if (!served && !join) return agree(answer, {refused: 'sold_out'}) ? office : undefined;
        const reference = answer?.reference ?? `unanswered-${id}`;
        const after = office.with([...office.active, {reference, quantity, waits: !served}]);
        const is = served ? {status: 'confirmed'} : {status: 'waiting', ...after.place(reference)};
        return agree(answer, is) ? after.knowing(reference, answer?.numbers) : undefined;
    },
    cancel(office, {reference, answer}) {
        if (!office.active.some((booking) => booking.reference === reference))
            return agree(answer, {refused: 'already_cancelled'}) && office.cancelled.includes(reference) ? office : undefined;
        if (!agree(answer, {status: 'cancelled'})) return undefined;
        return office.with(office.active.filter((booking) => booking.reference !== reference), [...office.cancelled, reference]).served();
    },
    show(office, {reference, answer}) {
        const booking = office.active.find((each) => each.reference === reference);
        if (!booking) return agree(answer, {status: 'cancelled'}) && office.cancelled.includes(reference) ? office : undefined;
        const is = booking.waits ? {status: 'waiting', ...office.place(reference)} : {status: 'confirmed'};
        return agree(answer, is) ? office.knowing(reference, booking.waits ? undefined : answer?.numbers) : undefined;
    },
    count(office, {answer}) {
        const {booked} = office;
        return agree(answer, {booked, available: office.capacity - booked, waiting: office.line.length}) ? office : undefined;
    },
};

/**
 * An order that explains the history: {order: [operation...], tried}. Without one {stuck, tried}: `stuck` are the
 * operations that could have come next where the search got furthest. `most` bounds the search.
 */
export function explain({capacity, operations}, most = 300_000) {
    const all = operations.map((operation, id) => ({...operation, id})).sort((a, b) => a.began - b.began || a.ended - b.ended);
    const rank = new Map(all.map((operation, index) => [operation.id, index]));
    const done = new Uint8Array(all.length);
    const seen = new Set();
    const order = [];
    let answered = all.filter(({ended}) => ended !== Infinity).length;
    let furthest = -1;
    let stuck = [];
    let tried = 0;

    /** Who may be next: those that began before the first of the others had ended. */
    function candidates(from) {
        let end = Infinity;
        for (let at = from; at < all.length && all[at].began <= end; at++) if (!done[at]) end = Math.min(end, all[at].ended);
        const found = [];
        for (let at = from; at < all.length && all[at].began <= end; at++) if (!done[at]) found.push(all[at]);
        // Who was answered first is a good guess.
        return found.sort((a, b) => a.ended - b.ended);
    }

    /** As search() goes on with one operation done. */
    function go(operation, after, from) {
        const at = rank.get(operation.id);
        const counts = operation.ended === Infinity ? 0 : 1;
        done[at] = 1;
        answered -= counts;
        order.push(operation);
        if (search(after, from)) return true;
        order.pop();
        answered += counts;
        done[at] = 0;
        return false;
    }

    function search(office, from) {
        if (answered === 0) return true;
        while (from < all.length && done[from]) from++;
        const key = `${from}:${done.subarray(from, from + 256).join('')}:${office.key}`;
        if (seen.has(key)) return false;
        seen.add(key);
        const next = candidates(from);
        if (order.length > furthest) {
            furthest = order.length;
            stuck = next;
        }
        // What only looks, and saw how it is now, can come now: it keeps nobody from anything.
        for (const operation of next.filter(({kind, answer}) => answer && (kind === 'show' || kind === 'count'))) {
            const after = steps[operation.kind](office, operation);
            if (after) return go(operation, after, from);
        }
        for (const operation of next) {
            if (++tried > most) throw new Error(`no decision after ${most} steps`);
            const after = steps[operation.kind](office, operation);
            if (after && go(operation, after, from)) return true;
        }
        return false;
    }

    return search(new Office(capacity), 0) ? {order, tried} : {stuck, tried};
}
