/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one mail to standard output, for read_mail.py: of the topic, to the address, with the
 * names of a person, an event, a venue and a ticket type that are its arguments. */
#include <sodium.h>
#include <stdio.h>

#include "notify/mail.h"

int main(int argc, char **argv)
{
    struct arena arena = {0};
    const char *error;
    uint32_t numbers[] = {1, 2, 3};
    if (argc != 7 || sodium_init() < 0) return 2;
    struct mail_maker maker = {.templates = mail_templates_read(NULL, &arena, &error),
                               .public_url = STR("https://tickets.example.org"),
                               .link_key = link_key_of(STR("0123456789abcdef0123456789abcdef"))};
    if (!maker.templates ||
        !mailbox_read(STR("Box Office <tickets@example.org>"), &arena, &maker.from))
        return 2;
    int topic = name_index(topic_names, TOPIC_COUNT, str_of(argv[1]));
    if (topic < 0) return 2;
    struct user user = {.id = 7,
                        .email = str_of(argv[2]),
                        .name = str_of(argv[3]),
                        .password_hash = STR("hash"),
                        .mail = true};
    struct event event = {.id = 1,
                          .name = str_of(argv[4]),
                          .venue = str_of(argv[5]),
                          .timezone = STR("Europe/Madrid"),
                          .starts_at = INT64_C(1811876400000),
                          .version = 1};
    struct booking_view booking = {.row = {.id = 99,
                                           .quantity = 3,
                                           .status = BOOKING_CONFIRMED,
                                           .numbers = numbers,
                                           .number_count = 3},
                                   .type_name = str_of(argv[6]),
                                   .currency = "EUR"};
    bool of_account = topic >= TOPIC_WELCOME;
    struct mail_facts facts = {.topic = (enum topic)topic,
                               .key = STR("msg_1"),
                               .created_at = INT64_C(1809172800000),
                               .now = INT64_C(1809172800000),
                               .user = &user,
                               .event = of_account ? NULL : &event,
                               .booking = of_account ? NULL : &booking};
    struct mail mail;
    if (!mail_compose(&maker, &facts, &arena, &mail)) return 1;
    fwrite(mail.data.data, 1, mail.data.len, stdout);
    arena_free(&arena);
    return 0;
}
