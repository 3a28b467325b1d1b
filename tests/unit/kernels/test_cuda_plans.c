/* The real cuDNN builds the plan of each convolution of the four nets, without a device: for each
 * of the GPUs in cuda_cards.h, in both precisions and all directions, for full and last batches and
 * for the image sizes of evaluation. Each must have a deterministic engine within the workspace,
 * with tensor cores in bf16 and without them in float32, and which isn't compiled at run time.
 *
 * cudnn_engines.txt is the table of the chosen engines, for one version of cuDNN. The test compares
 * with it if the version is the same, and prints the differences otherwise: engines change with
 * the version, and results with the engines.
 *
 * Arguments: none: a part of the shapes; "all": all of them (minutes); "write FILE": writes the
 * table; "time": prints how long the plans of each net take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "kernels/backends/cuda/conv_plan.h"
#include "kernels/nets/models.h"
#include "tests/unit/kernels/cuda_cards.h"

#define TABLE "tests/unit/kernels/cudnn_engines.txt"

enum { MOST_PROBLEMS = 4096, ROW_NAME = 64, CELL = 24, MOST_ROWS = 1024, SHOWN = 20 };

static struct cudnn cudnn;
static bool all; /* the argument */

/* ---- problems ---- */

static struct conv_problem problems[MOST_PROBLEMS];
static size_t problem_count;

static bool same(const struct conv_problem *a, const struct conv_problem *b)
{
    const struct conv_spec *s = &a->spec, *t = &b->spec;
    return a->n == b->n && a->type == b->type && a->direction == b->direction && s->in == t->in &&
           s->out == t->out && s->kernel == t->kernel && s->stride == t->stride &&
           s->pad == t->pad && s->groups == t->groups && s->height == t->height &&
           s->width == t->width;
}

/* Adds the convolutions of a net, but for those that are there. Returns how many plans the net
 * needs, equal shapes counted once. */
static size_t add_net(enum net_model model, size_t width, size_t image_size, size_t n,
                      enum value_type type, bool training)
{
    static struct program program;
    program_build(&program, model, width, 7, image_size);
    size_t before = problem_count;
    for (int i = 0; i < program.op_count; i++) {
        const struct op *op = &program.ops[i];
        if (op->kind != OP_CONV)
            continue;
        const struct value_shape *x = &program.values[op->in];
        struct conv_problem problem = {
            .spec = {.in = x->channels,
                     .out = program.values[op->out].channels,
                     .kernel = op->kernel,
                     .stride = op->stride,
                     .pad = op->pad,
                     .groups = op->groups,
                     .height = x->height,
                     .width = x->width,
                     .image = op->in == 0},
            .n = n,
            .type = type,
        };
        for (int d = 0; d < (training ? CONV_DIRECTIONS : 1); d++) {
            problem.direction = (enum conv_direction)d;
            size_t j = 0;
            while (j < problem_count && !same(&problems[j], &problem))
                j++;
            if (j == problem_count && !(d == CONV_INPUT_GRADIENT && op->in == 0)) {
                assert_in_range(problem_count, 0, MOST_PROBLEMS - 1);
                problems[problem_count++] = problem;
            }
        }
    }
    return problem_count - before;
}

/* Training and evaluation of batches of crops, with the last batch; evaluation of whole images, and
 * of one image. */
static void add_width(size_t width, enum value_type type, bool evaluation)
{
    for (int m = 0; m < NET_MODELS; m++) {
        add_net((enum net_model)m, width, 40, 128, type, true);
        add_net((enum net_model)m, width, 40, 37, type, true);
        for (size_t size = 40; size <= 48 && evaluation; size += 8) {
            add_net((enum net_model)m, width, size, 128, type, false);
            add_net((enum net_model)m, width, size, 37, type, false);
            add_net((enum net_model)m, width, size, 1, type, false);
        }
    }
}

/* ---- the table ---- */

/* A column: a GPU and a precision. */
struct column {
    const char *name;
    const struct card *card;
    enum value_type type;
};

static const struct column columns[] = {
    {"sm_80", &cards[1], VALUE_BF16},      {"sm_90", &cards[2], VALUE_BF16},
    {"sm_100", &cards[3], VALUE_BF16},     {"sm_120", &cards[4], VALUE_BF16},
    {"sm_75 fp32", &cards[0], VALUE_F32},  {"sm_80 fp32", &cards[1], VALUE_F32},
    {"sm_90 fp32", &cards[2], VALUE_F32},  {"sm_100 fp32", &cards[3], VALUE_F32},
    {"sm_120 fp32", &cards[4], VALUE_F32},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static struct row {
    char name[ROW_NAME], cells[COLUMNS][CELL];
} rows[MOST_ROWS];
static size_t row_count, table_version;

static void row_name(const struct conv_problem *problem, char name[ROW_NAME])
{
    const struct conv_spec *s = &problem->spec;
    static const char *const directions[] = {"y", "dx", "dw"};
    int used = snprintf(name, ROW_NAME, "%-2s %zux%zux%zux%zu -> %zu %zux%zu",
                        directions[problem->direction], problem->n, s->height, s->width, s->in,
                        s->out, s->kernel, s->kernel);
    if (s->stride > 1)
        used += snprintf(name + used, ROW_NAME - (size_t)used, " /%zu", s->stride);
    if (s->groups > 1)
        snprintf(name + used, ROW_NAME - (size_t)used, " g%zu", s->groups);
}

static void cell_text(const struct conv_engine *engine, char cell[CELL])
{
    int used = 0;
    if (engine->parts > 1)
        used = snprintf(cell, CELL, "%zux", engine->parts);
    used += snprintf(cell + used, CELL - (size_t)used, "%lld%s%s%s%s", (long long)engine->id,
                     engine->tensor_cores ? "t" : "", engine->compiled ? "c" : "",
                     engine->fallback ? "f" : "", engine->transforms ? "w" : "");
    if (engine->workspace >= 100000)
        snprintf(cell + used, CELL - (size_t)used, "+%.1f", (double)engine->workspace * 1e-6);
}

static struct row *find_row(const char *name)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* Reads the table: rows are "name | cell | cell ...". */
static void read_table(void)
{
    FILE *file = fopen(TABLE, "r");
    if (!file)
        fail_msg("%s not found: run from the root of the source, or make cudnn-engines", TABLE);
    char line[1024];
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "# cuDNN version %zu", &table_version);
        if (*line == '#' || !strchr(line, '|') || row_count == MOST_ROWS)
            continue;
        struct row *row = &rows[row_count++];
        char *rest = line, *field = strsep(&rest, "|");
        snprintf(row->name, sizeof row->name, "%s", field);
        for (size_t end = strlen(row->name); end > 0 && row->name[end - 1] == ' '; end--)
            row->name[end - 1] = 0;
        for (int c = 0; c < COLUMNS && (field = strsep(&rest, "|\n")); c++)
            sscanf(field, "%23s", row->cells[c]);
    }
    fclose(file);
}

/* ---- checks ---- */

static void build(const struct conv_target *target, const struct conv_problem *problem,
                  struct conv_engine *engine)
{
    struct conv_plan *plan;
    struct error err = {""};
    if (conv_plan_build(&cudnn, target, problem, &plan, &err))
        fail_msg("%s", err.text);
    *engine = conv_plan_engine(plan);
    conv_plan_free(plan);
}

static void check_engine(const struct card *card, const struct conv_problem *problem,
                         const struct conv_engine *engine)
{
    char name[ROW_NAME];
    row_name(problem, name);
    bool bf16 = problem->type == VALUE_BF16;
    const char *fault = NULL;
    if (!engine->deterministic)
        fault = "not deterministic";
    else if (engine->workspace > CONV_PLAN_WORKSPACE)
        fault = "too much workspace";
    else if (bf16 && !engine->tensor_cores)
        fault = "no tensor cores in bf16";
    else if (!bf16 && (engine->tensor_cores || engine->down_converts))
        fault = "not float32 proper";
    else if (engine->compiled)
        fault = "compiled at run time, which takes seconds";
    if (fault)
        fail_msg("%s %s: %s: engine %lld: %s", card->name, bf16 ? "bf16" : "fp32", name,
                 (long long)engine->id, fault);
}

/* Compares with the table. Returns whether the engine is another than there. */
static bool differs(int column, const struct conv_problem *problem,
                    const struct conv_engine *engine, size_t *shown)
{
    char name[ROW_NAME], cell[CELL];
    row_name(problem, name);
    cell_text(engine, cell);
    const struct row *row = find_row(name);
    if (!row || strcmp(row->cells[column], cell) == 0)
        return false;
    if ((*shown)++ < SHOWN)
        print_message("%s: %s: engine %s, in the table %s\n", columns[column].name, name, cell,
                      row->cells[column]);
    return true;
}

static void open_target(const struct card *card, struct conv_target *target)
{
    char json[2048];
    struct error err = {""};
    card_json(card, json, sizeof json);
    if (conv_target_json(&cudnn, json, target, &err))
        fail_msg("%s: %s", card->name, err.text);
}

/* The part of the shapes for a column without "all": this takes seconds. */
static void add_column(int column)
{
    const struct column *c = &columns[column];
    problem_count = 0;
    if (all || c->card->version == 900)
        for (size_t width = 64; width >= 16; width /= 2) {
            if (all || width != 32)
                add_width(width, c->type, all || (width == 64 && c->type == VALUE_BF16));
        }
    else
        for (int m = 0; m < NET_MODELS; m++)
            add_net((enum net_model)m, 64, 40, 37, c->type, true);
}

static void test_column(void **state)
{
    const struct column *column = *state;
    struct conv_target target;
    struct conv_engine engine;
    size_t changed = 0, shown = 0, largest = 0;
    add_column((int)(column - columns));
    open_target(column->card, &target);
    for (size_t i = 0; i < problem_count; i++) {
        build(&target, &problems[i], &engine);
        check_engine(column->card, &problems[i], &engine);
        changed += differs((int)(column - columns), &problems[i], &engine, &shown);
        largest = engine.workspace > largest ? engine.workspace : largest;
    }
    conv_target_free(&cudnn, &target);
    print_message("%s: %zu plans, workspace up to %.1f MB\n", column->name, problem_count,
                  (double)largest * 1e-6);
    if (changed)
        print_message("%s: %zu engines aren't those of " TABLE " (cuDNN %zu there, %zu here)\n",
                      column->name, changed, table_version, cudnn.version);
    if (changed && table_version == cudnn.version)
        fail_msg("another choice of engines: if intended, make cudnn-engines");
}

/* ---- the other arguments ---- */

static const char head[] =
    "# cuDNN version %zu: the engines that conv_plan.c chooses for the nets at widths 64 and 16, "
    "for\n"
    "# batches of 128 and 37 crops of 40x40. Written by `make cudnn-engines`; GPUs as in "
    "cuda_cards.h.\n"
    "# Rows: y (forward), dx, dw; images x height x width x channels -> channels, kernel, /stride, "
    "groups.\n"
    "# Cells: number of the engine; t: with tensor cores; w: by Winograd or FFT; c: compiled at "
    "run\n"
    "# time; f: from the list of fallbacks; +MB of workspace, from 0.1 on; 2x: one run for each "
    "group.\n"
    "# fp32 is without TF32.\n";

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

/* Fills the rows of all columns. */
static void choose_engines(void)
{
    for (int c = 0; c < COLUMNS; c++) {
        struct conv_target target;
        open_target(columns[c].card, &target);
        problem_count = 0;
        for (size_t width = 64; width >= 16; width /= 4)
            add_width(width, columns[c].type, false);
        for (size_t i = 0; i < problem_count; i++) {
            char name[ROW_NAME];
            struct conv_engine engine;
            row_name(&problems[i], name);
            struct row *row = find_row(name);
            if (!row) {
                assert_in_range(row_count, 0, MOST_ROWS - 1);
                row = &rows[row_count++];
                snprintf(row->name, sizeof row->name, "%s", name);
            }
            build(&target, &problems[i], &engine);
            cell_text(&engine, row->cells[c]);
        }
        conv_target_free(&cudnn, &target);
    }
}

static int write_table(const char *path)
{
    choose_engines();
    qsort(rows, row_count, sizeof *rows, by_name);
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return 1;
    }
    fprintf(file, head, cudnn.version);
    fprintf(file, "# %-36s", "");
    for (int c = 0; c < COLUMNS; c++)
        fprintf(file, " | %-11s", columns[c].name);
    for (size_t i = 0; i < row_count; i++) {
        fprintf(file, "\n%-38s", rows[i].name);
        for (int c = 0; c < COLUMNS; c++)
            fprintf(file, " | %-*s", c + 1 < COLUMNS ? 11 : 1, rows[i].cells[c]);
    }
    fputc('\n', file);
    return fclose(file) ? 1 : 0;
}

/* Builds the plans that the backend builds for a net: one for each convolution, direction and size
 * of the batch. */
static void time_net(enum net_model model, const struct conv_target *target)
{
    static const struct {
        size_t size, n;
        bool training;
    } passes[] = {
        {40, 128, true}, {40, 37, true}, {40, 5, false}, {48, 128, false}, {48, 1, false}};
    double start = clock_monotonic(), slowest = 0;
    size_t plans = 0, compiled = 0;
    char name[ROW_NAME] = "";
    for (size_t p = 0; p < sizeof passes / sizeof *passes; p++) {
        problem_count = 0;
        add_net(model, 64, passes[p].size, passes[p].n, VALUE_BF16, passes[p].training);
        for (size_t i = 0; i < problem_count; i++, plans++) {
            struct conv_engine engine;
            double before = clock_monotonic();
            build(target, &problems[i], &engine);
            double seconds = clock_monotonic() - before;
            compiled += engine.compiled;
            if (seconds > slowest) {
                slowest = seconds;
                row_name(&problems[i], name);
            }
        }
    }
    printf("%s: %zu plans of different shapes, %.2f s, the slowest %.0f ms (%s), %zu compiled\n",
           net_model_names[model], plans, clock_monotonic() - start, slowest * 1e3, name, compiled);
}

static int time_nets(void)
{
    for (int c = 1; c < CARDS; c++) {
        struct conv_target target;
        open_target(&cards[c], &target);
        printf("%s, bf16, width 64\n", cards[c].name);
        for (int m = 0; m < NET_MODELS; m++)
            time_net((enum net_model)m, &target);
        conv_target_free(&cudnn, &target);
    }
    return 0;
}

static struct CMUnitTest test(const char *name, void (*function)(void **state), const void *state)
{
    return (struct CMUnitTest){name, function, NULL, NULL, (void *)state};
}

static void skip_test(void **state)
{
    print_message("skipped: %s\n", (const char *)*state);
    skip();
}

static int run_columns(const char *missing)
{
    struct CMUnitTest tests[COLUMNS];
    for (int c = 0; c < COLUMNS; c++)
        tests[c] = missing ? test(columns[c].name, skip_test, missing)
                           : test(columns[c].name, test_column, &columns[c]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    struct error err = {""};
    const char *command = argc > 1 ? argv[1] : "";
    bool missing = cudnn_open(&cudnn, &err) != 0;
    if (missing && *command && strcmp(command, "all") != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    all = strcmp(command, "all") == 0;
    int status = 1;
    if (strcmp(command, "write") == 0 && argc == 3)
        status = write_table(argv[2]);
    else if (strcmp(command, "time") == 0)
        status = time_nets();
    else {
        if (!missing)
            read_table();
        status = run_columns(missing ? err.text : NULL);
    }
    cudnn_close(&cudnn);
    return status;
}
