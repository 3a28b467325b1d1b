/* The table of executors: see executor.h. */
#include "dag/executors/executor.h"

const struct executor_type *const executors[] = {&executor_local, NULL};
