/* See drawn_face.h. An expression is a vector of muscle movements, relative to the neutral face.
 * Each class has two forms of it, such as a closed and an open smile. A drawn expression is a form
 * times an intensity, sometimes mixed with another class, on a person whose neutral face varies in
 * the same directions. So similar classes overlap, as with real people. */
#include "stages/drawn/drawn_face.h"

#include <math.h>
#include <stdbool.h>

/* Movements, in frame units (half the head's height) unless noted; 0 is neutral. */
enum movement {
    BROW_INNER, /* inner end of the brows up */
    BROW_OUTER, /* outer end up */
    BROW_KNIT,  /* brows drawn together, 0-1 */
    LID,        /* eyes wider (+) or narrower (-), share of their opening */
    LOWER_LID,  /* lower lid pushed up, 0-1 */
    NOSE,       /* nose wrinkled, 0-1 */
    CORNER,     /* mouth corners up */
    OPEN,       /* mouth open */
    WIDE,       /* mouth wider, share of its width */
    UPPER_LIP,  /* upper lip raised */
    FOLD,       /* folds from nose to mouth, cheeks up, 0-1 */
    TEETH,      /* teeth shown, 0-1 */
    MOVEMENTS
};

static const double forms[CLASSES][2][MOVEMENTS] = {
    /*    inner  outer  knit   lid   lower nose  corner open  wide   upper fold  teeth */
    [0] = {{-.12, .04, .9, .15, .45, .35, -.06, .00, -.10, .00, .20, 0},   /* angry, lips pressed */
           {-.13, .05, .9, .30, .35, .50, -.03, .17, .08, .04, .45, .9}},  /* shouting */
    [1] = {{-.08, -.02, .6, -.40, .70, 1.0, -.07, .03, -.06, .09, .90, 0}, /* disgust */
           {-.07, -.01, .5, -.45, .80, 1.0, -.04, .10, .05, .10, .90, .8}},
    [2] = {{.12, .03, .5, .65, .05, .00, -.02, .13, .15, .01, .10, .4}, /* fear */
           {.10, .02, .6, .50, .10, .05, -.04, .05, .20, .00, .15, .6}},
    [3] = {{.01, .01, .0, -.15, .45, .00, .13, .02, .26, .00, .70, 0},    /* happy, lips closed */
           {.02, .02, .0, -.22, .60, .05, .14, .16, .32, .02, .90, 1}},   /* laughing */
    [4] = {{.10, -.06, .5, -.35, .15, .00, -.10, .00, -.08, .00, .15, 0}, /* sad */
           {.09, -.05, .6, -.50, .40, .10, -.11, .06, .04, .01, .35, .2}},
    [5] = {{.14, .14, .0, .75, .00, .00, .00, .32, -.28, .00, .00, .1}, /* surprise */
           {.11, .12, .0, .55, .00, .00, .01, .20, -.18, .00, .00, .3}},
    [6] = {{0}, {0}},
};

/* Standard deviation of the neutral faces of people in each direction. */
static const double habit[MOVEMENTS] = {.022, .022, .12, .10,  .10, .06,
                                        .022, .012, .06, .006, .14, .0};

struct person {
    double skin, hair, iris, jaw, width, brow_thick, brow_dark, brow_height;
    double eye_x, eye_y, eye_wide, eye_open, nose_long, nose_wide, mouth_y, mouth_wide, lip,
        lip_dark;
    double age; /* 0-1: how deep folds are */
    int hair_style, beard, glasses;
};

static bool chance(struct random *r, double p)
{
    return random_unit(r) < p;
}

static struct person draw_person(struct random *r)
{
    struct person p = {
        .skin = drawn_between(r, .38, .82),
        .hair = drawn_between(r, .04, .40),
        .iris = drawn_between(r, .05, .28),
        .jaw = drawn_between(r, 2.0, 2.7),
        .width = drawn_between(r, .68, .80),
        .brow_thick = drawn_between(r, .030, .060),
        .brow_dark = drawn_between(r, .10, .35),
        .brow_height = drawn_between(r, -.40, -.32),
        .eye_x = drawn_between(r, .30, .36),
        .eye_y = drawn_between(r, -.17, -.11),
        .eye_wide = drawn_between(r, .14, .18),
        .eye_open = drawn_between(r, .055, .085),
        .nose_long = drawn_between(r, .22, .32),
        .nose_wide = drawn_between(r, .11, .16),
        .mouth_y = drawn_between(r, .54, .62),
        .mouth_wide = drawn_between(r, .26, .34),
        .lip = drawn_between(r, .030, .060),
        .lip_dark = drawn_between(r, .55, .85),
        .age = random_unit(r),
        .hair_style = (int)random_below(r, 6),
        .beard = chance(r, .15) ? 1 + (int)random_below(r, 3) : 0,
        .glasses = chance(r, .12),
    };
    if (chance(r, .15))
        p.hair = drawn_between(r, .5, .9);
    return p;
}

static void draw_movements(struct random *r, int class, double difficulty, double m[MOVEMENTS])
{
    double intensity = drawn_between(r, 1.8 - difficulty, 2.1);
    if (chance(r, difficulty)) /* a face that hardly shows its expression */
        intensity = drawn_between(r, 0, .6);
    double form = drawn_between(r, 0, 1), blend = 0;
    int other = (int)random_below(r, CLASSES);
    if (chance(r, .6 * difficulty))
        blend = drawn_between(r, .1, .5);
    form = form < .4 ? 0 : form > .6 ? 1 : (form - .4) * 5; /* mostly one of the two forms */
    for (int i = 0; i < MOVEMENTS; i++) {
        const double(*own)[MOVEMENTS] = forms[class], (*strange)[MOVEMENTS] = forms[other];
        double mine = own[0][i] + form * (own[1][i] - own[0][i]);
        double theirs = strange[0][i] + form * (strange[1][i] - strange[0][i]);
        double loose = 1 + .3 * difficulty * random_normal(r);
        m[i] = intensity * ((1 - blend) * mine * loose + blend * theirs);
        m[i] += habit[i] * (.35 + .4 * difficulty) * random_normal(r);
    }
    static const int positive[] = {BROW_KNIT, LOWER_LID, NOSE, OPEN, UPPER_LIP, FOLD, TEETH};
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++)
        m[positive[i]] = fmax(0, m[positive[i]]);
}

/* ---- parts of a head, from back to front ---- */

static struct paint mix(double value, double alpha)
{
    return (struct paint){.value = value, .alpha = alpha, .mode = PAINT_MIX};
}

static struct paint light(double value, double soft)
{
    return (struct paint){.value = value, .alpha = 1, .soft = soft, .mode = PAINT_LIGHT};
}

static void stroke(struct canvas *c, double x0, double y0, double x1, double y1, double x2,
                   double y2, double r0, double r1, struct paint paint)
{
    const double p[3][2] = {{x0, y0}, {x1, y1}, {x2, y2}};
    canvas_stroke(c, p, r0, r1, paint);
}

static void draw_behind(struct canvas *c, const struct person *p)
{
    if (p->hair_style >= 3) /* long */
        canvas_ellipse(c, 0, .15, p->width + .28, 1.25, 0, 3, mix(p->hair, 1));
    else if (p->hair_style >= 1)
        canvas_ellipse(c, 0, -.35, p->width + .14, .86, 0, 2, mix(p->hair, 1));
    canvas_ellipse(c, 0, 1.75, 1.15, .75, 0, 2.5, mix(.3 + .5 * p->iris, 1)); /* clothes */
    canvas_ellipse(c, 0, 1.0, .40, .55, 0, 3, mix(p->skin * .72, 1));         /* neck */
    for (int side = -1; side <= 1; side += 2)
        canvas_ellipse(c, side * (p->width + .03), -.05, .10, .20, 0, 2, mix(p->skin * .82, 1));
}

static void draw_skin(struct canvas *c, const struct person *p, double open)
{
    double chin = .4 * open;
    canvas_ellipse(c, 0, 0, p->width, 1, 0, 2, mix(p->skin, 1));
    canvas_ellipse(c, 0, .30 + chin / 2, p->width * .92, .68 + chin / 2, 0, p->jaw,
                   mix(p->skin, 1));
    for (int side = -1; side <= 1; side += 2) { /* the sides turn away from the light */
        canvas_ellipse(c, side * p->width, .1, .22, .95, 0, 2, light(-.28, .35));
        canvas_ellipse(c, side * .38, .22, .24, .20, 0, 2, light(.14, .30)); /* cheekbone */
    }
    canvas_ellipse(c, 0, -.62, .46, .24, 0, 2, light(.14, .35));       /* forehead */
    canvas_ellipse(c, 0, .86 + chin, .20, .10, 0, 2, light(.10, .18)); /* chin */
    canvas_ellipse(c, 0, 1.02 + chin, .45, .10, 0, 2, light(-.18, .15));
}

static void draw_hair(struct canvas *c, const struct person *p)
{
    switch (p->hair_style) {
    case 1:
    case 3: /* combed back */
        canvas_ellipse(c, 0, -1.02, p->width * .95, .34, 0, 2, mix(p->hair, 1));
        break;
    case 2:
    case 4: /* parted at a side */
        canvas_ellipse(c, -.35, -.92, p->width * .75, .32, -.35, 2, mix(p->hair, 1));
        canvas_ellipse(c, .35, -1.0, p->width * .7, .26, .4, 2, mix(p->hair, 1));
        break;
    case 5: /* fringe */
        canvas_ellipse(c, 0, -.86, p->width * .95, .38, 0, 3, mix(p->hair, 1));
        break;
    default: /* bald */
        canvas_ellipse(c, .1, -.8, .25, .1, 0, 2, light(.15, .15));
    }
}

static void draw_eye(struct canvas *c, const struct person *p, const double *m, int side,
                     double gaze)
{
    double x = side * p->eye_x, y = p->eye_y, half = p->eye_wide;
    double wider = fmax(.12, 1 + m[LID]);
    double up = p->eye_open * wider * 1.15, down = p->eye_open * fmax(.1, .8 - .55 * m[LOWER_LID]);
    canvas_ellipse(c, x, y - .02, half * 1.5, .15, 0, 2, light(-.24, .14)); /* socket */
    canvas_lens(c, x, y, half, 0, up, down, mix(fmin(1, p->skin + .25), .9));
    double iris = fmin(.072, .6 * (up + down) + .02);
    double iris_y = y + (down - up) * .35;
    canvas_ellipse(c, x + gaze, iris_y, iris, fmin(iris, (up + down) * .55), 0, 2,
                   mix(p->iris, .95));
    /* lids; the upper one is the darkest line of a face */
    stroke(c, x - half, y, x, y - 2 * up, x + half, y, .018, .018, mix(.10, .75));
    stroke(c, x - half, y, x, y + 2 * down, x + half, y, .008, .008, mix(p->skin * .55, .5));
    if (m[LID] > 0) /* white above the iris */
        canvas_lens(c, x, y, half * .8, 0, up * .9, -up * .55, mix(fmin(1, p->skin + .3), .5));
    stroke(c, x - half, y + .06 + down, x, y + .10 + 1.6 * down, x + half, y + .05 + down, .012,
           .012, light(-.15 - .25 * m[LOWER_LID] - .15 * p->age, .03)); /* bag */
}

static void draw_brow(struct canvas *c, const struct person *p, const double *m, int side)
{
    double inner_x = side * (.13 - .06 * m[BROW_KNIT]), outer_x = side * .54;
    double inner_y = p->brow_height + .03 - m[BROW_INNER],
           outer_y = p->brow_height + .05 - m[BROW_OUTER];
    double arch = p->brow_height - .05 - .4 * m[BROW_INNER] - .7 * m[BROW_OUTER];
    stroke(c, inner_x, inner_y, side * .33, arch, outer_x, outer_y, p->brow_thick,
           p->brow_thick * .45, mix(p->brow_dark * p->skin, .88));
    if (m[BROW_KNIT] > .1) /* frown line */
        stroke(c, side * .05, p->brow_height - .03, side * .045, p->brow_height + .07, side * .06,
               p->brow_height + .17, .014, .010, light(-.40 * m[BROW_KNIT], .03));
}

static void draw_forehead(struct canvas *c, const struct person *p, const double *m)
{
    double raised = fmax(0, m[BROW_INNER] * .6 + m[BROW_OUTER] * .6);
    if (raised < .03)
        return;
    for (int i = 0; i < 3; i++) {
        double y = p->brow_height - .16 - .10 * i;
        stroke(c, -.36, y + .02, 0, y - .03, .36, y + .02, .010, .010,
               light(-raised * (1.0 + 1.2 * p->age), .03));
    }
}

static void draw_nose(struct canvas *c, const struct person *p, const double *m)
{
    double top = p->eye_y - .02, tip = p->eye_y + .10 + p->nose_long - .03 * m[NOSE];
    double wide = p->nose_wide * (1 + .2 * m[NOSE]);
    stroke(c, 0, top, 0, .5 * (top + tip), 0, tip - .03, .035, .07, light(.20, .08)); /* bridge */
    for (int side = -1; side <= 1; side += 2) {
        stroke(c, side * .10, top + .06, side * .08, .5 * (top + tip), side * wide * .9, tip, .02,
               .03, light(-.16, .07));
        canvas_ellipse(c, side * wide * .52, tip + .05, .042, .024, -side * .3, 2,
                       mix(p->skin * .3, .75));
        stroke(c, side * wide, tip - .04, side * (wide + .03), tip + .02, side * wide * .8,
               tip + .06, .010, .010, light(-.28, .03));
        for (int i = 0; i < 2; i++) /* wrinkles at the root */
            if (m[NOSE] > .1)
                stroke(c, side * .02, top + .07 * i, side * .07, top + .02 + .07 * i, side * .12,
                       top - .02 + .07 * i, .010, .008, light(-.45 * m[NOSE], .03));
        double fold = .10 + .10 * p->age + .45 * m[FOLD];
        double corner = p->mouth_wide * (1 + m[WIDE]) + .08;
        stroke(c, side * (wide + .02), tip, side * (wide + .16 + .06 * m[FOLD]), tip + .08,
               side * corner, p->mouth_y - .06 - m[CORNER], .012, .016, light(-fold * .8, .06));
    }
    canvas_ellipse(c, 0, tip + .09, wide * .8, .035, 0, 2, light(-.16, .06)); /* its shadow */
}

static void draw_mouth(struct canvas *c, const struct person *p, const double *m)
{
    double half = p->mouth_wide * fmax(.4, 1 + m[WIDE]), y = p->mouth_y + .35 * m[OPEN];
    double lift = m[CORNER], up = .35 * m[OPEN] + m[UPPER_LIP], down = .65 * m[OPEN];
    double lip = p->lip * (m[OPEN] < .02 && m[BROW_KNIT] > .5 ? .55 : 1); /* pressed */
    y += .4 * lift;
    struct paint lips = mix(p->skin * p->lip_dark, .85);
    canvas_lens(c, 0, y, half + .02, lift, up + lip, down + lip * 1.2, lips);
    if (up + down > .02) {
        canvas_lens(c, 0, y, half * .92, lift, up, down, mix(.06, .92));
        if (m[TEETH] > .3 && up + down > .05)
            canvas_lens(c, 0, y, half * .85, lift, up * .95, fmin(down, .05) - .25 * up,
                        mix(fmin(1, .55 + .45 * p->skin), fmin(1, m[TEETH])));
    }
    if (up + down < .06)
        stroke(c, -half, y - lift, 0, y + lift, half, y - lift, .014, .014, mix(p->skin * .22, .8));
    for (int side = -1; side <= 1; side += 2) /* corners are dark */
        canvas_ellipse(c, side * half, y - lift, .03, .03, 0, 2, light(-.35, .04));
    canvas_ellipse(c, 0, y + down + lip * 1.2 + .07, half * .6, .03, 0, 2, light(-.22, .06));
}

static void draw_extras(struct canvas *c, const struct person *p, struct random *r)
{
    if (p->beard >= 2)
        canvas_ellipse(c, 0, .84, p->width * .6, .20, 0, 2.5,
                       (struct paint){p->hair, .75, .12, PAINT_MIX});
    if (p->beard & 1)
        stroke(c, -.26, p->mouth_y - .09, 0, p->mouth_y - .17, .26, p->mouth_y - .09, .035, .035,
               mix(p->hair, .8));
    bool dark = chance(r, .2);
    for (int side = -1; side <= 1 && p->glasses; side += 2) {
        double x = side * p->eye_x, y = p->eye_y + .02;
        if (dark)
            canvas_ellipse(c, x, y, .25, .19, 0, 2.6, mix(.07, .9));
        stroke(c, x - .25, y, x, y - .36, x + .25, y, .014, .014, mix(.1, .8));
        stroke(c, x - .25, y, x, y + .36, x + .25, y, .014, .014, mix(.1, .8));
        stroke(c, side * .08, y - .05, side * .04, y - .07, 0, y - .07, .014, .014, mix(.1, .8));
    }
}

/* Draws an object in front of the face: a hand, hair, a cup. */
static void draw_occlusion(struct canvas *c, const struct person *p, struct random *r)
{
    double side = chance(r, .5) ? 1 : -1, lean = drawn_between(r, -.5, .5);
    switch (random_below(r, 3)) {
    case 0: /* fingers at the cheek and chin */
        for (int i = 0; i < 4; i++)
            canvas_ellipse(c, side * (.42 + .13 * i), .75, .075, .40, lean, 2.5,
                           mix(p->skin * (i % 2 ? .80 : .92), 1));
        break;
    case 1: /* a lock of hair over one eye */
        stroke(c, side * .1, -1, side * .7, -.6, side * .55, .4, .12, .04, mix(p->hair, .95));
        break;
    default: { /* an object held up from below */
        double x = side * drawn_between(r, .1, .5), high = drawn_between(r, .2, .42),
               value = drawn_between(r, .1, .9);
        canvas_ellipse(c, x, 1.0, .30, high, lean, 4, mix(value, 1));
    }
    }
}

/* ---- images ---- */

void drawn_background(struct canvas *c, struct random *r)
{
    canvas_fill(c, drawn_between(r, .05, .95));
    for (int i = (int)random_below(r, 5); i > 0; i--) {
        double x = drawn_between(r, 0, FACE_SIZE), y = drawn_between(r, 0, FACE_SIZE),
               turn = drawn_between(r, 0, 3);
        double a = drawn_between(r, .2, 1.2), b = drawn_between(r, .2, 1.2);
        double value = drawn_between(r, 0, 1), alpha = drawn_between(r, .2, .8);
        canvas_frame(c, x, y, turn, 24);
        canvas_ellipse(c, 0, 0, a, b, 0, 2.5, (struct paint){value, alpha, .3, PAINT_MIX});
    }
}

void drawn_head(struct canvas *c, struct random *r, int class, double difficulty,
                struct head_position place)
{
    struct person p = draw_person(r);
    double m[MOVEMENTS];
    draw_movements(r, class, difficulty, m);
    double wild = .3 + .4 * difficulty;
    double yaw = fmax(-1, fmin(1, .45 * wild * random_normal(r))),
           pitch = .05 * wild * random_normal(r);
    double gaze = .02 * random_normal(r);
    canvas_frame(c, place.x, place.y, .14 * wild * random_normal(r), place.scale);
    draw_behind(c, &p);
    draw_skin(c, &p, m[OPEN]);
    draw_hair(c, &p);
    canvas_turn(c, .14 * yaw, pitch, 1 - .12 * fabs(yaw));
    draw_forehead(c, &p, m);
    for (int side = -1; side <= 1; side += 2)
        draw_eye(c, &p, m, side, gaze + .03 * yaw);
    draw_nose(c, &p, m);
    draw_mouth(c, &p, m);
    for (int side = -1; side <= 1; side += 2)
        draw_brow(c, &p, m, side);
    draw_extras(c, &p, r);
    if (chance(r, .12 * difficulty))
        draw_occlusion(c, &p, r);
    canvas_turn(c, 0, 0, 1);
}

void drawn_photograph(struct canvas *c, struct random *r, double difficulty)
{
    double slope = .3 * difficulty * drawn_between(r, -1, 1), angle = drawn_between(r, 0, 6.2832);
    double contrast = drawn_between(r, 1 - .25 * difficulty, 1.2),
           bright = .15 * drawn_between(r, -1, 1);
    double noise = drawn_between(r, .004, .006 + .015 * difficulty);
    double gx = cos(angle) * slope / FACE_SIZE, gy = sin(angle) * slope / FACE_SIZE;
    canvas_blur(c, drawn_between(r, .05, .15 + .3 * difficulty));
    for (int y = 0; y < FACE_SIZE; y++)
        for (int x = 0; x < FACE_SIZE; x++) {
            float *p = &c->pixels[y * FACE_SIZE + x];
            double shade = 1 + gx * (x - FACE_SIZE / 2.0) + gy * (y - FACE_SIZE / 2.0);
            /* a sum of three uniforms approximates a normal and is faster */
            double grain = random_unit(r) + random_unit(r) + random_unit(r) - 1.5;
            *p = (float)(.5 + bright + contrast * (*p * shade - .5) + 2 * noise * grain);
        }
}

void drawn_face(struct canvas *c, struct random *r, int class, double difficulty)
{
    double wild = .3 + .4 * difficulty;
    struct head_position place = {.x = 24 + 1.6 * wild * random_normal(r),
                                  .y = 24 + 1.6 * wild * random_normal(r),
                                  .scale = drawn_between(r, 24 - 3 * wild, 24 + 2 * wild)};
    drawn_background(c, r);
    drawn_head(c, r, class, difficulty, place);
    drawn_photograph(c, r, difficulty);
}
