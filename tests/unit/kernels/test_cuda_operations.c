/* The tests of test_kernels.c for the `cuda` backend, on doubles of cudart and cuDNN: each operation
 * against `ref`. Batches are whole. */
#define TEST_OF_CUDA
#include "tests/unit/kernels/test_kernels.c" /* NOLINT(bugprone-suspicious-include) */

#include "tests/double/cudart.h"
#include "tests/double/libraries.h"

int main(void)
{
    if (!double_use_libraries()) {
        print_error("the doubles of cuDNN and cuBLAS aren't built\n");
        return 1;
    }
    int failed = run_kernels();
    return failed || double_leaks(true) ? 1 : 0;
}
