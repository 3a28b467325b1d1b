/* cache/attempts.h: locks, and the folders of attempts. */
#include "tests/unit/cache_folder.h"

#include <signal.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "cache/attempts.h"

static const char key[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void a_lock_is_held_by_one(void **state)
{
    struct fixture *f = *state;
    struct error err;
    int lock = key_lock(&f->cache, "aa", &err);
    assert_true(lock >= 0);
    assert_true(key_is_locked(&f->cache, "aa"));
    assert_int_equal(key_lock(&f->cache, "aa", &err), -EAGAIN);
    int other = key_lock(&f->cache, "bb", &err);
    assert_true(other >= 0);
    pid_t child = fork(); /* a child that inherits the lock holds it */
    if (child == 0) {
        pause();
        _exit(0);
    }
    close(lock);
    assert_int_equal(key_lock(&f->cache, "aa", &err), -EAGAIN);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    lock = key_lock(&f->cache, "aa", &err);
    assert_true(lock >= 0);
    key_unlock(&f->cache, "aa", lock);
    key_unlock(&f->cache, "bb", other);
    assert_false(key_is_locked(&f->cache, "aa"));
}

static char *start(struct fixture *f, bool resume)
{
    struct error err;
    char *folder;
    assert_int_equal(attempt_start(&f->cache, key, resume, &folder, &err), 0);
    return folder;
}

static void put_in(const char *folder, const char *name)
{
    char *path = format_string("%s/%s", folder, name);
    put(path, name);
    free(path);
}

static bool holds(const char *folder, const char *name)
{
    char *path = format_string("%s/%s", folder, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static void each_attempt_has_a_fresh_folder(void **state)
{
    struct fixture *f = *state;
    char *first = start(f, true);
    put_in(first, "half");
    put_in(first, "log.txt");
    put_in(first, "progress.json");
    put_in(first, "checkpoint.safetensors");
    char *second = start(f, true);
    assert_string_not_equal(first, second);
    assert_int_equal(access(first, F_OK), -1);
    assert_true(holds(second, "checkpoint.safetensors"));
    assert_true(holds(second, "log.txt"));
    assert_true(holds(second, "progress.json"));
    assert_false(holds(second, "half"));
    char *last = attempt_last(&f->cache, key);
    assert_string_equal(last, second);
    char *third = start(f, false);
    assert_false(holds(third, "checkpoint.safetensors"));
    assert_int_equal(access(second, F_OK), -1);
    free(first);
    free(second);
    free(third);
    free(last);
}

/* The folder as earlier versions named it. */
static void the_checkpoint_of_an_older_version_is_found(void **state)
{
    struct fixture *f = *state;
    struct error err;
    char *old = format_string("cache/work/%s", key);
    assert_int_equal(file_make_folders(old, &err), 0);
    put_in(old, "checkpoint.safetensors");
    char *folder = start(f, true);
    assert_true(holds(folder, "checkpoint.safetensors"));
    assert_int_equal(access(old, F_OK), -1);
    free(folder);
    free(old);
}

static void age(const char *folder, int days)
{
    struct timespec then[2];
    clock_gettime(CLOCK_REALTIME, &then[0]);
    then[0].tv_sec -= (time_t)days * 24 * 3600 + 60;
    then[1] = then[0];
    static const char *const names[] = {"checkpoint.safetensors", "half", "."};
    for (size_t i = 0; i < 3; i++) {
        char *path = format_string("%s/%s", folder, names[i]);
        utimensat(AT_FDCWD, path, then, 0);
        free(path);
    }
}

static void abandoned_attempts_are_removed_with_age(void **state)
{
    struct fixture *f = *state;
    char *folder = start(f, true);
    put_in(folder, "half");
    age(folder, ATTEMPT_DAYS - 1);
    attempts_clean(&f->cache);
    assert_int_equal(access(folder, F_OK), 0);
    age(folder, ATTEMPT_DAYS);
    int lock = key_lock(&f->cache, key, NULL);
    attempts_clean(&f->cache);
    assert_int_equal(access(folder, F_OK), 0); /* the key is locked */
    close(lock);                               /* killed: the lock's file stays */
    put_in(folder, "checkpoint.safetensors");
    age(folder, ATTEMPT_CHECKPOINT_DAYS - 1);
    attempts_clean(&f->cache);
    assert_int_equal(access(folder, F_OK), 0);
    age(folder, ATTEMPT_CHECKPOINT_DAYS);
    attempts_clean(&f->cache);
    assert_int_equal(access(folder, F_OK), -1);
    char *file = format_string("cache/work/%s.lock", key);
    assert_int_equal(access(file, F_OK), -1);
    free(file);
    free(folder);
}

static void attempts_can_be_listed(void **state)
{
    struct fixture *f = *state;
    struct attempt *attempts;
    struct error err;
    size_t count;
    char *folder = start(f, true);
    put_in(folder, "checkpoint.safetensors");
    int lock = key_lock(&f->cache, key, &err);
    assert_int_equal(attempt_list(&f->cache, &attempts, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(attempts[0].key, key);
    assert_string_equal(attempts[0].folder, folder);
    assert_true(attempts[0].checkpoint);
    assert_true(attempts[0].locked);
    attempts_free(attempts, count);
    key_unlock(&f->cache, key, lock);
    free(folder);
}

/* An attempt that ended with an error doesn't count as interrupted; a later attempt of the same key
 * may. */
static void a_failed_attempt_is_told_from_an_interrupted_one(void **state)
{
    struct fixture *f = *state;
    struct attempt *attempts;
    struct error err;
    size_t count;
    char *folder = start(f, false);
    put_in(folder, "job.json");
    struct failure failure = {.key = (char *)key, .stage = "s", .kind = "k", .message = "why"};
    static const double after_start[] = {-60, 60};
    for (int failed = 0; failed < 2; failed++) {
        failure.finished = clock_now() + after_start[failed];
        assert_int_equal(index_put_failure(f->cache.index, "/x.yaml", &failure, &err), 0);
        assert_int_equal(attempt_list(&f->cache, &attempts, &count, &err), 0);
        assert_int_equal(count, 1);
        assert_int_equal(attempts[0].failed, failed);
        attempts_free(attempts, count);
    }
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lock_is_held_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(each_attempt_has_a_fresh_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(the_checkpoint_of_an_older_version_is_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(abandoned_attempts_are_removed_with_age, setup, teardown),
        cmocka_unit_test_setup_teardown(attempts_can_be_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_attempt_is_told_from_an_interrupted_one, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
