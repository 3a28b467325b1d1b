/* Linked into build/double/ferdag: the program uses the doubles of cuDNN and cuBLAS, unless the
 * environment names others. */
#include <stdlib.h>
#include "tests/double/libraries.h"

__attribute__((constructor)) static void use_libraries(void)
{
    if (!getenv("FERDAG_CUDNN"))
        double_use_libraries();
}
