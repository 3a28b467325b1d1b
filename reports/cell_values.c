/* See cell_values.h. Each reference is read by itself; then the cell is made of all of them. */
#include "reports/cell_values.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"

enum { NAMED = 5 /* values of the axis that a reason names */ };

/* What one reference gives. */
struct reading {
    const char *missing, *detail; /* see struct lookup */
    double value;                 /* not scaled */
    bool accuracy, median;        /* the field's name */
    double n;                     /* beside an accuracy; else 0 */
    double first, third;          /* quartiles beside a median; else 0 */
    const json_t *outcome;        /* the object around an accuracy, with the outcomes of images */
};

static double number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : 0;
}

struct cell_summary cell_summary(const double *values, size_t n)
{
    struct cell_summary s = {.least = values[0], .most = values[0]};
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        s.least = fmin(s.least, values[i]);
        s.most = fmax(s.most, values[i]);
        s.mean += values[i];
    }
    s.mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - s.mean) * (values[i] - s.mean);
    s.deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    return s;
}

/* ---- one reference ---- */

static bool is_digits(const json_t *text, double n)
{
    const char *s = json_string_value(text);
    return s && (double)json_string_length(text) == n && strspn(s, "0123456789") == strlen(s);
}

/* Whether the object of an accuracy has the outcome of each of its n images. */
static bool has_outcomes(const json_t *object, double n)
{
    return n >= 1 && is_digits(json_object_get(object, "truth"), n) &&
           is_digits(json_object_get(object, "predicted"), n);
}

/* Reads the fields beside an accuracy or a median. */
static int read_fields(struct reading *r, struct sources *s, const char *reference,
                       struct error *err)
{
    const char *slash = strrchr(reference, '/'), *name = slash ? slash + 1 : "";
    r->accuracy = strcmp(name, "accuracy") == 0;
    r->median = strcmp(name, "median") == 0;
    if (!r->accuracy && !r->median)
        return 0;
    char *above = strndup(reference, (size_t)(slash - reference));
    if (!above)
        return error_set(err, ENOMEM, "out of memory at %s", reference);
    struct lookup found;
    int rc = sources_find(s, above, &found, err);
    free(above);
    if (rc < 0)
        return rc;
    r->n = r->accuracy ? number_of(found.value, "n") : 0;
    r->first = r->median ? number_of(found.value, "first_quartile") : 0;
    r->third = r->median ? number_of(found.value, "third_quartile") : 0;
    r->outcome = has_outcomes(found.value, r->n) ? found.value : NULL;
    return 0;
}

static int read_one(struct reading *r, struct cell_source *source, struct sources *s,
                    const json_t *reference, double scale, struct error *err)
{
    const char *text = json_string_value(reference);
    struct lookup found;
    if (!text)
        return error_set(err, EINVAL, "expected a reference or null");
    int rc = sources_find(s, text, &found, err);
    if (rc < 0)
        return rc;
    *source = (struct cell_source){found.entry, found.pointer};
    *r = (struct reading){.missing = found.missing, .detail = found.detail};
    if (found.missing)
        return 0;
    r->value = json_number_value(found.value);
    if (!json_is_number(found.value) || !isfinite(r->value * scale)) {
        r->missing = "not a number";
        return 0;
    }
    return read_fields(r, s, text, err);
}

/* ---- all of them ---- */

/* The reason why the cell is missing: that of the first missing number, with the values of the axis
 * that have the same one, unless all have. */
static int set_missing(struct cell *cell, const struct reading *readings, struct error *err)
{
    struct text t = {0};
    size_t same = 0;
    const char *reason = readings[cell->first].missing;
    cell->missing = reason;
    cell->detail = readings[cell->first].detail;
    text_print(&t, "%s: %s ", reason, cell->axis ? cell->axis : "");
    for (size_t i = 0; cell->axis && i < cell->count; i++) {
        const char *missing = readings[i].missing;
        if (missing && strcmp(missing, reason) == 0 && same++ < NAMED)
            text_print(&t, "%s%s", same > 1 ? ", " : "",
                       json_string_value(json_array_get(cell->axis_values, i)));
    }
    if (same > NAMED)
        text_print(&t, " and %zu more", same - NAMED);
    if (cell->axis && same < cell->count) {
        cell->reason = t.failed ? NULL : strdup(text_string(&t));
        cell->missing = cell->reason;
    }
    text_free(&t);
    return cell->missing ? 0 : error_set(err, ENOMEM, "out of memory");
}

/* An accuracy is the share p of n images: its standard error is sqrt(p (1 - p) / n). */
static void set_accuracy(struct cell *cell, const struct reading *readings, double scale)
{
    double p = 0, n = readings[0].n;
    for (size_t i = 0; i < cell->count; i++)
        p += readings[i].value / (double)cell->count;
    cell->n = n;
    if (n > 0 && p >= 0 && p <= 1)
        cell->standard_error = fabs(scale) * sqrt(p * (1 - p) / n);
}

/* The uncertainty of a median of repeats is the distance of the farther quartile. */
static void set_median(struct cell *cell, const struct reading *readings, double scale)
{
    double median = 0, first = 0, third = 0, count = (double)cell->count;
    for (size_t i = 0; i < cell->count; i++) {
        median += readings[i].value / count;
        first += readings[i].first / count;
        third += readings[i].third / count;
    }
    double spread = fabs(scale) * fmax(median - first, third - median);
    if ((first > 0 || third > 0) && isfinite(spread)) {
        cell->quartiles[0] = scale * first;
        cell->quartiles[1] = scale * third;
        cell->spread = fmax(spread, 0);
    }
}

/* Keeps the objects that have the outcomes of images, if all have. */
static int set_outcomes(struct cell *cell, const struct reading *readings, struct error *err)
{
    for (size_t i = 0; i < cell->count; i++)
        if (!readings[i].outcome)
            return 0;
    cell->outcomes = json_array();
    for (size_t i = 0; i < cell->count; i++)
        if (json_array_append(cell->outcomes, (json_t *)readings[i].outcome) < 0)
            return error_set(err, ENOMEM, "out of memory");
    return 0;
}

/* Makes the cell of what its references gave. */
static int combine(struct cell *cell, const struct reading *readings, double scale,
                   struct error *err)
{
    while (cell->first < cell->count && !readings[cell->first].missing)
        cell->first++;
    if (cell->first < cell->count)
        return set_missing(cell, readings, err);
    cell->first = 0;
    for (size_t i = 0; i < cell->count; i++)
        cell->values[i] = readings[i].value * scale;
    cell->ours = cell_summary(cell->values, cell->count).mean;
    cell->has_ours = true;
    if (readings[0].median)
        set_median(cell, readings, scale);
    if (!readings[0].accuracy)
        return 0;
    set_accuracy(cell, readings, scale);
    return set_outcomes(cell, readings, err);
}

/* Sets the axis, and how many references there are. */
static int set_axis(struct cell *cell, const json_t *reference, const json_t *over,
                    struct error *err)
{
    const char *name;
    json_t *values;
    cell->count = json_is_array(reference) ? json_array_size(reference) : 1;
    if (!json_is_array(reference))
        return 0;
    json_object_foreach((json_t *)over, name, values)
    {
        cell->axis = name;
        cell->axis_values = values;
    }
    size_t n = json_array_size(cell->axis_values), i;
    json_t *value;
    json_array_foreach((json_t *)cell->axis_values, i, value) n = json_is_string(value) ? n : 0;
    if (json_object_size(over) != 1 || n == 0 || n != cell->count)
        return error_set(err, EINVAL, "expected one reference for each value of 'over'");
    return 0;
}

int cell_read(struct cell *cell, struct sources *s, const json_t *reference, const json_t *over,
              double scale, struct error *err)
{
    int rc = set_axis(cell, reference, over, err);
    if (rc < 0)
        return rc;
    struct reading *readings = calloc(cell->count, sizeof *readings);
    cell->sources = calloc(cell->count, sizeof *cell->sources);
    cell->values = calloc(cell->count, sizeof *cell->values);
    if (!readings || !cell->sources || !cell->values)
        rc = error_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < cell->count; i++) {
        const json_t *one = json_is_array(reference) ? json_array_get(reference, i) : reference;
        rc = read_one(&readings[i], &cell->sources[i], s, one, scale, err);
    }
    if (rc == 0)
        rc = combine(cell, readings, scale, err);
    free(readings);
    return rc;
}

void cell_free(struct cell *cell)
{
    free(cell->reason);
    free(cell->sources);
    free(cell->values);
    json_decref(cell->outcomes);
}
