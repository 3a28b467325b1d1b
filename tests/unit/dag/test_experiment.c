/* dag/: from the file's text to stages with params, inputs and order, and to their keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "dag/experiment/experiment.h"
#include "dag/key.h"
#include "dag/plan.h"
#include "tests/unit/scratch_folder.h"

/* Copies the first problem to err. */
static int try(struct experiment *e, const char *file, const char *setting, struct error *err)
{
    struct problems problems = {0};
    int rc = experiment_load(e, file, &setting, setting ? 1 : 0, &problems);
    assert_int_equal(problems_first(&problems, err), rc);
    problems_free(&problems);
    return rc;
}

static struct experiment load(const char *file, const char *setting)
{
    struct experiment e;
    struct error err = {""};
    if (try(&e, file, setting, &err) < 0)
        fail_msg("%s", err.text);
    return e;
}

static const char *run_param(const struct experiment *e, const char *stage)
{
    return json_string_value(json_object_get(experiment_stage(e, stage)->params, "run"));
}

static void a_matrix_becomes_stages(void **state)
{
    (void)state;
    scratch_put(
        "x.yaml",
        "ferdag: 2\nparams: {vs: [a, b], sizes: {a: 10, b: 20}}\nstages:\n"
        "  one: {kind: command, out: {o: o}, with: {run: x}}\n"
        "  m:\n    for: {w: [1, 2.5], v: '${vs}'}\n    kind: command\n"
        "    in: {i: one}\n    out: {o: '${v}.txt', d: d/}\n"
        "    with: {run: '${v} ${sizes.${v}} ${w}'}\n"
        "    needs: {cpu: 2, mem: 1.5G, gpu: optional}\n"
        "  last: {kind: command, in: {p: m/2.5/b, q: m/1/a.d}, out: {o: o}, with: {run: x}}\n");
    struct experiment e = load("x.yaml", NULL);
    static const char *const names[] = {"one", "m/1/a", "m/1/b", "m/2.5/a", "m/2.5/b", "last"};
    assert_int_equal(e.stage_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(e.stages[i]->name, names[i]);
    assert_string_equal(run_param(&e, "m/2.5/b"), "b 20 2.5");
    struct stage *m = experiment_stage(&e, "m/1/a"), *last = experiment_stage(&e, "last");
    assert_string_equal(m->outputs[0].file, "a.txt");
    assert_true(m->outputs[1].tree);
    assert_int_equal(m->cpu, 2);
    assert_int_equal(m->mem, 3ull << 29);
    assert_true(m->gpu == 0 && m->gpu_optional);
    assert_ptr_equal(last->inputs[0].from, experiment_stage(&e, "m/2.5/b"));
    assert_ptr_equal(last->inputs[1].from, m);
    assert_int_equal(last->inputs[1].output, 1);
    assert_int_equal(experiment_stage(&e, "one")->height, 3);
    assert_int_equal(experiment_stage(&e, "one")->user_count, 4);
    bool picked[6] = {false};
    assert_int_equal(experiment_pick(&e, "m/2.5", picked, NULL), 0);
    assert_true(!picked[0] && !picked[1] && picked[3] && picked[4]);
    experiment_free(&e);
}

/* `gpu: TEXT` in hundredths, or -1 if it is refused. */
static int gpu_of(const char *text)
{
    char yaml[300];
    struct experiment e;
    struct problems problems = {0};
    snprintf(
        yaml, sizeof yaml,
        "ferdag: 2\nstages:\n  one: {kind: command, needs: {gpu: %s}, out: {o: o}, with: {run: "
        "x}}\n",
        text);
    scratch_put("x.yaml", yaml);
    int gpu = -1;
    if (experiment_load(&e, "x.yaml", NULL, 0, &problems) == 0) {
        gpu = e.stages[0]->gpu;
        experiment_free(&e);
    }
    problems_free(&problems);
    return gpu;
}

static void gpus_are_whole_or_a_part_of_one(void **state)
{
    static const struct {
        const char *text;
        int gpu;
    } cases[] = {{"0", 0},     {"1", 100},    {"8", 800},      {"0.25", 25},    {"0.01", 1},
                 {"1.0", 100}, {"64", 6400},  {"\"2\"", 200},  {"optional", 0}, {"~", 0},
                 {"none", -1}, {"0.005", -1}, {"1.5", -1},     {"65", -1},      {"-1", -1},
                 {"nan", -1},  {"[1]", -1},   {"required", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (gpu_of(cases[i].text) != cases[i].gpu)
            fail_msg("gpu: %s is %d", cases[i].text, gpu_of(cases[i].text));
}

/* A file may state the numerics of another machine: keys then contain these. */
static void stated_numerics_are_in_the_key(void **state)
{
    (void)state;
    scratch_put(
        "x.yaml",
        "ferdag: 2\nparams: {gpu: NVIDIA H200 sm_90 132 cudnn 9.19.0}\n"
        "numerics: {net: 'cuda ${gpu}', blas: openblas 1.2 Test}\nstages:\n"
        "  faces: {kind: synthetic_faces}\n"
        "  full: {kind: ingest_csv, in: {csv: faces}}\n"
        "  net: {kind: train_cnn, in: {images: full}, with: {model: vgg19}, needs: {cpu: 3}}\n"
        "  features: {kind: extract_features, in: {images: full, weights: net}}\n"
        "  fit: {kind: logistic_regression, in: {features: features}}\n");
    struct experiment e = load("x.yaml", NULL);
    char text[NUMERICS_LIMIT];
    const struct stage *net = experiment_stage(&e, "net"), *fit = experiment_stage(&e, "fit");
    assert_int_equal(key_numerics(net, "cpu", text, sizeof text, NULL), 0);
    assert_string_equal(text, "cuda NVIDIA H200 sm_90 132 cudnn 9.19.0");
    assert_string_equal(stage_backend(net, "cpu"), "cuda");
    assert_int_equal(key_numerics(fit, "cpu", text, sizeof text, NULL), 0);
    assert_string_equal(text, "openblas 1.2 Test");
    assert_string_equal(stage_backend(fit, "ref"), "ref");
    assert_int_equal(key_numerics(experiment_stage(&e, "faces"), "cpu", text, sizeof text, NULL),
                     0);
    assert_string_equal(text, "");
    experiment_free(&e);
}

/* A net on a CPU has its number of threads in the key too. */
static void stated_numerics_of_a_cpu_have_threads(void **state)
{
    char text[NUMERICS_LIMIT];
    (void)state;
    assert_int_equal(numerics_stated(NUMERICS_NET, "cpu avx2", 3, text, sizeof text, NULL), 0);
    assert_string_equal(text, "cpu avx2 threads=3");
    assert_int_equal(numerics_stated(NUMERICS_NET, "cpu avx2", 3, text, 5, NULL), -ENOSPC);
    assert_null(numerics_backend(NUMERICS_NET, "cpux avx2"));
    assert_string_equal(numerics_backend(NUMERICS_PRODUCTS, "openblas 0.3 Zen"), "cpu");
}

/* The stage's memory if `mem: TEXT` is a size, else 0. */
static uint64_t mem_of(const char *text)
{
    char yaml[300];
    struct experiment e;
    struct error err = {""};
    uint64_t mem = 0;
    snprintf(yaml, sizeof yaml,
             "ferdag: 2\nstages:\n  s: {kind: command, out: {o: o}, with: {run: x}, needs: {mem: "
             "'%s'}}\n",
             text);
    scratch_put("mem.yaml", yaml);
    if (try(&e, "mem.yaml", NULL, &err) == 0) {
        mem = e.stages[0]->mem;
        experiment_free(&e);
    } else if (!strstr(err.text, "mem.yaml:3:64: mem: expected a size above 0 such as 500M")) {
        fail_msg("%s: %s", text, err.text);
    }
    return mem;
}

static void sizes_have_a_strict_form(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {
        {"1", 1},
        {"500M", 500 << 20},
        {"2G", 2ull << 30},
        {"1.5G", 3ull << 29},
        {"2GB", 2ull << 30},
        {"2GiB", 2ull << 30},
        {"1KB", 1024},
        {"007K", 7 << 10},
        {"3T", 3ull << 40},
        {"0.5K", 512},
        {"1.9", 1},
        {"123456789", 123456789},
    };
    static const char *const bad[] = {
        "",       "0",
        "0G",     "0.0M",
        "0.0001", "-1G",
        "+1G",    " 1G",
        "1G ",    "1 G",
        "1e3G",   "1E3",
        "0x10",   "inf",
        "nan",    "1g",
        "1k",     "1B",
        "1iB",    "1Gi",
        "1GBB",   "1Gb",
        "1GIB",   "G",
        ".5G",    "1.G",
        "1.",     "1..5G",
        "1,5G",   "1_000",
        "1P",     "1000000T",
        "lots",   "99999999999999999999999999G",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (mem_of(good[i].text) != good[i].size)
            fail_msg("%s is not %llu", good[i].text, (unsigned long long)good[i].size);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (mem_of(bad[i]))
            fail_msg("'%s' was taken for a size", bad[i]);
}

static void includes_are_merged_and_paths_are_the_files_own(void **state)
{
    (void)state;
    assert_int_equal(file_make_folders("sub", NULL), 0);
    scratch_put(
        "sub/base.yaml",
        "inputs: {i: {path: i.txt}, e: {path: '${FERDAG_TEST_E:-e.txt}'}}\n"
        "params: {a: 1, deep: {x: 1, y: 2}}\nstages:\n"
        "  s: {kind: command, in: {i: i}, out: {o: o}, with: {run: '${a} ${deep.x} ${deep.y}'}}\n"
        "  t: {kind: command, out: {o: o}, with: {run: base}}\n");
    scratch_put("top.yaml", "ferdag: 2\ninclude: sub/base.yaml\nparams: {deep: {y: 3}}\n"
                            "stages:\n  t: {with: {run: top}}\n");
    setenv("FERDAG_TEST_E", "env.txt", 1);
    struct experiment e = load("top.yaml", "deep.x=9");
    unsetenv("FERDAG_TEST_E");
    assert_string_equal(run_param(&e, "s"), "1 9 3");
    assert_string_equal(run_param(&e, "t"), "top");
    char expected[200];
    snprintf(expected, sizeof expected, "%s/sub/i.txt", scratch_folder);
    assert_string_equal(e.externals[0]->path, expected);
    snprintf(expected, sizeof expected, "%s/env.txt", scratch_folder);
    assert_string_equal(e.externals[1]->path, expected);
    assert_string_equal(e.name, "top");
    experiment_free(&e);
}

static void params_are_typed_and_defaults_filled_in(void **state)
{
    (void)state;
    scratch_put("i.csv", "");
    scratch_put("x.yaml", "ferdag: 2\ninputs: {i: {path: i.csv}}\nparams: {n: 0x}\nstages:\n"
                          "  a: {kind: ingest_csv, in: {csv: i}, with: {max_train_rows: 100}}\n"
                          "  b: {kind: ingest_csv, in: {csv: i}, with: {max_train_rows: ~}}\n");
    struct experiment e = load("x.yaml", NULL);
    json_t *limit = json_object_get(experiment_stage(&e, "a")->params, "max_train_rows");
    assert_true(json_is_integer(limit));
    assert_int_equal(json_integer_value(limit), 100);
    limit = json_object_get(experiment_stage(&e, "b")->params, "max_train_rows");
    assert_int_equal(json_integer_value(limit), 0);
    experiment_free(&e);
}

static void cells_are_rows_times_columns(void **state)
{
    (void)state;
    scratch_put("x.yaml",
                "ferdag: 2\nparams: {word: hi}\nstages:\n"
                "  m: {for: {v: [p, q]}, kind: command, out: {o: o, n: n}, with: {run: x}}\n"
                "tables:\n  t:\n    title: '${word}'\n    note: '@@home'\n"
                "    columns: {c1: {port: o}, c2: {port: n}, c3: {cell: ~}}\n"
                "    rows: {p: {}, q: {}, r: {cell: '@m/p.n:/${row}-${column}'}}\n"
                "    cell: '@m/${row}.${port}:/x/${column}'\n");
    struct experiment e = load("x.yaml", NULL);
    struct stage *tables = experiment_stage(&e, "tables"), *report = experiment_stage(&e, "report");
    assert_non_null(tables);
    assert_non_null(report);
    json_t *t = json_object_get(json_object_get(tables->params, "tables"), "t");
    assert_string_equal(json_string_value(json_object_get(t, "title")), "hi");
    assert_string_equal(json_string_value(json_object_get(t, "note")), "@home");
    json_t *cells = json_object_get(t, "cells"), *q = json_object_get(cells, "q");
    assert_string_equal(json_string_value(json_object_get(q, "c2")), "@m/q.n:/x/c2");
    assert_true(json_is_null(json_object_get(q, "c3")));
    json_t *r = json_object_get(cells, "r");
    assert_string_equal(json_string_value(json_object_get(r, "c1")), "@m/p.n:/r-c1");
    assert_null(json_object_get(t, "cell"));
    assert_int_equal(tables->input_count, 4);
    assert_string_equal(tables->inputs[0].as, "sources.0");
    assert_ptr_equal(tables->inputs[1].from, experiment_stage(&e, "m/p"));
    assert_ptr_equal(report->inputs[report->input_count - 1].from, tables);
    experiment_free(&e);
}

static void bad_references_in_tables_are_errors(void **state)
{
    struct experiment e;
    struct error err = {""};
    (void)state;
    static const struct {
        const char *cell, *text;
    } cases[] = {
        {"@nowhere.o:/x", "x.yaml:8:11: unknown stage or input 'nowhere'"},
        {"@m.x:/x", "unknown output 'x' of stage 'm'"},
        {"@m.o:x", "expected a JSON pointer"},
        {"${colum}", "unknown param or variable 'colum' (did you mean 'column'?)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[500];
        snprintf(
            text, sizeof text,
            "ferdag: 2\nstages:\n  m: {kind: command, out: {o: o}, with: {run: x}}\ntables:\n  t:\n"
            "    columns: {c: {}}\n    rows: {r: {}}\n    cell: '%s'\n",
            cases[i].cell);
        scratch_put("x.yaml", text);
        assert_true(try(&e, "x.yaml", NULL, &err) < 0);
        if (!strstr(err.text, cases[i].text))
            fail_msg("'%s' is not in '%s'", cases[i].text, err.text);
    }
}

/* The key of the one stage `s` of a YAML text; its key_text into text. */
static void key_of(const char *yaml, char key[65], char *text, size_t size)
{
    struct error err = {""};
    struct cache cache;
    struct plan plan;
    scratch_put("k.yaml", yaml);
    struct experiment e = load("k.yaml", NULL);
    assert_int_equal(cache_open(&cache, "absent", false, &err), 0);
    plan_create(&plan, &e, &cache, "auto", NULL);
    if (plan_start(&plan, &err) < 0)
        fail_msg("%s", err.text);
    struct task *task = &plan.tasks[experiment_stage(&e, "s")->place];
    assert_int_equal(task->state, STATE_READY);
    memcpy(key, task->key, 65);
    if (text)
        snprintf(text, size, "%s", task->key_text);
    plan_free(&plan);
    cache_close(&cache);
    experiment_free(&e);
}

static void a_key_is_what_decides_the_outputs(void **state)
{
    static const char head[] = "ferdag: 2\ninputs: {a: {path: a}, b: {path: b}, c: {path: c}}\n";
    static const struct {
        const char *stages;
        bool same;
    } cases[] = {
        {"stages: {s: {with: {run: 'x'}, out: {o: o, p: p}, in: {i: a, j: b}, kind: command}}",
         true},
        {"stages: {s: {kind: command, in: {j: b, i: a}, out: {p: p, o: o}, with: {run: x}}}", true},
        {"stages: {s: {kind: command, in: {i: c, j: b}, out: {o: o, p: p}, with: {run: x}}}", true},
        {"stages: {s: {kind: command, in: {i: a, j: b}, out: {o: o, p: p}, with: {run: x}, needs: "
         "{mem: 1G}}}",
         true},
        {"stages: {s: {kind: command, in: {i: a, j: b}, out: {o: o, p: p}, with: {run: x}, needs: "
         "{cpu: 3}}}",
         false}, /* it sees OMP_NUM_THREADS */
        {"stages: {s: {kind: command, in: {i: b, j: a}, out: {o: o, p: p}, with: {run: x}}}",
         false},
        {"stages: {s: {kind: command, in: {i: a, k: b}, out: {o: o, p: p}, with: {run: x}}}",
         false},
        {"stages: {s: {kind: command, in: {i: a}, out: {o: o, p: p}, with: {run: x}}}", false},
        {"stages: {s: {kind: command, in: {i: a, j: b}, out: {o: o, p: q}, with: {run: x}}}",
         false},
        {"stages: {s: {kind: command, in: {i: a, j: b}, out: {o: o, p: p}, with: {run: y}}}",
         false},
        {"stages: {s: {kind: command, in: {i: a, j: b}, out: {o: o, p: p/}, with: {run: x}}}",
         false},
    };
    char first[65], key[65], text[1000], yaml[1000];
    (void)state;
    scratch_put("a", "1");
    scratch_put("b", "2");
    scratch_put("c", "1"); /* the same content as a */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(yaml, sizeof yaml, "%s%s\n", head, cases[i].stages);
        key_of(yaml, i ? key : first, text, sizeof text);
        if (i && (strcmp(key, first) == 0) != cases[i].same)
            fail_msg("case %zu: %s", i, text);
    }
}

static void a_key_reads_the_same_everywhere(void **state)
{
    char key[65], text[1000];
    (void)state;
    scratch_put("a", "abc");
    key_of("ferdag: 2\ninputs: {a: {path: a}}\n"
           "stages: {s: {kind: command, in: {i: a}, out: {o: o}, with: {run: \"say 'hi'\"}}}\n",
           key, text, sizeof text);
    assert_string_equal(text,
                        "ferdag-key 1\nkind command 1\nparam run \"say 'hi'\"\nout o o\n"
                        "in i ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
}

static void defaults_are_in_the_key_as_if_written(void **state)
{
    char one[65], two[65], three[65];
    (void)state;
    scratch_put("a", "abc");
    key_of("ferdag: 2\ninputs: {a: {path: a}}\nstages: {s: {kind: ingest_csv, in: {csv: a}}}\n",
           one, NULL, 0);
    key_of("ferdag: 2\ninputs: {a: {path: a}}\n"
           "stages: {s: {kind: ingest_csv, in: {csv: a}, with: {max_train_rows: 00}}}\n",
           two, NULL, 0);
    key_of("ferdag: 2\ninputs: {a: {path: a}}\n"
           "stages: {s: {kind: ingest_csv, in: {csv: a}, with: {max_train_rows: 700}}}\n",
           three, NULL, 0);
    assert_string_equal(one, two);
    assert_string_not_equal(one, three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_matrix_becomes_stages, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(gpus_are_whole_or_a_part_of_one, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(stated_numerics_are_in_the_key, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(stated_numerics_of_a_cpu_have_threads),
        cmocka_unit_test_setup_teardown(sizes_have_a_strict_form, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(includes_are_merged_and_paths_are_the_files_own,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(params_are_typed_and_defaults_filled_in, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(cells_are_rows_times_columns, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(bad_references_in_tables_are_errors, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_key_is_what_decides_the_outputs, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_key_reads_the_same_everywhere, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(defaults_are_in_the_key_as_if_written, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
