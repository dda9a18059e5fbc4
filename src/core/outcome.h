/* SPDX-License-Identifier: Apache-2.0 */
/* outcome.h -- every way in which a request can end: one list, from which come the enum, the
 * word on the wire, the HTTP status and the sentence for people. */
#ifndef CORE_OUTCOME_H
#define CORE_OUTCOME_H

/* X(name, word, HTTP status, text). The first four are not errors. */
#define OUTCOMES(X)                                                                                \
    X(OUTCOME_OK, "ok", 200, "Done.")                                                              \
    X(OUTCOME_CREATED, "created", 201, "Created.")                                                 \
    X(OUTCOME_WAITING, "waiting", 202,                                                             \
      "There are not enough tickets: you are in the waiting list.")                                \
    X(OUTCOME_GONE, "no_content", 204, "Done.")                                                    \
    X(BAD_REQUEST, "bad_request", 400, "The request cannot be understood.")                        \
    X(INVALID, "invalid", 400, "Some of what was sent is not acceptable.")                         \
    X(UNAUTHORIZED, "unauthorized", 401, "Sign in first: this needs a valid token.")               \
    X(BAD_CREDENTIALS, "bad_credentials", 401, "The login or the password is wrong.")              \
    X(WRONG_PASSWORD, "wrong_password", 403, "The current password is wrong.")                     \
    X(EMAIL_NOT_VERIFIED, "email_not_verified", 403,                                               \
      "Confirm your e-mail address first: a link was sent to it.")                                 \
    X(FORBIDDEN, "forbidden", 403, "You may not do this.")                                         \
    X(NOT_FOUND, "not_found", 404, "There is nothing here.")                                       \
    X(NO_SUCH_USER, "not_found", 404, "There is no such user.")                                    \
    X(INVALID_LINK, "invalid_link", 404,                                                           \
      "This link was used, is too old, or is not complete: ask for a new one.")                    \
    X(NO_SUCH_EVENT, "no_such_event", 404, "There is no such event.")                              \
    X(NO_SUCH_TICKET_TYPE, "no_such_ticket_type", 404, "The event has no such ticket type.")       \
    X(NO_SUCH_BOOKING, "no_such_booking", 404, "There is no such booking.")                        \
    X(NO_SUCH_WEBHOOK, "no_such_webhook", 404, "There is no such webhook.")                        \
    X(NOTHING_TO_CANCEL, "nothing_to_cancel", 404, "You have no active booking for this event.")   \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, "This path does not know that method.")       \
    X(REQUEST_TIMEOUT, "request_timeout", 408, "The request took too long to arrive.")             \
    X(EMAIL_TAKEN, "email_taken", 409, "Somebody has registered with this e-mail address.")        \
    X(USERNAME_TAKEN, "username_taken", 409, "Somebody has registered with this user name.")       \
    X(ALREADY_CONFIRMED, "already_confirmed", 409, "The e-mail address was confirmed before.")     \
    X(NO_EMAIL, "no_email", 409, "The account has no e-mail address.")                             \
    X(SOLD_OUT, "sold_out", 409, "There are not enough tickets.")                                  \
    X(NOT_ON_SALE, "not_on_sale", 409, "The event is not on sale.")                                \
    X(SALES_NOT_STARTED, "sales_not_started", 409, "The sale has not started yet.")                \
    X(SALES_ENDED, "sales_ended", 409, "The sale has ended.")                                      \
    X(EVENT_STARTED, "event_started", 409, "The event has begun.")                                 \
    X(EVENT_CANCELLED, "event_cancelled", 409, "The event was cancelled.")                         \
    X(ALREADY_CANCELLED, "already_cancelled", 409, "The booking was cancelled before.")            \
    X(CAPACITY_BELOW_BOOKED, "capacity_below_booked", 409,                                         \
      "The capacity cannot be lower than what is booked and held.")                                \
    X(WEBHOOK_IS_OFF, "webhook_off", 409, "The webhook is off: turn it on first.")                 \
    X(OVERPAID, "overpaid", 409, "This is more than what is due.")                                 \
    X(IDEMPOTENCY_IN_PROGRESS, "idempotency_in_progress", 409,                                     \
      "A request with this Idempotency-Key is still running.")                                     \
    X(STALE, "stale", 412, "The event was changed meanwhile: read it again.")                      \
    X(TOO_LARGE, "too_large", 413, "The body is too large.")                                       \
    X(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415,                                       \
      "Send JSON, with Content-Type: application/json.")                                           \
    X(TOO_MANY, "too_many", 422, "That is more tickets than you can have.")                        \
    X(IDEMPOTENCY_KEY_REUSED, "idempotency_key_reused", 422,                                       \
      "This Idempotency-Key came before with another request.")                                    \
    X(RATE_LIMITED, "rate_limited", 429, "Too many requests: slow down.")                          \
    X(HEADERS_TOO_LARGE, "headers_too_large", 431, "The headers are too large.")                   \
    X(INTERNAL, "internal", 500, "Something went wrong here. It was logged.")                      \
    X(NOT_IMPLEMENTED, "not_implemented", 501, "That HTTP method is not known here.")              \
    X(OVERLOADED, "overloaded", 503, "Too busy at the moment: try again shortly.")                 \
    X(UNAVAILABLE, "unavailable", 503, "The database does not answer: try again shortly.")

enum outcome {
#define X(name, word, status, text) name,
    OUTCOMES(X)
#undef X
        OUTCOME_COUNT,
};

struct outcome_text {
    const char *word;
    int status;
    const char *text;
};

extern const struct outcome_text outcome_texts[OUTCOME_COUNT];

static inline int outcome_is_error(enum outcome outcome)
{
    return outcome > OUTCOME_GONE;
}

#endif
