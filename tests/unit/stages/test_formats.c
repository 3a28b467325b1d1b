/* .npy files and folders of arrays: written values are read back; truncated and hostile files are
 * refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "stages/data/formats.h"

static char folder[] = "/tmp/ferdag-formats-XXXXXX";

static int enter(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

static void round_trip(void **state)
{
    (void)state;
    struct error err = {""};
    struct array a, b;
    size_t shape[] = {3, 5};
    assert_int_equal(array_make(&a, ARRAY_F32, 2, shape, &err), 0);
    for (int i = 0; i < 15; i++)
        ((float *)a.data)[i] = (float)i * 0.5f;
    assert_int_equal(array_write("a.npy", &a, &err), 0);
    assert_int_equal(array_read("a.npy", ARRAY_F32, 2, &b, &err), 0);
    assert_int_equal(b.shape[0], 3);
    assert_int_equal(b.shape[1], 5);
    assert_memory_equal(a.data, b.data, 60);
    array_free(&a);
    array_free(&b);
    assert_int_equal(array_read("a.npy", ARRAY_U8, 2, &b, &err), -22);
    assert_non_null(strstr(err.text, "expected uint8"));
    assert_int_equal(array_read("a.npy", ARRAY_F32, 1, &b, &err), -22);
    assert_non_null(strstr(err.text, "expected 1 dimension, found 2"));
}

/* Writes a file made of the magic, version 1, a header and some data bytes. */
static void write_raw(const char *header, size_t data)
{
    FILE *f = fopen("raw.npy", "wb");
    size_t n = strlen(header);
    unsigned char length[2] = {(unsigned char)(n & 255), (unsigned char)(n >> 8)};
    fwrite("\x93NUMPY\x01\x00", 1, 8, f);
    fwrite(length, 1, 2, f);
    fwrite(header, 1, n, f);
    for (size_t i = 0; i < data; i++)
        fputc(0, f);
    fclose(f);
}

static void hostile(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *says; /* NULL: must be read */
    } cases[] = {
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", 4, NULL},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }", 0, NULL},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", 3, "its shape needs"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", 5, "its shape needs"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999,), }", 4, "needs"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999,), }", 4,
         "shape"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-4,), }", 4, "shape"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,2,3,4,5), }", 4, "shape"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4", 4, "shape"},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (4,), }", 4, "C order"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (4,), }", 4, "expected uint8"},
        {"", 4, "damaged"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {""};
        struct array a;
        write_raw(cases[i].header, cases[i].data);
        int rc = array_read("raw.npy", ARRAY_U8, 1, &a, &err);
        if (cases[i].says) {
            assert_true(rc < 0);
            if (!strstr(err.text, cases[i].says))
                fail_msg("case %zu says: %s", i, err.text);
        } else {
            assert_int_equal(rc, 0);
            array_free(&a);
        }
    }
}

static void unequal_rows(void **state)
{
    (void)state;
    struct error err = {""};
    uint8_t predicted[4] = {0, 1, 2, 6}, labels[4] = {0, 1, 2, 9};
    struct array a, b;
    assert_int_equal(predictions_write("p", SPLIT_PUBLIC, predicted, labels, 3, &err), 0);
    assert_int_equal(predictions_read("p", SPLIT_PUBLIC, &a, &b, &err), 0);
    assert_memory_equal(a.data, predicted, 3);
    array_free(&a);
    array_free(&b);
    assert_int_equal(predictions_write("p", SPLIT_PUBLIC, predicted, labels, 4, &err), 0);
    assert_true(predictions_read("p", SPLIT_PUBLIC, &a, &b, &err) < 0);
    assert_non_null(strstr(err.text, "row 3: class 9"));
}

/* A path that is too long leaves both arrays empty, not uninitialised. */
static void path_too_long(void **state)
{
    (void)state;
    struct error err = {""};
    char folder_name[5000];
    struct array a, b;
    memset(folder_name, 'x', sizeof folder_name - 1);
    folder_name[sizeof folder_name - 1] = 0;
    memset(&a, 0xaa, sizeof a);
    memset(&b, 0xaa, sizeof b);
    assert_int_equal(predictions_read(folder_name, SPLIT_PUBLIC, &a, &b, &err), -ENAMETOOLONG);
    assert_null(a.data);
    assert_null(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(hostile),
        cmocka_unit_test(unequal_rows),
        cmocka_unit_test(path_too_long),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
