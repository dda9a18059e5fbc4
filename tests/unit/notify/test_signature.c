/* SPDX-License-Identifier: Apache-2.0 */
/* That others verify what is signed here is shown with their own library, in tests/story. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>

#include "notify/notify.h"
#include "notify/signature.h"

#define EXPECT(text, expected) assert_string_equal(arena_cstr(&arena, (text)), (expected))

/* The example of the specification's own library: secret, id, time, body and signature. */
static const char secret[] = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

static struct str octets(struct arena *arena, const char *base64)
{
    unsigned char *data = arena_alloc(arena, 64);
    size_t size = 0;
    assert_int_equal(sodium_base642bin(data, 64, base64, strlen(base64), NULL, &size, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    return (struct str){(char *)data, size};
}

static void a_message_is_signed_as_the_specification_has_it(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct webhook webhook = {.secret = octets(&arena, secret), .old_secret = STR("")};
    struct str headers[WEBHOOK_HEADERS];
    webhook_headers(&webhook, STR("msg_p5jXN8AQM9LWM0D4loKWxJek"), INT64_C(1614265330123),
                    STR("{\"test\": 2432232314}"), &arena, headers);
    EXPECT(headers[0], "Content-Type: application/json");
    EXPECT(headers[1], "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek");
    EXPECT(headers[2], "webhook-timestamp: 1614265330");
    EXPECT(headers[3], "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    EXPECT(webhook_secret_text(webhook.secret, &arena), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    arena_free(&arena);
}

static void the_secret_before_signs_as_long_as_it_is_good(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct webhook webhook = {
        .secret = STR("new"), .old_secret = octets(&arena, secret), .old_secret_until = 2000};
    struct str headers[WEBHOOK_HEADERS];
    webhook_headers(&webhook, STR("a"), 1999, STR("{}"), &arena, headers);
    size_t with_both = headers[3].len;
    webhook_headers(&webhook, STR("a"), 2000, STR("{}"), &arena, headers);
    assert_int_equal(with_both - headers[3].len, strlen(" v1,") + 44);
    arena_free(&arena);
}

static void pauses_grow_up_to_six_hours(void **state)
{
    (void)state;
    static const int64_t hour = INT64_C(3600000);
    assert_int_equal(notify_pause_ms(30000, 1, 0), 30000);
    assert_int_equal(notify_pause_ms(30000, 2, 0), 90000);
    assert_int_equal(notify_pause_ms(30000, 3, 0), 270000);
    assert_int_equal(notify_pause_ms(30000, 50, 0), 6 * hour);
    assert_int_equal(notify_pause_ms(30000, UINT32_MAX, 0), 6 * hour);
    assert_int_equal(notify_pause_ms(1000, 1, 1000), 1200);
    for (uint32_t i = 0; i < 3000; i++)
        assert_in_range(notify_pause_ms(1000, 1, i * 2654435761u), 1000, 1200);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_signed_as_the_specification_has_it),
        cmocka_unit_test(the_secret_before_signs_as_long_as_it_is_good),
        cmocka_unit_test(pauses_grow_up_to_six_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
