/* The claims one by one: verdict, what the paper says, and the numbers that decide. */
#include "reports/content/content.h"

#include <string.h>
#include "reports/cells.h"
#include "base/text.h"

enum doc_verdict content_verdict(const json_t *claim)
{
    const char *verdict = cells_string(claim, "verdict");
    return strcmp(verdict, "reproduced") == 0       ? VERDICT_YES
           : strcmp(verdict, "not reproduced") == 0 ? VERDICT_NO
           : strcmp(verdict, "not run") == 0        ? VERDICT_NOT_RUN
                                                    : VERDICT_OPEN;
}

const char *content_claim_anchor(struct document *doc, const json_t *claim)
{
    return doc_text(doc, "claim-%lld",
                    (long long)json_integer_value(json_object_get(claim, "number")));
}

static struct doc_cell result_cell(struct document *doc, const char *result)
{
    enum doc_tone tone = strcmp(result, "holds") == 0   ? TONE_ACCENT
                         : strcmp(result, "fails") == 0 ? TONE_STRONG
                                                        : TONE_MUTED;
    return (struct doc_cell){
        strcmp(result, "open") == 0 ? "not decided" : doc_text(doc, "%s", result), tone};
}

/* "p 0.004", adjusted; "" if it wasn't tested. */
static const char *p_text(struct document *doc, const json_t *json)
{
    const json_t *p = json_object_get(json, "p_adjusted");
    double value = json_number_value(p);
    if (!p)
        return "";
    if (value < 0.001)
        return "p < 0.001";
    return doc_text(doc, value < 0.1 ? "p %.3f" : "p %.2f", value);
}

/* Of the paper's numbers. */
static const char *paper_result(const char *result)
{
    return strcmp(result, "open") == 0 ? "not decided" : result;
}

static void fill_comparison(struct document *doc, const json_t *json, struct doc_comparison *c)
{
    const char *paper = paper_result(cells_string(json, "paper_result"));
    c->name = doc_text(doc, "%s", cells_string(json, "text"));
    c->ours = (struct doc_cell){doc_text(doc, "%s", cells_string(json, "ours")), TONE_NORMAL};
    c->p = (struct doc_cell){p_text(doc, json), TONE_MUTED};
    c->result = result_cell(doc, cells_string(json, "result"));
    c->paper = (struct doc_cell){doc_text(doc, "%s", cells_string(json, "paper")), TONE_MUTED};
    c->paper_result = (struct doc_cell){doc_text(doc, "%s", paper),
                                        strcmp(paper, "fails") == 0 ? TONE_STRONG : TONE_MUTED};
}

static long long count_of(const json_t *check, const char *name)
{
    return json_integer_value(json_object_get(check, name));
}

static void add_count(struct text *t, long long n, const char *what)
{
    if (n)
        text_print(t, "%s%lld %s", t->size ? ", " : "", n, what);
}

/* "6 hold, 2 not decided; 8 needed" */
static const char *summary(struct document *doc, const json_t *check, size_t comparisons)
{
    struct text t = {0};
    add_count(&t, count_of(check, "holds"), count_of(check, "holds") == 1 ? "holds" : "hold");
    add_count(&t, count_of(check, "open"), "not decided");
    add_count(&t, count_of(check, "fails"), count_of(check, "fails") == 1 ? "fails" : "fail");
    add_count(&t, count_of(check, "missing"), "missing");
    const char *rank = cells_string(check, "rank");
    if (json_is_true(json_object_get(check, "informational")))
        text_add(&t, " (for information)");
    else if (comparisons > 1)
        text_print(&t, "; %lld needed", count_of(check, "needed"));
    text_print(&t, "%s%s", *rank ? "; " : "", rank);
    const char *copy = doc_text(doc, "%s", text_string(&t));
    text_free(&t);
    return copy;
}

static void fill_check(struct document *doc, const json_t *json, struct doc_check *check)
{
    const json_t *list = json_object_get(json, "comparisons");
    size_t i, n = json_array_size(list);
    json_t *item;
    struct doc_comparison *comparisons = doc_comparisons(doc, check, n);
    json_array_foreach((json_t *)list, i, item) fill_comparison(doc, item, &comparisons[i]);
    check->text = doc_text(doc, "%s", cells_string(json, "text"));
    check->summary = summary(doc, json, n);
    const char *decider = cells_string(json, "would_decide");
    check->remark = doc_text(doc, "%s%s", *decider ? "What would decide it: " : "", decider);
    if (count_of(json, "paper_of"))
        check->paper =
            doc_text(doc, "paper: %lld of %lld, %s", count_of(json, "paper_holds"),
                     count_of(json, "paper_of"), paper_result(cells_string(json, "paper_result")));
}

static void add_claim(struct document *doc, const json_t *json, int level)
{
    const json_t *list = json_object_get(json, "checks");
    const char *rule = cells_string(json, "rule");
    size_t i;
    json_t *item;
    long long number = json_integer_value(json_object_get(json, "number"));
    const char *title = doc_text(doc, "%lld. %s", number, cells_string(json, "title"));
    doc_heading(doc, level, content_claim_anchor(doc, json), title);
    struct doc_claim *claim = doc_claims(doc, 1, false)->items;
    *claim = (struct doc_claim){
        .number = number,
        .anchor = content_claim_anchor(doc, json),
        .title = doc_text(doc, "%s", cells_string(json, "title")),
        .verdict = content_verdict(json),
        .verdict_text = doc_text(doc, "%s", cells_string(json, "verdict")),
        .remark = doc_text(doc, "%s%s", cells_string(json, "reason"),
                           json_is_true(json_object_get(json, "paper_fails"))
                               ? "; the paper\u2019s own numbers contradict it"
                               : ""),
        .text = doc_text(doc, "%s", cells_string(json, "text")),
        .rule = doc_text(doc, "%s%s", *rule ? "Decision rule: " : "", rule),
        .note = doc_text(doc, "%s", cells_string(json, "note")),
    };
    struct doc_check *checks = doc_checks(doc, claim, json_array_size(list));
    json_array_foreach((json_t *)list, i, item) fill_check(doc, item, &checks[i]);
}

void content_claim_sections(struct document *doc, const json_t *claims, int level)
{
    size_t i;
    json_t *claim;
    json_array_foreach((json_t *)claims, i, claim) add_claim(doc, claim, level);
}

/* How many seeds the comparisons are over at most; 0: none was tested. */
static long long most_seeds(const json_t *claims)
{
    size_t i, k, m;
    json_t *claim, *check, *one;
    long long most = 0;
    json_array_foreach((json_t *)claims, i, claim)
        json_array_foreach(json_object_get(claim, "checks"), k, check)
            json_array_foreach(json_object_get(check, "comparisons"), m, one)
    {
        long long seeds = json_integer_value(json_object_get(one, "seeds"));
        most = seeds > most ? seeds : most;
    }
    return most;
}

void content_claims(struct document *doc, const struct content *c)
{
    static const char *const reading[] = {
        "Two classifiers are compared on the same test images: what counts are the images that "
        "only "
        "one of them gets right (McNemar\u2019s exact test; Tango\u2019s score test where a margin "
        "is claimed). Brackets hold the 95 % interval of the difference.",
        "A comparison holds if the data show that it is true, fails if they show that it is not, "
        "and "
        "is not decided otherwise. p is two-sided and adjusted by Holm\u2019s method for all "
        "comparisons of the claim; the limit is 0.05 unless the claim states another.",
        "A time is the median of repeats; \u00b1 is how far the farther quartiles of both sides "
        "lie from their medians, together. Within that it is not decided.",
        "The right-hand column applies the same rules to the paper\u2019s own numbers. Its results "
        "for single images are not published, so its accuracies count as independent ones, with "
        "wider intervals.",
    };
    static const char one_seed[] = "One seed was trained: the intervals contain the choice of test "
                                   "images, but not the variance "
                                   "between trainings. Run with --set seeds=3 to include it.";
    static const char many_seeds[] =
        "Several seeds were trained: the intervals contain the choice of test images and of seeds "
        "(a bootstrap over both).";
    enum { LINES = sizeof reading / sizeof *reading };
    const json_t *claims = json_object_get(c->cells, "claims");
    if (json_array_size(claims) == 0)
        return;
    long long seeds = most_seeds(claims);
    doc_new_page(doc);
    doc_heading(doc, 1, "claims", "The claims one by one");
    struct doc_spans *items = doc_list(doc, LINES + (seeds > 0));
    for (size_t i = 0; i < LINES; i++)
        doc_span(doc, &items[i], 0, NULL, reading[i]);
    if (seeds > 0)
        doc_span(doc, &items[LINES], 0, NULL, seeds > 1 ? many_seeds : one_seed);
    content_claim_sections(doc, claims, 2);
}
