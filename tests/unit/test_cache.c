/* cache/: digests, blobs and trees, the index, the stat cache, locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "cache/cache.h"

struct fixture {
    char folder[64];
    struct cache cache;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err;
    assert_non_null(f);
    strcpy(f->folder, "/tmp/ferdag-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(chdir(f->folder), 0);
    assert_int_equal(cache_open(&f->cache, "cache", true, &err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cache_close(&f->cache);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(file_remove_tree(f->folder, NULL), 0);
    free(f);
    return 0;
}

static void put(const char *path, const char *text)
{
    assert_int_equal(file_write(path, text, strlen(text), NULL), 0);
}

static void digests_are_sha256(void **state)
{
    struct digest digest;
    struct error err;
    uint64_t size;
    (void)state;
    /* FIPS 180-4's example */
    assert_int_equal(sha256_memory("abc", 3, &digest, &err), 0);
    assert_string_equal(digest.hex,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    put("f", "abc");
    assert_int_equal(sha256_file("f", &digest, &size, &err), 0);
    assert_string_equal(digest.hex,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(size, 3);
    assert_int_equal(sha256_file("nowhere", &digest, &size, &err), -ENOENT);
}

static void files_are_stored_once_and_read_only(void **state)
{
    struct fixture *f = *state;
    struct blob a, b;
    struct error err;
    struct stat st;
    put("one", "abc");
    put("two", "abc");
    assert_int_equal(blob_store(f->cache.folder, "one", false, &a, &err), 0);
    assert_int_equal(blob_store(f->cache.folder, "two", false, &b, &err), 0);
    assert_string_equal(a.digest.hex, b.digest.hex);
    assert_true(blob_present(f->cache.folder, &a));
    char *path = blob_path(f->cache.folder, &a.digest);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
    a.size = 4;
    assert_false(blob_present(f->cache.folder, &a));
    assert_int_equal(access("two", F_OK), -1);
    free(path);
}

static void a_linked_file_is_copied_not_moved(void **state)
{
    struct fixture *f = *state;
    struct blob blob;
    struct error err;
    put("target", "abc");
    assert_int_equal(symlink("target", "link"), 0);
    assert_int_equal(blob_store(f->cache.folder, "link", false, &blob, &err), 0);
    put("target", "changed");
    struct digest digest;
    char *path = blob_path(f->cache.folder, &blob.digest);
    assert_int_equal(sha256_file(path, &digest, NULL, &err), 0);
    assert_string_equal(digest.hex, blob.digest.hex);
    free(path);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(blob_store(f->cache.folder, "pipe", false, &blob, &err), -EINVAL);
}

static void trees_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    struct blob blob, again;
    struct tree tree;
    struct error err;
    char *text;
    size_t size;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(file_make_folders("t/sub", &err), 0);
        put(round ? "t/sub/b" : "t/a", round ? "two" : "one"); /* in another order */
        put(round ? "t/a" : "t/sub/b", round ? "one" : "two");
        assert_int_equal(blob_store(f->cache.folder, "t", true, round ? &again : &blob, &err), 0);
    }
    assert_string_equal(blob.digest.hex, again.digest.hex);
    assert_true(blob_present(f->cache.folder, &blob));
    assert_int_equal(tree_read(f->cache.folder, &blob, &tree, &err), 0);
    assert_int_equal(tree.count, 2);
    assert_string_equal(tree.entries[0].path, "a");
    assert_string_equal(tree.entries[1].path, "sub/b");
    assert_int_equal(blob_link(f->cache.folder, &blob, "linked", &err), 0);
    assert_int_equal(file_read("linked/sub/b", 100, &text, &size, &err), 0);
    assert_string_equal(text, "two");
    free(text);
    char *path = blob_path(f->cache.folder, &tree.entries[1].digest);
    assert_int_equal(unlink(path), 0);
    assert_false(blob_present(f->cache.folder, &blob));
    free(path);
    tree_free(&tree);
}

/* A stage may leave a link to what is somebody's: that stays, writable, where it is. */
static void what_lies_behind_a_link_stays(void **state)
{
    struct fixture *f = *state;
    struct blob blob;
    struct error err;
    struct stat st;
    assert_int_equal(file_make_folders("theirs", &err), 0);
    put("theirs/a", "one");
    assert_int_equal(symlink("theirs", "ours"), 0);
    assert_int_equal(blob_store(f->cache.folder, "ours", true, &blob, &err), 0);
    assert_true(blob_present(f->cache.folder, &blob));
    assert_int_equal(blob_store(f->cache.folder, "ours/a", false, &blob, &err), 0);
    assert_true(blob_present(f->cache.folder, &blob));
    assert_int_equal(stat("theirs/a", &st), 0);
    assert_int_equal(st.st_mode & 0200, 0200);
}

/* Users of a blob take a change of its times for a write to it. */
static void a_blob_is_replaced_only_if_damaged(void **state)
{
    struct fixture *f = *state;
    struct blob blob;
    struct error err;
    struct stat before, after;
    assert_int_equal(blob_store_memory(f->cache.folder, "abc", 3, &blob, &err), 0);
    char *path = blob_path(f->cache.folder, &blob.digest);
    assert_int_equal(stat(path, &before), 0);
    put("again", "abc");
    assert_int_equal(blob_store(f->cache.folder, "again", false, &blob, &err), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(truncate(path, 1), 0);
    put("again", "abc");
    assert_int_equal(blob_store(f->cache.folder, "again", false, &blob, &err), 0);
    assert_true(blob_present(f->cache.folder, &blob));
    free(path);
}

static void hostile_manifests_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const char *const lines[] = {"%s 1 ../x\n", "%s 1 /x\n",  "%s 1 a/../x\n", "%s 1 \n",
                                        "%s x a\n",    "%.9s 1 a\n", "%s 1 a",        "%s 1 a//b\n",
                                        "%s 1 ./a\n",  "%s 1 a/\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[200];
        struct blob blob;
        struct tree tree;
        struct error err;
        snprintf(text, sizeof text, lines[i], zeros);
        assert_int_equal(blob_store_memory(f->cache.folder, text, strlen(text), &blob, &err), 0);
        assert_int_equal(tree_read(f->cache.folder, &blob, &tree, &err), -EINVAL);
    }
}

static struct result sample(struct fixture *f, char *key)
{
    static struct result_output output;
    struct error err;
    output.port = "o";
    assert_int_equal(blob_store_memory(f->cache.folder, "out", 3, &output.blob, &err), 0);
    struct result result = {.key = key,
                            .stage = "s",
                            .kind = "k",
                            .params = "{}",
                            .inputs = "[]",
                            .key_text = "kind k 1\n",
                            .started = 1,
                            .finished = 2,
                            .seconds = 1,
                            .cpu_seconds = 0.5,
                            .peak_bytes = 1000,
                            .threads = 2,
                            .outputs = &output,
                            .output_count = 1};
    return result;
}

static void results_are_found_again(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct result found, result = sample(f, "aa");
    assert_int_equal(cache_find(&f->cache, "aa", &found, &err), -ENOENT);
    assert_int_equal(index_commit(f->cache.index, &result, &err), 0);
    cache_close(&f->cache);
    assert_int_equal(cache_open(&f->cache, "cache", true, &err), 0);
    assert_int_equal(cache_find(&f->cache, "aa", &found, &err), 0);
    assert_string_equal(found.key_text, "kind k 1\n");
    assert_int_equal(found.peak_bytes, 1000);
    assert_int_equal(found.threads, 2);
    assert_non_null(result_output(&found, "o"));
    assert_null(result_output(&found, "p"));
    result_free(&found);
    assert_int_equal(index_commit(f->cache.index, &result, &err), 0); /* again replaces */
    char *path = blob_path(f->cache.folder, &result.outputs[0].blob.digest);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(cache_find(&f->cache, "aa", &found, &err), -ENOENT);
    free(path);
}

static void an_output_with_a_dot_may_get_lost(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct result found, result = sample(f, "aa");
    struct result_output outputs[3] = {{.port = ".s"}, result.outputs[0], {.port = ".t"}};
    assert_int_equal(blob_store_memory(f->cache.folder, "one", 3, &outputs[0].blob, &err), 0);
    assert_int_equal(blob_store_memory(f->cache.folder, "two", 3, &outputs[2].blob, &err), 0);
    result.outputs = outputs;
    result.output_count = 3;
    assert_int_equal(index_commit(f->cache.index, &result, &err), 0);
    for (size_t left = 3; left > 0; left--) {
        assert_int_equal(cache_find(&f->cache, "aa", &found, &err), 0);
        assert_int_equal(found.output_count, left);
        assert_non_null(result_output(&found, "o"));
        result_free(&found);
        char *path = blob_path(f->cache.folder, &outputs[left == 3 ? 0 : 2].blob.digest);
        assert_int_equal(unlink(path), left == 1 ? -1 : 0);
        free(path);
    }
    char *path = blob_path(f->cache.folder, &outputs[1].blob.digest);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(cache_find(&f->cache, "aa", &found, &err), -ENOENT);
    free(path);
}

static void results_that_differ_in_the_middle(void **state)
{
    struct fixture *f = *state;
    struct error err;
    static char *const texts[] = {"kind k 1\nparam n 2\nin x\n", "kind k 1\nparam n 10\nin x\n",
                                  "kind k 1\nparam n 2\nin y\n", "kind k 2\nparam n 2\nin x\n",
                                  "kind k 1\nparam m 2\nin x\n"};
    static char *const keys[] = {"aa", "ab", "ac", "ad", "ae"};
    for (size_t i = 0; i < 5; i++) {
        struct result result = sample(f, keys[i]);
        result.key_text = texts[i];
        assert_int_equal(index_commit(f->cache.index, &result, &err), 0);
    }
    struct digest *found;
    size_t count;
    assert_int_equal(index_find_alike(f->cache.index, "k", "kind k 1\nparam n ", "\nin x\n", &found,
                                      &count, &err),
                     0);
    assert_int_equal(count, 2);
    assert_string_equal(found[0].hex, "aa");
    assert_string_equal(found[1].hex, "ab");
    free(found);
    assert_int_equal(index_find_alike(f->cache.index, "other", "kind k 1\nparam n ", "\nin x\n",
                                      &found, &count, &err),
                     0);
    assert_int_equal(count, 0);
}

static void failures_last_until_a_result(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct failure found, failure = {.key = "aa", .stage = "s", .kind = "k", .message = "why"};
    assert_int_equal(index_fail(f->cache.index, &failure, &err), 0);
    assert_int_equal(index_find_failure(f->cache.index, "aa", &found, &err), 0);
    assert_string_equal(found.message, "why");
    failure_free(&found);
    struct result result = sample(f, "aa");
    assert_int_equal(index_commit(f->cache.index, &result, &err), 0);
    assert_int_equal(index_find_failure(f->cache.index, "aa", &found, &err), -ENOENT);
}

static void only_settled_files_are_remembered(void **state)
{
    struct fixture *f = *state;
    struct digest digest, cached;
    struct stat st;
    struct error err;
    put("young", "abc");
    assert_int_equal(cache_digest(&f->cache, "young", &digest, &st, &err), 0);
    assert_int_equal(index_stat_find(f->cache.index, "young", &st, &cached, &err), -ENOENT);
    /* ctime can't be set back: remember by hand what a settled file would have given. */
    assert_int_equal(index_stat_set(f->cache.index, "young", &st, &digest, &err), 0);
    assert_int_equal(index_stat_find(f->cache.index, "young", &st, &cached, &err), 0);
    assert_string_equal(cached.hex, digest.hex);
    put("young", "abd"); /* another inode, same size */
    assert_int_equal(cache_digest(&f->cache, "young", &cached, &st, &err), 0);
    assert_string_not_equal(cached.hex, digest.hex);
    assert_int_equal(cache_digest(&f->cache, ".", &digest, &st, &err), -EINVAL);
    assert_int_equal(cache_digest(&f->cache, "nowhere", &digest, &st, &err), -ENOENT);
}

static void a_lock_is_held_by_one(void **state)
{
    struct fixture *f = *state;
    struct error err;
    int lock = cache_lock(&f->cache, "aa", &err);
    assert_true(lock >= 0);
    assert_true(cache_locked(&f->cache, "aa"));
    assert_int_equal(cache_lock(&f->cache, "aa", &err), -EAGAIN);
    int other = cache_lock(&f->cache, "bb", &err);
    assert_true(other >= 0);
    pid_t child = fork(); /* a child that inherits the lock holds it */
    if (child == 0) {
        pause();
        _exit(0);
    }
    close(lock);
    assert_int_equal(cache_lock(&f->cache, "aa", &err), -EAGAIN);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    lock = cache_lock(&f->cache, "aa", &err);
    assert_true(lock >= 0);
    cache_unlock(&f->cache, "aa", lock);
    cache_unlock(&f->cache, "bb", other);
    assert_false(cache_locked(&f->cache, "aa"));
}

static void a_damaged_or_newer_index_is_refused(void **state)
{
    struct fixture *f = *state;
    struct cache other;
    struct error err = {""};
    (void)f;
    assert_int_equal(file_make_folders("broken", &err), 0);
    put("broken/index.sqlite",
        "this is no database, but it is long enough to look at as one .....");
    assert_true(cache_open(&other, "broken", true, &err) < 0);
    assert_non_null(strstr(err.text, "not a database"));
    assert_int_equal(cache_open(&other, "absent", false, &err), 0);
    assert_int_equal(access("absent", F_OK), -1);
    cache_close(&other);
}

static void old_temporaries_are_removed(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    put("cache/tmp/old", "x");
    put("cache/tmp/new", "x");
    assert_int_equal(file_make_folders("cache/tmp/trial.old", &err), 0);
    put("cache/tmp/trial.old/job.json", "x");
    assert_int_equal(file_make_folders("cache/tmp/trial.new", &err), 0);
    assert_int_equal(utimensat(AT_FDCWD, "cache/tmp/old", old, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, "cache/tmp/trial.old", old, 0), 0);
    cache_close(&f->cache);
    assert_int_equal(cache_open(&f->cache, "cache", true, &err), 0);
    assert_int_equal(access("cache/tmp/old", F_OK), -1);
    assert_int_equal(access("cache/tmp/new", F_OK), 0);
    assert_int_equal(access("cache/tmp/trial.old", F_OK), -1);
    assert_int_equal(access("cache/tmp/trial.new", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(digests_are_sha256, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_stored_once_and_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_linked_file_is_copied_not_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(what_lies_behind_a_link_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blob_is_replaced_only_if_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(trees_come_back_as_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_manifests_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(results_are_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(an_output_with_a_dot_may_get_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(results_that_differ_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_last_until_a_result, setup, teardown),
        cmocka_unit_test_setup_teardown(only_settled_files_are_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lock_is_held_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(old_temporaries_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_or_newer_index_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
