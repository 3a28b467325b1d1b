/* Invariants of every entry of the table of kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "stages/kind.h"

/* In a stage's folder, inputs are links into the cache with the names of their ports: an output of
 * the same name would be written through the link. */
static void test_outputs_miss_inputs(void **state)
{
    (void)state;
    for (size_t i = 0; kinds[i]; i++)
        for (const struct port *out = kinds[i]->outputs; out->name; out++)
            for (const struct port *in = kinds[i]->inputs; in->name; in++) {
                size_t n = strlen(in->name);
                if (in->many ? strncmp(out->file, in->name, n) == 0 && out->file[n] == '.'
                             : strcmp(out->file, in->name) == 0)
                    fail_msg("%s writes its output '%s' where its input '%s' lies", kinds[i]->name,
                             out->name, in->name);
            }
}

static void test_names_are_single(void **state)
{
    (void)state;
    for (size_t i = 0; kinds[i]; i++) {
        assert_ptr_equal(kind_find(kinds[i]->name), kinds[i]);
        assert_true(kinds[i]->version > 0 && *kinds[i]->text && kinds[i]->run);
    }
    assert_null(kind_find("no such kind"));
}

/* The scheduler relies on this when a stage continues a finished one. */
static void test_what_can_be_continued(void **state)
{
    (void)state;
    for (size_t i = 0; kinds[i]; i++) {
        int lengths = 0, states = 0;
        for (const struct param *p = kinds[i]->params; p->name; p++) {
            lengths += p->continues;
            if (p->continues)
                assert_true(p->type == PARAM_INT && !p->not_in_key);
        }
        for (const struct port *p = kinds[i]->outputs; p->name; p++) {
            states += *p->name == '.';
            if (*p->name == '.')
                assert_true(p->optional && !p->measured && p != kinds[i]->outputs);
        }
        assert_true(lengths <= 1 && states == lengths);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs_miss_inputs),
        cmocka_unit_test(test_names_are_single),
        cmocka_unit_test(test_what_can_be_continued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
