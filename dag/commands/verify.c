/* `verify`: the verdicts of the claims. The stage `tables` decides them from the results that are
 * in the cache; it is the only one that runs, and its cells.json is all that is read. So the
 * verdicts are those of the report, by the same code. */
#include "dag/commands/commands.h"
#include "base/display.h"
#include "base/nearest.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cache/tree.h"
#include "dag/commands/columns.h"
#include "dag/run.h"
#include "dag/screen.h"
#include "dag/session.h"
#include "dag/variant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Columns: where the name of a claim begins, behind its verdict; the texts below it; and those
 * behind the result of a check and, below that, of a comparison. */
enum { NAME = 16, BELOW = 4, RESULT = 9, CHECK = BELOW + RESULT, COMPARISON = CHECK + RESULT };

enum claim_verdict { REPRODUCED, NOT_REPRODUCED, NOT_DECIDED, NOT_RUN, VERDICTS };

static const struct {
    const char *name; /* in cells.json */
    const char *key;  /* in the counts of --json */
    enum text_style style;
} verdicts[VERDICTS] = {
    [REPRODUCED] = {"reproduced", "reproduced", TEXT_GREEN},
    [NOT_REPRODUCED] = {"not reproduced", "not_reproduced", TEXT_RED},
    [NOT_DECIDED] = {"not decided", "not_decided", TEXT_YELLOW},
    [NOT_RUN] = {"not run", "not_run", TEXT_DIM},
};

/* The claims to show, and how many have each verdict. */
struct summary {
    json_t *claims; /* array */
    size_t counts[VERDICTS];
};

/* ---- the names of claims ---- */

static int check_name(const struct experiment *e, const json_t *claims, const char *name,
                      struct error *err)
{
    struct nearest nearest = {.wrong = name};
    const char *id;
    json_t *claim;
    if (json_object_get(claims, name))
        return 0;
    json_object_foreach((json_t *)claims, id, claim) nearest_offer(&nearest, id);
    return error_set(err, EINVAL, "%s: unknown claim '%s'%s", e->file, name,
                     nearest_hint(&nearest));
}

/* -EINVAL if the file has no claims, or not those of the command line. */
static int check_names(const struct experiment *e, const struct options *options, struct error *err)
{
    const json_t *claims = experiment_claims(e);
    int rc = 0;
    if (!claims)
        return error_set(err, EINVAL, "%s: nothing to verify: it has no section `claims`", e->file);
    for (size_t i = 1; rc == 0 && i < options->name_count; i++)
        rc = check_name(e, claims, options->names[i], err);
    return rc;
}

static bool is_asked(const struct options *options, const char *id)
{
    bool asked = options->name_count < 2;
    for (size_t i = 1; i < options->name_count; i++)
        asked |= strcmp(options->names[i], id) == 0;
    return asked;
}

/* ---- the stage `tables` and its cells.json ---- */

/* Without an input, the keys of the stages that read it aren't known. */
static void warn_of_missing_inputs(const struct plan *plan)
{
    const struct experiment *e = plan->experiment;
    for (size_t i = 0; i < e->external_count; i++) {
        const char *obstacle = plan_source(plan, e->externals[i])->obstacle;
        if (obstacle)
            fprintf(stderr,
                    "ferdag: warning: %s; results that depend on it can't be found in the cache\n",
                    obstacle);
    }
}

/* Returns an exit status; if that isn't EXIT_DONE, the reason was printed or is in err. */
static int run_tables(struct session *s, const struct options *options, struct error *err)
{
    struct run_options run_options = {
        .same = variant_options(s->experiment.arena, options),
        .keep_going = true,
        .only_report = true,
    };
    struct run_totals totals = {0};
    int rc = run_plan(&s->plan, &run_options, &totals, err);
    if (rc < 0 || totals.failed || session_took_forgotten(s))
        return EXIT_FAILED;
    return totals.interrupted ? EXIT_INTERRUPTED : EXIT_DONE;
}

static int load_json(struct cache *cache, const struct digest *digest, json_t **json,
                     struct error *err)
{
    json_error_t why;
    int rc = cache_verify(cache, digest, err);
    if (rc == -EILSEQ) {
        struct error reason = *err;
        rc = cache_damaged(cache, digest, reason.text, err);
        return rc < 0 ? rc
                      : error_set(err, EILSEQ, "the verdicts are damaged in the cache; run again");
    }
    if (rc < 0)
        return rc;
    char *path = must(cache_blob_path(cache, digest));
    *json = json_load_file(path, 0, &why);
    free(path);
    return *json ? 0 : error_set(err, EINVAL, "cannot read the verdicts: %s", why.text);
}

/* Reads cells.json from the folder that `tables` has made. */
static int load_cells(struct session *s, json_t **cells, struct error *err)
{
    const struct task *task = &s->plan.tasks[experiment_tables(&s->experiment)->place];
    const struct blob *blob =
        state_has_result(task->state) ? result_output(&task->result, "tables") : NULL;
    struct tree tree = {0};
    const struct tree_entry *entry = NULL;
    if (!blob)
        return error_set(err, ENODATA, "stage %s has no result", task->stage->name);
    int rc = cache_read_tree(&s->cache, blob, &tree, err);
    for (size_t i = 0; i < tree.count; i++)
        if (tree_is_file(&tree.entries[i]) && strcmp(tree.entries[i].path, "cells.json") == 0)
            entry = &tree.entries[i];
    if (rc == 0)
        rc = entry ? load_json(&s->cache, &entry->digest, cells, err)
                   : error_set(err, ENODATA, "stage %s left no cells.json", task->stage->name);
    tree_free(&tree);
    return rc;
}

/* ---- verdicts ---- */

/* "" if there is none. */
static const char *text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));
    return text ? text : "";
}

static int find_verdict(const json_t *claim, enum claim_verdict *verdict, struct error *err)
{
    const char *name = text_of(claim, "verdict");
    for (int i = 0; i < VERDICTS; i++)
        if (strcmp(verdicts[i].name, name) == 0) {
            *verdict = (enum claim_verdict)i;
            return 0;
        }
    return error_set(err, EINVAL, "claim %s has the unknown verdict '%s'", text_of(claim, "id"),
                     name);
}

/* Selects the claims that the command line asks for, and counts their verdicts. */
static int summarise(const struct options *options, const json_t *cells, struct summary *summary,
                     struct error *err)
{
    json_t *claims = json_object_get(cells, "claims"), *claim;
    size_t i;
    int rc = 0;
    summary->claims = must(json_array());
    json_array_foreach(claims, i, claim)
    {
        enum claim_verdict verdict;
        if (rc < 0 || !is_asked(options, text_of(claim, "id")))
            continue;
        rc = find_verdict(claim, &verdict, err);
        if (rc < 0)
            continue;
        summary->counts[verdict]++;
        json_array_append(summary->claims, claim);
    }
    return rc;
}

/* A claim that is not reproduced stays so, whatever else runs. */
static int verdict_status(const struct summary *summary)
{
    return summary->counts[NOT_REPRODUCED] ? EXIT_NOT_REPRODUCED
           : summary->counts[NOT_RUN]      ? EXIT_FAILED
                                           : EXIT_DONE;
}

/* ---- as JSON ---- */

static void print_json(const struct experiment *e, const struct summary *summary)
{
    json_t *counts = must(json_object());
    for (int i = 0; i < VERDICTS; i++)
        json_object_set_new(counts, verdicts[i].key, json_integer((json_int_t)summary->counts[i]));
    json_t *all = must(json_pack("{s:o, s:O, s:o}", "experiment", must(utf8_json(e->name)),
                                 "claims", summary->claims, "counts", counts));
    /* `main` reports errors of stdout; with 17 digits the numbers are those of cells.json. */
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(all);
}

/* ---- as text ---- */

struct view {
    struct arena *arena;
    int screen; /* columns */
    bool colour, verbose;
};

/* The text on one line, without bytes that a terminal would take for commands. */
static const char *clean(const struct view *view, const char *text)
{
    size_t n = strlen(text);
    char *line = arena_copy(view->arena, text, n), *to = arena_alloc(view->arena, n + 1);
    for (char *p = line; (p = strpbrk(p, "\r\n"));)
        *p = ' ';
    display_clean(to, n + 1, line, n);
    return to;
}

static void print_below(const struct view *view, const char *text, int indent)
{
    if (!*text)
        return;
    printf("%*s", indent, "");
    columns_wrap(clean(view, text), indent, indent, view->screen);
}

/* "fails    On the public set: ...": the result in column `at`, the text behind it. */
static void print_result(const struct view *view, const char *result, const char *text, int at)
{
    printf("%*s%-*s", at, "", RESULT, clean(view, result));
    columns_wrap(clean(view, text), at + RESULT, at + RESULT, view->screen);
}

static void print_would_decide(const struct view *view, const json_t *item, int indent)
{
    const char *text = text_of(item, "would_decide");
    if (*text)
        print_below(view, arena_print(view->arena, "What would decide it: %s", text), indent);
}

/* What a test has given, of a claim, a check or a comparison. */
static void print_statistics(const struct view *view, const json_t *item, int indent)
{
    const json_t *p = json_object_get(item, "p"), *adjusted = json_object_get(item, "p_adjusted");
    const json_t *interval = json_object_get(item, "interval");
    const json_t *low = json_array_get(interval, 0), *high = json_array_get(interval, 1);
    struct text line = {0};
    const char *separator = "";
    if (json_is_number(p)) {
        text_print(&line, "p = %.2g", json_number_value(p));
        separator = ", ";
    }
    if (json_is_number(adjusted)) {
        text_print(&line, "%sadjusted p = %.2g", separator, json_number_value(adjusted));
        separator = ", ";
    }
    if (json_is_number(low) && json_is_number(high))
        text_print(&line, "%sinterval %.3g to %.3g", separator, json_number_value(low),
                   json_number_value(high));
    if (line.size)
        print_below(view, text_string(&line), indent);
    text_free(&line);
}

static void print_comparison(const struct view *view, const json_t *comparison)
{
    const char *name = text_of(comparison, "text"), *paper = text_of(comparison, "paper");
    print_result(view, text_of(comparison, "result"),
                 arena_print(view->arena, "%s%s%s%s%s", name, *name ? ": " : "",
                             text_of(comparison, "ours"), *paper ? "; the paper: " : "", paper),
                 CHECK);
    print_statistics(view, comparison, COMPARISON);
    print_would_decide(view, comparison, COMPARISON);
}

static long long number_of(const json_t *check, const char *name)
{
    return json_integer_value(json_object_get(check, name));
}

/* "3 of 8 hold, 1 fails, 4 open; 5 must hold" */
static const char *counts_text(const struct view *view, const json_t *check)
{
    static const char *const words[][3] = {
        {"fails", "fails", "fail"}, {"open", "open", "open"}, {"missing", "missing", "missing"}};
    long long holds = number_of(check, "holds"), missing = number_of(check, "missing");
    long long needed = number_of(check, "needed"), all = holds;
    const char *rest = "";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        long long n = number_of(check, words[i][0]);
        all += n;
        if (n)
            rest = arena_print(view->arena, "%s, %lld %s", rest, n, words[i][n == 1 ? 1 : 2]);
    }
    if (missing && missing == all)
        return arena_print(view->arena, "all %lld missing", all);
    if (needed < all)
        rest = arena_print(view->arena, "%s; %lld must hold", rest, needed);
    return arena_print(view->arena, "%lld of %lld %s%s", holds, all, holds == 1 ? "holds" : "hold",
                       rest);
}

/* Several comparisons are counted; one is shown, here or, with --verbose, below the check. */
static void print_check(const struct view *view, const json_t *check)
{
    const char *text = text_of(check, "text");
    bool silent = json_is_true(json_object_get(check, "informational"));
    const json_t *comparisons = json_object_get(check, "comparisons");
    json_t *comparison;
    size_t i, n = json_array_size(comparisons);
    if (silent && !view->verbose)
        return;
    const char *detail = n != 1          ? counts_text(view, check)
                         : view->verbose ? ""
                                         : text_of(json_array_get(comparisons, 0), "ours");
    print_result(view, text_of(check, "result"),
                 arena_print(view->arena, "%s%s%s%s", text, *text && *detail ? ": " : "", detail,
                             silent ? " (decides nothing)" : ""),
                 BELOW);
    if (view->verbose)
        print_statistics(view, check, CHECK);
    print_would_decide(view, check, CHECK);
    if (view->verbose)
        json_array_foreach((json_t *)comparisons, i, comparison) print_comparison(view, comparison);
}

static void print_claim(const struct view *view, const json_t *claim, enum claim_verdict verdict)
{
    const char *id = text_of(claim, "id"), *title = text_of(claim, "title");
    const char *name = verdicts[verdict].name;
    json_t *checks = json_object_get(claim, "checks"), *check;
    size_t i;
    if (strcmp(title, id) != 0)
        id = arena_print(view->arena, "%s: %s", id, title);
    screen_print_styled(stdout, view->colour, verdicts[verdict].style, name);
    printf("%*s", NAME - (int)strlen(name), "");
    columns_wrap(clean(view, id), NAME, NAME, view->screen);
    print_below(view, text_of(claim, "reason"), BELOW);
    if (view->verbose)
        print_statistics(view, claim, BELOW);
    if (verdict == REPRODUCED && !view->verbose)
        return;
    print_would_decide(view, claim, BELOW);
    json_array_foreach(checks, i, check) print_check(view, check);
}

static void print_text(const struct session *s, const struct options *options,
                       const struct summary *summary)
{
    struct view view = {
        .arena = s->experiment.arena,
        .screen = columns_screen(),
        .colour = screen_has_colours(STDOUT_FILENO),
        .verbose = options->verbose,
    };
    json_t *claim;
    size_t i;
    json_array_foreach(summary->claims, i, claim)
    {
        enum claim_verdict verdict;
        if (find_verdict(claim, &verdict, NULL) == 0)
            print_claim(&view, claim, verdict);
    }
    for (int k = 0; k < VERDICTS; k++)
        printf("%s%zu %s", k ? ", " : "", summary->counts[k], verdicts[k].name);
    putchar('\n');
}

/* ---- the command ---- */

static int verify(struct session *s, const struct options *options, struct error *err)
{
    struct summary summary = {0};
    json_t *cells = NULL;
    warn_of_missing_inputs(&s->plan);
    int status = run_tables(s, options, err);
    if (status != EXIT_DONE)
        return status;
    int rc = load_cells(s, &cells, err);
    if (rc == 0)
        rc = summarise(options, cells, &summary, err);
    if (rc == 0 && options->json)
        print_json(&s->experiment, &summary);
    else if (rc == 0)
        print_text(s, options, &summary);
    json_decref(summary.claims);
    json_decref(cells);
    return rc < 0 ? EXIT_FAILED : verdict_status(&summary);
}

int command_verify(const struct options *options, struct error *err)
{
    struct session s;
    int status = session_open_file(&s, options, err);
    if (status != EXIT_DONE)
        return status;
    int rc = check_names(&s.experiment, options, err);
    if (rc == 0)
        rc = session_plan_tables(&s, options, err);
    status = rc < 0 ? session_status(rc) : verify(&s, options, err);
    session_close(&s);
    return status;
}
