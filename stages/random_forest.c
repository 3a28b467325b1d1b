#include "stages/kind.h"
#include <errno.h>

static int run(struct job *job, struct error *err)
{
    (void)job;
    return error_set(err, ENOSYS, "random_forest is not built yet");
}

static const struct port none[] = {{0}};
static const struct param no_params[] = {{0}};

const struct kind kind_random_forest = {
    .name = "random_forest", .version = 1, .text = "", .inputs = none, .outputs = none,
    .params = no_params, .run = run,
};
