/* Statistics against the figures of tests/oracles/statistics.csv, which statistics.py made there,
 * and what no table can say: bad arguments, and that tests and intervals agree. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/random.h"
#include "reports/bootstrap.h"
#include "reports/distributions.h"
#include "reports/statistics.h"

enum { MAX_FIELDS = 80, MAX_LINE = 8192, DRAWS = 100000 };

/* The matrix of differences that the lines of bootstrap_share and component_x belong to. */
struct matrix {
    size_t seeds, images;
    float *values;
    double *means; /* (DRAWS) */
};

/* ---- the functions of the table; the arguments of a line are a[0], a[1], ... ---- */

static size_t count_of(double x)
{
    return (size_t)x;
}

static double size_value(size_t n)
{
    return n == SIZE_MAX ? 0x1p64 : (double)n;
}

static struct paired paired_of(const double *a)
{
    struct paired p = {count_of(a[0]), count_of(a[1]), count_of(a[2])};
    return p;
}

static struct independent independent_of(const double *a)
{
    struct independent p = {count_of(a[0]), count_of(a[1]), count_of(a[2]), count_of(a[3])};
    return p;
}

static struct sample moments_of(const double *a)
{
    struct sample s = {count_of(a[0]), a[1], a[2]};
    return s;
}

static double get_normal_tail(const double *a, size_t n)
{
    (void)n;
    return normal_tail(a[0]);
}

static double get_normal_critical(const double *a, size_t n)
{
    (void)n;
    return normal_critical(a[0]);
}

static double get_student_tail(const double *a, size_t n)
{
    (void)n;
    return student_tail(a[0], a[1]);
}

static double get_student_critical(const double *a, size_t n)
{
    (void)n;
    return student_critical(a[0], a[1]);
}

static double get_coin_tail(const double *a, size_t n)
{
    (void)n;
    return coin_tail(count_of(a[0]), count_of(a[1]));
}

static double get_wilson_low(const double *a, size_t n)
{
    (void)n;
    return wilson_interval(count_of(a[0]), count_of(a[1]), a[2]).low;
}

static double get_wilson_high(const double *a, size_t n)
{
    (void)n;
    return wilson_interval(count_of(a[0]), count_of(a[1]), a[2]).high;
}

static double get_single_above(const double *a, size_t n)
{
    (void)n;
    return single_p_above(count_of(a[0]), count_of(a[1]), a[2]);
}

static double get_single_below(const double *a, size_t n)
{
    (void)n;
    return single_p_below(count_of(a[0]), count_of(a[1]), a[2]);
}

static double get_single_images(const double *a, size_t n)
{
    (void)n;
    return size_value(single_images_to_decide(count_of(a[0]), count_of(a[1]), a[2], a[3]));
}

static double get_mcnemar(const double *a, size_t n)
{
    (void)n;
    return mcnemar_exact(count_of(a[0]), count_of(a[1]));
}

static double get_paired_above(const double *a, size_t n)
{
    (void)n;
    struct paired p = paired_of(a);
    return paired_p_above(&p, a[3]);
}

static double get_paired_below(const double *a, size_t n)
{
    (void)n;
    struct paired p = paired_of(a);
    return paired_p_below(&p, a[3]);
}

static double get_paired_low(const double *a, size_t n)
{
    (void)n;
    struct paired p = paired_of(a);
    return paired_interval(&p, a[3]).low;
}

static double get_paired_high(const double *a, size_t n)
{
    (void)n;
    struct paired p = paired_of(a);
    return paired_interval(&p, a[3]).high;
}

static double get_paired_images(const double *a, size_t n)
{
    (void)n;
    struct paired p = paired_of(a);
    return size_value(paired_images_to_decide(&p, a[3], a[4]));
}

static double get_paired_detectable(const double *a, size_t n)
{
    (void)n;
    return paired_detectable(count_of(a[0]), a[1], a[2], a[3]);
}

static double get_independent_above(const double *a, size_t n)
{
    (void)n;
    struct independent p = independent_of(a);
    return independent_p_above(&p, a[4]);
}

static double get_independent_below(const double *a, size_t n)
{
    (void)n;
    struct independent p = independent_of(a);
    return independent_p_below(&p, a[4]);
}

static double get_independent_low(const double *a, size_t n)
{
    (void)n;
    struct independent p = independent_of(a);
    return independent_interval(&p, a[4]).low;
}

static double get_independent_high(const double *a, size_t n)
{
    (void)n;
    struct independent p = independent_of(a);
    return independent_interval(&p, a[4]).high;
}

static double get_independent_images(const double *a, size_t n)
{
    (void)n;
    struct independent p = independent_of(a);
    return size_value(independent_images_to_decide(&p, a[4], a[5]));
}

static double get_sample_above(const double *a, size_t n)
{
    (void)n;
    struct sample s = moments_of(a);
    return sample_p_above(&s, a[3]);
}

static double get_sample_below(const double *a, size_t n)
{
    (void)n;
    struct sample s = moments_of(a);
    return sample_p_below(&s, a[3]);
}

static double get_sample_low(const double *a, size_t n)
{
    (void)n;
    struct sample s = moments_of(a);
    return sample_interval(&s, a[3]).low;
}

static double get_sample_high(const double *a, size_t n)
{
    (void)n;
    struct sample s = moments_of(a);
    return sample_interval(&s, a[3]).high;
}

static double get_sample_images(const double *a, size_t n)
{
    (void)n;
    struct sample s = moments_of(a);
    return size_value(sample_images_to_decide(&s, a[3], a[4]));
}

static double get_sample_mean(const double *a, size_t n)
{
    return sample_of(a, n).mean;
}

static double get_sample_deviation(const double *a, size_t n)
{
    return sample_of(a, n).deviation;
}

static double get_sample_test(const double *a, size_t n)
{
    struct sample s = sample_of(a, n);
    return sample_p_above(&s, 0);
}

static double get_seeds_needed(const double *a, size_t n)
{
    (void)n;
    struct components c = {a[2], a[3]};
    return size_value(seeds_to_decide(a[0], a[1], &c, a[4]));
}

struct figure {
    const char *name;
    double (*get)(const double *a, size_t n);
    double relative, absolute; /* the error that is allowed; it must meet one of them */
    size_t least;              /* lines of this function at least */
};

static const struct figure figures[] = {
    {"normal_tail", get_normal_tail, 1e-12, 1e-300, 15},
    {"normal_critical", get_normal_critical, 1e-12, 1e-15, 15},
    {"student_tail", get_student_tail, 1e-11, 1e-300, 100},
    {"student_critical", get_student_critical, 1e-9, 1e-15, 80},
    {"coin_tail", get_coin_tail, 1e-12, 1e-300, 75},
    {"wilson_low", get_wilson_low, 1e-10, 1e-15, 60},
    {"wilson_high", get_wilson_high, 1e-12, 0, 60},
    {"single_above", get_single_above, 1e-10, 1e-300, 90},
    {"single_below", get_single_below, 1e-10, 1e-300, 90},
    {"single_images", get_single_images, 0, 0, 60},
    {"mcnemar", get_mcnemar, 1e-11, 1e-300, 20},
    {"paired_above", get_paired_above, 1e-10, 1e-300, 200},
    {"paired_below", get_paired_below, 1e-10, 1e-300, 200},
    {"paired_low", get_paired_low, 0, 1e-12, 90},
    {"paired_high", get_paired_high, 0, 1e-12, 90},
    {"propcis_low", get_paired_low, 0, 3e-7, 5},
    {"propcis_high", get_paired_high, 0, 3e-7, 5},
    {"paired_images", get_paired_images, 0, 0, 90},
    {"paired_detectable", get_paired_detectable, 1e-12, 0, 60},
    {"independent_above", get_independent_above, 1e-10, 1e-300, 180},
    {"independent_below", get_independent_below, 1e-10, 1e-300, 180},
    {"independent_low", get_independent_low, 0, 1e-12, 60},
    {"independent_high", get_independent_high, 0, 1e-12, 60},
    {"independent_images", get_independent_images, 0, 0, 70},
    {"sample_above", get_sample_above, 1e-11, 1e-300, 40},
    {"sample_below", get_sample_below, 1e-11, 1e-300, 40},
    {"sample_low", get_sample_low, 1e-10, 1e-15, 30},
    {"sample_high", get_sample_high, 1e-10, 1e-15, 30},
    {"sample_images", get_sample_images, 0, 0, 40},
    {"sample_mean", get_sample_mean, 1e-14, 1e-16, 5},
    {"sample_deviation", get_sample_deviation, 1e-14, 0, 5},
    {"sample_test", get_sample_test, 1e-12, 0, 1},
    {"seeds_needed", get_seeds_needed, 0, 0, 40},
};

enum { FIGURES = sizeof figures / sizeof *figures };

/* ---- reading the table ---- */

struct line {
    char *fields[MAX_FIELDS]; /* the name first */
    size_t count;
};

static const char *field(const struct line *line, size_t i)
{
    return i < line->count ? line->fields[i] : "";
}

static void split(char *text, struct line *line)
{
    text[strcspn(text, "\n")] = '\0';
    line->count = 0;
    for (char *at = text; at; line->count++) {
        assert_true(line->count < MAX_FIELDS);
        line->fields[line->count] = at;
        at = strchr(at, ',');
        if (at)
            *at++ = '\0';
    }
}

/* The numbers of fields first, first + 1, ... */
static size_t numbers(const struct line *line, size_t first, double *values)
{
    for (size_t i = first; i < line->count; i++) {
        char *end;
        values[i - first] = strtod(field(line, i), &end);
        assert_true(end > field(line, i) && *end == '\0');
    }
    return line->count - first;
}

static bool close_to(double x, double expected, double relative, double absolute)
{
    if (!isfinite(expected))
        return isnan(expected) ? isnan(x) : x == expected;
    return fabs(x - expected) <= fmax(relative * fabs(expected), absolute);
}

/* Returns whether the figure is right, and prints it otherwise. */
static bool check_figure(const struct figure *f, const struct line *line)
{
    double a[MAX_FIELDS] = {0};
    size_t n = numbers(line, 1, a) - 1;
    double x = f->get(a, n);
    if (close_to(x, a[n], f->relative, f->absolute))
        return true;
    print_error("%s(", f->name);
    for (size_t i = 0; i < n; i++)
        print_error("%s%.17g", i ? ", " : "", a[i]);
    print_error(") is %.17g, not %.17g\n", x, a[n]);
    return false;
}

/* holm: n p-values, then n adjusted ones */
static void check_holm(const struct line *line)
{
    double p[MAX_FIELDS] = {0};
    struct error err = {""};
    size_t n = numbers(line, 1, p) / 2;
    assert_int_equal(holm_adjust(p, n, p, &err), 0); /* in place */
    for (size_t i = 0; i < n; i++)
        assert_true(close_to(p[i], p[n + i], 1e-14, 0));
}

static void read_matrix(const struct line *line, struct matrix *m)
{
    struct error err = {""};
    m->seeds = strtoul(field(line, 2), NULL, 10);
    m->images = strtoul(field(line, 3), NULL, 10);
    size_t n = m->seeds * m->images;
    const char *digits = field(line, 4);
    assert_int_equal(strlen(digits), n);
    free(m->values);
    m->values = calloc(n, sizeof *m->values);
    if (!m->means)
        m->means = calloc(DRAWS, sizeof *m->means);
    assert_true(m->values && m->means);
    for (size_t i = 0; i < n; i++)
        m->values[i] = digits[i] == '+' ? 1 : digits[i] == '-' ? -1 : 0;
    assert_int_equal(
        bootstrap_differences(m->values, m->seeds, m->images, DRAWS, 1, m->means, &err), 0);
}

/* The share of draws that are at most a bound, within 4.5 standard errors of both simulations. */
static void check_share(const struct line *line, const struct matrix *m)
{
    double a[MAX_FIELDS] = {0}; /* bound, draws of the expected share, share */
    numbers(line, 2, a);
    double above = bootstrap_p_above(m->means, DRAWS, a[0]);
    double share = (above * (DRAWS + 1) - 1) / DRAWS;
    double error = sqrt(a[2] * (1 - a[2]) * (1.0 / DRAWS + 1 / a[1]));
    if (fabs(share - a[2]) > 4.5 * error)
        fail_msg("%s: share %g of draws <= %g, not %g", field(line, 1), share, a[0], a[2]);
}

static void check_component(const struct line *line, const struct matrix *m)
{
    double expected = 0;
    numbers(line, 2, &expected);
    struct components c = difference_components(m->values, m->seeds, m->images);
    double x = strcmp(field(line, 0), "component_seeds") == 0 ? c.seeds : c.images;
    if (!close_to(x, expected, 1e-9, 1e-18))
        fail_msg("%s of %s: %.17g, not %.17g", field(line, 0), field(line, 1), x, expected);
}

static void check_line(const struct line *line, struct matrix *m, size_t counts[FIGURES],
                       size_t *wrong)
{
    const char *name = field(line, 0);
    if (strcmp(name, "holm") == 0)
        check_holm(line);
    else if (strcmp(name, "matrix") == 0)
        read_matrix(line, m);
    else if (strcmp(name, "bootstrap_share") == 0)
        check_share(line, m);
    else if (strncmp(name, "component_", 10) == 0)
        check_component(line, m);
    else {
        size_t i = 0;
        while (i < FIGURES && strcmp(name, figures[i].name) != 0)
            i++;
        assert_true(i < FIGURES);
        *wrong += !check_figure(&figures[i], line);
        counts[i]++;
    }
}

static void test_table(void **state)
{
    (void)state;
    static char text[MAX_LINE];
    size_t counts[FIGURES] = {0}, wrong = 0;
    struct matrix m = {0};
    FILE *file = fopen("tests/oracles/statistics.csv", "r");
    if (!file)
        fail_msg("tests/oracles/statistics.csv: %s (run this in the project's folder)",
                 strerror(errno));
    while (fgets(text, sizeof text, file)) {
        struct line line = {0};
        if (*text == '#')
            continue;
        split(text, &line);
        check_line(&line, &m, counts, &wrong);
    }
    assert_false(ferror(file));
    fclose(file);
    free(m.values);
    free(m.means);
    for (size_t i = 0; i < FIGURES; i++)
        if (counts[i] < figures[i].least)
            fail_msg("only %zu lines of %s", counts[i], figures[i].name);
    if (wrong)
        fail_msg("%zu figures are wrong", wrong);
}

/* ---- what holds for all arguments ---- */

/* A margin is outside the interval of level 1 - 2p exactly if its test has a smaller p-value. */
static void test_intervals_invert_tests(void **state)
{
    (void)state;
    struct random r = random_start(3, 0);
    for (int i = 0; i < 300; i++) {
        size_t n = 1 + random_below(&r, 4000), b = random_below(&r, n + 1);
        struct paired p = {n, b, random_below(&r, n - b + 1)};
        struct paired swapped = {n, p.right_only, p.left_only};
        struct independent q = {b, n, random_below(&r, 101), 100};
        double level = 0.5 + 0.499 * random_unit(&r), tail = (1 - level) / 2;
        struct interval of_p = paired_interval(&p, level), of_q = independent_interval(&q, level);
        struct interval of_swapped = paired_interval(&swapped, level);
        assert_true(of_p.low <= paired_difference(&p) && paired_difference(&p) <= of_p.high);
        assert_true(close_to(of_swapped.low, -of_p.high, 0, 1e-13));
        assert_true(close_to(paired_p_below(&p, 0.03), paired_p_above(&swapped, -0.03), 0, 0));
        if (of_p.low > -1)
            assert_true(close_to(paired_p_above(&p, of_p.low), tail, 1e-7, 0));
        if (of_p.high < 1)
            assert_true(close_to(paired_p_below(&p, of_p.high), tail, 1e-7, 0));
        if (of_q.low > -1)
            assert_true(close_to(independent_p_above(&q, of_q.low), tail, 1e-7, 0));
        if (of_q.high < 1)
            assert_true(close_to(independent_p_below(&q, of_q.high), tail, 1e-7, 0));
        struct interval w = wilson_interval(b, n, level);
        if (b > 0)
            assert_true(close_to(single_p_above(b, n, w.low), tail, 1e-7, 0));
        if (b < n)
            assert_true(close_to(single_p_below(b, n, w.high), tail, 1e-7, 0));
    }
}

static void expect_interval(struct interval i, double low, double high)
{
    assert_true(i.low == low && i.high == high);
}

/* Impossible counts, no data, bad levels: nothing is known. */
static void test_nothing_known(void **state)
{
    (void)state;
    static const struct paired paired[] = {{0, 0, 0}, {5, 6, 0}, {5, 3, 3}, {5, SIZE_MAX, 2}};
    static const struct independent independent[] = {
        {0, 0, 0, 5}, {1, 5, 0, 0}, {6, 5, 1, 5}, {1, 5, 6, 5}};
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 3; k++) {
            static const double margins[] = {-0.1, 0, 0.1};
            assert_true(paired_p_above(&paired[i], margins[k]) == 1);
            assert_true(paired_p_below(&paired[i], margins[k]) == 1);
            assert_true(independent_p_above(&independent[i], margins[k]) == 1);
            assert_true(independent_p_below(&independent[i], margins[k]) == 1);
        }
        expect_interval(paired_interval(&paired[i], 0.95), -1, 1);
        expect_interval(independent_interval(&independent[i], 0.95), -1, 1);
        assert_true(paired_images_to_decide(&paired[i], 0.1, 0.05) == SIZE_MAX);
        assert_true(independent_images_to_decide(&independent[i], 0.1, 0.05) == SIZE_MAX);
    }
    struct paired good = {100, 12, 3};
    struct independent fine = {60, 100, 50, 100};
    struct sample sample = {100, 0.1, 0.3}, broken = {100, NAN, 0.3};
    for (int i = 0; i < 4; i++) {
        static const double bad[] = {0, 1, -0.5, NAN};
        expect_interval(wilson_interval(3, 7, bad[i]), 0, 1);
        expect_interval(paired_interval(&good, bad[i]), -1, 1);
        expect_interval(independent_interval(&fine, bad[i]), -1, 1);
        expect_interval(sample_interval(&sample, bad[i]), -INFINITY, INFINITY);
        assert_true(paired_images_to_decide(&good, 0, bad[i]) == SIZE_MAX);
        assert_true(isinf(paired_detectable(100, 0.1, bad[i], 0.8)));
    }
    expect_interval(wilson_interval(0, 0, 0.95), 0, 1);
    expect_interval(wilson_interval(8, 7, 0.95), 0, 1);
    expect_interval(sample_interval(&broken, 0.95), -INFINITY, INFINITY);
    assert_true(sample_p_above(&broken, 0) == 1 && sample_p_below(&broken, 0) == 1);
    assert_true(paired_p_above(&good, NAN) == 1 && paired_p_below(&good, NAN) == 1);
    assert_true(single_p_above(3, 7, NAN) == 1 && single_p_below(8, 7, 0.5) == 1);
    assert_true(mcnemar_exact(0, 0) == 1);
}

static void test_holm_errors(void **state)
{
    (void)state;
    static const double bad[] = {-0.01, 1.01, NAN, INFINITY};
    for (size_t i = 0; i < 4; i++) {
        double p[3] = {0.5, 0.2, bad[i]};
        struct error err = {""};
        assert_int_equal(holm_adjust(p, 3, p, &err), -EINVAL);
        assert_non_null(strstr(err.text, "p-value 3 of 3"));
    }
    assert_int_equal(holm_adjust(NULL, 0, NULL, NULL), 0);
}

/* ---- the bootstrap ---- */

static void test_bootstrap_errors(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {
        {0, 2, 5}, {2, 0, 5}, {2, 2, 0}, {1001, 2, 5}, {2, SIZE_MAX / 2, 5}, {2, 2, 10000001}};
    float x[4] = {0, 1, -1, 0};
    double means[5];
    struct error err = {""};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int rc = bootstrap_differences(x, sizes[i][0], sizes[i][1], sizes[i][2], 1, means, &err);
        assert_int_equal(rc, -EINVAL);
        assert_non_null(strstr(err.text, "can't resample"));
    }
    static const float bad[] = {1.5F, -1.01F, NAN, INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        x[3] = bad[i];
        assert_int_equal(bootstrap_differences(x, 2, 2, 5, 1, means, &err), -EINVAL);
        assert_non_null(strstr(err.text, "seed 1, image 1"));
    }
}

/* The same numbers on every machine. */
static void test_bootstrap_repeats(void **state)
{
    (void)state;
    enum { SEEDS = 3, IMAGES = 500, N = 2000 };
    float x[SEEDS * IMAGES];
    double means[N], again[N], other[N];
    struct error err = {""};
    for (size_t i = 0; i < SEEDS * IMAGES; i++)
        x[i] = (float)((int)(i * i % 7) - 3) / 4;
    assert_int_equal(bootstrap_differences(x, SEEDS, IMAGES, N, 7, means, &err), 0);
    assert_int_equal(bootstrap_differences(x, SEEDS, IMAGES, N, 7, again, &err), 0);
    assert_int_equal(bootstrap_differences(x, SEEDS, IMAGES, N, 8, other, &err), 0);
    assert_memory_equal(means, again, sizeof means);
    assert_memory_not_equal(means, other, sizeof means);
    for (size_t i = 1; i < N; i++)
        assert_true(means[i - 1] <= means[i]);
    struct interval ends = bootstrap_interval(means, N, 0.95);
    if (!close_to(ends.low, -0.26904145978569433, 0, 1e-11) ||
        !close_to(ends.high, -0.23246436366662238, 0, 1e-11))
        fail_msg("interval [%.17g, %.17g]", ends.low, ends.high);
}

/* Equal differences everywhere: no variance. */
static void test_bootstrap_of_a_constant(void **state)
{
    (void)state;
    float x[6] = {0.25F, 0.25F, 0.25F, 0.25F, 0.25F, 0.25F};
    double means[50];
    struct error err = {""};
    assert_int_equal(bootstrap_differences(x, 3, 2, 50, 1, means, &err), 0);
    assert_true(means[0] == 0.25 && means[49] == 0.25);
    assert_true(bootstrap_p_above(means, 50, 0) == 1.0 / 51);
    assert_true(bootstrap_p_below(means, 50, 0) == 1);
    assert_true(bootstrap_p_above(means, 50, 0.25) == 1); /* equality counts on both sides */
    assert_true(bootstrap_p_below(means, 50, 0.25) == 1);
    struct components c = difference_components(x, 3, 2);
    assert_true(c.seeds == 0 && c.images == 0);
}

/* Two seeds that contradict each other: the draws' tails end where differences end. */
static void test_bootstrap_stays_in_range(void **state)
{
    (void)state;
    float x[6] = {1, 1, 1, -1, -1, -1};
    double means[2000];
    struct error err = {""};
    assert_int_equal(bootstrap_differences(x, 2, 3, 2000, 1, means, &err), 0);
    assert_true(means[0] == -1 && means[1999] == 1);
}

static void test_bootstrap_quantiles(void **state)
{
    (void)state;
    static const double means[] = {-0.1, 0, 0, 0.2, 0.5};
    struct interval half = bootstrap_interval(means, 5, 0.5),
                    wide = bootstrap_interval(means, 5, 0.9);
    expect_interval(half, 0, 0.2); /* numpy.quantile: 0.25, 0.75 */
    assert_true(close_to(wide.low, -0.08, 1e-13, 0) && close_to(wide.high, 0.44, 1e-13, 0));
    expect_interval(bootstrap_interval(means, 5, 1.5), -1, 1);
    expect_interval(bootstrap_interval(means, 0, 0.95), -1, 1);
    expect_interval(bootstrap_interval(means + 3, 1, 0.95), 0.2, 0.2);
    assert_true(bootstrap_p_above(means, 5, 0) == 4.0 / 6 &&
                bootstrap_p_below(means, 5, 0) == 5.0 / 6);
    assert_true(bootstrap_p_above(means, 5, -1) == 1.0 / 6 &&
                bootstrap_p_above(means, 5, NAN) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_intervals_invert_tests),
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_holm_errors),
        cmocka_unit_test(test_bootstrap_errors),
        cmocka_unit_test(test_bootstrap_repeats),
        cmocka_unit_test(test_bootstrap_of_a_constant),
        cmocka_unit_test(test_bootstrap_stays_in_range),
        cmocka_unit_test(test_bootstrap_quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
