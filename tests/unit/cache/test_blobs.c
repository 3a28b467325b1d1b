/* cache/: digests, blobs and folders of files. */
#include "tests/unit/cache_folder.h"

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
    struct stat st;
    put("one", "abc");
    put("two", "abc");
    struct blob a = stored(f, "one", false), b = stored(f, "two", false);
    assert_string_equal(a.digest.hex, b.digest.hex);
    assert_true(present(f, &a));
    char *path = cache_blob_path(&f->cache, &a.digest);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
    assert_int_equal(access("two", F_OK), -1);
    free(path);
}

static void nothing_moves_before_the_end(void **state)
{
    struct fixture *f = *state;
    struct blob_writer writer;
    struct blob blob;
    struct error err;
    put("one", "abc");
    blob_writer_start(&writer, &f->cache);
    assert_int_equal(blob_writer_add(&writer, "one", false, &blob, &err), 0);
    assert_int_equal(access("one", F_OK), 0);
    blob_writer_free(&writer);
    assert_int_equal(access("one", F_OK), 0);
    assert_false(present(f, &blob));
}

static void a_file_that_changes_while_it_is_stored_is_refused(void **state)
{
    struct fixture *f = *state;
    struct blob_writer writer;
    struct blob blob;
    struct error err;
    put("one", "abc");
    blob_writer_start(&writer, &f->cache);
    assert_int_equal(blob_writer_add(&writer, "one", false, &blob, &err), 0);
    FILE *file = fopen("one", "r+");
    assert_non_null(file);
    fputc('x', file);
    fclose(file);
    assert_int_equal(blob_writer_finish(&writer, &err), -EIO);
    blob_writer_free(&writer);
    assert_false(present(f, &blob));
}

static void a_linked_file_is_copied_not_moved(void **state)
{
    struct fixture *f = *state;
    struct error err;
    put("target", "abc");
    assert_int_equal(symlink("target", "link"), 0);
    struct blob blob = stored(f, "link", false);
    put("target", "changed");
    assert_true(present(f, &blob));
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(refused(f, "pipe", false, &err), -EINVAL);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(refused(f, "dangling", false, &err), -ENOENT);
    assert_non_null(strstr(err.text, "symbolic link to nothing"));
}

static void outputs_may_be_links_to_each_other(void **state)
{
    struct fixture *f = *state;
    struct blob_writer writer;
    struct blob blobs[3];
    struct error err;
    static const char *const names[] = {"ckpt-3", "latest", "other"};
    put("ckpt-3", "abc");
    assert_int_equal(symlink("ckpt-3", "latest"), 0);
    assert_int_equal(symlink("latest", "other"), 0);
    blob_writer_start(&writer, &f->cache);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(blob_writer_add(&writer, names[i], false, &blobs[i], &err), 0);
    assert_int_equal(blob_writer_finish(&writer, &err), 0);
    blob_writer_free(&writer);
    assert_string_equal(blobs[0].digest.hex, blobs[1].digest.hex);
    assert_string_equal(blobs[0].digest.hex, blobs[2].digest.hex);
    assert_true(present(f, &blobs[0]));
}

static void trees_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    struct blob blobs[2];
    struct tree tree;
    struct error err;
    char *text;
    size_t size;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(file_make_folders("t/sub", &err), 0);
        put(round ? "t/sub/b" : "t/a", round ? "two" : "one"); /* in another order */
        put(round ? "t/a" : "t/sub/b", round ? "one" : "two");
        blobs[round] = stored(f, "t", true);
    }
    assert_string_equal(blobs[0].digest.hex, blobs[1].digest.hex);
    assert_true(present(f, &blobs[0]));
    assert_int_equal(cache_read_tree(&f->cache, &blobs[0], &tree, &err), 0);
    assert_int_equal(tree.count, 2);
    assert_string_equal(tree.entries[0].path, "a");
    assert_string_equal(tree.entries[1].path, "sub/b");
    assert_int_equal(cache_place(&f->cache, &blobs[0], "linked", BLOB_LINK, &err), 0);
    assert_int_equal(file_read("linked/sub/b", 100, &text, &size, &err), 0);
    assert_string_equal(text, "two");
    free(text);
    char *path = cache_blob_path(&f->cache, &tree.entries[1].digest);
    assert_int_equal(unlink(path), 0);
    assert_false(present(f, &blobs[0]));
    free(path);
    tree_free(&tree);
}

/* The digest of a folder that has only files is part of keys, so it must never change. */
static void a_tree_of_files_keeps_its_digest(void **state)
{
    struct fixture *f = *state;
    struct error err;
    assert_int_equal(file_make_folders("t/sub", &err), 0);
    put("t/a", "one");
    put("t/sub/b", "two");
    struct blob blob = stored(f, "t", true);
    assert_string_equal(blob.digest.hex,
                        "b44d8579e33077c6208c222023c82e524d8b07e4ecb6f3beb394e58cf6b6ed2a");
}

static void assert_link(const char *path, const char *target)
{
    char text[200];
    ssize_t n = readlink(path, text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = 0;
    assert_string_equal(text, target);
}

static void trees_keep_links_modes_and_empty_folders(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct stat st;
    char *absolute = realpath(".", NULL), *target;
    assert_int_equal(file_make_folders("t/sub/ckpt-3", &err), 0);
    assert_int_equal(file_make_folders("t/empty", &err), 0);
    put("t/sub/ckpt-3/w", "weights");
    put("t/run.sh", "#!/bin/sh\n");
    assert_int_equal(chmod("t/run.sh", 0755), 0);
    assert_int_equal(symlink("ckpt-3", "t/sub/a-latest"), 0); /* one sorts before its target */
    assert_int_equal(symlink("sub/ckpt-3/w", "t/zz"), 0);
    target = format_string("%s/t/sub/ckpt-3", absolute);
    assert_int_equal(symlink(target, "t/sub/absolute"), 0);
    assert_int_equal(symlink("..", "t/sub/up"), 0);
    put("outside", "outside");
    assert_int_equal(symlink("../outside", "t/outside"), 0);
    struct blob blob = stored(f, "t", true);
    assert_true(present(f, &blob));
    for (int copy = 0; copy < 2; copy++) {
        const char *as = copy ? "copied" : "linked";
        assert_int_equal(cache_place(&f->cache, &blob, as, copy ? BLOB_COPY : BLOB_LINK, &err), 0);
        assert_int_equal(chdir(as), 0);
        assert_link("sub/a-latest", "ckpt-3");
        assert_link("sub/absolute", "../sub/ckpt-3");
        assert_link("sub/up", "..");
        assert_link("zz", "sub/ckpt-3/w");
        assert_int_equal(access("sub/a-latest/w", R_OK), 0);
        assert_int_equal(access("sub/absolute/w", R_OK), 0);
        assert_int_equal(stat("empty", &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(stat("run.sh", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0555);
        assert_int_equal(lstat("outside", &st), 0);
        assert_int_equal(S_ISLNK(st.st_mode), !copy); /* copied into the store */
        assert_int_equal(chdir(".."), 0);
    }
    free(target);
    free(absolute);
}

static void one_executable_file_stays_one(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct stat st;
    put("program", "#!/bin/sh\n");
    assert_int_equal(chmod("program", 0755), 0);
    struct blob blob = stored(f, "program", false);
    assert_true(blob.executable);
    assert_int_equal(cache_place(&f->cache, &blob, "again", BLOB_LINK, &err), 0);
    assert_int_equal(lstat("again", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0555);
}

static void links_out_of_a_tree_to_folders_are_refused(void **state)
{
    struct fixture *f = *state;
    struct error err;
    assert_int_equal(file_make_folders("t/sub", &err), 0);
    assert_int_equal(symlink("/etc", "t/sub/etc"), 0);
    assert_int_equal(refused(f, "t", true, &err), -EINVAL);
    assert_int_equal(unlink("t/sub/etc"), 0);
    assert_int_equal(symlink(".", "t/self"), 0);
    assert_int_equal(refused(f, "t", true, &err), -EINVAL);
    assert_non_null(strstr(err.text, "the folder that it is in"));
}

/* A folder that its owner can't write to, as in Go's module cache. */
static void read_only_folders_are_stored_and_removed(void **state)
{
    struct fixture *f = *state;
    struct error err;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(file_make_folders("t/mod", &err), 0);
        put("t/mod/a", "one");
        assert_int_equal(chmod("t/mod", 0500), 0);
        assert_int_equal(chmod("t", 0500), 0);
        if (round == 0) {
            struct blob blob = stored(f, "t", true);
            assert_true(present(f, &blob));
        }
        assert_int_equal(file_remove_tree("t", &err), 0);
        assert_int_equal(access("t", F_OK), -1);
    }
}

/* An output may be a link to a file of the user: that file stays where it is, and writable. */
static void what_lies_behind_a_link_stays(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct stat st;
    assert_int_equal(file_make_folders("theirs", &err), 0);
    put("theirs/a", "one");
    assert_int_equal(symlink("theirs", "ours"), 0);
    struct blob tree = stored(f, "ours", true), file = stored(f, "ours/a", false);
    assert_true(present(f, &tree));
    assert_true(present(f, &file));
    assert_int_equal(stat("theirs/a", &st), 0);
    assert_int_equal(st.st_mode & 0200, 0200);
}

static void a_blob_is_replaced_only_if_damaged(void **state)
{
    struct fixture *f = *state;
    struct stat before, after;
    struct blob blob = stored_text(f, "abc");
    char *path = cache_blob_path(&f->cache, &blob.digest);
    assert_int_equal(stat(path, &before), 0);
    put("again", "abc");
    stored(f, "again", false);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    for (int same_size = 0; same_size < 2; same_size++) {
        assert_int_equal(chmod(path, 0644), 0);
        if (same_size)
            damage(f, &blob.digest);
        else
            assert_int_equal(truncate(path, 1), 0);
        put("again", "abc");
        stored(f, "again", false);
        assert_true(present(f, &blob));
    }
    free(path);
}

static void hostile_manifests_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const char *const lines[] = {"%s 1 ../x\n",
                                        "%s 1 /x\n",
                                        "%s 1 a/../x\n",
                                        "%s 1 \n",
                                        "%s x a\n",
                                        "%.9s 1 a\n",
                                        "%s 1 a",
                                        "%s 1 a//b\n",
                                        "%s 1 ./a\n",
                                        "%s 1 a/\n",
                                        "%s 1 b\n%s 1 a\n",
                                        "%s 1 a\n%s 1 a\n",
                                        "%s 1 a\n%s 1 a/b\n",
                                        "exec %s 1 ../x\n",
                                        "folder ../x\n",
                                        "folder \n",
                                        "link 1 a /etc\n",
                                        "link 1 a ../x\n",
                                        "link 9 a b\n",
                                        "link 1 a b/../../x\n",
                                        "link 1 a b/..\n",
                                        "link x a b\n",
                                        "link 3 a/b ../../x\n",
                                        "link 1 a b\n%s 1 a/x\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[300];
        struct tree tree;
        struct error err;
        snprintf(text, sizeof text, lines[i], zeros, zeros);
        struct blob blob = stored_text(f, text);
        assert_int_equal(cache_read_tree(&f->cache, &blob, &tree, &err), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(digests_are_sha256, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_stored_once_and_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_moves_before_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_changes_while_it_is_stored_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_linked_file_is_copied_not_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(outputs_may_be_links_to_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(trees_come_back_as_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tree_of_files_keeps_its_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(trees_keep_links_modes_and_empty_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(one_executable_file_stays_one, setup, teardown),
        cmocka_unit_test_setup_teardown(links_out_of_a_tree_to_folders_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(read_only_folders_are_stored_and_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_lies_behind_a_link_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blob_is_replaced_only_if_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_manifests_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
