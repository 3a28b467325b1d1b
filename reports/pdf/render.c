/* See pdf.h. Each block of the document becomes groff source (layout.h); groff makes the pages. */
#include "reports/pdf/pdf.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/pdf/claims.h"
#include "reports/pdf/layout.h"
#include "reports/pdf/picture_page.h"
#include "reports/pdf/plot.h"
#include "reports/pdf/table.h"
#include "reports/pdf/troff.h"
#include "reports/picture.h"
#include "reports/program.h"

static const size_t PDF_LIMIT = 1u << 30;
static const double SECONDS = 120;
static const double FIGURE_GAP = 13, PICTURE_HEIGHT = 620;

/* ---- key numbers ---- */

static void put_key(struct text *t, const struct doc_key *key, double x, double width)
{
    layout_put(t, x, ALIGN_LEFT, &look_grey, 8.5, key->label, width - 8);
    layout_down(t, 24);
    layout_put(t, x, ALIGN_LEFT, key->missing ? &look_missing : &look_accent,
               key->missing ? 14 : 21, key->value, width - 8);
    layout_down(t, 14);
    layout_put(t, x, ALIGN_LEFT, &look_grey, 8.5, key->note, width - 8);
    layout_down(t, -38);
}

static void put_keys(struct text *t, const struct doc_keys *keys)
{
    double width = PAGE_WIDTH / (double)keys->count;
    layout_space(t, 6);
    layout_begin_lines(t, 8.5, 12, 60);
    for (size_t i = 0; i < keys->count; i++)
        put_key(t, &keys->items[i], width * (double)i, width);
    layout_end_line(t);
    layout_end_lines(t);
    layout_space(t, 44);
}

/* ---- figures ---- */

/* Half a page's width leaves half of the gap to the figure beside it. */
static double figure_width(const struct doc_figure *figure)
{
    return figure->width < 1 ? figure->width * (PAGE_WIDTH - FIGURE_GAP) : PAGE_WIDTH;
}

/* Makes the figure's own PDF; the caller frees placed->path. */
static int make_figure(const struct doc_figure *figure, const char *folder, double width,
                       struct placed *placed, struct error *err)
{
    char *path = format_string("%s/%s.pdf", folder, figure->name);
    if (!path)
        return error_set(err, ENOMEM, "out of memory");
    *placed = (struct placed){path, width, width * figure->aspect};
    return figure->png ? picture_to_pdf(figure->png, path, width, PICTURE_HEIGHT, &placed->width,
                                        &placed->height, err)
                       : plot_draw(figure->plot, path, width, placed->height, err);
}

static int put_figures(struct text *t, const struct doc_figures *figures, const char *folder,
                       struct error *err)
{
    struct placed *placed = calloc(figures->count, sizeof *placed);
    int rc = placed ? 0 : error_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < figures->count; i++)
        rc = make_figure(&figures->items[i], folder, figure_width(&figures->items[i]), &placed[i],
                         err);
    if (rc == 0) {
        layout_pictures(t, placed, figures->count, FIGURE_GAP);
        for (size_t i = 0; i < figures->count; i++)
            layout_plain(t, STYLE_SMALL, figures->items[i].caption);
        layout_plain(t, STYLE_SMALL, figures->note);
    }
    for (size_t i = 0; placed && i < figures->count; i++)
        free((char *)placed[i].path);
    free(placed);
    return rc;
}

/* ---- how much of a page a heading needs below it ---- */

static double figures_height(const struct doc_figures *figures)
{
    double height = 0;
    for (size_t i = 0; i < figures->count; i++) {
        const struct doc_figure *figure = &figures->items[i];
        struct picture p = {0};
        double width = figure_width(figure), aspect = figure->aspect;
        if (figure->png && picture_read(figure->png, &p, NULL) == 0)
            aspect = (double)p.height / (double)p.width;
        picture_free(&p);
        height = fmax(height, fmin(width * aspect, PICTURE_HEIGHT));
    }
    return height + 20;
}

static double spans_height(const struct doc_spans *spans, double size, double leading)
{
    double width = 0;
    for (const struct doc_span *s = spans->first; s; s = s->next)
        width += troff_width(s->text, false) * size / 1000;
    return leading * (floor(width / PAGE_WIDTH) + 1) + 5;
}

static double block_height(const struct doc_block *b)
{
    switch (b->type) {
    case BLOCK_HEADING:
        return 40;
    case BLOCK_PARAGRAPH:
        return b->paragraph.style == STYLE_SMALL ? spans_height(&b->paragraph.spans, 8.5, 11.5)
                                                 : spans_height(&b->paragraph.spans, 10, 14.5);
    case BLOCK_TABLE:
        return table_height(&b->table, b->keep_together);
    case BLOCK_FIGURES:
        return figures_height(&b->figures);
    case BLOCK_CLAIMS:
        return 110;
    case BLOCK_LIST:
    case BLOCK_KEYS:
        return 60;
    }
    return 0;
}

/* Of the heading and what must follow it on the same page: up to the first block that isn't a
 * heading or a paragraph. */
static double heading_height(const struct doc_block *heading)
{
    double height = 45;
    for (const struct doc_block *b = heading->next; b && !b->new_page; b = b->next) {
        height += block_height(b);
        if (b->type != BLOCK_HEADING && b->type != BLOCK_PARAGRAPH)
            break;
    }
    return fmin(height, PAGE_HEIGHT - 5);
}

/* ---- blocks ---- */

static int put_block(struct text *t, const struct doc_block *b, const char *figures,
                     struct error *err)
{
    if (b->new_page)
        layout_new_page(t);
    switch (b->type) {
    case BLOCK_HEADING:
        layout_heading(t, b->heading.level, b->heading.anchor, b->heading.text, heading_height(b));
        break;
    case BLOCK_PARAGRAPH:
        layout_paragraph(t, b->paragraph.style, &b->paragraph.spans);
        break;
    case BLOCK_LIST:
        for (size_t i = 0; i < b->list.count; i++)
            layout_item(t, &b->list.items[i]);
        layout_end_list(t);
        break;
    case BLOCK_TABLE:
        table_render(t, &b->table, b->keep_together);
        break;
    case BLOCK_FIGURES:
        return put_figures(t, &b->figures, figures, err);
    case BLOCK_CLAIMS:
        claims_render(t, &b->claims);
        break;
    case BLOCK_KEYS:
        put_keys(t, &b->keys);
        break;
    }
    return 0;
}

/* Runs groff. Where groff finds the fonts that come with Ghostscript they are embedded; else the
 * pages use the fonts that every PDF reader has. */
static int run_groff(const char *source, const char *pdf, struct error *err)
{
    const char *const embedded[] = {"groff", "-Tpdf", "-dfamily=P", "-P-e", "-P-pa4", source, NULL};
    const char *const standard[] = {"groff", "-Tpdf", "-dfamily=T", "-P-pa4", source, NULL};
    int rc = program_run(embedded, pdf, SECONDS, "groff", err);
    if (rc == -EIO) {
        fprintf(stderr, "report.pdf: trying again without embedded fonts\n");
        err->text[0] = 0;
        rc = program_run(standard, pdf, SECONDS, "groff", err);
    }
    char *data = NULL;
    size_t size = 0;
    if (rc == 0)
        rc = file_read(pdf, PDF_LIMIT, &data, &size, err);
    if (rc < 0)
        return rc;
    bool whole = size > 1000 && memcmp(data, "%PDF-", 5) == 0;
    free(data);
    return whole ? 0
                 : error_set(err, EIO, "groff made no PDF; its messages are in the stage's log");
}

int pdf_render(const struct document *doc, const char *path, const char *figures, struct error *err)
{
    static const char source[] = "report.tr";
    struct text body = {0}, page = {0};
    int rc = 0;
    layout_title(&body, doc->about, doc->title);
    for (const struct doc_block *b = doc->first; rc == 0 && b; b = b->next)
        rc = put_block(&body, b, figures, err);
    if (rc == 0) {
        layout_start(&page, doc->title);
        layout_replace_missing(&page, text_string(&body));
        text_add(&page, text_string(&body));
        page.failed = page.failed || body.failed;
        rc = text_write(&page, source, err);
    }
    text_free(&page);
    text_free(&body);
    return rc < 0 ? rc : run_groff(source, path, err);
}
