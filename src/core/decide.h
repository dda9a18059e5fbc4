/* SPDX-License-Identifier: Apache-2.0 */
/* decide.h -- the box office decides: no I/O, no clock, no threads.
 *
 * Given what the store holds (a working set that was planned and loaded for this command), a
 * command becomes a result and changes. A refusal is a result like any other and changes nothing.
 * The rules that hold afterwards stand in core/booking.c. */
#ifndef CORE_DECIDE_H
#define CORE_DECIDE_H

#include "core/working_set.h"

void decide(struct working_set *set, const struct command *command, struct result *result);

/* Must it have a batch of its own? True for what works on many rows at once. */
bool command_is_alone(const struct command *command);

/* May the actor manage that event? 'organizing_allowed' as in struct command. */
bool actor_manages(const struct actor *actor, bool organizing_allowed, const struct event *event);

#endif
