/* SPDX-License-Identifier: Apache-2.0 */
/* Times, dates and time zones: an input is a time, a day or a zone, or two of them on two lines. */
#include "lib/fuzz.h"

#include "base/clock.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return 0;
}

static int64_t check_time(struct str text)
{
    int64_t at, again;
    char written[TIME_TEXT_SIZE];
    if (!time_parse(text, &at)) return 0;
    assert(at > 0 && at < INT64_C(253402300800000));
    size_t len = time_format(at, written);
    assert(len < sizeof(written) && strlen(written) == len);
    assert(time_parse(str_of(written), &again) && again == at);
    return at;
}

static void check_date(struct str text)
{
    int32_t day, again;
    char written[TIME_TEXT_SIZE];
    if (!date_parse(text, &day)) return;
    time_format(day * INT64_C(86400000), written);
    assert(date_parse((struct str){written, 10}, &again) && again == day);
    assert(str_equal(text, (struct str){written, 10}));
}

static void check_zone(struct str name, int64_t at)
{
    int32_t utc = (int32_t)(at / 86400000), day = zone_day(name, at);
    if (zone_known(name))
        assert(day >= utc - 1 && day <= utc + 1);
    else
        assert(day == utc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str second = fuzz_text(data, size), first = str_cut(&second, '\n');
    int64_t at = check_time(first);
    check_date(first);
    check_zone(first, INT64_C(1800000000000));
    check_zone(second, at);
    check_zone(second, INT64_C(253402300799999));
    check_date(second);
    return 0;
}
