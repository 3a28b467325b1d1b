/* Scratch memory of threads: aligned parts that don't overlap, and sizes that can't be allocated.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <omp.h>
#include "kernels/math/thread_scratch.h"

enum { THREADS = 4, ROUNDS = 200 };

static void parts_are_separate(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 63, 64, 65, 1000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct thread_scratch scratch;
        int wrong = 0;
        assert_int_equal(thread_scratch_make(&scratch, THREADS, sizes[s]), 0);
#pragma omp parallel for num_threads(THREADS) schedule(dynamic) reduction(+ : wrong)
        for (int i = 0; i < ROUNDS; i++) {
            unsigned char *mine = thread_scratch_mine(&scratch);
            wrong += (uintptr_t)mine % 64 != 0;
            memset(mine, omp_get_thread_num(), sizes[s]);
            for (size_t k = 0; k < sizes[s]; k++)
                wrong += mine[k] != omp_get_thread_num();
        }
        assert_int_equal(wrong, 0);
        assert_true(scratch.size >= sizes[s]); /* the next part starts after this one */
        thread_scratch_free(&scratch);
    }
}

static void too_large(void **state)
{
    (void)state;
    struct thread_scratch scratch;
    assert_int_equal(thread_scratch_make(&scratch, 2, SIZE_MAX), -ENOMEM);
    assert_int_equal(thread_scratch_make(&scratch, 2, SIZE_MAX / 2), -ENOMEM);
    thread_scratch_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_separate),
        cmocka_unit_test(too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
