/* See version.h. The Makefile writes built_version.h. */
#include "dag/version.h"
#include "built_version.h"

const char version_number[] = FERDAG_VERSION;
const char version_commit[] = FERDAG_COMMIT;
const char version_date[] = FERDAG_DATE;
