/* See plain.h. */
#include "reports/plain.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/cells.h"

static const char claims_name[] = "claims";
static const char *const parts[] = {"ours", "paper", "difference"};
enum { PARTS = 3 };

void plain_csv_field(struct text *t, const char *s)
{
    size_t n = strlen(s);
    bool quote = s[strcspn(s, "\",\r\n")] || (n && (s[0] == ' ' || s[n - 1] == ' '));
    if (quote)
        text_add(t, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"')
            text_add(t, "\"\"");
        else
            text_add_bytes(t, (c < 0x20 && c != '\n' && c != '\r') || c == 0x7f ? " " : s, 1);
    }
    if (quote)
        text_add(t, "\"");
}

void plain_md_text(struct text *t, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (strchr("\\`*_[]<>|#", c))
            text_add(t, "\\");
        text_add_bytes(t, c < 0x20 || c == 0x7f ? " " : s, 1);
    }
}

/* A column's name in one line: "Full dataset, Public". */
static void column_name(struct text *t, const json_t *column)
{
    const char *group = cells_string(column, "group");
    text_print(t, "%s%s%s", group, *group ? ", " : "", cells_string(column, "label"));
}

static const char *stub_name(const json_t *table)
{
    const char *stub = cells_string(table, "row_header");
    return *stub ? stub : "row";
}

/* A row's name in one line: "SVM, linear kernel". */
static void row_name(struct text *t, const json_t *row)
{
    const char *group = cells_string(row, "group");
    text_print(t, "%s%s%s", group, *group ? ", " : "", cells_string(row, "label"));
}

static const char *part_text(const json_t *cell, size_t part)
{
    return cells_string(json_object_get(cell, "text"), parts[part]);
}

typedef void (*writer)(struct text *t, const char *s);

/* A name made by `make`, written by `write`. */
static void add_made(struct text *t, void (*make)(struct text *, const json_t *), const json_t *of,
                     writer write)
{
    struct text name = {0};
    make(&name, of);
    write(t, text_string(&name));
    t->failed = t->failed || name.failed;
    text_free(&name);
}

static void csv_header(struct text *t, const json_t *table)
{
    size_t c;
    json_t *column;
    plain_csv_field(t, stub_name(table));
    json_array_foreach(json_object_get(table, "columns"), c, column) for (size_t p = 0; p < PARTS;
                                                                          p++)
    {
        struct text name = {0};
        column_name(&name, column);
        text_print(&name, " %s", parts[p]);
        text_add(t, ",");
        plain_csv_field(t, text_string(&name));
        text_free(&name);
    }
    text_add(t, "\n");
}

void plain_table_csv(struct text *t, const json_t *table)
{
    size_t r, c;
    json_t *row, *cell;
    csv_header(t, table);
    json_array_foreach(json_object_get(table, "rows"), r, row)
    {
        add_made(t, row_name, row, plain_csv_field);
        json_array_foreach(json_object_get(row, "cells"), c, cell) for (size_t p = 0; p < PARTS;
                                                                        p++)
        {
            text_add(t, ",");
            plain_csv_field(t, part_text(cell, p));
        }
        text_add(t, "\n");
    }
}

static void md_heading(struct text *t, const json_t *table)
{
    const char *name = cells_string(table, "name");
    text_add(t, "# ");
    plain_md_text(t, name);
    text_add(t, *name ? ": " : "");
    plain_md_text(t, cells_string(table, "title"));
    text_add(t, "\n\n");
}

static void md_paragraph(struct text *t, const char *s)
{
    if (!*s)
        return;
    plain_md_text(t, s);
    text_add(t, "\n\n");
}

static void md_table_header(struct text *t, const json_t *table)
{
    size_t c;
    json_t *column;
    text_add(t, "| ");
    plain_md_text(t, stub_name(table));
    json_array_foreach(json_object_get(table, "columns"), c, column)
    {
        text_add(t, " | ");
        add_made(t, column_name, column, plain_md_text);
        text_add(t, ": ours | paper | difference");
    }
    text_add(t, " |\n|---");
    for (c = 0; c < json_array_size(json_object_get(table, "columns")) * PARTS; c++)
        text_add(t, "|---:");
    text_add(t, "|\n");
}

void plain_table_md(struct text *t, const json_t *table, const char *notice)
{
    size_t r, c;
    json_t *row, *cell;
    md_heading(t, table);
    md_paragraph(t, notice);
    md_table_header(t, table);
    json_array_foreach(json_object_get(table, "rows"), r, row)
    {
        text_add(t, "| ");
        add_made(t, row_name, row, plain_md_text);
        json_array_foreach(json_object_get(row, "cells"), c, cell) for (size_t p = 0; p < PARTS;
                                                                        p++)
        {
            text_add(t, " | ");
            plain_md_text(t, part_text(cell, p));
        }
        text_add(t, " |\n");
    }
    if (*cells_string(table, "note")) {
        text_add(t, "\n");
        md_paragraph(t, cells_string(table, "note"));
    }
}

static void csv_count(struct text *t, const json_t *check, const char *name)
{
    text_print(t, ",%lld", (long long)json_integer_value(json_object_get(check, name)));
}

void plain_claims_csv(struct text *t, const json_t *claims)
{
    static const char *const counts[] = {"needed",  "holds",       "open",    "fails",
                                         "missing", "paper_holds", "paper_of"};
    size_t i, k;
    json_t *claim, *check;
    text_add(
        t,
        "number,claim,verdict,reason,check,decides,result,needed,holds,within noise,fails,missing,"
        "paper holds,paper of\n");
    json_array_foreach((json_t *)claims, i, claim)
        json_array_foreach(json_object_get(claim, "checks"), k, check)
    {
        text_print(t, "%lld,", (long long)json_integer_value(json_object_get(claim, "number")));
        plain_csv_field(t, cells_string(claim, "title"));
        text_print(t, ",%s,", cells_string(claim, "verdict"));
        plain_csv_field(t, cells_string(claim, "reason"));
        text_add(t, ",");
        plain_csv_field(t, cells_string(check, "text"));
        text_print(t, ",%s,%s",
                   json_is_true(json_object_get(check, "informational")) ? "no" : "yes",
                   cells_string(check, "result"));
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            csv_count(t, check, counts[c]);
        text_add(t, "\n");
    }
}

static void md_check(struct text *t, const json_t *check)
{
    size_t i;
    json_t *comparison;
    text_add(t, "| ");
    plain_md_text(t, cells_string(check, "text"));
    text_add(t, " | ours | | paper | |\n|---|---|---|---|---|\n");
    json_array_foreach(json_object_get(check, "comparisons"), i, comparison)
    {
        static const char *const fields[] = {"text", "ours", "result", "paper", "paper_result"};
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
            text_add(t, "| ");
            plain_md_text(t, cells_string(comparison, fields[f]));
            text_add(t, " ");
        }
        text_add(t, "|\n");
    }
    text_add(t, "\n");
}

void plain_claims_md(struct text *t, const json_t *claims, const char *notice)
{
    size_t i, k;
    json_t *claim, *check;
    text_add(t, "# Claims\n\n");
    md_paragraph(t, notice);
    json_array_foreach((json_t *)claims, i, claim)
    {
        text_print(t, "## %lld. ", (long long)json_integer_value(json_object_get(claim, "number")));
        plain_md_text(t, cells_string(claim, "title"));
        text_print(t, ": %s\n\n", cells_string(claim, "verdict"));
        md_paragraph(t, cells_string(claim, "text"));
        md_paragraph(t, cells_string(claim, "rule"));
        md_paragraph(t, cells_string(claim, "reason"));
        md_paragraph(t, cells_string(claim, "note"));
        json_array_foreach(json_object_get(claim, "checks"), k, check) md_check(t, check);
    }
}

static int write_file(struct text *t, const char *folder, const char *name, const char *ending,
                      struct error *err)
{
    char *path = file_path("%s/%s%s", folder, name, ending);
    if (!path) {
        text_free(t);
        return error_set(err, ENOMEM, "out of memory");
    }
    int rc = text_write(t, path, err);
    free(path);
    return rc;
}

/* A table's id becomes a file's name: letters, digits, _ and - only. */
bool plain_is_file_name(const char *id)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return *id && strlen(id) < 100 && id[strspn(id, allowed)] == 0;
}

bool plain_is_taken(const char *id)
{
    return strcmp(id, claims_name) == 0;
}

int plain_write(const char *folder, const json_t *tables, const json_t *claims, const char *notice,
                struct error *err)
{
    size_t i;
    json_t *table;
    struct text t = {0};
    int rc = 0;
    json_array_foreach((json_t *)tables, i, table)
    {
        const char *id = cells_string(table, "id");
        if (!plain_is_file_name(id))
            return error_set(err, EINVAL,
                             "tables: '%s' is no name for a file: letters, digits, _ and -", id);
        if (plain_is_taken(id))
            return error_set(err, EINVAL, "tables: '%s' is the name of the claims' files", id);
        plain_table_csv(&t, table);
        rc = write_file(&t, folder, id, ".csv", err);
        if (rc < 0)
            return rc;
        plain_table_md(&t, table, notice);
        rc = write_file(&t, folder, id, ".md", err);
        if (rc < 0)
            return rc;
    }
    plain_claims_csv(&t, claims);
    rc = write_file(&t, folder, claims_name, ".csv", err);
    if (rc < 0)
        return rc;
    plain_claims_md(&t, claims, notice);
    return write_file(&t, folder, claims_name, ".md", err);
}
