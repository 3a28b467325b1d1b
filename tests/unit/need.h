/* A test that needs a CPU feature is skipped, with the reason, where the CPU lacks it. */
#ifndef FERDAG_TESTS_UNIT_NEED_H
#define FERDAG_TESTS_UNIT_NEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Skips the current test unless this CPU has `what`. */
static inline void need(bool present, const char *what)
{
    if (!present) {
        print_message("skipped: this CPU has no %s\n", what);
        skip();
    }
}

#endif
