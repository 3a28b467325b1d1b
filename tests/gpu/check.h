/* What the files of check_gpu share: items with one line each, a backend's device with drawn
 * tensors, and the comparison of results. The program needs base/, kernels/nets and two backends
 * only, so that it can be carried to a machine with a GPU. */
#ifndef FERDAG_TESTS_GPU_CHECK_H
#define FERDAG_TESTS_GPU_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include "base/random.h"
#include "kernels/backends/backend.h"
#include "kernels/nets/models.h"

struct checks {
    bool brief;         /* small shapes, for a run without a GPU */
    const char *folder; /* files are written here */
    int threads;        /* items that may run at the same time */
    double end;         /* on check_clock: items are skipped after that */
    int passed, failed, skipped;
};

/* Runs an item. Returns 0 (passed), CHECK_SKIPPED with the reason in err, or a negative code with
 * err filled in (failed). */
typedef int check_function(struct checks *checks, const void *item, struct error *err);
enum { CHECK_SKIPPED = 1, CHECK_NAME = 160 };

/* Seconds on a clock that never goes back. */
double check_clock(void);

/* Runs an item, prints its line and counts it. Threads may call it at the same time. */
void check_run(struct checks *checks, check_function *run, const void *item, const char *name);

/* The parts of the program: each runs its items. */
void check_device(struct checks *checks);
void check_operations(struct checks *checks);
void check_convolutions(struct checks *checks);
void check_nets(struct checks *checks);
void check_training(struct checks *checks);

/* Runs so many training steps of each net; for compute-sanitizer. */
void check_steps(struct checks *checks, int steps);

/* ---- a backend and its results ---- */

struct result {
    const char *name;
    float *values;
    size_t count;
};
enum { MAX_RESULTS = 12 };

struct results {
    struct result items[MAX_RESULTS];
    size_t count;
};

struct side {
    const struct backend *b;
    struct device *d;
    struct device_traits traits;
    struct random random;
    int failed; /* code of the first failure */
    struct error err;
    struct results results;
};

/* Makes a call unless an earlier one has failed. */
#define TRY(side, call)                                                                            \
    do {                                                                                           \
        if (!(side)->failed)                                                                       \
            (side)->failed = (call);                                                               \
    } while (0)

/* The caller calls side_close also after a failure. */
void side_open(struct side *s, const char *backend, enum precision precision);
void side_close(struct side *s);

/* Random values: low + k / 16 with k < steps, and with `sign` a random sign. steps 0: any float32
 * from low to -low. */
struct draw {
    double low;
    uint64_t steps;
    bool sign;
};

/* Fills n values. */
void draw_values(struct random *r, struct draw draw, float *values, size_t n);

/* Creates a tensor with drawn values. NULL after a failure. */
struct tensor *side_tensor(struct side *s, enum tensor_use use, struct shape shape,
                           struct draw draw);

/* Reads a tensor and keeps its values as a result. */
void side_keep(struct side *s, const char *name, struct tensor *t, struct shape shape);

void results_free(struct results *r);

size_t shape_values(struct shape s);

/* The largest difference allowed for a value of ref: relative * |ref| + absolute * the root mean
 * square of ref. */
struct bound {
    double relative, absolute;
};

/* 0, or -ERANGE with the worst value in err. */
int compare_result(const struct result *a, const struct result *ref, struct bound bound,
                   struct error *err);

/* 0, or -EILSEQ with the first result that differs in err. */
int compare_bits(const struct results *a, const struct results *b, struct error *err);

/* ---- sizes ---- */

/* Widths of the nets: 64 and 16, or small ones. */
struct widths {
    int values[2], count;
};
struct widths check_widths(const struct checks *checks);

/* Images of the full batch and of the last one. */
size_t check_batch(const struct checks *checks);
size_t check_last(const struct checks *checks);

/* Height and width of a net's input. */
enum { IMAGE_SIZE = 40, CLASSES = 7 };

static inline const char *precision_name(enum precision p)
{
    return p == PRECISION_BF16 ? "bf16" : "fp32";
}

#endif
