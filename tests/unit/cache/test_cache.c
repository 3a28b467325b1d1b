/* cache/: the index, records of results, damage, the stat cache. */
#include "tests/unit/cache_folder.h"

#include <linux/magic.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include "cache/fsck.h"
#include "cache/record.h"
#include "cache/store_local.h"
#include "cache/affected.h"

/* A result whose key is the digest of its key's text, as of every real result. */
struct sample {
    struct digest key;
    struct result_output output;
    struct result result;
};

static void make_sample(struct fixture *f, struct sample *s, const char *text)
{
    assert_int_equal(sha256_memory(text, strlen(text), &s->key, NULL), 0);
    s->output = (struct result_output){.port = "o", .blob = stored_text(f, "out")};
    s->result = (struct result){.key = s->key.hex,
                                .stage = "s",
                                .kind = "k",
                                .params = "{}",
                                .inputs = "[]",
                                .key_text = (char *)text,
                                .started = 1,
                                .finished = 2,
                                .seconds = 1,
                                .cpu_seconds = 0.5,
                                .peak_bytes = 1000,
                                .threads = 2,
                                .outputs = &s->output,
                                .output_count = 1};
}

static void commit(struct fixture *f, const struct result *result)
{
    struct error err;
    assert_int_equal(record_write(f->cache.folder, result, true, &err), 0);
    assert_int_equal(index_put_result(f->cache.index, result, &err), 0);
}

static void reopen(struct fixture *f)
{
    struct error err;
    cache_close(&f->cache);
    assert_int_equal(cache_open(&f->cache, "cache", true, &err), 0);
}

/* The return code of cache_find. */
static int find(struct fixture *f, const char *key)
{
    struct result found;
    struct error err = {""};
    int rc = cache_find(&f->cache, key, &found, &err);
    if (rc == 0)
        result_free(&found);
    assert_string_equal(err.text, "");
    return rc;
}

static void execute(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open("cache/index.sqlite", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void results_are_found_again(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct sample s;
    struct result found;
    make_sample(f, &s, "kind k 1\n");
    assert_int_equal(find(f, s.key.hex), -ENOENT);
    commit(f, &s.result);
    reopen(f);
    assert_int_equal(cache_find(&f->cache, s.key.hex, &found, &err), 0);
    assert_string_equal(found.key_text, "kind k 1\n");
    assert_int_equal(found.peak_bytes, 1000);
    assert_int_equal(found.threads, 2);
    assert_non_null(result_output(&found, "o"));
    assert_null(result_output(&found, "p"));
    result_free(&found);
    commit(f, &s.result); /* again replaces */
    char *path = cache_blob_path(&f->cache, &s.output.blob.digest);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(find(f, s.key.hex), -ENOENT);
    free(path);
}

static void an_output_with_a_dot_may_get_lost(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct sample s;
    struct result found;
    make_sample(f, &s, "kind k 1\n");
    struct result_output outputs[3] = {
        {.port = ".s", .blob = stored_text(f, "one")},
        s.output,
        {.port = ".t", .blob = stored_text(f, "two")},
    };
    s.result.outputs = outputs;
    s.result.output_count = 3;
    commit(f, &s.result);
    for (size_t left = 3; left > 0; left--) {
        assert_int_equal(cache_find(&f->cache, s.key.hex, &found, &err), 0);
        assert_int_equal(found.output_count, left);
        assert_non_null(result_output(&found, "o"));
        result_free(&found);
        char *path = cache_blob_path(&f->cache, &outputs[left == 3 ? 0 : 2].blob.digest);
        assert_int_equal(unlink(path), left == 1 ? -1 : 0);
        free(path);
    }
    char *path = cache_blob_path(&f->cache, &outputs[1].blob.digest);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(find(f, s.key.hex), -ENOENT);
    free(path);
}

/* ---- damage ---- */

static void a_write_that_keeps_size_and_time_is_found(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    make_sample(f, &s, "kind k 1\n");
    commit(f, &s.result);
    assert_int_equal(find(f, s.key.hex), 0);
    damage(f, &s.output.blob.digest);
    assert_int_equal(find(f, s.key.hex), -ENOENT);
    char *damaged_file = format_string("cache/damaged/%s", s.output.blob.digest.hex);
    assert_int_equal(access(damaged_file, F_OK), 0);
    free(damaged_file);
    stored_text(f, "out"); /* as running again does */
    assert_int_equal(find(f, s.key.hex), 0);
}

static void a_truncated_blob_is_found(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    make_sample(f, &s, "kind k 1\n");
    commit(f, &s.result);
    char *path = cache_blob_path(&f->cache, &s.output.blob.digest);
    assert_int_equal(truncate(path, 1), 0);
    free(path);
    assert_int_equal(find(f, s.key.hex), -ENOENT);
}

/* A blob whose metadata changed is read again once, not at each use. */
static void what_only_looks_changed_is_verified_once(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    make_sample(f, &s, "kind k 1\n");
    commit(f, &s.result);
    assert_int_equal(find(f, s.key.hex), 0);
    f->cache.verified_bytes = 0;
    assert_int_equal(find(f, s.key.hex), 0);
    assert_int_equal(f->cache.verified_bytes, 0);
    char *path = cache_blob_path(&f->cache, &s.output.blob.digest);
    assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0); /* as copying a cache does */
    free(path);
    assert_int_equal(find(f, s.key.hex), 0);
    assert_int_equal(f->cache.verified_bytes, 3);
    assert_int_equal(find(f, s.key.hex), 0);
    reopen(f);
    assert_int_equal(find(f, s.key.hex), 0);
    assert_int_equal(f->cache.verified_bytes, 0);
}

static void what_the_index_lost_comes_back_from_the_record(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct sample s;
    struct result found;
    static const char *const losses[] = {
        "DELETE FROM output", "DELETE FROM result", "DELETE FROM result; DELETE FROM output",
        "UPDATE output SET digest = replace(digest, substr(digest, 1, 1), 'z')"};
    make_sample(f, &s, "kind k 1\n");
    commit(f, &s.result);
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        execute(losses[i]);
        reopen(f);
        assert_int_equal(cache_find(&f->cache, s.key.hex, &found, &err), 0);
        assert_non_null(result_output(&found, "o"));
        assert_string_equal(found.stage, "s");
        assert_int_equal(found.threads, 2);
        result_free(&found);
        assert_int_equal(index_find(f->cache.index, s.key.hex, &found, &err), 0);
        assert_int_equal(found.output_count, 1);
        result_free(&found);
    }
    char *path = record_path(f->cache.folder, s.key.hex);
    assert_int_equal(unlink(path), 0);
    execute("DELETE FROM output");
    reopen(f);
    assert_int_equal(find(f, s.key.hex), -ENOENT);
    free(path);
}

static void damaged_and_foreign_records_are_refused(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct sample s;
    struct result found;
    make_sample(f, &s, "kind k 1\n");
    assert_int_equal(record_write(f->cache.folder, &s.result, false, &err), 0);
    char *path = record_path(f->cache.folder, s.key.hex), *text;
    size_t size;
    assert_int_equal(file_read(path, 100000, &text, &size, &err), 0);
    for (size_t i = 0; i < size; i++) { /* each byte in turn */
        text[i] ^= 1;
        assert_int_equal(file_write(path, text, size, &err), 0);
        text[i] ^= 1;
        assert_int_equal(record_read(f->cache.folder, s.key.hex, &found, &err), -EINVAL);
    }
    for (size_t i = 0; i < size; i += 7) { /* cut */
        assert_int_equal(file_write(path, text, i, &err), 0);
        assert_int_equal(record_read(f->cache.folder, s.key.hex, &found, &err), -EINVAL);
    }
    assert_int_equal(file_write(path, text, size, &err), 0);
    assert_int_equal(record_read(f->cache.folder, s.key.hex, &found, &err), 0);
    result_free(&found);
    struct digest other;
    assert_int_equal(sha256_memory("other", 5, &other, &err), 0);
    char *elsewhere = record_path(f->cache.folder, other.hex), *slash = strrchr(elsewhere, '/');
    *slash = 0;
    assert_int_equal(file_make_folders(elsewhere, &err), 0);
    *slash = '/';
    assert_int_equal(file_write(elsewhere, text, size, &err), 0);
    assert_int_equal(record_read(f->cache.folder, other.hex, &found, &err), -EINVAL);
    free(elsewhere);
    free(path);
    free(text);
}

/* A result that read the blob at some time. */
static void commit_reader(struct fixture *f, const char *text, const char *inputs, double finished)
{
    struct sample s;
    make_sample(f, &s, text);
    s.result.stage = (char *)text;
    s.result.inputs = (char *)inputs;
    s.result.started = finished - 5;
    s.result.finished = finished;
    commit(f, &s.result);
}

static void results_that_read_a_damaged_blob_are_affected(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct affected *affected;
    struct metadata metadata;
    size_t count;
    assert_int_equal(file_make_folders("t", &err), 0);
    put("t/file", "in");
    struct blob tree = stored(f, "t", true), file = stored_text(f, "in");
    struct sample maker;
    make_sample(f, &maker, "maker");
    maker.output.blob = tree;
    commit(f, &maker.result);
    assert_int_equal(store_local_metadata(f->cache.blobs, &file.digest, file.size, &metadata), 0);
    assert_int_equal(index_put_blob(f->cache.index, &file.digest, &metadata, 100, &err), 0);
    char *plain = format_string("[{\"digest\": \"%s\"}]", file.digest.hex);
    char *folder = format_string("[{\"digest\": \"%s\"}]", tree.digest.hex);
    char *verified = format_string("[{\"digest\": \"%s\", \"verified\": true}]", file.digest.hex);
    commit_reader(f, "before", plain, 99);
    commit_reader(f, "after", plain, 101); /* and may have started before */
    commit_reader(f, "folder", folder, 101);
    commit_reader(f, "verified", verified, 101);
    commit_reader(f, "other", "[]", 101);
    assert_int_equal(affected_find(&f->cache, &file.digest, &affected, &count, NULL, &err), 0);
    assert_int_equal(count, 2);
    bool in_order = strcmp(affected[0].stage, "after") == 0;
    assert_string_equal(affected[in_order ? 0 : 1].stage, "after");
    assert_string_equal(affected[in_order ? 1 : 0].stage, "folder");
    affected_free(affected, count);
    free(plain);
    free(folder);
    free(verified);
}

/* ---- formats ---- */

static const char format_1[] = "DROP TABLE blob; DROP TABLE complete; DROP TABLE "
                               "latest_failure; PRAGMA user_version = 1";

static void a_cache_of_format_1_is_brought_to_format_2(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct sample s;
    struct result found;
    make_sample(f, &s, "kind k 1\n");
    commit(f, &s.result);
    cache_close(&f->cache);
    execute(format_1);
    assert_int_equal(file_remove_tree("cache/results", &err), 0);
    assert_int_equal(cache_open(&f->cache, "cache", false, &err), 0);
    assert_int_equal(find(f, s.key.hex), 0);
    assert_int_equal(f->cache.verified_bytes, 3); /* its metadata wasn't known */
    assert_int_equal(record_read(f->cache.folder, s.key.hex, &found, &err), 0);
    result_free(&found);
    execute("PRAGMA user_version = 3");
    cache_close(&f->cache);
    assert_int_equal(cache_open(&f->cache, "cache", true, &err), -EINVAL);
    assert_non_null(strstr(err.text, "has format 3"));
    execute("PRAGMA user_version = 2");
    assert_int_equal(cache_open(&f->cache, "cache", true, &err), 0);
}

static void a_cache_of_format_1_can_be_read_where_it_may_not_be_written(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct sample s;
    struct index *index;
    struct result found;
    make_sample(f, &s, "kind k 1\n");
    commit(f, &s.result);
    cache_close(&f->cache);
    execute(format_1);
    assert_int_equal(index_open_read_only(&index, "cache/index.sqlite", &err), 0);
    assert_int_equal(index_find(index, s.key.hex, &found, &err), 0);
    assert_int_equal(found.output_count, 1);
    assert_false(found.incomplete);
    assert_false(found.outputs[0].has_metadata);
    result_free(&found);
    index_close(index);
    assert_int_equal(cache_open(&f->cache, "cache", true, &err), 0);
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
        struct sample s;
        make_sample(f, &s, texts[i]);
        s.result.key = keys[i];
        assert_int_equal(index_put_result(f->cache.index, &s.result, &err), 0);
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
    assert_int_equal(index_put_failure(f->cache.index, "/x.yaml", &failure, &err), 0);
    assert_int_equal(index_find_failure(f->cache.index, "aa", &found, &err), 0);
    assert_string_equal(found.message, "why");
    failure_free(&found);
    struct sample s;
    make_sample(f, &s, "kind k 1\n");
    s.result.key = "aa";
    assert_int_equal(index_put_result(f->cache.index, &s.result, &err), 0);
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
    assert_int_equal(index_find_stat(f->cache.index, "young", &st, &cached, &err), -ENOENT);
    /* ctime can't be set back, so the test stores the metadata that an old file would have. */
    assert_int_equal(index_put_stat(f->cache.index, "young", &st, &digest, &err), 0);
    assert_int_equal(index_find_stat(f->cache.index, "young", &st, &cached, &err), 0);
    assert_string_equal(cached.hex, digest.hex);
    put("young", "abd"); /* another inode, same size */
    assert_int_equal(cache_digest(&f->cache, "young", &cached, &st, &err), 0);
    assert_string_not_equal(cached.hex, digest.hex);
    assert_int_equal(cache_digest(&f->cache, ".", &digest, &st, &err), -EINVAL);
    assert_int_equal(cache_digest(&f->cache, "nowhere", &digest, &st, &err), -ENOENT);
}

/* Writes to a mapped page that is dirty already, as numpy.memmap does: no time changes. */
static void a_store_through_a_mapping_is_seen(void **state)
{
    struct fixture *f = *state;
    struct digest first, second;
    struct stat st;
    struct statfs fs;
    struct error err;
    put("mapped", "abc");
    assert_int_equal(statfs("mapped", &fs), 0);
    if (fs.f_type == TMPFS_MAGIC) {
        print_message("skipped: tmpfs keeps no times of stores through a mapping\n");
        skip();
    }
    int fd = open("mapped", O_RDWR | O_CLOEXEC);
    char *bytes = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    bytes[0] = 'B';
    assert_int_equal(cache_digest(&f->cache, "mapped", &first, &st, &err), 0);
    assert_int_equal(index_put_stat(f->cache.index, "mapped", &st, &first, &err), 0);
    usleep(50000);
    bytes[0] = 'C';
    assert_int_equal(cache_digest(&f->cache, "mapped", &second, &st, &err), 0);
    assert_string_not_equal(first.hex, second.hex);
    munmap(bytes, 3);
    close(fd);
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

/* ---- a damaged index ---- */

static void scribble(const char *path, long from, long size)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, from, SEEK_SET), 0);
    for (long i = 0; i < size; i++)
        fputc(rand() & 0xff, file);
    fclose(file);
}

static void a_damaged_index_is_made_anew_from_the_records(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct sample s;
    struct fsck fsck;
    struct cache other;
    char key[65];
    make_sample(f, &s, "kind k 1\n");
    commit(f, &s.result);
    assert_int_equal(index_set_latest(f->cache.index, "x.yaml", "s", s.key.hex, &err), 0);
    for (int part = 0; part < 3; part++) {
        cache_close(&f->cache);
        scribble("cache/index.sqlite",
                 part == 0   ? 0
                 : part == 1 ? 4096
                             : 100,
                 part == 2 ? 3000 : 8192);
        int rc = fsck_open(&other, "cache", false, &fsck, &err);
        assert_true(rc == -EUCLEAN || rc == -EIO);
        assert_non_null(strstr(err.text, "index.sqlite"));
        fsck_free(&fsck);
        assert_int_equal(fsck_open(&f->cache, "cache", true, &fsck, &err), 0);
        assert_true(fsck.rebuilt);
        fsck_free(&fsck);
        assert_int_equal(find(f, s.key.hex), 0);
        assert_int_equal(access("cache/damaged/index.sqlite", F_OK), 0);
    }
    int rc = index_latest(f->cache.index, "x.yaml", "s", key, &err);
    assert_true(rc == 0 || rc == -ENOENT); /* saved if its page was readable */
}

static void a_lost_index_is_no_loss(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct sample s;
    make_sample(f, &s, "kind k 1\n");
    commit(f, &s.result);
    cache_close(&f->cache);
    assert_int_equal(unlink("cache/index.sqlite"), 0);
    assert_int_equal(cache_open(&f->cache, "cache", false, &err), 0);
    assert_int_equal(find(f, s.key.hex), 0);
}

static void a_foreign_file_is_no_index(void **state)
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
    assert_non_null(strstr(err.text, "fsck --repair"));
    assert_int_equal(cache_open(&other, "absent", false, &err), 0);
    assert_int_equal(access("absent", F_OK), -1);
    cache_close(&other);
}

/* Each way in which index and records can disagree, and the result of fsck. */
static void fsck_makes_index_and_records_agree(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    static const char *const losses[] = {"DELETE FROM output", "DELETE FROM result", "record gone",
                                         "record damaged"};
    for (size_t i = 0; i < 4; i++) {
        struct sample s;
        struct fsck fsck = {0};
        make_sample(f, &s, "kind k 1\n");
        commit(f, &s.result);
        char *path = record_path(f->cache.folder, s.key.hex);
        if (i < 2)
            execute(losses[i]);
        else if (i == 2)
            assert_int_equal(unlink(path), 0);
        else
            put(path, "{}\n");
        reopen(f);
        assert_int_equal(fsck_scan(&f->cache, &fsck, &err), 0);
        assert_int_equal(fsck.fault_count, 1);
        assert_int_equal(fsck_repair(&f->cache, &fsck, &err), 0);
        fsck_free(&fsck);
        assert_int_equal(fsck_scan(&f->cache, &fsck, &err), 0);
        assert_int_equal(fsck.fault_count, 0);
        fsck_free(&fsck);
        assert_int_equal(find(f, s.key.hex), 0);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(results_are_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(an_output_with_a_dot_may_get_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(a_write_that_keeps_size_and_time_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_truncated_blob_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_only_looks_changed_is_verified_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_index_lost_comes_back_from_the_record, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(damaged_and_foreign_records_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(results_that_read_a_damaged_blob_are_affected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cache_of_format_1_is_brought_to_format_2, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cache_of_format_1_can_be_read_where_it_may_not_be_written,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(results_that_differ_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_last_until_a_result, setup, teardown),
        cmocka_unit_test_setup_teardown(only_settled_files_are_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_through_a_mapping_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(old_temporaries_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_index_is_made_anew_from_the_records, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lost_index_is_no_loss, setup, teardown),
        cmocka_unit_test_setup_teardown(a_foreign_file_is_no_index, setup, teardown),
        cmocka_unit_test_setup_teardown(fsck_makes_index_and_records_agree, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
