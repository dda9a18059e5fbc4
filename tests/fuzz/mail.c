/* SPDX-License-Identifier: Apache-2.0 */
/* Mail about anything: the first lines of an input are a topic, a state, an address, and the names
 * of a person, an event, a venue, a ticket type and a reason; what follows "---" is a template of
 * the operator's for that topic. Whatever they say, a mail has our header fields and no others, and
 * its lines end as they must. */
#include "lib/fuzz.h"

#include <sodium.h>
#include <unistd.h>

#include "notify/mail.h"

enum { LINES = 8, FIELDS = 8 };

static char directory[] = "/tmp/admit-fuzz-XXXXXX", path[128];
static struct arena kept;
static struct mail_maker maker;

static void leave(void)
{
    unlink(path);
    rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return 0;
}

static void enter(void)
{
    const char *error;
    if (maker.templates) return;
    if (sodium_init() < 0 || !mkdtemp(directory)) abort();
    atexit(leave);
    maker = (struct mail_maker){
        .templates = mail_templates_read(NULL, &kept, &error),
        .from = {STR("Box"), STR("box@example.org")},
        .public_url = STR("https://example.org"),
        .link_key = link_key_of(STR("0123456789abcdef0123456789abcdef")),
    };
    assert(maker.templates);
}

/* The built-in ones where the operator's is refused. */
static const struct mail_templates *templates_with(enum topic topic, struct str text,
                                                   struct arena *arena)
{
    const char *error = NULL;
    snprintf(path, sizeof(path), "%s/%s.txt", directory, topic_names[topic]);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(text.data, 1, text.len, file) != text.len || fclose(file) != 0) abort();
    const struct mail_templates *templates = mail_templates_read(directory, arena, &error);
    unlink(path);
    assert(templates || str_is_utf8(str_of(error)));
    return templates ? templates : maker.templates;
}

/* What the model promises of names: UTF-8. */
static struct str name_of(struct str *rest)
{
    struct str line = str_cut(rest, '\n');
    line.len = str_utf8_prefix(line);
    return line;
}

static void check(const struct mail *mail, bool ascii)
{
    static const char *const fields[FIELDS] = {
        "Date: ",       "From: ",           "To: ",           "Subject: ",
        "Message-ID: ", "Auto-Submitted: ", "MIME-Version: ", "Content-Type: multipart/"};
    struct str rest = mail->data;
    size_t field = 0;
    bool in_head = true;
    while (rest.len) {
        struct str line = str_cut(&rest, '\n');
        assert(line.len > 0 && line.data[line.len - 1] == '\r' && line.len < 1000);
        line.len--;
        for (size_t i = 0; i < line.len; i++)
            assert(((unsigned char)line.data[i] >= ' ' &&
                    (!ascii || (unsigned char)line.data[i] < 0x7f)) ||
                   (line.data[i] == '\t' && !in_head && i + 1 < line.len));
        if (line.len == 0 || !in_head) {
            in_head = false;
        } else if (line.data[0] != ' ') {
            assert(field < FIELDS && str_starts(line, str_of(fields[field])));
            field++;
        }
    }
    assert(field == FIELDS && !in_head);
    for (size_t i = 0; i < mail->to.len; i++)
        assert((unsigned char)mail->to.data[i] >= ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str text = fuzz_text(data, size), first = fuzz_cut(&text, STR("---\n"));
    struct str lines[LINES];
    uint32_t numbers[] = {1, 2, 4};
    enter();
    for (size_t i = 0; i < LINES; i++)
        lines[i] = name_of(&first);
    unsigned kind = lines[0].len ? (unsigned char)lines[0].data[0] % TOPIC_COUNT : 0;
    unsigned state = lines[1].len ? (unsigned char)lines[1].data[0] : 0;
    struct user user = {.id = 1 + state,
                        .email = lines[2],
                        .name = lines[3],
                        .mail = true,
                        .verified_at = state & 8};
    struct event event = {.id = 1,
                          .name = lines[4],
                          .venue = lines[5],
                          .version = state,
                          .timezone = lines[7],
                          .starts_at = state & 16 ? 0 : 1811876400000,
                          .ends_at = state & 32 ? 1811876400000 + state : 0};
    struct booking_view booking = {.row = {.id = 1 + state,
                                           .quantity = state,
                                           .status = state % 6,
                                           .unit_price = state,
                                           .numbers = numbers,
                                           .number_count = state & 64 ? 3 : 0},
                                   .type_name = lines[6],
                                   .currency = "EUR",
                                   .position = state % 3};
    struct webhook webhook = {.url = lines[6]};
    struct mail_facts facts = {.topic = (enum topic)kind,
                               .key = lines[4],
                               .created_at = 1,
                               .now = 1,
                               .user = &user,
                               .reason = lines[7],
                               .was = state % 5,
                               .quantity = state % 7};
    if (kind < TOPIC_WELCOME) {
        facts.event = &event;
        facts.booking = state & 128 ? NULL : &booking;
    } else {
        facts.webhook = &webhook;
    }
    struct mail_maker its = maker;
    struct mail mail;
    if (text.len && mail_topic_has_template(facts.topic))
        its.templates = templates_with(facts.topic, text, &arena);
    if (mail_compose(&its, &facts, &arena, &mail)) {
        bool ascii = true; /* but for addresses of RFC 6532 */
        for (size_t i = 0; i < mail.to.len; i++)
            ascii = ascii && (unsigned char)mail.to.data[i] < 0x80;
        check(&mail, ascii);
    }
    arena_free(&arena);
    return 0;
}
