/* .safetensors: written values are read back, and hostile headers are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "stages/data/safetensors.h"

static char folder[] = "/tmp/test_safetensors.XXXXXX";

static void round_trip(void **state)
{
    (void)state;
    struct error err = {""};
    const float weights[6] = {1, 2, 3, -4, .5f, 6}, scalar = 9;
    const int64_t tracked = 1234567890123;
    const struct tensor in[] = {
        {"layer.weight", TENSOR_F32, 2, {2, 3}, 6, weights},
        {"layer.num_batches_tracked", TENSOR_I64, 0, {0}, 1, &tracked},
        {"one", TENSOR_F32, 0, {0}, 1, &scalar},
        {"empty", TENSOR_F32, 2, {0, 4}, 0, weights},
    };
    json_t *notes = json_pack("{s:s, s:s}", "format", "pt", "model", "vgg19 \"x\"");
    assert_int_equal(safetensors_write("a.safetensors", in, 4, notes, &err), 0);
    json_decref(notes);
    struct safetensors s;
    if (safetensors_read("a.safetensors", 1 << 20, &s, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(s.n, 4);
    assert_string_equal(safetensors_note(&s, "model"), "vgg19 \"x\"");
    assert_null(safetensors_note(&s, "none"));
    const struct tensor *t = safetensors_find(&s, "layer.weight");
    assert_non_null(t);
    assert_int_equal(t->dims, 2);
    assert_int_equal(t->shape[1], 3);
    assert_memory_equal(t->data, weights, sizeof weights);
    t = safetensors_find(&s, "layer.num_batches_tracked");
    assert_int_equal(t->dims, 0);
    assert_int_equal(t->type, TENSOR_I64);
    assert_memory_equal(t->data, &tracked, sizeof tracked);
    assert_int_equal((uintptr_t)((const char *)t->data - s.file) % 8, 0);
    assert_int_equal(safetensors_find(&s, "empty")->count, 0);
    assert_null(safetensors_find(&s, "layer"));
    safetensors_free(&s);
}

/* Writes a header (and data bytes after it) and expects reading to fail with a text that has
 * `cause` in it; NULL: to succeed. length -1: the header's own. */
static void expect(const char *header, long long length, size_t data, const char *cause)
{
    struct error err = {""};
    struct safetensors s;
    size_t used = strlen(header), size = 8 + used + data;
    unsigned char *bytes = calloc(1, size);
    uint64_t stated = length < 0 ? used : (uint64_t)length;
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(stated >> (8 * i));
    memcpy(bytes + 8, header, used);
    assert_int_equal(file_write("h.safetensors", bytes, size, &err), 0);
    free(bytes);
    int rc = safetensors_read("h.safetensors", 1 << 20, &s, &err);
    if (!cause) {
        assert_int_equal(rc, 0);
        safetensors_free(&s);
        return;
    }
    assert_true(rc < 0);
    if (!strstr(err.text, cause))
        fail_msg("'%s' does not say '%s'", err.text, cause);
    assert_non_null(strstr(err.text, "h.safetensors"));
    assert_null(s.file);
}

static void hostile_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        long long length;
        size_t data;
        const char *cause;
    } cases[] = {
        {"{}", -1, 0, NULL},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}   ", -1, 8, NULL},
        {"{}", 3, 0, "header of 3"},
        {"{}", 0x7fffffffffffffff, 0, "header of 9223372036854775807"},
        {"{}", 200 << 20, 0, "header of 209715200"},
        {"{}", 0, 0, "header: byte"},
        {"[1]", -1, 0, "expected an object"},
        {"{\"a\":1}", -1, 0, "expected an object"},
        {"{\"a\":", -1, 0, "header: byte"},
        {"{\"a\":{},\"a\":{}}", -1, 0, "duplicate"},
        {"{\"__metadata__\":[]}", -1, 0, "__metadata__"},
        {"{\"__metadata__\":{\"x\":1}}", -1, 0, "expected a string"},
        {"{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", -1, 4, "dtype F16"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,4]}}", -1, 4, "dtype missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", -1, 8, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]}}", -1, 4,
         "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", -1, 4, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", -1, 4, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", -1,
         0, "larger than the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,12]}}", -1, 8, "outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", -1, 8, "outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", -1, 8, "outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", -1, 8, "outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", -1, 8,
         "8 bytes for 1"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
         -1, 4, "overlaps"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
         -1, 12, "gap"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", -1, 8,
         "after the last"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].header, cases[i].length, cases[i].data, cases[i].cause);
}

static void cut_files(void **state)
{
    (void)state;
    struct error err = {""};
    struct safetensors s;
    const float x[3] = {1, 2, 3};
    const struct tensor in = {"x", TENSOR_F32, 1, {3}, 3, x};
    json_t *notes = json_object();
    assert_int_equal(safetensors_write("c.safetensors", &in, 1, notes, &err), 0);
    json_decref(notes);
    char *whole;
    size_t size;
    assert_int_equal(file_read("c.safetensors", 1 << 20, &whole, &size, &err), 0);
    for (size_t n = 0; n < size; n++) {
        assert_int_equal(file_write("c.safetensors", whole, n, &err), 0);
        assert_true(safetensors_read("c.safetensors", 1 << 20, &s, &err) < 0);
    }
    free(whole);
    assert_true(safetensors_read("absent.safetensors", 1 << 20, &s, &err) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(hostile_headers),
        cmocka_unit_test(cut_files),
    };
    struct error err;
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return chdir("/") < 0 || file_remove_tree(folder, &err) < 0 ? 1 : failed;
}
