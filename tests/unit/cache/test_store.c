/* cache/store.h: the same cases for every blob store. A new store is one more row of `stores`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cache/store_local.h"
#include "tests/unit/cache/store_memory.h"

/* ---- the stores ---- */

struct tested_store {
    const char *name;
    int (*open)(struct store **store, const char *folder, struct error *err);
    /* Changes the first byte of a stored blob. */
    void (*damage)(struct store *store, const struct digest *digest);
    bool keeps_files; /* a put can fail for lack of space */
};

static int open_file_address(struct store **store, const char *folder, struct error *err)
{
    char *address = format_string("file://%s/store", folder);
    int rc = store_open(store, address, err);
    free(address);
    return rc;
}

/* A folder on another file system than the source files, as a shared folder may be. On the same one
 * if there is no /dev/shm. */
static char *other_folder(const char *folder)
{
    return access("/dev/shm", W_OK) == 0 ? format_string("/dev/shm/%s", strrchr(folder, '/') + 1)
                                         : format_string("%s/other", folder);
}

static int open_other_file_system(struct store **store, const char *folder, struct error *err)
{
    char *path = other_folder(folder);
    int rc = store_open(store, path, err);
    free(path);
    return rc;
}

static void damage_local(struct store *store, const struct digest *digest)
{
    char *path = store_local_path((struct store_local *)store, digest);
    assert_int_equal(chmod(path, 0644), 0);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    int first = fgetc(file);
    rewind(file);
    fputc(first ^ 1, file);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void damage_memory(struct store *store, const struct digest *digest)
{
    struct memory_blob *blob = *memory_find((struct store_memory *)store, digest);
    assert_non_null(blob);
    if (blob) /* for the analyzer */
        blob->bytes[0] ^= 1;
}

static const struct tested_store stores[] = {
    {"local", open_file_address, damage_local, true},
    {"other file system", open_other_file_system, damage_local, true},
    {"memory", memory_open, damage_memory, false},
};

/* ---- fixture ---- */

struct fixture {
    const struct tested_store *tested;
    char folder[64];
    struct store *store;
    bool killed; /* temporary files of a killed process may be left */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err = {""};
    assert_non_null(f);
    f->tested = *state;
    strcpy(f->folder, "/tmp/ferdag-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(chdir(f->folder), 0);
    assert_int_equal(f->tested->open(&f->store, f->folder, &err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char *other = other_folder(f->folder);
    if (f->tested->keeps_files && !f->killed) { /* a case must not leave a temporary file */
        char *temporaries = format_string("%s/tmp", ((struct store_local *)f->store)->folder);
        assert_true(rmdir(temporaries) == 0 || errno == ENOENT);
        free(temporaries);
    }
    store_close(f->store);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(file_remove_tree(f->folder, NULL), 0);
    assert_int_equal(file_remove_tree(other, NULL), 0);
    free(other);
    free(f);
    return 0;
}

/* Writes a file and returns its digest. */
static struct digest file_of(const char *path, const void *bytes, size_t size)
{
    struct digest digest;
    struct error err = {""};
    assert_int_equal(file_write(path, bytes, size, &err), 0);
    assert_int_equal(sha256_memory(bytes, size, &digest, &err), 0);
    return digest;
}

static struct digest put_text(struct fixture *f, const char *text)
{
    struct error err = {""};
    struct digest digest = file_of("in", text, strlen(text));
    assert_int_equal(store_put(f->store, &digest, "in", &err), 0);
    return digest;
}

static bool has(struct fixture *f, const struct digest *digest)
{
    struct error err = {""};
    uint64_t size;
    int rc = store_has(f->store, digest, &size, &err);
    assert_true(rc == 0 || rc == -ENOENT);
    assert_string_equal(err.text, "");
    return rc == 0;
}

/* Asserts that the blob comes back with these bytes. */
static void assert_bytes(struct fixture *f, const struct digest *digest, const void *bytes,
                         size_t size)
{
    struct error err = {""};
    char *text;
    size_t found;
    uint64_t stored;
    assert_int_equal(store_has(f->store, digest, &stored, &err), 0);
    assert_int_equal(stored, size);
    assert_int_equal(store_get(f->store, digest, "out", &err), 0);
    assert_int_equal(file_read("out", SIZE_MAX / 2, &text, &found, &err), 0);
    assert_int_equal(found, size);
    assert_memory_equal(text, bytes, size);
    assert_int_equal(unlink("out"), 0);
    free(text);
}

static int count_blob(void *data, const struct digest *digest, struct error *err)
{
    (void)digest;
    (void)err;
    ++*(size_t *)data;
    return 0;
}

static size_t count_blobs(struct fixture *f)
{
    struct error err = {""};
    size_t count = 0;
    assert_int_equal(store_list(f->store, count_blob, &count, &err), 0);
    return count;
}

/* ---- cases ---- */

static void a_blob_comes_back(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct digest digest = put_text(f, "abc");
    assert_bytes(f, &digest, "abc", 3);
    assert_int_equal(access("in", R_OK | W_OK), 0); /* the file that was put stays */
    assert_int_equal(store_remove(f->store, &digest, &err), 0);
    assert_false(has(f, &digest));
    assert_int_equal(store_remove(f->store, &digest, &err), 0);
}

static void a_missing_blob_is_no_error(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct digest digest = file_of("in", "abc", 3);
    assert_false(has(f, &digest));
    assert_int_equal(store_get(f->store, &digest, "out", &err), -ENOENT);
    assert_string_equal(err.text, "");
    assert_int_equal(access("out", F_OK), -1);
    assert_int_equal(count_blobs(f), 0);
}

static void the_same_blob_is_stored_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        struct digest digest = put_text(f, "abc");
        assert_bytes(f, &digest, "abc", 3);
    }
    assert_int_equal(count_blobs(f), 1);
}

static void empty_and_large_blobs(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    static const size_t sizes[] = {0, 1, 65536, 3000001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *bytes = malloc(sizes[i] + 1);
        assert_non_null(bytes);
        for (size_t k = 0; k < sizes[i]; k++)
            bytes[k] = (char)(k * 7 + k / 251);
        struct digest digest = file_of("in", bytes, sizes[i]);
        assert_int_equal(store_put(f->store, &digest, "in", &err), 0);
        assert_bytes(f, &digest, bytes, sizes[i]);
        free(bytes);
    }
    assert_int_equal(count_blobs(f), 4);
}

static void other_bytes_than_the_digest_are_refused(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct digest digest = file_of("in", "abc", 3);
    file_of("in", "abd", 3);
    assert_int_equal(store_put(f->store, &digest, "in", &err), -EILSEQ);
    assert_string_not_equal(err.text, "");
    assert_false(has(f, &digest));
    assert_int_equal(count_blobs(f), 0);
}

/* -ENOENT would mean that the blob is missing. */
static void paths_that_do_not_exist(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct digest digest = put_text(f, "abc");
    assert_int_equal(store_put(f->store, &digest, "no/such/file", &err), -EIO);
    assert_non_null(strstr(err.text, "no/such/file"));
    err.text[0] = 0;
    assert_int_equal(store_get(f->store, &digest, "no/such/folder", &err), -EIO);
    assert_non_null(strstr(err.text, "no/such/folder"));
    assert_true(has(f, &digest));
}

static void a_damaged_blob_is_refused_and_replaced(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct digest digest = put_text(f, "abc");
    f->tested->damage(f->store, &digest);
    assert_int_equal(store_get(f->store, &digest, "out", &err), -EILSEQ);
    assert_string_not_equal(err.text, "");
    assert_int_equal(access("out", F_OK), -1);
    put_text(f, "abc");
    assert_bytes(f, &digest, "abc", 3);
}

static void get_overwrites_nothing(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct digest digest = put_text(f, "abc"), other = file_of("out", "other", 5), found;
    assert_true(store_get(f->store, &digest, "out", &err) < 0);
    assert_int_equal(sha256_file("out", &found, NULL, &err), 0);
    assert_string_equal(found.hex, other.hex);
}

struct seen {
    char hex[3][65];
    size_t count, stop_at;
};

static int note_seen(void *data, const struct digest *digest, struct error *err)
{
    struct seen *seen = data;
    assert_true(seen->count < 3);
    memcpy(seen->hex[seen->count++], digest->hex, sizeof digest->hex);
    return seen->count == seen->stop_at ? error_set(err, ECANCELED, "enough") : 0;
}

static void list_names_each_blob_once(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct digest digests[3] = {put_text(f, "a"), put_text(f, "b"), put_text(f, "c")};
    struct seen seen = {.count = 0};
    assert_int_equal(store_list(f->store, note_seen, &seen, &err), 0);
    assert_int_equal(seen.count, 3);
    for (size_t i = 0; i < 3; i++) {
        int times = 0;
        for (size_t k = 0; k < 3; k++)
            times += strcmp(seen.hex[k], digests[i].hex) == 0;
        assert_int_equal(times, 1);
    }
    seen = (struct seen){.stop_at = 2};
    assert_int_equal(store_list(f->store, note_seen, &seen, &err), -ECANCELED);
    assert_int_equal(seen.count, 2);
}

/* No space for the file. The limit of a file's size simulates a full disk. */
static void what_does_not_fit_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    char *bytes = calloc(1, 100000);
    assert_non_null(bytes);
    struct digest digest = file_of("in", bytes, 100000);
    struct rlimit before, small = {.rlim_cur = 5000};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    if (f->tested->keeps_files) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_true(store_put(f->store, &digest, "in", &err) < 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_string_not_equal(err.text, "");
        assert_false(has(f, &digest));
    }
    assert_int_equal(store_put(f->store, &digest, "in", &err), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_true(store_get(f->store, &digest, "out", &err) < 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(access("out", F_OK), -1);
    assert_bytes(f, &digest, bytes, 100000);
    free(bytes);
}

/* ---- a killed process ---- */

enum { KILLS = 12, KILL_BLOBS = 8, KILL_SIZE = 400000 };

/* Puts and removes blobs until it is killed. */
static void put_until_killed(struct store *store, const struct digest *digests)
{
    for (int i = 0;; i = (i + 1) % KILL_BLOBS) {
        char name[16];
        struct error err;
        snprintf(name, sizeof name, "large-%d", i);
        store_put(store, &digests[i], name, &err);
        store_remove(store, &digests[(i + 3) % KILL_BLOBS], &err);
    }
}

static int get_listed(void *data, const struct digest *digest, struct error *err)
{
    struct fixture *f = data;
    int rc = store_get(f->store, digest, "out", err);
    unlink("out");
    return rc;
}

/* After a kill at any moment, each listed blob is complete and can be put again. */
static void a_killed_put_leaves_whole_blobs(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    struct digest digests[KILL_BLOBS];
    char *bytes = malloc(KILL_SIZE), name[16];
    if (!f->tested->keeps_files) {
        free(bytes);
        return; /* its blobs end with the process */
    }
    assert_non_null(bytes);
    for (int i = 0; i < KILL_BLOBS; i++) {
        memset(bytes, i + 1, KILL_SIZE);
        snprintf(name, sizeof name, "large-%d", i);
        digests[i] = file_of(name, bytes, KILL_SIZE);
    }
    for (int round = 0; round < KILLS; round++) {
        pid_t child = fork();
        if (child == 0)
            put_until_killed(f->store, digests);
        usleep(3000 + 1700 * (useconds_t)round);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        assert_int_equal(store_list(f->store, get_listed, f, &err), 0);
    }
    assert_int_equal(store_put(f->store, &digests[0], "large-0", &err), 0);
    memset(bytes, 1, KILL_SIZE);
    assert_bytes(f, &digests[0], bytes, KILL_SIZE);
    free(bytes);
    f->killed = true;
}

/* ---- several threads ---- */

enum { THREADS = 4, BLOBS = 20 };

struct putter {
    struct store *store;
    int first; /* of the blobs; each thread puts them in another order */
    int failed;
};

static void blob_name(char name[16], int i)
{
    snprintf(name, 16, "blob-%d", i);
}

static void *put_all(void *data)
{
    struct putter *putter = data;
    for (int i = 0; i < BLOBS; i++) {
        char name[16];
        struct digest digest;
        struct error err;
        blob_name(name, (putter->first + i) % BLOBS);
        putter->failed += sha256_file(name, &digest, NULL, &err) < 0 ||
                          store_put(putter->store, &digest, name, &err) < 0;
    }
    return NULL;
}

static void threads_may_put_the_same_blobs(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    struct putter putters[THREADS];
    struct digest digests[BLOBS];
    char name[16];
    for (int i = 0; i < BLOBS; i++) {
        blob_name(name, i);
        digests[i] = file_of(name, name, strlen(name));
    }
    for (int t = 0; t < THREADS; t++) {
        putters[t] = (struct putter){f->store, t * BLOBS / THREADS, 0};
        assert_int_equal(pthread_create(&threads[t], NULL, put_all, &putters[t]), 0);
    }
    for (int t = 0; t < THREADS; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(putters[t].failed, 0);
    }
    for (int i = 0; i < BLOBS; i++) {
        blob_name(name, i);
        assert_bytes(f, &digests[i], name, strlen(name));
    }
    assert_int_equal(count_blobs(f), BLOBS);
}

/* ---- addresses, and stores that can't list ---- */

static void addresses(void **state)
{
    struct store *store;
    struct error err = {""};
    (void)state;
    assert_int_equal(store_open(&store, "gopher://host/path", &err), -EINVAL);
    assert_non_null(strstr(err.text, "gopher://host/path"));
    assert_int_equal(store_open(&store, "some/folder", &err), 0);
    assert_ptr_equal(store->type, &store_local_type);
    store_close(store);
    store_close(NULL);
    assert_int_equal(access("some", F_OK), -1); /* opening creates nothing */
    struct store_type silent = store_memory_type;
    silent.list = NULL;
    size_t count = 0;
    assert_int_equal(store_list(&(struct store){&silent}, count_blob, &count, &err), -ENOTSUP);
}

struct test_case {
    const char *name;
    CMUnitTestFunction run;
};

static const struct test_case cases[] = {
    {"a blob comes back", a_blob_comes_back},
    {"a missing blob is no error", a_missing_blob_is_no_error},
    {"the same blob is stored once", the_same_blob_is_stored_once},
    {"empty and large blobs", empty_and_large_blobs},
    {"other bytes than the digest are refused", other_bytes_than_the_digest_are_refused},
    {"paths that do not exist", paths_that_do_not_exist},
    {"a damaged blob is refused and replaced", a_damaged_blob_is_refused_and_replaced},
    {"get overwrites nothing", get_overwrites_nothing},
    {"list names each blob once", list_names_each_blob_once},
    {"what does not fit leaves nothing", what_does_not_fit_leaves_nothing},
    {"a killed put leaves whole blobs", a_killed_put_leaves_whole_blobs},
    {"threads may put the same blobs", threads_may_put_the_same_blobs},
};

enum { STORES = sizeof stores / sizeof *stores, CASES = sizeof cases / sizeof *cases };

int main(void)
{
    struct CMUnitTest tests[STORES * CASES + 1] = {cmocka_unit_test(addresses)};
    static char names[STORES * CASES][100];
    size_t n = 1;
    for (size_t s = 0; s < STORES; s++)
        for (size_t c = 0; c < CASES; c++, n++) {
            snprintf(names[n - 1], sizeof names[0], "%s: %s", stores[s].name, cases[c].name);
            tests[n] = (struct CMUnitTest){names[n - 1], cases[c].run, setup, teardown,
                                           (void *)&stores[s]};
        }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
