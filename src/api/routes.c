/* SPDX-License-Identifier: Apache-2.0 */
#include "api/routes.h"

#include "api/resources.h"

#define BODY       ROUTE_BODY
#define MAYBE_BODY ROUTE_MAYBE_BODY
#define REPLAYABLE ROUTE_REPLAYABLE
#define CLASSIC    ROUTE_CLASSIC
#define UNLIMITED  ROUTE_UNLIMITED
#define SECRET     ROUTE_SECRET
#define DECIDED    ROUTE_DECIDED

/* clang-format off */
const struct route routes[] = {
    { HTTP_POST,   "/v1/users",                           ACCESS_OPEN,   BODY,                    users_create },
    { HTTP_GET,    "/v1/users",                           ACCESS_ADMIN,  0,                       users_list },
    { HTTP_PATCH,  "/v1/users/{id}",                      ACCESS_ADMIN,  BODY,                    users_update },
    { HTTP_POST,   "/v1/sessions",                        ACCESS_OPEN,   BODY,                    sessions_create },
    { HTTP_DELETE, "/v1/sessions",                        ACCESS_USER,   0,                       sessions_delete },
    { HTTP_GET,    "/v1/me",                              ACCESS_USER,   0,                       me_show },
    { HTTP_PATCH,  "/v1/me",                              ACCESS_USER,   BODY,                    me_update },
    { HTTP_DELETE, "/v1/me",                              ACCESS_USER,   BODY,                    me_delete },
    { HTTP_GET,    "/v1/me/export",                       ACCESS_USER,   0,                       me_export },
    { HTTP_POST,   "/v1/me/email-confirmation",           ACCESS_USER,   0,                       confirmations_create },
    { HTTP_PUT,    "/v1/email-confirmations/{token}",     ACCESS_OPEN,   MAYBE_BODY | SECRET,     confirmations_use },
    { HTTP_POST,   "/v1/password-resets",                 ACCESS_OPEN,   BODY,                    resets_create },
    { HTTP_PUT,    "/v1/password-resets/{token}",         ACCESS_OPEN,   BODY | SECRET,           resets_use },
    { HTTP_POST,   "/v1/events",                          ACCESS_USER,   BODY | REPLAYABLE,       events_create },
    { HTTP_GET,    "/v1/events",                          ACCESS_ANYONE, 0,                       events_search },
    { HTTP_GET,    "/v1/events/{id}",                     ACCESS_ANYONE, 0,                       events_show },
    { HTTP_PATCH,  "/v1/events/{id}",                     ACCESS_USER,   BODY,                    events_update },
    { HTTP_DELETE, "/v1/events/{id}",                     ACCESS_USER,   0,                       events_delete },
    { HTTP_GET,    "/v1/events/{id}/status",              ACCESS_ANYONE, 0,                       events_status },
    { HTTP_GET,    "/v1/events/{id}/stream",              ACCESS_ANYONE, 0,                       events_stream },
    { HTTP_POST,   "/v1/events/{id}/bookings",            ACCESS_USER,   BODY | REPLAYABLE | DECIDED, bookings_create },
    { HTTP_GET,    "/v1/events/{id}/bookings",            ACCESS_USER,   0,                       guests_list },
    { HTTP_GET,    "/v1/events/{id}/bookings.csv",        ACCESS_USER,   0,                       guests_csv },
    { HTTP_GET,    "/v1/events/{id}/tickets",             ACCESS_USER,   0,                       guests_tickets },
    { HTTP_GET,    "/v1/bookings",                        ACCESS_USER,   0,                       bookings_list },
    { HTTP_GET,    "/v1/bookings/{reference}",            ACCESS_USER,   0,                       bookings_show },
    { HTTP_GET,    "/v1/bookings/{reference}/stream",     ACCESS_USER,   0,                       bookings_stream },
    { HTTP_DELETE, "/v1/bookings/{reference}",            ACCESS_USER,   MAYBE_BODY | DECIDED,    bookings_cancel },
    { HTTP_POST,   "/v1/bookings/{reference}/cancel",     ACCESS_USER,   MAYBE_BODY | REPLAYABLE | DECIDED, bookings_cancel },
    { HTTP_POST,   "/v1/bookings/{reference}/payments",   ACCESS_USER,   BODY | REPLAYABLE | DECIDED, bookings_pay },
    { HTTP_GET,    "/v1/bookings/{reference}/history",    ACCESS_USER,   0,                       bookings_history },
    { HTTP_GET,    "/v1/journal",                         ACCESS_USER,   0,                       journal_list },

    { HTTP_POST,   "/v1/webhooks",                        ACCESS_USER,   BODY,                    webhooks_create },
    { HTTP_GET,    "/v1/webhooks",                        ACCESS_USER,   0,                       webhooks_list },
    { HTTP_GET,    "/v1/webhooks/{id}",                   ACCESS_USER,   0,                       webhooks_show },
    { HTTP_PATCH,  "/v1/webhooks/{id}",                   ACCESS_USER,   BODY,                    webhooks_update },
    { HTTP_DELETE, "/v1/webhooks/{id}",                   ACCESS_USER,   0,                       webhooks_delete },
    { HTTP_POST,   "/v1/webhooks/{id}/secret",            ACCESS_USER,   0,                       webhooks_rotate },
    { HTTP_POST,   "/v1/webhooks/{id}/test",              ACCESS_USER,   0,                       webhooks_test },
    { HTTP_GET,    "/v1/webhooks/{id}/deliveries",        ACCESS_USER,   0,                       webhooks_deliveries },
    { HTTP_POST,   "/v1/webhooks/{id}/deliveries/{delivery}/redeliver", ACCESS_USER, 0,           webhooks_redeliver },

    { HTTP_POST,   "/register",                           ACCESS_OPEN,   CLASSIC | BODY,          classic_register },
    { HTTP_POST,   "/create-user",                        ACCESS_OPEN,   CLASSIC | BODY,          classic_register },
    { HTTP_POST,   "/login",                              ACCESS_OPEN,   CLASSIC | BODY,          classic_login },
    { HTTP_POST,   "/initialize",                         ACCESS_USER,   CLASSIC | BODY | REPLAYABLE, classic_initialize },
    { HTTP_POST,   "/book",                               ACCESS_USER,   CLASSIC | BODY | REPLAYABLE | DECIDED, classic_book },
    { HTTP_POST,   "/cancel",                             ACCESS_USER,   CLASSIC | BODY | REPLAYABLE | DECIDED, classic_cancel },
    { HTTP_GET,    "/status/{id}",                        ACCESS_ANYONE, CLASSIC,                 classic_status },

    { HTTP_GET,    "/healthz",                            ACCESS_OPEN,   UNLIMITED,               operations_alive },
    { HTTP_GET,    "/readyz",                             ACCESS_OPEN,   UNLIMITED,               operations_ready },
    { HTTP_GET,    "/metrics",                            ACCESS_OPEN,   UNLIMITED,               operations_metrics },
    { HTTP_GET,    "/openapi.json",                       ACCESS_OPEN,   0,                       operations_specification },
    { HTTP_GET,    "/docs",                               ACCESS_OPEN,   0,                       operations_docs },
    { HTTP_GET,    "/docs/{file}",                        ACCESS_OPEN,   0,                       operations_docs_asset },
    { HTTP_GET,    "/confirm",                            ACCESS_OPEN,   0,                       links_page },
    { HTTP_GET,    "/reset",                              ACCESS_OPEN,   0,                       links_page },
};
/* clang-format on */

const size_t route_count = sizeof(routes) / sizeof(routes[0]);
