#ifndef FERDAG_TESTS_DOUBLE_LIBRARIES_H
#define FERDAG_TESTS_DOUBLE_LIBRARIES_H

#include <stdbool.h>

/* Sets FERDAG_CUDNN and FERDAG_CUBLAS to the doubles that were built with this program: in the
 * folder `double` beside the program, or above it. Returns whether they are there. */
bool double_use_libraries(void);

#endif
