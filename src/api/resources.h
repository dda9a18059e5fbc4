/* SPDX-License-Identifier: Apache-2.0 */
/* resources.h -- the handlers that api/routes.c names, by the file they stand in. */
#ifndef API_RESOURCES_H
#define API_RESOURCES_H

struct call;

/* accounts.c */
void users_create(struct call *call);
void sessions_create(struct call *call);
void sessions_delete(struct call *call);
void me_show(struct call *call);
void me_update(struct call *call);
void me_delete(struct call *call);
void users_list(struct call *call);
void users_update(struct call *call);

/* links.c: what links in mail bring about */
void confirmations_create(struct call *call);
void confirmations_use(struct call *call);
void resets_create(struct call *call);
void resets_use(struct call *call);
void links_page(struct call *call);

/* export.c */
void me_export(struct call *call);

/* events.c */
void events_create(struct call *call);
void events_search(struct call *call);
void events_show(struct call *call);
void events_status(struct call *call);
void events_update(struct call *call);
void events_delete(struct call *call);

/* bookings.c */
void bookings_create(struct call *call);
void bookings_list(struct call *call);
void bookings_show(struct call *call);
void bookings_cancel(struct call *call);
void bookings_pay(struct call *call);
void bookings_history(struct call *call);

/* streams.c */
void events_stream(struct call *call);
void bookings_stream(struct call *call);

/* guests.c: what an event's managers see of those who booked */
void guests_list(struct call *call);
void guests_csv(struct call *call);
void guests_tickets(struct call *call);

/* journal.c */
void journal_list(struct call *call);

/* webhooks.c */
void webhooks_create(struct call *call);
void webhooks_list(struct call *call);
void webhooks_show(struct call *call);
void webhooks_update(struct call *call);
void webhooks_delete(struct call *call);
void webhooks_rotate(struct call *call);
void webhooks_test(struct call *call);
void webhooks_deliveries(struct call *call);
void webhooks_redeliver(struct call *call);

/* classic.c */
void classic_register(struct call *call);
void classic_login(struct call *call);
void classic_initialize(struct call *call);
void classic_book(struct call *call);
void classic_cancel(struct call *call);
void classic_status(struct call *call);

/* operations.c */
void operations_alive(struct call *call);
void operations_ready(struct call *call);
void operations_metrics(struct call *call);
void operations_specification(struct call *call);
void operations_docs(struct call *call);
void operations_docs_asset(struct call *call);

#endif
