/* Fixture of the report's tests: a small job with two stages that ran and one that didn't, its
 * tables, the paper's numbers, and the outputs of the stages. */
#ifndef FERDAG_TESTS_UNIT_SMALL_REPORT_H
#define FERDAG_TESTS_UNIT_SMALL_REPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include "base/file.h"

static inline json_t *parse(const char *text)
{
    json_error_t where;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &where);
    if (!json)
        fail_msg("test's own JSON, line %d: %s", where.line, where.text);
    return json;
}

static const char tables_json[] =
    "{\"t\": {\"title\": \"Accuracy, all (%)\", \"name\": \"Table X\", \"row_header\": \"Model\","
    " \"scale\": 100, \"digits\": 2, \"unit\": \"%\","
    " \"columns\": {\"public\": {\"label\": \"Public\", \"group\": \"Full\"}, \"private\": "
    "{\"label\": \"Private\", \"group\": \"Full\"},"
    "  \"rise\": {\"label\": \"Rise\", \"sum\": [\"private\", \"-public\"]}},"
    " \"rows\": {\"z\": {\"label\": \"Zed | one\"}, \"a\": {\"label\": \"Ay, two\"}, \"gone\": "
    "{\"label\": \"Gone\"},"
    "  \"theirs\": {\"label\": \"Theirs\"}},"
    " \"cells\": {\"z\": {\"public\": \"@score/z.metrics:/public/accuracy\", \"private\": "
    "\"@score/z.metrics:/private/accuracy\", \"rise\": null},"
    "  \"a\": {\"public\": \"@score/a.metrics:/public/accuracy\", \"private\": "
    "\"@score/a.metrics:/text\", \"rise\": null},"
    "  \"gone\": {\"public\": \"@score/gone.metrics:/public/accuracy\", \"private\": "
    "\"@score/z.metrics:/nowhere\", \"rise\": null},"
    "  \"theirs\": {\"public\": null, \"private\": null, \"rise\": null}}}}";

static const char paper_json[] = "{\"t\": {\"z\": {\"public\": 70.0, \"private\": 72.5}, \"a\": "
                                 "{\"public\": 68.0}, \"gone\": {\"public\": 60},"
                                 " \"theirs\": {\"public\": 69.5}}, \"settings\": {\"width\": "
                                 "{\"label\": \"Width\", \"value\": 64},"
                                 " \"batch\": {\"label\": \"Batch\", \"value\": null}}}";

static const char sources_json[] =
    "[{\"path\": \"sources.0\", \"stage\": \"score/z\", \"port\": \"metrics\", \"key\": "
    "\"0123456789abcdef\", \"kind\": \"metrics\","
    "  \"seconds\": 1.5, \"peak_bytes\": 1048576, \"params\": {\"k\": 1}, \"threads\": 1},"
    " {\"path\": \"sources.1\", \"stage\": \"score/a\", \"port\": \"metrics\", \"key\": "
    "\"fedcba9876543210\", \"kind\": \"metrics\","
    "  \"seconds\": 2, \"peak_bytes\": 10, \"params\": {}, \"threads\": 1},"
    " {\"stage\": \"score/gone\", \"port\": \"metrics\", \"missing\": true},"
    " {\"path\": \"sources.3\", \"stage\": \"train\", \"port\": \"metrics\", \"key\": \"77\", "
    "\"kind\": \"train_cnn\","
    "  \"seconds\": 3, \"peak_bytes\": 10, \"params\": {}, \"threads\": 2},"
    " {\"path\": \"sources.4\", \"stage\": \"sheet\", \"port\": \"sheets\", \"key\": \"78\", "
    "\"kind\": \"filter\","
    "  \"seconds\": 3, \"peak_bytes\": 10, \"params\": {}, \"threads\": 2}]";

static const char z_metrics[] =
    "{\"public\": {\"accuracy\": 0.7123, \"n\": 3589, \"confusion\": [[5, 1], [2, 9]]},"
    " \"private\": {\"accuracy\": 0.74, \"n\": 3589}}";
static const char a_metrics[] =
    "{\"public\": {\"accuracy\": 0.65, \"n\": 3589}, \"text\": \"NaN\"}";
static const char train_metrics[] =
    "{\"epoch\": 1, \"public_accuracy\": 0.3}\n{\"epoch\": 2, \"public_accuracy\": 0.4}\n";

static inline void write_text(const char *path, const char *text)
{
    struct error err = {""};
    assert_int_equal(file_write(path, text, strlen(text), &err), 0);
}

static char folder[] = "/tmp/ferdag-report-XXXXXX";
static char *before;

static inline int set_up(void **state)
{
    (void)state;
    before = getcwd(NULL, 0);
    if (!before || !mkdtemp(folder) || chdir(folder) < 0)
        return -1;
    write_text("sources.0", z_metrics);
    write_text("sources.1", a_metrics);
    write_text("sources.3", train_metrics);
    return file_make_folders("sources.4", NULL);
}

static inline int tear_down(void **state)
{
    (void)state;
    int rc = chdir(before);
    free(before);
    return rc < 0 ? rc : file_remove_tree(folder, NULL);
}

#endif
