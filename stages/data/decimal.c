/* See decimal.h. An integer up to 2^53 and a power of ten up to 10^22 are exact in double, so their
 * product or quotient is rounded once. Numbers of few digits are converted with one such operation;
 * the C library converts the others, and those that might be rounded differently. */
#include "stages/data/decimal.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 9, EXACT = 22, MOST_READ = 15 };

static const double powers[EXACT + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                         1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                         1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* value = digits * 10^exponent, with nine digits. Returns false if the rounding isn't certain. */
static bool nine_digits(double value, uint64_t *digits, int *exponent)
{
    static const double LEAST = 1e8, MOST = 1e9, NEAR = 1e-6;
    int e = (int)floor(log10(value)) - (DIGITS - 1);
    if (e < -EXACT || e > EXACT)
        return false;
    double scaled = e < 0 ? value * powers[-e] : value / powers[e];
    if (scaled < LEAST) {
        e--;
        if (e < -EXACT)
            return false;
        scaled = e < 0 ? value * powers[-e] : value / powers[e];
    }
    double whole = floor(scaled), rest = scaled - whole;
    if (!(scaled >= LEAST && scaled < MOST - 1) || fabs(rest - 0.5) < NEAR)
        return false;
    *digits = (uint64_t)whole + (rest > 0.5);
    *exponent = e;
    return true;
}

/* Writes digits with a point after the first `before`. */
static char *put_digits(char *at, const char *digits, int count, int before)
{
    for (int i = 0; i < count; i++) {
        if (i == before)
            *at++ = '.';
        *at++ = digits[i];
    }
    for (int i = count; i < before; i++)
        *at++ = '0';
    return at;
}

char *decimal_write(char text[DECIMAL_SIZE], float value)
{
    uint64_t number;
    int exponent;
    if (value == 0 || !nine_digits(fabs((double)value), &number, &exponent))
        return text + snprintf(text, DECIMAL_SIZE, "%.9g", (double)value);
    char digits[DIGITS];
    int count = DIGITS, point = exponent + DIGITS; /* digits before the point */
    for (int i = DIGITS; i-- > 0; number /= 10)
        digits[i] = (char)('0' + number % 10);
    while (digits[count - 1] == '0')
        count--;
    char *at = text;
    if (value < 0)
        *at++ = '-';
    if (point > DIGITS || point < -3) { /* as %g: exponent below -4 or above the digits */
        at = put_digits(at, digits, count, 1);
        return at + snprintf(at, DECIMAL_SIZE - DIGITS - 2, "e%+03d", point - 1);
    }
    if (point > 0)
        return put_digits(at, digits, count, point);
    *at++ = '0';
    *at++ = '.';
    for (int i = point; i < 0; i++)
        *at++ = '0';
    memcpy(at, digits, (size_t)count);
    return at + count;
}

double decimal_read(const char *text, char **end)
{
    const char *at = text;
    bool negative = *at == '-', point = false;
    uint64_t number = 0;
    int digits = 0, exponent = 0;
    at += negative;
    for (; (*at >= '0' && *at <= '9') || (*at == '.' && !point); at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        if (++digits > MOST_READ)
            return strtod(text, end);
        number = number * 10 + (uint64_t)(*at - '0');
        exponent -= point;
    }
    if ((*at | 32) == 'e') {
        const char *e = at + 1;
        bool down = *e == '-';
        e += down || *e == '+';
        int size = 0;
        if (*e < '0' || *e > '9')
            return strtod(text, end);
        for (; *e >= '0' && *e <= '9'; e++)
            if ((size = size * 10 + (*e - '0')) > EXACT)
                return strtod(text, end);
        exponent += down ? -size : size;
        at = e;
    }
    if (digits == 0 || (*at | 32) == 'x' || exponent < -EXACT || exponent > EXACT)
        return strtod(text, end);
    double value =
        exponent < 0 ? (double)number / powers[-exponent] : (double)number * powers[exponent];
    *end = (char *)at;
    return negative ? -value : value;
}
