// SPDX-License-Identifier: Apache-2.0
// Figures of several rounds: medians, spreads, and ratios, which are formed within a round and only there.

export function median(values) {
    const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
    if (sorted.length === 0) return undefined;
    const middle = Math.floor(sorted.length / 2);
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `results`: {runs: [{name, connections, round, per_second, ...}]}. */
export class Figures {
    constructor(results) {
        this.results = results;
        this.runs = results.runs;
    }

    of(name, connections) {
        return this.runs.filter((run) => run.name === name && (connections === undefined || run.connections === connections));
    }

    /** The median over the rounds of a field, or of what a function makes of a run. */
    median(name, connections, field = 'per_second') {
        const pick = typeof field === 'function' ? field : (run) => run[field];
        return median(this.of(name, connections).map(pick));
    }

    most(name, connections, field) {
        const values = this.of(name, connections).map((run) => run[field]).filter(Number.isFinite);
        return values.length ? Math.max(...values) : undefined;
    }

    least(name, connections, field) {
        const values = this.of(name, connections).map((run) => run[field]).filter(Number.isFinite);
        return values.length ? Math.min(...values) : undefined;
    }

    /** The median over the rounds of one figure by another of the same round. */
    ratio([name, connections], [otherName, otherConnections], field = 'per_second') {
        const others = this.of(otherName, otherConnections);
        return median(this.of(name, connections).map((run) => run[field] / others.find((other) => other.round === run.round)?.[field]));
    }

    keys() {
        return [...new Map(this.runs.map((run) => [`${run.name} ${run.connections}`, run])).values()];
    }
}
