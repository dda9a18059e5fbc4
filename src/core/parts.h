/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h -- what the files of core share with one another and with nobody else. */
#ifndef CORE_PARTS_H
#define CORE_PARTS_H

#include "core/decide.h"

/* Each is the whole decision about the kinds of command that it is named for. */
void decide_book(struct working_set *set, const struct command *command, struct result *result);
void decide_cancel(struct working_set *set, const struct command *command, struct result *result);
void decide_cancel_newest(struct working_set *set, const struct command *command,
                          struct result *result);
void decide_pay(struct working_set *set, const struct command *command, struct result *result);
void decide_create_event(struct working_set *set, const struct command *command,
                         struct result *result);
void decide_update_event(struct working_set *set, const struct command *command,
                         struct result *result);
void decide_delete_event(struct working_set *set, const struct command *command,
                         struct result *result);
void decide_register(struct working_set *set, const struct command *command, struct result *result);
void decide_update_user(struct working_set *set, const struct command *command,
                        struct result *result);
void decide_set_role(struct working_set *set, const struct command *command, struct result *result);
void decide_sign_out(struct working_set *set, const struct command *command, struct result *result);
void decide_ask_reset(struct working_set *set, const struct command *command,
                      struct result *result);
void decide_reset_password(struct working_set *set, const struct command *command,
                           struct result *result);
void decide_ask_confirmation(struct working_set *set, const struct command *command,
                             struct result *result);
void decide_confirm_email(struct working_set *set, const struct command *command,
                          struct result *result);
void decide_erase_user(struct working_set *set, const struct command *command,
                       struct result *result);

/* core/outbox.c: something happened that is not of one booking. Of the ids 0 where there is none.
 */
void notice_add(struct working_set *set, struct notice notice);

void decide_tell(struct working_set *set, const struct command *command, struct result *result);
void decide_claim(struct working_set *set, struct result *result);
void decide_settle(struct working_set *set, const struct command *command, struct result *result);
void decide_retry(struct working_set *set, const struct command *command, struct result *result);
void decide_drop(struct working_set *set, const struct command *command, struct result *result);

void decide_create_webhook(struct working_set *set, const struct command *command,
                           struct result *result);
void decide_update_webhook(struct working_set *set, const struct command *command,
                           struct result *result);
void decide_test_webhook(struct working_set *set, const struct command *command,
                         struct result *result);
void decide_delete_webhook(struct working_set *set, const struct command *command,
                           struct result *result);

/* core/waiting.c: serves the line of 'type' from its head, as far as what is free goes. Returns
 * how many bookings got their tickets. */
uint32_t waiting_serve(struct working_set *set, struct type_entry *type);
/* 'booking' has just begun to wait. */
void waiting_join(struct working_set *set, struct type_entry *type, struct booking_entry *booking);
/* 'booking' has just ceased to wait. */
void waiting_leave(struct type_entry *type, struct booking_entry *booking);

/* core/booking.c: 'quantity' tickets of the booking go from state 'from' to state 'to': counters
 * and journal. 'whole' where the booking itself does, and not just some of its tickets. */
void booking_move(struct working_set *set, struct type_entry *type, const struct booking *booking,
                  enum booking_status from, enum booking_status to, uint32_t quantity, bool whole,
                  uint64_t actor_id, const char *reason);
/* A search of another command in this batch would not find now what it found at load time. */
void booking_spoils_searches(struct working_set *set, const struct booking *booking);
/* Ends an active booking: its tickets or its place are given back, nothing is served yet. */
void booking_end(struct working_set *set, struct type_entry *type, struct booking_entry *booking,
                 uint64_t actor_id, const char *reason);

/* core/tickets.c: gives the booking as many numbers as its quantity, lowest first. Call it before
 * the counters move. */
void tickets_give(struct working_set *set, struct event_entry *event, struct booking *booking);
/* Takes the 'count' highest numbers of the booking back. */
void tickets_return(struct working_set *set, struct event_entry *event, struct booking *booking,
                    uint32_t count);

/* The entry of a booking that a command makes; another command of this batch may have asked for
 * just this id, and not found it. */
struct booking_entry *working_set_new_booking(struct working_set *set,
                                              const struct booking *booking);

/* One more ticket type of a loaded event. */
void working_set_add_type(struct working_set *set, struct event_entry *event,
                          const struct ticket_type *row);

/* The sanity of a ticket type, for asserts: rule 1. */
bool ticket_type_is_sane(const struct ticket_type *type);

/* The type entry of a booking; loaded with its event. */
struct type_entry *working_set_type(const struct working_set *set, uint64_t id);

#endif
