/* See duplicates.h. Identical images are found by sorting; nearly the same ones among one image of
 * each group. */
#include "stages/duplicates/duplicates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "stages/duplicates/near_pairs.h"

enum { PIXELS = FACE_SIZE * FACE_SIZE };

enum split duplicates_split(const struct duplicates *duplicates, size_t image)
{
    enum split split = SPLIT_TRAIN;
    while (image >= duplicates->start[split + 1])
        split++;
    return split;
}

static const uint8_t *pixels_of(const struct duplicates *d, const struct images splits[SPLITS],
                                size_t image)
{
    enum split split = duplicates_split(d, image);
    return (const uint8_t *)splits[split].pixels.data + (image - d->start[split]) * PIXELS;
}

/* ---- identical images ---- */

struct item {
    const uint8_t *pixels;
    uint32_t image;
};

static int by_pixels(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = memcmp(x->pixels, y->pixels, PIXELS);
    return order ? order : (x->image > y->image) - (x->image < y->image);
}

/* Numbers the groups of equal images in the order of their first images. */
static int number_groups(struct duplicates *d, const struct images splits[SPLITS],
                         struct error *err)
{
    struct item *items = malloc((d->n + 1) * sizeof *items);
    uint32_t *group = d->group;
    if (!items)
        return error_set(err, ENOMEM, "out of memory for %zu images", d->n);
    for (size_t i = 0; i < d->n; i++)
        items[i] = (struct item){pixels_of(d, splits, i), (uint32_t)i};
    qsort(items, d->n, sizeof *items, by_pixels);
    for (size_t i = 0; i < d->n; i++) { /* the first image of each group */
        bool again = i > 0 && memcmp(items[i - 1].pixels, items[i].pixels, PIXELS) == 0;
        group[items[i].image] = again ? group[items[i - 1].image] : items[i].image;
    }
    free(items);
    for (size_t i = 0; i < d->n; i++)
        group[i] = group[i] == i ? (uint32_t)d->group_count++ : group[group[i]];
    return 0;
}

static void describe_groups(struct duplicates *d, const struct images splits[SPLITS])
{
    for (size_t g = 0; g < d->group_count; g++) {
        d->groups[g] = (struct twin_group){.cluster = (uint32_t)g};
        for (int s = 0; s < SPLITS; s++) {
            d->groups[g].first[s] = NO_IMAGE;
            d->groups[g].nearest[s] = (struct near_twin){.image = NO_IMAGE, .similarity = -1};
        }
    }
    for (int s = 0; s < SPLITS; s++) {
        const uint8_t *labels = splits[s].labels.data;
        for (size_t i = 0; i < splits[s].n; i++) {
            struct twin_group *group = &d->groups[d->group[d->start[s] + i]];
            if (group->first[s] == NO_IMAGE)
                group->first[s] = (uint32_t)(d->start[s] + i);
            group->labels[s] |= (uint8_t)(1 << labels[i]);
        }
    }
}

/* ---- nearly the same ---- */

static uint32_t cluster_of(const struct twin_group *groups, uint32_t g)
{
    while (groups[g].cluster != g)
        g = groups[g].cluster;
    return g;
}

/* Joins two clusters; the number of the first group is the number of both. */
static void join(struct twin_group *groups, size_t a, size_t b)
{
    uint32_t x = cluster_of(groups, (uint32_t)a), y = cluster_of(groups, (uint32_t)b);
    groups[x > y ? x : y].cluster = x > y ? y : x;
}

/* Tells `group` that `other` is nearly the same. */
static void add_near(struct twin_group *group, const struct twin_group *other,
                     const struct near_pair *pair)
{
    for (int s = 0; s < SPLITS; s++) {
        struct near_twin *nearest = &group->nearest[s];
        uint32_t image = other->first[s];
        group->near_labels[s] |= other->labels[s];
        if (image == NO_IMAGE || (group->first[s] != NO_IMAGE && image > group->first[s]))
            continue;
        if (pair->similarity > nearest->similarity ||
            (pair->similarity == nearest->similarity && image < nearest->image))
            *nearest = (struct near_twin){image, pair->mirrored, pair->similarity};
    }
}

struct search {
    struct twin_group *groups;
    const struct duplicates_settings *settings;
};

static void add_pair(void *user, const struct near_pair *pair)
{
    struct twin_group *groups = ((struct search *)user)->groups;
    struct twin_group *a = &groups[pair->a], *b = &groups[pair->b];
    add_near(a, b, pair);
    add_near(b, a, pair);
    if (a->labels[SPLIT_TRAIN] && b->labels[SPLIT_TRAIN])
        join(groups, pair->a, pair->b);
}

static void report(void *user, double share)
{
    const struct duplicates_settings *settings = ((struct search *)user)->settings;
    if (settings->progress)
        settings->progress(settings->user, share);
}

static int find_near(struct duplicates *d, const struct images splits[SPLITS],
                     const struct duplicates_settings *settings, struct error *err)
{
    const uint8_t **images = malloc((d->group_count + 1) * sizeof *images);
    if (!images)
        return error_set(err, ENOMEM, "out of memory for %zu images", d->n);
    for (size_t i = d->n; i-- > 0;) /* the first image of a group is set last */
        images[d->group[i]] = pixels_of(d, splits, i);
    struct search search = {d->groups, settings};
    const struct near_search near = {.images = images,
                                     .n = d->group_count,
                                     .least = settings->similarity,
                                     .mirror = settings->mirror,
                                     .threads = settings->threads,
                                     .found = add_pair,
                                     .progress = report,
                                     .user = &search};
    int rc = near_pairs_find(&near, err);
    for (size_t g = 0; g < d->group_count; g++)
        d->groups[g].cluster = cluster_of(d->groups, (uint32_t)g);
    free(images);
    return rc;
}

int duplicates_find(const struct images splits[SPLITS], const struct duplicates_settings *settings,
                    struct duplicates *duplicates, struct error *err)
{
    struct duplicates *d = duplicates;
    *d = (struct duplicates){0};
    for (int s = 0; s < SPLITS; s++)
        d->start[s + 1] = d->start[s] + splits[s].n;
    d->n = d->start[SPLITS];
    if (d->n > INT32_MAX)
        return error_set(err, EINVAL, "%zu images, expected at most %d", d->n, INT32_MAX);
    d->group = malloc((d->n + 1) * sizeof *d->group);
    int rc = d->group ? number_groups(d, splits, err)
                      : error_set(err, ENOMEM, "out of memory for %zu images", d->n);
    if (rc == 0)
        d->groups = malloc((d->group_count + 1) * sizeof *d->groups);
    if (rc == 0 && !d->groups)
        rc = error_set(err, ENOMEM, "out of memory for %zu images", d->n);
    if (rc == 0) {
        describe_groups(d, splits);
        rc = find_near(d, splits, settings, err);
    }
    if (rc < 0)
        duplicates_free(d);
    return rc;
}

void duplicates_free(struct duplicates *duplicates)
{
    free(duplicates->group);
    free(duplicates->groups);
    *duplicates = (struct duplicates){0};
}
