/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "base/clock.h"
#include "base/queue.h"
#include "base/wait.h"

struct item {
    int number;
    struct link link;
};

static int number_of(struct link *link)
{
    return LINK_OWNER(link, struct item, link)->number;
}

static void a_list_gives_back_in_order(void **state)
{
    (void)state;
    struct list list = {0};
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    assert_null(list_pop(&list));
    for (int i = 0; i < 3; i++)
        list_push(&list, &items[i].link);
    assert_int_equal(list.count, 3);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(number_of(list_pop(&list)), i);
    assert_null(list_pop(&list));
    assert_null(list.tail);
    list_push(&list, &items[0].link);
    assert_int_equal(number_of(list_pop(&list)), 1);
}

static size_t fill_up(struct queue *queue, struct item *items, size_t most)
{
    size_t count = 0;
    while (count < most && queue_put(queue, &items[count].link))
        count++;
    return count;
}

static void the_wait_is_bounded_by_the_pace(void **state)
{
    (void)state;
    struct queue queue;
    static struct item items[1000];
    queue_init(&queue, 500);
    queue_bound_wait(&queue, 100, 20, 2);
    const struct {
        size_t count;
        int64_t us;
        int times;
        size_t fit;
    } paces[] = {
        {0, 0, 0, 500},       /* nothing is known: the depth */
        {10, 10000, 1, 200},  /* 1 ms each, two at once: 200 within 100 ms */
        {1, 100000, 100, 20}, /* far too slow: those who may always wait */
        {100, 100, 100, 500}, /* and fast again: the depth */
        {10, 10000, 100, 200},
    };
    for (size_t i = 0; i < sizeof(paces) / sizeof(paces[0]); i++) {
        struct list list = {0};
        for (int times = 0; times < paces[i].times; times++)
            queue_pace(&queue, paces[i].count, paces[i].us);
        assert_in_range(fill_up(&queue, items, 1000), paces[i].fit, paces[i].fit + 1);
        assert_true(queue_take(&queue, &list, 1000, 0));
    }
    queue_destroy(&queue);
}

static void a_shallow_queue_stays_shallow(void **state)
{
    (void)state;
    struct queue queue;
    struct item items[10];
    struct list list = {0};
    queue_init(&queue, 3);
    queue_bound_wait(&queue, 100, 20, 1);
    queue_pace(&queue, 1, 1000000);
    assert_int_equal(fill_up(&queue, items, 10), 3);
    assert_true(queue_take(&queue, &list, 10, 0));
    queue_destroy(&queue);
}

static void what_goes_in_first_comes_out_first(void **state)
{
    (void)state;
    struct queue queue;
    struct list list = {0};
    struct item items[5];
    queue_init(&queue, 5);
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        assert_true(queue_put(&queue, &items[i].link));
    }
    assert_int_equal(queue_count(&queue), 5);
    assert_true(queue_take(&queue, &list, 2, 0));
    assert_int_equal(list.count, 2);
    assert_int_equal(queue_count(&queue), 3);
    assert_true(queue_take(&queue, &list, 100, 0)); /* goes behind what the list has */
    assert_int_equal(list.count, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(number_of(list_pop(&list)), i);
    assert_int_equal(queue_count(&queue), 0);
    queue_destroy(&queue);
}

static void a_full_queue_says_no_until_there_is_room(void **state)
{
    (void)state;
    struct queue queue;
    struct list list = {0};
    struct item items[3];
    queue_init(&queue, 2);
    assert_true(queue_put(&queue, &items[0].link));
    assert_false(queue_is_full(&queue));
    assert_true(queue_put(&queue, &items[1].link));
    assert_true(queue_is_full(&queue));
    assert_false(queue_put(&queue, &items[2].link));
    assert_true(queue_take(&queue, &list, 1, 0));
    assert_false(queue_is_full(&queue));
    assert_true(queue_put(&queue, &items[2].link));
    assert_true(queue_take(&queue, &list, 9, 0));
    assert_int_equal(list.count, 3);
    queue_destroy(&queue);
}

static void taking_from_an_empty_queue_ends_when_the_time_is_over(void **state)
{
    (void)state;
    struct queue queue;
    struct list list = {0};
    queue_init(&queue, 1);
    int64_t start = clock_monotonic_us();
    assert_true(queue_take(&queue, &list, 1, 0));
    assert_true(clock_monotonic_us() - start < 20000);
    start = clock_monotonic_us();
    assert_true(queue_take(&queue, &list, 1, 30));
    assert_true(clock_monotonic_us() - start >= 30000);
    assert_int_equal(list.count, 0);
    assert_int_equal(queue.sleepers, 0);
    queue_destroy(&queue);
}

static void a_closed_queue_gives_out_what_it_has_and_takes_no_more(void **state)
{
    (void)state;
    struct queue queue;
    struct list list = {0};
    struct item items[3];
    queue_init(&queue, 5);
    queue_put(&queue, &items[0].link);
    queue_put(&queue, &items[1].link);
    queue_close(&queue);
    assert_false(queue_put(&queue, &items[2].link));
    assert_true(queue_take(&queue, &list, 1, -1));
    assert_true(queue_take(&queue, &list, 1, -1));
    assert_int_equal(list.count, 2);
    assert_false(queue_take(&queue, &list, 1, -1));
    assert_false(queue_take(&queue, &list, 1, 1000));
    assert_int_equal(list.count, 2);
    queue_close(&queue);
    queue_destroy(&queue);
}

struct taker {
    pthread_t thread;
    struct queue *queue;
    struct list list;
    bool result;
};

static void *take_one(void *context)
{
    struct taker *taker = context;
    taker->result = queue_take(taker->queue, &taker->list, 1, -1);
    return NULL;
}

static void wait_for_sleepers(struct queue *queue, unsigned count)
{
    for (;;) {
        pthread_mutex_lock(&queue->mutex);
        unsigned sleepers = queue->sleepers;
        pthread_mutex_unlock(&queue->mutex);
        if (sleepers == count) return;
        sleep_ms(1);
    }
}

static void a_waiting_taker_is_woken_by_a_put(void **state)
{
    (void)state;
    struct queue queue;
    struct item item = {.number = 9};
    struct taker taker = {.queue = &queue};
    queue_init(&queue, 1);
    pthread_create(&taker.thread, NULL, take_one, &taker);
    wait_for_sleepers(&queue, 1);
    assert_true(queue_put(&queue, &item.link));
    pthread_join(taker.thread, NULL);
    assert_true(taker.result);
    assert_int_equal(number_of(list_pop(&taker.list)), 9);
    queue_destroy(&queue);
}

static void closing_wakes_every_waiting_taker(void **state)
{
    (void)state;
    struct queue queue;
    struct taker takers[3];
    queue_init(&queue, 1);
    for (int i = 0; i < 3; i++) {
        takers[i] = (struct taker){.queue = &queue, .result = true};
        pthread_create(&takers[i].thread, NULL, take_one, &takers[i]);
    }
    wait_for_sleepers(&queue, 3);
    queue_close(&queue);
    for (int i = 0; i < 3; i++) {
        pthread_join(takers[i].thread, NULL);
        assert_false(takers[i].result);
        assert_int_equal(takers[i].list.count, 0);
    }
    queue_destroy(&queue);
}

enum { PRODUCERS = 3, CONSUMERS = 3, EACH = 20000 };

struct crowd {
    struct queue queue;
    struct item items[PRODUCERS * EACH];
    atomic_int next_producer;
    atomic_int seen[PRODUCERS * EACH];
    atomic_int out_of_order;
};

static void *produce(void *context)
{
    struct crowd *crowd = context;
    int first = atomic_fetch_add(&crowd->next_producer, 1) * EACH;
    for (int i = first; i < first + EACH; i++) {
        crowd->items[i].number = i;
        while (!queue_put(&crowd->queue, &crowd->items[i].link))
            sched_yield();
    }
    return NULL;
}

static void *consume(void *context)
{
    struct crowd *crowd = context;
    int last[PRODUCERS] = {-1, -1, -1};
    struct list list = {0};
    struct link *link;
    while (queue_take(&crowd->queue, &list, 7, 50)) {
        while ((link = list_pop(&list))) {
            int number = number_of(link);
            atomic_fetch_add(&crowd->seen[number], 1);
            /* One taker sees what one producer put in the order in which it was put. */
            if (number <= last[number / EACH]) atomic_fetch_add(&crowd->out_of_order, 1);
            last[number / EACH] = number;
        }
    }
    return NULL;
}

static void among_many_threads_each_item_arrives_once(void **state)
{
    (void)state;
    static struct crowd crowd;
    pthread_t producers[PRODUCERS], consumers[CONSUMERS];
    queue_init(&crowd.queue, 64);
    for (int i = 0; i < CONSUMERS; i++)
        pthread_create(&consumers[i], NULL, consume, &crowd);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_create(&producers[i], NULL, produce, &crowd);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    queue_close(&crowd.queue);
    for (int i = 0; i < CONSUMERS; i++)
        pthread_join(consumers[i], NULL);
    for (int i = 0; i < PRODUCERS * EACH; i++)
        assert_int_equal(crowd.seen[i], 1);
    assert_int_equal(crowd.out_of_order, 0);
    queue_destroy(&crowd.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_gives_back_in_order),
        cmocka_unit_test(the_wait_is_bounded_by_the_pace),
        cmocka_unit_test(a_shallow_queue_stays_shallow),
        cmocka_unit_test(what_goes_in_first_comes_out_first),
        cmocka_unit_test(a_full_queue_says_no_until_there_is_room),
        cmocka_unit_test(taking_from_an_empty_queue_ends_when_the_time_is_over),
        cmocka_unit_test(a_closed_queue_gives_out_what_it_has_and_takes_no_more),
        cmocka_unit_test(a_waiting_taker_is_woken_by_a_put),
        cmocka_unit_test(closing_wakes_every_waiting_taker),
        cmocka_unit_test(among_many_threads_each_item_arrives_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
