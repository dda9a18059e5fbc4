/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/array.h"

static void every_piece_is_aligned_and_its_own(void **state)
{
    (void)state;
    struct arena arena = {0};
    unsigned char *pieces[500];
    for (size_t i = 0; i < 500; i++) {
        pieces[i] = arena_alloc(&arena, i);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)(i & 255), i);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(pieces[i][j], i & 255);
    arena_free(&arena);
}

static void zeroed_memory_is_zero_even_where_it_was_used_before(void **state)
{
    (void)state;
    struct arena arena = {0};
    memset(arena_alloc(&arena, 2000), 0xff, 2000);
    arena_reset(&arena);
    const char *data = arena_zalloc(&arena, 2000);
    for (size_t i = 0; i < 2000; i++)
        assert_int_equal(data[i], 0);

    uint64_t *numbers = ARENA_ARRAY(&arena, uint64_t, 10);
    for (size_t i = 0; i < 10; i++)
        assert_true(numbers[i] == 0);
    assert_true(*ARENA_NEW(&arena, uint64_t) == 0);
    arena_free(&arena);
}

static void a_copied_text_is_terminated(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str copy = arena_str(&arena, (struct str){"seats", 4});
    assert_int_equal(copy.len, 4);
    assert_string_equal(copy.data, "seat");
    assert_string_equal(arena_cstr(&arena, (struct str){0}), "");
    arena_free(&arena);
}

static void printing_takes_the_room_it_needs(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str s = arena_printf(&arena, "%d of %s", 3, "five");
    assert_string_equal(s.data, "3 of five");
    assert_int_equal(s.len, 9);
    assert_int_equal(arena_printf(&arena, "%9000d", 1).len, 9000);
    arena_free(&arena);
}

static void something_too_big_for_a_block_does_not_waste_the_block(void **state)
{
    (void)state;
    struct arena arena = {0};
    char *small = arena_alloc(&arena, 16);
    char *big = arena_alloc(&arena, 3 << 20);
    memset(big, 1, 3 << 20);
    assert_ptr_equal(arena_alloc(&arena, 16), small + 16);
    arena_free(&arena);
}

static void the_first_piece_may_be_big(void **state)
{
    (void)state;
    struct arena arena = {0};
    memset(arena_alloc(&arena, 100000), 1, 100000);
    memset(arena_alloc(&arena, 100), 2, 100);
    arena_reset(&arena);
    memset(arena_alloc(&arena, 100), 3, 100);
    arena_free(&arena);
}

static void a_reset_gives_the_same_memory_again(void **state)
{
    (void)state;
    struct arena arena = {0};
    char *first = arena_alloc(&arena, 100);
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 100), first);
    arena_free(&arena);
    arena_reset(&arena);
    arena_free(&arena);
    assert_null(arena.block);
}

static void a_reset_keeps_a_block_that_holds_the_next_turn(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (int i = 0; i < 40; i++)
        arena_alloc(&arena, 1000);
    arena_reset(&arena);
    struct arena_block *kept = arena.block;
    assert_non_null(kept);
    for (int i = 0; i < 30; i++)
        arena_alloc(&arena, 1000);
    assert_ptr_equal(arena.block, kept);
    arena_free(&arena);
}

static void a_reset_keeps_the_larger_of_two_blocks(void **state)
{
    (void)state;
    struct arena arena = {0};
    arena_alloc(&arena, 16);
    char *big = arena_alloc(&arena, 30000);
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 30000), big);
    arena_free(&arena);
}

static void a_reset_does_not_keep_a_huge_block(void **state)
{
    (void)state;
    struct arena arena = {0};
    arena_alloc(&arena, 1 << 20);
    arena_reset(&arena);
    assert_null(arena.block);
    arena_free(&arena);
}

static void an_array_holds_all_that_was_pushed(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct {
        int *items;
        size_t count, size;
    } numbers = {0};
    for (int i = 0; i < 1000; i++)
        *ARRAY_PUSH(&arena, &numbers) = i * 3;
    assert_int_equal(numbers.count, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers.items[i], i * 3);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_is_aligned_and_its_own),
        cmocka_unit_test(zeroed_memory_is_zero_even_where_it_was_used_before),
        cmocka_unit_test(a_copied_text_is_terminated),
        cmocka_unit_test(printing_takes_the_room_it_needs),
        cmocka_unit_test(something_too_big_for_a_block_does_not_waste_the_block),
        cmocka_unit_test(the_first_piece_may_be_big),
        cmocka_unit_test(a_reset_gives_the_same_memory_again),
        cmocka_unit_test(a_reset_keeps_a_block_that_holds_the_next_turn),
        cmocka_unit_test(a_reset_keeps_the_larger_of_two_blocks),
        cmocka_unit_test(a_reset_does_not_keep_a_huge_block),
        cmocka_unit_test(an_array_holds_all_that_was_pushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
