/*
 * The queue of datagrams: order, empty ones, both bounds, and that the oldest make room.
 */
#include "datagrams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/** Add a datagram that begins with a number, four bytes at least. */
static unsigned
add(struct datagrams *queue, uint32_t number, size_t size)
{
    static uint8_t bytes[DATAGRAMS_BYTES_MOST + 1];

    memcpy(bytes, &number, sizeof number);
    return datagrams_add(queue, bytes, size);
}

static uint32_t
first(const struct datagrams *queue)
{
    uint32_t number;

    memcpy(&number, queue->first->bytes, sizeof number);
    return number;
}

static void
test_order_and_sizes(void **state)
{
    struct datagrams queue;

    (void)state;
    datagrams_start(&queue);
    assert_null(queue.first);
    assert_int_equal(datagrams_add(&queue, NULL, 0), 0);
    assert_int_equal(add(&queue, 1, 100), 0);
    assert_int_equal(add(&queue, 2, DATAGRAM_MOST), 0);
    assert_int_equal(queue.count, 3);
    assert_int_equal(queue.bytes, 100 + DATAGRAM_MOST);
    assert_int_equal(queue.first->size, 0);
    assert_int_equal(queue.first->next->size, 100);
    datagrams_drop(&queue);
    assert_int_equal(first(&queue), 1);
    datagrams_drop(&queue);
    assert_int_equal(first(&queue), 2);
    assert_int_equal(queue.first->size, DATAGRAM_MOST);
    assert_null(queue.first->next);
    datagrams_free(&queue);
    assert_int_equal(queue.count, 0);
    assert_int_equal(queue.bytes, 0);
}

static void
test_number_is_bounded(void **state)
{
    struct datagrams queue;
    unsigned dropped = 0;

    (void)state;
    datagrams_start(&queue);
    for (uint32_t i = 0; i < 3 * DATAGRAMS_MOST; i++)
        dropped += add(&queue, i, 10);
    assert_int_equal(dropped, 2 * DATAGRAMS_MOST);
    assert_int_equal(queue.count, DATAGRAMS_MOST);
    for (uint32_t i = 0; i < DATAGRAMS_MOST; i++) {
        assert_int_equal(first(&queue), 2 * DATAGRAMS_MOST + i);
        datagrams_drop(&queue);
    }
    assert_null(queue.first);
}

static void
test_bytes_are_bounded(void **state)
{
    enum { FIT = DATAGRAMS_BYTES_MOST / DATAGRAM_MOST };
    struct datagrams queue;

    (void)state;
    datagrams_start(&queue);
    for (uint32_t i = 0; i < FIT; i++)
        assert_int_equal(add(&queue, i, DATAGRAM_MOST), 0);
    assert_int_equal(add(&queue, FIT, DATAGRAM_MOST), 1);
    assert_int_equal(first(&queue), 1);
    /* one that is all there may be makes room by dropping all others */
    assert_int_equal(add(&queue, 99, DATAGRAMS_BYTES_MOST), FIT);
    assert_int_equal(first(&queue), 99);
    /* and one beyond that drops itself alone */
    assert_int_equal(add(&queue, 100, DATAGRAMS_BYTES_MOST + 1), 1);
    assert_int_equal(first(&queue), 99);
    assert_int_equal(queue.count, 1);
    datagrams_free(&queue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_and_sizes),
                                       cmocka_unit_test(test_number_is_bounded),
                                       cmocka_unit_test(test_bytes_are_bounded)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
