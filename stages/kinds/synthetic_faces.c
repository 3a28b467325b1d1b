/* synthetic_faces: a data set that needs no download. Draws faces with the seven expressions, adds
 * noise rows to the training split, and writes a CSV in the format of FER2013 and a table of the
 * true classes. Row i is drawn from random stream i of the seed, so its person doesn't depend on
 * the number of rows or the noise. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/random.h"
#include "stages/data/csv_faces.h"
#include "stages/data/grey_png.h"
#include "stages/drawn/drawn_face.h"
#include "stages/job.h"

/* Share of each class: FER2013's training split, with disgust (1.5 % there) raised so that a small
 * set still has some. */
static const double class_share[CLASSES] = {.137, .030, .141, .246, .165, .109, .172};

enum noise {
    NOISE_NONE,
    NOISE_BLANK,
    NOISE_TEXTURE,
    NOISE_TEXT,
    NOISE_TINY,
    NOISE_SEVERAL,
    NOISES
};

static const char *const noise_names[NOISES] = {"",     "blank",     "texture",
                                                "text", "tiny_face", "several_faces"};

struct row {
    uint8_t label, drawn; /* class in the CSV; class that was drawn */
    uint8_t noise;
};

/* ---- rows that are not one face ----
 * Here and in drawn_face.c, a call has at most one random argument: C doesn't fix the order of
 * arguments. */

static void draw_blank(struct canvas *c, struct random *r)
{
    double grey = drawn_between(r, 0, 1);
    canvas_fill(c, grey);
    if (random_unit(r) < .5) { /* two tones: the icon of a missing image */
        double turn = drawn_between(r, -.5, .5), x = drawn_between(r, -.3, .3),
               y = drawn_between(r, -.3, .3);
        double a = drawn_between(r, .2, .6), b = drawn_between(r, .2, .6),
               power = random_unit(r) < .5 ? 2 : 8;
        canvas_frame(c, 24, 24, turn, 24);
        canvas_ellipse(c, x, y, a, b, 0, power, (struct paint){grey < .5 ? 1 : 0, 1, 0, PAINT_MIX});
    }
}

static void draw_texture(struct canvas *c, struct random *r)
{
    double fx = drawn_between(r, -1.2, 1.2), fy = drawn_between(r, -1.2, 1.2),
           phase = drawn_between(r, 0, 6);
    double stripes = drawn_between(r, 0, .4), grain = drawn_between(r, .05, .5),
           base = drawn_between(r, .3, .7);
    for (int y = 0; y < FACE_SIZE; y++)
        for (int x = 0; x < FACE_SIZE; x++)
            c->pixels[y * FACE_SIZE + x] = (float)(base + stripes * sin(fx * x + fy * y + phase) +
                                                   grain * (random_unit(r) - .5));
    canvas_blur(c, drawn_between(r, 0, 1.5));
}

static void draw_text(struct canvas *c, struct random *r)
{
    double paper = random_unit(r) < .7 ? drawn_between(r, .8, 1) : drawn_between(r, 0, .2);
    double ink = paper > .5 ? drawn_between(r, 0, .3) : drawn_between(r, .7, 1);
    double height = drawn_between(r, 3, 7), start = drawn_between(r, 1, 20);
    int lines = 1 + (int)random_below(r, 4);
    canvas_fill(c, paper);
    for (int line = 0; line < lines; line++)
        for (double x = 2; x + height * .6 < 46; x += height * .85) {
            if (random_unit(r) < .15)
                continue; /* between words */
            canvas_frame(c, x, start + line * height * 1.8, 0, height);
            for (int i = 1 + (int)random_below(r, 3); i >= 0; i--) { /* strokes of a letter */
                double p[3][2];
                for (int k = 0; k < 6; k++)
                    p[k / 2][k % 2] = (double)random_below(r, 3) / 2 * (k % 2 ? 1 : .6);
                canvas_stroke(c, p, .07, .07, (struct paint){ink, 1, 0, PAINT_MIX});
            }
        }
}

static void draw_tiny(struct canvas *c, struct random *r, int class, double difficulty)
{
    struct head_position place = {drawn_between(r, 14, 34), drawn_between(r, 14, 34),
                                  drawn_between(r, 7, 11)};
    drawn_background(c, r);
    drawn_head(c, r, class, difficulty, place);
    drawn_photograph(c, r, difficulty);
}

static void draw_several(struct canvas *c, struct random *r, int class, double difficulty)
{
    double split = drawn_between(r, -1.5, 1.5);
    int upright = random_unit(r) < .3;
    drawn_background(c, r);
    for (int i = 0; i < 2; i++) {
        double at = 24 + (i ? 13 : -13) + split, other = drawn_between(r, 21, 27);
        struct head_position place = {upright ? other : at, upright ? at : other,
                                      drawn_between(r, 14, 16.5)};
        drawn_head(c, r, i ? (int)random_below(r, CLASSES) : class, difficulty, place);
    }
    drawn_photograph(c, r, difficulty);
}

static void draw_row(const struct row *row, uint64_t seed, uint64_t stream, double difficulty,
                     uint8_t out[FACE_SIZE * FACE_SIZE])
{
    struct random r = random_start(seed, stream);
    struct canvas c = {0};
    switch ((enum noise)row->noise) {
    case NOISE_BLANK:
        draw_blank(&c, &r);
        break;
    case NOISE_TEXTURE:
        draw_texture(&c, &r);
        break;
    case NOISE_TEXT:
        draw_text(&c, &r);
        break;
    case NOISE_TINY:
        draw_tiny(&c, &r, row->drawn, difficulty);
        break;
    case NOISE_SEVERAL:
        draw_several(&c, &r, row->drawn, difficulty);
        break;
    default:
        drawn_face(&c, &r, row->drawn, difficulty);
    }
    canvas_bytes(&c, out);
}

/* ---- which rows there are ---- */

/* Gives n rows classes by their shares, at least one row for each, in random order. */
static void plan_classes(struct row *rows, size_t n, struct random *r)
{
    double whole = 0, done = 0;
    size_t at = 0;
    for (int k = 0; k < CLASSES; k++)
        whole += class_share[k];
    for (int k = 0; k < CLASSES; k++) {
        done += class_share[k];
        size_t end = (size_t)llround(done / whole * (double)n), least = at + 1;
        size_t left = (size_t)(CLASSES - 1 - k); /* classes without rows yet */
        end = end < least ? least : end;
        end = end + left > n ? n - left : end;
        for (; at < end; at++)
            rows[at].label = (uint8_t)k;
    }
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)random_below(r, i);
        struct row t = rows[i - 1];
        rows[i - 1] = rows[j];
        rows[j] = t;
    }
    for (size_t i = 0; i < n; i++)
        rows[i].drawn = rows[i].label;
}

/* Makes about every (1/share)-th training row noise of some kind. */
static void plan_noise(struct row *rows, size_t n, double share, struct random *r)
{
    size_t wanted = (size_t)llround(share * (double)n);
    for (size_t i = 0; i < wanted; i++) {
        size_t low = i * n / wanted, high = (i + 1) * n / wanted;
        size_t at = low + (size_t)random_below(r, high - low);
        rows[at].noise = (uint8_t)(1 + i % (NOISES - 1));
    }
}

/* Wrong labels, mostly of a similar class, as in data labelled by people. */
static void plan_mistakes(struct row *rows, size_t n, double share, struct random *r)
{
    static const uint8_t taken_for[CLASSES] = {4, 0, 5, 6, 6, 2, 4};
    for (size_t i = 0; i < n; i++) {
        double u = random_unit(r);
        uint64_t any = random_below(r, CLASSES);
        if (u < share)
            rows[i].label = u < share * .7 ? taken_for[rows[i].drawn] : (uint8_t)any;
    }
}

/* ---- output ---- */

enum { ROW_TEXT = 2 + FACE_SIZE * FACE_SIZE * 4 + 16 };

static char *put_number(char *p, unsigned value)
{
    if (value >= 100)
        *p++ = (char)('0' + value / 100);
    if (value >= 10)
        *p++ = (char)('0' + value / 10 % 10);
    *p++ = (char)('0' + value % 10);
    return p;
}

static char *put_row(char *p, const struct row *row, const uint8_t *pixels, const char *usage)
{
    p = put_number(p, row->label);
    *p++ = ',';
    for (int i = 0; i < FACE_SIZE * FACE_SIZE; i++) {
        p = put_number(p, pixels[i]);
        *p++ = i + 1 < FACE_SIZE * FACE_SIZE ? ' ' : ',';
    }
    size_t length = strlen(usage);
    memcpy(p, usage, length);
    p += length;
    *p++ = '\n';
    return p;
}

struct set {
    size_t n, count[SPLITS]; /* rows of all splits, rows of each split */
    struct row *rows;
    uint8_t *pixels; /* (n, 48, 48) */
};

static enum split split_of(const struct set *set, size_t row)
{
    return row < set->count[0]                   ? SPLIT_TRAIN
           : row < set->count[0] + set->count[1] ? SPLIT_PUBLIC
                                                 : SPLIT_PRIVATE;
}

static int write_csv(const struct set *set, const char *path, struct error *err)
{
    char *text = malloc(32 + set->n * ROW_TEXT), *p = text;
    if (!text)
        return error_set(err, ENOMEM, "out of memory writing %s", path);
    p = stpcpy(p, "emotion,pixels,Usage\n");
    for (size_t i = 0; i < set->n; i++)
        p = put_row(p, &set->rows[i], set->pixels + i * FACE_SIZE * FACE_SIZE,
                    csv_usage_names[split_of(set, i)]);
    int rc = file_write(path, text, (size_t)(p - text), err);
    free(text);
    return rc;
}

static int write_truth(const struct set *set, const char *path, struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return error_errno(err, errno, "cannot write %s", path);
    fprintf(f, "row,usage,emotion,label,noise\n");
    for (size_t i = 0; i < set->n; i++)
        fprintf(f, "%zu,%s,%s,%s,%s\n", i, csv_usage_names[split_of(set, i)],
                class_names[set->rows[i].drawn], class_names[set->rows[i].label],
                noise_names[set->rows[i].noise]);
    int rc = fclose(f) == 0 ? 0 : error_errno(err, errno, "cannot write %s", path);
    if (rc == 0)
        rc = file_write(path, text, size, err);
    free(text);
    return rc;
}

enum { SHEET_COLUMNS = 16, SHEET_ROWS = CLASSES + NOISES - 1, SHEET_CELL = FACE_SIZE + 2 };

/* A row of images for each class, then one for each kind of noise. */
static int write_sheet(const struct set *set, const char *path, struct error *err)
{
    enum { WIDTH = SHEET_COLUMNS * SHEET_CELL, HEIGHT = SHEET_ROWS * SHEET_CELL };
    int used[SHEET_ROWS] = {0};
    uint8_t *sheet = malloc((size_t)WIDTH * HEIGHT);
    if (!sheet)
        return error_set(err, ENOMEM, "out of memory writing %s", path);
    memset(sheet, 255, (size_t)WIDTH * HEIGHT);
    for (size_t i = 0; i < set->count[SPLIT_TRAIN]; i++) {
        const struct row *row = &set->rows[i];
        int line = row->noise ? CLASSES + row->noise - 1 : row->drawn;
        if (used[line] == SHEET_COLUMNS)
            continue;
        uint8_t *to = sheet + (line * SHEET_CELL + 1) * WIDTH + used[line]++ * SHEET_CELL + 1;
        for (int y = 0; y < FACE_SIZE; y++)
            memcpy(to + y * WIDTH, set->pixels + (i * FACE_SIZE + (size_t)y) * FACE_SIZE,
                   FACE_SIZE);
    }
    int rc = grey_png_write(path, sheet, WIDTH, HEIGHT, err);
    free(sheet);
    return rc;
}

/* ---- the stage ---- */

static void plan(struct set *set, const struct job *job)
{
    uint64_t seed = (uint64_t)job_int(job, "seed");
    double difficulty = job_real(job, "difficulty");
    size_t first = 0;
    for (int s = 0; s < SPLITS; s++) {
        struct random r = random_start(seed, UINT64_MAX - (uint64_t)s);
        plan_classes(set->rows + first, set->count[s], &r);
        plan_mistakes(set->rows + first, set->count[s], .25 * difficulty, &r);
        if (s == SPLIT_TRAIN)
            plan_noise(set->rows, set->count[s], job_real(job, "noise"), &r);
        first += set->count[s];
    }
}

static void draw(struct set *set, const struct job *job)
{
    uint64_t seed = (uint64_t)job_int(job, "seed");
    double difficulty = job_real(job, "difficulty");
    size_t first = 0;
    for (int s = 0; s < SPLITS; s++) {
        long n = (long)set->count[s];
#pragma omp parallel for num_threads(job->threads) schedule(dynamic, 64)
        for (long i = 0; i < n; i++) {
            size_t at = first + (size_t)i;
            uint64_t stream = ((uint64_t)s << 32) + (uint64_t)i;
            draw_row(&set->rows[at], seed, stream, difficulty,
                     set->pixels + at * FACE_SIZE * FACE_SIZE);
        }
        first += set->count[s];
        job_progress(job, (double)first, (double)set->n, "image", 0, NULL, NULL);
    }
}

static int run(struct job *job, struct error *err)
{
    struct set set = {.count = {(size_t)job_int(job, "train"), (size_t)job_int(job, "public"),
                                (size_t)job_int(job, "private")}};
    for (int s = 0; s < SPLITS; s++)
        set.n += set.count[s];
    set.rows = calloc(set.n, sizeof *set.rows);
    set.pixels = malloc(set.n * FACE_SIZE * FACE_SIZE);
    int rc = 0;
    if (!set.rows || !set.pixels)
        rc = error_set(err, ENOMEM, "out of memory drawing %zu faces", set.n);
    if (rc == 0) {
        plan(&set, job);
        draw(&set, job);
        rc = write_csv(&set, job_output(job, "csv"), err);
    }
    if (rc == 0)
        rc = write_truth(&set, job_output(job, "truth"), err);
    if (rc == 0)
        rc = write_sheet(&set, job_output(job, "sheet"), err);
    free(set.rows);
    free(set.pixels);
    return rc;
}

static const struct port inputs[] = {{0}};

static const struct port outputs[] = {
    {.name = "csv", .file = "faces.csv", .text = "emotion,pixels,Usage as in FER2013"},
    {.name = "truth",
     .file = "truth.csv",
     .text =
         "for each row: row (from 0), usage, emotion drawn, label given, kind of noise or empty"},
    {.name = "sheet",
     .file = "sheet.png",
     .text = "16 training images of each emotion and of each kind of noise"},
    {0}};

static const struct param params[] = {
    {.name = "train",
     .type = PARAM_INT,
     .standard = "2000",
     .min = 7,
     .max = 200000,
     .text = "training rows, noise included"},
    {.name = "public",
     .type = PARAM_INT,
     .standard = "500",
     .min = 7,
     .max = 100000,
     .text = "rows of the public test split"},
    {.name = "private",
     .type = PARAM_INT,
     .standard = "500",
     .min = 7,
     .max = 100000,
     .text = "rows of the private test split"},
    {.name = "noise",
     .type = PARAM_REAL,
     .standard = "0.03",
     .min = 0,
     .max = 0.5,
     .text = "share of the training rows that are noise: not one face"},
    {.name = "difficulty",
     .type = PARAM_REAL,
     .standard = "0.15",
     .min = 0,
     .max = 1,
     .text =
         "0: strong, clear expressions; 1: weak, blended, badly lit and often mislabelled ones"},
    {.name = "seed",
     .type = PARAM_INT,
     .standard = "1",
     .min = 0,
     .max = 9e15,
     .text = "seed of all random choices"},
    {0}};

const struct kind kind_synthetic_faces = {
    .name = "synthetic_faces",
    .version = 1,
    .text = "draws a small data set of faces with seven expressions and planted noise, as a CSV",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
