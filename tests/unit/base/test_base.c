/* base/: files, text, memory, errors and random numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"
#include "base/problems.h"
#include "base/random.h"
#include "base/metadata.h"
#include "base/utf8.h"

static int setup(void **state)
{
    char *folder = strdup("/tmp/ferdag-test-XXXXXX");
    assert_non_null(folder);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    char *folder = *state;
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(file_remove_tree(folder, NULL), 0);
    free(folder);
    return 0;
}

/* ---- files ---- */

static void assert_content(const char *path, const char *text)
{
    struct error err = {""};
    char *data;
    size_t size;
    assert_int_equal(file_read(path, 1000, &data, &size, &err), 0);
    assert_int_equal(size, strlen(text));
    assert_string_equal(data, text);
    free(data);
}

static void files_are_read_up_to_a_limit(void **state)
{
    struct error err = {""};
    char *data;
    size_t size;
    (void)state;
    assert_int_equal(file_write("f", "12345", 5, &err), 0);
    assert_int_equal(file_read("f", 5, &data, &size, &err), 0);
    assert_int_equal(size, 5);
    free(data);
    assert_int_equal(file_read("f", 4, &data, &size, &err), -EFBIG);
    assert_string_equal(err.text, "f is larger than 4 bytes");
    assert_int_equal(file_read("nowhere", 4, &data, &size, &err), -ENOENT);
    assert_string_equal(err.text, "cannot open nowhere: No such file or directory");
    assert_int_equal(file_read(".", 4, &data, &size, &err), -EISDIR);
    /* a file whose size is reported as 0, larger than the first buffer */
    assert_int_equal(file_read("/proc/self/maps", 1 << 26, &data, &size, &err), 0);
    assert_int_equal(strlen(data), size);
    free(data);
}

static void a_written_file_replaces_the_old_one(void **state)
{
    struct error err = {""};
    struct stat before, after;
    (void)state;
    assert_int_equal(file_write("f", "old", 3, &err), 0);
    assert_int_equal(stat("f", &before), 0);
    assert_int_equal(file_write("f", "new", 3, &err), 0);
    assert_int_equal(stat("f", &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_content("f", "new");
    assert_true(file_write("no/such/folder", "x", 1, &err) < 0);
    assert_non_null(strstr(err.text, "cannot write no/such/folder"));
    assert_int_equal(file_write_unsynced("f", "x", 1, &err), -EEXIST);
    assert_content("f", "new");
}

static void copies_have_the_mode_that_is_asked_for(void **state)
{
    struct error err = {""};
    struct stat st;
    mode_t mask = umask(027);
    (void)state;
    assert_int_equal(file_write("f", "abc", 3, &err), 0);
    assert_int_equal(file_copy_unsynced("f", "read-only", 0444, &err), 0);
    assert_int_equal(file_copy_unsynced("f", "by-umask", 0, &err), 0);
    umask(mask);
    assert_int_equal(stat("read-only", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
    assert_int_equal(stat("by-umask", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_content("by-umask", "abc");
    assert_int_equal(file_copy_unsynced("f", "read-only", 0444, &err), -EEXIST);
    assert_content("read-only", "abc");
    assert_int_equal(file_copy("f", "copy", &err), 0);
    assert_content("copy", "abc");
}

static void folders_are_made_with_their_parents(void **state)
{
    struct error err = {""};
    struct stat st;
    (void)state;
    assert_int_equal(file_make_folders("a/b/c", &err), 0);
    assert_int_equal(file_make_folders("a/b/c", &err), 0);
    assert_int_equal(stat("a/b/c", &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(file_write("a/f", "x", 1, &err), 0);
    assert_int_equal(file_make_folders("a/f/g", &err), -ENOTDIR);
    assert_string_equal(err.text, "cannot make folder a/f: Not a directory");
    assert_int_equal(file_make_parents("file", &err), 0);
    assert_int_equal(file_make_parents("/file", &err), 0);
    assert_int_equal(file_make_parents("p/q/file", &err), 0);
    assert_int_equal(stat("p/q", &st), 0);
    assert_int_equal(stat("p/q/file", &st), -1);
    assert_int_equal(file_make_parents("a/f/file", &err), -ENOTDIR);
}

/* Each open level takes a file descriptor; this folder has more levels than the limit. */
static void deep_and_read_only_trees_are_removed(void **state)
{
    struct error err = {""};
    int top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)state;
    assert_int_equal(file_write("kept", "x", 1, &err), 0);
    assert_int_equal(mkdir("t", 0755), 0);
    assert_int_equal(chdir("t"), 0);
    for (int i = 0; i < 400; i++) {
        assert_int_equal(mkdir("d", 0755), 0);
        assert_int_equal(symlink("/nowhere", "link"), 0);
        assert_int_equal(chdir("d"), 0);
    }
    assert_int_equal(fchdir(top), 0);
    assert_int_equal(symlink("../kept", "t/outside"), 0);
    assert_int_equal(chmod("t/d", 0500), 0);
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 256, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(file_remove_tree("t", &err), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(access("t", F_OK), -1);
    assert_int_equal(access("kept", F_OK), 0);
    assert_int_equal(file_remove_tree("t", &err), 0);
    close(top);
}

static void names_are_different_each_time(void **state)
{
    char *a = file_random_name("x"), *b = file_random_name("x");
    char *c = file_temporary_name("x/y");
    (void)state;
    assert_int_equal(strlen(a), 2 + 16);
    assert_int_equal(strncmp(a, "x/", 2), 0);
    assert_string_not_equal(a, b);
    assert_int_equal(strncmp(c, "x/y.tmp.", 8), 0);
    free(a);
    free(b);
    free(c);
}

static void every_write_changes_the_metadata(void **state)
{
    struct error err = {""};
    struct stat st;
    (void)state;
    assert_int_equal(file_write("f", "abc", 3, &err), 0);
    assert_int_equal(stat("f", &st), 0);
    struct metadata first = metadata_of(&st);
    usleep(20000); /* longer than the resolution of the file system's clock */
    FILE *file = fopen("f", "r+");
    fputc('x', file);
    fclose(file);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, "f", times, 0), 0); /* set back */
    assert_int_equal(stat("f", &st), 0);
    struct metadata second = metadata_of(&st);
    assert_int_equal(first.mtime_ns, second.mtime_ns);
    assert_false(metadata_equal(&first, &second));
    assert_true(metadata_hash("f", &first) != metadata_hash("f", &second));
    assert_true(metadata_hash("f", &first) != metadata_hash("g", &first));
}

/* ---- text ---- */

static void errors_are_one_line_of_utf8(void **state)
{
    struct error err;
    char text[2000];
    (void)state;
    assert_int_equal(error_set(&err, EINVAL, "a\nb\tc\377d"), -EINVAL);
    assert_string_equal(err.text, "a b c?d");
    error_prefix(&err, "%s:%d", "x.yaml", 3);
    assert_string_equal(err.text, "x.yaml:3: a b c?d");
    assert_int_equal(error_errno(&err, ENOENT, "cannot open %s", "f"), -ENOENT);
    assert_string_equal(err.text, "cannot open f: No such file or directory");
    assert_int_equal(error_set(NULL, EIO, "nobody reads this"), -EIO);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    error_set(&err, EINVAL, "%s", text);
    error_prefix(&err, "place");
    assert_int_equal(strncmp(err.text, "place: xxx", 10), 0);
    assert_true(strlen(err.text) < sizeof err.text);
}

static void a_cut_text_keeps_whole_characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_boundary("abc", 0), 0);
    assert_int_equal(utf8_boundary("abc", 2), 2);
    assert_int_equal(utf8_boundary("a\xe2\x80\xa6z", 1), 1);
    assert_int_equal(utf8_boundary("a\xe2\x80\xa6z", 3), 1);
    assert_int_equal(utf8_boundary("a\xe2\x80\xa6z", 4), 4);
    assert_int_equal(utf8_boundary("\x80\x80", 1), 0);
}

static void invalid_utf8_is_replaced(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } characters[] = {{"a", 1},
                      {"\xc3\xa9", 2},
                      {"\xe2\x82\xac", 3},
                      {"\xf0\x9f\x98\x80", 4},
                      {"\x80", 0},
                      {"\xc3", 0},
                      {"\xc0\xaf", 0},         /* overlong */
                      {"\xe0\x80\x80", 0},     /* overlong */
                      {"\xed\xa0\x80", 0},     /* a surrogate */
                      {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
                      {"\xff", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++)
        assert_int_equal(utf8_length(characters[i].text), characters[i].length);
    char text[] = "a\xff\xc3\xa9\xc3";
    utf8_repair(text);
    assert_string_equal(text, "a?\xc3\xa9?");
    json_t *json = utf8_json("\xff"
                             "b");
    assert_string_equal(json_string_value(json), "?b");
    json_decref(json);
}

static const char *hint(const char *wrong, char text[160])
{
    static const char *const names[] = {"epochs", "batch_size", "lr", "model", "schedule"};
    struct nearest nearest = {.wrong = wrong};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        nearest_offer(&nearest, names[i]);
    snprintf(text, 160, "%s", nearest_hint(&nearest));
    return text;
}

static void the_nearest_name_is_suggested(void **state)
{
    char text[160];
    (void)state;
    assert_string_equal(hint("epoch", text), " (did you mean 'epochs'?)");
    assert_string_equal(hint("eopchs", text), " (did you mean 'epochs'?)");
    assert_string_equal(hint("bath_siez", text), " (did you mean 'batch_size'?)");
    assert_string_equal(hint("rl", text), " (did you mean 'lr'?)");
    assert_string_equal(hint("weight_decay", text), "");
    assert_string_equal(hint("", text), "");
}

static void problems_are_kept_once_and_sorted(void **state)
{
    struct problems problems = {0};
    struct error err = {""};
    (void)state;
    assert_int_equal(problems_first(&problems, &err), 0);
    problems_warn(&problems, "b", 9, 1, "a warning");
    assert_false(problems_any(&problems));
    problems_add(&problems, "b", 5, 2, "second");
    problems_add(&problems, "b", 5, 2, "second");
    problems_add(&problems, "a", 1, 1, "of another file");
    assert_int_equal(problems_add(&problems, "b", 5, 1, "first"), -EINVAL);
    problems_add(NULL, "b", 5, 1, "dropped");
    assert_int_equal(problems.count, 4);
    problems_sort(&problems);
    assert_string_equal(problems.items[0].text, "first");
    assert_string_equal(problems.items[1].text, "second");
    assert_string_equal(problems.items[2].text, "a warning");
    assert_string_equal(problems.items[3].file, "a");
    assert_int_equal(problems_first(&problems, &err), -EINVAL);
    assert_string_equal(err.text, "b:5:1: first");
    for (int i = 0; i < 300; i++)
        problems_add(&problems, "c", i + 1, 1, "many");
    assert_int_equal(problems.errors, 303);
    assert_int_equal(problems.count, PROBLEMS_KEPT + 1);
    problems_free(&problems);
}

/* ---- memory and numbers ---- */

static void an_arena_grows_arrays_and_texts(void **state)
{
    struct arena *arena = arena_create();
    int *numbers = NULL;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        numbers = arena_push(arena, numbers, (size_t)i, sizeof *numbers);
        numbers[i] = i;
    }
    for (int i = 0; i < 5000; i++)
        assert_int_equal(numbers[i], i);
    char *large = arena_alloc(arena, 1 << 20);
    for (size_t i = 0; i < 1 << 20; i += 4096)
        assert_int_equal(large[i], 0);
    assert_int_equal((uintptr_t)arena_alloc(arena, 1) % 16, 0);
    assert_int_equal((uintptr_t)arena_alloc(arena, 1) % 16, 0);
    assert_string_equal(arena_copy(arena, "abcdef", 3), "abc");
    assert_string_equal(arena_print(arena, "%d-%s", 7, "x"), "7-x");
    arena_destroy(arena);
    arena_destroy(NULL);
}

/* These numbers are part of results: they must never change. */
static void random_numbers_stay_as_they_are(void **state)
{
    struct random r = random_start(1, 2), again = r, other = random_start(1, 3);
    uint32_t items[5] = {0, 1, 2, 3, 4}, seen = 0;
    (void)state;
    uint64_t first = random_bits(&r);
    assert_true(first == random_bits(&again));
    assert_true(first != random_bits(&other));
    r = (struct random){0}; /* splitmix64 with seed 0, as published with it */
    assert_true(random_bits(&r) == 0xe220a8397b1dcdafu);
    assert_true(random_bits(&r) == 0x6e789e6aa1b965f4u);
    double sum = 0, squares = 0;
    for (int i = 0; i < 20000; i++) {
        assert_true(random_below(&r, 7) < 7);
        double unit = random_unit(&r), normal = random_normal(&r);
        assert_true(unit >= 0 && unit < 1);
        sum += normal;
        squares += normal * normal;
    }
    assert_true(sum / 20000 > -0.03 && sum / 20000 < 0.03);
    assert_true(squares / 20000 > 0.96 && squares / 20000 < 1.04);
    random_shuffle(&r, items, 5);
    for (int i = 0; i < 5; i++)
        seen |= 1u << items[i];
    assert_int_equal(seen, 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_read_up_to_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_written_file_replaces_the_old_one, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_have_the_mode_that_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_are_made_with_their_parents, setup, teardown),
        cmocka_unit_test_setup_teardown(deep_and_read_only_trees_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_different_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(every_write_changes_the_metadata, setup, teardown),
        cmocka_unit_test(errors_are_one_line_of_utf8),
        cmocka_unit_test(a_cut_text_keeps_whole_characters),
        cmocka_unit_test(invalid_utf8_is_replaced),
        cmocka_unit_test(the_nearest_name_is_suggested),
        cmocka_unit_test(problems_are_kept_once_and_sorted),
        cmocka_unit_test(an_arena_grows_arrays_and_texts),
        cmocka_unit_test(random_numbers_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
