/* See drop.h. */
#include "stages/data/drop.h"

#include <errno.h>
#include <stdlib.h>
#include "stages/data/stratify.h"

/* all: the rows of each class; dropped: those of them that are dropped. */
static void count_dropped(const struct images *train, const uint8_t *drop, size_t all[CLASSES],
                          size_t dropped[CLASSES])
{
    const uint8_t *labels = train->labels.data;
    count_labels(labels, train->n, all);
    for (int c = 0; c < CLASSES; c++)
        dropped[c] = 0;
    for (size_t i = 0; i < train->n; i++)
        dropped[labels[i]] += drop[i] != 0;
}

json_t *drop_counts(const struct images *train, const uint8_t *drop)
{
    size_t all[CLASSES], dropped[CLASSES], total = 0;
    count_dropped(train, drop, all, dropped);
    json_t *per_class = json_object();
    for (int c = 0; c < CLASSES; c++) {
        total += dropped[c];
        json_object_set_new(per_class, class_names[c], json_integer((json_int_t)dropped[c]));
    }
    return json_pack("{s:I, s:I, s:o}", "removed_total", (json_int_t)total, "kept_total",
                     (json_int_t)(train->n - total), "removed_per_class", per_class);
}

int drop_rows(struct images *train, const uint8_t *drop, const char *why, struct error *err)
{
    size_t all[CLASSES], dropped[CLASSES], total = 0;
    count_dropped(train, drop, all, dropped);
    for (int c = 0; c < CLASSES; c++)
        total += dropped[c];
    if (train->n > 0 && total == train->n)
        return error_set(err, EINVAL, "all %zu training images %s", train->n, why);
    for (int c = 0; c < CLASSES; c++)
        if (all[c] > 0 && dropped[c] == all[c])
            return error_set(err, EINVAL, "all %zu training images of class %s %s", all[c],
                             class_names[c], why);
    uint8_t *keep = malloc(train->n + 1);
    if (!keep)
        return error_set(err, ENOMEM, "out of memory for %zu images", train->n);
    for (size_t i = 0; i < train->n; i++)
        keep[i] = !drop[i];
    images_keep(train, keep);
    free(keep);
    return 0;
}
